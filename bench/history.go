package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// history makes up what a busy host records: 50 workloads, a few of them loud;
// most execs repeat, one in six has arguments nobody used before; one event in
// a thousand alarms. Ten a second, up to now.
type history struct {
	rnd   *rand.Rand
	at    time.Time
	begun time.Time
	n     int
}

func newHistory(events int) *history {
	begun := time.Now().Add(-time.Duration(events) * 100 * time.Millisecond)
	return &history{rnd: rand.New(rand.NewPCG(1, 2)), at: begun, begun: begun}
}

func (h *history) next() redoubt.Event {
	h.n++
	h.at = h.at.Add(100 * time.Millisecond)
	w := int(50 * h.rnd.Float64() * h.rnd.Float64())
	switch k := h.rnd.IntN(1000); {
	case h.n == 100:
		e := h.exec(7, "/usr/bin/id", "id", "needle")
		return e
	case k < 1:
		e := h.exec(w, "/bin/netstat", "netstat", "-tulpn")
		e.Verdict = redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: "profile", Reason: "/bin/netstat is not in the profile", Technique: "T1049", Severity: redoubt.High, Novel: true}
		return e
	case k < 150:
		e := h.exec(w, "/usr/bin/curl", "curl")
		e.Kind = redoubt.EventConnect
		e.Network = &redoubt.Connection{
			Proto:  redoubt.TCP,
			Local:  netip.MustParseAddrPort(fmt.Sprintf("172.17.0.2:%d", 32768+h.rnd.IntN(20000))),
			Remote: netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.%d:5432", w, h.rnd.IntN(3))),
		}
		return e
	case k < 320:
		return h.exec(w, "/usr/bin/curl", "curl", "-s", fmt.Sprintf("http://api.shop.local/orders/%d?trace=%x", h.n, h.rnd.Uint32()))
	default:
		return h.exec(w, "/usr/bin/curl", "curl", "-fsS", "http://localhost:8080/health", fmt.Sprint(h.rnd.IntN(20)))
	}
}

// exec is an exec in workload w, with a chain of two above it.
func (h *history) exec(w int, path string, args ...string) redoubt.Event {
	file := func(n int) *redoubt.File {
		return &redoubt.File{
			Key:    redoubt.FileKey{Dev: 8 << 20, Ino: uint64(4000 + 10*w + n), Ctime: 1790000000000000000},
			Digest: redoubt.Digest(fmt.Sprintf("sha256:%064x", 0xabcdef0123456789*uint64(10*w+n+1))), Origin: redoubt.OriginImage,
		}
	}
	const caps = 0xa80425fb
	server := &redoubt.Process{PID: 1000 + w, Path: "/usr/sbin/nginx", Args: []string{"nginx", "-g", "daemon off;"}, Started: h.begun, Caps: caps, Cwd: "/", File: file(1)}
	shell := &redoubt.Process{PID: 20000 + h.n%4_000_000, Path: "/bin/dash", Args: []string{"sh", "-c", "run-parts /etc/periodic"}, Started: h.at.Add(-20 * time.Millisecond), Caps: caps, Cwd: "/", File: file(2), Parent: server}
	return redoubt.Event{
		Time: h.at, Node: "node-1", Kind: redoubt.EventExec, Count: 1,
		Workload: redoubt.WorkloadRef{
			ID: redoubt.WorkloadID(fmt.Sprintf("docker/shop/web%d", w)), Kind: redoubt.KindContainer, Name: fmt.Sprintf("shop-web%d-1", w),
			Container: containerOf(w), Image: "registry.example/shop/web:1.4", Digest: redoubt.Digest(fmt.Sprintf("sha256:%064x", w+1)),
		},
		Process: &redoubt.Process{PID: 20001 + h.n%4_000_000, Path: path, Args: args, Started: h.at, UID: 33, Caps: caps, Cwd: "/var/www", File: file(3), Parent: shell},
		Verdict: redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: "profile", Entry: "8a1b2c3d4e5f6071"},
	}
}

func containerOf(w int) string { return fmt.Sprintf("%08x%056x", w+0xabc000, w) }

// question is one filter of the list; empty ones find nothing, which is the
// slowest way to search.
type question struct {
	name  string
	query url.Values
	empty bool
}

func (h *history) questions() []question {
	ask := func(name string, pairs ...string) question {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return question{name: name, query: v}
	}
	none := ask("text that is nowhere", "q", "absent")
	none.empty = true
	early := func(share float64) string {
		return h.begun.Add(time.Duration(share * float64(h.at.Sub(h.begun)))).Format(time.RFC3339Nano)
	}
	return []question{
		ask("no filter"),
		ask("workload", "workload", "docker/shop/web3"),
		ask("quiet workload", "workload", "docker/shop/web45"),
		ask("container", "workload", containerOf(3)[:12]),
		ask("kind", "kind", "connect"),
		ask("workload and kind", "workload", "docker/shop/web45", "kind", "connect"),
		ask("novel", "novel", "true"),
		ask("effect and node", "effect", "alert", "node", "node-1"),
		ask("last 15 min", "since", "15m"),
		ask("a span of the past", "since", early(0.03), "until", early(0.06), "kind", "exec"),
		ask("frequent text", "q", "curl"),
		ask("text in arguments", "q", "orders"),
		ask("rare text", "q", "netstat"),
		ask("text of one old event", "q", "needle"),
		ask("text and workload", "q", "netstat", "workload", "docker/shop/web3"),
		none,
	}
}
