package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shop builds an image of nginx beside a server with a hole, both started by
// the entrypoint, as services with a helper are.
func shop(t *testing.T, tag string, flags ...string) string {
	t.Helper()
	base := needDocker(t)
	hook := "#!/bin/sh\n/usr/local/bin/probe serve 9000 &\n"
	files := map[string]string{"/usr/local/bin/probe": compile(t, "probe-"+tag, "probe.c", flags...)}
	if tag != "v1" {
		files["/usr/local/bin/warm-up"] = compile(t, "warm-up", "probe.c", "-DWARM")
		hook += "/usr/local/bin/warm-up nap 10\n"
	}
	file := filepath.Join(t.TempDir(), "20-probe.sh")
	if err := os.WriteFile(file, []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	files["/docker-entrypoint.d/20-probe.sh"] = file
	return derived(t, base, "rdt-shop:"+tag, files)
}

func TestR6_R12_EnforcingProfileLetsTheServerBeAndNothingElse(t *testing.T) {
	one := shop(t, "v1")
	const workload = "docker/rdt-shop"
	b := up(t)
	b.find(10*time.Second, "nodes", nil, func(o *object) bool { return o.Engines[0].Error == "" })
	defer func() {
		if t.Failed() {
			t.Logf("alerts:\n%s", b.must("get", "alerts", "--workload", workload))
			t.Logf("profile:\n%s", b.must("profile", "export", workload))
			for _, o := range b.get("events", "--workload", workload, "--kind", "exec", "--limit", "30") {
				t.Logf("%s %s %v %s enforced=%s by %s: %s", o.ID, o.Process.Path, o.Process.Args, o.Verdict.Effect, o.Verdict.Enforced, o.Verdict.Rule, o.Note)
			}
			t.Log(tryDocker(t, "inspect", "-f", "{{json .State}}", "rdt-shop-a"))
		}
	}()
	container(t, "rdt-shop-a", one)
	at := func(name string) (web, hole string) {
		addr := addressOf(t, name)
		return addr, addr + ":9000"
	}
	works := func(name string) {
		t.Helper()
		web, hole := at(name)
		waitServed(t, web)
		waitAsked(t, hole, "list", "/etc")
	}
	works("rdt-shop-a")
	docker(t, "kill", "-s", "HUP", "rdt-shop-a")
	works("rdt-shop-a")
	docker(t, "restart", "-t", "1", "rdt-shop-a")
	works("rdt-shop-a")
	b.find(5*time.Second, "events", []string{"--workload", workload, "--kind", "exec"}, func(o *object) bool { return strings.HasSuffix(o.Process.Path, "/ls") })
	time.Sleep(2 * time.Second) // growth is told once a second
	b.must("profile", "observe", workload)
	works("rdt-shop-a")
	if got := b.get("alerts", "--workload", workload); len(got) > 0 {
		t.Fatalf("honest acts raised an alert: %s", got[0].Raw)
	}
	b.must("profile", "enforce", workload)
	time.Sleep(time.Second)

	honest := func(what string) {
		t.Helper()
		for _, a := range b.get("alerts", "--workload", workload) {
			t.Errorf("%s: alert %s", what, a.Raw)
		}
	}
	works("rdt-shop-a")
	docker(t, "kill", "-s", "HUP", "rdt-shop-a")
	works("rdt-shop-a")
	honest("after a reload")
	docker(t, "restart", "-t", "1", "rdt-shop-a")
	works("rdt-shop-a")
	honest("after a restart")
	container(t, "rdt-shop-b", one)
	works("rdt-shop-b")
	honest("after a second replica's start")

	attack := func(name string) {
		t.Helper()
		_, hole := at(name)
		if out := ask(t, hole, "id"); strings.Contains(out, "uid=") {
			t.Errorf("%s: a shell spawned by the server ran id: %s", name, out)
		}
		if out := ask(t, hole, "!run /usr/bin/id"); strings.Contains(out, "uid=") {
			t.Errorf("%s: the server ran id: %s", name, out)
		}
		if out := ask(t, hole, "!memory /usr/bin/id"); strings.Contains(out, "uid=") {
			t.Errorf("%s: id ran from memory: %s", name, out)
		}
		b.find(3*time.Second, "alerts", []string{"--workload", name}, func(o *object) bool {
			return o.Verdict.Effect == "prevent" && o.Verdict.Enforced != ""
		})
		works(name)
	}
	attack("rdt-shop-b")
	docker(t, "cp", compile(t, "shout", "shout.c"), "rdt-shop-b:/bin/ls")
	if _, hole := at("rdt-shop-b"); strings.Contains(ask(t, hole, "list"), "SHOUT") {
		t.Error("another content under an allowed path ran")
	}

	// A new version: the server changed, the entrypoint has a new helper.
	two := shop(t, "v2", "-DNEW")
	began := time.Now()
	container(t, "rdt-shop-c", two)
	works("rdt-shop-c")
	for _, a := range b.get("alerts", "--workload", "rdt-shop-c") {
		t.Errorf("the new version raised %s", a.Raw)
	}
	time.Sleep(time.Until(began.Add(5 * time.Second)))
	attack("rdt-shop-c")
	p := b.profile(workload)
	if p.State != "enforcing" {
		t.Errorf("the profile is %s after the new version", p.State)
	}
}
