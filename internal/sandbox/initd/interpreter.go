package main

import (
	"bytes"
	"encoding/binary"
	"io"

	"golang.org/x/sys/unix"
)

// interpreter names the file the kernel starts in place of the program at
// path: what a #! line says, the loader of an ELF file. Empty for none.
func interpreter(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	return interpreterOf(file(fd))
}

// file reads a descriptor without the machinery of package os, which takes
// longer than the reading.
type file int

func (f file) ReadAt(b []byte, at int64) (int, error) { return unix.Pread(int(f), b, at) }

// interpreterOf reads a program of anybody's making: whatever does not fit is
// no interpreter.
func interpreterOf(f io.ReaderAt) string {
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if words := bytes.Fields(line); len(words) > 0 {
			return string(words[0])
		}
		return ""
	}
	return loader(f, head)
}

const (
	loaderSegment = 3 // PT_INTERP
	segmentSize   = 56
	maxSegments   = 128
	maxPath       = 4096
)

// loader finds PT_INTERP in a 64-bit little-endian ELF file, the only kind
// the filter lets run.
func loader(f io.ReaderAt, head []byte) string {
	if len(head) < 64 || !bytes.HasPrefix(head, []byte("\x7fELF\x02\x01")) {
		return ""
	}
	le := binary.LittleEndian
	off, count := le.Uint64(head[32:]), le.Uint16(head[56:])
	if le.Uint16(head[54:]) != segmentSize || count > maxSegments || off > 1<<40 {
		return ""
	}
	table := make([]byte, int(count)*segmentSize)
	if _, err := f.ReadAt(table, int64(off)); err != nil && err != io.EOF {
		return ""
	}
	for ; len(table) > 0; table = table[segmentSize:] {
		at, size := le.Uint64(table[8:]), le.Uint64(table[32:])
		if le.Uint32(table) != loaderSegment || size == 0 || size > maxPath || at > 1<<40 {
			continue
		}
		name := make([]byte, size)
		if _, err := f.ReadAt(name, int64(at)); err != nil && err != io.EOF {
			return ""
		}
		name, _, _ = bytes.Cut(name, []byte{0})
		return string(name)
	}
	return ""
}
