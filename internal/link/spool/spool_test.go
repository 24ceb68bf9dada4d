package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T, cfg Config) *Spool {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put appends n records of size bytes, each holding its number, from first on.
func put(t *testing.T, s *Spool, first, n, size int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		payload := make([]byte, max(size, 4))
		binary.LittleEndian.PutUint32(payload, uint32(i))
		if _, err := s.Append(1, payload); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
}

// drain takes everything out and returns the numbers.
func drain(t *testing.T, s *Spool) (numbers []int) {
	t.Helper()
	var last uint64
	for {
		r, ok := s.Head()
		if !ok {
			return numbers
		}
		if r.Seq <= last {
			t.Fatalf("sequence %d follows %d", r.Seq, last)
		}
		last = r.Seq
		numbers = append(numbers, int(binary.LittleEndian.Uint32(r.Payload)))
		if err := s.Ack(r.Seq); err != nil {
			t.Fatal(err)
		}
	}
}

func wantRange(t *testing.T, got []int, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("got %d records, want %d", len(got), to-from)
	}
	for i, n := range got {
		if n != from+i {
			t.Fatalf("record %d is number %d, want %d", i, n, from+i)
		}
	}
}

func TestX8_RecordsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	put(t, s, 0, 100, 1000)
	for range 40 {
		r, _ := s.Head()
		if err := s.Ack(r.Seq); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, Config{Dir: dir})
	put(t, s, 100, 10, 1000)
	wantRange(t, drain(t, s), 40, 110)
	if st := s.Stats(); st.Records != 0 || st.Dropped != 0 || st.Damaged != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestSequenceNeverGoesBackEvenAfterTheSpoolWasLost(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	seq, err := s.Append(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if s.First() <= seq {
		t.Errorf("a fresh spool starts at %d, the lost one was at %d", s.First(), seq)
	}
	if s.First() >= 1<<53 {
		t.Errorf("%d does not fit 53 bits", s.First())
	}
	// A clock set back must not either, while the spool is there.
	s.Close()
	back := open(t, Config{Dir: dir, Now: func() time.Time { return time.Unix(1000, 0) }})
	put(t, back, 0, 1, 8)
	back.Close()
	again := open(t, Config{Dir: dir, Now: func() time.Time { return time.Unix(1000, 0) }})
	if again.First() <= back.First() {
		t.Errorf("after a clock set back numbers start at %d, before at %d", again.First(), back.First())
	}
}

func TestTailIsCutOffAndCounted(t *testing.T) {
	for _, c := range []struct {
		name string
		bend func(raw []byte) []byte
		left int
	}{
		{"half a record", func(raw []byte) []byte { return raw[:len(raw)-50] }, 9},
		{"flipped bit in the last", func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw }, 9},
		{"garbage after the last", func(raw []byte) []byte { return append(raw, "garbage garbage garbage garbage"...) }, 10},
		{"length of four gigabytes", func(raw []byte) []byte { return append(raw, bytes.Repeat([]byte{0xff}, 40)...) }, 10},
		{"no magic", func(raw []byte) []byte { raw[0] = 'X'; return raw }, 0},
		{"empty file", func([]byte) []byte { return nil }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, Config{Dir: dir})
			put(t, s, 0, 10, 100)
			s.Close()
			names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
			raw, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(names[0], c.bend(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, Config{Dir: dir})
			if st := s.Stats(); st.Damaged == 0 && c.name != "empty file" {
				t.Error("the damage is not counted")
			}
			put(t, s, 100, 1, 100)
			got := drain(t, s)
			if len(got) != c.left+1 || got[len(got)-1] != 100 {
				t.Errorf("got %v, want %d old records and 100", got, c.left)
			}
		})
	}
}

func TestRecordDamagedWhileOpenIsSkippedAndCounted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	put(t, s, 0, 3, 100)
	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	f, err := os.OpenFile(names[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{0xee}, int64(len(magic)+headerSize+50))
	f.Close()
	wantRange(t, drain(t, s), 1, 3)
	if st := s.Stats(); st.Dropped != 1 || st.Damaged == 0 {
		t.Errorf("stats %+v, want one dropped", st)
	}
}

func TestFullSpoolDropsTheOldestAndCountsThem(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, Bytes: 256 << 10})
	put(t, s, 0, 1000, 1000)
	st := s.Stats()
	if st.Bytes > 256<<10 || st.Dropped == 0 || int(st.Dropped)+st.Events != 1000 {
		t.Fatalf("stats %+v: over the bound, or records unaccounted for", st)
	}
	if n := s.TakeDropped(); n != int(st.Dropped) || s.TakeDropped() != 0 {
		t.Errorf("told of %d dropped, want %d, once", n, st.Dropped)
	}
	wantRange(t, drain(t, s), int(st.Dropped), 1000)
}

func TestRecordDeliveredWhileItWasTrimmedIsNotCountedAsLost(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), Bytes: 64 << 10})
	put(t, s, 0, 1, 1000)
	r, _ := s.Head()
	put(t, s, 1, 200, 1000)
	if err := s.Ack(r.Seq); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); int(st.Dropped)+st.Events != 200 {
		t.Errorf("stats %+v, want 200 waiting or dropped", st)
	}
}

func TestOldRecordsAreDroppedAndCounted(t *testing.T) {
	now := time.Now()
	s := open(t, Config{Dir: t.TempDir(), Age: time.Hour, Now: func() time.Time { return now }})
	put(t, s, 0, 5, 100)
	now = now.Add(59 * time.Minute)
	if _, ok := s.Head(); !ok {
		t.Fatal("dropped before its time")
	}
	now = now.Add(2 * time.Minute)
	put(t, s, 5, 1, 100)
	now = now.Add(61 * time.Minute)
	if _, ok := s.Head(); ok || s.Stats().Dropped != 6 {
		t.Errorf("stats %+v, want six dropped", s.Stats())
	}
}

// A limit on file size stands for a full disk: both fail the write.
func TestDiskFullFallsBackToMemoryAndRecovers(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: t.TempDir(), Memory: 10_000})
	put(t, s, 0, 10, 1000)
	limit := func(n uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
			t.Skipf("cannot limit file sizes: %v", err)
		}
	}
	limit(10_500)
	defer limit(old.Cur)
	put(t, s, 10, 10, 1000)
	st := s.Stats()
	if st.Memory == 0 || st.Error == "" || st.Dropped != 0 {
		t.Fatalf("stats %+v, want records in memory", st)
	}
	if _, err := s.Append(1, make([]byte, 1000)); err == nil || s.Stats().Dropped != 1 {
		t.Fatalf("a record past the memory bound: %v, %+v", err, s.Stats())
	}
	limit(old.Cur)
	put(t, s, 20, 10, 1000)
	if st := s.Stats(); st.Memory != 0 || st.Error != "" {
		t.Errorf("stats %+v, want memory moved to disk", st)
	}
	wantRange(t, drain(t, s), 0, 30)
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("got %v", err)
	}
}

func TestDiskIsGivenBackAsRecordsLeave(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), Bytes: 1 << 20})
	for round := range 20 {
		put(t, s, round*200, 200, 1000)
		wantRange(t, drain(t, s), round*200, round*200+200)
	}
	if st := s.Stats(); st.Bytes > 200_000 || st.Dropped != 0 {
		t.Errorf("4000 records came and went and %d bytes are still there, %d dropped", st.Bytes, st.Dropped)
	}
}

func FuzzScan(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		s.Append(1, fmt.Appendf(nil, "record %d", i))
	}
	s.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	raw, err := os.ReadFile(names[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		places, end := scan(bytes.NewReader(raw))
		if end > int64(len(raw)) {
			t.Fatalf("scan ends at %d of %d bytes", end, len(raw))
		}
		for _, p := range places {
			if _, _, err := readRecord(bytes.NewReader(raw), int64(p.offset)); err != nil {
				t.Fatalf("record at %d was listed and does not read: %v", p.offset, err)
			}
		}
	})
}
