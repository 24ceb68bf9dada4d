package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func newWatchCommand() *cobra.Command {
	var workload string
	var output *string
	cmd := &cobra.Command{
		Use:   "watch [events] [alerts]",
		Short: "Follow events and alerts as they happen",
		Long: `Prints events and alerts as the console records them, until interrupted. A connection that
breaks is opened again and what was missed is fetched. -o json prints one object a line, with
"type": "event" or "alert" and the thing itself under "data".`,
		Example: `  redoubt watch alerts
  redoubt watch --workload web
  redoubt watch events -o json | jq -r .data.process.path`,
		ValidArgs: []string{"events", "alerts"},
		RunE: func(cmd *cobra.Command, args []string) error {
			types, err := watched(args)
			if err != nil {
				return err
			}
			if *output != "text" && *output != "json" {
				return fault.New(fault.Invalid, "%q is no output format of watch; use -o text or json", *output)
			}
			c, err := connect()
			if err != nil {
				return err
			}
			t := &tail{client: c, workload: workload, json: *output == "json", out: cmd.OutOrStdout(), last: time.Now(), seen: map[string]int{}}
			t.colour = colourful(t.out)
			err = c.Stream(cmd.Context(), types, func(m api.StreamMessage) error { return t.message(cmd.Context(), types, m) })
			if cmd.Context().Err() != nil {
				return nil // interrupted, as meant
			}
			return err
		},
	}
	output = addOutput(cmd, "text", "json")
	cmd.Flags().StringVarP(&workload, "workload", "w", "", "only of this workload: id, name or start of a container id")
	return cmd
}

func watched(args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{"event", "alert"}, nil
	}
	var types []string
	for _, a := range args {
		t := strings.TrimSuffix(a, "s")
		if t != "event" && t != "alert" {
			return nil, fault.New(fault.Invalid, "%q cannot be watched; choose events, alerts or both", a)
		}
		types = append(types, t)
	}
	return types, nil
}

// tail prints what a stream brings and fetches what it missed.
type tail struct {
	client   *api.Client
	workload string
	json     bool
	colour   bool
	out      io.Writer
	last     time.Time      // of the newest thing printed
	seen     map[string]int // id → count at which it was printed, of the last few thousand
}

// maxSeen bounds what tail remembers; what is older is caught by last.
const maxSeen = 8192

func (t *tail) message(ctx context.Context, types []string, m api.StreamMessage) error {
	if m.Type == "missed" {
		return t.catchUp(ctx, types)
	}
	raw, err := json.Marshal(m.Data) // it came as JSON of no known type
	if err != nil {
		return err
	}
	switch m.Type {
	case "event":
		var e redoubt.Event
		if json.Unmarshal(raw, &e) != nil || e.ID == "" {
			if e, err = t.client.Event(ctx, m.ID); err != nil {
				return skipMissing(err)
			}
		}
		return t.event(&e)
	case "alert":
		var a redoubt.Alert
		if json.Unmarshal(raw, &a) != nil || a.ID == "" {
			if a, err = t.client.Alert(ctx, m.ID); err != nil {
				return skipMissing(err)
			}
		}
		return t.alert(&a)
	}
	return nil
}

// skipMissing passes over what was deleted before it could be fetched.
func skipMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// catchUp prints, oldest first, what came since the last thing printed.
func (t *tail) catchUp(ctx context.Context, types []string) error {
	f := api.Filter{Workload: t.workload, Since: t.last.Add(-time.Second).UTC().Format(time.RFC3339Nano), Limit: maxSeen / 2}
	if slices.Contains(types, "event") {
		events, err := t.client.Events(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(events) {
			if err := t.event(&e); err != nil {
				return err
			}
		}
	}
	if slices.Contains(types, "alert") {
		alerts, err := t.client.Alerts(ctx, f)
		if err != nil {
			return err
		}
		for _, a := range slices.Backward(alerts) {
			if err := t.alert(&a); err != nil {
				return err
			}
		}
	}
	return nil
}

// fresh says whether this state of a thing is still to be printed.
func (t *tail) fresh(id string, count int, at time.Time, w *redoubt.WorkloadRef) bool {
	if t.workload != "" && !w.Matches(t.workload) {
		return false
	}
	if before, ok := t.seen[id]; ok && before >= count {
		return false
	}
	if len(t.seen) >= maxSeen {
		clear(t.seen)
	}
	t.seen[id] = count
	if at.After(t.last) {
		t.last = at
	}
	return true
}

func (t *tail) event(e *redoubt.Event) error {
	if !t.fresh(e.ID, 1, e.Time, &e.Workload) {
		return nil
	}
	if t.json {
		return t.object("event", e.ID, e)
	}
	v := effect(e.Verdict)
	return t.line(e.Time, "event", e.ID, cell{}, fmt.Sprintf("%s %s: %s", e.Workload.Name, e.Kind, happened(e)), v)
}

func (t *tail) alert(a *redoubt.Alert) error {
	if !t.fresh(a.ID, a.Count, a.Time, &a.Workload) {
		return nil
	}
	if t.json {
		return t.object("alert", a.ID, a)
	}
	return t.line(a.Time, "ALERT", a.ID, severity(a.Severity), fmt.Sprintf("%s: %s (%d×)", a.Workload.Name, a.Title, a.Count), effect(a.Verdict))
}

func (t *tail) object(kind, id string, v any) error {
	raw, err := marshal(api.StreamMessage{Type: kind, ID: id, Data: v}, "", pair)
	if err != nil {
		return err
	}
	_, err = t.out.Write(append(raw, '\n'))
	return err
}

func (t *tail) line(at time.Time, kind, id string, mark cell, what string, v cell) error {
	parts := []string{at.Local().Format("15:04:05.000"), kind, plain(id)}
	if mark.text != "" {
		parts = append(parts, paint(mark.text, mark.colour, t.colour))
	}
	parts = append(parts, plain(what))
	if v.text != "" {
		parts = append(parts, "["+paint(plain(v.text), v.colour, t.colour)+"]")
	}
	_, err := fmt.Fprintln(t.out, strings.Join(parts, " "))
	return err
}
