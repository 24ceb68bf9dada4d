package store

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "redoubt.db"))
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// execEvent is an exec as a container's health check or a visitor makes one:
// workload w of 0…, instance-bound container id, a chain of three.
func execEvent(i int, w int, args ...string) redoubt.Event {
	at := start.Add(time.Duration(i) * 100 * time.Millisecond)
	container := fmt.Sprintf("%08x%056x", w+0xabc000, w)
	init := &redoubt.Process{PID: 1000 + w, Path: "/usr/sbin/nginx", Args: []string{"nginx", "-g", "daemon off;"}, Started: start.Add(-time.Hour), Caps: 0xa80425fb, Cwd: "/",
		File: &redoubt.File{Key: redoubt.FileKey{Dev: 8 << 20, Ino: 4711, Ctime: 1790000000000000000}, Digest: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Origin: redoubt.OriginImage}}
	shell := &redoubt.Process{PID: 20000 + i, Path: "/bin/dash", Args: []string{"sh", "-c", "run-parts /etc/periodic"}, Started: at.Add(-20 * time.Millisecond), Caps: 0xa80425fb, Cwd: "/", Parent: init,
		File: &redoubt.File{Key: redoubt.FileKey{Dev: 8 << 20, Ino: 4712, Ctime: 1790000000000000000}, Digest: "sha256:6f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Origin: redoubt.OriginImage}}
	return redoubt.Event{
		Time: at, Node: "node-1", Kind: redoubt.EventExec, Count: 1,
		Workload: redoubt.WorkloadRef{ID: redoubt.WorkloadID(fmt.Sprintf("docker/shop/web%d", w)), Kind: redoubt.KindContainer, Name: fmt.Sprintf("shop-web%d-1", w),
			Container: container, Image: "registry.example/shop/web:1.4", Digest: "sha256:7f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"},
		Process: &redoubt.Process{PID: 20001 + i, Path: "/usr/bin/curl", Args: append([]string{"curl"}, args...), Started: at, UID: 33, Caps: 0xa80425fb, Cwd: "/var/www", Parent: shell,
			File: &redoubt.File{Key: redoubt.FileKey{Dev: 8 << 20, Ino: 4713, Ctime: 1790000000000000000}, Digest: "sha256:8f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Origin: redoubt.OriginImage}},
		Verdict: redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: "profile", Entry: "x1b2c3d4"},
	}
}

func connectEvent(i, w int, to string) redoubt.Event {
	e := execEvent(i, w)
	e.Kind = redoubt.EventConnect
	e.Network = &redoubt.Connection{Proto: redoubt.TCP, Local: netip.MustParseAddrPort(fmt.Sprintf("172.17.0.2:%d", 32768+i%20000)), Remote: netip.MustParseAddrPort(to)}
	return e
}

func alarmEvent(i, w int) redoubt.Event {
	e := execEvent(i, w, "-tulpn")
	e.Process.Path, e.Process.Args[0] = "/bin/netstat", "netstat"
	e.Verdict = redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: "profile", Reason: "/bin/netstat is not in the profile", Technique: "T1049", Severity: redoubt.High, Novel: true}
	return e
}

func add(t testing.TB, s *Store, events ...redoubt.Event) []redoubt.Event {
	t.Helper()
	if err := s.AddEvents(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	return events
}

func find(t testing.TB, s *Store, q redoubt.EventQuery) (ids []string) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	for {
		page, next, err := s.FindEvents(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			ids = append(ids, e.ID)
		}
		if next == "" {
			return ids
		}
		q.Cursor = next
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
