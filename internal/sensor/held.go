package sensor

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// heldMax bounds the processes that are remembered as held. Beyond it one is
// let go on and kill by its number alone.
const heldMax = 4096

// remember keeps the start time of a held process, so that another process
// with its number is never resumed or killed in its place.
func (s *Sensor) remember(g *Sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case g.Kind == redoubt.EventExit:
		delete(s.held, g.PID)
	case g.Held && len(s.held) < heldMax:
		s.held[g.PID] = g.Started
	}
}

func (s *Sensor) stillHeld() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.held))
}

// Resume lets a held process run on.
func (s *Sensor) Resume(pid int) error { return s.signal(pid, unix.SIGCONT) }

// Kill ends a process, held or not.
func (s *Sensor) Kill(pid int) error { return s.signal(pid, unix.SIGKILL) }

func (s *Sensor) signal(pid int, sig unix.Signal) error {
	s.mu.Lock()
	started, held := s.held[pid]
	delete(s.held, pid)
	s.mu.Unlock()
	if pid <= 1 {
		return fault.New(fault.Invalid, "signal process %d: not one to signal", pid)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fault.New(fault.NotFound, "signal process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if held && !startedAt(pid, started) {
		return fault.New(fault.NotFound, "signal process %d: it has ended, the number is another's", pid)
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// startedAt compares with /proc, which counts in hundredths of a second.
func startedAt(pid int, ns uint64) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, ok := bytes.Cut(b[max(0, bytes.LastIndexByte(b, ')')):], []byte(" "))
	f := bytes.Fields(after)
	if !ok || len(f) < 20 {
		return false
	}
	ticks, err := strconv.ParseUint(string(f[19]), 10, 64)
	return err == nil && ticks == ns/1e7
}
