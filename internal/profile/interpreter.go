package profile

import (
	"path"
	"strings"
)

// Programs that run what their arguments name. Which argument that is decides
// what the process does, so learning never generalises it away: `sh -c *`
// would allow everything.

// interpreter says how a program takes its code.
type interpreter struct {
	code   string   // short options whose value is code: the c of sh -c
	long   []string // long options whose value is code
	value  string   // short options with a separate value that is not code
	text   bool     // the first operand is code, as in awk
	noshot bool     // no short options: -jar is one word
}

var shell = interpreter{code: "c", value: "oO"}

var interpreters = map[string]interpreter{
	"sh": shell, "ash": shell, "dash": shell, "bash": shell, "rbash": shell, "ksh": shell, "mksh": shell, "zsh": shell, "csh": shell, "tcsh": shell, "fish": shell, "hush": shell,
	"python": {code: "cm", value: "WX"},
	"pypy":   {code: "cm", value: "WX"},
	"perl":   {code: "eE", value: "I"},
	"ruby":   {code: "e", value: "IrCE"},
	"node":   {code: "ep", long: []string{"--eval", "--print"}, value: "rC"},
	"nodejs": {code: "ep", long: []string{"--eval", "--print"}, value: "rC"},
	"bun":    {code: "e"}, "deno": {code: "e"},
	"php":    {code: "rBRFE", long: []string{"--run"}, value: "dczf"},
	"lua":    {code: "e", value: "l"},
	"luajit": {code: "e", value: "l"},
	"tclsh":  {}, "expect": {code: "c", value: "f"}, "guile": {code: "c"},
	"Rscript": {code: "e"},
	"java":    {noshot: true, long: []string{"-jar", "-m", "--module"}},
	"awk":     {text: true, value: "fvF"}, "gawk": {text: true, value: "fvF"}, "mawk": {text: true, value: "fvFW"}, "nawk": {text: true, value: "fvF"},
	"sed": {text: true, code: "ef"},
}

// wrappers run the program that their arguments name; all of it counts.
var wrappers = map[string]bool{
	"env": true, "nohup": true, "timeout": true, "nice": true, "ionice": true, "chrt": true, "taskset": true, "setsid": true, "stdbuf": true,
	"tini": true, "tini-static": true, "docker-init": true, "dumb-init": true, "catatonit": true, "gosu": true, "su-exec": true, "setpriv": true, "runuser": true, "su": true, "sudo": true, "doas": true,
	"chroot": true, "unshare": true, "nsenter": true, "xargs": true, "parallel": true, "find": true, "flock": true, "watch": true, "script": true, "time": true,
	"strace": true, "ltrace": true, "gdb": true, "ssh": true, "socat": true, "start-stop-daemon": true, "s6-svscan": true, "capsh": true, "prlimit": true,
}

// roles says which arguments decide what a process does: all positions before
// fixed, of which those in code hold program text.
type roles struct {
	fixed int
	code  uint64
}

func (r roles) isCode(i int) bool { return i < 64 && r.code&(1<<i) != 0 }

func (r *roles) setCode(i int) {
	if i < 64 {
		r.code |= 1 << i
	}
}

// rolesOf reads the command line as the program would. Where it is unsure it
// fixes more positions, never fewer.
func rolesOf(program string, argv []string) roles {
	if len(argv) == 0 {
		return roles{}
	}
	r := rolesNamed(path.Base(program), argv)
	// For a script the kernel puts the interpreter first, and a busybox applet
	// is known by argv[0] only.
	if s := rolesNamed(path.Base(argv[0]), argv); s.fixed > r.fixed {
		r = s
	}
	return r
}

func rolesNamed(name string, argv []string) roles {
	if strings.HasPrefix(name, "ld-") || strings.HasPrefix(name, "ld.so") || wrappers[name] {
		return wrapped(argv)
	}
	name = strings.TrimPrefix(name, "-")
	if name == "busybox" || name == "toybox" {
		if len(argv) < 2 || path.Base(argv[0]) != name {
			return roles{}
		}
		r := rolesNamed(path.Base(argv[1]), argv[1:])
		return roles{fixed: max(r.fixed+1, 2), code: r.code << 1}
	}
	in, ok := interpreters[name]
	if !ok {
		in, ok = interpreters[strings.TrimRight(name, "0123456789.")]
	}
	if !ok {
		return roles{}
	}
	return in.read(argv)
}

// wrapped fixes everything; whatever could be program text is taken for it.
func wrapped(argv []string) roles {
	r := roles{fixed: len(argv)}
	for i, a := range argv {
		if i > 0 && strings.ContainsAny(a, " ;|&$`\n") {
			r.setCode(i)
		}
	}
	return r
}

func (in interpreter) read(argv []string) roles {
	var r roles
	unsure := false // the argument before may or may not take this one as its value
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		switch {
		case a == "--" || a == "-":
			unsure = false
		case in.isLong(a):
			i++
			r.setCode(i)
			if !in.noshot {
				continue
			}
			r.fixed = min(i+1, len(argv))
			return r
		case strings.HasPrefix(a, "--") || in.noshot && strings.HasPrefix(a, "-"):
			unsure = !strings.ContainsAny(a, "=:") && !strings.HasPrefix(a, "-X") && !strings.HasPrefix(a, "-D")
		case len(a) > 1 && (a[0] == '-' || a[0] == '+'):
			unsure = false
			if k := strings.IndexAny(a[1:], in.code); in.code != "" && k >= 0 {
				r.setCode(i)
				r.setCode(i + 1)
				r.fixed = min(i+2, len(argv))
				if !in.goesOn(a, k) {
					return r
				}
				if k == len(a)-2 {
					i++
				}
				continue
			}
			if strings.IndexByte(in.value, a[len(a)-1]) >= 0 {
				i++
			}
		case unsure:
			unsure = false
			r.fixed = i + 1
		default:
			if in.text && r.code == 0 {
				r.setCode(i)
			}
			r.fixed = max(r.fixed, i+1)
			return r
		}
		r.fixed = max(r.fixed, min(i+1, len(argv)))
	}
	return roles{fixed: len(argv), code: r.code}
}

// goesOn reports whether more code can follow: perl -e a -e b. After sh -c and
// python -c the rest are parameters.
func (in interpreter) goesOn(a string, k int) bool {
	switch a[1+k] {
	case 'c', 'm', 'r':
		return false
	}
	return true
}

func (in interpreter) isLong(a string) bool {
	for _, l := range in.long {
		if a == l {
			return true
		}
	}
	return false
}

// Interprets reports whether the arguments decide what this program runs, as
// for shells, interpreters and wrappers.
func Interprets(program string, argv []string) bool { return rolesOf(program, argv).fixed > 0 }
