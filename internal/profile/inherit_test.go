package profile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/redoubt"
)

// The second version of an app is protected from its first second: what did
// not change is allowed, an attack is not, and only what changed is asked for.
func TestR8_ANewVersionIsProtectedAtOnce(t *testing.T) {
	server := ran(shim(), 1, "/app/server")
	helper := ran(server, 2, "/usr/bin/convert", "-resize", "10")
	old := ran(server, 3, "/app/migrate")
	p := allowing(t, exec(0, server), exec(0, helper), exec(0, old), socket(0, redoubt.EventListen, server, "0.0.0.0:80", ""))
	p.State = Enforcing
	image := map[string]redoubt.Digest{"/app/server": contentOf("server v2"), "/usr/bin/convert": contentOf("/usr/bin/convert"), "/bin/netstat": contentOf("/bin/netstat")}
	lookup := func(path string) (redoubt.Digest, bool) { d, ok := image[path]; return d, ok }
	v2 := Version{Digest: contentOf("image 2"), Image: "app:2", Since: noon.Add(time.Hour)}

	h := Inherit(p, v2, lookup, noon)
	want := Heritage{Version: v2, New: true, Kept: []string{"/usr/bin/convert"}, Changed: []Content{{"/app/server", contentOf("server v2")}}, Gone: []string{"/app/migrate"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	server2 := ran(shim(), 1, "/app/server")
	server2.File.Digest = contentOf("server v2")
	written := ran(shim(), 1, "/app/server")
	written.File = &redoubt.File{Digest: contentOf("evil"), Origin: redoubt.OriginWritten}
	allowed := func(ev *redoubt.Event) bool { _, ok := Compile(p).Match(ev); return ok }
	if allowed(exec(0, server2)) {
		t.Error("new content is allowed before anybody accepted it")
	}
	h.Accept(p, noon)
	for _, c := range []struct {
		name string
		ev   *redoubt.Event
		want bool
	}{
		{"new server", exec(0, server2), true},
		{"old server, still rolling out", exec(0, server), true},
		{"unchanged helper", exec(0, ran(server2, 2, "/usr/bin/convert", "-resize", "10")), true},
		{"unchanged helper, other arguments", exec(0, ran(server2, 2, "/usr/bin/convert", "-write", "x")), false},
		{"port", socket(0, redoubt.EventListen, server2, "0.0.0.0:80", ""), true},
		{"attack with a tool of the new image", exec(0, ran(server2, 9, "/bin/netstat")), false},
		{"attack under the server's name", exec(0, written), false},
	} {
		if allowed(c.ev) != c.want {
			t.Errorf("%s: allowed %v", c.name, !c.want)
		}
	}
	if again := Inherit(p, v2, lookup, noon); again.New || again.Changed != nil {
		t.Errorf("inherited twice: %+v", again)
	}
}
