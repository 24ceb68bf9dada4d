package sandbox

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16
)

// The kernel's answers to a system call.
const (
	allow  = unix.SECCOMP_RET_ALLOW
	kill   = unix.SECCOMP_RET_KILL_PROCESS
	notify = unix.SECCOMP_RET_USER_NOTIF
)

func refuse(no unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(no) }

// check decides one system call by its arguments: the first rule that fits.
type check struct {
	rules []rule
	other uint32
}

// rule fits when every one of its conditions does.
type rule struct {
	when []cond
	give uint32
}

// cond compares the lower half of an argument under a mask. The upper half
// must be ignored: the kernel takes these arguments as 32 bits.
type cond struct {
	arg         int
	mask, value uint32
}

// filter assembles the program: the right architecture, then a search through
// what is allowed, then the checks. What nobody named gets EPERM, what is newer
// than the table ENOSYS, as from a kernel that does not know it.
func filter(arch uint32, allowed []uint32, checks map[uint32]check, newest uint32) []byte {
	a := &assembler{}
	a.load(atArch)
	a.jump(unix.BPF_JEQ, arch, 1, 0)
	a.ret(kill)
	a.load(atNumber)
	// Without this the calls of the x32 table would pass under other numbers.
	a.jump(unix.BPF_JGT, newest, 0, 1)
	a.ret(refuse(unix.ENOSYS))
	for nr, c := range ordered(checks) {
		body := c.assemble()
		if len(body) > 255 {
			panic("sandbox: check too long")
		}
		a.jump(unix.BPF_JEQ, nr, 0, uint8(len(body)))
		a.code = append(a.code, body...)
	}
	a.search(ranges(allowed))
	a.ret(refuse(unix.EPERM))
	return a.bytes()
}

func (c check) assemble() []unix.SockFilter {
	a := &assembler{}
	for _, r := range c.rules {
		// From the end, so that each condition knows how far it jumps.
		body := &assembler{}
		body.ret(r.give)
		for _, w := range slices.Backward(r.when) {
			one := &assembler{}
			one.load(uint32(atArgs + 8*w.arg))
			if w.mask != ^uint32(0) {
				one.op(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, w.mask, 0, 0)
			}
			one.jump(unix.BPF_JEQ, w.value, 0, uint8(len(body.code)))
			body.code = append(one.code, body.code...)
		}
		a.code = append(a.code, body.code...)
	}
	a.ret(c.other)
	return a.code
}

type assembler struct{ code []unix.SockFilter }

func (a *assembler) op(code uint16, k uint32, jt, jf uint8) {
	a.code = append(a.code, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
}
func (a *assembler) load(at uint32) { a.op(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at, 0, 0) }
func (a *assembler) ret(v uint32)   { a.op(unix.BPF_RET|unix.BPF_K, v, 0, 0) }
func (a *assembler) jump(how uint16, k uint32, jt, jf uint8) {
	a.op(unix.BPF_JMP|how|unix.BPF_K, k, jt, jf)
}

type span struct{ first, last uint32 }

// search allows what lies in one of the spans, which are in order: halves
// while there are many, one by one at the end.
func (a *assembler) search(spans []span) {
	if len(spans) > 4 {
		mid := len(spans) / 2
		left := &assembler{}
		left.search(spans[:mid])
		left.ret(refuse(unix.EPERM))
		a.jump(unix.BPF_JGE, spans[mid].first, 0, 1)
		a.op(unix.BPF_JMP|unix.BPF_JA, uint32(len(left.code)), 0, 0)
		a.code = append(a.code, left.code...)
		a.search(spans[mid:])
		return
	}
	for _, s := range spans {
		a.jump(unix.BPF_JGE, s.first, 0, 2)
		a.jump(unix.BPF_JGT, s.last, 1, 0)
		a.ret(allow)
	}
}

func (a *assembler) bytes() []byte {
	var b []byte
	for _, i := range a.code {
		b = binary.NativeEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}

func ranges(numbers []uint32) []span {
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	var out []span
	for _, n := range numbers {
		if k := len(out) - 1; k >= 0 && out[k].last+1 == n {
			out[k].last = n
			continue
		}
		out = append(out, span{n, n})
	}
	return out
}
