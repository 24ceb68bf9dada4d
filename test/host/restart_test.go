package host

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A daemon that wrote over its arguments and forked workers is the same after a
// restart of Redoubt; a program nobody knows is not.
func TestR6_RestartBesideAnEnforcedServerIsSilent(t *testing.T) {
	image := needDocker(t)
	const name, workload = "rdt-again", "docker/again/web"
	b := up(t)
	b.find(10*time.Second, "nodes", nil, func(o *object) bool { return o.Engines[0].Error == "" })
	container(t, name, "--label", "com.docker.compose.project=again", "--label", "com.docker.compose.service=web", image)
	addr := addressOf(t, name)
	waitServed(t, addr)
	b.find(10*time.Second, "events", []string{"--workload", name, "--kind", "listen"}, func(o *object) bool { return true })
	time.Sleep(2 * time.Second) // growth is told once a second
	b.must("profile", "observe", workload)
	b.must("profile", "enforce", workload)
	for round := range 2 {
		if round == 0 {
			b.stop()
		} else {
			b.kill()
		}
		b.start()
		b.find(20*time.Second, "events", []string{"--workload", name, "--kind", "listen"}, func(o *object) bool { return strings.Contains(string(o.Raw), "before the defender") })
		for range 5 {
			if err := served(addr); err != nil {
				t.Fatal(err)
			}
		}
		b.find(20*time.Second, "events", []string{"--workload", name, "--kind", "accept"}, func(o *object) bool { return true })
		for _, a := range b.get("alerts", "--workload", name) {
			t.Errorf("after restart %d: %s", round, a.Raw)
		}
	}
	exec.Command("docker", "exec", name, "netstat").Run()
	b.find(10*time.Second, "alerts", []string{"--workload", name}, func(o *object) bool { return strings.HasSuffix(o.Process.Path, "netstat") })
}
