package profile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/redoubt"
)

func learner() *Learner {
	return NewLearner(&Profile{Workload: web.ID, State: Learning, Since: noon})
}

// life is a container's: start, listen, requests of which every tenth starts a
// program of its own.
func life(seed int) []*redoubt.Event {
	w := web
	w.Container = fmt.Sprintf("%012d", seed)
	master := ran(shim(), 100, "/docker-entrypoint.sh", "nginx")
	nginx := ran(shim(), 100, "/usr/sbin/nginx", "-g", "daemon off;")
	events := []*redoubt.Event{exec(0, master), exec(time.Second, ran(master, 101, "/usr/bin/find", "/docker-entrypoint.d")),
		exec(2*time.Second, nginx), socket(3*time.Second, redoubt.EventListen, nginx, "0.0.0.0:80", "")}
	at := 2 * time.Minute
	for i := range 40 {
		at += 3 * time.Second
		events = append(events, socket(at, redoubt.EventAccept, nginx, "10.0.0.2:80", "10.0.0.9:5555"))
		if i%10 == 0 {
			job := ran(nginx, 1000+i, "/usr/bin/convert", "convert", fmt.Sprintf("file-%c", 'a'+(seed+i)%20))
			events = append(events, exec(at, job), exec(at, ran(job, 2000+i, "/usr/bin/gs", "gs")))
		}
	}
	for _, ev := range events {
		ev.Workload = w
	}
	return events
}

func TestUnitsAreIndependentObservations(t *testing.T) {
	l := learner()
	for _, ev := range life(1) {
		l.Observe(ev, true)
	}
	p := l.Profile(noon.Add(time.Hour))
	// one start, forty connections, four jobs
	if p.Units != 45 || p.Starts != 1 {
		t.Errorf("%d units, %d starts; want 45 and 1", p.Units, p.Starts)
	}
	for _, e := range p.Entries {
		switch {
		case e.Exec != nil && e.Exec.Path == "/usr/bin/gs" && (e.Units != 4 || e.Count != 4):
			t.Errorf("gs was part of %d units in %d sightings, want 4 and 4", e.Units, e.Count)
		case e.Exec != nil && e.Exec.Path == "/usr/sbin/nginx" && (e.Units != 1 || !strings.Contains(e.Unit, "start")):
			t.Errorf("nginx was part of %d units (%q), want the start", e.Units, e.Unit)
		}
	}
}

func TestBurstsCountOnce(t *testing.T) {
	l := learner()
	nginx := ran(shim(), 100, "/usr/sbin/nginx")
	for i := range 500 {
		l.Observe(socket(time.Hour+time.Duration(i)*10*time.Millisecond, redoubt.EventAccept, nginx, "10.0.0.2:80", "10.0.0.9:5555"), true)
	}
	if p := l.Profile(noon); p.Units != 5 || p.Entries[0].Count != 500 {
		t.Errorf("%d units for %d connections in five seconds", p.Units, p.Entries[0].Count)
	}
}

func TestLearnedOnceIsAllowedAndDeliveredOnce(t *testing.T) {
	l := learner()
	events := life(1)
	for _, ev := range events {
		if out := l.Observe(ev, true); out.Entry == "" {
			t.Errorf("%s not learned: %s", ev.Process.Path, out.Refused)
		}
	}
	console := &Profile{Workload: web.ID, State: Learning, Since: noon}
	d, ok := l.Take()
	if !ok {
		t.Fatal("nothing to deliver")
	}
	Apply(console, &d, noon)
	if _, ok := l.Take(); ok {
		t.Error("delivered twice")
	}
	if diff := cmp.Diff(l.Profile(noon), *console); diff != "" {
		t.Errorf("console and node differ (-node +console):\n%s", diff)
	}
	m := Compile(console)
	for _, ev := range events {
		if _, ok := m.Match(ev); !ok {
			t.Errorf("learned but not allowed: %s", m.Why(ev))
		}
	}
	l.Rebase(console)
	if out := l.Observe(events[2], true); out.New {
		t.Error("learned again after the console's revision came down")
	}
}

func TestR8_DeltasAddUpInAnyOrder(t *testing.T) {
	var deltas []Delta
	for node := range 4 {
		l := learner()
		for i, ev := range append(life(node), life(node+7)...) {
			l.Observe(ev, true)
			if i%17 == 16 {
				if d, ok := l.Take(); ok {
					deltas = append(deltas, d)
				}
			}
		}
		l.Tally(mustID(t, life(node)[3]), 100, 10, noon)
		d, _ := l.Take()
		d.Version = &Version{Digest: contentOf(fmt.Sprint(node)), Since: noon.Add(time.Duration(node) * time.Hour)}
		deltas = append(deltas, d)
	}
	apply := func(order []int) *Profile {
		p := &Profile{Workload: web.ID, State: Learning, Since: noon}
		for _, i := range order {
			Apply(p, &deltas[i], noon)
		}
		return p
	}
	r := rand.New(rand.NewPCG(1, 2))
	want := apply(r.Perm(len(deltas)))
	if want.Units == 0 || len(want.Entries) < 5 {
		t.Fatalf("nothing learned: %+v", want)
	}
	for range 30 {
		if diff := cmp.Diff(want, apply(r.Perm(len(deltas)))); diff != "" {
			t.Fatalf("order matters:\n%s", diff)
		}
	}
}

func mustID(t *testing.T, ev *redoubt.Event) string {
	t.Helper()
	e, err := EntryFor(ev)
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

func TestLearningWidensParametersButNeverCode(t *testing.T) {
	master := ran(shim(), 1, "/app/server")
	outcome := func(l *Learner, i int, args ...string) Outcome {
		return l.Observe(exec(time.Hour+time.Duration(i)*time.Minute, ran(master, 100+i, args...)), true)
	}
	t.Run("parameters", func(t *testing.T) {
		l := learner()
		for i, name := range []string{"anna", "bert", "cleo", "dora"} {
			outcome(l, i, "/usr/bin/mailer", "--to", name)
		}
		if out := outcome(l, 9, "/usr/bin/mailer", "--to", "emil"); out.New {
			t.Error("the fifth name was still new")
		}
		if out := outcome(l, 10, "/usr/bin/mailer", "--from", "emil"); !out.New {
			t.Error("another option was not new")
		}
		p := l.Profile(noon)
		if p.Novel != 1 {
			t.Errorf("%d novel units, want only the other option's", p.Novel)
		}
	})
	t.Run("code", func(t *testing.T) {
		l := learner()
		for i := range maxCodes {
			outcome(l, i, "/bin/sh", "-c", "run "+string(rune('a'+i%26))+string(rune('a'+i/26)))
		}
		if out := outcome(l, 99, "/bin/sh", "-c", "netstat"); out.Refused == "" {
			t.Errorf("one more command was learned: %+v", out)
		}
		p := l.Profile(noon)
		if _, ok := Compile(&p).Match(exec(0, ran(master, 5, "/bin/sh", "-c", "netstat"))); ok {
			t.Error("sh -c with any text is allowed")
		}
		if len(p.Entries) != maxCodes {
			t.Errorf("%d entries", len(p.Entries))
		}
	})
	t.Run("everything", func(t *testing.T) {
		l := learner()
		for i := range 400 {
			a, b := string(rune('a'+i%26)), string(rune('a'+i/26))
			if out := outcome(l, i, "/bin/cp", "-r", a+b+"x", b+a+"y"); out.Refused != "" {
				t.Fatal(out.Refused)
			}
		}
		if n := len(l.Profile(noon).Entries); n > maxShapes {
			t.Errorf("%d entries for one program under one parent", n)
		}
		p := l.Profile(noon)
		if _, ok := Compile(&p).Match(exec(0, ran(master, 5, "/bin/cp", "--remove-destination", "a", "b"))); ok {
			t.Error("another option is allowed too")
		}
	})
	t.Run("peers and ports", func(t *testing.T) {
		l := learner()
		for i := range 4 {
			l.Observe(socket(time.Hour, redoubt.EventConnect, master, "", fmt.Sprintf("203.0.113.%d:443", i)), true)
			l.Observe(socket(time.Hour, redoubt.EventListen, master, fmt.Sprintf("0.0.0.0:%d", 40000+i), ""), true)
		}
		if out := l.Observe(socket(time.Hour, redoubt.EventConnect, master, "", "203.0.113.200:443"), true); out.New {
			t.Error("fifth address of one network was new")
		}
		if out := l.Observe(socket(time.Hour, redoubt.EventConnect, master, "", "198.51.100.1:443"), true); !out.New {
			t.Error("address of another network was not new")
		}
		if out := l.Observe(socket(time.Hour, redoubt.EventListen, master, "0.0.0.0:55555", ""), true); out.New {
			t.Error("fifth ephemeral port was new")
		}
	})
}

func TestSomeThingsAreNeverLearned(t *testing.T) {
	l := learner()
	l.Observe(exec(0, ran(shim(), 10, "/usr/sbin/nginx")), true)
	changed := exec(time.Second, ran(shim(), 11, "/usr/sbin/nginx"))
	changed.Process.File = &redoubt.File{Digest: contentOf("evil"), Origin: redoubt.OriginWritten}
	if out := l.Observe(changed, true); out.Refused == "" {
		t.Error("content changed inside the container was learned")
	}
	unread := exec(time.Second, ran(shim(), 12, "/usr/bin/tool"))
	unread.Process.File = &redoubt.File{Error: "permission denied"}
	if out := l.Observe(unread, true); !strings.Contains(out.Refused, "permission denied") {
		t.Errorf("unreadable program: %+v", out)
	}
	if out := l.Observe(exec(time.Second, ran(shim(), 13, "/usr/bin/new")), false); out != (Outcome{}) {
		t.Errorf("learned although it was not to be: %+v", out)
	}
	next := exec(time.Second, ran(shim(), 14, "/usr/sbin/nginx"))
	next.Process.File = &redoubt.File{Digest: contentOf("nginx 2"), Origin: redoubt.OriginImage}
	if out := l.Observe(next, true); !out.New {
		t.Errorf("the next image's content: %+v", out)
	}
}

func TestKernelTalliesCount(t *testing.T) {
	l := learner()
	events := life(1)
	for _, ev := range events {
		l.Observe(ev, true)
	}
	before := l.Profile(noon)
	l.Tally(mustID(t, events[3]), 1000, 60, noon)              // the listening socket
	l.Tally(mustID(t, exec(0, events[1].Process)), 5, 5, noon) // a program of the start: begins nothing
	l.Tally("no such entry", 5, 5, noon)
	after := l.Profile(noon)
	if after.Units-before.Units != 60 {
		t.Errorf("%d units added, want 60", after.Units-before.Units)
	}
}

func TestAFullProfileSaysSo(t *testing.T) {
	p := &Profile{Workload: web.ID, State: Learning, Since: noon}
	for i := range MaxEntries {
		e := Entry{Kind: redoubt.EventExec, Source: Learned, Exec: &Exec{Path: fmt.Sprint("/bin/p", i), Digests: []redoubt.Digest{contentOf("x")}}}
		e.ID = e.Identify()
		p.Entries = append(p.Entries, e)
	}
	l := NewLearner(p)
	if out := l.Observe(exec(0, ran(nil, 3, "/bin/new")), true); !strings.Contains(out.Refused, "full") {
		t.Errorf("one more: %+v", out)
	}
	extra := allowing(t, exec(0, ran(nil, 3, "/bin/new")))
	if added, refused := Apply(p, &Delta{Units: 1, Entries: extra.Entries}, noon); added != 0 || refused != 1 {
		t.Errorf("added %d, refused %d", added, refused)
	}
	if !strings.Contains(strings.Join(p.Coverage.Missing, "\n"), "full") {
		t.Errorf("not said: %q", p.Coverage.Missing)
	}
}
