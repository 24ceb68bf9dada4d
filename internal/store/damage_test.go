package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// stored returns the path of a closed database with some events in it.
func stored(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redoubt.db")
	s := openAt(t, path)
	for i := range 40 {
		batch := make([]redoubt.Event, 50)
		for j := range batch {
			batch[j] = execEvent(i*50+j, j%5, "-s", strings.Repeat("x", j))
		}
		add(t, s, batch...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestX17_DamagedDatabaseIsNamedAndKept(t *testing.T) {
	whole := stored(t)
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"text":              func([]byte) []byte { return []byte("this is no database\n") },
		"cut in the header": func(b []byte) []byte { return b[:50] },
		"cut to one page":   func(b []byte) []byte { return b[:4096] },
		"cut in the middle": func(b []byte) []byte { return b[:len(b)/2] },
		"last byte gone":    func(b []byte) []byte { return b[:len(b)-1] },
		"zeros":             func(b []byte) []byte { return make([]byte, len(b)) },
		"page overwritten": func(b []byte) []byte {
			for p := 4096 * 3; p < len(b); p += 4096 {
				copy(b[p:], strings.Repeat("\xa5", 64))
			}
			return b
		},
		"schema overwritten": func(b []byte) []byte { copy(b[100:], strings.Repeat("\xa5", 3000)); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "redoubt.db")
			bad := damage(append([]byte(nil), content...))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, discard())
			if err == nil {
				s.Close()
				t.Fatal("opened without complaint")
			}
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "aside") {
				t.Errorf("error lacks kind, file or next step: %v", err)
			}
			after, rerr := os.ReadFile(path)
			if rerr != nil || string(after) != string(bad) {
				t.Errorf("the damaged file was changed or removed (%v)", rerr)
			}
		})
	}
	t.Run("whole", func(t *testing.T) {
		s := openAt(t, whole)
		if n, err := s.CountEvents(context.Background()); err != nil || n != 2000 {
			t.Errorf("got %d events, %v; want 2000", n, err)
		}
	})
}

func TestX17_FullDiskKeepsNothingOfTheBatch(t *testing.T) {
	s, ctx := open(t), context.Background()
	add(t, s, execEvent(1, 1))
	var pages int
	if err := s.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		t.Helper()
		if err := s.conn.QueryRowContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(n)).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	limit(pages + 4)
	batch := make([]redoubt.Event, 500)
	for i := range batch {
		batch[i] = execEvent(i, i, "-s", strings.Repeat("y", 100+i))
	}
	err := s.Atomic(ctx, func(ctx context.Context) error {
		if fresh, err := s.Advance(ctx, "node-1", 7); err != nil || !fresh {
			t.Errorf("advance: %v, %v", fresh, err)
		}
		return s.AddEvents(ctx, batch)
	})
	if !errors.Is(err, ErrFull) || !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v, want ErrFull of kind unavailable", err)
	}
	if n, err := s.CountEvents(ctx); err != nil || n != 1 {
		t.Errorf("got %d events, %v; want the one from before", n, err)
	}
	if batch[0].ID != "" {
		t.Errorf("an event that was not kept got id %s", batch[0].ID)
	}

	limit(1 << 30) // space again: the same batch goes in
	err = s.Atomic(ctx, func(ctx context.Context) error {
		if fresh, err := s.Advance(ctx, "node-1", 7); err != nil || !fresh {
			t.Errorf("advance after the disk was full: %v, %v", fresh, err)
		}
		return s.AddEvents(ctx, batch)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, redoubt.EventQuery{}); len(got) != 501 {
		t.Errorf("got %d events, want 501", len(got))
	}
}

func TestAtomicIsUndoneWhole(t *testing.T) {
	s, ctx := open(t), context.Background()
	stop := errors.New("stop")
	err := s.Atomic(ctx, func(ctx context.Context) error {
		if err := s.AddEvents(ctx, []redoubt.Event{execEvent(1, 1), alarmEvent(2, 2)}); err != nil {
			return err
		}
		if _, err := s.Event(ctx, "e2"); err != nil {
			t.Errorf("the transaction does not see its own event: %v", err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	// What was undone must not live on in memory either.
	again := add(t, s, connectEvent(3, 3, "10.0.0.1:80"))
	got, err := s.Event(ctx, again[0].ID)
	if err != nil || got.Kind != redoubt.EventConnect || got.Workload.ID != "docker/shop/web3" {
		t.Errorf("got %+v, %v", got, err)
	}
	if ids := find(t, s, redoubt.EventQuery{}); len(ids) != 1 {
		t.Errorf("got %v, want one event", ids)
	}
}

func TestDatabaseIsPrivate(t *testing.T) {
	s := open(t)
	add(t, s, execEvent(1, 1))
	for _, suffix := range []string{"", "-wal"} {
		st, err := os.Stat(s.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("redoubt.db%s has mode %v, want 0600", suffix, st.Mode())
		}
	}
}

func TestDatabaseIsOpenedOnce(t *testing.T) {
	s := open(t)
	_, err := Open(s.Path(), discard())
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second open: got %v, want unavailable, in use", err)
	}
}
