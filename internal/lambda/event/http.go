package event

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// HTTP is what an event of a route says besides the request itself.
type HTTP struct {
	ID       string    // of the invocation
	Time     time.Time // of the request
	SourceIP string    // of the caller; RemoteAddr where empty
	Route    string    // template: /orders/{id}; {rest...} is written {rest+}, as API Gateway does
	Method   string    // of the route; empty is ANY
	Stage    string    // $default where empty
	Params   map[string]string
	Account  string
	API      string // id of the API: what logs and policies call it
	// Authorizer is what is known of the caller, as the format nests it:
	// {"jwt": {"claims": …}}, {"iam": …} or {"lambda": …} in 2.0, a flat map in 1.0.
	Authorizer map[string]any
	// Caller, APIKey and AccessKey name who called, in format 1.0.
	Caller, APIKey, AccessKey string
}

// context1 is the requestContext of format 1.0.
type context1 struct {
	AccountID        string         `json:"accountId"`
	APIID            string         `json:"apiId"`
	Authorizer       map[string]any `json:"authorizer,omitempty"`
	DomainName       string         `json:"domainName"`
	DomainPrefix     string         `json:"domainPrefix"`
	ExtendedID       string         `json:"extendedRequestId"`
	HTTPMethod       string         `json:"httpMethod"`
	Identity         identity1      `json:"identity"`
	Path             string         `json:"path"`
	Protocol         string         `json:"protocol"`
	RequestID        string         `json:"requestId"`
	RequestTime      string         `json:"requestTime"`
	RequestTimeEpoch int64          `json:"requestTimeEpoch"`
	ResourceID       string         `json:"resourceId"`
	ResourcePath     string         `json:"resourcePath"`
	Stage            string         `json:"stage"`
}

type identity1 struct {
	AccessKey *string `json:"accessKey"`
	AccountID *string `json:"accountId"`
	APIKey    string  `json:"apiKey,omitempty"`
	Caller    *string `json:"caller"`
	SourceIP  string  `json:"sourceIp"`
	User      *string `json:"user"`
	UserAgent string  `json:"userAgent"`
	UserARN   *string `json:"userArn"`
}

type event1 struct {
	Version      string              `json:"version"`
	Resource     string              `json:"resource"`
	Path         string              `json:"path"`
	HTTPMethod   string              `json:"httpMethod"`
	Headers      map[string]string   `json:"headers"`
	MultiHeaders map[string][]string `json:"multiValueHeaders"`
	Query        map[string]string   `json:"queryStringParameters"`
	MultiQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	Context      context1            `json:"requestContext"`
	Params       map[string]string   `json:"pathParameters"`
	Stage        map[string]string   `json:"stageVariables"`
	Body         *string             `json:"body"`
	Base64       bool                `json:"isBase64Encoded"`
}

// V1 is the event of payload format 1.0.
func (h HTTP) V1(r *http.Request, body []byte) []byte {
	headers, query := allHeaders(r), parse(r.URL.RawQuery)
	text, encoded := encode(r.Header, body)
	e := event1{
		Version: "1.0", Resource: h.resource(), Path: r.URL.Path, HTTPMethod: r.Method,
		Headers: last(headers), MultiHeaders: headers, Query: last(query), MultiQuery: query,
		Params: h.Params, Base64: encoded,
		Context: context1{
			AccountID: h.Account, APIID: h.API, Authorizer: h.Authorizer, DomainName: host(r), DomainPrefix: prefix(host(r)),
			ExtendedID: h.ID, HTTPMethod: r.Method, Path: r.URL.Path, Protocol: r.Proto, RequestID: h.ID,
			RequestTime: clf(h.Time), RequestTimeEpoch: h.Time.UnixMilli(), ResourceID: h.routeKey(), ResourcePath: h.resource(), Stage: h.stage(),
			Identity: identity1{APIKey: h.APIKey, Caller: optional(h.Caller), User: optional(h.Caller), AccessKey: optional(h.AccessKey), SourceIP: h.source(r), UserAgent: r.UserAgent()},
		},
	}
	if len(body) > 0 {
		e.Body = &text
	}
	return marshal(e)
}

type event2 struct {
	Version  string            `json:"version"`
	RouteKey string            `json:"routeKey"`
	RawPath  string            `json:"rawPath"`
	RawQuery string            `json:"rawQueryString"`
	Cookies  []string          `json:"cookies,omitempty"`
	Headers  map[string]string `json:"headers"`
	Query    map[string]string `json:"queryStringParameters,omitempty"`
	Params   map[string]string `json:"pathParameters,omitempty"`
	Context  context2          `json:"requestContext"`
	Body     string            `json:"body,omitempty"`
	Base64   bool              `json:"isBase64Encoded"`
}

type context2 struct {
	AccountID    string         `json:"accountId"`
	APIID        string         `json:"apiId"`
	Authorizer   map[string]any `json:"authorizer,omitempty"`
	DomainName   string         `json:"domainName"`
	DomainPrefix string         `json:"domainPrefix"`
	HTTP         http2          `json:"http"`
	RequestID    string         `json:"requestId"`
	RouteKey     string         `json:"routeKey"`
	Stage        string         `json:"stage"`
	Time         string         `json:"time"`
	TimeEpoch    int64          `json:"timeEpoch"`
}

type http2 struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// V2 is the event of payload format 2.0: headers in lower case, several values
// of one joined by commas, cookies apart.
func (h HTTP) V2(r *http.Request, body []byte) []byte {
	headers := map[string]string{}
	for name, values := range allHeaders(r) {
		if name != "Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	query := map[string]string{}
	for name, values := range parse(r.URL.RawQuery) {
		query[name] = strings.Join(values, ",")
	}
	text, encoded := encode(r.Header, body)
	return marshal(event2{
		Version: "2.0", RouteKey: h.routeKey(), RawPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Cookies: cookies(r), Headers: headers, Query: query, Params: h.Params, Body: text, Base64: encoded,
		Context: context2{
			AccountID: h.Account, APIID: h.API, Authorizer: h.Authorizer, DomainName: host(r), DomainPrefix: prefix(host(r)),
			RequestID: h.ID, RouteKey: h.routeKey(), Stage: h.stage(), Time: clf(h.Time), TimeEpoch: h.Time.UnixMilli(),
			HTTP: http2{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: h.source(r), UserAgent: r.UserAgent()},
		},
	})
}

func (h HTTP) resource() string { return strings.ReplaceAll(h.Route, "...}", "+}") }

func (h HTTP) routeKey() string {
	if h.Route == "" {
		return "$default"
	}
	if h.Method == "" {
		return "ANY " + h.resource()
	}
	return h.Method + " " + h.resource()
}

func (h HTTP) stage() string {
	if h.Stage == "" {
		return "$default"
	}
	return h.Stage
}

func (h HTTP) source(r *http.Request) string {
	if h.SourceIP != "" {
		return h.SourceIP
	}
	addr, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return addr
}

// allHeaders are those of the request with Host, which Go keeps apart.
func allHeaders(r *http.Request) http.Header {
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if r.Host != "" {
		h["Host"] = []string{r.Host}
	}
	return h
}

func last(all map[string][]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]string, len(all))
	for name, values := range all {
		if len(values) > 0 {
			out[name] = values[len(values)-1]
		}
	}
	return out
}

// parse reads a query string; what is not one is left out.
func parse(raw string) url.Values {
	q, _ := url.ParseQuery(raw)
	if len(q) == 0 {
		return nil
	}
	return q
}

func cookies(r *http.Request) []string {
	var out []string
	for _, line := range r.Header["Cookie"] {
		for c := range strings.SplitSeq(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				out = append(out, c)
			}
		}
	}
	return out
}

// encode gives the body as text where it is text, and else in base64.
func encode(h http.Header, body []byte) (text string, encoded bool) {
	if isText(h) && utf8.Valid(body) {
		return string(body), false
	}
	if len(body) == 0 {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

var textTypes = []string{"application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded"}

func isText(h http.Header) bool {
	if e := h.Get("Content-Encoding"); e != "" && e != "identity" {
		return false
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return h.Get("Content-Type") == "" || err == nil &&
		(strings.HasPrefix(kind, "text/") || slices.Contains(textTypes, kind) || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml"))
}

func host(r *http.Request) string {
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return r.Host
	}
	return name
}

func prefix(host string) string {
	first, _, _ := strings.Cut(host, ".")
	return first
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// clf is a time as access logs write it, and API Gateway's requestTime.
func clf(t time.Time) string { return t.UTC().Format("02/Jan/2006:15:04:05 -0700") }
