package model

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

type key struct {
	kind   function.UseKind
	target string
}

// entries finds the entry of a deed.
type entries struct {
	exact   map[key][]*Entry // several of one program, by arguments
	general map[function.UseKind][]*Entry
	groups  map[key]int // how many exact ones a wider target would stand for
	n       int
	lost    int64
}

func newEntries() *entries {
	return &entries{exact: map[key][]*Entry{}, general: map[function.UseKind][]*Entry{}, groups: map[key]int{}}
}

// match returns the entry of a folded target. Arguments that are nil are not
// known and fit every entry of their program.
func (t *entries) match(kind function.UseKind, target string, args []string) *Entry {
	list := t.exact[key{kind, target}]
	for _, e := range list {
		if args == nil || e.Args == nil || argsFit(e.Args, args) {
			return e
		}
	}
	if len(list) > 1 && args != nil && loosen(list, &args) {
		for _, e := range list {
			if loose := e.Args; loosen(list, &loose) && argsFit(loose, args) {
				return e
			}
		}
	}
	if drawn := drawnName(target); drawn != "" {
		if list := t.exact[key{kind, drawn}]; len(list) > 0 {
			return list[0]
		}
	}
	for _, e := range t.general[kind] {
		if within(kind, e.Target, target) {
			return e
		}
	}
	return nil
}

// drawnName takes a temporary file's name for one drawn by lot even where it
// does not look so, as in upload-fadeed, and returns how such names fold; ""
// where it cannot be one. It counts only if others were.
func drawnName(target string) string {
	if !temporary(target) {
		return ""
	}
	i := strings.LastIndexByte(target, '/') + 1
	stem, ext := target[i:], path.Ext(target[i:])
	if ext == stem || len(ext) > 6 {
		ext = ""
	}
	stem = strings.TrimSuffix(stem, ext)
	j := strings.LastIndexAny(stem, "-_") + 1
	if j == 0 || len(stem)-j < 6 {
		return ""
	}
	return target[:i] + stem[:j] + "*" + ext
}

// admit returns the entry for what was seen, made where there is none.
func (t *entries) admit(kind function.UseKind, target string, args []string) *Entry {
	if e := t.match(kind, target, args); e != nil {
		if args != nil && e.Args == nil && e.Source == profile.Learned {
			e.Args = args // until now they were not known
			e.ID = e.identify()
		}
		return e
	}
	if list := t.exact[key{kind, target}]; len(args) > 0 {
		loosen(list, &args)
	}
	e := &Entry{Kind: kind, Target: target, Args: args, Source: profile.Learned}
	e.ID = e.identify()
	return t.add(e)
}

// add takes e in and returns it, or the entry it became part of.
func (t *entries) add(e *Entry) *Entry {
	if old := t.same(e); old != nil {
		old.merge(e)
		return old
	}
	if t.n >= MaxEntries {
		t.evict()
	}
	if general(e.Kind, e.Target) {
		t.general[e.Kind] = append(t.general[e.Kind], e)
		t.n++
		t.absorb(e)
		return e
	}
	k := key{e.Kind, e.Target}
	t.exact[k] = append(t.exact[k], e)
	t.n++
	if e.Kind == function.UseExec {
		return t.widenArgs(k, e)
	}
	return t.widen(e)
}

// same finds the entry that e adds to: its own or, for what was learned, a
// general one.
func (t *entries) same(e *Entry) *Entry {
	for _, o := range t.exact[key{e.Kind, e.Target}] {
		if o.ID == e.ID {
			return o
		}
	}
	for _, o := range t.general[e.Kind] {
		if o.ID == e.ID || e.Source != profile.Manual && within(e.Kind, o.Target, e.Target) {
			return o
		}
	}
	return nil
}

// widen counts siblings and, when there are enough, lets one general entry
// stand for all.
func (t *entries) widen(e *Entry) *Entry {
	wide, siblings := wider(e.Kind, e.Target)
	if wide == "" {
		return e
	}
	k := key{e.Kind, wide}
	if t.groups[k]++; t.groups[k] < siblings {
		return e
	}
	g := &Entry{Kind: e.Kind, Target: wide, Source: profile.Learned}
	g.ID = g.identify()
	t.general[e.Kind] = append(t.general[e.Kind], g)
	t.n++
	t.absorb(g)
	return g
}

// absorb merges into g the learned entries it stands for. Manual ones stay.
func (t *entries) absorb(g *Entry) {
	for k, list := range t.exact {
		if k.kind != g.Kind || !within(g.Kind, g.Target, k.target) {
			continue
		}
		for _, e := range slices.Clone(list) {
			if e.Source != profile.Manual {
				g.merge(e)
				t.drop(e)
			}
		}
	}
}

// loosen lets anything stand in args where it does in an entry of as many
// arguments: what varies under one option varies under the other.
func loosen(list []*Entry, args *[]string) bool {
	out := *args
	for _, e := range list {
		if len(e.Args) != len(out) {
			continue
		}
		for i, a := range e.Args {
			if a == "*" && out[i] != "*" {
				if &out[0] == &(*args)[0] {
					out = slices.Clone(out)
				}
				out[i] = "*"
			}
		}
	}
	*args = out
	return len(out) > 0
}

const variedArgs = 4 // values at one position, then any value

// widenArgs lets any argument stand at a position that varied; never for
// programs whose arguments decide what they run.
func (t *entries) widenArgs(k key, e *Entry) *Entry {
	if e.Args == nil || profile.Interprets(e.Target, e.Args) {
		return e
	}
	for i := 1; i < len(e.Args); i++ {
		var alike []*Entry
		for _, o := range t.exact[k] {
			if len(o.Args) == len(e.Args) && o.Source != profile.Manual && differOnlyAt(o.Args, e.Args, i) {
				alike = append(alike, o)
			}
		}
		if len(alike) < variedArgs {
			continue
		}
		g := &Entry{Kind: e.Kind, Target: e.Target, Args: slices.Clone(e.Args), Source: profile.Learned}
		g.Args[i] = "*"
		g.ID = g.identify()
		for _, o := range alike {
			g.merge(o)
			t.drop(o)
		}
		t.exact[k] = append(t.exact[k], g)
		t.n++
		t.loosenAt(k, g, i)
		return g
	}
	return e
}

// loosenAt lets position i vary in the other learned entries of g's program
// that have as many arguments.
func (t *entries) loosenAt(k key, g *Entry, i int) {
	for _, o := range slices.Clone(t.exact[k]) {
		if o == g || len(o.Args) != len(g.Args) || o.Source == profile.Manual || o.Args[i] == "*" {
			continue
		}
		t.drop(o)
		o.Args = slices.Clone(o.Args)
		o.Args[i] = "*"
		o.ID = o.identify()
		if old := t.same(o); old != nil {
			old.merge(o)
			continue
		}
		t.exact[k] = append(t.exact[k], o)
		t.n++
	}
}

func differOnlyAt(a, b []string, i int) bool {
	for k := range a {
		if k != i && a[k] != b[k] {
			return false
		}
	}
	return true
}

// argsFit holds folded arguments against a shape.
func argsFit(want, got []string) bool {
	if n := len(want); n > 0 && want[n-1] == "**" && len(got) >= n-1 {
		want, got = want[:n-1], got[:n-1]
	}
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if w != got[i] && w != "*" && (!strings.Contains(w, "*") || w != drawnName(got[i])) {
			return false
		}
	}
	return true
}

func (e *Entry) merge(o *Entry) {
	e.Seen.merge(&o.Seen)
	e.Refused += o.Refused
	e.Bytes.merge(&o.Bytes)
	if o.Source == profile.Manual {
		e.Source, e.Note = profile.Manual, cmp.Or(o.Note, e.Note)
	}
}

func (t *entries) drop(e *Entry) {
	k := key{e.Kind, e.Target}
	is := func(o *Entry) bool { return o == e }
	if general(e.Kind, e.Target) {
		t.general[e.Kind] = slices.DeleteFunc(t.general[e.Kind], is)
	} else {
		if t.exact[k] = slices.DeleteFunc(t.exact[k], is); len(t.exact[k]) == 0 {
			delete(t.exact, k)
		}
		if wide, _ := wider(e.Kind, e.Target); wide != "" {
			if g := (key{e.Kind, wide}); t.groups[g] > 1 {
				t.groups[g]--
			} else {
				delete(t.groups, g)
			}
		}
	}
	t.n--
}

// evict drops the eighth of the learned entries of which least is known, so
// that a flood of new names costs itself and not what was seen often.
func (t *entries) evict() {
	all := slices.DeleteFunc(t.all(), func(e *Entry) bool { return e.Source == profile.Manual })
	slices.SortFunc(all, func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(a.Units, b.Units), a.Last.Compare(b.Last), strings.Compare(a.ID, b.ID))
	})
	for _, e := range all[:min(MaxEntries/8, len(all))] {
		t.drop(e)
		t.lost++
	}
}

// all lists the entries in the order documents show them.
func (t *entries) all() []*Entry {
	out := make([]*Entry, 0, t.n)
	for _, list := range t.exact {
		out = append(out, list...)
	}
	for _, list := range t.general {
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b *Entry) int {
		return cmp.Or(kindRank(a.Kind)-kindRank(b.Kind), strings.Compare(a.Target, b.Target), strings.Compare(a.ID, b.ID))
	})
	return out
}

// kinds in the order people read them.
var kinds = []function.UseKind{function.UseExec, function.UseEgress, function.UseDNS, function.UseAWS, function.UseFunction,
	function.UseBucket, function.UseQueue, function.UseSecret, function.UseRead, function.UseWrite}

func kindRank(k function.UseKind) int { return slices.Index(kinds, k) }
