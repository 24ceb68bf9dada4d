package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/route"
)

// item is a document of a kind that is about functions.
type item interface {
	name() string
	// same says whether the console has it as it is; what is not there is an
	// error of kind fault.NotFound.
	same(ctx context.Context, c *api.Client) (bool, error)
	// check has the console say what is wrong with it, and writes nothing.
	check(ctx context.Context, c *api.Client) error
	write(ctx context.Context, c *api.Client) error
}

// itemKinds read one document of a kind, from the file it stands in. Problems
// name lines of the document.
var itemKinds = map[string]func(file, text string) (item, []line){
	"Function": func(file, text string) (item, []line) {
		r := function.Read([]byte(text))
		if len(r.Problems) > 0 || len(r.Functions) != 1 {
			return nil, linesOf(r.Problems, func(p function.Problem) line { return line{p.Line, p.Path, p.Message} })
		}
		return &functionItem{file, r.Functions[0]}, nil
	},
	"Route": func(_, text string) (item, []line) {
		all, problems := route.Parse([]byte(text))
		if len(problems) > 0 || len(all) != 1 {
			return nil, linesOf(problems, func(p route.Problem) line { return line{p.Line, p.Path, p.Message} })
		}
		return &routeItem{text, all[0]}, nil
	},
	"AccessPolicy": func(_, text string) (item, []line) {
		e, err := access.NewEngine()
		if err != nil {
			return nil, []line{{message: err.Error()}}
		}
		all, problems := e.Read("", []byte(text))
		if len(problems) > 0 || len(all) != 1 {
			return nil, linesOf(problems, func(p access.Problem) line { return line{p.Line, "", p.Message} })
		}
		return &accessItem{all[0]}, nil
	},
	"FunctionModel": func(_, text string) (item, []line) {
		m, err := model.Import([]byte(text), time.Now())
		if err != nil {
			return nil, []line{{message: err.Error()}}
		}
		return &modelItem{text, m}, nil
	},
}

func linesOf[P any](problems []P, as func(P) line) []line {
	if len(problems) == 0 {
		return []line{{message: "there is not exactly one in the document"}}
	}
	out := make([]line, 0, len(problems))
	for _, p := range problems {
		out = append(out, as(p))
	}
	return out
}

type functionItem struct {
	file string
	doc  function.Document
}

func (i *functionItem) name() string { return "function " + i.doc.Name }

// same never holds where code comes along: only the console can tell whether
// that is new, once it has it.
func (i *functionItem) same(ctx context.Context, c *api.Client) (bool, error) {
	now, err := c.Function(ctx, i.doc.Name)
	return err == nil && i.doc.Code == "" && sameSpec(liveSpec(&now.Record), i.doc.Spec), err
}

func (i *functionItem) check(ctx context.Context, c *api.Client) error {
	_, err := c.Deploy(ctx, i.doc.Name, api.DeployRequest{Spec: i.doc.Spec}, true)
	return err
}

func (i *functionItem) write(ctx context.Context, c *api.Client) error {
	_, err := (&deployFlags{}).described(ctx, c, i.file, &i.doc)
	return err
}

type routeItem struct {
	text  string
	route route.Route
}

func (i *routeItem) name() string { return "route " + i.route.ID }

func (i *routeItem) same(ctx context.Context, c *api.Client) (bool, error) {
	now, err := c.Route(ctx, i.route.ID)
	return err == nil && sameJSON(now.Route, i.route), err
}

func (i *routeItem) check(ctx context.Context, c *api.Client) error { return i.send(ctx, c, true) }

func (i *routeItem) write(ctx context.Context, c *api.Client) error { return i.send(ctx, c, false) }

func (i *routeItem) send(ctx context.Context, c *api.Client, dry bool) error {
	w, err := c.WriteRoutes(ctx, i.text, dry)
	if err == nil && len(w.Problems) > 0 {
		return wrong("written", i.route.ID, w.Problems)
	}
	return err
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

type accessItem struct{ doc access.Document }

func (i *accessItem) name() string { return "access policy " + i.doc.Name }

func (i *accessItem) same(ctx context.Context, c *api.Client) (bool, error) {
	now, err := c.AccessPolicy(ctx, i.doc.Name)
	return err == nil && strings.TrimSpace(now.Cedar) == strings.TrimSpace(i.doc.Cedar) && now.Description == i.doc.Description && now.Disabled == i.doc.Disabled, err
}

func (i *accessItem) check(ctx context.Context, c *api.Client) error { return i.send(ctx, c, true) }

func (i *accessItem) write(ctx context.Context, c *api.Client) error { return i.send(ctx, c, false) }

func (i *accessItem) send(ctx context.Context, c *api.Client, dry bool) error {
	_, err := c.PutAccessPolicy(ctx, i.doc.Name, accessRequest(&i.doc), dry)
	return err
}

type modelItem struct {
	text  string
	model *model.Model
}

func (i *modelItem) name() string { return "model of function " + i.model.Function }

func (i *modelItem) same(ctx context.Context, c *api.Client) (bool, error) {
	now, err := c.ExportModel(ctx, i.model.Function)
	return err == nil && strings.TrimSpace(now.Source) == strings.TrimSpace(i.text), err
}

// check finds nothing: that the document can be read was found out here.
func (i *modelItem) check(context.Context, *api.Client) error { return nil }

func (i *modelItem) write(ctx context.Context, c *api.Client) error {
	if _, err := c.ImportModel(ctx, i.model.Function, api.ModelDocument{Source: i.text}); err != nil {
		return fmt.Errorf("import model: %w", err)
	}
	return nil
}
