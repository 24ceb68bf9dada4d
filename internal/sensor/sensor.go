package sensor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

//go:generate go tool bpf2go -cc clang -strip llvm-strip -target bpfel -no-global-types bpf bpf/sensor.c -- -O2 -g -Wall -Werror -mcpu=v3 -I bpf

// Config is what Open needs; the zero Config is a usable one.
type Config struct {
	Logger     *slog.Logger           // discards if nil
	RingBytes  int                    // room for sightings nobody took yet; a power of two, 4 MiB if 0
	CgroupRoot string                 // mount of the unified hierarchy; found if empty
	Alike      int                    // like sightings of one cgroup sent in a second before the rest is only counted; 10 if 0
	Without    func(hook string) bool // hooks to leave out, by the names in Coverage; none if nil; exec always stays
}

// Sensor is the loaded kernel side. Its methods may be called from several
// goroutines; Run from one at a time. Everything in the kernel goes when it is
// closed or the process ends: nothing is pinned.
type Sensor struct {
	cfg      Config
	log      *slog.Logger
	root     string // mount of the unified hierarchy, "" if there is none
	cgroups  string // "v1", "hybrid", "v2"
	maps     map[string]*ebpf.Map
	programs []*ebpf.Program
	drops    []*ebpf.Program
	links    []link.Link
	reader   *ringbuf.Reader
	sensing  []string
	gaps     []string
	settings settings
	kernelNS atomic.Uint64 // run time of the programs, reckoned from samples
	bursts   bursts

	rules rules

	mu       sync.Mutex
	isolated map[string][]link.Link
	held     map[int]uint64
}

// Open loads and attaches what this kernel allows; what it refuses is a gap,
// not an error. It fails if exec cannot be seen at all.
func Open(cfg Config) (*Sensor, error) {
	s := &Sensor{cfg: cfg, log: cfg.Logger, isolated: map[string][]link.Link{}, held: map[int]uint64{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.root, s.cgroups = mounted(cfg.CgroupRoot)
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open sensor: %w", err), s.Close())
	}
	return s, nil
}

func (s *Sensor) open() error {
	// Needed before 5.11 only, where a refusal shows in the maps themselves.
	_ = rlimit.RemoveMemlock()
	spec, err := loadBpf()
	if err != nil {
		return err
	}
	if s.cfg.RingBytes != 0 {
		spec.Maps[bpfMapRing].MaxEntries = uint32(s.cfg.RingBytes)
	}
	if err := s.configure(spec); err != nil {
		return err
	}
	if err := s.load(spec); err != nil {
		return err
	}
	if err := s.rules.open(s.maps); err != nil {
		return err
	}
	s.reader, err = ringbuf.NewReader(s.maps[bpfMapRing])
	return err
}

func (s *Sensor) configure(spec *ebpf.CollectionSpec) error {
	var secret [16]byte
	rand.Read(secret[:])
	le := binary.LittleEndian
	set := func(name string, v any) error { return spec.Variables[name].Set(v) }
	err := set(bpfVarSecret, [2]uint64{le.Uint64(secret[:]), le.Uint64(secret[8:])})
	if s.cfg.Alike > 0 {
		err = errors.Join(err, set(bpfVarBurstLimit, uint32(s.cfg.Alike)))
	}
	// A defender in a container of its own is told apart by init; where init
	// may not be looked at, this process stands for the node.
	for _, pid := range []string{"1", "self"} {
		var st syscall.Stat_t
		if syscall.Stat("/proc/"+pid+"/ns/mnt", &st) == nil {
			return errors.Join(err, set(bpfVarNodeMntns, uint32(st.Ino)))
		}
	}
	return err
}

// Run passes sightings to sink in the kernel's order until ctx is done, then
// returns ctx's error. sink must not block for long: the ring fills meanwhile.
func (s *Sensor) Run(ctx context.Context, sink func(*Sighting)) error {
	stop := context.AfterFunc(ctx, func() { s.reader.Flush() })
	defer stop()
	timing, ended := context.WithCancel(ctx)
	defer ended()
	go s.time(timing)
	cache := btf.NewCache()
	var rec ringbuf.Record
	boot, checked, pending := bootTime(), time.Now(), false
	for ctx.Err() == nil {
		// Wakes up without a sighting only while there may be held-back ones.
		if pending {
			s.reader.SetDeadline(checked.Add(time.Second))
		} else {
			s.reader.SetDeadline(time.Time{})
		}
		err := s.reader.ReadInto(&rec)
		switch {
		case err == nil:
			sighting, m, err := decode(rec.RawSample, boot)
			if err != nil {
				s.log.Error("sensor record unreadable", "error", err)
				continue
			}
			if m.blind {
				s.overlay(cache)
			}
			pending = s.bursts.note(m, sighting) || pending
			s.remember(sighting)
			sink(sighting)
		case errors.Is(err, ringbuf.ErrClosed):
			return fmt.Errorf("read sightings: %w", err)
		case !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, ringbuf.ErrFlushed):
			return fmt.Errorf("read sightings: %w", err)
		}
		if now := time.Now(); now.Sub(checked) >= time.Second {
			boot, checked = bootTime(), now
			if pending {
				pending = s.bursts.sweep(s.maps[bpfMapBursts], sink)
			}
		}
	}
	return ctx.Err()
}

// Coverage says which hooks are attached and what can be enforced with them.
func (s *Sensor) Coverage() redoubt.Coverage {
	c := redoubt.Coverage{Sensing: append([]string(nil), s.sensing...), Cgroups: s.cgroups}
	has := func(name string) bool { return slices.Contains(s.sensing, name) }
	if has("lsm/bprm_check_security") {
		c.Exec = append(c.Exec, redoubt.BackendLSM)
	}
	c.Exec = append(c.Exec, redoubt.BackendKill)
	if has("cgroup/connect4") && has("cgroup/connect6") {
		c.Connect = append(c.Connect, redoubt.BackendConnect)
	}
	if len(s.drops) == 2 && s.root != "" {
		c.Connect = append(c.Connect, redoubt.BackendCgroup)
	}
	return c
}

// Gaps lists in plain words what this kernel does not let the sensor see or
// enforce.
func (s *Sensor) Gaps() []string { return append([]string(nil), s.gaps...) }

// Close takes everything out of the kernel and lets held processes run on. A
// running Run returns.
func (s *Sensor) Close() error {
	var err error
	for _, pid := range s.stillHeld() {
		if e := s.Resume(pid); !fault.Is(e, fault.NotFound) { // it may have ended
			err = errors.Join(err, e)
		}
	}
	s.mu.Lock()
	for _, links := range s.isolated {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
	}
	s.isolated = map[string][]link.Link{}
	s.mu.Unlock()
	for _, l := range s.links {
		err = errors.Join(err, l.Close())
	}
	for _, p := range append(s.programs, s.drops...) {
		err = errors.Join(err, p.Close())
	}
	if s.reader != nil {
		err = errors.Join(err, s.reader.Close())
	}
	err = errors.Join(err, s.rules.close())
	for _, m := range s.maps {
		err = errors.Join(err, m.Close())
	}
	return err
}
