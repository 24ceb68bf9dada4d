package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
)

func newApplyCommand() *cobra.Command {
	var files []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Write policies, profiles, functions and what belongs to them from files",
		Long: `Writes the documents of a file, a folder or standard input (-): kinds Policy, Profile, Function, Route,
AccessPolicy and FunctionModel. Code of a function is found beside its file. All documents are
checked first, here and by the console; with an error in any of them nothing is written.
Policies are in force on every node within a second.

--dry-run writes nothing and shows what each policy would have changed on recorded events.`,
		Example: `  redoubt apply -f no-recon.yaml
  redoubt apply -f policies/ --dry-run
  redoubt profile export docker/shop/web | ssh other redoubt apply -f -

  # no-recon.yaml
  apiVersion: redoubt/v1
  kind: Policy
  metadata: {name: no-recon}
  spec:
    scope: {workloads: [docker/nginx]}
    rules:
      - name: deny-netstat
        exec: {paths: [/bin/netstat, /usr/bin/netstat]}
        effect: prevent`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var docs []document
			for _, f := range files {
				more, err := readDocuments(f, cmd.InOrStdin())
				if err != nil {
					return err
				}
				docs = append(docs, more...)
			}
			if err := distinct(docs); err != nil {
				return err
			}
			c, err := connect()
			if err != nil {
				return err
			}
			steps, err := plan(cmd.Context(), c, docs)
			if err != nil {
				return err
			}
			if dry {
				return preview(cmd.Context(), c, cmd.OutOrStdout(), steps)
			}
			return carryOut(cmd.Context(), c, cmd.OutOrStdout(), steps)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "file, folder or - for standard input; may be repeated")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing, show what would change")
	cobra.CheckErr(cmd.MarkFlagRequired("file"))
	return cmd
}

func (d *document) name() string {
	if d.item != nil {
		return d.item.name()
	}
	if d.policy != nil {
		return "policy " + d.policy.Name
	}
	return "profile " + string(d.profile.Workload)
}

// distinct refuses one thing given twice: the order of files is no answer to
// which one is meant.
func distinct(docs []document) error {
	seen := map[string]string{}
	for i := range docs {
		d := &docs[i]
		if before, twice := seen[d.name()]; twice {
			return fault.New(fault.Invalid, "nothing was applied:\n%s: %s is given twice, first at %s", d.from, d.name(), before)
		}
		seen[d.name()] = d.from
	}
	return nil
}

// step is a document and what writing it means.
type step struct {
	document
	outcome string // created, changed or unchanged
}

// plan asks the console about every document and writes nothing.
func plan(ctx context.Context, c *api.Client, docs []document) ([]step, error) {
	var steps []step
	var problems []string
	for _, d := range docs {
		outcome, err := compare(ctx, c, &d)
		switch {
		case err != nil || outcome == "unchanged":
		case d.item != nil:
			err = d.item.check(ctx, c)
		case d.policy != nil:
			_, err = c.PutPolicy(ctx, d.policy.Name, d.source, true)
		}
		switch {
		case fault.Is(err, fault.Invalid):
			problems = append(problems, fmt.Sprintf("%s: %s: %s", d.from, d.name(), err))
		case err != nil:
			return nil, fmt.Errorf("%s: %s: %w", d.from, d.name(), err)
		}
		steps = append(steps, step{d, outcome})
	}
	if len(problems) > 0 {
		return nil, fault.New(fault.Invalid, "nothing was applied:\n%s", strings.Join(problems, "\n"))
	}
	return steps, nil
}

// compare says what writing d would do to what the console has.
func compare(ctx context.Context, c *api.Client, d *document) (string, error) {
	var same bool
	var err error
	if d.item != nil {
		same, err = d.item.same(ctx, c)
	} else if d.policy != nil {
		var now api.PolicyDocument
		now, err = c.Policy(ctx, d.policy.Name)
		same = samePolicy(now.Policy, *d.policy) && strings.TrimSpace(now.Source) == strings.TrimSpace(d.source)
	} else {
		var now profile.Profile
		now, err = c.Profile(ctx, string(d.profile.Workload))
		same = now.State == d.profile.State && sameEntries(now.Entries, d.profile.Entries)
	}
	switch {
	case fault.Is(err, fault.NotFound):
		return "created", nil
	case err != nil:
		return "", err
	case same:
		return "unchanged", nil
	}
	return "changed", nil
}

func samePolicy(a, b policy.Policy) bool {
	x, err := policy.Format(a)
	y, err2 := policy.Format(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// sameEntries compares what two profiles allow, not how often it was seen.
func sameEntries(a, b []profile.Entry) bool {
	allow := func(entries []profile.Entry) map[string]bool {
		ids := map[string]bool{}
		for i := range entries {
			ids[entries[i].Identify()] = true
		}
		return ids
	}
	return reflect.DeepEqual(allow(a), allow(b))
}

func carryOut(ctx context.Context, c *api.Client, w io.Writer, steps []step) error {
	for i := range steps {
		s := &steps[i]
		var err error
		switch {
		case s.outcome == "unchanged":
		case s.item != nil:
			err = s.item.write(ctx, c)
		case s.policy != nil:
			_, err = c.PutPolicy(ctx, s.policy.Name, s.source, false)
		default:
			_, err = c.PutProfile(ctx, *s.profile)
		}
		if err != nil {
			return fmt.Errorf("%s: write %s (%d of %d documents were written): %w", s.from, s.name(), i, len(steps), err)
		}
		fmt.Fprintf(w, "%s %s\n", plain(s.name()), s.outcome)
	}
	return nil
}

// preview replays recorded events against each policy that would change.
func preview(ctx context.Context, c *api.Client, w io.Writer, steps []step) error {
	for i := range steps {
		s := &steps[i]
		fmt.Fprintf(w, "%s would be %s\n", plain(s.name()), s.outcome)
		if s.policy == nil || s.outcome == "unchanged" {
			continue
		}
		p, err := c.PreviewPolicy(ctx, s.source)
		if err != nil {
			return fmt.Errorf("preview %s: %w", s.name(), err)
		}
		if err := showPreview(w, &p); err != nil {
			return err
		}
	}
	return nil
}

func showPreview(w io.Writer, p *guard.Preview) error {
	if len(p.Problems) > 0 {
		return fault.New(fault.Invalid, "line %d: %s", p.Problems[0].Line, p.Problems[0].Message)
	}
	fmt.Fprintf(w, "  of %d recorded events since %s it would have changed the verdict of %d\n", p.Events, stamp(p.From), p.Changed)
	if len(p.Samples) == 0 {
		return nil
	}
	t := &table{heads: []string{"EVENT", "WORKLOAD", "WHAT", "NOW", "THEN", "RULE"}}
	for i := range p.Samples {
		e := &p.Samples[i].Event
		t.add(text(e.ID), text(e.Workload.Name), text(happened(e)), text(string(e.Verdict.Effect)), text(string(p.Samples[i].Then.Effect)), text(p.Samples[i].Then.Rule))
	}
	return t.write(w, colourful(w))
}
