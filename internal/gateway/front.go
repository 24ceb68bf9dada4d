package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// requestID is the header that carries the request id; AWS's name of it is
// sent with its APIs.
const requestID = "X-Request-Id"

// An API is one of the languages the front speaks. Its own paths come before
// routes.
type api struct {
	name  string
	serve func(*answer, *http.Request)
}

// ServeHTTP answers every request: the APIs of functions, tokens, buckets and
// queues, and what routes say.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w, id: newID(), began: g.cfg.Clock()}
	a.Header().Set(requestID, a.id)
	of := g.apiOf(r)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			g.log.Error("request panicked", "id", a.id, "panic", p)
			if a.status == 0 {
				a.fail(refuse("", http.StatusInternalServerError, "ServiceException", "internal error; the log has it under the request id"))
			}
		}
		g.metrics.request(of.name, a.status)
		g.cfg.AccessLog.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
			slog.String("id", a.id), slog.String("from", r.RemoteAddr), slog.String("method", clip(r.Method, 32)), slog.String("host", clip(r.Host, 255)),
			slog.String("path", clip(r.URL.Path, 1024)), slog.Int("status", a.status), slog.Int64("in", max(0, r.ContentLength)), slog.Int64("out", a.bytes),
			slog.Duration("took", g.cfg.Clock().Sub(a.began)), slog.String("api", of.name), slog.String("caller", a.caller),
			slog.String("function", a.function), slog.String("route", a.route), slog.String("outcome", a.outcome), slog.String("agent", clip(r.UserAgent(), 256)))
	}()
	of.serve(a, r)
}

func (g *Gateway) apiOf(r *http.Request) api {
	path := r.URL.Path
	service := signedFor(r)
	switch {
	case strings.HasPrefix(path, "/2015-03-31/functions/"):
		return api{"lambda", g.serveLambda}
	case strings.HasPrefix(path, "/2021-11-15/functions/"):
		return api{"lambda", g.serveLambda}
	case path == "/token":
		return api{"token", g.serveToken}
	case service == "sts", path == "/sts", path == "/sts/":
		return api{"sts", g.serveSTS}
	case service == "s3", path == "/buckets", strings.HasPrefix(path, "/buckets/"):
		return api{"bucket", g.serveBucket}
	case strings.HasPrefix(path, "/queues/"):
		return api{"queue", g.serveQueue}
	case strings.HasPrefix(path, "/events/s3/"):
		return api{"hook", g.serveHook}
	case path == "/-/healthy":
		return api{"health", func(a *answer, r *http.Request) { a.write(http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n")) }}
	}
	return api{"route", g.serveRoute}
}

// signedFor returns the AWS service a request was signed for, if it claims to
// be signed at all. It only says which API is meant; the signature is checked
// there.
func signedFor(r *http.Request) string {
	credential := ""
	if rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); ok {
		if _, after, ok := strings.Cut(rest, "Credential="); ok {
			credential, _, _ = strings.Cut(after, ",")
		}
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 5 {
		return ""
	}
	return parts[len(parts)-2]
}

// bound limits a body's size and the time it may take to arrive.
func (g *Gateway) bound(a *answer, r *http.Request, limit int64) {
	r.Body = http.MaxBytesReader(a, r.Body, limit)
	http.NewResponseController(a.ResponseWriter).SetReadDeadline(time.Now().Add(bodyTime))
}

// answer is a response on its way, with what the access log says of it.
type answer struct {
	http.ResponseWriter
	id                               string
	began                            time.Time
	status                           int
	bytes                            int64
	caller, function, route, outcome string
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) write(status int, kind string, body []byte) {
	a.Header().Set("Content-Type", kind)
	a.Header().Set("Content-Length", itoa(int64(len(body))))
	a.WriteHeader(status)
	a.Write(body)
}

// fail answers with a refusal in JSON, as routes do.
func (a *answer) fail(no *refusal) {
	a.outcome = string(no.outcome)
	if no.retry > 0 {
		a.Header().Set("Retry-After", itoa(int64((no.retry+time.Second-1)/time.Second)))
	}
	if no.status == http.StatusUnauthorized {
		a.Header().Set("WWW-Authenticate", `Bearer realm="redoubt"`)
	}
	body, _ := json.Marshal(map[string]string{"message": no.text, "requestId": a.id})
	a.write(no.status, "application/json", append(body, '\n'))
}

// address is the caller's, without its port.
func address(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	return ap.Addr().Unmap().WithZone("").String()
}
