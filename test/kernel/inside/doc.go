// Package inside tests the whole product in the machine that package kernel
// boots: no engine, no systemd, only cgroups made by hand. Elsewhere its tests
// skip.
package inside
