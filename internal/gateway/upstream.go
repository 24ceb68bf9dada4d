package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/runner"
)

// newTransport reaches functions that live elsewhere.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   64,
		ForceAttemptHTTP2:     true,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

// forward passes an admitted request to a function that lives elsewhere, with
// its answer as it comes, upgrades to WebSocket included. What proved the
// caller to us stays here; who it is goes along.
func (v *visit) forward() error {
	target := v.match.Route.Target
	if target.URL == "" {
		return fault.New(fault.Unsupported, "route %s leads to AWS, which this gateway does not call; give the function's URL", v.match.Route.ID)
	}
	base, err := url.Parse(target.URL)
	if err != nil {
		return fault.New(fault.Invalid, "route %s leads to no URL", v.match.Route.ID)
	}
	c := v.c
	if err := v.g.start(c); err != nil {
		return err
	}
	v.r.Body = io.NopCloser(bytes.NewReader(c.payload))
	v.r.ContentLength = int64(len(c.payload))
	began := time.Now()
	c.result = &runner.Result{Outcome: function.Succeeded}
	var failed error
	proxy := &httputil.ReverseProxy{
		Transport:     v.g.transport,
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(base)
			p.Out.URL.Path = strings.TrimSuffix(base.Path, "/") + string(v.path)
			p.Out.URL.RawPath = ""
			p.SetXForwarded()
			v.introduce(p.Out.Header)
			if v.c.who.Method != iam.ByNothing {
				unprove(p.Out.URL)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			for name := range v.match.Route.CORS.Answer(v.r.Header.Get("Origin")) {
				r.Header.Del(name) // ours is set already
			}
			r.Header.Del(requestID)
			if r.StatusCode >= 500 {
				c.result.Outcome = function.Failed
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) { failed = err },
	}
	http.NewResponseController(v.a).SetWriteDeadline(time.Time{})
	ctx, cancel := contextWithin(v.r.Context(), v.match.Route.Limit(), v.r.Header.Get("Upgrade") == "")
	defer cancel()
	proxy.ServeHTTP(v.a, v.r.WithContext(ctx))
	c.result.Duration, c.rec.Out = time.Since(began), v.a.bytes
	var ne net.Error
	switch {
	case failed == nil:
		return nil
	case v.r.Context().Err() != nil:
		c.result.Outcome = function.Abandoned
		return refuse(function.Abandoned, 499, "ServiceException", "the caller went away")
	case ctx.Err() != nil, errors.As(failed, &ne) && ne.Timeout():
		return refuse(function.TimedOut, http.StatusGatewayTimeout, "Unhandled", "the function behind route %s did not answer in time; request %s", v.match.Route.ID, c.rec.ID)
	}
	v.g.log.Warn("upstream failed", "route", v.match.Route.ID, "error", failed)
	return refuse(function.Crashed, http.StatusBadGateway, "Unhandled", "the function behind route %s cannot be reached; request %s", v.match.Route.ID, c.rec.ID)
}

// unprove takes the signature of a presigned request out of its address, with
// which whoever sees it could send it again.
func unprove(u *url.URL) {
	if !strings.Contains(u.RawQuery, "X-Amz-Signature=") {
		return
	}
	q := u.Query()
	q.Del("X-Amz-Signature")
	q.Del("X-Amz-Security-Token")
	u.RawQuery = q.Encode()
}

// introduce tells an upstream who calls. What callers send under these names
// is not passed on, nor under what CGI and its heirs take for the same name.
func (v *visit) introduce(h http.Header) {
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		if v.c.who.Method != iam.ByNothing {
			h.Del(name)
		}
	}
	for name := range h {
		switch http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) {
		case name:
		case "X-Redoubt-Caller", requestID, "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
			delete(h, name)
		}
	}
	h.Set("X-Redoubt-Caller", v.c.who.Principal)
	h.Set(requestID, v.c.rec.ID)
	h.Set("X-Amzn-Trace-Id", v.c.trace.header(v.c.rec.ID))
}
