package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	killedEnv = "REDOUBT_TEST_WRITE_UNTIL_KILLED"
	killBatch = 17 // events in each batch
)

func TestMain(m *testing.M) {
	if path := os.Getenv(killedEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(path))
		os.Exit(1)
	}
	if path := os.Getenv(killedCallsEnv); path != "" {
		fmt.Fprintln(os.Stderr, callUntilKilled(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes batches from where the record stands and says after
// each that it is taken.
func writeUntilKilled(path string) error {
	s, err := Open(path, discard())
	if err != nil {
		return err
	}
	ctx := context.Background()
	var seq uint64
	if err := s.read.QueryRow("SELECT coalesce(max(seq), 0) FROM batches").Scan(&seq); err != nil {
		return err
	}
	for {
		// Every batch is sent twice, as by a defender that missed the answer.
		for range 2 {
			if err := writeBatch(ctx, s, seq+1); err != nil {
				return err
			}
		}
		seq++
		fmt.Println(seq)
	}
}

func writeBatch(ctx context.Context, s *Store, seq uint64) error {
	return s.Atomic(ctx, func(ctx context.Context) error {
		fresh, err := s.Advance(ctx, "node-1", seq)
		if err != nil || !fresh {
			return err
		}
		events := make([]redoubt.Event, killBatch)
		for i := range events {
			events[i] = execEvent(int(seq), i%3, "-s", "batch", strconv.FormatUint(seq, 10), strconv.Itoa(i))
		}
		if err := s.AddEvents(ctx, events); err != nil {
			return err
		}
		return s.PutAlert(ctx, &redoubt.Alert{Key: strconv.FormatUint(seq, 10), Time: start, First: start, Count: killBatch, Event: events[0].ID})
	})
}

func TestX17_Kill9LeavesWholeBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redoubt.db")
	for round := range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		taken := uint64(0)
		if lines.Scan() { // it is writing: any moment from here on will do
			taken, _ = strconv.ParseUint(lines.Text(), 10, 64)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { cmd.Process.Kill() })
		for lines.Scan() {
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				taken = n
			}
		}
		timer.Stop()
		cmd.Wait()
		checkBatches(t, path, taken, round)
	}
}

// checkBatches wants every batch up to at least taken once and whole.
func checkBatches(t *testing.T, path string, taken uint64, round int) {
	t.Helper()
	s, err := Open(path, discard())
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	defer s.Close()
	var seq, alerts, events, stray int64
	for query, dest := range map[string]*int64{
		"SELECT coalesce(max(seq), 0) FROM batches":                              &seq,
		"SELECT count(*) FROM alerts":                                            &alerts,
		"SELECT count(*) FROM events":                                            &events,
		"SELECT count(*) FROM events WHERE shape NOT IN (SELECT id FROM shapes)": &stray,
	} {
		if err := s.read.QueryRow(query).Scan(dest); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if taken == 0 || uint64(seq) < taken {
		t.Errorf("round %d: batch %d was acknowledged, the record ends at %d", round, taken, seq)
	}
	if events != seq*killBatch || alerts != seq || stray != 0 {
		t.Errorf("round %d: after batch %d: %d events, %d alerts, %d without shape; want %d, %d, 0", round, seq, events, alerts, stray, seq*killBatch, seq)
	}
	if n, err := s.CountEvents(context.Background()); err != nil || n != events {
		t.Errorf("round %d: counted %d (%v), stored %d", round, n, err, events)
	}
}
