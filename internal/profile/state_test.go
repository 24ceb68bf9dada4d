package profile

import (
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR6_StatesMoveOnlyAsAllowed(t *testing.T) {
	nginx := exec(0, ran(shim(), 1, "/usr/sbin/nginx"))
	for _, c := range []struct {
		from, to State
		kind     fault.Kind // Internal stands for no error
		says     string
	}{
		{Learning, Observing, fault.Internal, ""},
		{Learning, Enforcing, fault.Conflict, "observing first"},
		{Observing, Enforcing, fault.Internal, ""},
		{Enforcing, Observing, fault.Internal, ""},
		{Enforcing, Learning, fault.Internal, ""},
		{Observing, Learning, fault.Internal, ""},
		{Enforcing, Archived, fault.Internal, ""},
		{Archived, Enforcing, fault.Conflict, "observing first"},
		{Archived, Learning, fault.Internal, ""},
		{Observing, Observing, fault.Internal, ""},
		{Observing, "sleeping", fault.Invalid, "use learning"},
	} {
		p := allowing(t, nginx)
		p.State = c.from
		err := SetState(p, c.to, noon.Add(time.Hour))
		if c.says == "" {
			if err != nil || p.State != c.to || len(p.Entries) != 1 {
				t.Errorf("%s to %s: %v, state %s, %d entries", c.from, c.to, err, p.State, len(p.Entries))
			}
			continue
		}
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || p.State != c.from || p.Since != noon {
			t.Errorf("%s to %s: %v, state %s", c.from, c.to, err, p.State)
		}
	}
	if err := SetState(&Profile{State: Observing}, Enforcing, noon); !fault.Is(err, fault.Conflict) {
		t.Errorf("enforcing an empty profile: %v", err)
	}
}

func TestR6_RelearnAddsAndObservingDoesNot(t *testing.T) {
	p := allowing(t, exec(0, ran(shim(), 1, "/usr/sbin/nginx")))
	more := allowing(t, exec(0, ran(shim(), 2, "/usr/bin/convert")))
	if added, refused := Apply(p, &Delta{Entries: more.Entries}, noon); added != 0 || refused != 1 || len(p.Entries) != 1 {
		t.Errorf("observing: added %d, refused %d", added, refused)
	}
	swapped := p.Entries[0].clone()
	swapped.Exec.Digests = []redoubt.Digest{contentOf("evil")}
	Apply(p, &Delta{Entries: []Entry{swapped}}, noon)
	if len(p.Entries[0].Exec.Digests) != 1 {
		t.Error("observing: other content was admitted")
	}
	if err := SetState(p, Learning, noon); err != nil {
		t.Fatal(err)
	}
	if added, _ := Apply(p, &Delta{Entries: more.Entries}, noon); added != 1 || len(p.Entries) != 2 {
		t.Errorf("relearning: %d entries", len(p.Entries))
	}
}

func TestR6_EditByHandIsAllOrNothing(t *testing.T) {
	p := allowing(t, exec(0, ran(shim(), 1, "/usr/sbin/nginx")))
	old := p.Entries[0].ID
	good := Entry{Kind: redoubt.EventListen, Listen: &Listen{Proto: redoubt.TCP, Port: 8080}}
	for _, c := range []struct {
		name   string
		add    []Entry
		remove []string
		kind   fault.Kind
	}{
		{"no part", []Entry{good, {Kind: redoubt.EventExec}}, []string{old}, fault.Invalid},
		{"two parts", []Entry{{Kind: redoubt.EventExec, Exec: &Exec{Path: "/x"}, Listen: &Listen{Proto: redoubt.TCP}}}, nil, fault.Invalid},
		{"bad digest", []Entry{{Kind: redoubt.EventExec, Exec: &Exec{Path: "/x", Digests: []redoubt.Digest{"sha256:12"}}}}, nil, fault.Invalid},
		{"bad peer", []Entry{{Kind: redoubt.EventConnect, Connect: &Connect{Proto: redoubt.TCP, Peer: "10.0.0.1/99"}}}, nil, fault.Invalid},
		{"empty shape", []Entry{{Kind: redoubt.EventExec, Exec: &Exec{Path: "/x", Args: []string{}}}}, nil, fault.Invalid},
		{"unknown id", []Entry{good}, []string{"nonsense"}, fault.NotFound},
		{"too many", make([]Entry, 0), nil, fault.Limited},
	} {
		q := *p
		if c.kind == fault.Limited {
			q.Entries = make([]Entry, MaxEntries)
			for i := range q.Entries {
				q.Entries[i] = Entry{Kind: redoubt.EventListen, Listen: &Listen{Proto: redoubt.TCP, Port: uint16(i + 10000)}}
			}
			c.add = []Entry{{Kind: redoubt.EventListen, Listen: &Listen{Proto: redoubt.TCP, Port: 80}}}
		}
		before := len(q.Entries)
		if err := Edit(&q, c.add, c.remove, noon); !fault.Is(err, c.kind) || len(q.Entries) != before {
			t.Errorf("%s: %v, %d entries", c.name, err, len(q.Entries))
		}
	}
	if err := Edit(p, []Entry{good}, []string{old}, noon); err != nil || len(p.Entries) != 1 || p.Entries[0].Source != Manual || p.Entries[0].ID == "" {
		t.Errorf("%v, %+v", err, p.Entries)
	}
}
