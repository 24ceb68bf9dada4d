package gateway

import (
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

// visit is a request that came by a route.
type visit struct {
	g     *Gateway
	a     *answer
	r     *http.Request
	path  route.Path
	match route.Match
	c     *call
}

// serveRoute answers what routes lead to.
func (g *Gateway) serveRoute(a *answer, r *http.Request) {
	v := &visit{g: g, a: a, r: r}
	if no := v.find(); no != nil {
		a.fail(no)
		return
	}
	if v.match.Route == nil {
		return // a preflight, answered
	}
	rt := v.match.Route
	c := g.begin("http", rt.Target.Function)
	v.c = c
	c.rec.ID, c.rec.From, c.rec.Route, c.route, c.setting = a.id, r.RemoteAddr, rt.String(), rt, rt.Firewall
	c.trace = parseTrace(r.Header.Get("X-Amzn-Trace-Id"), c.began)
	if rt.Target.Function == "" {
		c.rec.Function = rt.ID
	}
	a.route = c.rec.Route
	v.cors()
	err := v.serve()
	a.function = c.rec.Function
	if err != nil {
		no := refused(err)
		if a.status == 0 {
			a.fail(no)
		}
		if no.status >= 500 && c.result == nil {
			g.log.Warn("call failed", "id", a.id, "function", c.rec.Function, "error", err)
		}
	}
	g.finish(c, a.status, err)
	a.outcome = string(c.rec.Outcome)
}

// find looks the route up; where the request is no call it answers it.
func (v *visit) find() *refusal {
	path, err := route.Clean(v.r.URL.EscapedPath())
	if err != nil {
		return refused(err)
	}
	v.path = path
	table := v.g.routes.Table()
	q := route.Query{Stage: v.g.cfg.Stage, Host: v.r.Host, Method: v.r.Method, Path: path}
	preflight := route.Preflight(v.r)
	if preflight {
		q.Method = v.r.Header.Get("Access-Control-Request-Method")
	}
	table.Match(q, &v.match)
	switch v.match.Result {
	case route.NoPath:
		return refuse("", http.StatusNotFound, "NotFoundException", "no route leads from here; request %s", v.a.id)
	case route.NoMethod, route.Options:
		v.a.Header().Set("Allow", strings.Join(v.match.Allow(), ", "))
		if v.match.Result == route.NoMethod && !preflight {
			return refuse("", http.StatusMethodNotAllowed, "MethodNotAllowedException", "the path takes %s", strings.Join(v.match.Allow(), ", "))
		}
		v.match.Route = nil
		v.a.WriteHeader(http.StatusNoContent)
		return nil
	}
	if !preflight || v.match.Route.CORS == nil && slices.Contains(v.match.Allow(), http.MethodOptions) && v.match.Route.Method == http.MethodOptions {
		return nil
	}
	if v.match.Route.CORS != nil {
		maps.Copy(v.a.Header(), v.match.Route.CORS.Preflight(v.r.Header, v.match.Allow()))
	}
	v.match.Route = nil
	v.a.WriteHeader(http.StatusNoContent)
	return nil
}

// cors says what pages of other origins may read of the answer.
func (v *visit) cors() {
	for name, values := range v.match.Route.CORS.Answer(v.r.Header.Get("Origin")) {
		v.a.Header()[name] = values
	}
}

// serve takes the request through the gateway to its answer.
func (v *visit) serve() (err error) {
	c, rt := v.c, v.match.Route
	v.g.bound(v.a, v.r, rt.MaxRequest)
	if c.who, err = v.g.authenticate(v.a, v.r, rt.Auth); err != nil {
		c.rec.Caller = c.who.Principal
		return err
	}
	if from := insider(v.r.Context()); from != nil {
		if err := v.within(from); err != nil {
			return err
		}
	}
	if n := rt.Target.Pick(randomly()); n != 0 {
		c.qualifier = strconv.Itoa(n)
	} else {
		c.qualifier = rt.Target.Alias
	}
	c.asked = asked(v.r)
	c.asked.Stage = rt.Stage
	c.load = v.load
	c.elsewhere = rt.Target.Function == ""
	if err := v.g.admit(v.r.Context(), c); err != nil {
		return err
	}
	if c.elsewhere {
		return v.forward()
	}
	if v.r.Header.Get("Upgrade") != "" {
		return refuse(function.Refused, http.StatusNotImplemented, "InvalidRequestContentException", "functions answer no upgrades; a route to an upstream passes them on")
	}
	c.payload = v.event()
	c.stream = c.version.Spec.Streaming
	if err := v.g.invoke(v.r.Context(), c); err != nil {
		return err
	}
	return v.respond()
}

// within makes the call one that code makes from its sandbox: like any other it
// makes, its role has to grant it, and it counts as one more that led here.
func (v *visit) within(from *inside) error {
	c := v.c
	c.rec.Source, c.rec.From = "function", ""
	c.descend(v.g.running(from))
	if c.granted = from.Note(useOf(function.UseFunction, c.rec.Function)); !c.granted {
		c.rec.Caller = c.who.Principal
		return refuse(function.Denied, 403, "AccessDeniedException", "%s may not invoke %s: its role does not grant that", c.who.Principal, c.rec.Function)
	}
	return nil
}

// load reads the body and makes it ready for whoever judges it.
func (v *visit) load(c *call) error {
	body, err := v.g.room.read(c, v.r.Body)
	if err != nil {
		var big *http.MaxBytesError
		var full *refusal
		if errors.As(err, &big) || errors.As(err, &full) || fault.Of(err) != fault.Internal {
			return err
		}
		return refuse(function.Abandoned, http.StatusRequestTimeout, "RequestTimeoutException", "the body did not arrive whole")
	}
	c.payload = body
	if v.match.Check != nil {
		if err := v.check(body); err != nil {
			return err
		}
	}
	c.shape = v.shape()
	remote, _ := netip.ParseAddrPort(v.r.RemoteAddr)
	c.inspect = &waf.Request{Method: v.r.Method, URI: v.r.RequestURI, Proto: v.r.Proto, Host: v.r.Host, Header: fields(v.r.Header), Remote: remote, Body: body}
	return nil
}

// fields lists headers, those a firewall knows by one name each.
func fields(h http.Header) []waf.Field {
	out := make([]waf.Field, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			out = append(out, waf.Field{Name: name, Value: v})
		}
	}
	return out
}

// check holds the request against the schema of its operation.
func (v *visit) check(body []byte) error {
	if err := v.match.Check.Check(v.r, v.match.Params(), body); err != nil {
		return err
	}
	return nil
}

// shape is the request as a model sees it, besides its body.
func (v *visit) shape() model.Request {
	r := model.Request{Type: v.r.Header.Get("Content-Type")}
	for _, p := range v.match.Params() {
		r.Params = append(r.Params, model.Param{In: "path", Name: p.Name, Value: p.Value})
	}
	for name, values := range v.r.URL.Query() {
		for _, value := range values {
			r.Params = append(r.Params, model.Param{In: "query", Name: name, Value: value})
		}
	}
	return r
}
