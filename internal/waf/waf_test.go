package waf

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func body(kind, content string) *Request {
	return &Request{Header: []Field{{"Content-Type", kind}}, Body: []byte(content)}
}

func TestABodyIsReadAsTheFunctionWill(t *testing.T) {
	for name, c := range map[string]struct {
		r    *Request
		want Reading
	}{
		"names by their way":  {body("application/json", `{"a":{"b":["it is","x y"]},"n":5,"w":"word-1"}`), Reading{Form: JSON, Params: []Param{{"json.a.b.0", "it is"}, {"json.a.b.1", "x y"}}}},
		"a name given twice":  {body("application/json", `{"a":"x y","a":"z '"}`), Reading{Form: JSON, Params: []Param{{"json.a", "x y"}, {"json.a", "z '"}}}},
		"a name that is more": {body("application/json", `{"a b":1}`), Reading{Form: JSON, Params: []Param{{"names", "a b"}}}},
		"lists in lists":      {body("application/json", `[[1,["a b"]],{"c":"d e"}]`), Reading{Form: JSON, Params: []Param{{"json.0.1.0", "a b"}, {"json.1.c", "d e"}}}},
		"JSON called text":    {body("text/plain", ` ["a b"]`), Reading{Form: JSON, Params: []Param{{"json.0", "a b"}}}},
		"JSON in JSON":        {body("", `{"m":"{\"a\":\"b c\"}"}`), Reading{Form: JSON, Params: []Param{{"json.m.a", "b c"}}}},
		"broken JSON":         {body("application/json", `{"a":"b c",]' x`), Reading{Form: JSON, Broken: true, Params: []Param{{"json.a", "b c"}, {"json", `,]' x`}}}},
		"text":                {body("", "it's"), Reading{Form: Text, Params: []Param{{"body", "it's"}}}},
		"form":                {body("application/x-www-form-urlencoded", "a=b"), Reading{Form: URLEncoded}},
		"multipart, no fence": {body("multipart/form-data", "a b"), Reading{Form: Text, Broken: true, Params: []Param{{"body", "a b"}}}},
		"nothing":             {body("application/json", " "), Reading{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Read(c.r, 1<<10)
			got.Body = nil
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCompressedBodiesAreBounded(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(`{"a":"x y"}` + strings.Repeat(" ", 1<<20)))
	_ = w.Close()
	r := &Request{Header: []Field{{"content-encoding", "gzip"}, {"Content-Type", "application/json"}}, Body: z.Bytes()}
	got := Read(r, 1<<10)
	if !got.Over || len(got.Body) != 1<<10 || len(got.Params) != 1 {
		t.Errorf("over %v, %d bytes, %v", got.Over, len(got.Body), got.Params)
	}
}

func TestManyValuesAreJudgedTogether(t *testing.T) {
	got := Read(body("", "["+strings.Repeat(`"a b",`, 2000)+`"the 'last"]`), 1<<20)
	if last := got.Params[len(got.Params)-1]; len(got.Params) != maxParams+1 || !strings.HasSuffix(last.Value, "the 'last") {
		t.Errorf("%d parameters", len(got.Params))
	}
}

func TestExcerptsKeepSecrets(t *testing.T) {
	for _, c := range [][3]string{
		{"ARGS:q", "1' OR '1'='1", "1' OR '1'='1"},
		{"ARGS:password", "hunter2'", "***"},
		{"REQUEST_HEADERS:authorization", "Bearer x", "***"},
		{"REQUEST_COOKIES:sid", "abc'", "***"},
		{"ARGS:q", "pay 4111 1111 1111 1111 now'", "pay *** now'"},
		{"ARGS:q", "token=abc123 '", "token=*** '"},
		{"ARGS:q", "' 0123456789abcdef0123456789abcdef", "' ***"},
		{"ARGS:q", "a\nb\x00\u202e", "a·b··"},
	} {
		if got := Excerpt(c[0], c[1]); got != c[2] {
			t.Errorf("%s %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestParameterCoversEveryPlaceOfAList(t *testing.T) {
	for from, want := range map[string]string{"ARGS:json.0.1.a.2": "ARGS:json.*.*.a.*", "ARGS:v1.0x": "ARGS:v1.0x", "ARGS:q": "ARGS:q"} {
		if got := Parameter(from); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/json", []byte(`{"a":[{"b":"c d"},"{\"e\":1}"],"a":`), true)
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=a; filename=\"../b\"\r\n\r\nc\r\n--x--"), false)
	f.Add("", bytes.Repeat([]byte(`[{"a":`), 200), true)
	f.Fuzz(func(t *testing.T, kind string, content []byte, event bool) {
		r := &Request{Header: []Field{{"Content-Type", kind}}, Body: content, Event: event}
		for _, p := range Read(r, 1<<16).Params {
			if len(p.Name) > maxName {
				t.Errorf("a name of %d bytes", len(p.Name))
			}
			if e := Excerpt("ARGS:"+p.Name, p.Value); len(e) > 4*maxExcerpt || !utf8.ValidString(e) {
				t.Errorf("excerpt %q", e)
			}
		}
	})
}
