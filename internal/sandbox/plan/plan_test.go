package plan

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *Plan {
	return &Plan{
		Argv: []string{"/usr/bin/python3", "-c", ""}, Env: []string{"A=1"}, Dir: "/var/task", Hostname: "sandbox", ID: 993,
		Base: "/base", Links: []Pair{{"usr/bin", "/bin"}}, Binds: []Pair{{"usr", "/usr"}}, Mounts: []string{"/tmp/"},
		Covers: []Pair{{"etc/hosts", "/etc/hosts"}}, Places: []string{"/opt"}, Own: []string{"/tmp/a"},
		Masks: []string{"/proc/keys"}, Limits: []Limit{{7, 1024}},
		Rules:  Rules{ABI: 7, Write: []string{"/tmp"}, Devices: []string{"/dev/null"}, Exec: []string{"/usr/bin/python3"}, Net: true, Ports: []uint64{9001, 443}},
		Filter: []byte{1, 2, 3, 0}, Notify: true,
	}
}

func TestPlanComesBackAsWritten(t *testing.T) {
	for _, p := range []*Plan{sample(), {}} {
		got, err := Decode(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCutPlanIsRefused(t *testing.T) {
	whole := sample().Encode()
	for i := range whole {
		if _, err := Decode(whole[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a plan", i, len(whole))
		}
	}
	if _, err := Decode(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("a plan with a byte too many was taken")
	}
	if _, err := Decode(make([]byte, MaxSize+1)); err == nil {
		t.Error("an oversized plan was taken")
	}
}

func TestOrderAndReportComeBack(t *testing.T) {
	o := &Order{IDs: []Pair32{{0, 200000}, {993, 200001}}, Unified: true, Tasks: 4}
	if got, err := DecodeOrder(o.Encode()); err != nil || !cmp.Equal(o, got) {
		t.Errorf("%v: %s", err, cmp.Diff(o, got))
	}
	r := &Report{PID: 7, Ended: true, Status: 9, Failed: "no"}
	if got, err := DecodeReport(r.Encode()); err != nil || !cmp.Equal(r, got) {
		t.Errorf("%v: %s", err, cmp.Diff(r, got))
	}
	if _, err := DecodeReport([]byte{1}); err == nil {
		t.Error("a cut report was taken")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Add((&Plan{}).Encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Error(diff)
		}
	})
}
