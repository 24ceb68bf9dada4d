package link

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"

	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/redoubt"
)

// encode turns a batch into its wire form. Event ids are left out: the console
// gives them. Parent chains deeper than maxDepth lose their top.
func encode(b *Batch) (*linkpb.Batch, error) {
	e := encoder{
		out:       &linkpb.Batch{Seq: b.Seq},
		strings:   map[string]uint32{},
		workloads: map[redoubt.WorkloadRef]uint32{},
		files:     map[redoubt.File]uint32{},
		verdicts:  map[redoubt.Verdict]uint32{},
		processes: map[processKey]uint32{},
	}
	if len(b.Events) > 0 {
		e.base = b.Events[0].Time.UnixNano()
		e.out.Base = e.base
	}
	for i := range b.Events {
		e.out.Events = append(e.out.Events, e.event(&b.Events[i]))
	}
	for i := range b.Deltas {
		doc, err := json.Marshal(&b.Deltas[i])
		if err != nil {
			return nil, fmt.Errorf("encode delta of %s: %w", b.Deltas[i].Workload, err)
		}
		e.out.Deltas = append(e.out.Deltas, doc)
	}
	return e.out, attach(e.out, b)
}

// attach adds the workloads and status of b to an encoded batch.
func attach(out *linkpb.Batch, b *Batch) (err error) {
	if b.Workloads != nil {
		if out.Instances, err = json.Marshal(b.Workloads); err != nil {
			return fmt.Errorf("encode workloads: %w", err)
		}
	}
	if b.Status != nil {
		if out.Status, err = json.Marshal(b.Status); err != nil {
			return fmt.Errorf("encode status: %w", err)
		}
	}
	return nil
}

// encodeBytes is encode down to bytes, the form the spool keeps.
func encodeBytes(b *Batch) ([]byte, error) {
	m, err := encode(b)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(m)
}

type encoder struct {
	out       *linkpb.Batch
	base      int64
	strings   map[string]uint32
	workloads map[redoubt.WorkloadRef]uint32
	files     map[redoubt.File]uint32
	verdicts  map[redoubt.Verdict]uint32
	processes map[processKey]uint32
}

type processKey struct {
	pid, path, file, uid, cwd, parent uint32
	caps                              uint64
	started                           int64
	truncated, entered                bool
	args                              string
}

func (e *encoder) text(s string) uint32 {
	if s == "" {
		return 0
	}
	if i, ok := e.strings[s]; ok {
		return i
	}
	e.out.Strings = append(e.out.Strings, []byte(s))
	i := uint32(len(e.out.Strings))
	e.strings[s] = i
	return i
}

// moment is t relative to the batch's base, nil for the zero time.
func (e *encoder) moment(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return proto.Int64(t.UnixNano() - e.base)
}

func (e *encoder) event(ev *redoubt.Event) *linkpb.Event {
	out := &linkpb.Event{
		Time: e.moment(ev.Time), Node: e.text(string(ev.Node)), Kind: e.text(string(ev.Kind)),
		Workload: e.workload(ev.Workload), Process: e.process(ev.Process, maxDepth),
		Note: e.text(ev.Note), Count: uint64(max(ev.Count, 0)), Verdict: e.verdict(ev.Verdict),
	}
	if ev.Exit != nil {
		out.Exit = proto.Int32(int32(*ev.Exit))
	}
	if n := ev.Network; n != nil {
		out.Network = &linkpb.Connection{
			Proto: e.text(string(n.Proto)), Local: address(n.Local), Remote: address(n.Remote), Peer: e.text(string(n.Peer)),
		}
	}
	return out
}

func (e *encoder) workload(w redoubt.WorkloadRef) uint32 {
	if w == (redoubt.WorkloadRef{}) {
		return 0
	}
	if i, ok := e.workloads[w]; ok {
		return i
	}
	e.out.Workloads = append(e.out.Workloads, &linkpb.WorkloadRef{
		Id: e.text(string(w.ID)), Kind: e.text(string(w.Kind)), Name: e.text(w.Name),
		Container: e.text(w.Container), Image: e.text(w.Image), Digest: e.text(string(w.Digest)),
	})
	i := uint32(len(e.out.Workloads))
	e.workloads[w] = i
	return i
}

func (e *encoder) file(f *redoubt.File) uint32 {
	if f == nil {
		return 0
	}
	if i, ok := e.files[*f]; ok {
		return i
	}
	e.out.Files = append(e.out.Files, &linkpb.File{
		Dev: f.Key.Dev, Ino: f.Key.Ino, Ctime: f.Key.Ctime,
		Digest: e.text(string(f.Digest)), Origin: e.text(string(f.Origin)), Error: e.text(f.Error),
	})
	i := uint32(len(e.out.Files))
	e.files[*f] = i
	return i
}

func (e *encoder) process(p *redoubt.Process, depth int) uint32 {
	if p == nil || depth == 0 {
		return 0
	}
	out := &linkpb.Process{
		Parent: e.process(p.Parent, depth-1),
		Pid:    uint32(p.PID), Path: e.text(p.Path), File: e.file(p.File), Truncated: p.Truncated, Uid: p.UID, Caps: p.Caps,
		Cwd: e.text(p.Cwd), Entered: p.Entered, Started: e.moment(p.Started),
	}
	var args []byte
	for _, a := range p.Args {
		i := e.text(a)
		out.Args = append(out.Args, i)
		args = binary.AppendUvarint(args, uint64(i))
	}
	key := processKey{
		pid: out.Pid, path: out.Path, file: out.File, uid: out.Uid, cwd: out.Cwd, parent: out.Parent, caps: out.Caps,
		started: p.Started.UnixNano(), truncated: out.Truncated, entered: out.Entered, args: string(args),
	}
	if i, ok := e.processes[key]; ok {
		return i
	}
	e.out.Processes = append(e.out.Processes, out)
	i := uint32(len(e.out.Processes))
	e.processes[key] = i
	return i
}

func (e *encoder) verdict(v redoubt.Verdict) uint32 {
	if v == (redoubt.Verdict{}) {
		return 0
	}
	if i, ok := e.verdicts[v]; ok {
		return i
	}
	e.out.Verdicts = append(e.out.Verdicts, &linkpb.Verdict{
		Effect: e.text(string(v.Effect)), Rule: e.text(v.Rule), Entry: e.text(v.Entry), Reason: e.text(v.Reason),
		Technique: e.text(v.Technique), Severity: uint32(v.Severity), Enforced: e.text(string(v.Enforced)), Novel: v.Novel,
	})
	i := uint32(len(e.out.Verdicts))
	e.verdicts[v] = i
	return i
}

func address(a netip.AddrPort) []byte {
	if !a.IsValid() {
		return nil
	}
	b, _ := a.MarshalBinary() // cannot err
	return b
}
