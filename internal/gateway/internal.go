package gateway

import (
	"context"
	"net/http"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/runner"
)

// inside is code that asks from within its sandbox. It is who it is by where
// it asks.
type inside struct {
	runner.Caller
}

type insideKey struct{}

// Internal serves what the code of one environment asks of the gateway: other
// functions, buckets and queues, with the APIs the front has. It is what
// runner.Config.Internal takes.
func (g *Gateway) Internal(c runner.Caller) http.Handler {
	from := &inside{c}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), insideKey{}, from)))
	})
}

// insider returns the code that made a request, nil where it came from
// outside.
func insider(ctx context.Context) *inside {
	from, _ := ctx.Value(insideKey{}).(*inside)
	return from
}

// running returns the call that code is working on, nil where it asks outside
// of one.
func (g *Gateway) running(i *inside) *call {
	id, _ := i.Call()
	if c, ok := g.under.Load(id); ok {
		return c.(*call)
	}
	return nil
}

func useOf(kind function.UseKind, target string) function.Use {
	return function.Use{Kind: kind, Target: target, Count: 1}
}

// insiderMay asks whether code may do something: its role has to grant it, the
// model must not object, and no policy may forbid it.
func (g *Gateway) insiderMay(who iam.Caller, from *inside, use function.Use, action, resource string) error {
	if !from.Note(use) {
		return fault.New(fault.Denied, "%s may not do %s on %s: its role does not grant %s %s", who.Principal, action, resource, use.Kind, use.Target)
	}
	return g.permit(who, action, resource, access.Context{Source: "function"}, true)
}
