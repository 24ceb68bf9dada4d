package sensor

import (
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
)

// bursts remembers, for sightings that came too fast, what they looked like,
// so that those the kernel only counted can be told with their number.
type bursts struct {
	like map[uint64]Sighting
	lost atomic.Uint64 // held back, but nobody knows any more what they were
}

// burstsKept bounds like; the kernel's own table is as large.
const burstsKept = 8192

// burst is struct burst of bpf/shapes.h.
type burst struct{ Since, Sent, Held uint64 }

// note remembers a sighting after which the kernel goes silent, and reports
// whether the kernel keeps an entry that is to be swept.
func (b *bursts) note(m meta, s *Sighting) bool {
	if m.burst == 0 {
		return false
	}
	if m.last && (len(b.like) < burstsKept || b.like[m.burst].Kind != "") {
		if b.like == nil {
			b.like = map[uint64]Sighting{}
		}
		b.like[m.burst] = *s
	}
	return true
}

// sweep ends the bursts that have gone quiet and tells what was held back. It
// reports whether any are left.
func (b *bursts) sweep(m *ebpf.Map, sink func(*Sighting)) bool {
	now := uint64(sinceBoot())
	var key uint64
	var v burst
	var quiet []uint64
	left := false
	for it := m.Iterate(); it.Next(&key, &v); {
		if now-min(now, v.Since) >= 2e9 {
			quiet = append(quiet, key)
		} else {
			left = true
		}
	}
	for _, key := range quiet {
		if err := m.LookupAndDelete(key, &v); err != nil {
			continue
		}
		s, ok := b.like[key]
		switch {
		case v.Held == 0:
		case ok:
			s.Count = int(v.Held)
			s.Time = bootTime().Add(time.Duration(v.Since))
			sink(&s)
		default:
			b.lost.Add(v.Held)
		}
		delete(b.like, key)
	}
	return left
}
