package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

func FuzzTrace(f *testing.F) {
	f.Add("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=redoubt:3")
	f.Add("Root=1-;;=;Lineage=redoubt:-1;Lineage=redoubt:999")
	f.Fuzz(func(t *testing.T, s string) {
		now := time.Unix(1e9, 0)
		got := parseTrace(s, now)
		if !goodRoot(got.root) || got.depth < 0 || got.depth > 255 {
			t.Fatalf("parseTrace(%q) = %+v", s, got)
		}
		again := parseTrace(got.header("00000000-0000-4000-8000-000000000000"), now)
		if again != got {
			t.Fatalf("written and read again: %+v, was %+v", again, got)
		}
	})
}

// Whatever is sent, the front answers, and never with an error of its own.
func FuzzFront(f *testing.F) {
	f.Add("POST", "/2015-03-31/functions/orders/invocations", "Authorization", "Bearer x.y.z", `{"a":1}`)
	f.Add("PUT", "/buckets/photos/a%2f..%2fb?uploadId=1&partNumber=x", "X-Amz-Copy-Source", "%zz", "<a>")
	f.Add("GET", "/queues/mail/messages?max=99999999999999999999", "X-Api-Key", "rdk_", "")
	f.Add("POST", "/sts", "Content-Type", "application/x-www-form-urlencoded", "Action=AssumeRoleWithWebIdentity&WebIdentityToken=a.b.c")
	f.Add("POST", "/token", "Authorization", "Basic Og==", "{")
	f.Add("OPTIONS", "/orders/1", "Access-Control-Request-Method", "GET", "")
	f.Add("GET", "/?X-Amz-Credential=a/b/c/s3/d", "Authorization", "AWS4-HMAC-SHA256 Credential=////", "")
	f.Add("POST", "/events/s3/photos", "X-Amzn-Trace-Id", "Root=1", `{"Records":[{}]}`)
	g := newGate(f, code(echo), nil)
	g.deploy("orders", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Path: "/orders/{id}", Auth: "none"}}}
	})
	g.permit("* * *")
	f.Fuzz(func(t *testing.T, method, target, name, value, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || method == "" || strings.ContainsAny(method, " \r\n/") {
			return
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	})
}

func FuzzTopicMatches(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if !strings.ContainsAny(filter, "+#") && !strings.HasPrefix(topic, "$") && topicMatches(filter, topic) != (filter == topic) {
			t.Fatalf("topicMatches(%q, %q)", filter, topic)
		}
	})
}
