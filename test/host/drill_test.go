package host

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// One command on a plain Docker host, no orchestrator and no configuration:
// from the list of workloads to everything that is known of one.
func TestX2_D2_FromAPlainDockerHostToOneWorkloadsModel(t *testing.T) {
	image := needDocker(t)
	b := up(t)
	front := container(t, "rdt-drill-front", image)
	container(t, "rdt-drill-back", image)
	back := addressOf(t, "rdt-drill-back")
	waitServed(t, addressOf(t, "rdt-drill-front"))
	waitServed(t, back)
	docker(t, "exec", "rdt-drill-front", "curl", "-sS", "-o", "/dev/null", "http://"+back+"/")

	w := b.find(10*time.Second, "workloads", []string{"--workload", "rdt-drill-front"}, func(o *object) bool { return o.Workload.Container == front })
	if w.Workload.Kind != "container" || w.Workload.Digest == "" || w.Workload.Image != image {
		t.Errorf("identity is %+v", w.Workload)
	}
	b.find(5*time.Second, "events", []string{"--workload", "rdt-drill-front", "--kind", "connect"}, func(o *object) bool {
		return o.Network != nil && strings.HasPrefix(o.Network.Remote, back+":80") && o.Process != nil && strings.HasSuffix(o.Process.Path, "/curl")
	})
	b.find(5*time.Second, "alerts", []string{"--workload", "rdt-drill-front"}, func(o *object) bool {
		return o.Process != nil && strings.HasSuffix(o.Process.Path, "/curl")
	})
	var model struct {
		State   string
		Entries []struct {
			Kind   string
			Source string
			Exec   *struct{ Path string }
			Listen *struct {
				Port int
				Path string
			}
			Connect *struct{ Peer string }
		}
		Coverage struct {
			Units   int
			Missing []string
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		out := b.must("describe", "profile", w.Workload.ID, "-o", "json")
		if err := json.Unmarshal([]byte(out), &model); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if model.Coverage.Units > 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	seen := map[string]bool{}
	for _, e := range model.Entries {
		switch {
		case e.Exec != nil:
			seen["exec "+e.Exec.Path] = true
		case e.Listen != nil:
			seen[fmt.Sprintf("listen %d %s", e.Listen.Port, e.Listen.Path)] = true
		case e.Connect != nil:
			seen["connect "+e.Connect.Peer] = true
		}
	}
	for _, want := range []string{"exec /docker-entrypoint.sh", "exec /usr/sbin/nginx", "listen 80 /usr/sbin/nginx"} {
		if !seen[want] {
			t.Errorf("the model does not hold %s: %v", want, seen)
		}
	}
	for what := range seen {
		if strings.Contains(what, "curl") || strings.HasPrefix(what, "connect") {
			t.Errorf("what a person did was learned: %s", what)
		}
	}
	if model.State != "learning" || model.Coverage.Units == 0 || len(model.Coverage.Missing) == 0 {
		t.Errorf("state %s, coverage %+v", model.State, model.Coverage)
	}
}

// The process keeps near the memory it was given while a workload does more
// new things than any profile holds.
func TestX9_MemoryKeepsToItsCap(t *testing.T) {
	image := needDocker(t)
	const limit = 160
	b := up(t, "--memory-limit", fmt.Sprint(limit))
	container(t, "rdt-cap", image)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-cap" })
	load := exec.Command("docker", "exec", "rdt-cap", "sh", "-c", `i=0; while [ $i -lt 6000 ]; do /bin/true word-$i-$(printf %064d $i); i=$((i+1)); done`)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("load: %v\n%s", err, out)
	}
	b.find(30*time.Second, "events", []string{"--workload", "rdt-cap", "--kind", "exec", "--limit", "5"}, func(o *object) bool {
		return o.Process != nil && len(o.Process.Args) > 1 && strings.HasPrefix(o.Process.Args[1], "word-5999-")
	})
	n := b.find(10*time.Second, "nodes", nil, func(o *object) bool { return o.Load.RSS > 0 })
	t.Logf("%d MiB resident, %d events sent up, %d lost", n.Load.RSS>>20, n.Load.Events, n.Load.Lost)
	if n.Load.RSS > (limit+64)<<20 {
		t.Errorf("%d MiB resident with a limit of %d", n.Load.RSS>>20, limit)
	}
	if n.Load.Lost > 0 {
		t.Errorf("%d events lost", n.Load.Lost)
	}
}
