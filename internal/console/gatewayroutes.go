package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/route"
)

// allRoutes are those people made and those functions ask for, by id.
func (c *Console) allRoutes(ctx context.Context) ([]api.Route, error) {
	own, err := c.serverless.Routes.Routes(ctx)
	if err != nil {
		return nil, err
	}
	var all []api.Route
	for _, r := range own {
		all = append(all, api.Route{Route: r})
	}
	err = c.eachFunction(ctx, func(fn *function.Function) error {
		v := liveVersion(fn)
		if v == nil || fn.State != function.Active {
			return nil
		}
		for i, t := range v.Spec.Triggers {
			if t.HTTP == nil {
				continue
			}
			all = append(all, api.Route{Owner: fn.Name, Route: route.Route{
				ID: fmt.Sprintf("function-%s-%d", fn.Name, i), Host: t.HTTP.Host, Method: t.HTTP.Method, Path: t.HTTP.Path, Stage: route.Live,
				Target: route.Target{Function: fn.Name}, Auth: route.Auth(t.HTTP.Auth), Payload: t.HTTP.Payload,
			}})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b api.Route) int { return strings.Compare(a.ID, b.ID) })
	return all, err
}

func (c *Console) gatewayRoutes(ctx context.Context, f *routeFilter) (*out[api.Page[api.Route]], error) {
	all, err := c.allRoutes(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r api.Route) bool {
		stage := r.Stage
		if stage == "" {
			stage = route.Live
		}
		return f.Function != "" && r.Target.Function != f.Function || f.Stage != "" && stage != f.Stage
	})
	return cut(all, f.Slice, func(r api.Route) mark { return mark{key: r.ID} })
}

func (c *Console) gatewayRoute(ctx context.Context, r *ByID) (*out[api.Route], error) {
	all, err := c.allRoutes(ctx)
	if err != nil {
		return nil, err
	}
	for _, have := range all {
		if have.ID == r.ID {
			return answer(have), nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no route %q", clip(r.ID, 128))
}

func (c *Console) putRoute(ctx context.Context, r *putRoute) (*out[api.Route], error) {
	if r.Body.ID != r.ID {
		return nil, fault.New(fault.Invalid, "id: the route is called %q, the address says %q", clip(r.Body.ID, 128), clip(r.ID, 128))
	}
	if err := c.writeRoutes(ctx, []route.Route{r.Body}, r.Dry); err != nil {
		return nil, err
	}
	return answer(api.Route{Route: r.Body}), nil
}

// writeRoutes puts routes beside those there are, if the table still holds
// together; all or none.
func (c *Console) writeRoutes(ctx context.Context, routes []route.Route, dry bool) error {
	for _, r := range routes {
		if strings.HasPrefix(r.ID, "function-") {
			return fault.New(fault.Invalid, "id: %q: names that begin with function- belong to functions' triggers; change the function", clip(r.ID, 128))
		}
		if err := route.Invalid(route.Validate(r)); err != nil {
			return err
		}
	}
	write := func(ctx context.Context) error {
		own, err := c.serverless.Routes.Routes(ctx)
		if err != nil {
			return err
		}
		all, err := c.allRoutes(ctx)
		if err != nil {
			return err
		}
		next := slices.Clone(routes)
		for _, have := range all {
			if !slices.ContainsFunc(routes, func(r route.Route) bool { return r.ID == have.ID }) {
				next = append(next, have.Route)
			}
		}
		if _, err := route.Compile(next); err != nil || dry {
			return err
		}
		if err := c.serverless.Routes.PutRoutes(ctx, routes); err != nil {
			return err
		}
		for _, r := range routes {
			if err := c.note(ctx, "route.put", r.ID, routeIn(own, r.ID), r); err != nil {
				return err
			}
		}
		return nil
	}
	if dry {
		return write(ctx)
	}
	if err := c.store.Atomic(ctx, write); err != nil {
		return err
	}
	c.changed("", false)
	return nil
}

func routeIn(all []route.Route, id string) any {
	for _, r := range all {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (c *Console) deleteRoute(ctx context.Context, r *ByID) (*struct{}, error) {
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		own, err := c.serverless.Routes.Routes(ctx)
		if err != nil {
			return err
		}
		if err := c.serverless.Routes.DeleteRoute(ctx, r.ID); err != nil {
			return err
		}
		return c.note(ctx, "route.delete", r.ID, routeIn(own, r.ID), nil)
	})
	if err != nil {
		return nil, err
	}
	c.changed("", false)
	return &struct{}{}, nil
}

// applyRoutes writes the routes of a text, or says what is wrong with it.
func (c *Console) applyRoutes(ctx context.Context, r *writeRoutes) (*out[api.RoutesWritten], error) {
	routes, problems := route.Parse([]byte(r.Body.Source))
	done := api.RoutesWritten{Routes: routes, Problems: problems}
	return c.taken(ctx, done, r.Dry)
}

func (c *Console) importOpenAPI(ctx context.Context, r *importOpenAPI) (*out[api.RoutesWritten], error) {
	b := &r.Body
	got, err := route.Import([]byte(b.Source), route.ImportOptions{Stage: b.Stage, Host: b.Host, Function: b.Function, Lambda: b.Lambda})
	if err != nil {
		return nil, err
	}
	return c.taken(ctx, api.RoutesWritten{Routes: got.Routes, Notes: got.Notes}, r.Dry)
}

func (c *Console) taken(ctx context.Context, done api.RoutesWritten, dry bool) (*out[api.RoutesWritten], error) {
	if done.Routes == nil {
		done.Routes = []route.Route{}
	}
	if len(done.Problems) > 0 || len(done.Routes) == 0 {
		return answer(done), nil
	}
	err := c.writeRoutes(ctx, done.Routes, dry)
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) {
		done.Problems = append(done.Problems, route.Problem{Message: err.Error()})
		return answer(done), nil
	}
	done.Written = err == nil && !dry
	return answer(done), err
}

// exportOpenAPI writes the table of one stage as an OpenAPI document.
func (c *Console) exportOpenAPI(ctx context.Context, f *exportFilter) (*huma.StreamResponse, error) {
	all, err := c.allRoutes(ctx)
	if err != nil {
		return nil, err
	}
	stage := f.Stage
	if stage == "" {
		stage = route.Live
	}
	var routes []route.Route
	for _, r := range all {
		if r.Stage == "" {
			r.Stage = route.Live
		}
		if r.Stage == stage && (f.Host == "" || r.Host == f.Host) {
			routes = append(routes, r.Route)
		}
	}
	text, err := route.Export(f.Title, routes)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.Write(text)
	}}, nil
}
