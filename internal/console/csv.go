package console

import (
	"encoding/csv"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"redoubt.dev/redoubt/internal/redoubt"
)

// maxRows bounds one export; the last line says so when there was more.
const maxRows = 200_000

// export streams rows as CSV, so that no size of answer is held in memory. An
// error after the first byte can't change the status: it ends the connection,
// so that the reader sees a broken file and not a short one.
func (c *Console) export(name string, head []string, rows iter.Seq2[[]string, error]) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		h := w.Header()
		h.Set("Content-Type", "text/csv; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
		out, n := csv.NewWriter(w), 0
		connection := http.NewResponseController(w)
		defer connection.SetWriteDeadline(time.Time{}) // the next request on it has its own
		fail := func(err error) {
			requestOf(ctx.Context()).failure = err
			panic(http.ErrAbortHandler)
		}
		out.Write(head)
		for row, err := range rows {
			if err != nil {
				fail(err)
			}
			if n == maxRows {
				out.Write([]string{"only the first " + strconv.Itoa(maxRows) + " rows; narrow the filter for the rest"})
				break
			}
			for i := range row {
				row[i] = harmless(row[i])
			}
			if err := out.Write(row); err != nil {
				fail(err)
			}
			if n++; n%500 == 0 {
				out.Flush()
				connection.SetWriteDeadline(time.Now().Add(30 * time.Second))
			}
		}
		out.Flush()
	}}
}

// harmless keeps a spreadsheet from taking a cell for a formula: a workload
// chooses its own program names. Control characters become spaces.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if t := strings.TrimLeft(s, " "); t != "" && strings.ContainsRune("=+-@|%", rune(t[0])) {
		return "'" + s
	}
	return s
}

// converted maps a sequence of things to rows.
func converted[T any](all iter.Seq2[T, error], row func(*T) []string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for v, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(row(&v), nil) {
				return
			}
		}
	}
}

var eventColumns = []string{"id", "time", "node", "kind", "workload", "container", "image", "program", "arguments", "parent", "connection", "count", "effect", "rule", "enforced", "technique", "severity", "reason", "note"}

func eventRow(e *redoubt.Event) []string {
	path, args, parent := programOf(e.Process)
	return []string{
		e.ID, stamp(e.Time), string(e.Node), string(e.Kind), string(e.Workload.ID), e.Workload.Container, e.Workload.Image,
		path, args, parent, flowText(e.Network), strconv.Itoa(e.Count), string(e.Verdict.Effect), e.Verdict.Rule,
		string(e.Verdict.Enforced), e.Verdict.Technique, e.Verdict.Severity.String(), e.Verdict.Reason, e.Note,
	}
}

var alertColumns = []string{"id", "first", "last", "severity", "status", "status by", "title", "node", "kind", "workload", "container", "image", "program", "arguments", "parent", "connection", "count", "effect", "rule", "enforced", "technique", "reason", "incident", "event", "comments"}

func alertRow(a *redoubt.Alert) []string {
	path, args, parent := programOf(a.Process)
	return []string{
		a.ID, stamp(a.First), stamp(a.Time), a.Severity.String(), string(a.Status), a.StatusBy, a.Title, string(a.Node),
		string(a.Kind), string(a.Workload.ID), a.Workload.Container, a.Workload.Image, path, args, parent, flowText(a.Network),
		strconv.Itoa(a.Count), string(a.Verdict.Effect), a.Verdict.Rule, string(a.Verdict.Enforced), a.Verdict.Technique,
		a.Verdict.Reason, a.Incident, a.Event, remarks(a.Comments),
	}
}

var incidentColumns = []string{"id", "first", "last", "severity", "status", "status by", "title", "workload", "image", "techniques", "alerts", "events", "comments"}

func incidentRow(i *redoubt.Incident) []string {
	return []string{
		i.ID, stamp(i.First), stamp(i.Time), i.Severity.String(), string(i.Status), i.StatusBy, i.Title, string(i.Workload.ID),
		i.Workload.Image, strings.Join(i.Techniques, " "), strings.Join(i.Alerts, " "), strconv.Itoa(i.Count), remarks(i.Comments),
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func programOf(p *redoubt.Process) (path, args, parent string) {
	if p == nil {
		return "", "", ""
	}
	if p.Parent != nil {
		parent = p.Parent.Path
	}
	return p.Path, strings.Join(p.Args, " "), parent
}

func flowText(c *redoubt.Connection) string {
	if c == nil {
		return ""
	}
	if !c.Remote.IsValid() {
		return string(c.Proto) + " " + c.Local.String()
	}
	return string(c.Proto) + " " + c.Local.String() + " > " + c.Remote.String()
}

func remarks(all []redoubt.Comment) string {
	lines := make([]string, 0, len(all))
	for _, c := range all {
		lines = append(lines, c.Author+": "+c.Text)
	}
	return strings.Join(lines, " / ")
}
