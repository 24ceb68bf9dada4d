package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// elf is a file whose only segment names a loader.
func elf(name string, at, size uint64) []byte {
	b := make([]byte, 64+segmentSize)
	copy(b, "\x7fELF\x02\x01")
	le := binary.LittleEndian
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], segmentSize)
	le.PutUint16(b[56:], 1)
	le.PutUint32(b[64:], loaderSegment)
	le.PutUint64(b[64+8:], at)
	le.PutUint64(b[64+32:], size)
	return append(b, name...)
}

func TestInterpreterIsFound(t *testing.T) {
	const at = 64 + segmentSize
	for name, c := range map[string]struct {
		program string
		want    string
	}{
		"script":              {"#!/bin/sh -e\necho", "/bin/sh"},
		"script, spaces":      {"#! \t/usr/bin/env python3\n", "/usr/bin/env"},
		"script without name": {"#!\n", ""},
		"text":                {"echo", ""},
		"empty":               {"", ""},
		"elf":                 {string(elf("/lib/ld.so\x00", at, 11)), "/lib/ld.so"},
		"elf cut short":       {string(elf("", at, 11)), ""},
		"elf name of nobody":  {string(elf("/lib/ld.so", at, 1<<50)), ""},
		"elf far away":        {string(elf("/lib/ld.so", 1<<63, 8)), ""},
		"elf head only":       {"\x7fELF\x02\x01", ""},
	} {
		if got := interpreterOf(strings.NewReader(c.program)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if _, err := os.Stat("/usr/bin/true"); err == nil && !strings.HasPrefix(interpreter("/usr/bin/true"), "/lib") {
		t.Errorf("/usr/bin/true is loaded by %q", interpreter("/usr/bin/true"))
	}
}

func FuzzInterpreter(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"))
	f.Add(elf("/lib/ld.so\x00", 64+segmentSize, 11))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := interpreterOf(bytes.NewReader(b)); len(got) > maxPath {
			t.Errorf("%d bytes of name", len(got))
		}
	})
}
