package sensor

import (
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/redoubt"
)

// execRecord makes a record as the kernel would.
func execRecord(args, names, cwd, interp string, ancestors int) []byte {
	le := binary.LittleEndian
	b := make([]byte, execSize)
	le.PutUint32(b, kindExec)
	le.PutUint64(b[8:], 5e9)
	le.PutUint64(b[16:], 77)
	le.PutUint32(b[32:], 3)
	b[40] = 1
	b[44] = 1
	le.PutUint32(b[headSize:], 42)
	t := b[headSize+procSize:]
	le.PutUint32(t[32:], uint32(len(args)))
	for i, p := range []string{args, names, cwd, interp} {
		le.PutUint16(t[36+2*i:], uint16(len(p)))
		b = append(b, p...)
		b = append(b, make([]byte, (8-len(p)%8)%8)...)
		t = b[headSize+procSize:]
	}
	le.PutUint32(t[44:], uint32(ancestors))
	b = append(b, make([]byte, ancestors*ancestorSize)...)
	le.PutUint32(b[4:], uint32(len(b)))
	return b
}

func TestDecodeExec(t *testing.T) {
	boot := time.Unix(1000, 0)
	got, _, err := decode(execRecord("sh\x00-c\x00\x00", "prog\x00bin\x00", "", "", 1), boot)
	if err != nil {
		t.Fatal(err)
	}
	want := &Sighting{
		Kind: redoubt.EventExec, Time: boot.Add(5 * time.Second), Cgroup: 77, Path: "/bin/prog", PID: 42,
		Ancestors: []Ancestor{{}}, Cwd: "/", Args: []string{"sh", "-c", ""}, Origin: redoubt.OriginWritten,
		Denied: redoubt.BackendKill, Count: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	whole := execRecord("a\x00", "p\x00", "", "", 2)
	for n := range len(whole) {
		if _, _, err := decode(whole[:n], time.Time{}); err == nil {
			t.Fatalf("%d of %d bytes are taken for a record", n, len(whole))
		}
	}
	for name, damage := range map[string]func([]byte){
		"kind":      func(b []byte) { b[0] = 200 },
		"backend":   func(b []byte) { b[40] = 200 },
		"origin":    func(b []byte) { b[44] = 200 },
		"args":      func(b []byte) { b[headSize+procSize+37] = 200 },
		"ancestors": func(b []byte) { b[headSize+procSize+44] = 200 },
	} {
		b := append([]byte(nil), whole...)
		damage(b)
		if _, _, err := decode(b, time.Time{}); err == nil {
			t.Errorf("damaged %s is taken", name)
		}
	}
}

func TestDecodeExitCodes(t *testing.T) {
	for code, want := range map[uint32]int{0: 0, 7 << 8: 7, 9: 137, 11 | 0x80: 139} {
		b := make([]byte, exitSize)
		b[0], b[4] = kindExit, exitSize
		binary.LittleEndian.PutUint32(b[headSize+12:], code)
		s, _, err := decode(b, time.Time{})
		if err != nil || s.Exit != want {
			t.Errorf("code %#x: %d, %v; want %d", code, s.Exit, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(execRecord("sh\x00-c\x00x", "prog\x00bin\x00", "tmp\x00", "/bin/sh\x00", 2))
	for _, kind := range []byte{kindExit, kindListen, kindConnect, kindAccept, kindBorn, kindGone} {
		b := make([]byte, netSize+64)
		b[0], b[4] = kind, byte(len(b))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := decode(b, time.Unix(0, 0))
		if err != nil {
			return
		}
		if s == nil || s.Kind == "" || s.Count < 1 {
			t.Fatalf("no error and %+v", s)
		}
		if n := len(s.Path) + len(s.Cwd) + len(strings.Join(s.Args, " ")) + len(s.Interpreter); n > 2*len(b)+8 {
			t.Fatalf("%d bytes of text out of %d", n, len(b))
		}
	})
}

func TestLoaderNames(t *testing.T) {
	for p, want := range map[string]bool{
		"/lib64/ld-linux-x86-64.so.2": true, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": true,
		"/lib/ld-musl-x86_64.so.1": true, "/lib/ld-2.31.so": true, "/usr/bin/ld": false, "/usr/bin/ld.bfd": false, "/bin/sh": false,
	} {
		if isLoader(p) != want {
			t.Errorf("%s: %v", p, !want)
		}
	}
}

// The reference vector of the SipHash paper, over whole words.
func TestSipHash(t *testing.T) {
	h := newSip(0x0706050403020100, 0x0f0e0d0c0b0a0908)
	h.word(0x0706050403020100)
	h.word(0x0f0e0d0c0b0a0908&^(0xff<<56) | 15<<56)
	if got := h.end(); got != 0xa129ca6149be45e5 {
		t.Errorf("hash %x", got)
	}
}

// The limits and numbers written down on both sides are the same.
func TestShapesAgree(t *testing.T) {
	b, err := os.ReadFile("bpf/shapes.h")
	if err != nil {
		t.Skip("the kernel side's source is not beside this test")
	}
	for name, want := range map[string]int{
		"SLOTS": MaxSlots, "RULES": MaxRules, "CGROUPS": MaxCgroups, "ARGS_KEPT": ArgsKept, "ANCESTORS": ancestorsMax, "MARK": mark,
	} {
		m := regexp.MustCompile(`#define ` + name + ` (\d+)`).FindSubmatch(b)
		if m == nil {
			t.Errorf("shapes.h does not define %s", name)
		} else if got, _ := strconv.Atoi(string(m[1])); got != want {
			t.Errorf("%s is %d in the kernel, %d here", name, got, want)
		}
	}
	for name, want := range map[string]int{
		"F_INIT": flagInit, "F_ENTERED": flagEntered, "F_RUNTIME": flagRuntime, "F_SCRIPT": flagScript, "F_CUT": flagCut,
		"F_SHADOWS": flagShadows, "F_BLIND": flagBlind, "F_HELD": flagHeld, "F_UNREAD": flagUnread, "F_LAST": flagLast, "F_NAMED": flagNamed,
	} {
		if !regexp.MustCompile(name + ` = ` + strconv.Itoa(want) + `\b`).Match(b) {
			t.Errorf("%s is not %d in the kernel", name, want)
		}
	}
}
