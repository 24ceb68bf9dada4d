package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// unavailable says why something cannot be measured here; the table shows it.
type unavailable struct{ why string }

func (u unavailable) Error() string { return "not measured: " + u.why }

const (
	auditUntouched = "-a never,task" // new processes get no audit context
	auditExecs     = "-a always,exit -F arch=b64 -S execve -S execveat -k redoubt-bench"
)

// unaudited keeps the kernel's audit out of all conditions but its own: once it
// was on, every later process would otherwise pay for it.
func (l *lab) unaudited(ctx context.Context) error {
	if _, err := exec.LookPath("auditctl"); err != nil {
		return nil
	}
	if busy := auditBusy(ctx); busy != "" {
		return nil // not ours to change; auditd() says so in the table
	}
	l.atEnd(func() { audit(context.Background(), "-D") })
	return audit(ctx, auditUntouched)
}

// auditBusy says why the kernel's audit is not ours to use.
func auditBusy(ctx context.Context) string {
	status, err := command(ctx, "auditctl", "-s")
	if err != nil {
		return err.Error()
	}
	if !strings.Contains(status, "pid 0\n") {
		return "an auditd runs here already"
	}
	rules, err := command(ctx, "auditctl", "-l")
	if err != nil {
		return err.Error()
	}
	if !strings.Contains(rules, "No rules") && rules != auditUntouched {
		return "there are audit rules here already"
	}
	return ""
}

func audit(ctx context.Context, line string) error {
	_, err := command(ctx, "auditctl", strings.Fields(line)...)
	return err
}

var backlogLimit = regexp.MustCompile(`backlog_limit (\d+)`)

// auditd is an audit daemon of our own with one rule: every exec.
func (l *lab) auditd() condition {
	return condition{"auditd with an execve rule", func(ctx context.Context) ([]int, func() error, error) {
		path, err := exec.LookPath("auditd")
		if err != nil {
			return nil, nil, unavailable{"no auditd"}
		}
		if busy := auditBusy(ctx); busy != "" {
			return nil, nil, unavailable{busy}
		}
		dir, err := os.MkdirTemp(l.dir, "auditd-")
		if err != nil {
			return nil, nil, err
		}
		conf := fmt.Sprintf("local_events = yes\nwrite_logs = yes\nlog_file = %s\nlog_format = ENRICHED\nflush = INCREMENTAL_ASYNC\nfreq = 50\n"+
			"max_log_file = 64\nnum_logs = 2\nmax_log_file_action = ROTATE\nspace_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n"+
			"admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\nplugin_dir = %s\nq_depth = 2000\noverflow_action = IGNORE\n",
			filepath.Join(dir, "audit.log"), filepath.Join(dir, "plugins.d"))
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins.d"), 0o750), os.WriteFile(filepath.Join(dir, "auditd.conf"), []byte(conf), 0o640), os.Chmod(dir, 0o750)); err != nil {
			return nil, nil, err
		}
		d := &process{cmd: exec.Command(path, "-n", "-s", "nochange", "-c", dir), done: make(chan struct{})}
		if err := d.cmd.Start(); err != nil {
			return nil, nil, err
		}
		go func() { d.cmd.Wait(); close(d.done) }()
		status, _ := command(ctx, "auditctl", "-s")
		backlog := backlogLimit.FindStringSubmatch(status)
		end := func() error {
			bg := context.Background()
			err := errors.Join(audit(bg, "-D"), audit(bg, "-e 0"), audit(bg, auditUntouched))
			if backlog != nil {
				err = errors.Join(err, audit(bg, "-b "+backlog[1]))
			}
			return errors.Join(err, d.stop())
		}
		l.atEnd(func() { d.stop() })
		err = errors.Join(audit(ctx, "-D"), audit(ctx, "-b 8192"), audit(ctx, auditExecs), audit(ctx, "-e 1"))
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		log := filepath.Join(dir, "audit.log")
		err = wait(ctx, "auditd to write", 10*time.Second, 50*time.Millisecond, func() (bool, error) {
			exec.CommandContext(ctx, "true").Run()
			b, err := os.ReadFile(log)
			return strings.Contains(string(b), "type=EXECVE"), err
		})
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		return []int{d.pid()}, end, nil
	}}
}

// traceable mounts the kernel's tracing files for the time of the measure where
// they are not there: bpftrace looks its tracepoints up in them.
func (l *lab) traceable(ctx context.Context) error {
	const dir = "/sys/kernel/tracing"
	if _, err := os.Stat(dir + "/events"); err == nil {
		return nil
	}
	if _, err := command(ctx, "mount", "-t", "tracefs", "tracefs", dir); err != nil {
		return err
	}
	l.atEnd(func() { command(context.Background(), "umount", dir) })
	return nil
}

const execsnoop = `tracepoint:syscalls:sys_enter_execve { printf("%d %s ", pid, str(args->filename)); join(args->argv); }`

// bpftrace prints every exec with its arguments, as execsnoop does.
func (l *lab) bpftrace() condition {
	return condition{"bpftrace execsnoop", func(ctx context.Context) ([]int, func() error, error) {
		path, err := exec.LookPath("bpftrace")
		if err != nil {
			return nil, nil, unavailable{"no bpftrace"}
		}
		if err := l.traceable(ctx); err != nil {
			return nil, nil, unavailable{err.Error()}
		}
		d := &process{cmd: exec.Command(path, "-e", execsnoop), done: make(chan struct{})}
		out, err := d.cmd.StdoutPipe()
		if err != nil {
			return nil, nil, err
		}
		var errs strings.Builder
		d.cmd.Stderr = &errs
		d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		if err := d.cmd.Start(); err != nil {
			return nil, nil, err
		}
		l.atEnd(func() { d.stop() })
		seen := make(chan bool, 1)
		go func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if strings.Contains(lines.Text(), "/true") {
					select {
					case seen <- true:
					default:
					}
				}
			}
			io.Copy(io.Discard, out)
			d.cmd.Wait()
			close(d.done)
		}()
		err = wait(ctx, "bpftrace to print", 30*time.Second, 50*time.Millisecond, func() (bool, error) {
			select {
			case <-d.done:
				return false, unavailable{"bpftrace ended: " + strings.TrimSpace(errs.String())}
			case <-seen:
				return true, nil
			default:
				return false, exec.CommandContext(ctx, "/bin/true").Run()
			}
		})
		if err != nil {
			d.stop()
			return nil, nil, err
		}
		return []int{d.pid()}, d.stop, nil
	}}
}
