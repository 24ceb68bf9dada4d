package profile

import (
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR5_R8_NewVersionKeepsProtectingAtOnce(t *testing.T) {
	v1 := Version{Digest: contentOf("v1"), Image: "web:1", Since: noon}
	v2 := Version{Digest: contentOf("v2"), Image: "web:2", Since: noon.Add(time.Hour)}
	server := Entry{Kind: redoubt.EventExec, Source: Learned, Exec: &Exec{Path: "/bin/server", Digests: []redoubt.Digest{contentOf("server 1")}, Args: []string{"server"}}}
	shell := Entry{Kind: redoubt.EventExec, Source: Learned, Exec: &Exec{Path: "/bin/sh", Digests: []redoubt.Digest{contentOf("sh")}, Args: []string{"sh"}}}
	server.ID, shell.ID = server.Identify(), shell.Identify()
	console := Profile{Workload: "docker/web", State: Enforcing, Versions: []Version{v1}, Entries: []Entry{server, shell}}

	l := NewLearner(&console)
	helper := Entry{Kind: redoubt.EventExec, Exec: &Exec{Path: "/bin/helper", Digests: []redoubt.Digest{contentOf("helper")}, Args: []string{"helper"}}}
	lookup := func(path string) (redoubt.Digest, bool) {
		return map[string]redoubt.Digest{"/bin/server": contentOf("server 2"), "/bin/sh": contentOf("sh")}[path], path != "/bin/gone"
	}
	if !l.Version(v2, []Entry{helper}, lookup) || l.Version(v2, nil, lookup) {
		t.Fatal("a version is new once")
	}

	holds := func(p Profile, path, content string) bool {
		_, ok := Compile(&p).Match(&redoubt.Event{Kind: redoubt.EventExec, Process: &redoubt.Process{
			Path: path, Args: []string{path[len("/bin/"):]}, File: &redoubt.File{Digest: contentOf(content), Origin: redoubt.OriginImage}}})
		return ok
	}
	check := func(where string, p Profile) {
		t.Helper()
		for _, c := range []struct {
			path, content string
			want          bool
		}{
			{"/bin/server", "server 2", true}, {"/bin/server", "server 1", true}, {"/bin/sh", "sh", true}, {"/bin/helper", "helper", true},
			{"/bin/server", "attack", false}, {"/bin/sh", "attack", false}, {"/bin/nc", "nc", false},
		} {
			if got := holds(p, c.path, c.content); got != c.want {
				t.Errorf("%s: %s with content %q allowed %v, want %v", where, c.path, c.content, got, c.want)
			}
		}
	}
	check("on the node", l.Profile(noon))
	seen := console
	seen.Versions = []Version{v1, v2} // it runs somewhere, the console has heard no more of it
	l.Rebase(&seen)
	check("on the node, after the console saw it run", l.Profile(noon))
	d, ok := l.Take()
	if !ok || len(d.News) != 1 {
		t.Fatal("nothing to tell the console")
	}
	l.Rebase(&console) // an older revision, still on its way
	check("on the node, after an older revision", l.Profile(noon))
	Apply(&console, &d, noon)
	check("at the console", console)
	if console.State != Enforcing {
		t.Errorf("state is %s", console.State)
	}
	l.Rebase(&console)
	if _, again := l.Take(); again {
		t.Error("what the console has is told again")
	}
}
