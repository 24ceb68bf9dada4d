package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// How many rows the writer and the readers keep in memory, each at most twice.
const (
	atomsCached   = 1 << 15
	streamsCached = 1 << 13
	shapesCached  = 1 << 12
	bodiesCached  = 1 << 12
	refsCached    = 1 << 12
	cachedBody    = 1 << 10 // longer bodies are looked up each time: the caches are bounded in bytes, too
)

// interns are the rows the writer has met lately, by content.
type interns struct {
	atoms   *cache[string, int64]
	shapes  *cache[string, int64]
	refs    *cache[string, int64]
	streams *cache[streamKey, int64]
}

func newInterns() interns {
	return interns{
		atoms:   newCache[string, int64](atomsCached),
		shapes:  newCache[string, int64](shapesCached),
		refs:    newCache[string, int64](refsCached),
		streams: newCache[streamKey, int64](streamsCached),
	}
}

// forget empties what is kept in memory by content: ids in it may belong to
// rows that were taken back or pruned.
func (s *Store) forget() {
	s.interns = newInterns()
	s.atoms.clear()
	s.shapes.clear()
	s.refs.clear()
	s.streams.clear()
}

// hash finds a row by its content. It is keyed, so that nobody who chooses the
// content can make many rows share one hash.
func (s *Store) hash(body []byte) int64 {
	h := sha256.New()
	h.Write(s.salt[:])
	h.Write(body)
	return int64(binary.BigEndian.Uint32(h.Sum(nil)))
}

// find returns the id of the row of table with this body, 0 if there is none.
func (t *tx) find(table string, hash int64, body []byte) (int64, error) {
	found := int64(0)
	st, err := t.stmt("SELECT id, body FROM " + table + " WHERE hash = ?")
	if err != nil {
		return 0, err
	}
	rs, err := st.QueryContext(t.ctx, hash)
	if err != nil {
		return 0, err
	}
	defer rs.Close()
	for rs.Next() {
		var id int64
		var have []byte
		if err := rs.Scan(&id, &have); err != nil {
			return 0, err
		}
		if bytes.Equal(have, body) {
			found = id
		}
	}
	return found, rs.Err()
}

// atom returns the id of body, which is written where it is new. Id 0 is the
// empty body.
func (t *tx) atom(body []byte) (int64, error) {
	if len(body) == 0 {
		return 0, nil
	}
	if id, ok := t.s.interns.atoms.get(string(body)); ok {
		return id, nil
	}
	hash := t.s.hash(body)
	id, err := t.find("atoms", hash, body)
	if err != nil {
		return 0, fmt.Errorf("find atom: %w", err)
	}
	if id == 0 {
		id = t.next(atomIDs)
		if err := t.exec("INSERT INTO atoms (id, hash, body) VALUES (?, ?, ?)", id, hash, body); err != nil {
			return 0, fmt.Errorf("write atom: %w", err)
		}
	}
	if t.s.touched != nil {
		t.s.touched[id] = true
	}
	if len(body) <= cachedBody {
		t.s.interns.atoms.put(string(body), id)
	}
	return id, nil
}

func (t *tx) textAtom(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return t.atom([]byte(s))
}

// atomBody reads an atom back.
func atomBody(r rows, id int64) ([]byte, error) {
	if id == 0 {
		return nil, nil
	}
	var body []byte
	if err := r.one("SELECT body FROM atoms WHERE id = ?", []any{id}, &body); err != nil {
		return nil, fmt.Errorf("read atom %d: %w", id, err)
	}
	return body, nil
}
