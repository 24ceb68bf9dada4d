package sensor

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// codeNap sleeps 200 ms and ends.
var codeNap = append([]byte{
	0x68, 0x00, 0xc2, 0xeb, 0x0b, 0x6a, 0x00, // push 200000000; push 0: a timespec
	0x48, 0x89, 0xe7, 0x31, 0xf6, 0xb8, 35, 0, 0, 0, 0x0f, 0x05, // nanosleep
}, codeExit...)

// engine is the Docker engine, spoken to without its client.
type engine struct {
	t     *testing.T
	c     *http.Client
	image string
}

// docker imports an image of tiny programs, or skips where no engine runs.
func docker(t *testing.T) *engine {
	t.Helper()
	const socket = "/var/run/docker.sock"
	if _, err := os.Stat(socket); err != nil {
		t.Skip("no Docker engine runs here")
	}
	e := &engine{t: t, c: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}}
	e.image = fmt.Sprintf("rdt-sensor-%d-%d", os.Getpid(), groups.Add(1))
	files := map[string][]byte{
		"nap": tinyELF(t, codeNap, e.image), "exit": tinyELF(t, codeExit, e.image),
		"pause": tinyELF(t, codePause, e.image), "chmodded": tinyELF(t, codeExit, e.image+"2"),
		"replaced": tinyELF(t, codeExit, e.image+"3"),
	}
	e.call("POST", "/images/create?fromSrc=-&repo="+e.image+"&tag=t", archive(t, files), nil)
	e.image += ":t"
	t.Cleanup(func() { e.call("DELETE", "/images/"+e.image+"?force=1", nil, nil) })
	return e
}

func archive(t *testing.T, files map[string][]byte) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data)), ModTime: time.Unix(1e9, 0)}); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	w.Close()
	return &b
}

// call returns the answer's status; other than 2xx, 304 and 404 end the test.
func (e *engine) call(method, path string, body io.Reader, into any) int {
	req, err := http.NewRequest(method, "http://docker"+path, body)
	if err != nil {
		e.t.Error(err)
		return 0
	}
	kind := "application/x-tar"
	if _, ok := body.(*strings.Reader); ok {
		kind = "application/json"
	}
	req.Header.Set("Content-Type", kind)
	resp, err := e.c.Do(req)
	if err != nil {
		e.t.Errorf("docker %s %s: %v", method, path, err)
		return 0
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 && resp.StatusCode != 304 && resp.StatusCode != 404 {
		e.t.Errorf("docker %s %s: %s %s", method, path, resp.Status, b)
		return resp.StatusCode
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			e.t.Errorf("docker %s %s: %v in %q", method, path, err, b)
		}
	}
	return resp.StatusCode
}

func (e *engine) create(name, pid string, cmd ...string) string {
	host := map[string]any{"NetworkMode": "none", "PidMode": pid}
	body, _ := json.Marshal(map[string]any{"Image": e.image, "Cmd": cmd, "HostConfig": host})
	var made struct{ ID string }
	e.call("POST", "/containers/create?name="+url.QueryEscape(name), strings.NewReader(string(body)), &made)
	return made.ID
}

func (e *engine) start(id string) { e.call("POST", "/containers/"+id+"/start", nil, nil) }
func (e *engine) remove(id string) {
	e.call("DELETE", "/containers/"+id+"?force=1", nil, nil)
}

// run starts a container in slot 61 that lasts until the test ends.
func (e *engine) run(w *watch, cmd ...string) string { return e.runIn("", w, cmd...) }

// runIn is run with a pid namespace other than its own.
func (e *engine) runIn(pid string, w *watch, cmd ...string) string {
	id := e.create(fmt.Sprintf("rdt-sensor-%d-%d", os.Getpid(), groups.Add(1)), pid, cmd...)
	e.t.Cleanup(func() { e.remove(id) })
	if err := w.AssignName(id, 61); err != nil {
		e.t.Fatal(err)
	}
	e.start(id)
	return id
}

// exec runs a command in a container to its end.
func (e *engine) exec(id string, cmd ...string) {
	e.t.Helper()
	body, _ := json.Marshal(map[string]any{"Cmd": cmd, "AttachStdout": true})
	var made struct{ ID string }
	e.call("POST", "/containers/"+id+"/exec", strings.NewReader(string(body)), &made)
	e.call("POST", "/exec/"+made.ID+"/start", strings.NewReader(`{"Detach":false}`), nil)
}

// born returns the cgroup of a container once it was told.
func (w *watch) born(id string) uint64 {
	w.t.Helper()
	return w.wait(1, func(s *Sighting) bool { return s.Kind == CgroupBorn && filepath.Base(s.Path) == id })[0].Cgroup
}

func TestD1_EveryShortContainerIsKnownBeforeItsFirstExec(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many containers; run without -short")
	}
	e := docker(t)
	w := open(t, Config{})
	n := 30 // REDOUBT_CONTAINERS=500 is the full measure
	if v, err := strconv.Atoi(os.Getenv("REDOUBT_CONTAINERS")); err == nil {
		n = v
	}
	const slot = 60
	ids := make([]string, n)
	var group sync.WaitGroup
	next := make(chan int)
	for range 8 {
		group.Go(func() {
			for i := range next {
				id := e.create(fmt.Sprintf("rdt-sensor-nap-%d-%d", os.Getpid(), i), "", "/nap")
				if err := w.AssignName(id, slot); err != nil {
					t.Error(err)
				}
				ids[i] = id
				e.start(id)
				e.call("POST", "/containers/"+id+"/wait", nil, nil)
				e.remove(id)
			}
		})
	}
	began := time.Now()
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	took := time.Since(began)

	w.wait(n, func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Path == "/nap" })
	w.mu.Lock()
	defer w.mu.Unlock()
	names, seen := map[uint64]string{}, map[string]int{}
	for i := range w.all {
		switch s := &w.all[i]; {
		case s.Kind == CgroupBorn:
			names[s.Cgroup] = filepath.Base(s.Path)
		case s.Kind == redoubt.EventExec && s.Path == "/nap":
			seen[names[s.Cgroup]]++
			if !s.Init || s.Entered || s.Runtime || s.Origin != redoubt.OriginImage || s.Key.File.Ino == 0 {
				t.Errorf("first program of a container: %+v", s)
			}
		}
	}
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("container %.12s: %d execs with its cgroup", id, seen[id])
		}
	}
	if st := w.Stats(); st.Lost != 0 {
		t.Errorf("lost %d", st.Lost)
	}
	t.Logf("%d containers in %v", n, took.Round(time.Millisecond))
}

func TestR2_ReplicasShareTheRealFile(t *testing.T) {
	e := docker(t)
	w := open(t, Config{})
	a, b := e.run(w, "/pause"), e.run(w, "/pause")
	first := func(id string) Sighting {
		cg := w.born(id)
		return w.wait(1, func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Cgroup == cg && s.Path == "/pause" })[0]
	}
	sa, sb := first(a), first(b)
	if sa.Key.File != sb.Key.File || sa.Key.File.Ino == 0 || sa.Blind {
		t.Errorf("one image, two containers: %+v and %+v", sa.Key.File, sb.Key.File)
	}
	var info struct {
		GraphDriver struct{ Data struct{ LowerDir string } }
	}
	e.call("GET", "/containers/"+a+"/json", nil, &info)
	layers := strings.Split(info.GraphDriver.Data.LowerDir, ":")
	if !slices.ContainsFunc(layers, func(l string) bool {
		p := filepath.Join(l, "pause")
		_, err := os.Stat(p)
		return err == nil && statKey(t, p) == sa.Key.File
	}) {
		t.Errorf("%+v is in no layer of %q", sa.Key.File, layers)
	}
}

func TestR8_WrittenFilesAreTold(t *testing.T) {
	e := docker(t)
	w := open(t, Config{})
	id := e.run(w, "/pause")
	cg := w.born(id)
	var info struct {
		State struct{ Pid int }
	}
	e.call("GET", "/containers/"+id+"/json", nil, &info)
	e.call("PUT", "/containers/"+id+"/archive?path=/", archive(t, map[string][]byte{
		"new": tinyELF(t, codeExit, "new"), "replaced": tinyELF(t, codeExit, "other"),
	}), nil)
	if err := os.Chmod(fmt.Sprintf("/proc/%d/root/chmodded", info.State.Pid), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path    string
		origin  redoubt.Origin
		shadows bool
	}{
		{"/exit", redoubt.OriginImage, false},
		{"/new", redoubt.OriginWritten, false},
		{"/replaced", redoubt.OriginWritten, false}, // a new file took the name
		{"/chmodded", redoubt.OriginWritten, true},  // same content, which is for user space to find
	} {
		e.exec(id, c.path)
		s := w.wait(1, func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Cgroup == cg && s.Path == c.path })[0]
		if s.Origin != c.origin || s.Shadows != c.shadows || !s.Entered {
			t.Errorf("%s: origin %q, shadows %v, entered %v", c.path, s.Origin, s.Shadows, s.Entered)
		}
	}
}

func TestOnlyLaterProgramsOfAContainerEntered(t *testing.T) {
	e := docker(t)
	w := open(t, Config{})
	for _, pid := range []string{"", "host"} {
		id := e.runIn(pid, w, "/pause")
		cg := w.born(id)
		e.exec(id, "/exit")
		for path, entered := range map[string]bool{"/pause": false, "/exit": true} {
			s := w.wait(1, func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Cgroup == cg && s.Path == path })[0]
			if s.Entered != entered || s.Init != (pid == "" && path == "/pause") {
				t.Errorf("pid namespace %q, %s: entered %v, init %v", pid, path, s.Entered, s.Init)
			}
		}
	}
}

func TestR40_IsolatedContainerLivesOn(t *testing.T) {
	e := docker(t)
	w := open(t, Config{})
	id := e.run(w, "/pause")
	cg := w.born(id)
	path := w.wait(1, func(s *Sighting) bool { return s.Kind == CgroupBorn && s.Cgroup == cg })[0].Path
	if err := w.Isolate(path); err != nil {
		t.Fatal(err)
	}
	var info struct{ State struct{ Running bool } }
	e.call("GET", "/containers/"+id+"/json", nil, &info)
	if !info.State.Running {
		t.Error("the isolated container stopped")
	}
	if err := w.Unisolate(path); err != nil {
		t.Fatal(err)
	}
}
