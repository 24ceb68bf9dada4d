package gateway

import (
	"net/http"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway/bucket"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// transferTime is how long an object may take to come or go.
const transferTime = 15 * time.Minute

// serveBucket is the S3 API, at /buckets for whoever has a token, and anywhere
// for requests signed for S3.
func (g *Gateway) serveBucket(a *answer, r *http.Request) {
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/buckets"); ok && (rest == "" || rest[0] == '/') {
		path = rest
	}
	ctl := http.NewResponseController(a.ResponseWriter)
	ctl.SetReadDeadline(time.Now().Add(transferTime))
	ctl.SetWriteDeadline(time.Now().Add(transferTime))
	r.Body = http.MaxBytesReader(a, r.Body, bucket.MaxObject+1<<20)
	from := insider(r.Context())
	who, err := g.authenticate(a, r, "iam")
	g.buckets.Serve(a, r, bucket.Visit{
		ID: a.id, Who: who.Principal, Path: path,
		May: func(act bucket.Act, name, key string) error {
			if err != nil {
				return err
			}
			if g.closing.Load() {
				return errClosing
			}
			return g.mayTouch(r, who, from, act, name, key)
		},
		Code: func(err error) string { return string(sigv4.CodeOf(err)) },
		Changed: func(ch bucket.Change) {
			var c *call
			if from != nil {
				c = g.running(from)
			}
			g.objectChanged(r.Context(), ch, who.Principal, r.RemoteAddr, c)
		},
	})
}

// mayTouch asks whether somebody may use a bucket: code by its role, which a
// policy can only narrow, others by policy.
func (g *Gateway) mayTouch(r *http.Request, who iam.Caller, from *inside, act bucket.Act, name, key string) error {
	action, resource := "bucket:"+string(act), "bucket/"+name
	if key != "" {
		resource += "/" + key
	}
	switch {
	case name == "" && from == nil:
		return g.permit(who, action, "bucket/*", asked(r), false)
	case from == nil:
		return g.permit(who, action, resource, asked(r), false)
	case name == "" || key == "" && act != bucket.List && act != bucket.Put:
		return fault.New(fault.Denied, "%s may not do that: roles grant single buckets, to read or to write", who.Principal)
	case act == bucket.Get, act == bucket.List:
		return g.insiderMay(who, from, useOf(function.UseBucket, name+":read"), action, resource)
	}
	return g.insiderMay(who, from, useOf(function.UseBucket, name+":write"), action, resource)
}
