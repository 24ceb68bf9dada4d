package seed

import (
	"path"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// start is one program start that the image foretells.
type start struct {
	argv   []string
	open   int    // argv is known up to here, then anything may follow; 0 is all of it
	holes  []int  // positions of argv that hold some one word
	parent string // as in profile.Exec
	cwd    string
	note   string
	expect string
	depth  int
}

// run adds the entry for one start and follows what the program will start.
func (s *seeder) run(st start) {
	if len(st.argv) == 0 || st.depth > maxDepth || len(s.entries) >= maxEntries {
		return
	}
	key := st.parent + "\x00" + strings.Join(st.argv, "\x00")
	if s.been[key] {
		return
	}
	s.been[key] = true
	real, ok := s.find(st.argv[0], st.cwd)
	if !ok {
		s.note("start command " + short(st.argv[0]) + " is not in the image")
		return
	}
	f, ok := s.fact(real)
	if !ok {
		return
	}
	if f.shebang != nil {
		s.script(st, real, f)
		return
	}
	s.exec(st, real, st.argv, f)
	s.follow(st, real)
}

func short(s string) string { return s[:min(len(s), 80)] }

// exec adds one entry. argv is what the kernel will show, which for a script
// begins with the interpreter: extra positions before st.argv.
func (s *seeder) exec(st start, real string, argv []string, f fact) {
	x := &profile.Exec{Path: real, Parent: st.parent}
	if f.digest != "" {
		x.Digests = []redoubt.Digest{f.digest}
	}
	shift := len(argv) - len(st.argv)
	unsure := st.open > 0 || len(st.holes) > 0
	if unsure && profile.Interprets(real, argv) && shift == 0 {
		return // what it runs is not known
	}
	x.Args = profile.Shape(real, argv, false)
	for _, i := range st.holes {
		if i+shift < len(x.Args) {
			x.Args[i+shift] = "*"
		}
	}
	if st.open > 0 && st.open+shift <= len(x.Args) {
		x.Args = append(x.Args[:st.open+shift:st.open+shift], "**")
	}
	note := st.note
	if f.note != "" {
		note += "; " + f.note
	}
	s.add(profile.Entry{Kind: redoubt.EventExec, Exec: x, Note: note, Expect: st.expect})
}

// script adds a script with its interpreters, which may be scripts too, and
// follows it if it is a shell's.
func (s *seeder) script(st start, real string, f fact) {
	name := st.argv[0]
	if !strings.Contains(name, "/") {
		name = s.called(name)
	} else if !path.IsAbs(name) {
		name = path.Join(st.cwd, name)
	}
	argv := slices.Concat(f.shebang, []string{name}, st.argv[1:])
	s.exec(st, real, argv, f)
	interpreter := path.Base(f.shebang[0])
	if interpreter == "env" && len(f.shebang) > 1 {
		words := strings.Fields(f.shebang[1])
		for len(words) > 0 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
		if len(words) == 0 {
			return
		}
		// env becomes the interpreter: the same process, another program.
		interpreter = path.Base(words[0])
		next := st
		next.argv = slices.Concat(words, []string{name}, st.argv[1:])
		if n := len(next.argv) - len(st.argv); n >= 0 {
			next.holes = slices.Clone(st.holes)
			for i := range next.holes {
				next.holes[i] += n
			}
			if st.open > 0 {
				next.open += n
			}
		}
		if ireal, ok := s.find(words[0], st.cwd); ok {
			if g, ok := s.fact(ireal); ok && g.shebang == nil {
				whole := next
				whole.open, whole.holes = 0, nil
				if next.open == 0 && next.holes == nil {
					s.exec(whole, ireal, whole.argv, g)
				}
				if isShell(interpreter) {
					// The running program is then the interpreter.
					s.shell(st, f.text, ireal, name, false)
				}
			}
		}
		return
	}
	if isShell(interpreter) {
		s.shell(st, f.text, real, name, false)
	}
}

// called returns under which name the PATH has a program.
func (s *seeder) called(name string) string {
	for _, d := range s.path {
		if _, ok := s.executable(path.Join(d, name)); ok {
			return path.Join(d, name)
		}
	}
	return name
}

func isShell(name string) bool {
	return slices.Contains([]string{"sh", "ash", "dash", "bash", "busybox", "ksh", "mksh", "zsh"}, name)
}

// follow looks at programs whose arguments name other programs.
func (s *seeder) follow(st start, real string) {
	if st.open > 0 || len(st.holes) > 0 {
		return
	}
	name := path.Base(st.argv[0])
	next := st
	next.depth++
	next.expect = ""
	switch {
	case isShell(name) || isShell(path.Base(real)) && path.Base(real) != "busybox":
		s.shellArgs(st, real)
	case becomes[name] > 0:
		// It turns into the program it names: same process, same parent.
		for i := becomes[name]; i < len(st.argv); i++ {
			if a := st.argv[i]; strings.HasPrefix(a, "-") || strings.Contains(a, "=") {
				continue
			}
			if _, ok := s.find(st.argv[i], st.cwd); ok {
				next.argv, next.note = st.argv[i:], "started through "+name
				s.run(next)
				return
			}
		}
	case keeps[name]:
		for i := 1; i < len(st.argv); i++ {
			if strings.HasPrefix(st.argv[i], "-") {
				continue
			}
			if _, ok := s.find(st.argv[i], st.cwd); ok {
				next.argv, next.parent, next.note = st.argv[i:], real, "started by "+name
				s.run(next)
				return
			}
		}
	}
}

// becomes holds the wrappers that exec what they name, and where that may
// stand at the earliest; keeps those that stay and wait for it.
var (
	becomes = map[string]int{"gosu": 2, "su-exec": 2, "chroot": 2, "env": 1, "nohup": 1, "nice": 1, "setpriv": 1, "exec": 1, "stdbuf": 1, "chpst": 1, "setuidgid": 2}
	keeps   = map[string]bool{"tini": true, "tini-static": true, "dumb-init": true, "docker-init": true, "catatonit": true, "timeout": true}
)

// shellArgs follows `sh -c text` and `sh script`.
func (s *seeder) shellArgs(st start, real string) {
	for i := 1; i < len(st.argv); i++ {
		a := st.argv[i]
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "c") {
			if i+1 < len(st.argv) {
				inner := st
				inner.argv = append([]string{st.argv[0]}, st.argv[min(i+3, len(st.argv)):]...)
				s.shell(inner, []byte(st.argv[i+1]), real, st.argv[0], true)
			}
			return
		}
		if strings.HasPrefix(a, "-") {
			continue
		}
		name := a
		if !path.IsAbs(name) {
			name = path.Join(st.cwd, name)
		}
		if target, err := s.tree.resolve(name); err == nil {
			if f, ok := s.fact(target); ok && f.text != nil {
				inner := st
				inner.argv = st.argv[i:]
				s.shell(inner, f.text, real, name, false)
			}
		}
		return
	}
}
