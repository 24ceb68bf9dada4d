package plan

import "errors"

// A launcher is init under another name: a small process that forks sandboxes
// for a host whose own fork would copy a large one's page tables. These are
// the files it finds open.
const (
	LauncherName   = "launcher"
	LauncherOrders = 3 // a packet socket: an Order and its files each
	LauncherImage  = 4 // what it starts
	LauncherBase   = 5 // the mount namespace to start it in
	LauncherHome   = 6 // version 1: the first of the tasks files it belongs to
)

// MaxOrder bounds an order or a report in bytes.
const MaxOrder = 4096

// Order asks a launcher for one fork. With it come files, in this order: the
// socket for reports, the network namespace, the version 2 control group if
// there is one, the tasks files, and then what init is to have.
type Order struct {
	IDs     []Pair32
	Unified bool
	Tasks   uint64
}

// Pair32 maps an id of the sandbox to one of the host.
type Pair32 struct{ Inside, Outside uint64 }

// Report answers an order: first that init runs, with its pidfd, or why not;
// later how it ended. Until the host closes the socket its PID stays taken.
type Report struct {
	PID    uint64
	Ended  bool
	Status uint64 // as wait4 tells it
	Failed string
}

// Encode writes o down.
func (o *Order) Encode() []byte { return encode(o.walk) }

// DecodeOrder reads what Encode wrote.
func DecodeOrder(b []byte) (*Order, error) {
	o := &Order{}
	return o, decode(b, o.walk)
}

func (o *Order) walk(w *wire) {
	list(w, &o.IDs, func(p *Pair32) { w.number(&p.Inside); w.number(&p.Outside) })
	w.flag(&o.Unified)
	w.number(&o.Tasks)
}

// Encode writes r down.
func (r *Report) Encode() []byte { return encode(r.walk) }

// DecodeReport reads what Encode wrote.
func DecodeReport(b []byte) (*Report, error) {
	r := &Report{}
	return r, decode(b, r.walk)
}

func (r *Report) walk(w *wire) {
	w.number(&r.PID)
	w.flag(&r.Ended)
	w.number(&r.Status)
	w.text(&r.Failed)
}

func encode(walk func(*wire)) []byte {
	w := &wire{out: true}
	walk(w)
	return w.b
}

func decode(b []byte, walk func(*wire)) error {
	if len(b) > MaxSize {
		return errors.New("read plan: too large")
	}
	w := &wire{b: b}
	walk(w)
	if w.bad || len(w.b) != 0 {
		return errors.New("read plan: malformed")
	}
	return nil
}
