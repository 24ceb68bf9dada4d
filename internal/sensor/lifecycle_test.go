package sensor

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestLossIsCounted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to load kernel programs")
	}
	s, err := Open(Config{RingBytes: 4096 * 4, Alike: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetMode(0, Mode{Allow, Allow, Allow}); err != nil {
		t.Fatal(err)
	}
	w := &watch{Sensor: s, t: t}
	g := newGroup(t, w, 30)
	p := program(t, "p", codeExit)
	const n = 60
	for range n {
		if err := g.command(p).Run(); err != nil {
			t.Fatal(err)
		}
	}
	// Nobody has read so far; now somebody does.
	before := s.Stats()
	if before.Lost == 0 {
		t.Fatal("16 KiB held 60 sightings")
	}
	seen := 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	s.Run(ctx, func(g *Sighting) { seen++ })
	after := s.Stats()
	if uint64(seen) != after.Events || after.Events+after.Lost < n {
		t.Errorf("%d execs: %d seen, %+v", n, seen, after)
	}
}

func TestX21_CloseLeavesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to load kernel programs")
	}
	ours := func() (names []string) {
		for id := ebpf.ProgramID(0); ; {
			next, err := ebpf.ProgramGetNextID(id)
			if err != nil {
				break
			}
			id = next
			p, err := ebpf.NewProgramFromID(id)
			if err != nil {
				continue
			}
			info, err := p.Info()
			p.Close()
			if err != nil {
				continue
			}
			for _, h := range hooks {
				if h.prog == info.Name || info.Name == bpfProgDropIn || info.Name == bpfProgDropOut {
					names = append(names, info.Name)
					break
				}
			}
		}
		it := new(link.Iterator)
		defer it.Close()
		for it.Next() {
			names = append(names, "link")
		}
		return names
	}
	before := len(ours())
	s, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{Sensor: s, t: t}
	g := newGroup(t, w, 0)
	if err := s.Isolate(g.path); err != nil {
		t.Fatal(err)
	}
	if now := len(ours()); now <= before {
		t.Fatalf("open sensor shows nothing of itself: %d, was %d", now, before)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The kernel frees programs after a grace period.
	for range 200 {
		if len(ours()) <= before {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if left := ours(); len(left) > before {
		t.Errorf("left behind: %q", left)
	}
	if err := s.SetExec(1, ExecKey{File: redoubt.FileKey{Ino: 1}}, Deny); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a closed sensor takes rules: %v", err)
	}
}

func TestX8_MissingHooksAreGapsNotErrors(t *testing.T) {
	w := open(t, Config{Without: func(h string) bool { return true }}) // exec stays: without it there is no sensor
	c := w.Coverage()
	if !slices.Equal(c.Sensing, []string{"tp_btf/sched_process_exec"}) || len(w.Gaps()) != len(hooks)-1 {
		t.Errorf("sensing %q, gaps %q", c.Sensing, w.Gaps())
	}
	if slices.Contains(c.Connect, redoubt.BackendConnect) || slices.Contains(c.Exec, redoubt.BackendLSM) {
		t.Errorf("claims to enforce without hooks: %+v", c)
	}
	g := newGroup(t, w, 31)
	if err := g.command(program(t, "p", codeExit)).Run(); err != nil {
		t.Fatal(err)
	}
	w.wait(1, g.here(redoubt.EventExec))
}

func TestThisKernelManagesAllButLSM(t *testing.T) {
	w := open(t, Config{})
	for _, h := range hooks {
		if h.prog != bpfProgExecAsked && w.root != "" && !slices.Contains(w.Coverage().Sensing, h.name) {
			t.Errorf("%s is missing: %q", h.name, w.Gaps())
		}
	}
	lsms, err := os.ReadFile("/sys/kernel/security/lsm")
	if err == nil && slices.Contains(strings.Split(strings.TrimSpace(string(lsms)), ","), "bpf") && !slices.Contains(w.Coverage().Exec, redoubt.BackendLSM) {
		t.Errorf("BPF LSM runs here but is not used: %q", w.Gaps())
	}
	g := newGroup(t, w, 0)
	deadline := time.Now().Add(5 * time.Second)
	for w.Stats().KernelNS == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the kernel times its programs since 5.8, yet says 0")
		}
		if err := g.command("/bin/true").Run(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsRefuse(t *testing.T) {
	w := open(t, Config{})
	for name, err := range map[string]error{
		"slot":      w.SetMode(MaxSlots, Mode{}),
		"bind slot": w.Assign(1, MaxSlots),
	} {
		if !fault.Is(err, fault.Limited) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no file":    w.SetExec(1, ExecKey{}, Allow),
		"no key":     w.Replace(1, Mode{}, []Rule{{}}),
		"no proto":   w.SetListen(1, redoubt.Port{Port: 1}, Allow),
		"long name":  w.AssignName(strings.Repeat("x", 128), 1),
		"empty name": w.AssignName("", 1),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A set that does not fit leaves the old one in force.
	keep := ExecKey{File: redoubt.FileKey{Dev: 9, Ino: 9}}
	if err := w.Replace(40, Mode{Exec: Deny}, []Rule{{Exec: &keep, Action: Allow}}); err != nil {
		t.Fatal(err)
	}
	many := make([]Rule, MaxRules+1)
	for i := range many {
		many[i] = Rule{Exec: &ExecKey{File: redoubt.FileKey{Dev: 1, Ino: uint64(i + 1)}}, Action: Allow}
	}
	if err := w.Replace(40, Mode{}, many); !fault.Is(err, fault.Limited) {
		t.Fatalf("%d rules: %v", len(many), err)
	}
	var v ruleValue
	if err := w.maps[bpfMapExecRules].Lookup(execKey{Slot: 40, Gen: w.rules.sets[40].gen, File: keep.File}, &v); err != nil {
		t.Errorf("the old rule is gone: %v", err)
	}
	if w.rules.total != 1 {
		t.Errorf("%d rules are counted, 1 is there", w.rules.total)
	}
	if err := w.Replace(40, Mode{}, many[:1000]); err != nil {
		t.Errorf("after a refusal nothing fits: %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to load kernel programs")
	}
	s, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, func(*Sighting) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

func TestReferenceListsEveryHook(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/sensor-hooks.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the docs are not beside this test")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		if !bytes.Contains(page, []byte("`"+h.name+"`")) {
			t.Errorf("docs/reference/sensor-hooks.md does not list %s", h.name)
		}
	}
}
