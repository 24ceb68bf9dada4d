// Package spool is a bounded queue of opaque records on disk, between a
// defender that must not wait and a console that may be away. It knows records,
// sequence numbers and how many events a record stands for; what is in a record
// is package link's business.
//
// A record is written to a segment file with one write call before Append
// returns, so it outlives the process being killed. Nothing is flushed to the
// platter: a power cut may take the last seconds, which the cut-off tail then
// shows. A record leaves only by Ack, or by being the oldest when the spool is
// full or too old, which is counted. Sequence numbers start above the clock in
// microseconds at every Open, so that no number is ever used for two contents,
// whatever was lost before.
//
// Where the disk refuses a write, records wait in memory up to Config.Memory
// and move to disk once it takes them; a crash loses them. Past that the newest
// are dropped and counted.
package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Config sizes a spool. Zero fields take the defaults.
type Config struct {
	Dir    string        // made 0700 if absent; one process at a time
	Bytes  int64         // on disk; default 512 MiB
	Age    time.Duration // default 24 h
	Memory int64         // bytes held while the disk refuses writes; default 8 MiB
	Now    func() time.Time
}

// Record is one entry of the queue. Count is how many events it stands for.
type Record struct {
	Seq     uint64
	Time    time.Time // when it was appended
	Count   int
	Payload []byte
}

// Stats says what is in the spool and what was lost since Open.
type Stats struct {
	Records int    // waiting
	Events  int    // waiting
	Bytes   int64  // on disk
	Memory  int64  // bytes waiting in memory because the disk refuses writes
	Dropped uint64 // events dropped: spool full, too old, or disk and memory full
	Damaged uint64 // bytes cut off or skipped because their checksum did not hold
	Error   string // the disk's last refusal, empty once a write went through again
}

// Spool is safe for concurrent use.
type Spool struct {
	cfg  Config
	lock *os.File

	mu       sync.Mutex
	segments []*segment // oldest first; the last one is written to
	memory   []Record   // appended while the disk refused; newer than every segment
	first    uint64     // where this process began to count
	next     uint64
	out      place // handed out by Head and not acked yet
	gone     bool  // out was trimmed away meanwhile: whoever holds it may still deliver it
	acked    *os.File
	stats    Stats
	dropped  int // since last asked, see TakeDropped
}

// Open reads what is left in cfg.Dir. A tail that was cut off and a record
// whose checksum does not hold are skipped and counted in Stats.Damaged.
func Open(cfg Config) (*Spool, error) {
	if cfg.Bytes == 0 {
		cfg.Bytes = 512 << 20
	}
	if cfg.Age == 0 {
		cfg.Age = 24 * time.Hour
	}
	if cfg.Memory == 0 {
		cfg.Memory = 8 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	s := &Spool{cfg: cfg, next: 1}
	if err := s.claim(); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		s.Close()
		return nil, err
	}
	s.next = max(s.next, uint64(max(cfg.Now().UnixMicro(), 0)))
	s.first = s.next
	return s, nil
}

// recover lists the segments and reads their records' places.
func (s *Spool) recover() error {
	var err error
	if s.acked, err = os.OpenFile(filepath.Join(s.cfg.Dir, "acked"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	done := readAcked(s.acked)
	s.next = done + 1
	names, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*.seg"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		g, damaged, err := openSegment(name)
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		s.stats.Damaged += uint64(damaged)
		if n := len(g.places); n > 0 {
			s.next = max(s.next, g.places[n-1].seq+1)
		}
		g.ack(done)
		if len(g.places) == 0 {
			g.remove()
			continue
		}
		s.segments = append(s.segments, g)
	}
	return nil
}

// First is the lowest sequence number this process gives: lower records were
// left by an earlier one.
func (s *Spool) First() uint64 { return s.first }

// Close leaves the records on disk for the next Open; what waits in memory is
// lost.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		g.file.Close()
	}
	s.segments = nil
	if s.acked != nil {
		s.acked.Close()
	}
	return s.lock.Close()
}

// Append adds a record and returns its sequence number. The error says that it
// was dropped because neither disk nor memory takes it.
func (s *Spool) Append(count int, payload []byte) (uint64, error) {
	if len(payload) > maxPayload {
		return 0, fmt.Errorf("record has %d bytes, at most %d fit", len(payload), maxPayload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Record{Seq: s.next, Time: s.cfg.Now(), Count: count, Payload: payload}
	s.flushMemory()
	var err error
	if len(s.memory) == 0 {
		if err = s.write(r); err == nil {
			s.next++
			s.trim(r.Time)
			return r.Seq, nil
		}
		s.stats.Error = err.Error()
	}
	if s.memoryBytes()+int64(len(payload)) > s.cfg.Memory {
		s.drop(uint32(count))
		return 0, fmt.Errorf("append to spool: disk refuses (%s) and memory is full", s.stats.Error)
	}
	r.Payload = slices.Clone(payload)
	s.memory = append(s.memory, r)
	s.next++
	return r.Seq, nil
}

// flushMemory moves what waits in memory to disk, as far as the disk takes it.
func (s *Spool) flushMemory() {
	for len(s.memory) > 0 {
		if err := s.write(s.memory[0]); err != nil {
			s.stats.Error = err.Error()
			return
		}
		s.memory = s.memory[1:]
	}
}

// write puts r at the end of the last segment, or of a new one.
func (s *Spool) write(r Record) error {
	if len(s.segments) == 0 || s.segments[len(s.segments)-1].size >= s.segmentBytes() {
		g, err := newSegment(s.cfg.Dir, r.Seq)
		if err != nil {
			return err
		}
		s.segments = append(s.segments, g)
	}
	if err := s.segments[len(s.segments)-1].append(r); err != nil {
		return err
	}
	s.stats.Error = ""
	return nil
}

// segmentBytes is when a segment is full: small against the bound, because the
// oldest one goes whole.
func (s *Spool) segmentBytes() int64 { return min(8<<20, max(s.cfg.Bytes/16, 4<<10)) }

// trim drops the oldest segments while the spool is over its bounds.
func (s *Spool) trim(now time.Time) {
	for len(s.segments) > 0 {
		g := s.segments[0]
		full := s.bytes() > s.cfg.Bytes && len(s.segments) > 1
		old := len(g.places) > 0 && now.Sub(time.Unix(int64(g.places[len(g.places)-1].time), 0)) > s.cfg.Age
		if !full && !old {
			return
		}
		for _, p := range g.places {
			if s.out.seq == p.seq {
				s.gone = true
			} else {
				s.drop(p.count)
			}
		}
		g.remove()
		s.segments = s.segments[1:]
	}
}

func (s *Spool) drop(events uint32) {
	s.stats.Dropped += uint64(events)
	s.dropped += int(events)
}

func (s *Spool) bytes() (n int64) {
	for _, g := range s.segments {
		n += g.size
	}
	return n
}

func (s *Spool) memoryBytes() (n int64) {
	for _, r := range s.memory {
		n += int64(len(r.Payload))
	}
	return n
}

// Head returns the oldest record; false where there is none. A record that no
// longer reads as it was written is skipped and counted.
func (s *Spool) Head() (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone { // it was not delivered after all
		s.drop(s.out.count)
	}
	s.out, s.gone = place{}, false
	s.trim(s.cfg.Now())
	for len(s.segments) > 0 {
		g := s.segments[0]
		if len(g.places) == 0 {
			if len(s.segments) == 1 {
				break
			}
			g.remove()
			s.segments = s.segments[1:]
			continue
		}
		r, err := g.read(g.places[0])
		if err == nil {
			s.out = g.places[0]
			return r, true
		}
		s.stats.Damaged += uint64(g.places[0].size)
		s.drop(g.places[0].count)
		g.places = g.places[1:]
	}
	if len(s.memory) > 0 {
		return s.memory[0], true
	}
	return Record{}, false
}

// Ack removes every record up to seq.
func (s *Spool) Ack(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq >= s.out.seq {
		s.out, s.gone = place{}, false
	}
	for len(s.segments) > 0 {
		g := s.segments[0]
		g.ack(seq)
		if len(g.places) > 0 || len(s.segments) == 1 && g.size < s.segmentBytes() {
			break
		}
		g.remove()
		s.segments = s.segments[1:]
	}
	for len(s.memory) > 0 && s.memory[0].Seq <= seq {
		s.memory = s.memory[1:]
	}
	return writeAcked(s.acked, seq)
}

// Stats returns the state of now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Bytes, st.Memory, st.Records = s.bytes(), s.memoryBytes(), len(s.memory)
	for _, r := range s.memory {
		st.Events += r.Count
	}
	for _, g := range s.segments {
		st.Records += len(g.places)
		for _, p := range g.places {
			st.Events += int(p.count)
		}
	}
	return st
}

// TakeDropped returns how many events were dropped since it was last asked.
func (s *Spool) TakeDropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped
	s.dropped = 0
	return n
}
