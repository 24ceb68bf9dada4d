package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	testID     = "RDKATESTTESTTESTTEST"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var either = Want{Services: []string{"lambda", "s3"}}

// newTest makes a verifier whose clock is testNow.
func newTest(t testing.TB, change func(*Config)) *Verifier {
	t.Helper()
	seen := map[string]bool{}
	c := Config{
		Keys: func(_ context.Context, id, session string) (Key, error) {
			if id != testID || session != "" && session != "session/+=" {
				return Key{}, Refuse(UnknownKey, "there is no access key %s", id)
			}
			return Key{Secret: testSecret, Owner: "alice"}, nil
		},
		Once: func(key string, _ time.Time) error {
			if seen[key] {
				return Refuse(Replayed, "seen before")
			}
			seen[key] = true
			return nil
		},
		Now: func() time.Time { return testNow },
	}
	if change != nil {
		change(&c)
	}
	return New(c)
}

func sum(b string) string {
	h := sha256.Sum256([]byte(b))
	return hex.EncodeToString(h[:])
}

// shape is a request to sign.
type shape struct {
	service, method, url, body string
	header                     map[string]string
	session, secret            string
	date                       time.Time
	presign                    time.Duration
}

// sign signs with AWS's own signer and returns the request as a server gets it.
func sign(t testing.TB, s shape) *http.Request {
	t.Helper()
	r, err := http.NewRequest(s.method, s.url, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range s.header {
		r.Header.Set(k, v)
	}
	if s.date.IsZero() {
		s.date = testNow
	}
	if s.secret == "" {
		s.secret = testSecret
	}
	hash := sum(s.body)
	if s.service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	creds := aws.Credentials{AccessKeyID: testID, SecretAccessKey: s.secret, SessionToken: s.session}
	plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.service == "s3" }
	if s.presign == 0 {
		err = v4.NewSigner().SignHTTP(context.Background(), creds, r, hash, s.service, "eu-west-1", s.date, plain)
	} else {
		r.Header.Del("X-Amz-Content-Sha256")
		if s.service == "s3" {
			hash = "UNSIGNED-PAYLOAD"
		}
		q := r.URL.Query()
		q.Set("X-Amz-Expires", fmt.Sprint(int(s.presign.Seconds())))
		r.URL.RawQuery = q.Encode()
		r.ContentLength = 0
		var to string
		to, _, err = v4.NewSigner().PresignHTTP(context.Background(), creds, r, hash, s.service, "eu-west-1", s.date, plain)
		if err == nil {
			r.URL, err = url.Parse(to)
		}
		r.ContentLength = int64(len(s.body))
	}
	if err != nil {
		t.Fatal(err)
	}
	return received(t, r)
}

// received sends r over the wire form of HTTP/1.1 and back.
func received(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	return mustRead(t, &wire)
}

var shapes = map[string]shape{
	"invoke":              {service: "lambda", method: "POST", url: "http://gw.test/2015-03-31/functions/orders/invocations", body: `{"a":1}`},
	"invoke by arn":       {service: "lambda", method: "POST", url: "http://gw.test/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Aorders/invocations?Qualifier=prod"},
	"session token":       {service: "lambda", method: "POST", url: "http://gw.test/x", session: "session/+="},
	"odd headers":         {service: "lambda", method: "POST", url: "http://gw.test:8443/x", header: map[string]string{"X-Note": "  a   b  c ", "Content-Type": "application/json"}},
	"odd query":           {service: "lambda", method: "GET", url: "http://gw.test/x?b=2&a=1&a=0&empty&sp=a+b&pct=%2B%20%2F&~=%7E&%7Bz=1&%C3%A9=2&%20c=3"},
	"odd path":            {service: "lambda", method: "GET", url: "http://gw.test/a%20b/%2F/c~d/é//x"},
	"object":              {service: "s3", method: "PUT", url: "http://gw.test/photos/a%20b/%2Fc%2Bd//e", body: "content"},
	"presigned object":    {service: "s3", method: "GET", url: "http://gw.test/photos/a%20b.jpg", presign: 10 * time.Minute},
	"presigned put":       {service: "s3", method: "PUT", url: "http://gw.test/photos/c.jpg", body: "whatever", presign: 10 * time.Minute},
	"presigned invoke":    {service: "lambda", method: "POST", url: "http://gw.test/x?y=1", presign: time.Minute},
	"presigned session":   {service: "lambda", method: "POST", url: "http://gw.test/x", session: "session/+=", presign: time.Minute},
	"four minutes early":  {service: "lambda", method: "POST", url: "http://gw.test/x", date: testNow.Add(4 * time.Minute)},
	"four minutes late":   {service: "lambda", method: "POST", url: "http://gw.test/x", date: testNow.Add(-4 * time.Minute)},
	"presigned and alive": {service: "s3", method: "GET", url: "http://gw.test/b/k", presign: 15 * time.Minute, date: testNow.Add(-14 * time.Minute)},
}

func TestS5_WhatAWSSignsHolds(t *testing.T) {
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			r := sign(t, s)
			got, err := newTest(t, nil).Verify(context.Background(), r, either)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != testID || got.Service != s.service || got.Presigned != (s.presign > 0) || got.Session != s.session || got.Owner != "alice" {
				t.Errorf("got %+v", got)
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != s.body {
				t.Errorf("body %q, %v", body, err)
			}
		})
	}
}

// Each change is made to each of some good requests: it must not hold.
func TestS5_WhatIsChangedDoesNotHold(t *testing.T) {
	changes := map[string]func(r *http.Request){
		"method":       func(r *http.Request) { r.Method = "PATCH" },
		"path":         func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath = "" },
		"query added":  func(r *http.Request) { r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&more=1", "&") },
		"host":         func(r *http.Request) { r.Host = "other.test" },
		"signed date":  func(r *http.Request) { swap(r, "20260301T120000Z", "20260301T120001Z") },
		"signature":    func(r *http.Request) { swap(r, "Signature=", "Signature=00"); trim(r) },
		"key id":       func(r *http.Request) { swap(r, testID, "RDKAOTHEROTHEROTHER1") },
		"region":       func(r *http.Request) { swap(r, "eu-west-1", "eu-west-2") },
		"smuggled amz": func(r *http.Request) { r.Header.Set("X-Amz-Tenant-Id", "other") },
		"unsign host":  func(r *http.Request) { swap(r, "host", "hosx") },
	}
	for _, base := range []string{"invoke", "object", "presigned object", "presigned invoke"} {
		for name, change := range changes {
			t.Run(base+"/"+name, func(t *testing.T) {
				r := sign(t, shapes[base])
				change(r)
				if _, err := newTest(t, nil).Verify(context.Background(), r, either); !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// swap replaces text wherever the signature is written.
func swap(r *http.Request, old, to string) {
	for _, h := range []string{"Authorization", "X-Amz-Date"} {
		if v := r.Header.Get(h); v != "" {
			r.Header.Set(h, strings.ReplaceAll(v, old, to))
		}
	}
	r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, old, to)
}

// trim cuts the digits that swap made too many.
func trim(r *http.Request) {
	if v := r.Header.Get("Authorization"); v != "" {
		r.Header.Set("Authorization", v[:len(v)-2])
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Signature") {
		r.URL.RawQuery = r.URL.RawQuery[:len(r.URL.RawQuery)-2]
	}
}

func TestS5_BodyThatIsChanged(t *testing.T) {
	ctx := context.Background()
	r := sign(t, shapes["invoke"]) // the hash is in the signature only
	r.Body = io.NopCloser(strings.NewReader(`{"a":2}`))
	if _, err := newTest(t, nil).Verify(ctx, r, either); CodeOf(err) != Mismatch {
		t.Errorf("got %v", err)
	}
	r = sign(t, shapes["object"]) // the hash is in a header, the body comes later
	r.Body = io.NopCloser(strings.NewReader("c0ntent"))
	if _, err := newTest(t, nil).Verify(ctx, r, either); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); CodeOf(err) != BadPayload || !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
	r = sign(t, shapes["invoke"])
	v := newTest(t, func(c *Config) { c.Body = 3 })
	if _, err := v.Verify(ctx, r, either); CodeOf(err) != TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestS5_RefusedWithTheCodeSDKsKnow(t *testing.T) {
	tests := map[string]struct {
		s      shape
		change func(*http.Request)
		want   Code
	}{
		"wrong secret":       {s: shape{service: "lambda", method: "POST", url: "http://gw.test/x", secret: "other"}, want: Mismatch},
		"six minutes late":   {s: shape{service: "lambda", method: "POST", url: "http://gw.test/x", date: testNow.Add(-6 * time.Minute)}, want: Skewed},
		"six minutes early":  {s: shape{service: "lambda", method: "POST", url: "http://gw.test/x", date: testNow.Add(6 * time.Minute)}, want: Skewed},
		"presigned early":    {s: shape{service: "s3", method: "GET", url: "http://gw.test/x", presign: time.Minute, date: testNow.Add(6 * time.Minute)}, want: Skewed},
		"presigned ended":    {s: shape{service: "s3", method: "GET", url: "http://gw.test/x", presign: time.Minute, date: testNow.Add(-2 * time.Minute)}, want: Expired},
		"presigned for days": {s: shape{service: "s3", method: "GET", url: "http://gw.test/x", presign: 24 * time.Hour}, want: Expired},
		"other service":      {s: shape{service: "sqs", method: "POST", url: "http://gw.test/x"}, want: BadScope},
		"foreign session":    {s: shape{service: "lambda", method: "POST", url: "http://gw.test/x", session: "stolen"}, want: UnknownKey},
		"not signed":         {s: shapes["invoke"], change: func(r *http.Request) { r.Header.Del("Authorization") }, want: Missing},
		"signed twice": {s: shapes["presigned object"], change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		}, want: Incomplete},
		"two signatures in the query": {s: shapes["presigned object"], change: func(r *http.Request) {
			r.URL.RawQuery += "&X-Amz-Signature=" + strings.Repeat("0", 64)
		}, want: Incomplete},
		"two headers":       {s: shapes["invoke"], change: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, want: Incomplete},
		"two dates":         {s: shapes["invoke"], change: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260301T120000Z") }, want: Incomplete},
		"signed and absent": {s: shapes["odd headers"], change: func(r *http.Request) { r.Header.Del("X-Note") }, want: Incomplete},
		"unsigned invoke":   {s: shape{service: "lambda", method: "POST", url: "http://gw.test/x", header: map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}}, want: Incomplete},
		"day of another":    {s: shapes["invoke"], change: func(r *http.Request) { swap(r, "/20260301/", "/20260228/") }, want: BadScope},
		"semicolon":         {s: shapes["invoke"], change: func(r *http.Request) { r.URL.RawQuery = "a=1;b=2" }, want: Incomplete},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := sign(t, tt.s)
			if tt.change != nil {
				tt.change(r)
			}
			_, err := newTest(t, nil).Verify(context.Background(), r, either)
			if CodeOf(err) != tt.want || !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("got %q (%v), want %q", CodeOf(err), err, tt.want)
			}
		})
	}
}

func TestS5_ReplayIsRefusedWhereAsked(t *testing.T) {
	ctx, v := context.Background(), newTest(t, nil)
	once := Want{Services: either.Services, Once: true}
	for i, want := range []Code{"", Replayed} {
		if _, err := v.Verify(ctx, sign(t, shapes["invoke"]), once); CodeOf(err) != want {
			t.Errorf("call %d: got %v, want %q", i, err, want)
		}
	}
	// The twin: the same call made anew, and a repeated read nobody minds.
	s := shapes["invoke"]
	s.date = testNow.Add(time.Second)
	if _, err := v.Verify(ctx, sign(t, s), once); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := v.Verify(ctx, sign(t, shapes["object"]), either); err != nil {
			t.Error(err)
		}
	}
	s.date = testNow.Add(-time.Minute)
	if _, err := v.Verify(ctx, sign(t, s), once); CodeOf(err) != Replayed {
		t.Errorf("signed before the start: got %v", err)
	}
	// A forged signature must not take the honest one's place.
	v = newTest(t, nil)
	forged := sign(t, shapes["invoke"])
	forged.Host = "other.test"
	if _, err := v.Verify(ctx, forged, once); CodeOf(err) != Mismatch {
		t.Errorf("got %v", err)
	}
	if _, err := v.Verify(ctx, sign(t, shapes["invoke"]), once); err != nil {
		t.Error(err)
	}
}

func TestS5_ChangedSecretIsNotServedFromTheCache(t *testing.T) {
	secret := testSecret
	v := newTest(t, func(c *Config) {
		c.Keys = func(context.Context, string, string) (Key, error) { return Key{Secret: secret}, nil }
	})
	for _, s := range []string{testSecret, "another"} {
		secret = s
		sh := shapes["invoke"]
		sh.secret = s
		if _, err := v.Verify(context.Background(), sign(t, sh), either); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.Verify(context.Background(), sign(t, shapes["invoke"]), either); CodeOf(err) != Mismatch {
		t.Errorf("the old secret still works: %v", err)
	}
}

// serve runs a server that checks each request and keeps what it read.
func serve(t *testing.T, tls bool) (to string, client *http.Client, got func() []byte) {
	var body []byte
	v := newTest(t, func(c *Config) { c.Now = nil })
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := v.Verify(r.Context(), r, either)
		if err == nil {
			body, err = io.ReadAll(r.Body)
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
	s := httptest.NewUnstartedServer(h)
	if tls {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, s.Client(), func() []byte { return body }
}

func TestS5_RealClients(t *testing.T) {
	ctx := context.Background()
	creds := credentials.NewStaticCredentialsProvider(testID, testSecret, "session/+=")
	for _, tls := range []bool{false, true} {
		to, client, got := serve(t, tls)
		l := lambda.New(lambda.Options{Region: "eu-west-1", Credentials: creds, BaseEndpoint: &to, HTTPClient: client})
		if _, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("orders:prod"), Payload: []byte(`{"n":1}`), ClientContext: aws.String("e30=")}); err != nil {
			t.Error(err)
		}
		if string(got()) != `{"n":1}` {
			t.Errorf("lambda: got %q", got())
		}
		content := strings.Repeat("0123456789abcdef", 20000)
		b := s3.New(s3.Options{Region: "eu-west-1", Credentials: creds, BaseEndpoint: &to, HTTPClient: client, UsePathStyle: true})
		in := &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("a b/ü+(1).jpg"), Body: strings.NewReader(content)}
		if _, err := b.PutObject(ctx, in); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(content, string(got())); diff != "" {
			t.Errorf("put, tls %v: %.200s", tls, diff)
		}
		if tls { // a stream without an end known goes in unsigned chunks with a checksum behind
			in.Body, in.ContentLength, in.ChecksumAlgorithm = io.MultiReader(strings.NewReader(content)), aws.Int64(int64(len(content))), "CRC64NVME"
			if _, err := b.PutObject(ctx, in); err != nil {
				t.Error(err)
			}
			if string(got()) != content {
				t.Errorf("streamed put: got %d bytes", len(got()))
			}
		}
		if _, err := b.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("photos"), Prefix: aws.String("a b/+&="), Delimiter: aws.String("/")}); err != nil && !strings.Contains(err.Error(), "EOF") {
			t.Error(err)
		}
		p, err := s3.NewPresignClient(b).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("p q.jpg")})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest(p.Method, p.URL, strings.NewReader("presigned"))
		for k, v := range p.SignedHeader {
			if k != "Host" && k != "Content-Length" {
				req.Header[k] = v
			}
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || string(got()) != "presigned" {
			t.Errorf("presigned put: status %d, body %q", resp.StatusCode, got())
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, s := range shapes {
		r := sign(f, s)
		f.Add(r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Content-Sha256"), "x-amz-note")
	}
	v := newTest(f, nil)
	f.Fuzz(func(t *testing.T, method, uri, auth, date, hash, name string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "gw.test", Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}, "X-Amz-Content-Sha256": {hash}, name: {"x"}}, Body: io.NopCloser(strings.NewReader("body"))}
		if _, err := v.Verify(context.Background(), r, either); err != nil {
			if e := new(Error); !errors.As(err, &e) {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		if !strings.Contains(auth+uri, testID) {
			t.Errorf("accepted without the key: %s %s %s", method, uri, auth)
		}
	})
}

func BenchmarkS5_Signature(b *testing.B) {
	for _, name := range []string{"invoke", "presigned object"} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			v, r := newTest(b, nil), sign(b, shapes[name])
			body := []byte(shapes[name].body)
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				if _, err := v.Verify(context.Background(), r, either); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
