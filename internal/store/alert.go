package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// alertDoc keeps the key, which Alert's own JSON leaves out.
type alertDoc struct {
	redoubt.Alert
	Key string `json:"key"`
}

// PutAlert writes a whole: an empty ID makes a new one and fills it in,
// otherwise the alert of that ID is replaced.
func (s *Store) PutAlert(ctx context.Context, a *redoubt.Alert) error {
	id := a.ID
	err := s.change(ctx, func(t *tx) error {
		n, err := t.numbered(&id, alertIDs, "a")
		if err != nil {
			return err
		}
		doc := alertDoc{*a, a.Key}
		doc.ID = id
		body, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("encode alert: %w", err)
		}
		if a.ID == "" {
			if err := t.exec("INSERT INTO minutes (minute, events, alerts, first, last) VALUES (?, 0, 1, 0, 0) ON CONFLICT DO UPDATE SET alerts = alerts + 1",
				minute(nanos(a.First))); err != nil {
				return fmt.Errorf("count alert: %w", err)
			}
		}
		w := &a.Workload
		return t.put(a.ID == "", "alerts", id, []column{
			{"id", n}, {"key", a.Key}, {"first", nanos(a.First)}, {"time", nanos(a.Time)},
			{"workload", string(w.ID)}, {"name", w.Name}, {"container", w.Container},
			{"kind", string(a.Kind)}, {"severity", int(a.Severity)}, {"status", string(a.Status)},
			{"incident", a.Incident}, {"words", alertWords(a)}, {"doc", body},
		})
	})
	if err == nil {
		a.ID = id
	}
	return err
}

// alertWords is the text a search looks in, in lower case.
func alertWords(a *redoubt.Alert) string {
	e := redoubt.Event{Kind: a.Kind, Workload: a.Workload, Process: a.Process, Network: a.Network, Verdict: a.Verdict}
	parts := []string{a.Title, a.Workload.Name, a.Workload.Image, words(&e)}
	for _, c := range a.Comments {
		parts = append(parts, c.Text)
	}
	return lower(parts)
}

func lower(parts []string) string {
	return strings.ToLower(clip(strings.Join(parts, "\n"), 4*maxWords))
}

func readAlert(doc []byte) (redoubt.Alert, error) {
	var a alertDoc
	err := json.Unmarshal(doc, &a)
	a.Alert.Key = a.Key
	return a.Alert, err
}

// Alert returns one alert.
func (s *Store) Alert(ctx context.Context, id string) (redoubt.Alert, error) {
	n, err := number(id, "a")
	if err != nil {
		return redoubt.Alert{}, s.missing(errNone, "alert", id)
	}
	return document(s, s.rows(ctx), readAlert, "alert", id, "SELECT doc FROM alerts WHERE id = ?", n)
}

// AlertByKey returns the newest alert with that Key, resolved or not.
func (s *Store) AlertByKey(ctx context.Context, key string) (redoubt.Alert, error) {
	return document(s, s.rows(ctx), readAlert, "alert of key", key,
		"SELECT doc FROM alerts WHERE key = ? ORDER BY id DESC LIMIT 1", key)
}

// FindAlerts returns one page, the latest seen first, and the cursor of the next.
func (s *Store) FindAlerts(ctx context.Context, q redoubt.AlertQuery) (page []redoubt.Alert, next string, err error) {
	return list(s, s.rows(ctx), readAlert, "alerts", alertFilter(q), q.Slice)
}

// EachAlert yields every match, the latest seen first; q.Slice is ignored.
func (s *Store) EachAlert(ctx context.Context, q redoubt.AlertQuery) iter.Seq2[redoubt.Alert, error] {
	return pages(func(sl redoubt.Slice) ([]redoubt.Alert, string, error) {
		q.Slice = sl
		return s.FindAlerts(ctx, q)
	})
}

func alertFilter(q redoubt.AlertQuery) *filter {
	f := &filter{}
	f.times(q.Since, q.Until)
	f.workload(q.Workload)
	f.equal("status", string(q.Status))
	f.equal("kind", string(q.Kind))
	f.equal("incident", q.Incident)
	f.severity(q.Severity)
	f.text(q.Text)
	return f
}

// OpenAlerts counts alerts that are not resolved.
func (s *Store) OpenAlerts(ctx context.Context) (counts []redoubt.OpenCount, err error) {
	err = each(s.rows(ctx), "SELECT workload, severity, count(*) FROM alerts WHERE status <> 'resolved' GROUP BY workload, severity", nil,
		func(scan func(...any) error) error {
			var c redoubt.OpenCount
			if err := scan(&c.Workload, &c.Severity, &c.Count); err != nil {
				return err
			}
			counts = append(counts, c)
			return nil
		})
	if err != nil {
		return nil, s.explain(fmt.Errorf("count open alerts: %w", err))
	}
	return counts, nil
}

// PutIncident writes i whole; an empty ID makes a new one and fills it in.
func (s *Store) PutIncident(ctx context.Context, i *redoubt.Incident) error {
	id := i.ID
	err := s.change(ctx, func(t *tx) error {
		n, err := t.numbered(&id, incidentIDs, "i")
		if err != nil {
			return err
		}
		doc := *i
		doc.ID = id
		body, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("encode incident: %w", err)
		}
		w := &i.Workload
		return t.put(i.ID == "", "incidents", id, []column{
			{"id", n}, {"first", nanos(i.First)}, {"time", nanos(i.Time)},
			{"workload", string(w.ID)}, {"name", w.Name}, {"container", w.Container},
			{"severity", int(i.Severity)}, {"status", string(i.Status)},
			{"words", incidentWords(i)}, {"doc", body},
		})
	})
	if err == nil {
		i.ID = id
	}
	return err
}

func incidentWords(i *redoubt.Incident) string {
	parts := append([]string{i.Title, string(i.Workload.ID), i.Workload.Name, i.Workload.Image}, i.Techniques...)
	for _, m := range i.Timeline {
		parts = append(parts, m.Text)
	}
	for _, c := range i.Comments {
		parts = append(parts, c.Text)
	}
	return lower(parts)
}

func readIncident(doc []byte) (i redoubt.Incident, err error) {
	err = json.Unmarshal(doc, &i)
	return i, err
}

// Incident returns one incident.
func (s *Store) Incident(ctx context.Context, id string) (redoubt.Incident, error) {
	n, err := number(id, "i")
	if err != nil {
		return redoubt.Incident{}, s.missing(errNone, "incident", id)
	}
	return document(s, s.rows(ctx), readIncident, "incident", id, "SELECT doc FROM incidents WHERE id = ?", n)
}

// OpenIncident returns the workload's newest incident that is not resolved and
// whose last alert is not before since.
func (s *Store) OpenIncident(ctx context.Context, w redoubt.WorkloadID, since time.Time) (redoubt.Incident, error) {
	return document(s, s.rows(ctx), readIncident, "open incident of", string(w),
		"SELECT doc FROM incidents WHERE workload = ? AND status <> 'resolved' AND time >= ? ORDER BY id DESC LIMIT 1", string(w), nanos(since))
}

// FindIncidents returns one page, the latest first, and the cursor of the next.
func (s *Store) FindIncidents(ctx context.Context, q redoubt.IncidentQuery) (page []redoubt.Incident, next string, err error) {
	return list(s, s.rows(ctx), readIncident, "incidents", incidentFilter(q), q.Slice)
}

// EachIncident yields every match, the latest first; q.Slice is ignored.
func (s *Store) EachIncident(ctx context.Context, q redoubt.IncidentQuery) iter.Seq2[redoubt.Incident, error] {
	return pages(func(sl redoubt.Slice) ([]redoubt.Incident, string, error) {
		q.Slice = sl
		return s.FindIncidents(ctx, q)
	})
}

func incidentFilter(q redoubt.IncidentQuery) *filter {
	f := &filter{}
	f.times(q.Since, q.Until)
	f.workload(q.Workload)
	f.equal("status", string(q.Status))
	f.severity(q.Severity)
	f.text(q.Text)
	return f
}

// numbered gives *id its number, a new one where it is empty.
func (t *tx) numbered(id *string, c counter, letter string) (int64, error) {
	if *id != "" {
		n, err := number(*id, letter)
		if err != nil {
			return 0, t.s.missing(errNone, counterNames[c], *id)
		}
		return n, nil
	}
	n := t.next(c)
	*id = letter + strconv.FormatInt(n, 10)
	return n, nil
}
