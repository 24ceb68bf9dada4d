package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

func functionLogs() *cobra.Command {
	var f api.Filter
	var follow bool
	var output *string
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show what a function printed, and follow it",
		Example: `  redoubt function logs orders --since 1h
  redoubt function logs orders -f
  redoubt function logs orders --invocation 0b6d6ec2-6c1f-4d5e-9f6e-0e7c1a2b3c4d -o json`,
		Args: exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if follow && *output != "text" {
				return fault.New(fault.Invalid, "-f prints text alone")
			}
			after := int64(-1)
			if follow { // where it ends is asked first: a line more than once is better than one lost
				l, err := c.FollowLines(cmd.Context(), args[0], -1)
				if err != nil {
					return err
				}
				after = l.Last
			}
			lines, err := c.Lines(cmd.Context(), args[0], f)
			if err != nil {
				return err
			}
			slices.Reverse(lines)
			err = show(cmd, *output, lines, func(w io.Writer, _ bool) error { return writeLines(w, lines) })
			if err != nil || !follow {
				return err
			}
			return followLines(cmd.Context(), c, w, args[0], after)
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until interrupted")
	cmd.Flags().StringVar(&f.Since, "since", "", "only newer than this, such as 15m or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&f.Version, "version", "", "only of this version")
	cmd.Flags().StringVar(&f.Invocation, "invocation", "", "only of this call")
	cmd.Flags().StringVarP(&f.Query, "query", "q", "", "only with this text in it")
	cmd.Flags().IntVar(&f.Limit, "limit", 200, "at most so many; 0 is all")
	return cmd
}

func writeLines(w io.Writer, lines []function.Line) error {
	for i := range lines {
		l := &lines[i]
		if _, err := fmt.Fprintf(w, "%s %d %s  %s\n", l.Time.Local().Format("15:04:05.000"), l.Version, plain(short(l.Invocation)), plain(l.Text)); err != nil {
			return err
		}
	}
	return nil
}

// followLines prints what comes until ctx ends.
func followLines(ctx context.Context, c *api.Client, w io.Writer, name string, after int64) error {
	for {
		l, err := c.FollowLines(ctx, name, after)
		if ctx.Err() != nil {
			return nil // interrupted, as meant
		}
		if err != nil {
			return err
		}
		if err := writeLines(w, l.Items); err != nil {
			return err
		}
		after = l.Last
		if len(l.Items) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func functionCalls() *cobra.Command {
	var f api.Filter
	var output *string
	cmd := &cobra.Command{
		Use:   "calls [NAME]",
		Short: "List calls: who, what, when and how it went",
		Example: `  redoubt function calls orders --outcome failed --since 24h
  redoubt function calls --caller user/alice -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.Function = args[0]
			}
			c, err := connect()
			if err != nil {
				return err
			}
			l, err := listInvocations(cmd.Context(), c, f)
			if err != nil {
				return err
			}
			return show(cmd, *output, l.items, func(w io.Writer, colour bool) error { return l.table(time.Now()).write(w, colour) })
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	cmd.Flags().StringVar(&f.Since, "since", "", "only newer than this, such as 15m or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&f.Until, "until", "", "only older than this")
	cmd.Flags().StringVar(&f.Caller, "caller", "", "only of this principal")
	cmd.Flags().StringVar(&f.Source, "source", "", "http, invoke, schedule, bucket, mqtt, queue or function")
	cmd.Flags().StringVar(&f.Outcome, "outcome", "", "succeeded, failed, timeout, crashed, denied, refused, throttled, gone or abandoned")
	cmd.Flags().StringVar(&f.Version, "version", "", "only of this version")
	cmd.Flags().StringVarP(&f.Query, "query", "q", "", "only with this text in it")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "at most so many; 0 is all")
	return cmd
}

func listInvocations(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Invocations(ctx, f)
	heads := []string{"ID", "AGE", "FUNCTION", "VERSION", "CALLER", "SOURCE", "OUTCOME", "START", "TIME", "MEMORY"}
	return listed(items, err, heads, func(now time.Time, i *function.Invocation) []cell {
		outcome := cell{string(i.Outcome), bad}
		if i.Outcome == function.Succeeded {
			outcome.colour = good
		}
		source := i.Source
		if i.Route != "" {
			source = i.Route
		}
		return []cell{
			text(i.ID), text(ago(now, i.Time)), text(i.Function), count(i.Version), text(i.Caller), text(source), outcome, text(string(i.Start)),
			text(span2(i.Duration)), text(fmt.Sprintf("%dM", i.Memory>>20)),
		}
	})
}

func functionUsage() *cobra.Command {
	var f api.Filter
	var by []string
	var output *string
	cmd := &cobra.Command{
		Use:   "usage [NAME]",
		Short: "Count calls, errors, time and memory by function, version, caller or hour",
		Example: `  redoubt function usage --since 30d
  redoubt function usage orders --by caller --by version -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.Function = args[0]
			}
			c, err := connect()
			if err != nil {
				return err
			}
			u, err := c.Usage(cmd.Context(), f, strings.Join(by, ","))
			if err != nil {
				return err
			}
			return show(cmd, *output, u.Items, func(w io.Writer, colour bool) error {
				return usageTable(u.Items, by).write(w, colour)
			})
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	cmd.Flags().StringVar(&f.Since, "since", "24h", "from then on, such as 15m, 30d or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&f.Until, "until", "", "up to then")
	cmd.Flags().StringVar(&f.Caller, "caller", "", "only of this principal")
	cmd.Flags().StringSliceVar(&by, "by", nil, "tell apart: version, caller, hour; repeat for more")
	return cmd
}

func usageTable(rows []api.UsageRow, by []string) *table {
	t := &table{heads: []string{"FUNCTION"}}
	if slices.Contains(by, "hour") {
		t.heads = append(t.heads, "HOUR")
	}
	if slices.Contains(by, "version") {
		t.heads = append(t.heads, "VERSION")
	}
	if slices.Contains(by, "caller") {
		t.heads = append(t.heads, "CALLER")
	}
	t.heads = append(t.heads, "CALLS", "ERRORS", "REFUSED", "COLD", "BILLED", "GB-SECONDS")
	for i := range rows {
		u := &rows[i]
		row := []cell{text(u.Function)}
		if slices.Contains(by, "hour") {
			row = append(row, text(stamp(u.Time)))
		}
		if slices.Contains(by, "version") {
			row = append(row, count(u.Version))
		}
		if slices.Contains(by, "caller") {
			row = append(row, text(u.Caller))
		}
		t.add(append(row, count(u.Calls), count(u.Errors), count(u.Refused), count(u.Cold), text(span2(u.Billed)), text(fmt.Sprintf("%.3f", u.GBSeconds)))...)
	}
	return t
}

func unusedFunctions() *cobra.Command {
	var days int
	var output *string
	cmd := &cobra.Command{
		Use:   "unused [NAME]",
		Short: "Find functions, versions and triggers that nobody seems to need, and runtimes past their end",
		Example: `  redoubt function unused --days 90
  redoubt function unused -o json | jq -r '.[] | select(.action == "disable") | .function'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			f, err := c.Findings(cmd.Context(), strings.Join(args, ""), days)
			if err != nil {
				return err
			}
			return show(cmd, *output, f.Items, func(w io.Writer, colour bool) error {
				t := &table{heads: []string{"FUNCTION", "VERSION", "DO", "WHY"}}
				for _, i := range f.Items {
					version := ""
					if i.Version > 0 {
						version = fmt.Sprint(i.Version)
					}
					t.add(text(i.Function), text(version), text(string(i.Action)), text(i.Text))
				}
				return t.write(w, colour)
			})
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	cmd.Flags().IntVar(&days, "days", 30, "not used for so long")
	return cmd
}
