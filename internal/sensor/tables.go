package sensor

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Keys and values of the kernel's tables, as in bpf/shapes.h.
type (
	execKey struct {
		Slot, Gen    uint32
		File, Parent redoubt.FileKey
		Args         uint64
	}
	flowKey struct {
		Bits, Slot, Gen uint32
		Port            uint16
		Proto, Pad      uint8
		Addr            [16]byte
	}
	portKey struct {
		Slot, Gen  uint32
		Port       uint16
		Proto, Pad uint8
	}
	ruleValue struct {
		Index        uint32
		Action, Bits uint8
		Pad          uint16
		Serial       uint64
	}
)

// mark is an action that only says that a file has rules by arguments.
const mark = 7

func (r *rules) write(slot Slot, gen uint32, k ruleKey, f *ref, a Action) error {
	v := ruleValue{Index: f.index, Action: uint8(a), Serial: f.serial}
	var err error
	switch k.kind {
	case ruleExec:
		key := execKey{uint32(slot), gen, k.exec.File, k.exec.Parent, k.exec.Args}
		err = r.maps[bpfMapExecRules].Put(key, v)
		if err == nil && k.exec.Args != 0 {
			err = r.maps[bpfMapExecRules].Put(execKey{Slot: uint32(slot), Gen: gen, File: k.exec.File, Args: ^uint64(0)}, ruleValue{Action: mark})
		}
	case ruleConnect:
		proto, _ := protoNumber(k.connect.Proto)
		v.Bits = k.connect.Bits
		if a == Hold {
			v.Action = uint8(Report)
		}
		key := flowKey{Bits: 96 + uint32(k.connect.Bits), Slot: uint32(slot), Gen: gen, Port: k.connect.Port, Proto: proto, Addr: k.connect.Addr}
		err = r.maps[bpfMapFlowRules].Put(key, v)
	case ruleListen:
		proto, _ := protoNumber(k.listen.Proto)
		if a == Hold {
			v.Action = uint8(Report)
		}
		err = r.maps[bpfMapPortRules].Put(portKey{Slot: uint32(slot), Gen: gen, Port: k.listen.Port, Proto: proto}, v)
	}
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOSPC) {
		return fault.New(fault.Limited, "write kernel rule: table full: %w", err)
	}
	if err != nil {
		return fmt.Errorf("write kernel rule: %w", err)
	}
	return nil
}

// erase deletes one rule. What is not there needs no deleting.
func (r *rules) erase(slot Slot, gen uint32, k ruleKey) {
	switch k.kind {
	case ruleExec:
		_ = r.maps[bpfMapExecRules].Delete(execKey{uint32(slot), gen, k.exec.File, k.exec.Parent, k.exec.Args})
		if k.exec.Args != 0 {
			_ = r.maps[bpfMapExecRules].Delete(execKey{Slot: uint32(slot), Gen: gen, File: k.exec.File, Args: ^uint64(0)})
		}
	case ruleConnect:
		proto, _ := protoNumber(k.connect.Proto)
		_ = r.maps[bpfMapFlowRules].Delete(flowKey{Bits: 96 + uint32(k.connect.Bits), Slot: uint32(slot), Gen: gen, Port: k.connect.Port, Proto: proto, Addr: k.connect.Addr})
	case ruleListen:
		proto, _ := protoNumber(k.listen.Proto)
		_ = r.maps[bpfMapPortRules].Delete(portKey{Slot: uint32(slot), Gen: gen, Port: k.listen.Port, Proto: proto})
	}
}

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL: it waits for an RCU grace period.
const membarrierGlobal = 1

// quiesce waits until every kernel program that runs now has ended.
func quiesce() {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		time.Sleep(20 * time.Millisecond)
	}
}

// mapped is a kernel array seen as memory.
type mapped[T any] struct {
	raw []byte
	at  []T
}

func mapMemory[T any](m *ebpf.Map) (*mapped[T], error) {
	var t T
	size := int(unsafe.Sizeof(t)) * int(m.MaxEntries())
	page := unix.Getpagesize()
	raw, err := unix.Mmap(m.FD(), 0, (size+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map kernel table into memory: %w", err)
	}
	return &mapped[T]{raw, unsafe.Slice((*T)(unsafe.Pointer(&raw[0])), m.MaxEntries())}, nil
}

func (m *mapped[T]) close() error {
	if m == nil {
		return nil
	}
	return unix.Munmap(m.raw)
}
