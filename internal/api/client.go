package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	apiPath   = "/api/v1"
	maxAnswer = 64 << 20
	pageSize  = 1000
)

// Config says where the console is and who asks.
type Config struct {
	URL     string `json:"url"`          // https://HOST:PORT
	Token   string `json:"token"`        // API token; empty for the calls that need none
	CA      string `json:"ca,omitempty"` // PEM the console's certificate must lead to; empty takes the system's roots
	Version string `json:"-"`            // of this program
}

// Client calls a console. Every error has a fault kind; Unavailable means that
// no console answered. It is safe for concurrent use, but for Login.
type Client struct {
	base  string
	token string
	agent string
	csrf  string
	http  *http.Client
}

// NewClient checks cfg and makes a Client; nothing is dialled yet.
func NewClient(cfg Config) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.New(fault.Invalid, "%q is not the address of a console; it looks like https://HOST:8443", cfg.URL)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fault.New(fault.Invalid, "%s would send the token in the clear; use https", cfg.URL)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM([]byte(cfg.CA)) {
			return nil, fault.New(fault.Invalid, "the console's authority is not a certificate in PEM form")
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Client{
		base: u.String(), token: cfg.Token, agent: "redoubt/" + cfg.Version,
		http: &http.Client{
			Jar: jar,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: t, ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute,
			},
			// The token must not follow a redirect to elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}

// path joins parts, escaping each, below the API's root.
func path(parts ...string) string {
	var b strings.Builder
	b.WriteString(apiPath)
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// send makes a request and returns its answer if that is a success; the caller
// closes the body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(raw)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	media := ""
	if body != nil {
		media = "application/json"
	}
	return c.do(r, media)
}

// do sends r, with who asks, and returns its answer if that is a success.
func (c *Client) do(r *http.Request, media string) (*http.Response, error) {
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set("Accept", "application/json, application/problem+json")
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.csrf != "" {
		r.Header.Set("X-CSRF-Token", c.csrf)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

// unreachable words why no console answered.
func (c *Client) unreachable(err error) error {
	var unknown x509.UnknownAuthorityError
	if e := new(url.Error); errors.As(err, &e) {
		err = e.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unknown):
		return fault.New(fault.Unavailable, "reach console %s: its certificate is of an unknown authority; set REDOUBT_CACERT to the ca.crt in its state directory", c.base)
	}
	return fault.New(fault.Unavailable, "reach console %s: %w", c.base, err)
}

// call sends body and decodes the answer into answer, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	resp, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	return c.decode(resp, answer)
}

func (c *Client) decode(resp *http.Response, answer any) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fault.New(fault.Unavailable, "read answer of %s: %w", c.base, err)
	}
	if len(raw) > maxAnswer {
		return fault.New(fault.Limited, "the answer of %s is larger than %d MiB; ask for less", c.base, maxAnswer>>20)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("read answer of %s: %w; is this a console of this release?", c.base, err)
	}
	return nil
}

func get[T any](ctx context.Context, c *Client, path string) (v T, err error) {
	return v, c.call(ctx, http.MethodGet, path, nil, nil, &v)
}

func change[T any](ctx context.Context, c *Client, method, path string, body any) (v T, err error) {
	return v, c.call(ctx, method, path, nil, body, &v)
}

// list follows the pages of a list until limit items are there; 0 is all.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, limit int) ([]T, error) {
	items := []T{}
	if query == nil {
		query = url.Values{}
	}
	for {
		want := pageSize
		if limit > 0 {
			want = min(want, limit-len(items))
		}
		query.Set("limit", strconv.Itoa(want))
		var page Page[T]
		if err := c.call(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" || limit > 0 && len(items) >= limit || page.Next == query.Get("cursor") {
			return items, nil
		}
		query.Set("cursor", page.Next)
	}
}
