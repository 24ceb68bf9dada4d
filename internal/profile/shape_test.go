package profile

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestShapeFoldsWhatVariesAndKeepsWhatDecides(t *testing.T) {
	for _, c := range []struct {
		program string
		argv    []string
		want    []string
	}{
		{"/usr/bin/convert", []string{"convert", "-q", "85", "/tmp/upload-x7Ty2q.png", "/srv/out/4711.jpg"}, []string{"convert", "-q", "<n>", "/tmp/upload-*.png", "/srv/out/<n>.jpg"}},
		{"/bin/rm", []string{"rm", "/tmp/tmpk3_9dza/part", "/var/tmp/phpAb3dEf", "/run/app.pid"}, []string{"rm", "/tmp/tmp*/part", "/var/tmp/php*", "/run/app.pid"}},
		{"/bin/app", []string{"app", "--job=123456", "--id=550e8400-e29b-41d4-a716-446655440000", "--rev=9fceb02d0ae598e95dc970b74767f19372d61af8"}, []string{"app", "--job=<n>", "--id=<hex>", "--rev=<hex>"}},
		{"/bin/curl", []string{"curl", "http://10.0.0.5:8080/x"}, []string{"curl", "http://10.0.0.5:<n>/x"}},
		{"/usr/bin/php8.2", []string{"php8.2", "-c", "/etc/php/8.2/cli"}, []string{"php8.2", "-c", "/etc/php/8.2/cli"}},
		{"/bin/kill", []string{"kill", "-9", "7"}, []string{"kill", "-9", "<n>"}},
		{"/bin/sh", []string{"sh", "-c", "kill 123 && rm /tmp/upload-x7Ty2q"}, []string{"sh", "-c", "kill <n> && rm /tmp/upload-x7Ty2q"}},
		{"/bin/x", []string{"x", "a*b", `c\d`, "<n>", "\x1b[31m\xff"}, []string{"x", `a\*b`, `c\\d`, `\<n>`, `\x1b[31m\xff`}},
		{"/bin/x", nil, []string{"<none>"}},
	} {
		if got := Shape(c.program, c.argv, false); !slices.Equal(got, c.want) {
			t.Errorf("%q\n got %q\nwant %q", c.argv, got, c.want)
		}
	}
}

func TestWhatDecidesIsNeverGeneralised(t *testing.T) {
	for _, c := range []struct {
		program string
		argv    string // words parted by |
		fixed   int
	}{
		{"/usr/bin/dash", "sh|-c|code|sh|a", 3},
		{"/usr/bin/bash", "bash|-eo|pipefail|-c|code|a", 5},
		{"/usr/bin/bash", "/bin/bash|--norc|/app/run.sh|a|b", 4},
		{"/app/run.sh", "/bin/sh|/app/run.sh|a|b", 2},
		{"/usr/bin/python3.11", "python3|-W|ignore|-u|job.py|a", 5},
		{"/usr/bin/python3.11", "python3|-Bc|code|a", 3},
		{"/usr/bin/python3.11", "python3|-m|http.server|8000", 3},
		{"/usr/bin/perl", "perl|-I|lib|-ne|code|-e|more|file", 8},
		{"/usr/bin/node", "node|--max-old-space-size=64|-r|dotenv|server.js|a", 5},
		{"/usr/bin/node", "node|--import|hook.mjs|server.js|a", 4},
		{"/usr/bin/java", "java|-Xmx64m|-cp|a.jar|Main|x", 5},
		{"/usr/bin/java", "java|-Dx=y|-jar|app.jar|x", 4},
		{"/bin/busybox", "sh|-c|code|a", 3},
		{"/bin/busybox", "busybox|sh|-c|code|a", 4},
		{"/bin/busybox", "busybox|wget|url", 2},
		{"/lib64/ld-linux-x86-64.so.2", "ld.so|--library-path|/x|/bin/sh|-c|code", 6},
		{"/usr/bin/env", "env|A=b|sh|-c|code", 5},
		{"/usr/bin/mawk", "awk|-F|:|{print}|file", 4},
		{"/usr/bin/php8.2", "php|-r|code|a", 3},
		{"/usr/sbin/nginx", "nginx|-g|daemon off;", 0},
	} {
		if got := rolesOf(c.program, strings.Split(c.argv, "|")).fixed; got != c.fixed {
			t.Errorf("%s: %d positions fixed, want %d", c.argv, got, c.fixed)
		}
	}
}

func TestPatternsWrittenByHand(t *testing.T) {
	for _, c := range []struct {
		pattern, arg string
		want         bool
	}{
		{"/data/*.csv", "/data/2026-01.csv", true},
		{"/data/*.csv", "/data/../etc/x.csv", false},
		{"/data/*.csv", "/data/x.csv;id", false},
		{"--port=8080", "--port=8080", true},
		{"--port=8080", "--port=4444", false},
		{"--port=<n>", "--port=4444", true},
		{"--port=<n>", "--port=4444x", false},
		{`a\*b`, "a*b", true},
		{`a\*b`, "axb", false},
		{"*", "any thing / at all", true},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "ab/bc", false},
	} {
		got := Shape("/bin/x", []string{"x", c.arg}, false)
		if shapeMatch([]string{"x", c.pattern}, got, []string{"x", escape(c.arg)}) != c.want {
			t.Errorf("pattern %q on %q: want %v", c.pattern, c.arg, c.want)
		}
	}
}

func TestLongAndCutArgumentsStayExact(t *testing.T) {
	long := strings.Repeat("word ", 5000)
	a, b := Shape("/bin/sh", []string{"sh", "-c", long + "true"}, false), Shape("/bin/sh", []string{"sh", "-c", long + "evil"}, false)
	if slices.Equal(a, b) || len(a[2]) > maxArg {
		t.Errorf("long texts are told apart: %v, kept %d bytes", !slices.Equal(a, b), len(a[2]))
	}
	many := strings.Fields(strings.Repeat("x ", 100))
	a, b = Shape("/bin/x", append(many, "good"), false), Shape("/bin/x", append(many, "evil"), false)
	if slices.Equal(a, b) || len(a) > maxArgs+1 {
		t.Errorf("long lists are told apart: %v, kept %d", !slices.Equal(a, b), len(a))
	}
	whole, part := Shape("/bin/sh", []string{"sh", "-c", "true"}, false), Shape("/bin/sh", []string{"sh", "-c", "true"}, true)
	if shapeMatch(whole, part, nil) || shapeMatch(append(slices.Clone(whole), rest), part, nil) || !shapeMatch(part, part, nil) {
		t.Error("a text that was cut short passes for a whole one")
	}
}

func FuzzShape(f *testing.F) {
	f.Add("/bin/sh", "sh\x00-c\x00kill 123", "a*b")
	f.Add("/usr/bin/python3", "python3\x00/tmp/upload-x7Ty2q\x00\xff*<n>\\", "<n>*")
	f.Fuzz(func(t *testing.T, program, line, pattern string) {
		argv := strings.Split(line, "\x00")
		begun := time.Now()
		got := Shape(program, argv, false)
		raw := make([]string, min(len(argv), maxArgs))
		for i := range raw {
			raw[i] = escape(argv[i])
		}
		if !shapeMatch(got, got, raw) || !shapeMatch(raw, got[:len(raw)], raw) {
			t.Errorf("%q does not have its own shape %q", argv, got)
		}
		hand := slices.Clone(got)
		hand[0] = pattern
		shapeMatch(hand, got, raw)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %s for %d bytes", took, len(line))
		}
		for _, a := range got {
			if len(a) > maxArg+64 {
				t.Errorf("kept %d bytes of one argument", len(a))
			}
		}
		if r := rolesOf(program, argv); r.fixed > len(argv) {
			t.Errorf("%d of %d positions fixed", r.fixed, len(argv))
		}
	})
}

// The cost must grow with the argument, not with its square.
func TestShapeIsLinear(t *testing.T) {
	cost := func(n int) time.Duration {
		best := time.Hour
		arg := []string{"x", strings.Repeat("a1-", n), strings.Repeat("/tmp/", n), strings.Repeat("*<\\", n)}
		raw := []string{"x", escape(arg[1]), escape(arg[2]), escape(arg[3])}
		for range 5 {
			begun := time.Now()
			got := Shape("/bin/x", arg, false)
			shapeMatch([]string{"x", "*a*a*a*a*b", "*t*t*m*q", "*\\**\\**z"}, got, raw)
			best = min(best, time.Since(begun))
		}
		return best
	}
	small, large := cost(4_000), cost(64_000)
	if large > 16*6*small {
		t.Errorf("16 times the input costs %.0f times as much", float64(large)/float64(small))
	}
}
