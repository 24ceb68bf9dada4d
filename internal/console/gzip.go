package console

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// worthwhile is the least first write that is compressed. Short answers,
// among them those that hold a session's secret, go as they are.
const worthwhile = 1024

var compressible = []string{"application/json", "application/problem+json", "text/csv", "text/plain", "text/html", "text/css", "text/javascript", "image/svg+xml"}

// compressed packs answers for callers who take gzip. Event streams and ranges
// pass untouched.
func compressed(next http.Handler) http.Handler {
	writers := &sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return w }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !takesGzip(r) || r.Header.Get("Range") != "" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Accept-Encoding")
		z := &packer{ResponseWriter: w, writers: writers}
		defer z.finish()
		next.ServeHTTP(z, r)
	})
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// packer decides at the first write whether to compress, so the header waits
// for it.
type packer struct {
	http.ResponseWriter
	writers *sync.Pool
	zip     *gzip.Writer
	status  int
	decided bool
}

func (p *packer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *packer) WriteHeader(status int) {
	if p.status == 0 && status >= 200 {
		p.status = status
	}
}

func (p *packer) Write(b []byte) (int, error) {
	if !p.decided {
		p.decide(len(b))
	}
	if p.zip != nil {
		return p.zip.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

func (p *packer) decide(first int) {
	p.decided = true
	h := p.Header()
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	for _, c := range compressible {
		if kind == c && first >= worthwhile && h.Get("Content-Encoding") == "" {
			h.Set("Content-Encoding", "gzip")
			h.Del("Content-Length")
			p.zip = p.writers.Get().(*gzip.Writer)
			p.zip.Reset(p.ResponseWriter)
			break
		}
	}
	if p.status != 0 {
		p.ResponseWriter.WriteHeader(p.status)
	}
}

// Flush sends what is there, for streams.
func (p *packer) Flush() {
	if !p.decided {
		p.decide(0)
	}
	if p.zip != nil {
		p.zip.Flush()
	}
	http.NewResponseController(p.ResponseWriter).Flush()
}

func (p *packer) finish() {
	if !p.decided {
		p.decide(0)
	}
	if p.zip != nil {
		p.zip.Close()
		p.writers.Put(p.zip)
		p.zip = nil
	}
}
