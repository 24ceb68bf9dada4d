package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestR9_PolicyWithAnErrorInLineSevenChangesNothing(t *testing.T) {
	needHost(t)
	b := up(t, "--docker-host", "unix:///nonexistent.sock")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := strings.ReplaceAll(denyNetstat, "no-recon", "good")
	bad := strings.Replace(denyNetstat, "name: deny-netstat", "nome: deny-netstat", 1)
	if line := strings.Split(bad, "\n")[6]; !strings.Contains(line, "nome") {
		t.Fatalf("line 7 is %q", line)
	}
	write("a-good.yaml", good)
	file := write("b-bad.yaml", bad)
	for _, args := range [][]string{{"apply", "-f", file}, {"apply", "-f", dir}, {"apply", "-f", dir, "--dry-run"}} {
		out, code := b.cli(args...)
		if code != 2 || !strings.Contains(out, "b-bad.yaml:7") || !strings.Contains(out, "nome") || !strings.Contains(out, "nothing was applied") {
			t.Errorf("%v: exit %d, it says:\n%s", args, code, out)
		}
	}
	if got := b.get("policies"); len(got) != 0 {
		t.Errorf("something was applied: %s", got[0].Raw)
	}
	b.must("apply", "-f", filepath.Join(dir, "a-good.yaml"))
	if got := b.get("policies"); len(got) != 1 {
		t.Errorf("%d policies, want the good one", len(got))
	}
}

func TestA7_SetupLinkWorksOnceAndWrongTokensNever(t *testing.T) {
	needHost(t)
	b := up(t, "--docker-host", "unix:///nonexistent.sock")
	link := b.setupLink()
	post := func(path, body string) string {
		out, err := exec.Command("curl", "-sS", "--cacert", filepath.Join(b.state, "ca.crt"), "-X", "POST", "-H", "Content-Type: application/json",
			"-w", "\n%{http_code}", "-d", body, b.url+"/api/v1/"+path).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v: %s", err, out)
		}
		return string(out)
	}
	setup := func(token, name string) string {
		return post("setup", fmt.Sprintf(`{"token":%q,"name":%q,"password":"a long enough passphrase"}`, token, name))
	}
	if out := setup("guessed", "eve"); !strings.HasSuffix(out, "\n401") {
		t.Errorf("a guessed link: %s", out)
	}
	if out := setup(link, "ann"); !strings.HasSuffix(out, "\n200") {
		t.Fatalf("the set-up link: %s", out)
	}
	if out := setup(link, "bob"); strings.HasSuffix(out, "\n200") {
		t.Errorf("the set-up link works twice: %s", out)
	}
	if out := post("session", `{"name":"ann","password":"a long enough passphrase"}`); !strings.HasSuffix(out, "\n200") {
		t.Errorf("the first administrator cannot log in: %s", out)
	}
	if out := post("session", `{"name":"bob","password":"a long enough passphrase"}`); !strings.HasSuffix(out, "\n401") {
		t.Errorf("bob can log in: %s", out)
	}
	for _, c := range []struct{ url, token, ca, says string }{
		{b.url, "rdt_wrong", "ca.crt", "token"},
		{b.url, "", "ca.crt", "token"},
		{"https://" + freePort(t, "127.0.0.1"), "x", "ca.crt", "connection refused"},
		{b.url, "x", "", "certificate"},
		{b.url, "x", "nowhere.crt", "nowhere.crt"},
	} {
		cmd := exec.Command(build(t), "get", "alerts")
		cmd.Env = []string{"HOME=" + t.TempDir(), "REDOUBT_URL=" + c.url, "REDOUBT_TOKEN=" + c.token}
		if c.ca != "" {
			cmd.Env = append(cmd.Env, "REDOUBT_CACERT="+filepath.Join(b.state, c.ca))
		}
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), c.says) || strings.Count(strings.TrimSpace(string(out)), "\n") > 2 {
			t.Errorf("%+v: exit %d: %s", c, code, out)
		}
	}
	b.stop()
	b.start()
	if strings.Contains(b.log.String(), "setup?token") {
		t.Error("a console with an administrator prints a set-up link again")
	}
}

func TestX4_WithoutAnEngineTheHostIsWatchedAndTheGapIsTold(t *testing.T) {
	needHost(t)
	b := up(t, "--docker-host", "unix:///nonexistent.sock")
	b.find(10*time.Second, "nodes", nil, func(o *object) bool {
		return slices.ContainsFunc(o.Gaps, func(gap string) bool {
			return strings.Contains(gap, "containers of docker are not seen") && strings.Contains(gap, "/nonexistent.sock")
		})
	})
	marker := fmt.Sprintf("host-%d", time.Now().UnixNano())
	if err := exec.Command("/bin/true", marker).Run(); err != nil {
		t.Fatal(err)
	}
	e := b.find(5*time.Second, "events", []string{"--kind", "exec", "-q", marker}, func(o *object) bool { return true })
	if e.Workload.Kind != "host" && e.Workload.Kind != "service" {
		t.Errorf("a program of the host is told as %+v", e.Workload)
	}
}

func TestR10_D16_PolicyIsInForceWithinASecondAndAllowIsAllItTakes(t *testing.T) {
	image := needDocker(t)
	id := container(t, "rdt-quick", image)
	waitServed(t, addressOf(t, "rdt-quick"))
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Container == id })
	began := docker(t, "inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "rdt-quick")
	since := time.Now()

	file := policyFile(t, strings.ReplaceAll(denyNetstat, "rdt-prevent", "rdt-quick"))
	worst := time.Duration(0)
	for range 3 {
		b.must("apply", "-f", file)
		worst = max(worst, untilRuns(t, false))
		b.must("delete", "policy", "no-recon")
		worst = max(worst, untilRuns(t, true))
	}
	t.Logf("in force after at most %v", worst.Round(time.Millisecond))
	if worst > time.Second {
		t.Errorf("a policy took %v to be in force", worst)
	}

	// What somebody does by hand alerts; allowed once, it never does again.
	docker(t, "exec", "rdt-quick", "ps", "-e")
	is := func(o *object) bool { return o.Process != nil && strings.HasSuffix(o.Process.Path, "/ps") }
	a := b.find(2*time.Second, "alerts", []string{"--workload", "rdt-quick"}, is)
	if out := b.must("why", a.ID, "--allow"); !strings.Contains(out, "done") {
		t.Errorf("why --allow says %s", out)
	}
	time.Sleep(time.Second)
	docker(t, "exec", "rdt-quick", "ps", "-e")
	b.find(2*time.Second, "events", []string{"--workload", "rdt-quick", "--kind", "exec"}, func(o *object) bool {
		return is(o) && o.Verdict.Effect == "ignore"
	})
	for _, o := range b.get("alerts", "--workload", "rdt-quick") {
		if is(&o) && (o.ID != a.ID || o.Count != a.Count) {
			t.Errorf("it alerts again: %s", o.Raw)
		}
	}
	docker(t, "exec", "rdt-quick", "ps", "-ef")
	b.find(2*time.Second, "alerts", []string{"--workload", "rdt-quick"}, func(o *object) bool { return is(o) && o.ID != a.ID || is(o) && o.Count > a.Count })

	if now := docker(t, "inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "rdt-quick"); now != began {
		t.Errorf("the container was restarted: %s, was %s", now, began)
	}
	for _, act := range engineActs(t, "rdt-quick", since) {
		if !strings.HasPrefix(act, "exec_") {
			t.Errorf("somebody did %q to the container", act)
		}
	}
}

// untilRuns says how long it takes until netstat runs in rdt-quick, or no
// longer does.
func untilRuns(t *testing.T, want bool) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		asked := time.Now()
		out, _ := tryDocker(t, "exec", "rdt-quick", "netstat", "-tln")
		if strings.Contains(out, "Proto") == want {
			return asked.Sub(began)
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("netstat runs: %v, want %v, even after 10 s: %s", !want, want, out)
		}
	}
}
