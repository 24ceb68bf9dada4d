package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/redoubt"
)

func FuzzDecodeShape(f *testing.F) {
	f.Add([]byte{1, 4, 'e', 'x', 'e', 'c', 2, 0, 0}, []byte("text"))
	f.Add([]byte{1, 7, 'c', 'o', 'n', 'n', 'e', 'c', 't', 0, 0, 0, 3, 't', 'c', 'p', 0, 0, 0}, []byte{0, 0, 0, 0, 0, 0, 0, 1, 1, 'a'})
	f.Fuzz(func(t *testing.T, body, atom []byte) {
		sh, err := decodeShape(body, func(id int64) ([]byte, error) {
			if id < 0 {
				return nil, errors.New("negative id")
			}
			return atom, nil
		})
		if err != nil {
			return
		}
		e := sh.event
		own(&e, &eventRow{body: atom})
	})
}

func FuzzEventBody(f *testing.F) {
	f.Add([]byte{7, 2, 3, 200, 1, 1, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		e := execEvent(1, 1)
		own(&e, &eventRow{body: body})
	})
}

func FuzzSearch(f *testing.F) {
	s, err := Open(f.TempDir()+"/db", discard())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	add(f, s, execEvent(1, 1, "-s", "http://localhost/ümlaut"), alarmEvent(2, 2))
	for _, q := range []string{"netstat", `" OR words:*`, "NEAR(a b)", "\x00", "ÜML", "a'--", "..", "_ ½ ²"} {
		f.Add(q, "web1", "")
	}
	f.Fuzz(func(t *testing.T, text, workload, cursor string) {
		q := redoubt.EventQuery{Text: text, Workload: workload}
		q.Cursor, q.Limit = cursor, 10
		_, _, err := s.FindEvents(context.Background(), q)
		if err != nil && !strings.Contains(err.Error(), "cursor") {
			t.Errorf("search %q in %q: %v", text, workload, err)
		}
	})
}
