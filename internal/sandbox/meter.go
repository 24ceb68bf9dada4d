package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Meter reads what a sandbox uses between one look and the next, as often as
// once for each call: it keeps the kernel's files open. It is for one
// goroutine at a time.
type Meter struct {
	s         *Sandbox
	cpu, peak *os.File // nil where the machine does not count that
	field     string   // of cpu, which then is in microseconds
	buf       [512]byte
}

// Meter opens a meter; its owner closes it.
func (s *Sandbox) Meter() (*Meter, error) {
	m := &Meter{s: s}
	g := s.group
	var err error
	open := func(controller, file string, flags int) *os.File {
		f, e := os.OpenFile(g.at(controller, file), flags, 0)
		err = errors.Join(err, e)
		return f
	}
	if g.h.dirs["cpuacct"] != "" {
		m.cpu = open("cpuacct", "cpuacct.usage", os.O_RDONLY)
	} else if g.h.unified != "" {
		m.cpu, m.field = open("", "cpu.stat", os.O_RDONLY), "usage_usec "
	}
	// On version 2 a reset holds for the open file it was written to.
	if g.h.limits["memory"] {
		f, e := os.OpenFile(g.at("", "memory.peak"), os.O_RDWR, 0)
		if errors.Is(e, os.ErrPermission) { // before Linux 6.12 it cannot be reset
			f, e = os.Open(g.at("", "memory.peak"))
		}
		m.peak, err = f, errors.Join(err, e)
	} else if g.h.dirs["memory"] != "" {
		m.peak = open("memory", "memory.max_usage_in_bytes", os.O_RDWR)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("measure sandbox %s: %w", s.spec.ID, err)
	}
	return m, nil
}

// Read returns the processor time used so far and the most memory there was
// since Reset, /tmp as it is now apart. After the sandbox's end it says what
// there was in all.
func (m *Meter) Read() (cpu time.Duration, peak int64) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if m.s.over {
		return m.s.last.CPU, m.s.last.MemoryPeak
	}
	if n := m.number(m.cpu, m.field); m.field == "" {
		cpu = time.Duration(n)
	} else {
		cpu = time.Duration(n) * time.Microsecond
	}
	peak = m.number(m.peak, "")
	var st unix.Statfs_t
	if unix.Fstatfs(m.s.tmp, &st) == nil {
		peak = max(0, peak-int64(st.Blocks-st.Bfree)*st.Bsize)
	}
	return cpu, peak
}

// number reads the number at the start of f, or after a name in it.
func (m *Meter) number(f *os.File, name string) int64 {
	if f == nil {
		return 0
	}
	n, _ := f.ReadAt(m.buf[:], 0)
	text := m.buf[:n]
	if name != "" {
		_, text, _ = bytes.Cut(text, []byte(name))
	}
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	v, _ := strconv.ParseInt(string(text), 10, 64)
	return v
}

// Reset makes the peak start anew.
func (m *Meter) Reset() error {
	if m.peak == nil {
		return nil
	}
	if _, err := m.peak.WriteAt([]byte("0"), 0); err != nil {
		return fmt.Errorf("reset peak of sandbox %s: %w", m.s.spec.ID, err)
	}
	return nil
}

// Close lets go of the kernel's files.
func (m *Meter) Close() {
	for _, f := range []*os.File{m.cpu, m.peak} {
		if f != nil {
			f.Close()
		}
	}
}
