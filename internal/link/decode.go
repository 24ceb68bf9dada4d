package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

var errPlace = errors.New("it points outside its tables")

// decode reads a batch from a peer nobody trusts: every place must lie inside
// its table, and what the tables expand to is bounded. Events of one batch
// share their Process and File values, which nobody may change.
func decode(m *linkpb.Batch) (*Batch, error) {
	if len(m.Events) > maxEvents {
		return nil, fmt.Errorf("batch %d has %d events, at most %d are taken", m.Seq, len(m.Events), maxEvents)
	}
	d := decoder{in: m}
	if err := d.tables(); err != nil {
		return nil, fmt.Errorf("batch %d: %w", m.Seq, err)
	}
	b := &Batch{Seq: m.Seq}
	for i, e := range m.Events {
		ev, err := d.event(e)
		if err != nil {
			return nil, fmt.Errorf("batch %d: event %d: %w", m.Seq, i, err)
		}
		b.Events = append(b.Events, ev)
	}
	return b, documents(m, b)
}

// documents reads the JSON parts of m into b.
func documents(m *linkpb.Batch, b *Batch) error {
	for i, doc := range m.Deltas {
		var d profile.Delta
		if err := json.Unmarshal(doc, &d); err != nil {
			return fmt.Errorf("batch %d: delta %d: %w", m.Seq, i, err)
		}
		b.Deltas = append(b.Deltas, d)
	}
	if len(m.Instances) > 0 {
		if err := json.Unmarshal(m.Instances, &b.Workloads); err != nil {
			return fmt.Errorf("batch %d: workloads: %w", m.Seq, err)
		}
	}
	if len(m.Status) > 0 {
		b.Status = &redoubt.NodeStatus{}
		if err := json.Unmarshal(m.Status, b.Status); err != nil {
			return fmt.Errorf("batch %d: status: %w", m.Seq, err)
		}
	}
	return nil
}

// decodeBytes is decode from bytes, the form the spool keeps.
func decodeBytes(raw []byte) (*Batch, error) {
	var m linkpb.Batch
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	return decode(&m)
}

type decoder struct {
	in        *linkpb.Batch
	strings   []string
	workloads []redoubt.WorkloadRef
	files     []*redoubt.File
	processes []sizedProcess
	verdicts  []redoubt.Verdict
	expanded  int
	bad       bool // a place was outside its table
}

// sizedProcess is a process with what its whole chain expands to.
type sizedProcess struct {
	*redoubt.Process
	size, depth int
}

func at[T any](d *decoder, table []T, place uint32) (v T) {
	switch {
	case place == 0:
	case int(place) <= len(table):
		v = table[place-1]
	default:
		d.bad = true
	}
	return v
}

func (d *decoder) text(place uint32) string { return at(d, d.strings, place) }

func (d *decoder) moment(rel *int64) time.Time {
	if rel == nil {
		return time.Time{}
	}
	return time.Unix(0, d.in.Base+*rel).UTC()
}

func (d *decoder) tables() error {
	for i, s := range d.in.Strings {
		if len(s) > maxString {
			return fmt.Errorf("string %d has %d bytes, at most %d are taken", i, len(s), maxString)
		}
		d.strings = append(d.strings, string(s))
	}
	for _, w := range d.in.Workloads {
		d.workloads = append(d.workloads, redoubt.WorkloadRef{
			ID: redoubt.WorkloadID(d.text(w.Id)), Kind: redoubt.WorkloadKind(d.text(w.Kind)), Name: d.text(w.Name),
			Container: d.text(w.Container), Image: d.text(w.Image), Digest: redoubt.Digest(d.text(w.Digest)),
		})
	}
	for _, f := range d.in.Files {
		d.files = append(d.files, &redoubt.File{
			Key:    redoubt.FileKey{Dev: f.Dev, Ino: f.Ino, Ctime: f.Ctime},
			Digest: redoubt.Digest(d.text(f.Digest)), Origin: redoubt.Origin(d.text(f.Origin)), Error: d.text(f.Error),
		})
	}
	for _, v := range d.in.Verdicts {
		d.verdicts = append(d.verdicts, redoubt.Verdict{
			Effect: redoubt.Effect(d.text(v.Effect)), Rule: d.text(v.Rule), Entry: d.text(v.Entry), Reason: d.text(v.Reason),
			Technique: d.text(v.Technique), Severity: redoubt.Severity(v.Severity), Enforced: redoubt.Backend(d.text(v.Enforced)), Novel: v.Novel,
		})
	}
	for i, p := range d.in.Processes {
		if err := d.process(p); err != nil {
			return fmt.Errorf("process %d: %w", i, err)
		}
	}
	if d.bad {
		return errPlace
	}
	return nil
}

// process appends p to the table. Its parent must already be there, so a chain
// cannot bite its tail.
func (d *decoder) process(in *linkpb.Process) error {
	parent := at(d, d.processes, in.Parent)
	p := sizedProcess{Process: &redoubt.Process{
		PID: int(in.Pid), Path: d.text(in.Path), File: at(d, d.files, in.File), Truncated: in.Truncated, UID: in.Uid,
		Caps: in.Caps, Cwd: d.text(in.Cwd), Entered: in.Entered, Started: d.moment(in.Started), Parent: parent.Process,
	}}
	p.depth = parent.depth + 1
	p.size = parent.size + len(p.Path) + len(p.Cwd) + 16*len(in.Args)
	for _, a := range in.Args {
		p.Args = append(p.Args, d.text(a))
		if p.size += len(p.Args[len(p.Args)-1]); p.size > maxEvent {
			break
		}
	}
	switch {
	case d.bad:
		return errPlace
	case p.depth > maxDepth:
		return fmt.Errorf("more than %d parents", maxDepth)
	case p.size > maxEvent:
		return fmt.Errorf("more than %d bytes", maxEvent)
	}
	d.processes = append(d.processes, p)
	return nil
}

func (d *decoder) event(e *linkpb.Event) (redoubt.Event, error) {
	p := at(d, d.processes, e.Process)
	ev := redoubt.Event{
		Time: d.moment(e.Time), Node: redoubt.NodeID(d.text(e.Node)), Kind: redoubt.EventKind(d.text(e.Kind)),
		Workload: at(d, d.workloads, e.Workload), Process: p.Process, Note: d.text(e.Note),
		Count: int(e.Count), Verdict: at(d, d.verdicts, e.Verdict),
	}
	if e.Exit != nil {
		code := int(*e.Exit)
		ev.Exit = &code
	}
	if n := e.Network; n != nil {
		ev.Network = &redoubt.Connection{Proto: redoubt.Proto(d.text(n.Proto)), Peer: redoubt.WorkloadID(d.text(n.Peer))}
		if err := errors.Join(ev.Network.Local.UnmarshalBinary(pad(n.Local)), ev.Network.Remote.UnmarshalBinary(pad(n.Remote))); err != nil {
			return ev, err
		}
	}
	d.expanded += p.size + len(ev.Note) + len(ev.Verdict.Reason) + len(ev.Verdict.Rule) + len(ev.Workload.Name) + len(ev.Workload.Image)
	switch {
	case d.bad:
		return ev, errPlace
	case d.expanded > maxExpanded:
		return ev, fmt.Errorf("the batch expands to more than %d bytes", maxExpanded)
	}
	return ev, nil
}

// pad gives an absent address the binary form of the zero AddrPort.
func pad(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0, 0}
	}
	return b
}
