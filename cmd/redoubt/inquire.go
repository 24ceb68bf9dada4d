package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"redoubt.dev/redoubt/internal/console"
	"redoubt.dev/redoubt/internal/fault"
)

// callLambda makes a call of the Lambda API at a gateway of this process.
func callLambda(ctx context.Context, front http.Handler, c console.Invocation, token string) (id string, payload []byte, err error) {
	u := url.URL{Scheme: "https", Host: "localhost", Path: "/2015-03-31/functions/" + c.Ref.Name + "/invocations"}
	qualifier := c.Ref.Alias
	if c.Ref.Version > 0 {
		qualifier = strconv.Itoa(c.Ref.Version)
	}
	if qualifier != "" {
		u.RawQuery = url.Values{"Qualifier": {qualifier}}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(c.Payload))
	if err != nil {
		return "", nil, fmt.Errorf("make call of %s: %w", c.Ref, err)
	}
	r.RemoteAddr = c.From + ":0"
	r.TLS = &tls.ConnectionState{} // the person came over HTTPS
	r.Header.Set("Authorization", "Bearer "+token)
	if c.Async {
		r.Header.Set("X-Amz-Invocation-Type", "Event")
	}
	w := &capture{header: http.Header{}}
	front.ServeHTTP(w, r)
	id = w.header.Get("X-Amzn-Requestid")
	if w.status < 200 || w.status > 299 {
		return id, nil, refusal(w)
	}
	return id, w.body.Bytes(), nil
}

// capture keeps an answer in memory; the gateway bounds it.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *capture) Header() http.Header { return c.header }

func (c *capture) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
}

func (c *capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(b)
}

// refusal is the gateway's no as an error.
func refusal(w *capture) error {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(w.body.Bytes(), &said) != nil || said.Message == "" {
		said.Message = "the gateway refused the call with status " + strconv.Itoa(w.status)
	}
	kind, known := map[int]fault.Kind{
		http.StatusUnauthorized: fault.Denied, http.StatusForbidden: fault.Denied, http.StatusNotFound: fault.NotFound, http.StatusGone: fault.Conflict,
		http.StatusConflict: fault.Conflict, http.StatusTooManyRequests: fault.Limited, http.StatusServiceUnavailable: fault.Unavailable,
		http.StatusNotImplemented: fault.Unsupported, http.StatusLoopDetected: fault.Denied,
	}[w.status]
	switch {
	case known:
	case w.status < 500:
		kind = fault.Invalid
	default:
		kind = fault.Unavailable
	}
	return fault.New(kind, "%s", said.Message)
}
