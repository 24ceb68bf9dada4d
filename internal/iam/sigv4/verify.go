package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Skew is how far a request's date may be from ours.
const Skew = 5 * time.Minute

// Config is what a Verifier is made of.
type Config struct {
	// Keys returns an access key; session is the request's session token, empty
	// without. Its errors go to the caller: see Refuse.
	Keys func(ctx context.Context, id, session string) (Key, error)
	// Once refuses a key it has seen, until the time given; nil where Want.Once
	// is never asked for.
	Once    func(key string, until time.Time) error
	Now     func() time.Time // nil is time.Now
	Longest time.Duration    // of a presigned request; 15 minutes
	Body    int64            // bytes read where the body's hash is not declared; 6 MiB
}

// Key is an access key; Owner is for whoever keeps the keys.
type Key struct {
	Secret string
	Owner  any
}

// Want is what the caller demands of one request.
type Want struct {
	Services []string // the request may be signed for one of these
	Once     bool     // the same signature must not work twice
}

// Result is a request that holds.
type Result struct {
	ID, Session     string // access key, session token
	Region, Service string
	Date, Expires   time.Time
	Presigned       bool
	Owner           any // of the key
}

// Verifier checks signatures. Safe for concurrent use.
type Verifier struct {
	c       Config
	started time.Time
	buffers sync.Pool

	mu      sync.Mutex
	derived map[scope]derivation
}

type scope struct{ id, day, region, service string }

type derivation struct {
	secret string
	key    [32]byte
}

const mostDerived = 4096

// New makes a Verifier.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Longest == 0 {
		c.Longest = 15 * time.Minute
	}
	if c.Body == 0 {
		c.Body = 6 << 20
	}
	return &Verifier{c: c, started: c.Now().Truncate(time.Second), derived: map[scope]derivation{},
		buffers: sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}}
}

// Verify checks r. Where it holds, r.Body is one that checks what it reads:
// nothing read is proven before io.EOF, and a body that was changed ends in an
// error instead. A body in chunks is read without them: r.ContentLength and
// Content-Encoding then say what is inside.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, want Want) (*Result, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(want.Services, c.service) {
		return nil, Refuse(BadScope, "the request is signed for service %.40q: sign it for %s", c.service, strings.Join(want.Services, " or "))
	}
	if err := covered(r, c); err != nil {
		return nil, err
	}
	end, err := v.inTime(c)
	if err != nil {
		return nil, err
	}
	payload, err := v.payload(r, c)
	if err != nil {
		return nil, err
	}
	held, err := v.c.Keys(ctx, c.id, c.session)
	if err != nil {
		return nil, err
	}
	key := v.key(c, held.Secret)
	if err := v.check(r, c, &key, payload); err != nil {
		return nil, err
	}
	if want.Once {
		if err := v.once(c, end); err != nil {
			return nil, err
		}
	}
	if err := wrap(r, c, &key, payload); err != nil {
		return nil, err
	}
	return &Result{ID: c.id, Session: c.session, Region: c.region, Service: c.service, Date: c.date, Expires: end, Presigned: c.presigned, Owner: held.Owner}, nil
}

// inTime says until when the request is good.
func (v *Verifier) inTime(c *claim) (end time.Time, err error) {
	now := v.c.Now()
	if c.date.After(now.Add(Skew)) {
		return end, Refuse(Skewed, "the request is dated %s ahead of the clock here: set the sender's clock", c.date.Sub(now).Round(time.Second))
	}
	if !c.presigned {
		if end = c.date.Add(Skew); now.After(end) {
			return end, Refuse(Skewed, "the request is dated %s ago: it is good for %s; set the sender's clock or send it anew", now.Sub(c.date).Round(time.Second), Skew)
		}
		return end, nil
	}
	if c.life > v.c.Longest {
		return end, Refuse(Expired, "the address is presigned for %s: at most %s are accepted", c.life, v.c.Longest)
	}
	if end = c.date.Add(c.life); now.After(end) {
		return end, Refuse(Expired, "the presigned address ended %s ago: make a new one", now.Sub(end).Round(time.Second))
	}
	return end, nil
}

func (v *Verifier) once(c *claim, end time.Time) error {
	if c.date.Before(v.started) {
		return Refuse(Replayed, "the request was signed before this gateway started and may have been served then: sign it anew")
	}
	return v.c.Once(hex.EncodeToString(c.signature[:]), end)
}

// key derives the signing key of a day, region and service, or remembers it.
func (v *Verifier) key(c *claim, secret string) [32]byte {
	s := scope{c.id, c.day, c.region, c.service}
	v.mu.Lock()
	d, ok := v.derived[s]
	v.mu.Unlock()
	if ok && hmac.Equal([]byte(d.secret), []byte(secret)) {
		return d.key
	}
	k := mac([]byte("AWS4"+secret), c.day)
	for _, part := range []string{c.region, c.service, "aws4_request"} {
		k = mac(k[:], part)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for old := range v.derived {
		if len(v.derived) < mostDerived {
			break
		}
		delete(v.derived, old)
	}
	v.derived[s] = derivation{strings.Clone(secret), k}
	return k
}

func mac(key []byte, text string) (sum [32]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

func (v *Verifier) check(r *http.Request, c *claim, key *[32]byte, payload string) error {
	for _, order := range []func(a, b pair) int{byEscaped, byPlain} {
		sum, err := v.sum(r, c, key, payload, order)
		if err != nil {
			return err
		}
		if hmac.Equal(sum[:], c.signature[:]) {
			return nil
		}
		if !strings.Contains(r.URL.RawQuery, "%") {
			break
		}
	}
	return Refuse(Mismatch, "the signature does not fit the request: check the secret of key %s and that nothing changes the request on its way", c.id)
}

// sum is the signature r should have.
func (v *Verifier) sum(r *http.Request, c *claim, key *[32]byte, payload string, order func(a, b pair) int) ([32]byte, error) {
	buf := v.buffers.Get().(*[]byte)
	defer v.buffers.Put(buf)
	b, err := canonical((*buf)[:0], r, c, payload, order)
	if err != nil {
		return [32]byte{}, err
	}
	h := sha256.Sum256(b)
	b = append(b[:0], algorithm+"\n"...)
	b = c.date.AppendFormat(b, dateForm)
	b = append(append(append(b, '\n'), c.scope()...), '\n')
	b = hex.AppendEncode(b, h[:])
	m := hmac.New(sha256.New, key[:])
	m.Write(b)
	*buf = b
	var sum [32]byte
	m.Sum(sum[:0])
	return sum, nil
}
