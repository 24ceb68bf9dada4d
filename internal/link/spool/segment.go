package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A segment is magic, then records: length of the payload, checksum of all that
// follows it, sequence number, time in milliseconds, events, payload; numbers
// little-endian.
const (
	magic      = "RDTSPL1\n"
	headerSize = 4 + 4 + 8 + 8 + 4
	maxPayload = 16 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("record is damaged")
)

type segment struct {
	file   *os.File
	size   int64   // where the next record goes
	places []place // of records not acked, oldest first
}

// place is where a record lies. It is kept in memory for every record, of which
// a day without console may leave a million: 24 bytes each.
type place struct {
	seq    uint64
	offset uint32 // a segment ends soon after 8 MiB
	size   uint32 // with its header
	time   uint32 // seconds since 1970
	count  uint32
}

func (r *Record) place(offset int64) place {
	return place{seq: r.Seq, offset: uint32(offset), size: uint32(headerSize + len(r.Payload)), time: uint32(r.Time.Unix()), count: uint32(r.Count)}
}

func newSegment(dir string, seq uint64) (*segment, error) {
	name := filepath.Join(dir, fmt.Sprintf("%016x.seg", seq))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		f.Close()
		return nil, errors.Join(err, os.Remove(name))
	}
	return &segment{file: f, size: int64(len(magic))}, nil
}

// openSegment reads the places of all whole records and cuts off the rest,
// whose bytes it returns as damaged.
func openSegment(name string) (g *segment, damaged int64, err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	g = &segment{file: f}
	g.places, g.size = scan(io.NewSectionReader(f, 0, info.Size()))
	if damaged = info.Size() - g.size; damaged > 0 {
		err = f.Truncate(g.size)
	}
	return g, damaged, err
}

// scan returns the places of the whole records at the start of r and where they
// end: 0 if r is not a segment.
func scan(r io.ReaderAt) (places []place, end int64) {
	var head [headerSize]byte
	if n, _ := r.ReadAt(head[:len(magic)], 0); n < len(magic) || string(head[:len(magic)]) != magic {
		return nil, 0
	}
	end = int64(len(magic))
	var last uint64
	for {
		rec, size, err := readRecord(r, end)
		if err != nil || rec.Seq <= last {
			return places, end
		}
		last = rec.Seq
		places = append(places, rec.place(end))
		end += int64(size)
	}
}

// readRecord reads the record at offset and says how long it is.
func readRecord(r io.ReaderAt, offset int64) (Record, int, error) {
	var head [headerSize]byte
	if _, err := r.ReadAt(head[:], offset); err != nil {
		return Record{}, 0, err
	}
	length := binary.LittleEndian.Uint32(head[0:])
	if length > maxPayload {
		return Record{}, 0, errDamaged
	}
	rec := Record{
		Seq:     binary.LittleEndian.Uint64(head[8:]),
		Time:    time.UnixMilli(int64(binary.LittleEndian.Uint64(head[16:]))),
		Count:   int(binary.LittleEndian.Uint32(head[24:])),
		Payload: make([]byte, length),
	}
	if n, err := r.ReadAt(rec.Payload, offset+headerSize); n < len(rec.Payload) {
		return Record{}, 0, err
	}
	if checksum(head[8:], rec.Payload) != binary.LittleEndian.Uint32(head[4:]) {
		return Record{}, 0, errDamaged
	}
	return rec, headerSize + len(rec.Payload), nil
}

func checksum(head, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
}

// append writes r with one call; after an error the segment is as before.
func (g *segment) append(r Record) error {
	b := make([]byte, headerSize, headerSize+len(r.Payload))
	binary.LittleEndian.PutUint32(b[0:], uint32(len(r.Payload)))
	binary.LittleEndian.PutUint64(b[8:], r.Seq)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.Time.UnixMilli()))
	binary.LittleEndian.PutUint32(b[24:], uint32(r.Count))
	binary.LittleEndian.PutUint32(b[4:], checksum(b[8:headerSize], r.Payload))
	b = append(b, r.Payload...)
	if _, err := g.file.WriteAt(b, g.size); err != nil {
		return errors.Join(err, g.file.Truncate(g.size))
	}
	g.places = append(g.places, r.place(g.size))
	g.size += int64(len(b))
	return nil
}

func (g *segment) read(p place) (Record, error) {
	r, _, err := readRecord(g.file, int64(p.offset))
	if err == nil && r.Seq != p.seq {
		err = errDamaged
	}
	return r, err
}

func (g *segment) ack(seq uint64) {
	for len(g.places) > 0 && g.places[0].seq <= seq {
		g.places = g.places[1:]
	}
}

func (g *segment) remove() {
	g.file.Close()
	os.Remove(g.file.Name()) // a leftover is read again at the next Open, where it is acked already
}
