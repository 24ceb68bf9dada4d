package console

import (
	"context"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func (c *Console) nodes(ctx context.Context, s *Slice) (*out[api.Page[redoubt.NodeStatus]], error) {
	all := c.statuses()
	where := func(n redoubt.NodeStatus) mark { return mark{n.Started, string(n.ID)} }
	slices.SortFunc(all, func(a, b redoubt.NodeStatus) int { return order(where(a), where(b)) })
	return cut(all, *s, where)
}

// statuses lists every node, by name, with Connected as it is now.
func (c *Console) statuses() []redoubt.NodeStatus {
	now := c.clock()
	c.model.mu.RLock()
	defer c.model.mu.RUnlock()
	all := make([]redoubt.NodeStatus, 0, len(c.model.nodes))
	for _, n := range c.model.nodes {
		s := n.NodeStatus
		s.Connected = now.Sub(n.heard) <= silence && c.watchers.watches(n.ID)
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b redoubt.NodeStatus) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

func (c *Console) deleteNode(ctx context.Context, r *ByID) (*struct{}, error) {
	id := redoubt.NodeID(r.ID)
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		old := c.model.nodes[id]
		if old == nil {
			return fault.New(fault.NotFound, "no node %q; redoubt get nodes lists them", r.ID)
		}
		if old.quiet {
			if err := d.returned(ctx, id); err != nil {
				return err
			}
		}
		if err := c.store.DeleteNode(ctx, id); err != nil {
			return err
		}
		d.nodes[id] = nil
		d.say("node", r.ID, nil)
		return d.note(ctx, "node.delete", r.ID, old.NodeStatus, nil)
	})
	if err != nil {
		return nil, err
	}
	if c.forgotten != nil {
		c.forgotten(id)
	}
	return &struct{}{}, nil
}
