package console

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/redoubt"
)

// maxNodes bounds the fleet of one console.
const maxNodes = 2_000

func (c *Console) join(ctx context.Context, _ *struct{}) (*out[api.JoinToken], error) {
	if c.joinText == nil {
		return nil, fault.New(fault.Unsupported, "this console takes no other nodes; start it with an address for defenders")
	}
	var made api.JoinToken
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		secret, until, err := c.identity.JoinToken(ctx, requestOf(ctx).actor.User, 0)
		if err != nil {
			return err
		}
		made.Expires = until
		made.Secret, made.Command = c.joinText(secret.Reveal())
		return c.note(ctx, "node.join-token", "", nil, struct {
			Expires string `json:"expires"`
		}{stamp(until)})
	})
	if err != nil {
		return nil, err
	}
	return answer(made), nil
}

// Enrol is link.ServerConfig's: it uses the join token up and names the node,
// in one transaction. A name whose node still speaks gets a number behind it;
// one whose node is silent is taken over, and the certificate from before is
// no longer admitted.
func (c *Console) Enrol(ctx context.Context, r link.EnrolRequest) (redoubt.NodeID, error) {
	info := &request{id: r.ID, from: r.From}
	ctx = context.WithValue(ctx, requestKey{}, info)
	var id redoubt.NodeID
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		if err := c.identity.UseJoin(ctx, identity.Secret(r.Secret)); err != nil {
			return err
		}
		if len(c.model.nodes) >= maxNodes {
			return fault.New(fault.Limited, "there are %d nodes already; delete some first", maxNodes)
		}
		id = d.nodeName(r.Hostname)
		n := redoubt.NodeStatus{ID: id, Hostname: r.Hostname, Version: r.Version, Enrolment: r.ID}
		var before any
		if old := c.model.nodes[id]; old != nil {
			before = old.NodeStatus
			if err := c.store.DeleteNode(ctx, id); err != nil { // its numbering of batches begins anew
				return err
			}
		}
		if err := c.store.PutNode(ctx, &n); err != nil {
			return err
		}
		d.nodes[id] = &node{NodeStatus: n, heard: d.now, quiet: before != nil && c.model.nodes[id].quiet}
		d.say("node", string(id), nil)
		return d.note(ctx, "node.enrol", string(id), before, n)
	})
	return id, err
}

// Admit is for link.ServerConfig: it says whether a node with a valid
// certificate, made in that enrolment, is still welcome.
func (c *Console) Admit(id redoubt.NodeID, enrolment string) error {
	c.model.mu.RLock()
	defer c.model.mu.RUnlock()
	if n := c.model.nodes[id]; n == nil || n.Enrolment != enrolment {
		return fault.New(fault.Denied, "node %s was removed at the console or has enrolled anew; enrol it with a new join token", id)
	}
	return nil
}

var unfit = regexp.MustCompile(`[^a-z0-9.-]+`)

func (d *draft) nodeName(hostname string) redoubt.NodeID {
	base := strings.Trim(unfit.ReplaceAllString(strings.ToLower(hostname), "-"), "-.")
	base = base[:min(len(base), 63)]
	if base == "" {
		base = "node"
	}
	for n := 1; ; n++ {
		id := redoubt.NodeID(base)
		if n > 1 {
			id = redoubt.NodeID(base + "-" + strconv.Itoa(n))
		}
		if old := d.c.model.nodes[id]; old == nil || d.now.Sub(old.heard) > silence && old.Enrolment != "" {
			return id
		}
	}
}
