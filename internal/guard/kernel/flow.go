package kernel

import (
	"net/netip"
	"slices"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// flowRule is one policy rule or the profile as a part of the space of remote
// ends: inside one of its regions and in none of its holes.
type flowRule struct {
	effect  redoubt.Effect
	novel   bool
	program bool // hangs on the program, which the kernel does not compare
	regions []region
	holes   []region
}

func (r *flowRule) fits(at region) fit {
	inside := slices.ContainsFunc(r.regions, func(own region) bool { return own.covers(at) })
	switch {
	case !inside || slices.ContainsFunc(r.holes, func(h region) bool { return h.covers(at) }):
		return no
	case r.program:
		return maybe
	}
	return yes
}

// connect makes the rules for connections. The kernel lets the longest prefix
// decide where policies let the first rule decide, so every region in which
// two rules meet gets its own kernel rule with the first rule's answer.
func (c *compiler) connect() {
	rules, known := c.flowRules(), c.knownFlows()
	var cells []region
	for _, r := range append(slices.Clone(rules), known) {
		cells = append(append(cells, r.regions...), crossHoles(&r)...)
	}
	cells, whole := closed(cells)
	if !whole {
		c.gap("%s has too many rules about connections to refuse any in the kernel", c.Ref.ID)
		return
	}
	c.out.Mode.Connect = c.flowAction(rules, &known, everywhereRegion)
	for _, cell := range cells {
		c.out.Connect[cell.key()] = c.flowAction(rules, &known, cell)
	}
	delete(c.out.Connect, sensor.ConnectKey{})
	if c.out.Mode.Connect == sensor.Allow {
		c.out.Mode.Connect = sensor.Report // what is allowed without a rule of its own is still drawn on the map
	}
}

func (c *compiler) flowAction(rules []flowRule, known *flowRule, at region) sensor.Action {
	var out outcome
	in := known.fits(at)
	for i := range rules {
		r := &rules[i]
		f := r.fits(at)
		if r.novel {
			f = yes - in
		}
		if f != no {
			out.add(r.effect)
		}
		if f == yes {
			return c.socketAction(out)
		}
	}
	if in == yes {
		out.add(redoubt.EffectIgnore)
	} else {
		out.add(fallback(c.State, c.Ref))
	}
	return c.socketAction(out)
}

// socketAction never holds: a connection cannot wait. Doubt lets it through
// and sends it up.
func (c *compiler) socketAction(o outcome) sensor.Action {
	a := o.action()
	if a == sensor.Hold {
		c.gap("%s: a rule about sockets of one program only is seen, not prevented", c.Ref.ID)
		return sensor.Report
	}
	return a
}

func (c *compiler) flowRules() []flowRule {
	var out []flowRule
	for _, r := range c.Overlay.Rules() {
		if n := r.Novel; n != nil && (len(n.Kinds) == 0 || slices.Contains(n.Kinds, redoubt.EventConnect)) {
			out = append(out, flowRule{effect: r.Effect, novel: true})
		}
		if r.Connect == nil {
			continue
		}
		f := flowRule{effect: r.Effect, program: len(r.Connect.Paths) > 0}
		if len(r.Connect.To) == 0 {
			f.regions = []region{everywhereRegion}
		}
		for _, to := range r.Connect.To {
			if to == "public" {
				f.holes = slices.Concat(loopbackRegions, privateRegions, nowhereRegions)
				// The holes are of this destination only.
				public := flowRule{effect: f.effect, program: f.program, holes: f.holes, regions: across([]region{everywhereRegion}, r.Connect.Proto, r.Connect.Ports)}
				f.holes = nil
				out = append(out, public)
				continue
			}
			f.regions = append(f.regions, c.destination(to)...)
		}
		f.regions = across(f.regions, r.Connect.Proto, r.Connect.Ports)
		if len(f.regions) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// knownFlows is what the profile holds.
func (c *compiler) knownFlows() flowRule {
	f := flowRule{effect: redoubt.EffectIgnore}
	for i := range c.entries {
		x := c.entries[i].Connect
		if x == nil {
			continue
		}
		var ports []uint16
		if x.Port != 0 {
			ports = []uint16{x.Port}
		}
		to := c.destination(x.Peer)
		switch x.Peer {
		case profile.AnyPeer:
			to = []region{everywhereRegion}
		case profile.Loopback:
			to = append(to, regions("0.0.0.0/32", "::/128")...) // connecting to nowhere reaches this host
		}
		f.regions = append(f.regions, across(to, x.Proto, ports)...)
	}
	return f
}

// destination is the regions of one destination of a rule or entry.
func (c *compiler) destination(to string) []region {
	switch to {
	case "loopback":
		return slices.Clone(loopbackRegions)
	case "private":
		return slices.Clone(privateRegions)
	}
	if p, err := netip.ParsePrefix(to); err == nil {
		return []region{prefixRegion(p)}
	}
	if a, err := netip.ParseAddr(to); err == nil {
		return []region{addrRegion(a)}
	}
	if c.Peers == nil {
		return nil
	}
	var out []region
	for _, a := range c.Peers(to) {
		out = append(out, addrRegion(a))
	}
	return out
}

// across spreads regions over ports.
func across(in []region, proto redoubt.Proto, ports []uint16) []region {
	if len(ports) == 0 {
		ports = []uint16{0}
	}
	var out []region
	for _, r := range in {
		for _, p := range ports {
			r.port, r.proto = p, proto
			out = append(out, r)
		}
	}
	return out
}

// crossHoles are a rule's holes at the ports of its regions.
func crossHoles(r *flowRule) []region {
	var out []region
	for _, h := range r.holes {
		for _, own := range r.regions {
			if both, ok := own.meet(h); ok {
				out = append(out, both)
			}
		}
	}
	return out
}

// closed adds every region in which two of the given meet, until there are no
// new ones; whole is false where that is more than the kernel is given.
func closed(in []region) (out []region, whole bool) {
	seen := map[region]bool{}
	for _, r := range in {
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	for i := 0; i < len(out); i++ {
		for j := range i {
			both, ok := out[i].meet(out[j])
			if !ok || seen[both] {
				continue
			}
			if len(out) >= maxRules {
				return nil, false
			}
			seen[both] = true
			out = append(out, both)
		}
	}
	return out, len(out) <= maxRules
}

// listen makes the rules for listening sockets, for which the kernel compares
// protocol and port.
func (c *compiler) listen() {
	ports := map[redoubt.Port]bool{}
	ephemeral := false
	for i := range c.entries {
		if l := c.entries[i].Listen; l != nil {
			ports[redoubt.Port{Proto: l.Proto, Port: l.Port}] = true
			ephemeral = ephemeral || l.Port == 0
		}
	}
	delete(ports, redoubt.Port{Proto: redoubt.TCP})
	delete(ports, redoubt.Port{Proto: redoubt.UDP})
	for _, r := range c.Overlay.Rules() {
		if r.Listen == nil {
			continue
		}
		for _, p := range r.Listen.Ports {
			for _, proto := range []redoubt.Proto{redoubt.TCP, redoubt.UDP} {
				if r.Listen.Proto == "" || r.Listen.Proto == proto {
					ports[redoubt.Port{Proto: proto, Port: p}] = true
				}
			}
		}
	}
	if len(ports) > maxRules {
		c.gap("%s has too many rules about listening to refuse any in the kernel", c.Ref.ID)
		return
	}
	for p := range ports {
		c.out.Listen[p] = c.listenAction(p)
	}
	c.out.Mode.Listen = c.listenAction(redoubt.Port{})
	if ephemeral && c.out.Mode.Listen == sensor.Deny {
		c.gap("%s listens on ports the kernel chooses, so other unknown ports are seen, not prevented", c.Ref.ID)
		c.out.Mode.Listen = sensor.Report
	}
	if c.out.Mode.Listen == sensor.Allow {
		c.out.Mode.Listen = sensor.Report
	}
}

// listenAction answers for one port, or for all that have no rule of their own.
func (c *compiler) listenAction(p redoubt.Port) sensor.Action {
	known := no
	for i := range c.entries {
		if l := c.entries[i].Listen; l != nil && l.Proto == p.Proto && (l.Port == p.Port || l.Port == 0 && p.Port >= profile.Ephemeral) && p.Port != 0 {
			known = yes
		}
	}
	var out outcome
	for _, r := range c.Overlay.Rules() {
		switch f := fitsListen(r, p, known); f {
		case yes:
			out.add(r.Effect)
			return c.socketAction(out)
		case maybe:
			out.add(r.Effect)
		}
	}
	if known == yes {
		out.add(redoubt.EffectIgnore)
	} else {
		out.add(fallback(c.State, c.Ref))
	}
	return c.socketAction(out)
}

func fitsListen(r *policy.Rule, p redoubt.Port, known fit) fit {
	if n := r.Novel; n != nil && (len(n.Kinds) == 0 || slices.Contains(n.Kinds, redoubt.EventListen)) {
		return yes - known
	}
	l := r.Listen
	if l == nil || l.Proto != "" && p.Proto != "" && l.Proto != p.Proto || len(l.Ports) > 0 && !slices.Contains(l.Ports, p.Port) {
		return no
	}
	if len(l.Paths) > 0 || l.Proto != "" && p.Proto == "" {
		return maybe
	}
	return yes
}
