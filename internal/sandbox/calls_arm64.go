package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// archCalls are what only this architecture has under these names.
var archCalls = []uint32{unix.SYS_FSTATAT, unix.SYS_RENAMEAT}

func archChecks() map[uint32]check { return nil }
