package store

import (
	"encoding/json"
	"fmt"

	"redoubt.dev/redoubt/internal/redoubt"
)

// readShape reads a shape back.
func (s *Store) readShape(r rows, id int64) (*shape, error) {
	if sh, ok := s.shapes.get(id); ok {
		return sh, nil
	}
	var body []byte
	if err := r.one("SELECT body FROM shapes WHERE id = ?", []any{id}, &body); err != nil {
		return nil, fmt.Errorf("read shape %d: %w", id, err)
	}
	size := len(body)
	sh, err := decodeShape(body, func(id int64) ([]byte, error) {
		b, err := s.readAtom(r, id)
		size += len(b)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("read shape %d: %w", id, err)
	}
	if size <= cachedShape {
		s.shapes.put(id, sh)
	}
	return sh, nil
}

// readAtom is atomBody, remembered: what a new shape is made of is mostly known.
func (s *Store) readAtom(r rows, id int64) ([]byte, error) {
	if b, ok := s.atoms.get(id); ok {
		return b, nil
	}
	b, err := atomBody(r, id)
	if err == nil && len(b) <= cachedBody {
		s.atoms.put(id, b)
	}
	return b, err
}

// cachedShape is the most bytes of a shape kept in memory.
const cachedShape = 8 << 10

func decodeShape(body []byte, atoms func(int64) ([]byte, error)) (*shape, error) {
	d := &decoder{reader: reader{b: body}, atoms: atoms}
	sh := &shape{}
	e := &sh.event
	d.uint() // the workload: the event's ref names it
	e.Kind = redoubt.EventKind(d.text())
	e.Process = d.program(int64(d.uint()), maxChain)
	if v := d.atom(); len(v) > 0 && d.err == nil {
		d.err = json.Unmarshal(v, &e.Verdict)
	}
	e.Note = string(d.atom())
	if len(d.b) > 0 {
		e.Network = &redoubt.Connection{
			Proto:  redoubt.Proto(d.text()),
			Local:  readAddress(d.text()),
			Remote: readAddress(d.text()),
			Peer:   redoubt.WorkloadID(d.atom()),
		}
	}
	return sh, d.err
}

// decoder reads bodies that name atoms.
type decoder struct {
	reader
	atoms func(int64) ([]byte, error)
}

// fetch returns an atom's body; an error is kept in err.
func (d *decoder) fetch(id int64) []byte {
	if id == 0 || d.err != nil {
		return nil
	}
	b, err := d.atoms(id)
	if err != nil {
		d.err = err
		return nil
	}
	return b
}

func (d *decoder) atom() []byte { return d.fetch(int64(d.uint())) }

func (d *decoder) program(id int64, depth int) *redoubt.Process {
	body := d.fetch(id)
	if body == nil || depth == 0 {
		return nil
	}
	in := &decoder{reader: reader{b: body}, atoms: d.atoms}
	p := &redoubt.Process{}
	flags := in.uint()
	p.Entered, p.Truncated = flags&1 != 0, flags&2 != 0
	parent := int64(in.uint())
	if parent >= id {
		d.err = errCodec // a parent is always written first: this would loop
		return nil
	}
	p.Path = string(in.atom())
	p.Cwd = string(in.atom())
	p.File = in.file()
	p.UID = uint32(in.uint())
	p.Caps = in.uint()
	for n := in.count(); n > 0 && in.err == nil; n-- {
		p.Args = append(p.Args, in.text())
	}
	p.Parent = in.program(parent, depth-1)
	if in.err != nil {
		d.err = in.err
	}
	return p
}

func (d *decoder) file() *redoubt.File {
	body := d.atom()
	if body == nil {
		return nil
	}
	in := reader{b: body}
	f := &redoubt.File{
		Key:    redoubt.FileKey{Dev: in.uint(), Ino: in.uint(), Ctime: in.int()},
		Digest: redoubt.Digest(in.text()),
		Origin: redoubt.Origin(in.text()),
		Error:  in.text(),
	}
	if in.err != nil {
		d.err = in.err
	}
	return f
}
