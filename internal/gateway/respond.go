package gateway

import (
	"compress/gzip"
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// minCompressed is the size from which an answer is worth compressing.
const minCompressed = 1 << 10

// respond gives the caller of a route what the function answered.
func (v *visit) respond() error {
	c := v.c
	if no := c.failure(); no != nil {
		if c.result.Stream != nil {
			c.result.Stream.Close()
		}
		return no
	}
	// The code may have taken all the time it had; what follows is ours.
	http.NewResponseController(v.a).SetWriteDeadline(time.Now().Add(v.match.Route.Limit() + bodyTime))
	if c.result.Stream != nil {
		return v.stream()
	}
	limit := v.match.Route.MaxResponse
	reply, err := v.reply(c.result.Payload)
	if err != nil {
		return refuse(function.Failed, http.StatusBadGateway, "Unhandled", "function %s: %s; request %s", c.rec.Function, err, c.rec.ID)
	}
	if int64(len(reply.Body)) > limit {
		return refuse(function.Failed, http.StatusBadGateway, "Unhandled", "function %s answered with more than %d bytes; request %s", c.rec.Function, limit, c.rec.ID)
	}
	v.head(reply.Header)
	body := v.pack(reply.Body)
	c.rec.Out = int64(len(reply.Body))
	if v.r.Method == http.MethodHead || reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified {
		body = nil
	} else {
		v.a.Header().Set("Content-Length", itoa(int64(len(body))))
	}
	v.a.WriteHeader(reply.Status)
	v.a.Write(body)
	return nil
}

// head takes over the headers of an answer. Those that are the gateway's to
// say stay as they are.
func (v *visit) head(h http.Header) {
	mine := v.match.Route.CORS.Answer(v.r.Header.Get("Origin"))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		switch name {
		case "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer", "Te", "Proxy-Authenticate", "Content-Length", "Date", requestID:
			continue
		}
		if _, ours := mine[name]; ours {
			continue
		}
		v.a.Header()[name] = values
	}
}

// pack compresses a body where the route says so, the caller takes it and
// nothing speaks against it.
func (v *visit) pack(body []byte) []byte {
	h := v.a.Header()
	if !v.match.Route.Compress {
		return body
	}
	h.Add("Vary", "Accept-Encoding")
	if len(body) < minCompressed || h.Get("Content-Encoding") != "" || !takesGzip(v.r.Header.Get("Accept-Encoding")) || !compressible(h.Get("Content-Type")) {
		return body
	}
	var out strings.Builder
	w := gzip.NewWriter(&out)
	w.Write(body)
	w.Close()
	if out.Len() >= len(body) {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("Etag", "W/"+tag)
	}
	return []byte(out.String())
}

func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" {
			weight = strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

func compressible(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "xml") || strings.HasSuffix(kind, "javascript")
}

func randomly() uint64 { return rand.Uint64() }

// contextWithin bounds a request's context, where it is to be bounded at all.
func contextWithin(ctx context.Context, limit time.Duration, bounded bool) (context.Context, context.CancelFunc) {
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
