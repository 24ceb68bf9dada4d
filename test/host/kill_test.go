package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storm is a row of numbered execs in a container, followed as it goes.
type storm struct {
	cmd  *exec.Cmd
	done chan struct{}
	at   []time.Time // when each number was through; read after done
}

func startStorm(t *testing.T, name, prefix string, execs int, pause time.Duration) *storm {
	t.Helper()
	s := &storm{done: make(chan struct{})}
	s.cmd = exec.Command("docker", "exec", name, "/probe", "storm", prefix, "0", strconv.Itoa(execs), strconv.Itoa(int(pause.Microseconds())))
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			s.at = append(s.at, time.Now())
		}
		s.cmd.Wait()
	}()
	return s
}

// A kill may take what was not on disk yet: the outbox gathers for 100 ms, and
// the judge may be a little behind. Loaded machines get some slack.
const mayLose = 500 * time.Millisecond

func TestX8_KilledAtAnyMomentNothingAcknowledgedIsLostOrDoubled(t *testing.T) {
	const execs, rounds = 600, 5
	image := needDocker(t)
	tool := probeFile(t)
	container(t, "rdt-killed", image)
	docker(t, "cp", tool, "rdt-killed:/probe")
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-killed" })
	b.apply(strings.ReplaceAll(denyNetstat, "rdt-prevent", "rdt-killed"))
	policy := b.must("describe", "policy", "no-recon")
	pid := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-killed")
	var worst time.Duration
	entries := 0
	for round := range rounds {
		prefix := "round" + strconv.Itoa(round)
		s := startStorm(t, "rdt-killed", prefix, execs, 3*time.Millisecond)
		time.Sleep(500*time.Millisecond + rand.N(2*time.Second))
		b.kill()
		killed := time.Now()
		<-s.done
		if len(s.at) != execs {
			t.Errorf("%s: the workload ended after %d of %d execs", prefix, len(s.at), execs)
		}
		b.start()
		n := numbered(b, execs, prefix, 2*time.Second)
		n.check(t, execs)
		first := slices.Index(n.times, 0)
		last := execs - 1
		for last >= 0 && n.times[last] == 0 {
			last--
		}
		if first >= 0 && first < last && s.at[last].Before(killed) {
			t.Errorf("%s: %d is missing but %d is there", prefix, first, last)
		}
		if first >= 0 && s.at[first].Before(killed) {
			lost := killed.Sub(s.at[first])
			worst = max(worst, lost)
			if lost > mayLose {
				t.Errorf("%s: killed, %v of events are missing: from %d on", prefix, lost, first)
			}
		}
		if got := len(b.profile("docker/rdt-host-nginx").Entries); got < entries {
			t.Errorf("%s: the profile shrank from %d to %d entries", prefix, entries, got)
		} else {
			entries = got
		}
	}
	t.Logf("%d kills took at most the last %v of events each", rounds, worst.Round(time.Millisecond))

	ids := map[int]bool{}
	for _, o := range b.get("events", "--limit", "0") {
		var n int
		fmt.Sscanf(o.ID, "e%d", &n)
		if ids[n] {
			t.Errorf("event id %s is given twice", o.ID)
		}
		ids[n] = true
	}
	for n := 1; n <= len(ids); n++ {
		if !ids[n] {
			t.Errorf("event e%d is missing of %d", n, len(ids))
			break
		}
	}
	if now := b.must("describe", "policy", "no-recon"); now != policy {
		t.Errorf("the policy changed:\n%s\nwas\n%s", now, policy)
	}
	if entries == 0 {
		t.Error("the profile is empty")
	}
	b.must("audit", "verify")
	waitDenied(t, "rdt-killed", "netstat -tln", "Proto")
	if now := docker(t, "inspect", "-f", "{{.State.Pid}}", "rdt-killed"); now != pid {
		t.Error("the container was restarted")
	}
}

// waitDenied waits until a command in a container no longer shows what it did.
func waitDenied(t *testing.T, name, command, shows string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		out, _ := tryDocker(t, "exec", name, "sh", "-c", command)
		if !strings.Contains(out, shows) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s still runs: %s", command, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// learned is what the tests look at of a profile.
type learned struct {
	State    string
	Revision int64
	Entries  []struct {
		ID, Kind string
		Exec     *struct {
			Path, Parent string
			Args         []string
		}
	}
}

func (b *box) profile(workload string) (p learned) {
	b.t.Helper()
	var d struct{ Spec learned }
	out := b.must("profile", "export", workload, "-o", "json")
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		b.t.Fatalf("profile export: %v\n%s", err, out)
	}
	return d.Spec
}
