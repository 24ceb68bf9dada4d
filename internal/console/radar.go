package console

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// The map shows workloads, not instances, and draws no more than this; what
// runs, has alerts or talks comes first.
const (
	maxRadarNodes = 1_000
	maxRadarEdges = 4_000
	radarSpan     = 24 * time.Hour
)

func (c *Console) radar(ctx context.Context, _ *struct{}) (*out[api.Radar], error) {
	now := c.clock()
	troubles, err := c.troubles(ctx)
	if err != nil {
		return nil, err
	}
	flows, err := c.store.Flows(ctx, now.Add(-radarSpan))
	if err != nil {
		return nil, err
	}
	nodes, edges := c.model.scene(troubles, now)
	for _, f := range flows {
		e := edgeOf(edges, f.From, f.To, f.Proto, f.Port)
		e.Count = max(e.Count, f.Count, 1)
		if !f.Last.Before(e.Last) {
			e.Last, e.Novel, e.Denied = f.Last, f.Novel, f.Denied
		}
	}
	return answer(draw(nodes, edges, now)), nil
}

func edgeOf(edges map[flowKey]*api.RadarEdge, from, to string, proto redoubt.Proto, port uint16) *api.RadarEdge {
	k := flowKey{from, to, proto, port}
	e := edges[k]
	if e == nil {
		e = &api.RadarEdge{From: from, To: to, Proto: proto, Port: port}
		edges[k] = e
	}
	return e
}

// scene is every running workload and the connections its profile holds;
// repeats of those are only counted there.
func (m *model) scene(troubles map[redoubt.WorkloadID]trouble, now time.Time) (map[string]*api.RadarNode, map[flowKey]*api.RadarEdge) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	nodes, edges := map[string]*api.RadarNode{}, map[flowKey]*api.RadarEdge{}
	for at, i := range m.instances {
		if !i.Running {
			continue
		}
		n := nodes[string(i.ID)]
		if n == nil {
			t := troubles[i.ID]
			n = &api.RadarNode{ID: string(i.ID), Kind: string(i.Kind), Name: shortName(i), Image: i.Image, Alerts: t.alerts, Worst: t.worst}
			nodes[n.ID] = n
		}
		n.Instances++
		o := m.orders[at]
		n.Isolated = n.Isolated || i.Isolated || o.Effect == redoubt.EffectIsolate
	}
	for id, n := range nodes {
		l := m.profiles[redoubt.WorkloadID(id)]
		if l == nil {
			continue
		}
		n.State, n.Coverage = l.State, l.Coverage.Lower
		for i := range l.Entries {
			e := &l.Entries[i]
			if x := e.Listen; x != nil && e.Count > 0 && x.Port != 0 {
				if p := (redoubt.Port{Proto: x.Proto, Port: x.Port}); !slices.Contains(n.Ports, p) {
					n.Ports = append(n.Ports, p)
				}
			}
			if to, ok := radarPeer(e.Connect); ok && e.Count > 0 && to != id && now.Sub(e.Last) <= radarSpan {
				edge := edgeOf(edges, id, to, e.Connect.Proto, e.Connect.Port)
				edge.Count += e.Count
				if e.Last.After(edge.Last) {
					edge.Last = e.Last
				}
			}
		}
	}
	return nodes, edges
}

// shortName is what fits below a dot: the service or image, not the container.
func shortName(i redoubt.Instance) string {
	if i.Kind != redoubt.KindContainer {
		return i.Name
	}
	return string(i.ID)[strings.LastIndexByte(string(i.ID), '/')+1:]
}

func radarPeer(x *profile.Connect) (string, bool) {
	if x == nil || x.Peer == "loopback" {
		return "", false
	}
	if x.Peer == "any" {
		return internet, true
	}
	return placeOfPeer(x.Peer), true
}

// draw picks what is shown and adds the peers at the other ends.
func draw(nodes map[string]*api.RadarNode, edges map[flowKey]*api.RadarEdge, now time.Time) api.Radar {
	r := api.Radar{Time: now, Nodes: []api.RadarNode{}, Edges: []api.RadarEdge{}}
	busy := map[string]int64{}
	for _, e := range edges {
		busy[e.From] += e.Count
		busy[e.To] += e.Count
	}
	for _, n := range nodes {
		r.Nodes = append(r.Nodes, *n)
	}
	slices.SortFunc(r.Nodes, func(a, b api.RadarNode) int {
		return cmp.Or(-cmp.Compare(a.Worst, b.Worst), -cmp.Compare(a.Alerts, b.Alerts), -cmp.Compare(busy[a.ID], busy[b.ID]), strings.Compare(a.ID, b.ID))
	})
	r.Nodes = r.Nodes[:min(maxRadarNodes, len(r.Nodes))]
	shown := make(map[string]bool, len(r.Nodes))
	for _, n := range r.Nodes {
		shown[n.ID] = true
	}
	for _, e := range edges {
		if shown[e.From] || shown[e.To] {
			r.Edges = append(r.Edges, *e)
		}
	}
	slices.SortFunc(r.Edges, func(a, b api.RadarEdge) int {
		return cmp.Or(-a.Last.Compare(b.Last), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), cmp.Compare(a.Port, b.Port), strings.Compare(string(a.Proto), string(b.Proto)))
	})
	r.Edges = r.Edges[:min(maxRadarEdges, len(r.Edges))]
	for _, e := range r.Edges {
		for _, id := range []string{e.From, e.To} {
			if !shown[id] {
				shown[id] = true
				r.Nodes = append(r.Nodes, outside(id))
			}
		}
	}
	return r
}

// outside is a peer that is not a running workload.
func outside(id string) api.RadarNode {
	return api.RadarNode{ID: id, Kind: "outside", Name: id}
}
