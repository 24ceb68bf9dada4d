package egress

import (
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"

	"redoubt.dev/redoubt/internal/fault"
)

// The kinds of Attempt.
const (
	KindDNS  = "dns"  // Host is looked up; Port is 0
	KindTLS  = "tls"  // a TLS connection that is passed through
	KindHTTP = "http" // one plain HTTP request
	KindTCP  = "tcp"  // any other connection
	KindAWS  = "aws"  // one call of the AWS API: Action on Resource
)

// Attempt is one thing a function wants to reach.
type Attempt struct {
	Kind     string
	Host     string // lower case, no trailing dot; an address as text where the function named none
	Port     uint16
	Action   string         // "dynamodb:PutItem", for aws
	Resource string         // "table/orders"; "*" where the call names none or it could not be read; of dangerous actions with parameters, " Name=value"
	Account  string         // of AWS: whose credentials; empty where the id of the key does not say
	Address  netip.AddrPort // as dialled inside
}

// Target says in grant form what is attempted: "api.example.com:443", a bare
// name for dns, "dynamodb:PutItem table/orders" for aws.
func (a Attempt) Target() string {
	switch a.Kind {
	case KindDNS:
		return a.Host
	case KindAWS:
		return a.Action + " " + a.Resource
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// Use is what became of an Attempt. A connection that stays open is reported
// when it opens and again, with First false and the bytes since, at Flush and
// when it ends; everything else is reported once, at its end.
type Use struct {
	Attempt
	Allowed bool   // false also where the host turned out to be where it may not be
	First   bool   // false: more bytes of an earlier Use
	In, Out int64  // bytes to the function, from the function
	Err     string // why it was refused, or how it went wrong
}

// use counts one allowed Attempt while it lasts.
type use struct {
	a       Attempt
	in, out atomic.Int64
	told    atomic.Bool
}

func (p *Proxy) refuse(a Attempt, err error) {
	p.cfg.Report(Use{Attempt: a, First: true, Err: err.Error()})
}

func (p *Proxy) open(a Attempt) *use {
	u := &use{a: a}
	p.mu.Lock()
	p.uses[u] = true
	p.mu.Unlock()
	return u
}

// tell reports what u counted since it was last told.
func (p *Proxy) tell(u *use, err error) {
	r := Use{Attempt: u.a, Allowed: true, First: !u.told.Swap(true), In: u.in.Swap(0), Out: u.out.Swap(0)}
	if err != nil {
		r.Err = err.Error()
		r.Allowed = !fault.Is(err, fault.Denied)
	}
	if r.First || r.In != 0 || r.Out != 0 || r.Err != "" {
		p.cfg.Report(r)
	}
}

func (p *Proxy) end(u *use, err error) {
	p.mu.Lock()
	delete(p.uses, u)
	p.mu.Unlock()
	p.tell(u, err)
}

// Flush reports what open connections carried since they were last reported,
// so that bytes can be laid to the invocation that is ending.
func (p *Proxy) Flush() {
	p.mu.Lock()
	all := make([]*use, 0, len(p.uses))
	for u := range p.uses {
		all = append(all, u)
	}
	p.mu.Unlock()
	for _, u := range all {
		p.tell(u, nil)
	}
}
