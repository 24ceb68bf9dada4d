package host

import (
	"strings"
	"testing"
	"time"
)

// The first acceptance test: nginx suddenly runs netstat, nobody wrote a rule.
func TestR1_NginxSuddenlyRunsNetstat(t *testing.T) {
	image := needDocker(t)
	id := container(t, "rdt-story", image)
	addr := addressOf(t, "rdt-story")
	waitServed(t, addr)
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Container == id })

	for range 5 {
		waitServed(t, addr)
	}
	docker(t, "kill", "-s", "HUP", "rdt-story")
	waitServed(t, addr)
	for _, a := range b.get("alerts", "--workload", "rdt-story") {
		t.Errorf("honest nginx raised an alert: %s", a.Raw)
	}

	docker(t, "exec", "rdt-story", "netstat", "-tln")
	ran := time.Now()
	alert := b.find(2*time.Second, "alerts", []string{"--workload", "rdt-story"}, func(o *object) bool {
		return o.Process != nil && strings.HasSuffix(o.Process.Path, "/netstat")
	})
	t.Logf("alert in the API %v after docker exec returned", time.Since(ran).Round(time.Millisecond))
	if alert.Workload.Container != id || alert.Workload.Image == "" || alert.Workload.Digest == "" {
		t.Errorf("the alert does not say whose it is: %+v", alert.Workload)
	}
	if alert.Verdict.Technique != "T1049" || alert.Verdict.Effect != "alert" || alert.Verdict.Rule == "" {
		t.Errorf("verdict is %+v", alert.Verdict)
	}
	if alert.Process.File == nil || !strings.HasPrefix(alert.Process.File.Digest, "sha256:") {
		t.Errorf("no content digest: %+v", alert.Process)
	}
	if alert.Process.Parent == nil {
		t.Error("no parent chain")
	}
	why := b.must("why", alert.ID)
	if !strings.Contains(why, "netstat") {
		t.Errorf("redoubt why says:\n%s", why)
	}
	if got := len(b.get("incidents", "--workload", "rdt-story")); got != 1 {
		t.Errorf("%d incidents, want 1", got)
	}
	if err := served(addr); err != nil {
		t.Error(err)
	}
}

const denyNetstat = `apiVersion: redoubt/v1
kind: Policy
metadata: {name: no-recon}
spec:
  scope: {workloads: [rdt-prevent]}
  rules:
    - name: deny-netstat
      exec: {paths: [/bin/netstat, /usr/bin/netstat]}
      effect: prevent
`

func TestR12_PreventedNetstatNeverRunsWhileNginxServes(t *testing.T) {
	image := needDocker(t)
	id := container(t, "rdt-prevent", image)
	addr := addressOf(t, "rdt-prevent")
	waitServed(t, addr)
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Container == id })
	docker(t, "exec", "rdt-prevent", "netstat", "-tln")
	pid := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-prevent")
	b.apply(denyNetstat)

	inside := func(script string) (string, bool) {
		out, code := tryDocker(t, "exec", "rdt-prevent", "sh", "-c", script)
		return out, code == 0 && strings.Contains(out, "Proto")
	}
	attacks := []struct{ name, script string }{
		{"by its name", "netstat -tln"},
		{"copied", "cp /bin/netstat /tmp/n; /tmp/n -tln"},
		{"copied to a name that is allowed", "cp -f /bin/netstat /usr/local/bin/nginx; /usr/local/bin/nginx -tln"},
		{"renamed", "cp /bin/netstat /tmp/a && mv /tmp/a /tmp/b; /tmp/b -tln"},
		{"hard-linked", "ln /bin/netstat /bin/hard 2>/dev/null; /bin/hard -tln"},
		{"by symlink", "ln -sf /bin/netstat /tmp/soft; /tmp/soft -tln"},
		{"through the loader", "/lib64/ld-linux-x86-64.so.2 /bin/netstat -tln"},
		{"copied, through the loader", "cat /bin/netstat >/tmp/c; /lib64/ld-linux-x86-64.so.2 /tmp/c -tln"},
		{"by exec of a shell", "exec netstat -tln"},
		{"as an argument of env", "env netstat -tln"},
		{"from memory-backed /dev/shm", "cp /bin/netstat /dev/shm/n; chmod +x /dev/shm/n; /dev/shm/n -tln"},
	}
	for _, a := range attacks {
		if out, ran := inside(a.script); ran {
			t.Errorf("%s: netstat ran:\n%s", a.name, last(out, 3))
		}
	}
	denied := b.find(2*time.Second, "alerts", []string{"--workload", "rdt-prevent"}, func(o *object) bool {
		return o.Verdict.Effect == "prevent" && o.Verdict.Enforced != ""
	})
	if denied.Verdict.Rule != "policy/no-recon/deny-netstat" {
		t.Errorf("rule is %q", denied.Verdict.Rule)
	}
	t.Logf("prevented by %s", denied.Verdict.Enforced)

	if out, code := tryDocker(t, "exec", "rdt-prevent", "sh", "-c", "ls / && ps"); code != 0 {
		t.Errorf("the honest neighbours ls and ps do not run: %s", out)
	}
	if err := served(addr); err != nil {
		t.Error(err)
	}
	if now := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-prevent"); now != pid {
		t.Errorf("the container was restarted: pid %s, was %s", now, pid)
	}
	b.must("delete", "policy", "no-recon")
	time.Sleep(time.Second)
	if out, ran := inside("netstat -tln"); !ran {
		t.Errorf("netstat is still denied after its policy is gone: %s", out)
	}
}

func TestR11_IsolateCutsOneContainerAndNoOther(t *testing.T) {
	image := needDocker(t)
	container(t, "rdt-cut", image)
	container(t, "rdt-whole", image)
	cut, whole := addressOf(t, "rdt-cut"), addressOf(t, "rdt-whole")
	waitServed(t, cut)
	waitServed(t, whole)
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-cut" })
	pid := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-cut")

	b.must("isolate", "rdt-cut", "--reason", "test")
	waitCut(t, cut)
	if err := served(whole); err != nil {
		t.Errorf("its neighbour was cut too: %v", err)
	}
	if out, code := tryDocker(t, "exec", "rdt-cut", "curl", "-sS", "--max-time", "2", "http://"+whole+"/"); code == 0 {
		t.Errorf("the isolated container still reaches out: %s", out)
	}
	if now := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-cut"); now != pid {
		t.Errorf("the isolated process did not live on")
	}
	b.must("release", "rdt-cut")
	waitServed(t, cut)
}

func TestR10_BlockStopsTheContainer(t *testing.T) {
	image := needDocker(t)
	container(t, "rdt-block", image)
	container(t, "rdt-beside", image)
	waitServed(t, addressOf(t, "rdt-block"))
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-block" })
	b.apply(strings.NewReplacer("no-recon", "no-recon-block", "rdt-prevent", "rdt-block", "effect: prevent", "effect: block").Replace(denyNetstat))
	tryDocker(t, "exec", "rdt-block", "netstat", "-tln")
	deadline := time.Now().Add(15 * time.Second)
	for docker(t, "inspect", "-f", "{{.State.Running}}", "rdt-block") == "true" {
		if time.Now().After(deadline) {
			t.Fatal("the container still runs 15 s after what must block it")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if docker(t, "inspect", "-f", "{{.State.Running}}", "rdt-beside") != "true" {
		t.Error("its neighbour was stopped too")
	}
}

func TestR10_PreventedConnectFailsWithEPERMInside(t *testing.T) {
	image := needDocker(t)
	container(t, "rdt-from", image)
	container(t, "rdt-to", image)
	to := addressOf(t, "rdt-to")
	waitServed(t, to)
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-from" })
	try := func() string {
		out, _ := tryDocker(t, "exec", "rdt-from", "curl", "-sS", "--max-time", "3", "-o", "/dev/null", "-w", "%{http_code} %{errormsg} %{exitcode}", "http://"+to+"/")
		return out
	}
	if out := try(); !strings.Contains(out, "200") {
		t.Fatalf("the way is not open before: %s", out)
	}
	b.apply(`apiVersion: redoubt/v1
kind: Policy
metadata: {name: no-web}
spec:
  scope: {workloads: [rdt-from]}
  rules:
    - name: deny-80
      connect: {ports: [80]}
      effect: prevent
`)
	out, code := tryDocker(t, "exec", "rdt-from", "sh", "-c", "curl -v -sS --max-time 3 -o /dev/null http://"+to+"/ 2>&1")
	if code == 0 {
		t.Errorf("connect went through:\n%s", out)
	}
	b.find(2*time.Second, "alerts", []string{"--workload", "rdt-from"}, func(o *object) bool {
		return o.Kind == "connect" && o.Verdict.Effect == "prevent" && o.Verdict.Enforced == "cgroup-connect"
	})
	// Its replica shares image and profile, but not the policy.
	from := addressOf(t, "rdt-from")
	if out, code := tryDocker(t, "exec", "rdt-to", "curl", "-sS", "--max-time", "3", "-o", "/dev/null", "http://"+from+"/"); code != 0 {
		t.Errorf("the replica, for which there is no policy, is refused too: %s", out)
	}
	b.must("delete", "policy", "no-web")
	time.Sleep(time.Second)
	if out := try(); !strings.Contains(out, "200") {
		t.Errorf("still refused after its policy is gone: %s", out)
	}
	if err := served(to); err != nil {
		t.Errorf("others are cut too: %v", err)
	}
}
