package plan

import "encoding/binary"

// wire reads or writes, so that a message's shape is said once.
type wire struct {
	b   []byte
	out bool
	bad bool
}

func (w *wire) number(v *uint64) {
	if w.out {
		w.b = binary.AppendUvarint(w.b, *v)
		return
	}
	n, size := binary.Uvarint(w.b)
	if size <= 0 {
		w.bad, w.b = true, nil
		return
	}
	*v, w.b = n, w.b[size:]
}

func (w *wire) flag(v *bool) {
	n := uint64(0)
	if *v {
		n = 1
	}
	w.number(&n)
	w.bad = w.bad || n > 1
	if !w.out {
		*v = n == 1
	}
}

func (w *wire) bytes(v *[]byte) {
	n := uint64(len(*v))
	w.number(&n)
	if w.out {
		w.b = append(w.b, *v...)
		return
	}
	if n > uint64(len(w.b)) {
		w.bad, w.b = true, nil
		return
	}
	if n > 0 {
		*v = w.b[:n:n]
	}
	w.b = w.b[n:]
}

func (w *wire) text(v *string) {
	b := []byte(*v)
	w.bytes(&b)
	if !w.out { // what is written down may be shared
		*v = string(b)
	}
}

func (w *wire) texts(v *[]string) { list(w, v, w.text) }

func (w *wire) pairs(v *[]Pair) {
	list(w, v, func(p *Pair) { w.text(&p.From); w.text(&p.To) })
}

func list[T any](w *wire, v *[]T, each func(*T)) {
	n := uint64(len(*v))
	w.number(&n)
	if !w.out {
		// An item takes at least one byte.
		if w.bad || n > maxItems || n > uint64(len(w.b)) {
			w.bad, w.b = true, nil
			return
		}
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		each(&(*v)[i])
	}
}
