// Package system reports the node itself and the systemd services on it, told
// apart by the names of their cgroups; it never talks to systemd, so where
// there is none only the node is reported.
package system

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

const (
	rescan   = 30 * time.Second // in case a notice was missed
	maxUnits = 4_096            // services beyond it count as the node
	maxDepth = 8                // of slices within slices
)

// Config is what a Source needs.
type Config struct {
	Node     redoubt.NodeID
	Hostname string
	Cgroups  workload.Hierarchy
}

// Source reports the node and its services. Run is called once.
type Source struct {
	cfg   Config
	root  string                      // of the hierarchy that units are named in
	known map[string]redoubt.Workload // by unit
}

var _ workload.Source = (*Source)(nil)

// New returns a Source. Units are looked for on the v2 hierarchy, and where
// that has none on the v1 hierarchy of systemd.
func New(cfg Config) *Source {
	return &Source{cfg: cfg, known: map[string]redoubt.Workload{}}
}

// Name implements workload.Source.
func (s *Source) Name() string { return "system" }

// Run implements workload.Source.
func (s *Source) Run(ctx context.Context, sink func(workload.Change)) error {
	sink(workload.Change{Workload: s.host()})
	notices, err := newNotices()
	if err != nil {
		return err
	}
	defer notices.close()
	go func() { <-ctx.Done(); notices.close() }()
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	for {
		s.scan(notices, sink)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-notices.changed:
		}
	}
}

// host is the node as a workload: whatever no container and no service owns.
func (s *Source) host() redoubt.Workload {
	return redoubt.Workload{
		WorkloadRef: redoubt.WorkloadRef{
			ID:   redoubt.WorkloadID("host/" + string(s.cfg.Node)),
			Kind: redoubt.KindHost,
			Name: s.cfg.Hostname,
		},
		Node:      s.cfg.Node,
		Cgroup:    "/",
		CgroupID:  s.cfg.Cgroups.ID("/"),
		PID:       1,
		Addresses: addresses(),
		Started:   booted(),
		Running:   true,
	}
}

// scan reports the difference between what is there and what was.
func (s *Source) scan(n *notices, sink func(workload.Change)) {
	found := map[string]redoubt.Workload{}
	for _, root := range []string{s.cfg.Cgroups.V2, s.cfg.Cgroups.Systemd} {
		if root != "" && len(found) == 0 {
			s.root = root
			s.walk(n, "", 0, found)
		}
	}
	for unit, w := range s.known {
		if _, ok := found[unit]; !ok {
			w.Running, w.PID = false, 0
			sink(workload.Change{Workload: w, Gone: true})
			delete(s.known, unit)
		}
	}
	for unit, w := range found {
		if old, ok := s.known[unit]; !ok || old.Cgroup != w.Cgroup || old.CgroupID != w.CgroupID || old.PID != w.PID {
			sink(workload.Change{Workload: w})
			s.known[unit] = w
		}
	}
}

// walk looks for services in the slice at dir. Units lie only in slices;
// what is below anything else belongs to its owner.
func (s *Source) walk(n *notices, dir string, depth int, found map[string]redoubt.Workload) {
	full := filepath.Join(s.root, dir)
	n.watch(full)
	entries, err := os.ReadDir(full)
	if err != nil {
		return // gone meanwhile
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case !e.IsDir():
		case strings.HasSuffix(name, ".slice") && depth < maxDepth:
			s.walk(n, filepath.Join(dir, name), depth+1, found)
		case strings.HasSuffix(name, ".service") && len(name) > len(".service") && len(found) < maxUnits:
			n.watch(filepath.Join(full, name))
			if w, ok := s.service(e, filepath.Join("/", dir, name)); ok {
				found[name] = w
			}
		}
	}
}

// service describes one; one without processes has stopped.
func (s *Source) service(e fs.DirEntry, path string) (redoubt.Workload, bool) {
	pid := firstProcess(filepath.Join(s.root, path))
	if pid == 0 {
		return redoubt.Workload{}, false
	}
	w := redoubt.Workload{
		WorkloadRef: redoubt.WorkloadRef{ID: workload.UnitID(e.Name()), Kind: redoubt.KindService, Name: e.Name()},
		Node:        s.cfg.Node,
		Cgroup:      path,
		CgroupID:    s.cfg.Cgroups.ID(path),
		PID:         pid,
		Running:     true,
	}
	if i, err := e.Info(); err == nil {
		w.Started = i.ModTime()
	}
	return w, true
}

// firstProcess returns the lowest process id in a cgroup or below it.
func firstProcess(dir string) int {
	lowest := 0
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() != "cgroup.procs" {
			return nil
		}
		b, _ := os.ReadFile(path)
		for line := range strings.Lines(string(b)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 && (lowest == 0 || pid < lowest) {
				lowest = pid
			}
		}
		return nil
	})
	return lowest
}

// addresses are the node's own, without loopback and link-local ones.
func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	slices.Sort(out)
	return out
}

// booted is when the node started.
func booted() time.Time {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(up.Nano())).Round(time.Second)
}

// notices says that some cgroup was made, removed, filled or emptied.
type notices struct {
	f       *os.File
	changed chan struct{}
}

func newNotices() (*notices, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch cgroups: %w", err)
	}
	n := &notices{f: os.NewFile(uintptr(fd), "inotify"), changed: make(chan struct{}, 1)}
	go n.read()
	return n, nil
}

// read turns any number of notices into one pending token.
func (n *notices) read() {
	buf := make([]byte, 64<<10)
	for {
		if _, err := n.f.Read(buf); err != nil {
			return
		}
		select {
		case n.changed <- struct{}{}:
		default:
		}
	}
}

// watch is repeated on every scan; the kernel keeps one watch a directory. A
// directory it has no room for is found by the next rescan.
func (n *notices) watch(dir string) {
	raw, err := n.f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.InotifyAddWatch(int(fd), dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
		unix.InotifyAddWatch(int(fd), filepath.Join(dir, "cgroup.events"), unix.IN_MODIFY) // v2: filled, emptied
		unix.InotifyAddWatch(int(fd), filepath.Join(dir, "cgroup.procs"), unix.IN_MODIFY)  // v1: filled
	})
}

func (n *notices) close() { n.f.Close() }
