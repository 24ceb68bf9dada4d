package route

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/fault"
)

func TestS1_APathHasOneMeaning(t *testing.T) {
	for raw, want := range map[string]string{
		"":               "/",
		"/":              "/",
		"/a":             "/a",
		"/a/":            "/a",
		"/A":             "/A",
		"/%61":           "/a",
		"/a%20b":         "/a b",
		"/a+b":           "/a+b",
		"/caf%C3%A9":     "/café",
		"/café":          "/café",
		"/100%25":        "/100%",
		"/a%3Fb":         "/a?b",
		"/.well-known/x": "/.well-known/x",
		"/...":           "/...",
		"/a..b":          "/a..b",
	} {
		if got, err := Clean(raw); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestS1_WhatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"dots":                   "/public/../admin",
		"dots at the end":        "/admin/..",
		"one dot":                "/./admin",
		"escaped dots":           "/public/%2e%2e/admin",
		"half escaped dots":      "/public/.%2E/admin",
		"escaped slash":          "/public%2Fadmin",
		"small escaped slash":    "/public/..%2fadmin",
		"backslash":              `/public\..\admin`,
		"escaped backslash":      "/public/..%5cadmin",
		"two slashes":            "//admin",
		"two slashes inside":     "/public//admin",
		"two slashes at the end": "/admin//",
		"escaped twice":          "/public/%252e%252e/admin",
		"slash escaped twice":    "/public%252Fadmin",
		"NUL":                    "/admin%00.png",
		"line":                   "/a%0d%0aSet-Cookie:x",
		"raw control":            "/a\x01",
		"parameter":              "/admin;x=1/y",
		"escaped parameter":      "/admin%3bx",
		"overlong slash":         "/public%c0%afadmin",
		"not UTF-8":              "/%ff",
		"half an escape":         "/a%2",
		"no escape":              "/a%zz",
		"percent at the end":     "/a%",
		"relative":               "admin",
		"asterisk":               "*",
		"whole address":          "http://other/admin",
		"invisible":              "/ad%E2%80%8Bmin",
		"direction":              "/ad%E2%80%AEmin",
		"fragment":               "/a#b",
		"too long":               "/" + strings.Repeat("a", MaxPath),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Clean(raw); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q was read as %q, %v", raw, got, err)
			}
		})
	}
}

func TestHostsAreComparedWithoutPortAndCase(t *testing.T) {
	for from, want := range map[string]string{
		"API.Example.com:8443": "api.example.com", "api.example.com.": "api.example.com", "[::1]:80": "[::1]", "": "", "a b": "", "a/../b": "", "evil.com\x00.example.com": "",
	} {
		if got := cleanHost(from); got != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/%2e%2e/", "/%252e", "//", "/caf%C3%A9", `/a\b`, "/a;b", "/%", "/a%20b/%3F", "/…", "/%E2%80%AE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := Clean(raw)
		if err != nil {
			return
		}
		s := string(p)
		if s == "" || s[0] != '/' || strings.Contains(s, "//") || strings.Contains(s+"/", "/../") || strings.Contains(s+"/", "/./") || strings.ContainsAny(s, "\\\x00;") || !utf8.ValidString(s) || len(s) > 1 && s[len(s)-1] == '/' {
			t.Fatalf("%q became %q", raw, s)
		}
		again, err := Clean(p.Escaped())
		if err != nil || again != p {
			t.Fatalf("%q became %q, sent on as %q, read there as %q, %v", raw, p, p.Escaped(), again, err)
		}
		// The standard library, which functions and upstreams use, agrees.
		if u, err := url.Parse("http://h" + raw); err == nil && raw != "" && strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(s, "/") {
			t.Fatalf("%q is %q here and %q in net/url", raw, s, u.Path)
		}
	})
}
