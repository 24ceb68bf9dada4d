package lambda

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzConnection lets a hostile program speak first on a connection of its
// own. Whatever it says, an honest runtime is served after it.
func FuzzConnection(f *testing.F) {
	next := "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
	post := "POST /2018-06-01/runtime/invocation/evil/response HTTP/1.1\r\n"
	for _, seed := range []string{
		next, next + next, next + post + "Content-Length: 2\r\n\r\nok" + next, post + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nLambda-Runtime-Function-Error-Type: x\r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n",
		post + "Content-Length: 99\r\nExpect: 100-continue\r\n\r\n", "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
		"POST /2020-01-01/extension/register HTTP/1.1\r\nLambda-Extension-Name: a\r\nContent-Length: 21\r\n\r\n{\"events\":[\"INVOKE\"]}", "GET " + attachPath + " HTTP/1.0\r\n\r\n", "\r\n\r\n\x00", "GET http:// HTTP/1.1\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		s := NewServer(About{})
		defer s.Close()
		evil, far := net.Pipe()
		over := make(chan struct{})
		go func() { s.admit(far).serve(); close(over) }()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		e := event("in")
		e.ID = "evil"
		invoked := make(chan struct{})
		go func() { _, _ = s.Invoke(ctx, e); close(invoked) }()
		go func() { _, _ = io.Copy(io.Discard, evil) }()
		evil.SetWriteDeadline(time.Now().Add(patience))
		_, _ = evil.Write(said)
		evil.Close()
		<-over
		cancel()
		<-invoked
		if s.waiter != nil || s.attacher != nil || len(s.conns) != 0 {
			t.Fatal("the connection is still known")
		}
	})
}

// FuzzHead compares what is read of a request with what net/http reads. We may
// refuse what it takes, but not read another body.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcdef", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: x\r\ncontent-length:  3 \r\nContent-Length: 3\r\n\r\nabc", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0\r\n\r\nmore",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ours, err := readAll(raw)
		if err != nil {
			return
		}
		req, err := http.ReadRequest(newReader(raw))
		if err != nil {
			return // it refuses more of what is in headers nobody reads
		}
		theirs, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if string(ours) != string(theirs) {
			t.Fatalf("body %q, net/http reads %q", ours, theirs)
		}
	})
}

func FuzzParseError(f *testing.F) {
	f.Add([]byte(`{"errorType":"T","errorMessage":"m","stackTrace":["a",{"path":"x.go","line":3,"label":"f"}]}`), "")
	f.Add([]byte(`{"errorType":1}`), "T")
	f.Add([]byte("\xff"), "\xff")
	f.Fuzz(func(t *testing.T, doc []byte, kind string) {
		e := parseError(doc, kind)
		if !json.Valid(e.Raw) || e.Type == "" || len(e.Message) > 3*maxText || len(e.Trace) > maxTrace {
			t.Fatalf("%+v", e)
		}
		b := &body{cause: doc, trailer: request{errorType: kind}}
		if e := b.trailerError(); (e == nil) != (kind == "") {
			t.Fatalf("%+v", e)
		}
	})
}

func FuzzHeaderJSON(f *testing.F) {
	f.Add(`{"a": "ü😀"}`)
	f.Add("\"\u2028\\ud800\"")
	f.Fuzz(func(t *testing.T, doc string) {
		got, err := headerJSON("x", doc)
		if err != nil || doc == "" {
			return
		}
		var a, b any
		if !json.Valid([]byte(got)) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q", got)
		}
		if json.Unmarshal([]byte(doc), &a) != nil {
			return // a number beyond all bounds
		}
		if err := json.Unmarshal([]byte(got), &b); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		same(t, b, a)
	})
}
