package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

func digestOf(s string) redoubt.Digest { return redoubt.Digest(s) }

func newFunctionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "function",
		Aliases: []string{"functions", "fn"},
		Short:   "Deploy, call and look at functions",
		Long: `Functions are code that runs when it is called, each environment in a sandbox of its own, and may use
what its role grants and nothing else. They speak the AWS Lambda Runtime API, so bundles for Lambda
run unchanged.`,
		Example: `  redoubt function deploy hello --runtime python --handler app.handler ./hello
  redoubt function invoke hello --data '{"name": "world"}'
  redoubt function list
  redoubt function logs hello -f
  redoubt function rollback hello`,
	}
	cmd.AddCommand(
		deployFunction(), invokeFunction(), listCommand("functions", "List functions", listFunctions), describeFunction(),
		functionLogs(), functionCalls(), functionUsage(), unusedFunctions(),
		aliasFunction(), rollbackFunction(), switchFunction("disable", function.Disabled), switchFunction("enable", function.Active),
		deleteFunction(), newModelCommand(),
	)
	return cmd
}

func listFunctions(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Functions(ctx, f)
	heads := []string{"NAME", "STATE", "RUNTIME", "VERSION", "CALLS/DAY", "ERRORS", "LAST CALL", "MODEL", "RISKS"}
	return listed(items, err, heads, func(now time.Time, f *api.Function) []cell {
		state := cell{string(f.State), good}
		if f.State == function.Disabled {
			state = cell{string(f.State), faint}
		}
		failed := count(f.Errors)
		if f.Errors > 0 {
			failed.colour = bad
		}
		return []cell{
			text(f.ID), state, text(strings.TrimSpace(string(f.Runtime) + " " + f.Language)), text(weights(f.Live)), count(f.Calls), failed,
			text(ago(now, f.Last)), {string(f.Model), stateColour(f.Model)}, count(len(f.Risks)),
		}
	})
}

// weights is where an alias points, in a few characters: 3, or 3 90% 4 10%.
func weights(all []function.Weight) string {
	if len(all) == 1 {
		return strconv.Itoa(all[0].Version)
	}
	parts := make([]string, 0, len(all))
	for _, w := range all {
		parts = append(parts, fmt.Sprintf("%d %d%%", w.Version, w.Percent))
	}
	return strings.Join(parts, " ")
}

func invokeFunction() *cobra.Command {
	var r api.InvokeRequest
	var output *string
	var data string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "invoke NAME[:VERSION|:ALIAS]",
		Short: "Call a function as yourself and print its answer",
		Long: `Calls a function as the principal user/YOU, by the same way as all others: access policies decide,
and the call is recorded. What the function printed goes to standard error.

Exits with 1 where the function answered with an error, or the call was denied.`,
		Example: `  redoubt function invoke hello --data '{"name": "world"}'
  redoubt function invoke orders:canary --data @event.json
  redoubt function invoke report --async`,
		Args: exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Payload, err = readData(data, cmd.InOrStdin()); err != nil {
				return err
			}
			var name string
			name, r.Qualifier, _ = strings.Cut(args[0], ":")
			c, err := connect()
			if err != nil {
				return err
			}
			done, err := c.Invoke(cmd.Context(), name, r)
			if err != nil {
				return err
			}
			err = show(cmd, *output, done, func(w io.Writer, _ bool) error { return showInvoked(cmd, w, &done, quiet) })
			if err == nil && !r.Async && done.Record.Outcome != function.Succeeded {
				return fault.New(fault.Denied, "function %s: %s after %s (invocation %s)", name, done.Record.Outcome, span2(done.Record.Duration), done.Record.ID)
			}
			return err
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().StringVarP(&data, "data", "d", "", "the event: JSON, @FILE, or @- for standard input")
	cmd.Flags().BoolVar(&r.Async, "async", false, "do not wait; a call that fails is tried again")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "leave out what the function printed")
	return cmd
}

func readData(data string, in io.Reader) (string, error) {
	name, isFile := strings.CutPrefix(data, "@")
	if !isFile {
		return data, nil
	}
	raw, err := readFile(name, in)
	return string(raw), err
}

func showInvoked(cmd *cobra.Command, w io.Writer, i *api.Invoked, quiet bool) error {
	if i.Record.Async && i.Record.Outcome == "" {
		_, err := fmt.Fprintf(w, "queued as invocation %s\n", plain(i.Record.ID))
		return err
	}
	for _, l := range i.Lines {
		if !quiet {
			fmt.Fprintln(cmd.ErrOrStderr(), plain(l.Text))
		}
	}
	answer := i.Payload
	if colourful(w) || !json.Valid([]byte(answer)) { // a terminal obeys what a file keeps
		answer = plainLines(answer)
	}
	_, err := fmt.Fprintln(w, answer)
	return err
}

// span2 is a duration with two digits of what matters.
func span2(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func describeFunction() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     "describe NAME",
		Short:   "Show one function with its versions, role and what was used of it",
		Example: "  redoubt function describe orders",
		Args:    exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			f, err := c.Function(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p, err := c.Privileges(cmd.Context(), args[0])
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			return show(cmd, *output, f, func(w io.Writer, colour bool) error {
				s := &sheet{colour: colour}
				s.function(&f, &p)
				return s.write(w)
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

func (s *sheet) function(f *api.FunctionDetail, p *api.Privileges) {
	s.line("name", f.ID)
	s.line("description", f.Description)
	s.line("state", strings.TrimSpace(string(f.State)+" "+f.Reason))
	s.line("runtime", strings.TrimSpace(string(f.Runtime)+" "+f.Language))
	s.line("live", weights(f.Live))
	s.line("changed", fmt.Sprintf("%s by %s", stamp(f.Time), f.By))
	s.line("last day", fmt.Sprintf("%d calls, %d errors, %d refused", f.Calls, f.Errors, f.Refused))
	s.line("triggers", strings.Join(f.Triggers, ", "))
	s.line("model", fmt.Sprintf("%s, %s covered", orDash(string(f.Model)), percent(f.Coverage)))
	for _, r := range f.Risks {
		s.paint("look at", cell{r, warning})
	}
	s.title("versions")
	for _, v := range f.Record.Versions {
		s.item("%d  %s by %s  %s  %d files, %d KiB", v.Number, stamp(v.Created), v.By, v.Spec.Handler, v.Code.Files, v.Code.Unpacked>>10)
	}
	for name, a := range f.Record.Aliases {
		s.line("alias "+name, weights(a.Weights))
	}
	if len(p.Grants) > 0 {
		s.title("role")
	}
	for _, g := range p.Grants {
		used := "never used"
		if !g.Last.IsZero() {
			used = "last used " + stamp(g.Last)
		}
		s.item("%s  %s  %s", g.Field, g.Grant, used)
	}
	for _, e := range p.Wanted {
		s.paint("refused", cell{fmt.Sprintf("%s %s, tried %d times", e.Kind, e.Target, e.Refused), bad})
	}
}

// call is one command that changes a function and says what it is now.
func changeFunction(use, brief, example string, args cobra.PositionalArgs, do func(ctx context.Context, c *api.Client, args []string) (api.FunctionDetail, error)) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: use, Short: brief, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			f, err := do(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			return show(cmd, *output, f, func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintf(w, "function %s is %s, live is version %s\n", plain(f.ID), f.State, weights(f.Live))
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

func rollbackFunction() *cobra.Command {
	var alias string
	cmd := changeFunction("rollback NAME", "Point live to where it pointed before; once more goes forward again", "  redoubt function rollback orders",
		exactArgs(1, "a function's name"), func(ctx context.Context, c *api.Client, args []string) (api.FunctionDetail, error) {
			return c.Rollback(ctx, args[0], api.RollbackRequest{Alias: alias})
		})
	cmd.Flags().StringVar(&alias, "alias", "", "another alias than live")
	return cmd
}

func aliasFunction() *cobra.Command {
	return changeFunction("alias NAME ALIAS VERSION[=PERCENT]...", "Point an alias at a version, or at several as a canary",
		"  redoubt function alias orders live 4\n  redoubt function alias orders live 3=90 4=10",
		func(cmd *cobra.Command, args []string) error {
			if len(args) < 3 {
				return fault.New(fault.Invalid, "%s needs a function, an alias and a version", cmd.CommandPath())
			}
			return nil
		},
		func(ctx context.Context, c *api.Client, args []string) (api.FunctionDetail, error) {
			to, err := readWeights(args[2:])
			if err != nil {
				return api.FunctionDetail{}, err
			}
			return c.PutAlias(ctx, args[0], args[1], api.AliasRequest{Weights: to})
		})
}

func readWeights(args []string) ([]function.Weight, error) {
	var out []function.Weight
	for _, a := range args {
		v, p, shared := strings.Cut(a, "=")
		n, err := strconv.Atoi(v)
		percent := 100
		if shared && err == nil {
			percent, err = strconv.Atoi(strings.TrimSuffix(p, "%"))
		}
		if err != nil || n < 1 {
			return nil, fault.New(fault.Invalid, "%q: write a version as 4, or with its share as 4=10", a)
		}
		out = append(out, function.Weight{Version: n, Percent: percent})
	}
	return out, nil
}

func switchFunction(use string, to function.State) *cobra.Command {
	var reason string
	brief := "Put a function back into service"
	if to == function.Disabled {
		brief = "Take a function out of service; enable undoes it"
	}
	cmd := changeFunction(use+" NAME", brief, "  redoubt function "+use+" orders", exactArgs(1, "a function's name"),
		func(ctx context.Context, c *api.Client, args []string) (api.FunctionDetail, error) {
			return c.SetFunctionState(ctx, args[0], api.FunctionStateRequest{State: to, Reason: reason})
		})
	if to == function.Disabled {
		cmd.Flags().StringVar(&reason, "reason", "", "why, for those who wonder")
	}
	return cmd
}

func deleteFunction() *cobra.Command {
	var version int
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a function with all its versions, or one version that no alias points to",
		Example: "  redoubt function delete orders\n  redoubt function delete orders --version 2",
		Args:    exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			what := "function " + plain(args[0])
			if version > 0 {
				what = fmt.Sprintf("version %d of %s", version, what)
				err = c.DeleteVersion(cmd.Context(), args[0], version)
			} else {
				err = c.DeleteFunction(cmd.Context(), args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s deleted\n", what)
			return err
		},
	}
	cmd.Flags().IntVar(&version, "version", 0, "only this version")
	return cmd
}

// liveCode is the code of the version live points to.
func liveCode(f *api.FunctionDetail) redoubt.Digest {
	if v, ok := f.Record.Version(f.Version); ok {
		return v.Code.Digest
	}
	return ""
}
