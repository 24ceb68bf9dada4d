package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	dateForm  = "20060102T150405Z"
	mostText  = 8 << 10 // bytes of an Authorization header or of a query
	mostNames = 100     // signed headers
)

// claim is what a request says of its signature; nothing of it is proven yet.
type claim struct {
	id, day, region, service string
	session                  string
	names                    []string // of signed headers, lower case, sorted
	signature                [32]byte
	date                     time.Time
	life                     time.Duration // of a presigned request
	presigned                bool
}

func (c *claim) scope() string {
	return c.day + "/" + c.region + "/" + c.service + "/aws4_request"
}

// Signed says whether r carries a Signature Version 4, good or not.
func Signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), algorithm) || strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
}

func parse(r *http.Request) (*claim, error) {
	if len(r.URL.RawQuery) > mostText {
		return nil, Refuse(Incomplete, "the query is %d bytes long: at most %d can be signed", len(r.URL.RawQuery), mostText)
	}
	query := strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
	auth := r.Header.Values("Authorization")
	switch {
	case query && len(auth) > 0:
		return nil, Refuse(Incomplete, "the request is signed twice, in its header and in its query: send one")
	case query:
		return parseQuery(r)
	case len(auth) == 1:
		return parseHeader(r, auth[0])
	case len(auth) > 1:
		return nil, Refuse(Incomplete, "there are %d Authorization headers: send one", len(auth))
	}
	return nil, Refuse(Missing, "the request is not signed: sign it with AWS Signature Version 4")
}

func parseHeader(r *http.Request, text string) (*claim, error) {
	if len(text) > mostText {
		return nil, Refuse(Incomplete, "the Authorization header is %d bytes long: at most %d are read", len(text), mostText)
	}
	rest, ok := strings.CutPrefix(text, algorithm+" ")
	if !ok {
		return nil, Refuse(Incomplete, "the Authorization header is not of algorithm %s", algorithm)
	}
	c := &claim{session: r.Header.Get("X-Amz-Security-Token")}
	var credential, names, signature string
	for part := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var into *string
		switch key {
		case "Credential":
			into = &credential
		case "SignedHeaders":
			into = &names
		case "Signature":
			into = &signature
		default:
			return nil, Refuse(Incomplete, "the Authorization header holds %.40q: it takes Credential, SignedHeaders and Signature", key)
		}
		if *into != "" {
			return nil, Refuse(Incomplete, "the Authorization header gives %s twice", key)
		}
		*into = value
	}
	if len(r.Header["X-Amz-Security-Token"]) > 1 {
		return nil, Refuse(Incomplete, "there are several X-Amz-Security-Token headers: send one")
	}
	if err := headerDate(r, c); err != nil {
		return nil, err
	}
	return c, c.fill(credential, names, signature)
}

// headerDate reads X-Amz-Date or, where there is none, Date.
func headerDate(r *http.Request, c *claim) (err error) {
	dates := r.Header["X-Amz-Date"]
	switch {
	case len(dates) > 1:
		return Refuse(Incomplete, "there are several X-Amz-Date headers: send one")
	case len(dates) == 1:
		c.date, err = amzDate(dates[0])
		return err
	}
	c.date, err = http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return Refuse(Incomplete, "the request has no date: sign the header X-Amz-Date")
	}
	c.date = c.date.UTC()
	return nil
}

func amzDate(s string) (time.Time, error) {
	t, err := time.Parse(dateForm, s)
	if err != nil || len(s) != len(dateForm) {
		return time.Time{}, Refuse(Incomplete, "X-Amz-Date is %.40q: write it as %s", s, dateForm)
	}
	return t, nil
}

func parseQuery(r *http.Request) (*claim, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Refuse(Incomplete, "the query cannot be read: %w", err)
	}
	c := &claim{presigned: true}
	var text = map[string]string{}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"} {
		switch v := q[name]; {
		case len(v) > 1:
			return nil, Refuse(Incomplete, "the query gives %s twice", name)
		case len(v) == 1:
			text[name] = v[0]
		case name != "X-Amz-Security-Token":
			return nil, Refuse(Incomplete, "the query lacks %s", name)
		}
	}
	if text["X-Amz-Algorithm"] != algorithm {
		return nil, Refuse(Incomplete, "the algorithm is %.40q: use %s", text["X-Amz-Algorithm"], algorithm)
	}
	if c.date, err = amzDate(text["X-Amz-Date"]); err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseUint(text["X-Amz-Expires"], 10, 31)
	if err != nil || seconds == 0 {
		return nil, Refuse(Incomplete, "X-Amz-Expires is %.40q: give seconds from 1", text["X-Amz-Expires"])
	}
	c.life = time.Duration(seconds) * time.Second
	c.session = text["X-Amz-Security-Token"]
	return c, c.fill(text["X-Amz-Credential"], text["X-Amz-SignedHeaders"], text["X-Amz-Signature"])
}

// fill reads the three parts every form has.
func (c *claim) fill(credential, names, signature string) error {
	f := strings.Split(credential, "/")
	if len(f) != 5 || f[4] != "aws4_request" || slices.Contains(f, "") || len(credential) > 256 {
		return Refuse(Incomplete, "the credential is %.80q: write KEY/YYYYMMDD/REGION/SERVICE/aws4_request", credential)
	}
	c.id, c.day, c.region, c.service = f[0], f[1], f[2], f[3]
	if c.day != c.date.Format("20060102") {
		return Refuse(BadScope, "the credential is of day %.20q, the request of %s", c.day, c.date.Format("20060102"))
	}
	c.names = strings.Split(names, ";")
	if len(c.names) > mostNames {
		return Refuse(Incomplete, "%d headers are signed: at most %d can be", len(c.names), mostNames)
	}
	for i, n := range c.names {
		if !headerName(n) || i > 0 && n <= c.names[i-1] {
			return Refuse(Incomplete, "the signed headers are to be lower-case names in alphabetical order, each once: %.80q", names)
		}
	}
	raw, err := hex.DecodeString(signature)
	if err != nil || len(raw) != len(c.signature) {
		return Refuse(Incomplete, "the signature is not 64 hexadecimal digits")
	}
	copy(c.signature[:], raw)
	return nil
}

func headerName(s string) bool {
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '_' && b != '.' {
			return false
		}
	}
	return s != ""
}
