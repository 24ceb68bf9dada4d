// Package plan is what a host says to the init of a sandbox: what to mount,
// what to give up, what to run; and to the launcher that starts it. It knows how
// that is written down, and leaves deciding to the host and doing to init.
package plan

// The files init finds open when it starts.
const (
	FilePlan    = 3 // the encoded Plan, read from its start
	FileControl = 4 // a packet socket: listener out, reports of failure out, closed by the exec
	FileMounts  = 5 // the first of the detached mounts
)

// MaxSize bounds an encoded plan.
const MaxSize = 1 << 20

const maxItems = 8192

// Plan is all that init knows.
type Plan struct {
	Argv, Env []string
	Dir       string // working directory
	Hostname  string
	ID        uint64 // user and group the program runs as

	Base   string   // directory of the pieces that Binds names
	Links  []Pair   // symbolic links of the root
	Binds  []Pair   // piece of Base, where it goes
	Mounts []string // targets of the detached mounts, in the order of their files; a trailing slash means a directory
	Covers []Pair   // pieces of Base bound last, over files that are there
	Places []string // directories that stay empty, for mounts that come later
	Own    []string // directories made for the program, which owns them
	Masks  []string // files hidden behind the null device
	Limits []Limit
	Rules  Rules
	Filter []byte // seccomp program
	Notify bool   // the filter asks about execs: hand its listener out
}

// Pair is a source and a place.
type Pair struct{ From, To string }

// Limit is one resource limit, soft and hard.
type Limit struct{ Resource, Value uint64 }

// Rules are what Landlock is told. ABI 0 means there is none.
type Rules struct {
	ABI     uint64
	Write   []string // directories that may be written below
	Devices []string // files that may be written
	Exec    []string // programs that may be started, with the interpreters they name
	Trees   []string // directories below which all may be started
	Net     bool     // restrict TCP to Ports
	Ports   []uint64
}

// Encode writes p down.
func (p *Plan) Encode() []byte { return encode(p.walk) }

// Decode reads what Encode wrote.
func Decode(b []byte) (*Plan, error) {
	p := &Plan{}
	if err := decode(b, p.walk); err != nil {
		return nil, err
	}
	return p, nil
}

// walk names every field once, for both directions.
func (p *Plan) walk(w *wire) {
	w.texts(&p.Argv)
	w.texts(&p.Env)
	w.text(&p.Dir)
	w.text(&p.Hostname)
	w.number(&p.ID)
	w.text(&p.Base)
	w.pairs(&p.Links)
	w.pairs(&p.Binds)
	w.texts(&p.Mounts)
	w.pairs(&p.Covers)
	w.texts(&p.Places)
	w.texts(&p.Own)
	w.texts(&p.Masks)
	list(w, &p.Limits, func(l *Limit) { w.number(&l.Resource); w.number(&l.Value) })
	w.number(&p.Rules.ABI)
	w.texts(&p.Rules.Write)
	w.texts(&p.Rules.Devices)
	w.texts(&p.Rules.Exec)
	w.texts(&p.Rules.Trees)
	w.flag(&p.Rules.Net)
	list(w, &p.Rules.Ports, w.number)
	w.bytes(&p.Filter)
	w.flag(&p.Notify)
}
