package audit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/store"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func open(t *testing.T) (*audit.Trail, *store.Store) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "redoubt.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return audit.New(s, func() time.Time { return start }), s
}

func fill(t *testing.T, trail *audit.Trail, n int) {
	t.Helper()
	for i := range n {
		c := audit.Change{Actor: "kim", From: "192.0.2.7", Action: "policy.write", Object: fmt.Sprintf("no-shell-%d", i), Result: audit.Done,
			Before: map[string]any{"revision": i}, After: map[string]any{"revision": i + 1}}
		if _, err := trail.Append(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t *testing.T, trail *audit.Trail) audit.State {
	t.Helper()
	st, err := trail.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestA21_WholeTrailVerifies(t *testing.T) {
	trail, _ := open(t)
	if st := verify(t, trail); !st.Intact || st.Entries != 0 {
		t.Errorf("empty trail: %+v", st)
	}
	fill(t, trail, 2500) // more than one page
	if st := verify(t, trail); !st.Intact || st.Entries != 2500 || st.Broken != "" || len(st.Head) != 64 {
		t.Errorf("whole trail: %+v", st)
	}
}

func TestA21_EveryTamperingIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		sql    string
		broken string
	}{
		"actor edited":             {"UPDATE audit SET actor = 'eve' WHERE id = 4", "u4"},
		"time edited":              {"UPDATE audit SET time = time + 1 WHERE id = 4", "u4"},
		"source edited":            {"UPDATE audit SET source = '' WHERE id = 4", "u4"},
		"action edited":            {"UPDATE audit SET action = 'policy.read' WHERE id = 4", "u4"},
		"object edited":            {"UPDATE audit SET object = 'x' WHERE id = 4", "u4"},
		"result edited":            {"UPDATE audit SET result = 'denied' WHERE id = 4", "u4"},
		"before edited":            {"UPDATE audit SET before = '{}' WHERE id = 4", "u4"},
		"after edited":             {"UPDATE audit SET after = '{}' WHERE id = 4", "u4"},
		"text moved across fields": {"UPDATE audit SET action = action || substr(object, 1, 1), object = substr(object, 2) WHERE id = 4", "u4"},
		"hash edited":              {"UPDATE audit SET hash = x'00' WHERE id = 4", "u4"},
		"first deleted":            {"DELETE FROM audit WHERE id = 1", "u1"},
		"middle deleted":           {"DELETE FROM audit WHERE id = 5", "u5"},
		"deleted and renumbered":   {"DELETE FROM audit WHERE id = 5; UPDATE audit SET id = id - 1 WHERE id > 5; UPDATE audit_head SET id = id - 1", "u5"},
		"swapped":                  {"UPDATE audit SET id = 100 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 100", "u3"},
		"last cut off":             {"DELETE FROM audit WHERE id = 10", "u10"},
		"tail cut off":             {"DELETE FROM audit WHERE id > 6", "u7"},
		"all deleted":              {"DELETE FROM audit", "u1"},
		"inserted":                 {"INSERT INTO audit SELECT 11, time, actor, source, action, object, result, before, after, hash FROM audit WHERE id = 10", "u11"},
		"head moved back":          {"DELETE FROM audit WHERE id > 8; UPDATE audit_head SET id = 8", "u8"},
		"head hash edited":         {"UPDATE audit_head SET hash = x'00'", "u10"},
		"head deleted":             {"DELETE FROM audit_head", "u1"},
	} {
		t.Run(name, func(t *testing.T) {
			trail, s := open(t)
			fill(t, trail, 10)
			tamper(t, s.Path(), c.sql)
			if st := verify(t, trail); st.Intact || st.Broken != c.broken {
				t.Errorf("got %+v, want broken at %s", st, c.broken)
			}
		})
	}
}

func tamper(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestA15_ChangeAndEntryAreOne(t *testing.T) {
	trail, s := open(t)
	ctx, stop := context.Background(), errors.New("stop")
	err := s.Atomic(ctx, func(ctx context.Context) error {
		if _, err := trail.Append(ctx, audit.Change{Actor: "kim", Action: "a", Result: audit.Done}); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if st := verify(t, trail); st.Entries != 0 || !st.Intact {
		t.Errorf("an entry outlived its change: %+v", st)
	}
	fill(t, trail, 1)
	if st := verify(t, trail); st.Entries != 1 || !st.Intact {
		t.Errorf("after it: %+v", st)
	}
}

func TestA15_EntriesShowBeforeAndAfterWithoutSecrets(t *testing.T) {
	trail, _ := open(t)
	ctx := context.Background()
	e, err := trail.Append(ctx, audit.Change{
		Actor: "kim", Action: "user.write", Object: "lee", Result: audit.Done,
		Before: map[string]any{"role": "auditor", "password": "$argon2id$old"},
		After:  []any{map[string]any{"role": "admin", "Password": "$argon2id$new", "nested": map[string]any{"token": "rdt_x", "count": 12345678901234567}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if e.Before != `{"password":"***","role":"auditor"}` {
		t.Errorf("before: %s", e.Before)
	}
	if e.After != `[{"Password":"***","nested":{"count":12345678901234567,"token":"***"},"role":"admin"}]` {
		t.Errorf("after: %s", e.After)
	}
	big, err := trail.Append(ctx, audit.Change{Actor: "kim", Action: "profile.write", Object: strings.Repeat("x", 5000), Result: audit.Done, After: strings.Repeat("y", 100_000)})
	if err != nil {
		t.Fatal(err)
	}
	if len(big.After) > 200 || !strings.Contains(big.After, "sha256") || len(big.Object) > 1024 {
		t.Errorf("a large entry is kept whole: %d and %d bytes", len(big.After), len(big.Object))
	}
	if st := verify(t, trail); !st.Intact {
		t.Errorf("%+v", st)
	}
}

func TestA15_TrailIsSearchedAndPaged(t *testing.T) {
	trail, _ := open(t)
	ctx := context.Background()
	fill(t, trail, 5)
	if _, err := trail.Append(ctx, audit.Change{Actor: "lee", Action: "token.write", Object: "ci", Result: audit.Denied}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    audit.Query
		want string
	}{
		"all":    {audit.Query{}, "u6 u5 u4 u3 u2 u1"},
		"actor":  {audit.Query{Actor: "lee"}, "u6"},
		"text":   {audit.Query{Text: "POLICY shell-3"}, "u4"},
		"before": {audit.Query{Until: start}, ""},
		"since":  {audit.Query{Since: start}, "u6 u5 u4 u3 u2 u1"},
	} {
		var ids []string
		for q := c.q; ; {
			q.Limit = 2
			page, next, err := trail.Find(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				ids = append(ids, e.ID())
			}
			if q.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
