package gateway

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/waf"
)

// call is one call of a function on its way through the gateway, whatever
// made it. Its source fills in the first fields.
type call struct {
	rec       function.Invocation // grows on the way; Function, Source and From are the source's
	who       iam.Caller
	tenant    string // whose data it is about, where the caller works for all
	qualifier string
	trace     trace
	context   string         // client context
	route     *route.Route   // it came by; nil for other sources
	asked     access.Context // how it came, for conditions of policies
	shape     model.Request

	// load reads the payload, after limits were checked; nil where it is there.
	load      func(*call) error
	inspect   *waf.Request // what the firewall looks at; nil makes one of the payload
	setting   route.Firewall
	stream    bool // its caller takes an answer as it comes
	elsewhere bool // its function is not one of ours
	granted   bool // by whoever owns the function: a trigger of it, or the role of one that calls it

	payload []byte
	fn      *function.Function
	version *function.Version
	ref     function.Ref
	began   time.Time
	abort   chan struct{} // closed when the gateway cannot wait any longer
	once    sync.Once
	release func() // of its place among the caller's calls
	ended   func() // it no longer runs
	result  *runner.Result
	queued  bool // it stands in the queue; its record comes when it ended
	done    bool
}

// begin makes a call. Whoever begins one finishes it.
func (g *Gateway) begin(source, name string) *call {
	now := g.cfg.Clock()
	return &call{
		rec:   function.Invocation{ID: newID(), Time: now, Function: name, Source: source},
		trace: newTrace(now), began: now, abort: make(chan struct{}), release: func() {}, ended: func() {},
	}
}

// admit takes c through everything that may refuse it.
func (g *Gateway) admit(ctx context.Context, c *call) error {
	c.rec.Caller, c.rec.Tenant = c.who.Principal, cmp.Or(c.who.Tenant, c.tenant)
	if g.closing.Load() {
		return errClosing
	}
	if c.who.Method == iam.Inside && c.granted && insider(ctx) == nil { // not a token that an administrator made
		self, err := g.cfg.IAM.Self(ctx, c.who.Principal)
		if err != nil {
			return err
		}
		self.Tenant = c.who.Tenant
		c.who = self
	}
	if err := g.resolve(ctx, c); err != nil {
		return err
	}
	c.rec.Trace = c.trace.root
	if c.trace.depth > maxDepth {
		return refuse(function.Refused, 508, "RecursiveInvocationException",
			"recursion: more than %d calls led to this call of %s; a function that calls itself, or answers its own events, must end somewhere", maxDepth, c.rec.Function)
	}
	caller := c.who.Principal
	if c.who.Method == iam.ByNothing {
		caller += " " + address(c.rec.From)
	}
	release, err := g.limits.take(ctx, caller, c.rec.Function, c.route)
	if err != nil {
		return err
	}
	c.release = release
	if c.load != nil {
		if err := c.load(c); err != nil {
			return err
		}
	}
	c.rec.In = int64(len(c.payload))
	if err := g.filter(ctx, c); err != nil {
		return err
	}
	c.asked.IP, _ = netip.ParseAddr(address(c.rec.From))
	c.asked.Source, c.asked.Bytes, c.asked.Route, c.asked.Tenant = c.rec.Source, c.rec.In, c.rec.Route, c.rec.Tenant
	if err := g.authorize(ctx, c); err != nil {
		return err
	}
	return g.judge(c)
}

// resolve finds the version that is meant.
func (g *Gateway) resolve(ctx context.Context, c *call) error {
	if c.elsewhere {
		return nil
	}
	text := c.rec.Function
	if c.qualifier != "" {
		text += ":" + c.qualifier
	}
	ref, err := function.ParseRef(text)
	if err != nil {
		return err
	}
	c.rec.Function = ref.Name
	fn, v, err := g.cfg.Functions.Resolve(ctx, ref, rand.Float64())
	if err != nil {
		return err
	}
	if ref.Version == 0 && ref.Alias == "" {
		ref.Alias = function.Live
	}
	c.fn, c.version = fn, v
	c.ref = function.Ref{Name: fn.Name, Version: v.Number, Alias: ref.Alias}
	c.rec.Version, c.rec.Alias = v.Number, ref.Alias
	c.rec.Limit = int64(v.Spec.Memory) << 20
	return nil
}

// filter asks the firewall. In alert mode its failure lets the call pass, in
// prevent mode it does not.
func (g *Gateway) filter(ctx context.Context, c *call) error {
	if g.cfg.Firewall == nil || c.setting.Mode == route.FirewallOff {
		return nil
	}
	r := c.inspect
	if r == nil {
		r = waf.Event(c.rec.Source, c.payload)
		r.Remote, _ = netip.ParseAddrPort(c.rec.From)
	}
	r.Setting = c.setting
	v, err := g.cfg.Firewall.Inspect(ctx, r)
	if err != nil {
		g.log.Warn("firewall failed", "id", c.rec.ID, "error", err)
		if c.setting.Mode == route.FirewallPrevent {
			return refuse(function.Refused, 403, "AccessDeniedException", "the firewall could not judge the request")
		}
		return nil
	}
	c.rec.Verdicts = append(c.rec.Verdicts, v.Records()...)
	if v.Action == waf.Refuse {
		return refuse(function.Refused, 403, "AccessDeniedException", "the firewall refused the request")
	}
	return nil
}

// authorize asks whether the caller may make the call. A forbid counts whether
// it names the function, the alias or the version; a permit has to be of what
// was asked for.
func (g *Gateway) authorize(_ context.Context, c *call) error {
	actions := []string{"function:Invoke"}
	if c.rec.Async {
		actions = append(actions, "function:InvokeAsync")
	}
	named := "function/" + c.rec.Function
	resources := []string{named}
	if c.qualifier != "" {
		resources[0] += ":" + c.qualifier
	}
	for _, other := range c.names(named) {
		if !slices.Contains(resources, other) {
			resources = append(resources, other)
		}
	}
	may := false
	for i, resource := range resources {
		for _, action := range actions {
			d, err := g.cfg.Access.Decide(g.question(c.who, action, resource, c.asked))
			if err != nil {
				return err
			}
			if forbids(d) {
				c.rec.Decision = d.Policy
				return refuse(function.Denied, 403, "AccessDeniedException", "%s may not invoke %s: policy %s forbids it", c.who.Principal, c.rec.Function, d.Policy)
			}
			if d.Allow && i == 0 && !may {
				may, c.rec.Decision = true, d.Policy
			}
		}
	}
	if !may && c.granted {
		may, c.rec.Decision = true, "grant/"+c.rec.Source
	}
	if !may {
		return refuse(function.Denied, 403, "AccessDeniedException", "%s may not invoke %s: no policy permits it", c.who.Principal, c.rec.Function)
	}
	return nil
}

// names are all by which what is called can be forbidden.
func (c *call) names(named string) []string {
	out := []string{named}
	if c.ref.Alias != "" {
		out = append(out, named+":"+c.ref.Alias)
	}
	if c.ref.Version != 0 {
		out = append(out, named+":"+strconv.Itoa(c.ref.Version))
	}
	return out
}

// judge asks the model whether the request is like those before.
func (g *Gateway) judge(c *call) error {
	if g.cfg.Model == nil || c.elsewhere {
		return nil
	}
	c.shape.Time, c.shape.Caller, c.shape.Version, c.shape.Source = c.rec.Time, c.rec.Caller, c.rec.Version, c.rec.Source
	c.shape.Route, c.shape.Body = c.rec.Route, c.payload
	v := g.cfg.Model.JudgeRequest(c.rec.Function, &c.shape)
	if c.notable(v); v.Effect == redoubt.EffectPrevent || v.Effect == redoubt.EffectBlock || v.Effect == redoubt.EffectIsolate {
		return refuse(function.Refused, 403, "AccessDeniedException", "the request is unlike those %s was learned from: %s", c.rec.Function, v.Reason)
	}
	return nil
}

// notable keeps a verdict that is worth a person's eye.
func (c *call) notable(all ...redoubt.Verdict) {
	for _, v := range all {
		switch v.Effect {
		case redoubt.EffectAlert, redoubt.EffectPrevent, redoubt.EffectBlock, redoubt.EffectIsolate:
			c.rec.Verdicts = append(c.rec.Verdicts, v)
		}
	}
}

// learn tells the model of a call that ran.
func (g *Gateway) learn(c *call) {
	if g.cfg.Model != nil && c.result != nil && c.version != nil {
		c.notable(g.cfg.Model.Learn(c.version, &c.rec, &c.shape)...)
	}
}

// finish writes c's record. status is what its caller got, 0 where nobody
// waits for one; why is nil where the function was reached.
func (g *Gateway) finish(c *call, status int, why error) {
	if c.done {
		return
	}
	c.done = true
	c.release()
	defer c.ended()
	if c.queued {
		return
	}
	g.note(c, why)
	c.rec.Status = status
	g.learn(c)
	g.flow.put(c.rec)
	g.metrics.call(&c.rec, g.cfg.Clock().Sub(c.began))
}

// note writes how c went into its record.
func (g *Gateway) note(c *call, why error) {
	r := &c.rec
	if why != nil {
		no := refused(why)
		r.Outcome, r.Error, r.Status = no.outcome, no.text, no.status
		if c.result == nil {
			return
		}
	}
	res := c.result
	if res == nil {
		return
	}
	if why == nil {
		r.Outcome = res.Outcome
	}
	r.Start, r.Queued, r.Init, r.Duration, r.CPU, r.Memory = res.Start, res.Queued, res.Init, res.Duration, res.CPU, res.Memory
	r.Overhead = max(0, g.cfg.Clock().Sub(c.began)-res.Queued-res.Init-res.Duration)
	r.Billed += billed(res)
	r.Uses = res.Uses
	r.Verdicts = append(r.Verdicts, res.Verdicts...)
	if res.Error != nil && why == nil {
		r.Error = clip(res.Error.Type+": "+res.Error.Message, 1024)
	}
}

// billed is what a call is charged: starting and running, to the next
// millisecond.
func billed(res *runner.Result) time.Duration {
	return (res.Init + res.Duration + time.Millisecond - 1).Truncate(time.Millisecond)
}

// cancel ends c at once, as far as it runs.
func (c *call) cancel() { c.once.Do(func() { close(c.abort) }) }
