package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// product is a running `redoubt up` or `redoubt console`, with a client for it
// and, where it runs apart, its defender.
type product struct {
	l        *lab
	began    time.Time // when its binary was started
	url      string
	token    string
	ca       string
	api      *api.Client
	state    string
	main     *process
	defender *process
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks a process of ours to end, and sees to it.
func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within 20 s of SIGTERM", p.cmd.Path)
	}
}

// options say how to start the product.
type options struct {
	state   string // "" is a fresh one
	ungated bool   // without fanotify
	apart   bool   // console and defender in processes of their own
	bare    bool   // a console with no defender
}

var address = regexp.MustCompile(`https://[0-9.:\[\]]+`)

// run starts the product; stop ends it, at the latest with the measure.
func (l *lab) run(ctx context.Context, o options) (*product, error) {
	if o.state == "" {
		dir, err := os.MkdirTemp(l.dir, "state-")
		if err != nil {
			return nil, err
		}
		o.state = dir
	}
	role := "up"
	if o.apart || o.bare {
		role = "console"
	}
	tokenFile := filepath.Join(o.state, "token")
	p := &product{l: l, state: o.state}
	argv := l.argv(o, role, "--state", o.state, "--listen", "127.0.0.1:0", "--link-listen", "127.0.0.1:0", "--token-file", tokenFile)
	p.began = time.Now()
	main, out, err := l.spawn(argv)
	if err != nil {
		return nil, err
	}
	p.main = main
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url := address.FindString(lines.Text()); url != "" && p.url == "" {
				p.url = url
				found <- url
			}
		}
	}()
	select {
	case <-found:
	case <-main.done:
		return nil, fmt.Errorf("redoubt %s ended at once; -v shows why", role)
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("redoubt %s printed no address within 30 s", role)
	}
	if err := p.connect(o.state, tokenFile); err != nil {
		return nil, err
	}
	if o.apart {
		return p, p.join(ctx, o)
	}
	return p, nil
}

func (p *product) connect(state, tokenFile string) error {
	secret, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(state, "ca.crt"))
	if err != nil {
		return err
	}
	p.token, p.ca = strings.TrimSpace(string(secret)), string(ca)
	p.api, err = api.NewClient(api.Config{URL: p.url, Token: p.token, CA: p.ca, Version: "bench"})
	return err
}

// join starts a defender of its own and enrols it.
func (p *product) join(ctx context.Context, o options) (err error) {
	var t api.JoinToken
	if err := wait(ctx, "the console", 10*time.Second, 20*time.Millisecond, func() (bool, error) {
		t, err = p.api.CreateJoinToken(ctx)
		return err == nil, err
	}); err != nil {
		return err
	}
	node := filepath.Join(o.state, "defender")
	d, out, err := p.l.spawn(p.l.argv(o, "defender", "--state", node, "--join", t.Secret))
	if err != nil {
		return err
	}
	go io.Copy(io.Discard, out)
	p.defender = d
	return nil
}

func (l *lab) argv(o options, args ...string) []string {
	argv := append([]string{l.binary}, args...)
	if o.ungated {
		self, err := os.Executable()
		if err != nil {
			panic(err) // Linux knows it
		}
		argv = append([]string{self, withoutGate}, argv...)
	}
	return argv
}

func (l *lab) spawn(argv []string) (*process, io.Reader, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if l.verbose {
		cmd.Stderr = os.Stderr
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	l.own[p.pid()] = true
	go func() { cmd.Wait(); close(p.done) }()
	l.atEnd(func() { p.stop() })
	return p, out, nil
}

// stop ends the product and waits until it is out of the kernel.
func (p *product) stop() error {
	if p.defender != nil {
		if err := p.defender.stop(); err != nil {
			return err
		}
	}
	return p.main.stop()
}

// knows waits until an instance is in the API and returns its workload id.
func (p *product) knows(ctx context.Context, instance string) (id redoubt.WorkloadID, err error) {
	err = wait(ctx, "the workload in the API", 30*time.Second, 50*time.Millisecond, func() (bool, error) {
		w, err := p.api.Workload(ctx, instance)
		id = w.Ref.ID
		return err == nil && w.Running, err
	})
	return id, err
}

// move brings a profile to a state, by the way that people have to take.
func (p *product) move(ctx context.Context, id redoubt.WorkloadID, to profile.State) error {
	if to == profile.Enforcing {
		if _, err := p.api.SetProfileState(ctx, string(id), profile.Observing); err != nil {
			return err
		}
	}
	_, err := p.api.SetProfileState(ctx, string(id), to)
	return err
}

// learned waits until the profile holds a program.
func (p *product) learned(ctx context.Context, id redoubt.WorkloadID, path string) error {
	return wait(ctx, path+" in the profile", 30*time.Second, 100*time.Millisecond, func() (bool, error) {
		n, err := p.counted(ctx, id, path)
		return n > 0, err
	})
}

// counted is how often a program is in the profile.
func (p *product) counted(ctx context.Context, id redoubt.WorkloadID, path string) (n int64, err error) {
	all, err := p.api.Profile(ctx, string(id))
	for _, e := range all.Entries {
		if e.Exec != nil && e.Exec.Path == path {
			n += int64(e.Count)
		}
	}
	return n, err
}

// node waits for a report of the defender that is younger than t.
func (p *product) node(ctx context.Context, t time.Time) (n redoubt.NodeStatus, err error) {
	err = wait(ctx, "a report of the node", 15*time.Second, 100*time.Millisecond, func() (bool, error) {
		all, err := p.api.Nodes(ctx, api.Filter{})
		if len(all) == 1 {
			n = all[0]
		}
		return err == nil && len(all) == 1 && n.Time.After(t), err
	})
	return n, err
}
