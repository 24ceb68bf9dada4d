package seed

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// shell follows a shell script: st is how it was started, program what its
// children see as their parent, name what it calls itself. A shell that was
// given its text on the command line becomes the text's only command instead
// of waiting for it; that is what inline says.
func (s *seeder) shell(st start, text []byte, program, name string, inline bool) {
	if st.depth >= maxDepth || len(text) > maxScript {
		s.note(short(name) + ": scripts call each other too deeply to follow")
		return
	}
	key := "script\x00" + program + "\x00" + name + "\x00" + strings.Join(st.argv, "\x00") + string(text[:min(len(text), 4096)])
	if s.been[key] {
		return
	}
	s.been[key] = true
	if s.scripts++; s.scripts > maxScripts {
		s.note("the image starts more scripts than are followed; the rest is learned")
		return
	}
	if intricate(text) {
		s.note(short(name) + " nests too much to be read safely")
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(text), name)
	if err != nil {
		s.note(short(name) + " is not a script that could be read")
		return
	}
	w := &walker{s: s, st: st, program: program, name: name, own: map[string]bool{}}
	nodes := 0
	syntax.Walk(file, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok {
			w.own[f.Name.Value] = true
		}
		nodes++
		return nodes < maxNodes
	})
	nodes = 0
	syntax.Walk(file, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok && s.starts < maxStarts {
			s.starts++
			w.call(c, inline && len(file.Stmts) == 1)
		}
		nodes++
		return nodes < maxNodes
	})
	w.dropIns(text)
}

// intricate reports whether a script could nest deeper than the parser's
// recursion may go: it counts whatever can open something, and takes nothing
// off for what closes, because only a parser knows what is quoted.
func intricate(text []byte) bool {
	n := 0
	for _, c := range text {
		if strings.IndexByte("({[`$!?=-+~*|&<", c) >= 0 {
			n++
		}
	}
	return n+len(openers.FindAllIndex(text, maxOpen)) > maxOpen
}

var openers = regexp.MustCompile(`\b(?:if|while|until|for|case|select|then|do|elif|else|function|time|coproc)\b`)

const (
	maxOpen    = 12_000  // tokens of one script that can open something
	maxNodes   = 100_000 // of one script's syntax tree
	maxDropIns = 64      // files of one drop-in directory
)

type walker struct {
	s       *seeder
	st      start
	program string
	name    string
	own     map[string]bool // functions
}

// call handles one simple command; only says that the shell may become it.
func (w *walker) call(c *syntax.CallExpr, only bool) {
	words, holes, open := w.words(c.Args)
	if len(words) == 0 || slices.Contains(holes, 0) || open == 0 {
		return // only assignments, or a name nobody knows before it runs
	}
	same := only
	switch words[0] {
	case "exec":
		words, same = words[1:], true
		holes, open = lower(holes), open-1
		for len(words) > 0 && strings.HasPrefix(words[0], "-") {
			words, holes, open = words[1:], lower(holes), open-1
		}
	case ".", "source":
		if len(words) > 1 && open > 1 && !slices.Contains(holes, 1) {
			w.source(words[1])
		}
		return
	case "command", "builtin", "time", "!":
		words, holes, open = words[1:], lower(holes), open-1
	}
	if len(words) == 0 || slices.Contains(holes, 0) || open <= 0 || w.own[words[0]] || builtins[words[0]] {
		return
	}
	next := start{argv: words, holes: holes, parent: w.program, cwd: w.st.cwd, note: "named in " + short(w.name), depth: w.st.depth + 1}
	if open < len(words)+1 && open != whole {
		next.open = open
	}
	if _, ok := w.s.find(words[0], w.st.cwd); !ok {
		return
	}
	if !same || only {
		w.s.run(next)
	}
	if same {
		next.parent = w.st.parent
		w.s.run(next)
	}
}

func lower(holes []int) []int {
	var out []int
	for _, h := range holes {
		if h > 0 {
			out = append(out, h-1)
		}
	}
	return out
}

// whole says that all words of a command are known, apart from holes.
const whole = 1 << 30

// words expands what is known before the script runs: literals, "$@" and $0.
// holes are positions that hold one word of any text; from open on, anything
// may follow.
func (w *walker) words(args []*syntax.Word) (words []string, holes []int, open int) {
	for _, a := range args {
		if len(words) > 256 {
			return words, holes, len(words)
		}
		switch text, kind := w.word(a); kind {
		case wordKnown:
			words = append(words, text)
		case wordOne:
			holes = append(holes, len(words))
			words = append(words, "x")
		case wordAll:
			words = append(words, w.st.argv[1:]...)
		case wordMany:
			return words, holes, len(words)
		}
	}
	return words, holes, whole
}

type wordKind int

const (
	wordKnown wordKind = iota
	wordOne            // one word of unknown text
	wordAll            // the script's own arguments
	wordMany           // any number of unknown words
)

func (w *walker) word(a *syntax.Word) (string, wordKind) {
	if isParam(a.Parts, "@") {
		return "", wordAll
	}
	var b strings.Builder
	unknown := false
	for _, p := range a.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(p.Value, "*?[{") {
				return "", wordMany
			}
			b.WriteString(unescape(p.Value))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			if isParam(p.Parts, "@") {
				if len(a.Parts) == 1 {
					return "", wordAll
				}
				return "", wordMany
			}
			for _, q := range p.Parts {
				if l, ok := q.(*syntax.Lit); ok {
					b.WriteString(unescape(l.Value))
				} else if isParam([]syntax.WordPart{q}, "0") {
					b.WriteString(w.name)
				} else {
					unknown = true
				}
			}
		case *syntax.ParamExp:
			if isParam([]syntax.WordPart{p}, "0") {
				b.WriteString(w.name)
				continue
			}
			return "", wordMany
		default:
			return "", wordMany
		}
	}
	if unknown {
		return "", wordOne
	}
	return b.String(), wordKnown
}

func isParam(parts []syntax.WordPart, name string) bool {
	if len(parts) != 1 {
		return false
	}
	switch p := parts[0].(type) {
	case *syntax.ParamExp:
		return p.Param != nil && p.Param.Value == name && p.Exp == nil && p.Slice == nil && p.Repl == nil && !p.Length && p.Index == nil
	case *syntax.DblQuoted:
		return isParam(p.Parts, name)
	}
	return false
}

// unescape takes backslashes off a literal.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// source follows a file that runs inside this very shell.
func (w *walker) source(name string) {
	if !path.IsAbs(name) {
		name = path.Join(w.st.cwd, name)
	}
	real, err := w.s.tree.resolve(name)
	if err != nil {
		return
	}
	if f, ok := w.s.fact(real); ok && f.text != nil {
		inner := w.st
		inner.depth++
		w.s.shell(inner, f.text, w.program, w.name, false)
	}
}

var dropInDir = regexp.MustCompile(`/[A-Za-z0-9_./-]*(?:entrypoint|initdb|init|startup)[A-Za-z0-9_-]*\.d\b`)

// dropIns follows the files of directories such as /docker-entrypoint.d that
// the script goes through: executable ones are run, all may be sourced.
func (w *walker) dropIns(text []byte) {
	for i, dir := range dropInDir.FindAll(text, 8) {
		if i > 0 && bytes.Equal(dir, dropInDir.Find(text)) {
			continue
		}
		for _, name := range w.s.tree.files(string(dir), maxDropIns) {
			if !strings.HasSuffix(name, "sh") {
				continue
			}
			if _, ok := w.s.executable(name); ok {
				w.s.run(start{argv: []string{name}, parent: w.program, cwd: w.st.cwd, note: "in " + string(dir), depth: w.st.depth + 1})
			}
			w.source(name)
		}
	}
}

// builtins are the commands that shells do themselves. Those that also exist
// as programs, such as echo and test, are learned where a shell lacks them.
var builtins = func() map[string]bool {
	m := map[string]bool{}
	for _, b := range strings.Fields(`: . [ alias bg break cd continue declare dirs disown echo eval exit export false fc fg
		getopts hash help history jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return set
		shift shopt source suspend test times trap true type typeset ulimit umask unalias unset wait`) {
		m[b] = true
	}
	return m
}()
