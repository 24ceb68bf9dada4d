package egress

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl of answers in seconds. An address stays its name's for much longer.
const ttl = 60

// errQuery marks messages that deserve no answer.
var errQuery = errors.New("not a DNS query")

// answerDNS answers one query. No lookup leaves the machine: a name that may be
// reached gets the address that stands for it, every other NXDOMAIN, so that
// names carry nothing out. There are no answers but addresses (and none that
// would offer QUIC or encrypted server names).
func (p *Proxy) answerDNS(msg []byte, to netip.AddrPort) ([]byte, error) {
	var ps dnsmessage.Parser
	h, err := ps.Start(msg)
	if err != nil || h.Response {
		return nil, errQuery
	}
	out := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	if h.OpCode != 0 {
		out.RCode = dnsmessage.RCodeNotImplemented
		return (&dnsmessage.Message{Header: out}).Pack()
	}
	qs, err := ps.AllQuestions()
	if err != nil || len(qs) != 1 {
		out.RCode = dnsmessage.RCodeFormatError
		return (&dnsmessage.Message{Header: out}).Pack()
	}
	q := qs[0]
	out.RCode = dnsmessage.RCodeNameError
	var body dnsmessage.ResourceBody
	if q.Class == dnsmessage.ClassINET {
		if q.Type == dnsmessage.TypePTR {
			body = p.reverse(q.Name.String())
		} else {
			body, out.RCode = p.lookup(q, to)
		}
		if body != nil {
			out.RCode = dnsmessage.RCodeSuccess
		}
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), out)
	b.EnableCompression()
	if err := errors.Join(b.StartQuestions(), b.Question(q), b.StartAnswers()); err != nil {
		return nil, err
	}
	rh := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: ttl}
	switch r := body.(type) {
	case *dnsmessage.AResource:
		err = b.AResource(rh, *r)
	case *dnsmessage.AAAAResource:
		err = b.AAAAResource(rh, *r)
	case *dnsmessage.PTRResource:
		err = b.PTRResource(rh, *r)
	}
	if err != nil {
		return nil, err
	}
	if err := edns(&ps, &b); err != nil {
		return nil, err
	}
	return b.Finish()
}

// edns answers an OPT record with one (RFC 6891 6.1.1).
func edns(ps *dnsmessage.Parser, b *dnsmessage.Builder) error {
	if ps.SkipAllAnswers() != nil || ps.SkipAllAuthorities() != nil {
		return nil
	}
	for range 4 {
		h, err := ps.AdditionalHeader()
		if err != nil {
			return nil
		}
		if h.Type == dnsmessage.TypeOPT {
			var o dnsmessage.ResourceHeader
			if err := errors.Join(o.SetEDNS0(1232, dnsmessage.RCodeSuccess, false), b.StartAdditionals()); err != nil {
				return err
			}
			return b.OPTResource(o, dnsmessage.OPTResource{})
		}
		if ps.SkipAdditional() != nil {
			return nil
		}
	}
	return nil
}

// lookup decides about one name; a nil body with success means the name is
// there, but not with such a record.
func (p *Proxy) lookup(q dnsmessage.Question, to netip.AddrPort) (dnsmessage.ResourceBody, dnsmessage.RCode) {
	a := Attempt{Kind: KindDNS, Host: strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")), Address: to}
	name, err := cleanName(a.Host)
	if err == nil && !p.cfg.Decide(a) {
		err = errNotGranted
	}
	if err != nil {
		a.Host = printable(a.Host)
		p.refuse(a, err)
		return nil, dnsmessage.RCodeNameError
	}
	p.cfg.Report(Use{Attempt: a, Allowed: true, First: true})
	v4, v6 := p.names.addresses(name)
	switch q.Type {
	case dnsmessage.TypeA:
		return &dnsmessage.AResource{A: v4.As4()}, dnsmessage.RCodeSuccess
	case dnsmessage.TypeAAAA:
		return &dnsmessage.AAAAResource{AAAA: v6.As16()}, dnsmessage.RCodeSuccess
	}
	return nil, dnsmessage.RCodeSuccess
}

// printable makes any bytes fit for a report.
func printable(s string) string {
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}

// reverse names the addresses that were handed out, and no other.
func (p *Proxy) reverse(arpa string) dnsmessage.ResourceBody {
	addr, ok := arpaAddr(arpa)
	if !ok {
		return nil
	}
	name, ok := p.names.name(addr)
	if !ok {
		return nil
	}
	n, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil
	}
	return &dnsmessage.PTRResource{PTR: n}
}

// arpaAddr reads 4.3.2.1.in-addr.arpa. and its like of IPv6 (RFC 3596 2.5).
func arpaAddr(arpa string) (netip.Addr, bool) {
	arpa = strings.ToLower(arpa)
	text, v4 := strings.CutSuffix(arpa, ".in-addr.arpa.")
	text, v6 := strings.CutSuffix(text, ".ip6.arpa.")
	parts := strings.Split(text, ".")
	slices.Reverse(parts)
	switch {
	case v4 && len(parts) == 4:
		addr, err := netip.ParseAddr(strings.Join(parts, "."))
		return addr, err == nil
	case v6 && len(parts) == 32:
		var b strings.Builder
		for i, p := range parts {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(p)
		}
		addr, err := netip.ParseAddr(b.String())
		return addr, err == nil
	}
	return netip.Addr{}, false
}

// ServeDNS answers queries from c until Close, after which it returns nil.
// Where c is a UDP socket on all addresses, answers come from the address that
// was asked. It closes c.
func (p *Proxy) ServeDNS(c net.PacketConn) error {
	if !p.enter(c) {
		return nil
	}
	defer p.leave(c)
	s := newDatagrams(c)
	buf := make([]byte, 4096)
	for {
		n, from, to, err := s.read(buf)
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if !passing(err) {
				return err
			}
			continue
		}
		// An answer that cannot be sent is lost, as datagrams are; the client asks again.
		if out, err := p.answerDNS(buf[:n], to); err == nil {
			s.write(out, from, to)
		}
	}
}

// serveDNSStream is DNS over TCP (RFC 7766).
func (p *Proxy) serveDNSStream(c net.Conn) {
	var size [2]byte
	buf := make([]byte, 4096)
	for {
		c.SetDeadline(time.Now().Add(headTimeout))
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(size[:]))
		if n > len(buf) {
			return
		}
		if _, err := io.ReadFull(c, buf[:n]); err != nil {
			return
		}
		out, err := p.answerDNS(buf[:n], destination(c))
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}
