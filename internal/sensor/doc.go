// Package sensor watches the kernel with eBPF and enforces in it: exec, exit,
// listen, connect, accept and the birth of cgroups. It speaks of cgroups, file
// keys and slots; which workload that is, and whether it is normal, others
// know. Known-good events are recognised and counted in the kernel.
package sensor
