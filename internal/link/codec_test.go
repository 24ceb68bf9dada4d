package link

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// execEvent is the n-th exec of a busy shell script in one of ten containers.
func execEvent(n int) redoubt.Event {
	container := fmt.Sprintf("%064x", 0xabcdef0123+n%10)
	init := &redoubt.Process{PID: 4000 + n%10, Path: "/usr/sbin/nginx", Args: []string{"nginx", "-g", "daemon off;"}, Started: start.Add(-time.Hour), Cwd: "/",
		File: &redoubt.File{Key: redoubt.FileKey{Dev: 1 << 20, Ino: 77, Ctime: 5}, Digest: redoubt.Digest("sha256:" + strings.Repeat("ab", 32)), Origin: redoubt.OriginImage}}
	shell := &redoubt.Process{PID: 5000 + n/20, Path: "/bin/sh", Args: []string{"sh", "-c", "/entry.sh"}, Started: start, Cwd: "/srv", Parent: init,
		File: &redoubt.File{Key: redoubt.FileKey{Dev: 1 << 20, Ino: 78, Ctime: 5}, Digest: redoubt.Digest("sha256:" + strings.Repeat("cd", 32)), Origin: redoubt.OriginImage}}
	return redoubt.Event{
		Time: start.Add(time.Duration(n) * 517 * time.Microsecond), Node: "node-1", Kind: redoubt.EventExec, Count: 1,
		Workload: redoubt.WorkloadRef{ID: redoubt.WorkloadID(fmt.Sprintf("docker/shop/web%d", n%10)), Kind: redoubt.KindContainer, Name: fmt.Sprintf("shop-web-%d", n%10), Container: container, Image: "registry.example/shop/web:1.2.3", Digest: redoubt.Digest("sha256:" + strings.Repeat("ef", 32))},
		Process: &redoubt.Process{PID: 10000 + n, Path: "/usr/bin/tool", Args: []string{"tool", "--job", fmt.Sprintf("/var/spool/job-%06d.json", n)}, UID: 33, Caps: 0xa80425fb, Cwd: "/srv", Parent: shell,
			Started: start.Add(time.Duration(n) * 517 * time.Microsecond),
			File:    &redoubt.File{Key: redoubt.FileKey{Dev: 1 << 20, Ino: 9000, Ctime: 1700000000123456789}, Digest: redoubt.Digest("sha256:" + strings.Repeat("12", 32)), Origin: redoubt.OriginImage}},
		Verdict: redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: "profile", Entry: "x-1234", Reason: "the profile holds no such program", Technique: "T1049", Severity: redoubt.Medium, Novel: true},
	}
}

func fullBatchOf(events int) *Batch {
	b := &Batch{Seq: 7}
	for n := range events {
		b.Events = append(b.Events, execEvent(n))
	}
	return b
}

var equal = cmp.Options{cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()}

func TestBatchSurvivesTheWire(t *testing.T) {
	exit := 137
	b := fullBatchOf(50)
	b.Events = append(b.Events,
		redoubt.Event{Time: start, Kind: redoubt.EventExit, Exit: &exit, Count: 3, Note: "killed"},
		redoubt.Event{Time: start.Add(-time.Minute), Kind: redoubt.EventConnect, Count: 1, Network: &redoubt.Connection{
			Proto: redoubt.TCP, Local: netip.MustParseAddrPort("172.17.0.2:40000"), Remote: netip.MustParseAddrPort("[2001:db8::1]:443"), Peer: "docker/db"}},
		redoubt.Event{Time: start, Kind: redoubt.EventListen, Network: &redoubt.Connection{Proto: redoubt.UDP, Local: netip.MustParseAddrPort("0.0.0.0:53")}},
		redoubt.Event{Kind: "from-the-future", Process: &redoubt.Process{Path: "/bin/\xff\xfe", Args: []string{"", "\x1b[31m", "\xc3\x28"}, Truncated: true, Entered: true}},
	)
	b.Deltas = []profile.Delta{{Workload: "docker/web", Units: 3, Entries: []profile.Entry{{ID: "e1", Kind: redoubt.EventExec, Exec: &profile.Exec{Path: "/bin/sh"}, Count: 2}}}}
	b.Workloads = []redoubt.Workload{{WorkloadRef: redoubt.WorkloadRef{ID: "docker/web", Name: "web"}, Running: true}}
	b.Status = &redoubt.NodeStatus{ID: "node-1", Time: start, Gaps: []string{"no docker"}}
	raw, err := encodeBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, got, equal); diff != "" {
		t.Errorf("batch changed on the wire (-sent +received):\n%s", diff)
	}
}

func TestExecEventsTakeAtMost300BytesOnTheWire(t *testing.T) {
	for _, events := range []int{20, 200, 1000} {
		raw, err := encodeBytes(fullBatchOf(events))
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
		z.Close()
		each := float64(len(raw)) / float64(events)
		t.Logf("%d exec events: %.0f bytes each, %.0f after gzip", events, each, float64(packed.Len())/float64(events))
		if events >= 200 && each > 300 {
			t.Errorf("%d events take %.0f bytes each before compression, want at most 300", events, each)
		}
	}
}

func TestChainIsCutAtTheTop(t *testing.T) {
	var p *redoubt.Process
	for i := range 200 {
		p = &redoubt.Process{PID: i, Path: "/bin/sh", Parent: p}
	}
	raw, err := encodeBytes(&Batch{Seq: 1, Events: []redoubt.Event{{Process: p}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for q := got.Events[0].Process; q != nil; q = q.Parent {
		depth++
	}
	if depth != maxDepth || got.Events[0].Process.PID != 199 {
		t.Errorf("chain has %d processes from %d, want %d from 199", depth, got.Events[0].Process.PID, maxDepth)
	}
}

func TestHostileBatchIsRefused(t *testing.T) {
	base := func() *Batch { return fullBatchOf(2) }
	for _, c := range []struct {
		name string
		bend func(b *Batch) []byte
		want string
	}{
		{"garbage", func(*Batch) []byte { return []byte("\xff\xff\xff\xffgarbage") }, "proto"},
		{"place outside table", func(b *Batch) []byte {
			m, _ := encode(b)
			m.Events[1].Process = 99999
			return marshalOrFail(t, m)
		}, "outside its tables"},
		{"parent after child", func(b *Batch) []byte {
			m, _ := encode(b)
			m.Processes[0].Parent = 1
			return marshalOrFail(t, m)
		}, "outside its tables"},
		{"bomb of repeated arguments", func(b *Batch) []byte {
			m, _ := encode(b)
			m.Strings = append(m.Strings, bytes.Repeat([]byte("a"), 100<<10))
			for range 1000 {
				m.Processes[2].Args = append(m.Processes[2].Args, uint32(len(m.Strings)))
			}
			return marshalOrFail(t, m)
		}, "bytes"},
		{"bomb of repeated events", func(b *Batch) []byte {
			b.Events[0].Process.Args = []string{strings.Repeat("a", 100<<10)}
			m, _ := encode(b)
			for range 3000 {
				m.Events = append(m.Events, m.Events[0])
			}
			return marshalOrFail(t, m)
		}, "expands"},
		{"too many events", func(b *Batch) []byte {
			m, _ := encode(b)
			for range maxEvents {
				m.Events = append(m.Events, m.Events[0])
			}
			return marshalOrFail(t, m)
		}, "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodeBytes(c.bend(base()))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestUnknownFieldsOfANewerPeerAreIgnored(t *testing.T) {
	raw, err := encodeBytes(fullBatchOf(3))
	if err != nil {
		t.Fatal(err)
	}
	newer := append(raw, 0xfa, 0x3e, 5, 'f', 'u', 't', 'u', 'r') // field 1007, five bytes
	b, err := decodeBytes(newer)
	if err != nil || len(b.Events) != 3 {
		t.Fatalf("got %v, %v", b, err)
	}
}

func marshalOrFail(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func FuzzDecodeBatch(f *testing.F) {
	raw, err := encodeBytes(fullBatchOf(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := decodeBytes(raw)
		if err != nil {
			return
		}
		again, err := encodeBytes(b)
		if err != nil {
			return // a time JSON cannot say
		}
		if _, err := decodeBytes(again); err != nil {
			t.Fatalf("what was taken once is refused when sent on: %v", err)
		}
	})
}
