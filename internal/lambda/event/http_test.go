package event

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123e6, time.UTC)

// strict reads an event into the type Go functions use, and fails where it
// holds a member that type does not know.
func strict[T any](t *testing.T, doc []byte, except ...string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		for _, e := range except {
			if strings.Contains(err.Error(), e) {
				_ = json.Unmarshal(doc, &v)
				return v
			}
		}
		t.Fatalf("%v in %s", err, doc)
	}
	return v
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	r.RemoteAddr = "192.0.2.7:4711"
	return r
}

var visit = HTTP{
	ID: "req-1", Time: noon, Route: "/orders/{id}", Method: "POST", Stage: "prod", Params: map[string]string{"id": "7"}, Account: "000000000000", API: "shop",
}

func TestS16_PayloadFormat1(t *testing.T) {
	h := visit
	h.Caller, h.Authorizer = "user/alice", map[string]any{"principalId": "user/alice"}
	r := request("POST", "https://shop.example.com:8443/orders/7?a=1&a=2&b=%20x", `{"n":1}`, "Content-Type", "application/json", "X-Two", "one", "X-Two", "two", "User-Agent", "test/1")
	got := strict[events.APIGatewayProxyRequest](t, h.V1(r, []byte(`{"n":1}`)), `"version"`)
	same(t, got, events.APIGatewayProxyRequest{
		Resource: "/orders/{id}", Path: "/orders/7", HTTPMethod: "POST", Body: `{"n":1}`, PathParameters: map[string]string{"id": "7"},
		Headers: map[string]string{"Content-Type": "application/json", "X-Two": "two", "User-Agent": "test/1", "Host": "shop.example.com:8443"},
		MultiValueHeaders: map[string][]string{
			"Content-Type": {"application/json"}, "X-Two": {"one", "two"}, "User-Agent": {"test/1"}, "Host": {"shop.example.com:8443"}},
		QueryStringParameters:           map[string]string{"a": "2", "b": " x"},
		MultiValueQueryStringParameters: map[string][]string{"a": {"1", "2"}, "b": {" x"}},
		RequestContext: events.APIGatewayProxyRequestContext{
			AccountID: "000000000000", ResourceID: "POST /orders/{id}", Stage: "prod", DomainName: "shop.example.com", DomainPrefix: "shop",
			RequestID: "req-1", ExtendedRequestID: "req-1", Protocol: "HTTP/1.1", ResourcePath: "/orders/{id}", Path: "/orders/7", HTTPMethod: "POST", APIID: "shop",
			RequestTime: "04/Mar/2026:12:00:00 +0000", RequestTimeEpoch: noon.UnixMilli(), Authorizer: map[string]any{"principalId": "user/alice"},
			Identity: events.APIGatewayRequestIdentity{SourceIP: "192.0.2.7", UserAgent: "test/1", Caller: "user/alice", User: "user/alice"},
		},
	})
}

func TestS16_PayloadFormat2(t *testing.T) {
	h := visit
	h.Route, h.Method, h.SourceIP = "/files/{rest...}", "", "198.51.100.1"
	h.Authorizer = map[string]any{"jwt": map[string]any{"claims": map[string]string{"sub": "alice"}}}
	r := request("PUT", "/files/a%2Fb?a=1&a=2", "\xff\x00", "Content-Type", "application/octet-stream", "X-Two", "one", "X-Two", "two", "Cookie", "a=1; b=2", "User-Agent", "test/1")
	got := strict[events.APIGatewayV2HTTPRequest](t, h.V2(r, []byte("\xff\x00")))
	same(t, got, events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "ANY /files/{rest+}", RawPath: "/files/a%2Fb", RawQueryString: "a=1&a=2", Cookies: []string{"a=1", "b=2"},
		Headers:               map[string]string{"content-type": "application/octet-stream", "x-two": "one,two", "user-agent": "test/1", "host": "example.com"},
		QueryStringParameters: map[string]string{"a": "1,2"}, PathParameters: map[string]string{"id": "7"}, Body: "/wA=", IsBase64Encoded: true,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "ANY /files/{rest+}", AccountID: "000000000000", Stage: "prod", RequestID: "req-1", APIID: "shop", DomainName: "example.com", DomainPrefix: "example",
			Time: "04/Mar/2026:12:00:00 +0000", TimeEpoch: noon.UnixMilli(),
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": "alice"}}},
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "PUT", Path: "/files/a/b", Protocol: "HTTP/1.1", SourceIP: "198.51.100.1", UserAgent: "test/1"},
		},
	})
}

func TestBodiesAreTextOrBase64(t *testing.T) {
	for name, tt := range map[string]struct {
		header, body, want string
		encoded            bool
	}{
		"json":         {"application/json; charset=utf-8", `{}`, `{}`, false},
		"suffix":       {"application/vnd.x+json", `{}`, `{}`, false},
		"form":         {"application/x-www-form-urlencoded", "a=b", "a=b", false},
		"none":         {"", "plain", "plain", false},
		"broken_text":  {"text/plain", "\xff", "/w==", true},
		"picture":      {"image/png", "abc", "YWJj", true},
		"broken_type":  {";;", "abc", "YWJj", true},
		"empty_binary": {"image/png", "", "", false},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set("Content-Type", tt.header)
		}
		if got, encoded := encode(h, []byte(tt.body)); got != tt.want || encoded != tt.encoded {
			t.Errorf("%s: %q %v", name, got, encoded)
		}
	}
	if _, encoded := encode(http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"text/plain"}}, []byte("x")); !encoded {
		t.Error("compressed text is not text")
	}
}

var answers = []struct {
	name, payload string
	one, two      string // as "status headers body", or "error: …"
}{
	{"whole", `{"statusCode":201,"headers":{"x-a":"b","N":5},"body":"hi"}`, "201 map[N:[5] X-A:[b]] hi", ""},
	{"base64", `{"statusCode":200,"body":"/wA=","isBase64Encoded":true}`, "200 map[] \xff\x00", ""},
	{"bad_base64", `{"statusCode":200,"body":"%","isBase64Encoded":true}`, "error", ""},
	{"several_values", `{"statusCode":200,"headers":{"x-a":"lost"},"multiValueHeaders":{"x-a":["1","2"]}}`, "200 map[X-A:[1 2]] ", ""},
	{"cookies", `{"statusCode":200,"cookies":["a=1","b=2"]}`, "200 map[Set-Cookie:[a=1 b=2]] ", ""},
	{"status_as_text", `{"statusCode":"404"}`, "404 map[] ", ""},
	{"no_status", `{"body":"x"}`, "error", `200 map[Content-Type:[application/json]] {"body":"x"}`},
	{"text", `"hello"`, "error", `200 map[Content-Type:[application/json]] hello`},
	{"list", `[1,2]`, "error", `200 map[Content-Type:[application/json]] [1,2]`},
	{"null", `null`, "error", `200 map[Content-Type:[application/json]] null`},
	{"no_json", `<html>`, "error", "error"},
	{"empty", ``, "error", "error"},
	{"odd_status", `{"statusCode":99}`, "error", "error"},
	{"status_not_a_number", `{"statusCode":{}}`, "error", "error"},
	{"line_break_in_header", `{"statusCode":200,"headers":{"x":"a\r\nset-cookie: b"}}`, "error", "error"},
	{"line_break_in_cookie", `{"statusCode":200,"cookies":["a\nb"]}`, "error", "error"},
	{"odd_header_name", `{"statusCode":200,"headers":{"a b":"c"}}`, "error", "error"},
	{"header_is_object", `{"statusCode":200,"headers":{"a":{}}}`, "error", "error"},
}

func show(r *Response, err error) string {
	if err != nil {
		return "error"
	}
	b, _ := json.Marshal(r.Status)
	return string(b) + " " + strings.ReplaceAll(strings.TrimPrefix(cmpText(r.Header), "http."), "Header", "map") + " " + string(r.Body)
}

func cmpText(h http.Header) string {
	var parts []string
	for _, name := range []string{"Content-Type", "N", "Set-Cookie", "X-A"} {
		if v := h[name]; v != nil {
			parts = append(parts, name+":["+strings.Join(v, " ")+"]")
		}
	}
	return "map[" + strings.Join(parts, " ") + "]"
}

func TestAnswers(t *testing.T) {
	for _, tt := range answers {
		if tt.two == "" {
			tt.two = tt.one
		}
		if got := show(Answer1([]byte(tt.payload))); got != tt.one {
			t.Errorf("%s, 1.0: got %q, want %q", tt.name, got, tt.one)
		}
		if got := show(Answer2([]byte(tt.payload))); got != tt.two {
			t.Errorf("%s, 2.0: got %q, want %q", tt.name, got, tt.two)
		}
	}
}

// What Go functions write with the library's types is understood.
func TestAnswersOfTheGoLibrary(t *testing.T) {
	doc, _ := json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: 202, Headers: map[string]string{"X-A": "b"}, Body: "x", Cookies: []string{"a=1"}})
	if got := show(Answer2(doc)); got != "202 map[Set-Cookie:[a=1] X-A:[b]] x" {
		t.Error(got)
	}
	doc, _ = json.Marshal(events.APIGatewayProxyResponse{StatusCode: 202, MultiValueHeaders: map[string][]string{"X-A": {"b", "c"}}, Body: "x"})
	if got := show(Answer1(doc)); got != "202 map[X-A:[b c]] x" {
		t.Error(got)
	}
	stream := &events.APIGatewayProxyStreamingResponse{StatusCode: 203, Headers: map[string]string{"X-A": "b"}, Cookies: []string{"a=1"}, Body: strings.NewReader("the body")}
	if stream.ContentType() != StreamType {
		t.Error(stream.ContentType())
	}
	for name, r := range map[string]io.Reader{"whole": stream, "byte_by_byte": iotest.OneByteReader(io.MultiReader(
		strings.NewReader(`{"statusCode":203,"headers":{"X-A":"b"},"cookies":["a=1"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00the body")))} {
		head, rest, err := Prelude(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(rest)
		if got := show(head, err); got != "203 map[Set-Cookie:[a=1] X-A:[b]] " || string(body) != "the body" {
			t.Errorf("%s: %q %q", name, got, body)
		}
	}
}

func TestPreludesThatAreNone(t *testing.T) {
	for name, text := range map[string]string{
		"short": `{"statusCode":200}`, "empty": "", "endless": strings.Repeat("x", 1<<20), "no_json": "hello\x00\x00\x00\x00\x00\x00\x00\x00",
		"odd_status": "{\"statusCode\":7}\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		if _, _, err := Prelude(strings.NewReader(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, tt := range answers {
		f.Add([]byte(tt.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, read := range []func([]byte) (*Response, error){Answer1, Answer2} {
			r, err := read(payload)
			if err != nil {
				continue
			}
			if r.Status < 200 || r.Status > 599 {
				t.Fatalf("status %d", r.Status)
			}
			if check(r.Header) != nil {
				t.Fatalf("headers %v", r.Header)
			}
		}
	})
}

func FuzzPrelude(f *testing.F) {
	f.Add([]byte("{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00body"))
	f.Add([]byte("{}\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r, rest, err := Prelude(bytes.NewReader(stream))
		if err != nil {
			return
		}
		body, err := io.ReadAll(rest)
		if err != nil || !bytes.HasSuffix(stream, body) || check(r.Header) != nil {
			t.Fatalf("%v %q", err, body)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("/a%2fb", "a=1&a=2", "text/plain", []byte("body"), "a=1; b")
	f.Add("/", "%zz;;&=", "image/png", []byte("\xff"), ";;")
	f.Fuzz(func(t *testing.T, path, query, kind string, body []byte, cookie string) {
		r := request("GET", "/", "", "Content-Type", kind, "Cookie", cookie)
		r.URL.Path, r.URL.RawQuery = path, query
		for _, doc := range [][]byte{visit.V1(r, body), visit.V2(r, body)} {
			if !json.Valid(doc) {
				t.Fatalf("not JSON: %s", doc)
			}
		}
	})
}
