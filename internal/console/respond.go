package console

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// allow writes the smallest change that lets an alert's behaviour pass and
// resolves the alert.
func (c *Console) allow(ctx context.Context, r *ByID) (*out[api.Applied], error) {
	return c.settle(ctx, r.ID, func(ctx context.Context, d *draft, a *redoubt.Alert, e *redoubt.Event) (guard.Change, error) {
		why := c.explain(e)
		if why.Allow == nil {
			return guard.Change{}, fault.New(fault.Unsupported, "alert %s: %s", a.ID, why.Advice)
		}
		if why.Allow.Entry != nil {
			return *why.Allow, d.allowEntry(ctx, e, *why.Allow)
		}
		book, err := c.model.rulebook(why.Allow.Policy)
		if err != nil {
			return guard.Change{}, err
		}
		return *why.Allow, d.putRule(ctx, book, *why.Allow.Rule)
	}, true)
}

// prevent writes the smallest rule that makes an alert's behaviour fail, into
// the policy that holds such rules for its workload.
func (c *Console) prevent(ctx context.Context, r *ByID) (*out[api.Applied], error) {
	return c.settle(ctx, r.ID, func(ctx context.Context, d *draft, _ *redoubt.Alert, e *redoubt.Event) (guard.Change, error) {
		change, err := guard.PreventChange(e, c.model.known(e).Matcher)
		if err != nil {
			return change, err
		}
		book, err := c.model.rulebook(change.Policy)
		if fault.Is(err, fault.NotFound) {
			book, err = rulebook{PolicySource: redoubt.PolicySource{Name: change.Policy}, policy: guard.PolicyFor(e.Workload.ID)}, nil
		}
		if err != nil {
			return change, err
		}
		return change, d.putRule(ctx, book, *change.Rule)
	}, false)
}

// settle applies what write decides about the alert's latest event, all in one
// transaction.
func (c *Console) settle(ctx context.Context, id string, write func(context.Context, *draft, *redoubt.Alert, *redoubt.Event) (guard.Change, error), resolve bool) (*out[api.Applied], error) {
	var done api.Applied
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		a, err := c.store.Alert(ctx, id)
		if err != nil {
			return err
		}
		e, err := c.exemplar(ctx, &a)
		if err != nil {
			return err
		}
		if done.Applied, err = write(ctx, d, &a, &e); err != nil {
			return err
		}
		before := triage{Status: a.Status}
		if resolve {
			err = d.resolve(ctx, &a, "Allowed: "+done.Applied.Text)
		} else {
			err = d.remark(ctx, &a, "Will be prevented: "+done.Applied.Text)
		}
		if err != nil {
			return err
		}
		action := "alert.prevent"
		if resolve {
			action = "alert.allow"
		}
		return d.note(ctx, action, id, before, struct {
			triage
			Change guard.Change `json:"change"`
		}{triage{Status: a.Status}, done.Applied})
	})
	if err != nil {
		return nil, err
	}
	return answer(done), nil
}

func (d *draft) allowEntry(ctx context.Context, e *redoubt.Event, change guard.Change) error {
	old := d.profile(e.Workload.ID)
	if old == nil {
		return fault.New(fault.NotFound, "no profile %q; it starts with the workload", e.Workload.ID)
	}
	p := copied(old.Profile)
	if err := profile.Edit(p, []profile.Entry{*change.Entry}, nil, d.now); err != nil {
		return err
	}
	return d.putProfile(ctx, p, old.ref, true)
}

// putRule puts a rule before the others of a policy.
func (d *draft) putRule(ctx context.Context, book rulebook, rule policy.Rule) error {
	if book.unread != "" {
		return fault.New(fault.Conflict, "policy %s cannot be read, mend it first: %s", book.Name, book.unread)
	}
	want := guard.Put(book.policy, rule)
	text, err := withRule(book.Source, want)
	if err != nil {
		return err
	}
	p, err := parsePolicy(text)
	if err != nil {
		return err
	}
	_, err = d.writePolicy(ctx, rulebook{PolicySource: redoubt.PolicySource{Name: book.Name, Author: requestOf(ctx).actor.User, Source: text}, policy: p})
	return err
}

// withRule writes want, whose first rule is new, into the text it comes from.
// The author's words and order stay; where that can't be done the policy is
// written anew.
func withRule(source string, want policy.Policy) (string, error) {
	if text, ok := inserted(source, want.Rules[0]); ok {
		if all, problems := policy.Parse([]byte(text)); len(problems) == 0 && len(all) == 1 && reflect.DeepEqual(all[0], want) {
			return text, nil
		}
	}
	text, err := policy.Format(want)
	if err != nil {
		return "", fmt.Errorf("write policy %s: %w", want.Name, err)
	}
	return string(text), nil
}

func inserted(source string, rule policy.Rule) (string, bool) {
	var doc, node yaml.Node
	if source == "" || yaml.Unmarshal([]byte(source), &doc) != nil || len(doc.Content) != 1 || node.Encode(rule) != nil {
		return "", false
	}
	rules := field(field(doc.Content[0], "spec"), "rules")
	if rules == nil || rules.Kind != yaml.SequenceNode || rules.Style == yaml.FlowStyle {
		return "", false
	}
	rules.Content = append([]*yaml.Node{&node}, rules.Content...)
	var text bytes.Buffer
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	if out.Encode(&doc) != nil || out.Close() != nil {
		return "", false
	}
	return text.String(), true
}

func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}
