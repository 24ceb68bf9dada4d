package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var binary struct {
	once sync.Once
	path string
	err  error
}

// build compiles the program under test once per run.
func build(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		dir, err := os.MkdirTemp("", "redoubt-test-bin-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "redoubt")
		cmd := exec.Command("go", "build", "-o", binary.path, "../../cmd/redoubt")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("build redoubt: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.path != "" {
		os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

// needHost skips where this machine cannot run the whole product.
func needHost(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the whole product; run without -short")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: eBPF and the container engine")
	}
}

// needDocker skips without an engine and returns the nginx test image, under a
// name of this package's own: another redoubt on this machine may have policies
// for the usual one.
func needDocker(t *testing.T) string {
	t.Helper()
	needHost(t)
	if exec.Command("docker", "info").Run() != nil {
		t.Skip("needs a Docker engine; test/setup.sh starts one")
	}
	out, err := exec.Command("../images/nginx.sh").Output()
	if err != nil {
		t.Fatalf("build nginx image: %v", err)
	}
	const own = "rdt-host-nginx:1"
	docker(t, "tag", strings.TrimSpace(string(out)), own)
	return own
}

// box is one running `redoubt up`, or `redoubt console`.
type box struct {
	t     *testing.T
	role  string
	state string
	args  []string
	url   string
	cmd   *exec.Cmd
	log   *lockedBuffer
	done  chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// up starts `redoubt up` on a fresh state directory and waits for its address.
func up(t *testing.T, args ...string) *box {
	t.Helper()
	return run(t, "up", t.TempDir(), args...)
}

// run starts a role that has a console on a state directory.
func run(t *testing.T, role, state string, args ...string) *box {
	t.Helper()
	b := &box{t: t, role: role, state: state, args: args}
	b.start()
	t.Cleanup(func() {
		b.stop()
		if t.Failed() {
			t.Logf("redoubt said:\n%s", last(b.log.String(), 60))
		}
	})
	return b
}

var address = regexp.MustCompile(`https://[0-9.:\[\]a-z]+`)

func (b *box) start() {
	b.t.Helper()
	args := []string{b.role, "--state", b.state, "--listen", "127.0.0.1:0", "--link-listen", "127.0.0.1:0", "--token-file", filepath.Join(b.state, "token")}
	if b.role == "up" {
		args = append(args, "--gateway-listen", "127.0.0.1:0")
	}
	args = append(args, b.args...) // a test's own come last and win
	b.cmd = exec.Command(build(b.t), args...)
	b.log = &lockedBuffer{}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cmd.Stderr = b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.done = make(chan struct{})
	ready := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(io.TeeReader(out, b.log)); sc.Scan(); {
			if m := address.FindString(sc.Text()); m != "" {
				select {
				case ready <- m:
				default:
				}
			}
		}
	}()
	go func() { b.cmd.Wait(); close(b.done) }()
	select {
	case b.url = <-ready:
	case <-b.done:
		b.t.Fatalf("redoubt %s ended:\n%s", b.role, b.log)
	case <-time.After(30 * time.Second):
		b.t.Fatalf("redoubt %s printed no address within 30 s:\n%s", b.role, b.log)
	}
}

var setupLink = regexp.MustCompile(`setup\?token=(\S+)\n`)

// setupLink waits for the one-time link and returns its token.
func (b *box) setupLink() string {
	b.t.Helper()
	for range 100 {
		if m := setupLink.FindStringSubmatch(b.log.String()); m != nil {
			return m[1]
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("no set-up link was printed:\n%s", b.log)
	return ""
}

func (b *box) stop() {
	select {
	case <-b.done:
		return
	default:
	}
	b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.done:
	case <-time.After(20 * time.Second):
		b.t.Errorf("redoubt did not end within 20 s of SIGTERM")
		b.kill()
	}
}

func (b *box) kill() {
	b.cmd.Process.Kill()
	<-b.done
}

// cli runs one command of the binary against this box.
func (b *box) cli(args ...string) (stdout string, code int) {
	b.t.Helper()
	token, err := os.ReadFile(filepath.Join(b.state, "token"))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, build(b.t), args...)
	cmd.Env = append(os.Environ(), "REDOUBT_URL="+b.url, "REDOUBT_TOKEN="+strings.TrimSpace(string(token)), "REDOUBT_CACERT="+filepath.Join(b.state, "ca.crt"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		b.t.Fatalf("redoubt %s: %v", strings.Join(args, " "), err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return errs.String() + out.String(), code
	}
	return out.String(), 0
}

// must is cli that has to work.
func (b *box) must(args ...string) string {
	b.t.Helper()
	out, code := b.cli(args...)
	if code != 0 {
		b.t.Fatalf("redoubt %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// object is one element of what `redoubt get -o json` prints.
type object struct {
	ID       string
	Kind     string
	Time     time.Time
	Count    int
	Note     string
	Title    string
	State    string
	Workload struct{ ID, Kind, Name, Container, Image, Digest string }
	Process  *process
	Network  *struct {
		Proto, Local, Remote, Peer string
	}
	Verdict struct {
		Effect, Rule, Technique, Enforced, Reason, Severity string
		Novel                                               bool
	}
	Gaps    []string
	Engines []struct{ Name, Version, Error string }
	Running bool
	Sensor  struct{ Exec, Connect, Sensing []string }
	Load    struct {
		Lost, Dropped, Events, Known, RSS uint64
		CPU                               float64
	}
	Raw json.RawMessage `json:"-"`
}

type process struct {
	PID    int
	Path   string
	Args   []string
	Parent *process
	File   *struct{ Digest, Origin string }
}

func (b *box) get(kind string, args ...string) []object {
	b.t.Helper()
	out := b.must(append([]string{"get", kind, "-o", "json"}, args...)...)
	var raws []json.RawMessage
	if err := json.Unmarshal([]byte(out), &raws); err != nil {
		b.t.Fatalf("redoubt get %s did not print a JSON array: %v\n%s", kind, err, last(out, 20))
	}
	list := make([]object, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &list[i]); err != nil {
			b.t.Fatalf("object %d of get %s: %v\n%s", i, kind, err, raw)
		}
		list[i].Raw = raw
	}
	return list
}

// find waits until an object of that kind fits and returns it.
func (b *box) find(within time.Duration, kind string, args []string, fits func(o *object) bool) *object {
	b.t.Helper()
	deadline := time.Now().Add(within)
	for {
		list := b.get(kind, args...)
		for i := range list {
			if fits(&list[i]) {
				return &list[i]
			}
		}
		if time.Now().After(deadline) {
			var seen []string
			for i := range list[:min(len(list), 12)] {
				seen = append(seen, string(list[i].Raw))
			}
			b.t.Fatalf("no such %s within %v; there are %d:\n%s", kind, within, len(list), strings.Join(seen, "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// apply writes a policy and waits a second, in which it must be in force.
func (b *box) apply(policy string) {
	b.t.Helper()
	b.must("apply", "-f", policyFile(b.t, policy))
	time.Sleep(time.Second)
}

// docker runs a docker command that has to work.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, code := tryDocker(t, args...)
	if code != 0 {
		t.Fatalf("docker %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return strings.TrimSpace(out)
}

func tryDocker(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// container starts one and removes it at the end; it returns its id.
func container(t *testing.T, name string, args ...string) string {
	t.Helper()
	exec.Command("docker", "rm", "-f", name).Run()
	id := docker(t, append([]string{"run", "-d", "--name", name}, args...)...)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("docker", "logs", "--tail", "10", name).CombinedOutput()
			t.Logf("container %s said:\n%s", name, out)
		}
		exec.Command("docker", "rm", "-f", "-v", name).Run()
	})
	return id
}

// addressOf returns a container's address on the default bridge.
func addressOf(t *testing.T, name string) string {
	return docker(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
}

// served fetches the front page from nginx.
func served(addr string) error {
	out, err := exec.Command("curl", "-sS", "--max-time", "3", "-o", "/dev/null", "-w", "%{http_code}", "http://"+addr+"/").CombinedOutput()
	if err != nil {
		return fmt.Errorf("curl %s: %w: %s", addr, err, out)
	}
	if string(out) != "200" {
		return fmt.Errorf("nginx at %s answered %s", addr, out)
	}
	return nil
}

func waitServed(t *testing.T, addr string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = served(addr); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// waitCut waits until an isolated container no longer answers.
func waitCut(t *testing.T, addr string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Second)
	for served(addr) == nil {
		if time.Now().After(deadline) {
			t.Fatal("an isolated container still answers after 2 s")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func last(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
