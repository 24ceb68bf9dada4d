package profile

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR6_ExportAndImportAreInverse(t *testing.T) {
	l := learner()
	for _, ev := range life(1) {
		l.Observe(ev, true)
	}
	odd := ran(shim(), 5, "/bin/sh", "-c", "printf '%s: \"#\" - {}[]\\n' null ~ *<x>\x1b\t\nend")
	l.Observe(exec(time.Hour, odd), true)
	l.Observe(&redoubt.Event{Kind: redoubt.EventExit, Workload: redoubt.WorkloadRef{Digest: contentOf("i")}}, true)
	p := l.Profile(noon)
	p.Entries = append(p.Entries, Entry{Kind: redoubt.EventConnect, Source: Manual, Connect: &Connect{Proto: redoubt.UDP, Peer: "2001:db8::/32"}})
	p.Entries[len(p.Entries)-1].ID = p.Entries[len(p.Entries)-1].Identify()
	p.addVersion(Version{Digest: contentOf("image"), Image: "web:1", Since: noon})
	p.Measure(noon)
	text, err := Export(&p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Import(text, noon)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	sortEntries(p.Entries)
	if diff := cmp.Diff(&p, got); diff != "" {
		t.Errorf("changed on the way:\n%s", diff)
	}
	again, _ := Export(got)
	if !bytes.Equal(text, again) {
		t.Error("the second export differs from the first")
	}
}

func TestImportNamesTheLine(t *testing.T) {
	head := "apiVersion: redoubt/v1\nkind: Profile\nworkload: docker/web\nstate: observing\nentries:\n"
	for _, c := range []struct {
		name, text, says string
		kind             fault.Kind
	}{
		{"json", `{"apiVersion":"redoubt/v1","kind":"Profile","workload":"docker/web","state":"observing","entries":[{"listen":{"proto":"tcp","port":80}}]}`, "", 0},
		{"smallest", head + "- listen: {proto: tcp, port: 80}\n", "", 0},
		{"unknown field", head + "- exec:\n    pth: /x\n", "line 7: unknown field pth", fault.Invalid},
		{"bad port", head + "- listen: {proto: tcp, port: 99999}\n", "line 6", fault.Invalid},
		{"bad entry", head + "- listen: {proto: tcp, port: 80}\n- listen: {proto: icmp, port: 80}\n", "line 7: listen protocol", fault.Invalid},
		{"twice the same", head + "- listen: {proto: tcp, port: 80}\n- note: x\n  listen: {proto: tcp, port: 80}\n", "line 7: allows the same as line 6", fault.Invalid},
		{"syntax", head + "- listen: [\n", "line ", fault.Invalid},
		{"two documents", head + " []\n---\nx: y\n", "after the first", fault.Invalid},
		{"other kind", strings.Replace(head, "Profile", "Policy", 1) + " []\n", "apiVersion", fault.Invalid},
		{"other state", strings.Replace(head, "observing", "asleep", 1) + " []\n", "state", fault.Invalid},
		{"empty", "", "empty", fault.Invalid},
		{"too long", strings.Repeat("#", maxDocument+1), "at most", fault.Limited},
		{"alias bomb", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\nentries: [*d,*d,*d,*d,*d,*d]\n", "", fault.Invalid},
	} {
		_, err := Import([]byte(c.text), noon)
		if c.kind == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "profile.") {
			t.Errorf("%s: speaks Go: %v", c.name, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("apiVersion: redoubt/v1\nkind: Profile\nworkload: docker/web\nstate: observing\nhours: 3\nentries:\n- exec: {path: /x, args: [a, '*', '**']}\n  first: 2026-01-01T00:00:00Z\n- connect: {proto: udp, peer: 10.0.0.0/8, port: 53}\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Import(text, noon)
		if err != nil {
			return
		}
		once, err := Export(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Import(once, noon)
		if err != nil {
			t.Fatalf("own export refused: %v\n%s", err, once)
		}
		if twice, _ := Export(q); !bytes.Equal(once, twice) {
			t.Errorf("not stable:\n%s\n%s", once, twice)
		}
		Compile(p).Nearest(exec(0, ran(nil, 1, "/x", "a")))
	})
}
