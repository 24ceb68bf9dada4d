package permit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/permit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	exec.Command("docker", "rmi", "-f", image).Run()
	if boxes.tree != "" {
		os.RemoveAll(boxes.tree)
	}
	os.Exit(code)
}

// sh runs a script inside; denied says that the kernel refused something.
func (c *container) sh(script string) (out string, denied bool) {
	b, _ := exec.Command(c.enter[0], append(c.enter[1:], "sh", "-c", "cd /; "+script)...).CombinedOutput()
	return string(b), strings.Contains(strings.ToLower(string(b)), "operation not permitted")
}

func (c *container) refused(script string) {
	c.t.Helper()
	if out, denied := c.sh(script); !denied {
		c.t.Errorf("%s: %s ran %q", c.name, script, out)
	}
}

func (c *container) runs(script string) {
	c.t.Helper()
	if out, _ := c.sh(script + " && echo fine"); !strings.HasSuffix(out, "fine\n") {
		c.t.Errorf("%s: %s: %q", c.name, script, out)
	}
}

func (c *container) inside(path string) string { return fmt.Sprintf("/proc/%d/root%s", c.pid, path) }

// judge denies one content and counts what it is asked.
type judge struct {
	denied [32]byte
	asked  atomic.Int64
	opens  atomic.Int64
	answer func(permit.Question) permit.Answer // instead, where set

	mu    sync.Mutex
	paths []string
}

func digest(r io.Reader) (d [32]byte) {
	h := sha256.New()
	io.Copy(h, r)
	h.Sum(d[:0])
	return d
}

func (j *judge) decide(q permit.Question) permit.Answer {
	j.asked.Add(1)
	if !q.Exec {
		j.opens.Add(1)
	}
	j.mu.Lock()
	j.paths = append(j.paths, q.Path)
	j.mu.Unlock()
	if j.answer != nil {
		return j.answer(q)
	}
	bad := digest(io.NewSectionReader(q.File, 0, 1<<30)) == j.denied
	return permit.Answer{Allow: !bad, Remember: !bad}
}

func (j *judge) seen(path string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, p := range j.paths {
		if p == path {
			n++
		}
	}
	return n
}

func newJudge(t testing.TB) *judge {
	t.Helper()
	f, err := os.Open("/bin/cat")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	return &judge{denied: digest(f)}
}

func open(t testing.TB, cfg permit.Config, j *judge) *permit.Gate {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	g, err := permit.Open(cfg)
	if fault.Is(err, fault.Unsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx, j.decide) }()
	t.Cleanup(func() { cancel(); <-done })
	return g
}

func follow(t testing.TB, g *permit.Gate, c *container) {
	t.Helper()
	if err := g.Follow(c.pid); err != nil {
		t.Fatal(err)
	}
}

func TestR12_DeniedContentNeverRunsUnderAnyName(t *testing.T) {
	box(t)
	j := newJudge(t)
	g := open(t, permit.Config{}, j)
	c := run(t, "names")
	neighbour := run(t, "neighbour")
	c.runs("/bin/tool </dev/null")
	follow(t, g, c)
	c.refused("/bin/tool </dev/null")
	c.runs("true")
	neighbour.runs("/bin/tool </dev/null")
	c.refused("cp /bin/tool /bin/fine; /bin/fine </dev/null")
	c.refused("mv /bin/fine /bin/finer; /bin/finer </dev/null")
	c.refused("ln /bin/tool /bin/hard; /bin/hard </dev/null")
	c.refused("ln -s /bin/tool /bin/soft; /bin/soft </dev/null")
	c.refused("cp /bin/tool /vol/t; /vol/t </dev/null")
	c.refused("cp /bin/tool /scratch/t; /scratch/t </dev/null")
	c.refused("cp /bin/tool /dev/t; /dev/t </dev/null")
	c.refused("touch /bin/over; mount --bind /bin/tool /bin/over && /bin/over </dev/null")
	c.refused("/bin/over </dev/null")
	c.refused("rm /bin/true; cp /bin/tool /bin/true; /bin/true </dev/null") // an allowed name with other content
	c.runs("cat /dev/null")
	if n := g.Counts(); n.Denied < 10 || n.Late+n.Failed+n.Full+n.Lost > 0 {
		t.Errorf("counts %+v", n)
	}
}

func TestNewMountIsWatched(t *testing.T) {
	box(t)
	j := newJudge(t)
	g := open(t, permit.Config{}, j)
	c := run(t, "mounts")
	follow(t, g, c)
	c.runs("mkdir -p /new /again; mount -t tmpfs none /new; cp /bin/tool /new/t; mount --bind /vol /again; cp /bin/tool /again/t")
	until(t, "new tmpfs watched", func() bool { _, denied := c.sh("/new/t </dev/null"); return denied })
	until(t, "new bind of a volume watched", func() bool { _, denied := c.sh("/again/t </dev/null"); return denied })
	if err := g.Unfollow(c.pid); err != nil {
		t.Fatal(err)
	}
	g.Forget()
	c.runs("/bin/tool </dev/null && /vol/t </dev/null && /new/t </dev/null && /again/t </dev/null")
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestLoaderAndCopyNeedDenyOpen(t *testing.T) {
	box(t)
	j := newJudge(t)
	g := open(t, permit.Config{}, j)
	c := run(t, "loader")
	follow(t, g, c)
	c.runs(loader + " /bin/tool </dev/null") // the exec is of the loader: not caught without
	f, err := os.Open(c.inside("/bin/tool"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := g.DenyOpen(f); err != nil {
		t.Fatal(err)
	}
	c.refused(loader + " /bin/tool </dev/null")
	c.refused("cp /bin/tool /bin/copy")
	c.refused("ln /bin/tool /bin/hard; " + loader + " /bin/hard </dev/null")
	c.runs(loader + " /bin/busybox true")
	if err := g.AllowOpens(); err != nil {
		t.Fatal(err)
	}
	c.runs(loader + " /bin/tool </dev/null")
}

func TestRememberedFileIsNotAskedAgainUntilItChanges(t *testing.T) {
	box(t)
	j := newJudge(t)
	g := open(t, permit.Config{}, j)
	c := run(t, "remember")
	follow(t, g, c)
	c.runs("cp /bin/busybox /bin/busybox2")
	loop := "for i in 1 2 3 4 5 6 7 8; do /bin/busybox2 true; done"
	c.runs(loop)
	if n := j.seen("/bin/busybox2"); n != 1 {
		t.Errorf("asked %d times about one file", n)
	}
	c.runs("echo >>/bin/busybox2")
	c.runs(loop)
	if n := j.seen("/bin/busybox2"); n != 2 {
		t.Errorf("asked %d times, want once more after a change", n)
	}
	if err := g.Forget(); err != nil {
		t.Fatal(err)
	}
	c.runs(loop)
	if n := j.seen("/bin/busybox2"); n != 3 {
		t.Errorf("asked %d times, want once more after Forget", n)
	}
	c.runs("cp /bin/tool /bin/busybox2")
	c.refused("/bin/busybox2 </dev/null")
}

// A store through a mapping is no write the kernel tells of; that the writer
// closes the file is.
func TestChangeThroughMappingIsAskedAbout(t *testing.T) {
	prog := program(t)
	j := &judge{answer: func(permit.Question) permit.Answer { return permit.Answer{Allow: true, Remember: true} }}
	g := open(t, permit.Config{}, j)
	if err := g.Watch(filepath.Dir(prog)); err != nil {
		t.Fatal(err)
	}
	run := func() int64 {
		t.Helper()
		if err := exec.Command("sh", "-c", prog+";"+prog).Run(); err != nil {
			t.Fatal(err)
		}
		return j.asked.Load()
	}
	if n := run(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	f, err := os.OpenFile(prog, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	page, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	page[15] ^= 0xff // padding of an ELF header
	unix.Munmap(page)
	f.Close()
	until(t, "asked again", func() bool { return run() > 1 })
}

func TestWatchBeforeStartSeesTheFirstExec(t *testing.T) {
	box(t)
	if !boxes.docker {
		t.Skip("no Docker engine, whose start is what is tried")
	}
	j := newJudge(t)
	g := open(t, permit.Config{}, j)
	const name = "rdt-permit-early"
	exec.Command("docker", "rm", "-f", name).Run()
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", name).Run() })
	if out, err := exec.Command("docker", "create", "--network", "none", "--name", name, image, "/bin/tool", "/dev/null").CombinedOutput(); err != nil {
		t.Fatalf("create: %v %s", err, out)
	}
	out, err := exec.Command("docker", "inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	merged := strings.TrimSpace(string(out))
	if err := g.Watch(merged); err == nil {
		t.Error("watched what is not mounted yet")
	}
	start := exec.Command("docker", "start", "-a", name)
	var text bytes.Buffer
	start.Stderr = &text
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "merged mounted and watched", func() bool { return g.Watch(merged) == nil })
	if err := start.Wait(); err == nil || !strings.Contains(text.String(), "operation not permitted") {
		t.Errorf("first program ran: %v %s", err, text.String())
	}
}

func TestNodeItselfIsNeverWatched(t *testing.T) {
	g := openOrSkip(t)
	for _, dir := range []string{"/", "/usr", "/dev", t.TempDir()} {
		if err := g.Watch(dir); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := g.Follow(os.Getpid()); !fault.Is(err, fault.Invalid) {
		t.Errorf("own process: %v", err)
	}
	if err := g.Follow(1); !fault.Is(err, fault.Invalid) {
		t.Errorf("process 1: %v", err)
	}
}

func openOrSkip(t *testing.T) *permit.Gate {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	return open(t, permit.Config{}, newJudge(t))
}

// program puts a program on a small union that no container is needed for.
func program(t testing.TB) (prog string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	low, up, work, merged := dir+"/low", dir+"/up", dir+"/work", dir+"/merged"
	for _, d := range []string{low, up, work, merged} {
		os.Mkdir(d, 0o755)
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", low, up, work)); err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(merged, unix.MNT_DETACH) })
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip(err)
	}
	prog = merged + "/true"
	if err := os.WriteFile(prog, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return prog
}

func TestNoAnswerMeansTheStatedAnswer(t *testing.T) {
	for _, closed := range []bool{false, true} {
		for _, name := range []string{"slow", "panic"} {
			t.Run(fmt.Sprintf("%s closed=%v", name, closed), func(t *testing.T) {
				ran := make(chan struct{}) // no answer before the exec has gone on without one
				answer := func(permit.Question) permit.Answer {
					if name == "panic" {
						panic("no")
					}
					<-ran
					return permit.Answer{Allow: closed}
				}
				prog := program(t)
				g := open(t, permit.Config{Deadline: 50 * time.Millisecond, FailClosed: closed}, &judge{answer: answer})
				if err := g.Watch(filepath.Dir(prog)); err != nil {
					t.Fatal(err)
				}
				// The test's own opens are always let through, so a child asks.
				err := exec.Command("sh", "-c", prog).Run()
				close(ran)
				if (err != nil) != closed {
					t.Errorf("exec: %v", err)
				}
				if n := g.Counts(); n.Late+n.Failed != 1 || n.Allowed+n.Denied != 0 {
					t.Errorf("counts %+v", n)
				}
			})
		}
	}
}

func TestCloseReleasesWhoWaits(t *testing.T) {
	prog := program(t)
	hold, asked := make(chan struct{}), make(chan struct{}, 1)
	j := &judge{answer: func(permit.Question) permit.Answer { asked <- struct{}{}; <-hold; return permit.Answer{} }}
	g := open(t, permit.Config{Deadline: time.Hour, FailClosed: true}, j)
	defer close(hold)
	if err := g.Watch(filepath.Dir(prog)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- exec.Command("sh", "-c", prog).Run() }()
	<-asked
	g.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("released with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still held")
	}
}

func TestManyAtOnceAreAllAnswered(t *testing.T) {
	prog := program(t)
	j := &judge{answer: func(q permit.Question) permit.Answer { return permit.Answer{Allow: q.PID%2 == 0} }}
	g := open(t, permit.Config{}, j)
	if err := g.Watch(filepath.Dir(prog)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", "for i in $(seq 200); do "+prog+" 2>/dev/null & done; wait").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if n := g.Counts(); n.Allowed+n.Denied != 200 || n.Allowed == 0 || n.Denied == 0 {
		t.Errorf("counts %+v", n)
	}
}

func TestOwnProcessIsNeverHeld(t *testing.T) {
	prog := program(t)
	g := open(t, permit.Config{Deadline: time.Hour}, &judge{answer: func(permit.Question) permit.Answer { select {} }})
	f, err := os.Open(prog)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := g.DenyOpen(f); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(prog); err != nil || g.Counts().Own == 0 {
		t.Errorf("%v %+v", err, g.Counts())
	}
}
