// Package kernel runs the product and the packages that talk to the kernel on
// kernels other than this machine's: Debian's cloud kernel boots in QEMU from
// an initramfs of busybox and static binaries, once as it comes, with BPF LSM,
// and once without; both have cgroup v2 only. The tests are in the packages
// themselves and in inside; this one boots and judges.
package kernel
