package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"redoubt.dev/redoubt/internal/identity"
)

// request is what the console knows of the request it answers. Handlers get it
// from their context and may write to it; the access log reads it at the end.
type request struct {
	id      string
	from    string // address without port
	http    *http.Request
	actor   actor
	failure error // what a 500 hides from the caller
}

// actor is who asks. It is empty before login. cookie and token are what it
// showed, of which one is empty, for asking again while a stream lasts.
type actor struct {
	identity.Principal
	cookie, token identity.Secret
}

type requestKey struct{}

// requestOf returns the request behind ctx; an empty one outside of any.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func randomID() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func newRequest(r *http.Request) *request {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	return &request{id: randomID(), from: from, http: r}
}

// tracked gives every request an id, writes the access log and turns a panic
// into a 500 that names the id.
func (c *Console) tracked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		info := newRequest(r)
		out := &recorder{ResponseWriter: w}
		out.Header().Set("X-Request-Id", info.id)
		defer func() {
			cause := recover()
			if cause != nil && cause != http.ErrAbortHandler {
				c.log.Error("request panic", "request", info.id, "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
				if out.status == 0 {
					out.Header().Set("Content-Type", "application/problem+json")
					out.WriteHeader(http.StatusInternalServerError)
					out.Write([]byte(`{"title":"Internal Server Error","status":500,"detail":"something went wrong in the console; its log says what under request ` + info.id + `"}` + "\n"))
				}
			}
			took := time.Since(begun)
			c.metrics.observe(r, out.status, took)
			c.logAccess(info, out, took)
			if cause == http.ErrAbortHandler { // the answer broke off: so must the connection
				panic(cause)
			}
		}()
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), requestKey{}, info)))
	})
}

func (c *Console) logAccess(info *request, out *recorder, took time.Duration) {
	level := slog.LevelInfo
	if m := info.http.Method; (m == http.MethodGet || m == http.MethodHead) && out.status < 400 {
		level = slog.LevelDebug // who reads what is many lines and no news
	}
	args := []any{
		"request", info.id, "method", info.http.Method, "path", clip(info.http.URL.Path, 256), "status", out.status,
		"bytes", out.bytes, "took", took.Round(time.Microsecond), "from", info.from, "actor", info.actor.User,
	}
	if info.failure != nil {
		level, args = slog.LevelError, append(args, "error", info.failure)
	}
	c.log.Log(context.Background(), level, "request done", args...)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// recorder remembers what was answered. Unwrap lets http.ResponseController
// reach the connection.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}
