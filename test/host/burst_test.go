package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine speaks to the Docker engine without a process for every call, which
// would cost more than what is measured.
func engine(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(body)
	req, err := http.NewRequestWithContext(context.Background(), method, "http://docker"+path, &b)
	if err != nil {
		t.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := engineHTTP.Do(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		t.Errorf("%s %s: %s: %s", method, path, resp.Status, out)
	}
	return out
}

var engineHTTP = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
	MaxIdleConnsPerHost: 16,
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
	},
}}

func TestR40_FiveHundredShortContainersAreEachKnownByTheirFirstExec(t *testing.T) {
	const all, atOnce = 500, 8
	image := probeImage(t, "rdt-burst", "nap", "200")
	b := up(t)
	b.find(10*time.Second, "nodes", nil, func(o *object) bool { return o.Engines[0].Error == "" })
	var mu sync.Mutex
	want := map[string]string{} // name by id
	began := time.Now()
	var group sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i := range all {
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			name := fmt.Sprintf("rdt-burst-%03d", i)
			var made struct{ ID string }
			json.Unmarshal(engine(t, "POST", "/containers/create?name="+name, map[string]any{
				"Image": image, "HostConfig": map[string]any{"AutoRemove": true, "NetworkMode": "none"},
			}), &made)
			engine(t, "POST", "/containers/"+made.ID+"/start", nil)
			engine(t, "POST", "/containers/"+made.ID+"/wait?condition=removed", nil)
			mu.Lock()
			want[made.ID] = name
			mu.Unlock()
		})
	}
	group.Wait()
	t.Logf("%d containers, %d at a time, took %v", all, atOnce, time.Since(began).Round(time.Second))

	seen := map[string]*object{}
	for deadline := time.Now().Add(5 * time.Second); len(seen) < all && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		events := b.get("events", "--workload", "docker/rdt-burst", "--kind", "exec", "--limit", "0")
		for i := range events {
			seen[events[i].Workload.Container] = &events[i]
		}
	}
	var missing []string
	for id, name := range want {
		e := seen[id]
		if e == nil {
			missing = append(missing, name)
			continue
		}
		w := e.Workload
		if w.Image != image || !strings.HasPrefix(w.Digest, "sha256:") || w.Name != name || e.Process == nil || e.Process.Path != "/probe" {
			t.Errorf("exec of %s says %s", name, e.Raw)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		elsewhere := b.get("events", "--kind", "exec", "--limit", "0", "-q", "/probe")
		t.Errorf("%d of %d containers have no exec event of their own (%d events name the program): %v", len(missing), all, len(elsewhere), missing[:min(len(missing), 10)])
	}
	if n := b.get("nodes")[0].Load; n.Lost+n.Dropped > 0 {
		t.Errorf("lost %d, dropped %d", n.Lost, n.Dropped)
	}
}

// A cgroup that looks like a container, and that no engine ever explains, must
// not delay what happens elsewhere.
func TestD5_UnexplainedContainerDelaysNobodyElse(t *testing.T) {
	image := needDocker(t)
	container(t, "rdt-prompt", image)
	waitServed(t, addressOf(t, "rdt-prompt"))
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-prompt" })
	for i := range 5 {
		dir := filepath.Join(unified(t), "docker", fmt.Sprintf("%064x", 0xfeed+i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(dir) })
		run := fmt.Sprintf("echo $$ >%s/cgroup.procs && exec /bin/true stranger-%d", dir, i)
		if out, err := exec.Command("/bin/sh", "-c", run).CombinedOutput(); err != nil {
			t.Fatalf("run in a cgroup of nobody's: %v: %s", err, out)
		}
	}
	docker(t, "exec", "rdt-prompt", "netstat", "-tln")
	ran := time.Now()
	b.find(1500*time.Millisecond, "alerts", []string{"--workload", "rdt-prompt"}, func(o *object) bool {
		return o.Process != nil && strings.HasSuffix(o.Process.Path, "/netstat")
	})
	t.Logf("alert in the API %v after docker exec returned", time.Since(ran).Round(time.Millisecond))
	// Whoever nobody explains counts as the node itself, and is not forgotten.
	b.find(5*time.Second, "events", []string{"--kind", "exec", "-q", "stranger-4"}, func(o *object) bool { return o.Workload.Kind == "host" })
}

// unified returns the mount of the v2 hierarchy.
func unified(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
			return dir
		}
	}
	t.Skip("no cgroup v2 hierarchy is mounted")
	return ""
}
