package console

import (
	"net/netip"

	"redoubt.dev/redoubt/internal/redoubt"
)

// The peers that stand for many: an address nobody protects is one of these,
// so that the map stays readable and bounded.
const (
	internet = "internet"
	private  = "private"
)

type flowKey struct {
	from, to string
	proto    redoubt.Proto
	port     uint16
}

// flowsOf sums up the connections among events. What a workload says to itself
// over loopback is no flow.
func flowsOf(events []redoubt.Event) []redoubt.Flow {
	sums := map[flowKey]*redoubt.Flow{}
	var order []flowKey
	for i := range events {
		k, ok := flowOf(&events[i])
		if !ok {
			continue
		}
		f := sums[k]
		if f == nil {
			f = &redoubt.Flow{From: k.from, To: k.to, Proto: k.proto, Port: k.port}
			sums[k] = f
			order = append(order, k)
		}
		if events[i].Kind == redoubt.EventConnect || events[i].Network.Peer == "" {
			f.Count += int64(events[i].Count) // otherwise the workload that connects counts it
		}
		if !events[i].Time.Before(f.Last) {
			f.Last, f.Novel = events[i].Time, events[i].Verdict.Novel
			f.Denied = events[i].Verdict.Effect == redoubt.EffectPrevent && events[i].Verdict.Enforced != ""
		}
	}
	flows := make([]redoubt.Flow, 0, len(order))
	for _, k := range order {
		flows = append(flows, *sums[k])
	}
	return flows
}

func flowOf(e *redoubt.Event) (flowKey, bool) {
	n := e.Network
	if n == nil || e.Workload.ID == "" || !n.Remote.IsValid() || n.Remote.Addr().IsLoopback() {
		return flowKey{}, false
	}
	me, peer := string(e.Workload.ID), peerOf(n)
	switch e.Kind {
	case redoubt.EventConnect:
		return flowKey{me, peer, n.Proto, n.Remote.Port()}, peer != me
	case redoubt.EventAccept:
		return flowKey{peer, me, n.Proto, n.Local.Port()}, peer != me
	}
	return flowKey{}, false
}

func peerOf(n *redoubt.Connection) string {
	if n.Peer != "" {
		return string(n.Peer)
	}
	return areaOf(n.Remote.Addr())
}

func areaOf(a netip.Addr) string {
	a = a.Unmap()
	if a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return private
	}
	return internet
}

// placeOfPeer reads the peer of a profile entry: a workload id stays, an
// address or prefix becomes the area it lies in.
func placeOfPeer(peer string) string {
	if a, err := netip.ParseAddr(peer); err == nil {
		return areaOf(a)
	}
	if p, err := netip.ParsePrefix(peer); err == nil {
		return areaOf(p.Addr())
	}
	return peer
}
