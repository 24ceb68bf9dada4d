package sandbox

import (
	"bytes"
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// What is read of another process's memory, at most.
const (
	maxPathText = 4096
	maxArgs     = 64
	maxArgText  = 1024
	maxArgsText = 16 << 10
	pageSize    = 4096
)

// readArgs reads a list of arguments, as much of it as is kept.
func readArgs(pid int, at uint64) []string {
	var args []string
	for total := 0; len(args) < maxArgs && total < maxArgsText; at += 8 {
		var p [8]byte
		if at == 0 || peek(pid, at, p[:]) != len(p) {
			break
		}
		address := binary.NativeEndian.Uint64(p[:])
		if address == 0 {
			break
		}
		text, err := readText(pid, address, maxArgText)
		if err != nil {
			break
		}
		args = append(args, printable(text))
		total += len(text) + 1
	}
	return args
}

// readText reads a string up to its zero byte, or to limit.
func readText(pid int, at uint64, limit int) (string, error) {
	var out []byte
	for len(out) < limit {
		// No further than the page: the next may not be there.
		b := make([]byte, min(limit-len(out), pageSize-int(at%pageSize)))
		n := peek(pid, at, b)
		if n <= 0 {
			return "", unix.EFAULT
		}
		if end := bytes.IndexByte(b[:n], 0); end >= 0 {
			return string(append(out, b[:end]...)), nil
		}
		out, at = append(out, b[:n]...), at+uint64(n)
	}
	return string(out), nil
}

// printable makes a text fit for records and pages.
func printable(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func peek(pid int, at uint64, b []byte) int {
	local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
	remote := []unix.RemoteIovec{{Base: uintptr(at), Len: len(b)}}
	n, err := unix.ProcessVMReadv(pid, local, remote, 0)
	if err != nil {
		return -1
	}
	return n
}
