package sensor

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Programs of a few instructions, so that a test needs no compiler and the
// first instruction is the first instruction.
var (
	codeExit   = []byte{0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05} // exit(0)
	codeCreate = append([]byte{
		0x48, 0x8b, 0x7c, 0x24, 0x10, // rdi = argv[1]
		0xbe, 0xa4, 0x01, 0, 0, // esi = 0644
		0xb8, 85, 0, 0, 0, 0x0f, 0x05, // creat
	}, codeExit...)
	codePause = []byte{0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7} // pause() for ever
)

// tinyELF wraps code into a static program for x86-64. salt makes two of the
// same code differ.
func tinyELF(t testing.TB, code []byte, salt string) []byte {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the test's programs are made of x86-64 instructions")
	}
	const base, start = 0x400000, 64 + 56
	var b bytes.Buffer
	put := func(v ...any) {
		for _, v := range v {
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	size := uint64(start + len(code) + len(salt))
	put([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9), uint16(2), uint16(62), uint32(1))
	put(uint64(base+start), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(1), uint16(64), uint16(0), uint16(0))
	put(uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(4096))
	b.Write(code)
	b.WriteString(salt)
	return b.Bytes()
}

// program writes a tiny program into a directory of its own.
func program(t testing.TB, name string, code []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, tinyELF(t, code, path), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
