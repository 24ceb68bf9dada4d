package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// PutInstances inserts or replaces instances by node and Workload.Instance.
func (s *Store) PutInstances(ctx context.Context, changed []redoubt.Instance) error {
	if len(changed) == 0 {
		return nil
	}
	return s.change(ctx, func(t *tx) error {
		for i := range changed {
			in := &changed[i]
			doc, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("encode instance: %w", err)
			}
			if err := t.exec(`INSERT INTO instances (node, instance, running, time, doc) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET running = excluded.running, time = excluded.time, doc = excluded.doc`,
				string(in.Node), in.Instance(), in.Running, nanos(in.Time), doc); err != nil {
				return fmt.Errorf("write instance: %w", err)
			}
		}
		return nil
	})
}

// Instances returns all that Prune has left.
func (s *Store) Instances(ctx context.Context) ([]redoubt.Instance, error) {
	return documents[redoubt.Instance](s, ctx, "instances", "SELECT doc FROM instances ORDER BY node, instance")
}

// PutNode keeps a defender's last word, Connected left out.
func (s *Store) PutNode(ctx context.Context, n *redoubt.NodeStatus) error {
	kept := *n
	kept.Connected = false
	doc, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode node: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		return t.exec("INSERT INTO nodes (id, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc", string(n.ID), doc)
	})
}

// Nodes returns every node's last word, by id.
func (s *Store) Nodes(ctx context.Context) ([]redoubt.NodeStatus, error) {
	return documents[redoubt.NodeStatus](s, ctx, "nodes", "SELECT doc FROM nodes ORDER BY id")
}

// DeleteNode forgets a node's status, instances, orders and highest batch; its
// events and alerts stay.
func (s *Store) DeleteNode(ctx context.Context, id redoubt.NodeID) error {
	return s.change(ctx, func(t *tx) error {
		n, err := t.touch("DELETE FROM nodes WHERE id = ?", string(id))
		if err != nil {
			return fmt.Errorf("delete node: %w", err)
		}
		if n == 0 {
			return s.missing(errNone, "node", string(id))
		}
		for _, table := range []string{"instances", "orders", "batches"} {
			if err := t.exec("DELETE FROM "+table+" WHERE node = ?", string(id)); err != nil {
				return fmt.Errorf("delete %s of node: %w", table, err)
			}
		}
		return nil
	})
}

// PutProfile inserts or replaces the profile of p.Workload.
func (s *Store) PutProfile(ctx context.Context, p *profile.Profile, ref redoubt.WorkloadRef, changed time.Time) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	about, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO profiles (workload, changed, ref, doc) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET changed = excluded.changed, ref = excluded.ref, doc = excluded.doc`,
			string(p.Workload), nanos(changed), about, doc)
	})
}

// DeleteProfile forgets the profile of w.
func (s *Store) DeleteProfile(ctx context.Context, w redoubt.WorkloadID) error {
	return s.remove(ctx, "profile", string(w), "DELETE FROM profiles WHERE workload = ?", string(w))
}

// EachProfile calls use for every profile with the arguments of its last
// PutProfile; an error from use ends it.
func (s *Store) EachProfile(ctx context.Context, use func(p *profile.Profile, ref redoubt.WorkloadRef, changed time.Time) error) error {
	return each(s.rows(ctx), "SELECT changed, ref, doc FROM profiles ORDER BY workload", nil, func(scan func(...any) error) error {
		var changed int64
		var about, doc []byte
		if err := scan(&changed, &about, &doc); err != nil {
			return s.explain(fmt.Errorf("read profile: %w", err))
		}
		var p profile.Profile
		var ref redoubt.WorkloadRef
		if err := json.Unmarshal(doc, &p); err != nil {
			return fmt.Errorf("read profile: %w", err)
		}
		if err := json.Unmarshal(about, &ref); err != nil {
			return fmt.Errorf("read profile of %s: %w", p.Workload, err)
		}
		return use(&p, ref, fromNanos(changed))
	})
}

// PutOrder inserts or replaces the order for its node and instance.
func (s *Store) PutOrder(ctx context.Context, o *redoubt.Standing) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO orders (node, instance, effect, reason, by, time) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET effect = excluded.effect, reason = excluded.reason, by = excluded.by, time = excluded.time`,
			string(o.Node), o.Instance, string(o.Effect), o.Reason, o.By, nanos(o.Time))
	})
}

// DeleteOrder takes an order back.
func (s *Store) DeleteOrder(ctx context.Context, node redoubt.NodeID, instance string) error {
	return s.remove(ctx, "standing order for", instance, "DELETE FROM orders WHERE node = ? AND instance = ?", string(node), instance)
}

// Orders returns all that stand.
func (s *Store) Orders(ctx context.Context) (orders []redoubt.Standing, err error) {
	err = each(s.rows(ctx), "SELECT node, instance, effect, reason, by, time FROM orders ORDER BY node, instance", nil, func(scan func(...any) error) error {
		var o redoubt.Standing
		var at int64
		if err := scan(&o.Node, &o.Instance, &o.Effect, &o.Reason, &o.By, &at); err != nil {
			return err
		}
		o.Time = fromNanos(at)
		orders = append(orders, o)
		return nil
	})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read orders: %w", err))
	}
	return orders, nil
}

// remove runs a deletion; fault.NotFound if nothing was there.
func (s *Store) remove(ctx context.Context, what, id, query string, args ...any) error {
	return s.change(ctx, func(t *tx) error {
		n, err := t.touch(query, args...)
		if err != nil {
			return fmt.Errorf("delete %s %q: %w", what, id, err)
		}
		if n == 0 {
			return s.missing(errNone, what, id)
		}
		return nil
	})
}

// documents reads a table small enough to hold.
func documents[T any](s *Store, ctx context.Context, what, query string, args ...any) (list []T, err error) {
	err = each(s.rows(ctx), query, args, func(scan func(...any) error) error {
		var doc []byte
		var v T
		if err := scan(&doc); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &v); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read %s: %w", what, err))
	}
	return list, nil
}
