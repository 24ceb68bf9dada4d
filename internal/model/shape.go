package model

import (
	"fmt"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// What a request may hold follows from what requests of its route have held,
// with room for what honest people send next:
//
//   - a number, UUID, time and so on stays one; a harmless word in its place is
//     a mistake and no attack, signs that end a value or begin code are;
//   - a text may be longer, in other words and scripts; signs that it never
//     held stand out, of which prose may hold those that people write;
//   - a value does not become an object or a list;
//   - a new name stands out where names have stopped being new.
//
// Nothing is said of what was seen too seldom.

// violation is one way in which a request is unlike those before it.
type violation struct {
	field     string
	known     *Field // nil for a new one
	want, got string
	technique string
	severity  redoubt.Severity
}

const (
	seenOften   = 30  // requests, before anything is said of a field
	seenForLong = 300 // before something harmless but new is
)

// check compares a request with the route's shape and returns the worst
// violation.
func (t *table) check(r *reading) (worst *violation) {
	if t.route.Count < seenOften || t.route.Units < 3 {
		return nil
	}
	closed := 0 // 1 yes, 2 no, found out when it is first asked
	for i := range r.values {
		v := &r.values[i]
		f := t.find(v.name)
		var found *violation
		switch {
		case f == nil:
			if closed == 0 {
				closed = 2 - int(one(t.closed()))
			}
			found = unknown(v, closed == 1)
		case f.Count >= seenOften && f.Units >= 3 && !f.Manual:
			found = f.check(v)
		}
		if found != nil && (worst == nil || found.severity > worst.severity) {
			worst = found
		}
	}
	return worst
}

// closed reports whether new names have become so rare that one is news.
func (t *table) closed() bool {
	once, twice := map[string]bool{}, map[string]bool{}
	for _, f := range t.fields {
		switch f.Units {
		case 1:
			once[f.Unit] = true
		case 2:
			twice[f.Unit] = true
		}
	}
	return t.route.Count >= seenForLong && profile.Estimate(t.route.Units, int64(len(once)), int64(len(twice))).Lower >= profile.Enough
}

// polluting names reach into the languages that read them.
func polluting(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "__proto__" || last == "prototype" || last == "constructor" || strings.HasPrefix(last, "$")
}

// foreign names come from browsers, proxies and advertisers, anywhere.
func foreign(name string) bool {
	if !strings.HasPrefix(name, "query.") {
		return !strings.HasPrefix(name, "body") && !strings.HasPrefix(name, "path.")
	}
	name = name[len("query."):]
	for _, p := range []string{"utm_", "fbclid", "gclid", "msclkid", "mc_", "_ga", "_gl", "ref", "yclid", "twclid", "igshid"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return name == "_" || name == "v" || name == "cb"
}

func unknown(v *value, closed bool) *violation {
	out := &violation{field: v.name, want: "no field of that name", got: v.text(), technique: "T1190", severity: redoubt.Low}
	switch bad := v.look.marks.and(dangerous); {
	case polluting(v.name):
		out.severity = redoubt.High
	case !closed:
		return nil
	case !bad.less(written).IsZero():
		out.severity, out.technique = redoubt.Medium, techniqueOf(v.raw)
	case foreign(v.name):
		return nil
	}
	return out
}

func (f *Field) check(v *value) *violation {
	out := &violation{field: f.Name, known: f, want: f.text(), got: v.text(), technique: "T1190"}
	switch {
	case v.typ == Null || v.look.class == Empty:
		return nil
	case f.Types&v.typ == 0 && (v.typ == Object || v.typ == Array) && f.Types&(Object|Array) == 0:
		out.severity = redoubt.High
		return out
	case v.typ == Array:
		if f.Types&Array != 0 && int64(v.n) > 4*f.Length+64 {
			out.severity = redoubt.Low
			return out
		}
		return nil
	case v.typ == Object || v.typ == Bool:
		return nil
	}
	if f.Types&(String|Number) == 0 {
		// So far an object, a list or nothing: only its signs can be judged.
		return f.signs(v, out, dangerous)
	}
	fits := f.Class&v.look.class != 0 || f.Class&(Word|Text) != 0
	if found := f.signs(v, out, f.suspicious()); found != nil {
		if !fits {
			found.severity = redoubt.High
		}
		return found
	}
	return f.size(v, out)
}

// suspicious signs are those that this field would have to explain.
func (f *Field) suspicious() Marks {
	if f.Prose && f.Class&Text != 0 {
		return dangerous.less(written)
	}
	return dangerous
}

// signs reports signs the field never held. The fewer requests there were, the
// more of them it takes.
func (f *Field) signs(v *value, out *violation, bad Marks) *violation {
	all := v.look.marks.less(f.Marks)
	if all.overlaps(slashes) && strings.Contains(strings.ReplaceAll(v.raw, `\`, "/"), "../") {
		out.severity = redoubt.High
		return out
	}
	fresh := all.and(bad)
	if fresh.IsZero() {
		return nil
	}
	// A lone apostrophe is somebody's name, a lone bracket a slip.
	if technique, code := codeIn(v.raw); code {
		out.technique, out.severity = technique, redoubt.High
		return out
	}
	if f.Class&(Word|Text) != 0 && (f.Count < seenForLong || harmless(v, fresh)) {
		return nil
	}
	out.severity = redoubt.Medium
	if f.Prose {
		if f.Marks.and(dangerous).count() >= manySigns {
			return nil
		}
		out.severity = redoubt.Low
	}
	return out
}

var slashes = marksOf(`/\`)

// manySigns in what people write show that they write what they like.
const manySigns = 5

// harmless reports whether new signs of a text are of the sort people write.
func harmless(v *value, fresh Marks) bool { return fresh.less(written).IsZero() && v.look.runes < 200 }

func (f *Field) size(v *value, out *violation) *violation {
	room := 4*f.Length + 64
	if f.Count >= 1000 {
		room = 2*f.Length + 64
	}
	if n := int64(v.look.runes); v.typ == String && n > max(room, 256) {
		out.severity = redoubt.Low
		if n > 4*max(room, 256) {
			out.severity = redoubt.Medium
		}
		out.want, out.got = fmt.Sprintf("at most %d characters", f.Length), fmt.Sprintf("%d characters", n)
		return out
	}
	if v.look.class&(Integer|Decimal) == 0 || f.Class&^(Integer|Decimal|Empty) != 0 || f.Count < seenForLong {
		return nil
	}
	if span := 100*(f.High-f.Low) + 1000; v.num < 0 && f.Low >= 0 || v.num > f.High+span || v.num < f.Low-span {
		out.severity = redoubt.Low
		out.want, out.got = fmt.Sprintf("a number from %s to %s", number(f.Low), number(f.High)), number(v.num)
		return out
	}
	return nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// text says what a field has held.
func (f *Field) text() string {
	var parts []string
	if f.Types&(String|Number) != 0 {
		c := f.Class &^ Empty
		if c&Text != 0 {
			c = Text
		}
		s := setText(c, classTexts[:], " or ")
		if f.Length > 0 && c&^(UUID|Flag|Instant|Address) != 0 {
			s += fmt.Sprintf(" of up to %d characters", f.Length)
		}
		if marks, _ := f.Marks.and(dangerous).MarshalText(); len(marks) > 0 {
			s += " with " + string(marks)
		}
		parts = append(parts, s)
	}
	for i, word := range []string{"", "true or false", "", "", "an object", "a list"} {
		if word != "" && f.Types&(1<<i) != 0 {
			parts = append(parts, word)
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", or ")
}

const shown = 60 // characters of a value in a reason

// text says what a value is, and shows its beginning.
func (v *value) text() string {
	switch v.typ {
	case Object:
		return "an object"
	case Array:
		return fmt.Sprintf("a list of %d", v.n)
	case Bool:
		return "true or false"
	case Number:
		return number(v.num)
	}
	s := v.raw
	if len(s) > shown {
		s = strings.ToValidUTF8(s[:shown], "") + "…"
	}
	return setText(v.look.class, classTexts[:], " or ") + ": " + strconv.Quote(s)
}
