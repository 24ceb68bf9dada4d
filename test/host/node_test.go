package host

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// elsewhere is a network namespace, in which a second node's defender runs.
type elsewhere struct {
	name string
	here string // this side's address
}

// namespace makes one, joined to this side by a pair of interfaces.
func namespace(t *testing.T, name string, subnet int) elsewhere {
	t.Helper()
	needHost(t)
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs iproute2; test/setup.sh installs it")
	}
	e := elsewhere{name, fmt.Sprintf("10.209.%d.1", subnet)}
	exec.Command("ip", "netns", "del", name).Run()
	exec.Command("ip", "link", "del", name).Run()
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", name).Run()
		exec.Command("ip", "link", "del", name).Run()
	})
	for _, args := range []string{
		"netns add " + name,
		"link add " + name + " type veth peer name there netns " + name,
		"addr add " + e.here + "/24 dev " + name,
		"link set " + name + " up",
		"-n " + name + " addr add " + fmt.Sprintf("10.209.%d.2/24", subnet) + " dev there",
		"-n " + name + " link set there up",
		"-n " + name + " link set lo up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	return e
}

// agent is a running `redoubt defender`.
type agent struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{}
}

// command is one of the binary, run in the namespace. It enters the network
// alone: `ip netns exec` would hide the cgroups.
func (e elsewhere) command(t *testing.T, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + e.name, build(t)}, args...)...)
}

func (e elsewhere) defender(t *testing.T, state string, args ...string) *agent {
	t.Helper()
	a := &agent{cmd: e.command(t, append([]string{"defender", "--state", state}, args...)...), log: &lockedBuffer{}, done: make(chan struct{})}
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { a.cmd.Wait(); close(a.done) }()
	t.Cleanup(func() {
		a.end(t)
		if t.Failed() {
			t.Logf("the defender said:\n%s", last(a.log.String(), 30))
		}
	})
	return a
}

func (a *agent) end(t *testing.T) {
	a.cmd.Process.Signal(syscall.SIGCONT)
	a.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-a.done:
	case <-time.After(20 * time.Second):
		t.Error("the defender did not end within 20 s of SIGTERM")
		a.cmd.Process.Kill()
	}
}

func (a *agent) says(t *testing.T, within time.Duration, text string) {
	t.Helper()
	for deadline := time.Now().Add(within); !strings.Contains(a.log.String(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the defender does not say %q within %v:\n%s", text, within, last(a.log.String(), 20))
		}
	}
}

// freePort returns an address on host that nobody listens on.
func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// joinToken has the console make one.
func (b *box) joinToken() string {
	b.t.Helper()
	var j struct{ Secret, Command string }
	if err := json.Unmarshal([]byte(b.must("node", "join-token", "-o", "json")), &j); err != nil || j.Secret == "" {
		b.t.Fatalf("join token: %v: %+v", err, j)
	}
	if !strings.Contains(j.Command, "redoubt defender --join "+j.Secret) {
		b.t.Errorf("the line to paste is %q", j.Command)
	}
	return j.Secret
}

func TestI10_X7_EnrollingIsRefusedWithoutAWholeUnusedToken(t *testing.T) {
	e := namespace(t, "rdt-enrol", 1)
	b := run(t, "console", t.TempDir(), "--link-listen", e.here+":0")
	try := func(token string, args ...string) (string, int) {
		cmd := e.command(t, append([]string{"defender", "--state", t.TempDir(), "--join", token}, args...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	good := b.joinToken()
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(field, value string) string {
		var m map[string]string
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		m[field] = value
		b, _ := json.Marshal(m)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for _, c := range []struct {
		name, token, says string
		code              int
	}{
		{"another authority pinned", forge("c", strings.Repeat("ab", 32)), "authority is not the one in the join token", 1},
		{"a secret that was guessed", forge("s", "guessed"), "token", 2},
		{"cut short", good[:len(good)-9], "join token", 2},
		{"nobody listens", forge("a", freePort(t, e.here)), "connection refused", 2},
	} {
		out, code := try(c.token)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", c.name, code, c.code, c.says, out)
		}
	}
	if out, code := try(""); code != 2 || !strings.Contains(out, "join-token") {
		t.Errorf("without a token: exit %d:\n%s", code, out)
	}

	a := e.defender(t, t.TempDir(), "--join", good)
	a.says(t, 10*time.Second, "defender started")
	b.find(10*time.Second, "nodes", nil, func(o *object) bool { return len(o.Sensor.Sensing) > 0 })
	out, code := try(good)
	if code == 0 || !strings.Contains(out, "used") {
		t.Errorf("a token used twice: exit %d:\n%s", code, out)
	}
	if n := len(b.get("nodes")); n != 1 {
		t.Errorf("%d nodes, want 1", n)
	}
}

func TestX8_DefenderWithoutConsoleEnforcesAndLosesNothing(t *testing.T) {
	const execs = 2000
	image := needDocker(t)
	tool := probeFile(t)
	e := namespace(t, "rdt-alone", 2)
	container(t, "rdt-alone", image)
	docker(t, "cp", tool, "rdt-alone:/probe")
	b := run(t, "console", t.TempDir(), "--link-listen", freePort(t, e.here))
	a := e.defender(t, t.TempDir(), "--join", b.joinToken())
	b.find(15*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-alone" })
	b.apply(strings.ReplaceAll(denyNetstat, "rdt-prevent", "rdt-alone"))
	denied := func(when string) {
		t.Helper()
		if out, code := tryDocker(t, "exec", "rdt-alone", "netstat", "-tln"); code == 0 || strings.Contains(out, "Proto") {
			t.Errorf("%s: netstat ran: %s", when, out)
		}
	}
	denied("with its console")

	b.kill()
	gone := time.Now()
	docker(t, "exec", "rdt-alone", "/probe", "storm", "alone", "0", fmt.Sprint(execs), "8000")
	denied("without its console")
	time.Sleep(time.Until(gone.Add(20 * time.Second)))
	t.Logf("the console was away for %v", time.Since(gone).Round(time.Second))
	b.start()
	a.says(t, 30*time.Second, "delivery to console resumed")
	n := numbered(b, execs, "alone", 15*time.Second)
	n.check(t, 0)
	refused := 0
	for _, o := range b.get("events", "--workload", "rdt-alone", "--effect", "prevent") {
		refused += o.Count
	}
	if refused != 2 {
		t.Errorf("%d refused execs are recorded, want the one before and the one without the console", refused)
	}
	if l := b.get("nodes")[0].Load; l.Lost+l.Dropped > 0 {
		t.Errorf("lost %d, dropped %d", l.Lost, l.Dropped)
	}

	node := b.get("nodes")[0].ID
	b.must("delete", "node", node)
	a.says(t, 30*time.Second, "removed at the console")
	docker(t, "exec", "rdt-alone", "/probe", "mark", "after-removal")
	time.Sleep(2 * time.Second)
	if got := b.get("events", "-q", "after-removal"); len(got) > 0 {
		t.Errorf("the console still takes events of a node it removed: %s", got[0].Raw)
	}
	if got := b.get("nodes"); len(got) > 0 {
		t.Errorf("the node is back: %s", got[0].Raw)
	}
	denied("after its console removed it")
}

func TestX8_DamagedSpoolIsCountedAndTheRestDelivered(t *testing.T) {
	e := namespace(t, "rdt-spool", 4)
	b := run(t, "console", t.TempDir(), "--link-listen", freePort(t, e.here))
	state := t.TempDir()
	a := e.defender(t, state, "--docker-host", "unix:///nonexistent.sock", "--join", b.joinToken())
	b.find(10*time.Second, "nodes", nil, func(o *object) bool { return len(o.Sensor.Sensing) > 0 })
	b.kill()
	mark := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			exec.Command("/bin/true", fmt.Sprintf("spooled-%06d", i)).Run()
		}
		time.Sleep(time.Second) // they are on disk
	}
	mark(0, 20)
	a.end(t)
	segments, _ := filepath.Glob(filepath.Join(state, "spool", "*.seg"))
	if len(segments) == 0 {
		t.Fatal("nothing was spooled")
	}
	f, err := os.OpenFile(segments[len(segments)-1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := f.Seek(0, io.SeekEnd)
	f.WriteAt([]byte("scribble"), end-8)
	f.Close()
	a = e.defender(t, state, "--docker-host", "unix:///nonexistent.sock")
	a.says(t, 10*time.Second, "event spool damaged")
	mark(20, 40)
	b.start()
	n := numbered(b, 40, "spooled", 20*time.Second)
	missing := n.missing()
	t.Logf("with its last record damaged the spool lacks %d of 40", len(missing))
	n.check(t, 20)
	if len(missing) > 0 && missing[len(missing)-1] >= 20 {
		t.Errorf("what came after the damage is missing too: %v", missing)
	}
	b.find(10*time.Second, "nodes", nil, func(o *object) bool {
		return strings.Contains(strings.Join(o.Gaps, "\n"), "bytes of the event spool were damaged")
	})
}

// tally is how often each number of a storm was recorded.
type tally struct {
	prefix string
	times  []int
}

var number = regexp.MustCompile(`^(.+)-(\d{6})$`)

// numbered counts the execs of a storm that the console has, and waits for all
// of them, but not longer than patience.
func numbered(b *box, execs int, prefix string, patience time.Duration) tally {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(500 * time.Millisecond) {
		n := tally{prefix, make([]int, execs)}
		seen := 0
		for _, o := range b.get("events", "--kind", "exec", "--limit", "0", "-q", prefix+"-") {
			if o.Process == nil || len(o.Process.Args) == 0 || o.Process.Path == binary.path { // that one only asks
				continue
			}
			m := number.FindStringSubmatch(o.Process.Args[len(o.Process.Args)-1])
			var i int
			if m == nil || m[1] != prefix {
				continue
			}
			if fmt.Sscanf(m[2], "%d", &i); i < execs {
				if n.times[i] += o.Count; n.times[i] == o.Count {
					seen++
				}
			}
		}
		if seen == execs || time.Now().After(deadline) {
			return n
		}
	}
}

// missing returns the numbers that were never recorded.
func (n tally) missing() (out []int) {
	for i, times := range n.times {
		if times == 0 {
			out = append(out, i)
		}
	}
	return out
}

// check wants every number once, save for as many as may be missing.
func (n tally) check(t *testing.T, mayMiss int) {
	t.Helper()
	for i, times := range n.times {
		if times > 1 {
			t.Errorf("%s-%06d was recorded %d times", n.prefix, i, times)
		}
	}
	if m := n.missing(); len(m) > mayMiss {
		t.Errorf("%d of %d execs are missing, at most %d may be: %v", len(m), len(n.times), mayMiss, m[:min(len(m), 20)])
	}
}

func TestD13_SilentNodeRaisesAnAlertWithinAMinute(t *testing.T) {
	e := namespace(t, "rdt-silent", 3)
	b := run(t, "console", t.TempDir(), "--link-listen", e.here+":0")
	t.Parallel()
	a := e.defender(t, t.TempDir(), "--join", b.joinToken())
	node := b.find(15*time.Second, "nodes", nil, func(o *object) bool { return len(o.Sensor.Sensing) > 0 })
	if got := b.get("alerts"); len(got) > 0 {
		t.Errorf("an honest node raised %s", got[0].Raw)
	}
	a.cmd.Process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	alert := b.find(65*time.Second, "alerts", []string{"--kind", "loss"}, func(o *object) bool { return strings.Contains(o.Title, node.ID) })
	took := time.Since(stopped)
	t.Logf("alert %q after %v", alert.Title, took.Round(time.Second))
	if took > time.Minute {
		t.Errorf("it took %v", took)
	}
	a.cmd.Process.Signal(syscall.SIGCONT)
	b.find(20*time.Second, "alerts", []string{"--kind", "loss", "--status", "resolved"}, func(o *object) bool { return o.ID == alert.ID })
}
