package sensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// The kinds, flags and backends of bpf/shapes.h.
const (
	kindExec = 1 + iota
	kindExit
	kindListen
	kindConnect
	kindAccept
	kindBorn
	kindGone
)

const (
	flagInit = 1 << iota
	flagEntered
	flagRuntime
	flagScript
	flagCut
	flagShadows
	flagBlind
	flagHeld
	flagUnread
	flagLast
	flagNamed
)

var (
	backends = [...]redoubt.Backend{"", redoubt.BackendKill, redoubt.BackendLSM, redoubt.BackendConnect}
	origins  = [...]redoubt.Origin{redoubt.OriginImage, redoubt.OriginWritten, redoubt.OriginMemory}
	kinds    = [...]redoubt.EventKind{
		kindExec: redoubt.EventExec, kindExit: redoubt.EventExit, kindListen: redoubt.EventListen,
		kindConnect: redoubt.EventConnect, kindAccept: redoubt.EventAccept, kindBorn: CgroupBorn, kindGone: CgroupGone,
	}
)

// Sizes of the structures of bpf/shapes.h.
const (
	headSize     = 48
	procSize     = 80
	execSize     = headSize + procSize + 24 + 8 + 16
	netSize      = headSize + procSize + 40 + 8
	exitSize     = headSize + 16
	ancestorSize = 72
	ancestorsMax = 8
)

var errShort = errors.New("record is too short")

// meta is what a record says besides the sighting.
type meta struct {
	burst uint64 // which sightings it is alike to; 0 is none
	last  bool   // further ones of this second are only counted
	blind bool   // overlayfs was met and its layout is unknown
}

// decode turns one record of the ring into a sighting. boot is the wall clock
// at boot.
func decode(b []byte, boot time.Time) (*Sighting, meta, error) {
	if len(b) < headSize {
		return nil, meta{}, errShort
	}
	le := binary.LittleEndian
	kind, size := le.Uint32(b), le.Uint32(b[4:])
	if kind == 0 || kind >= uint32(len(kinds)) {
		return nil, meta{}, fmt.Errorf("record of unknown kind %d", kind)
	}
	if uint64(size) > uint64(len(b)) || size < headSize {
		return nil, meta{}, fmt.Errorf("record says it has %d bytes of %d", size, len(b))
	}
	b = b[:size]
	flags := le.Uint16(b[42:])
	s := &Sighting{
		Kind: kinds[kind], Time: boot.Add(time.Duration(le.Uint64(b[8:]))), Cgroup: le.Uint64(b[16:]),
		Count: max(1, int(le.Uint32(b[32:]))), Known: b[41] != 0,
		Init: flags&flagInit != 0, Entered: flags&flagEntered != 0, Runtime: flags&flagRuntime != 0,
		Truncated: flags&flagCut != 0, Shadows: flags&flagShadows != 0, Blind: flags&flagBlind != 0,
		Held: flags&flagHeld != 0, Unread: flags&flagUnread != 0,
	}
	if int(b[40]) >= len(backends) || int(b[44]) >= len(origins) {
		return nil, meta{}, fmt.Errorf("record with backend %d, origin %d", b[40], b[44])
	}
	s.Denied = backends[b[40]]
	m := meta{burst: le.Uint64(b[24:]), last: flags&flagLast != 0, blind: s.Blind}
	var err error
	switch kind {
	case kindExec:
		s.Origin = origins[b[44]]
		err = decodeExec(b, s)
	case kindExit:
		err = decodeExit(b, s)
	case kindBorn, kindGone:
		s.Path = cstring(b[headSize:])
	default:
		err = decodeNet(b, s)
	}
	return s, m, err
}

func decodeProc(b []byte, s *Sighting) {
	le := binary.LittleEndian
	s.PID, s.Parent, s.Started = int(le.Uint32(b)), int(le.Uint32(b[4:])), le.Uint64(b[8:])
	s.UID, s.GID, s.Caps = le.Uint32(b[16:]), le.Uint32(b[20:]), le.Uint64(b[24:])
	s.Key.File, s.Key.Parent = fileKey(b[32:]), fileKey(b[56:])
}

func decodeExec(b []byte, s *Sighting) error {
	if len(b) < execSize {
		return errShort
	}
	le := binary.LittleEndian
	decodeProc(b[headSize:], s)
	t := b[headSize+procSize:]
	s.Runs = fileKey(t)
	s.Key.Args = le.Uint64(t[24:])
	total := le.Uint32(t[32:])
	lens := [...]int{int(le.Uint16(t[36:])), int(le.Uint16(t[38:])), int(le.Uint16(t[40:])), int(le.Uint16(t[42:]))}
	ancestors := int(le.Uint32(t[44:]))

	rest := b[execSize:]
	var parts [4][]byte
	for i, n := range lens {
		if n > len(rest) {
			return errShort
		}
		parts[i] = rest[:n]
		rest = rest[min(len(rest), (n+7)&^7):]
	}
	s.Args = splitArgs(parts[0])
	if int64(len(parts[0])) < int64(total) {
		s.Truncated = true
	}
	if s.Unread {
		s.Path = cstring(parts[1])
	} else {
		s.Path = joinPath(parts[1])
	}
	s.Cwd, s.Interpreter = joinPath(parts[2]), cstring(parts[3])
	s.Loader = isLoader(s.Path)
	if ancestors > ancestorsMax || ancestors*ancestorSize > len(rest) {
		return errShort
	}
	for range ancestors {
		s.Ancestors = append(s.Ancestors, Ancestor{
			PID: int(le.Uint32(rest)), Started: le.Uint64(rest[8:]), File: fileKey(rest[16:]), Name: cstring(rest[40:72]),
		})
		rest = rest[ancestorSize:]
	}
	return nil
}

func decodeExit(b []byte, s *Sighting) error {
	if len(b) < exitSize {
		return errShort
	}
	le := binary.LittleEndian
	s.Started, s.PID = le.Uint64(b[headSize:]), int(le.Uint32(b[headSize+8:]))
	code := le.Uint32(b[headSize+12:])
	s.Exit = int(code >> 8 & 0xff)
	if sig := code & 0x7f; sig != 0 {
		s.Exit = 128 + int(sig)
	}
	return nil
}

func decodeNet(b []byte, s *Sighting) error {
	if len(b) < netSize {
		return errShort
	}
	le := binary.LittleEndian
	decodeProc(b[headSize:], s)
	t := b[headSize+procSize:]
	c := &redoubt.Connection{Proto: redoubt.TCP}
	if t[36] == 17 {
		c.Proto = redoubt.UDP
	}
	c.Local = address(t, le.Uint16(t[32:]))
	c.Remote = address(t[16:], le.Uint16(t[34:]))
	if s.Kind == redoubt.EventListen {
		c.Remote = netip.AddrPort{}
	}
	if s.Kind == redoubt.EventConnect && c.Local.Port() == 0 {
		c.Local = netip.AddrPort{}
	}
	s.Network = c
	n := int(le.Uint32(t[40:]))
	if n > len(b)-netSize {
		return errShort
	}
	s.Path = joinPath(b[netSize : netSize+n])
	return nil
}

func address(b []byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])).Unmap(), port)
}

func fileKey(b []byte) redoubt.FileKey {
	le := binary.LittleEndian
	return redoubt.FileKey{Dev: le.Uint64(b), Ino: le.Uint64(b[8:]), Ctime: int64(le.Uint64(b[16:]))}
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func splitArgs(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// joinPath makes a path of names that come leaf first, each with its NUL.
func joinPath(b []byte) string {
	if len(b) == 0 {
		return "/"
	}
	names := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	var p strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] == "/" {
			continue // the root of a file system that was left by another way
		}
		p.WriteByte('/')
		p.WriteString(names[i])
	}
	return p.String()
}

// isLoader knows dynamic loaders by the names that glibc and musl give them; a
// loader under another name is told by its content, not here.
func isLoader(p string) bool {
	name := path.Base(p)
	return strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl-") || name == "ld.so" ||
		strings.HasPrefix(name, "ld-2.") || strings.HasPrefix(name, "ld64.so")
}
