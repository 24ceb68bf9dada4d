package egress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
)

// hello is what a TLS ClientHello says in the clear.
type hello struct {
	name string // server name, cleaned; empty where none is given
	ech  bool   // the real name is encrypted, or that is pretended
}

var (
	errNotTLS  = errors.New("not TLS; this port speaks nothing else")
	errECH     = errors.New("TLS with an encrypted ClientHello hides where it goes; switch that off in the client")
	errHello   = errors.New("malformed TLS ClientHello")
	errTooLong = fmt.Errorf("TLS ClientHello above %d bytes", maxHello)
)

// readHello looks at the ClientHello br starts with, and consumes nothing of
// it. br's buffer must hold maxHello bytes. The message may span records
// (RFC 8446 5.1).
func readHello(br *bufio.Reader) (hello, error) {
	var msg []byte
	for at, need := 0, 4; ; {
		b, err := br.Peek(at + 5)
		if err != nil {
			return hello{}, short(err)
		}
		typ, major, n := b[at], b[at+1], int(b[at+3])<<8|int(b[at+4])
		if typ != 22 || major != 3 {
			return hello{}, errNotTLS
		}
		if n == 0 || n > 16<<10 {
			return hello{}, errHello
		}
		if b, err = br.Peek(at + 5 + n); err != nil {
			return hello{}, short(err)
		}
		msg = append(msg, b[at+5:]...)
		at += 5 + n
		if len(msg) >= 4 {
			need = 4 + int(msg[1])<<16 + int(msg[2])<<8 + int(msg[3])
		}
		if need > maxHello {
			return hello{}, errTooLong
		}
		if len(msg) >= need {
			return parseHello(msg[:need])
		}
	}
}

func short(err error) error {
	if errors.Is(err, bufio.ErrBufferFull) {
		return errTooLong
	}
	if errors.Is(err, io.EOF) {
		return errHello
	}
	return err
}

// parseHello reads a ClientHello handshake message (RFC 8446 4.1.2). Without
// server name its name is empty.
func parseHello(msg []byte) (hello, error) {
	var h hello
	var typ uint8
	var body, session, suites, methods, exts cryptobyte.String
	s := cryptobyte.String(msg)
	if !s.ReadUint8(&typ) || typ != 1 || !s.ReadUint24LengthPrefixed(&body) || !s.Empty() ||
		!body.Skip(2+32) || !body.ReadUint8LengthPrefixed(&session) ||
		!body.ReadUint16LengthPrefixed(&suites) || !body.ReadUint8LengthPrefixed(&methods) {
		return h, errHello
	}
	if body.Empty() {
		return h, nil
	}
	if !body.ReadUint16LengthPrefixed(&exts) || !body.Empty() {
		return h, errHello
	}
	seen := map[uint16]bool{}
	for !exts.Empty() {
		var id uint16
		var data cryptobyte.String
		if !exts.ReadUint16(&id) || !exts.ReadUint16LengthPrefixed(&data) || seen[id] {
			return h, errHello
		}
		seen[id] = true
		switch id {
		case 0: // RFC 6066 3
			var list, name cryptobyte.String
			var kind uint8
			if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || !list.ReadUint8(&kind) || kind != 0 ||
				!list.ReadUint16LengthPrefixed(&name) || !list.Empty() {
				return h, errHello
			}
			var err error
			if h.name, err = cleanName(string(name)); err != nil {
				return h, errHello
			}
		case 0xfe0d, 0xfd00: // encrypted_client_hello (RFC 9849), ech_outer_extensions
			h.ech = true
		}
	}
	return h, nil
}
