package model

import (
	"math/bits"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"redoubt.dev/redoubt/internal/fault"
)

// Class is the set of forms a text has had. The forms of one text are exactly
// one; Text is what has no stricter form, and a field that has had it is held
// to its characters and length alone.
type Class uint16

// The forms.
const (
	Empty Class = 1 << iota
	Integer
	Decimal
	Flag // true, false, yes, no, on, off
	UUID
	Hex // eight digits or more
	Instant
	Address // of the network
	Word    // letters, digits, dash, underscore, dot
	Text
	classes = iota
)

var classNames = [classes]string{"empty", "integer", "decimal", "flag", "uuid", "hex", "time", "address", "word", "text"}

var classTexts = [classes]string{"nothing", "a whole number", "a number", "true or false", "a UUID", "hexadecimal digits", "a time", "a network address", "a plain word", "text"}

// Types is the set of JSON types a field has had.
type Types uint8

// The types.
const (
	Null Types = 1 << iota
	Bool
	Number
	String
	Object
	Array
	types = iota
)

var typeNames = [types]string{"null", "bool", "number", "string", "object", "array"}

func setText[T ~uint8 | ~uint16](set T, names []string, between string) string {
	var out []string
	for s := uint(set); s != 0; s &= s - 1 {
		if i := bits.TrailingZeros(s); i < len(names) {
			out = append(out, names[i])
		}
	}
	return strings.Join(out, between)
}

func setOf[T ~uint8 | ~uint16](text string, names []string) (set T, err error) {
	for _, word := range strings.Fields(text) {
		i := 0
		for i < len(names) && names[i] != word {
			i++
		}
		if i == len(names) {
			return 0, fault.New(fault.Invalid, "%q is none of %s", word, strings.Join(names, ", "))
		}
		set |= 1 << i
	}
	return set, nil
}

// MarshalText writes the names of the forms.
func (c Class) MarshalText() ([]byte, error) { return []byte(setText(c, classNames[:], " ")), nil }

// UnmarshalText reads them.
func (c *Class) UnmarshalText(b []byte) (err error) {
	*c, err = setOf[Class](string(b), classNames[:])
	return err
}

// MarshalText writes the names of the types.
func (t Types) MarshalText() ([]byte, error) { return []byte(setText(t, typeNames[:], " ")), nil }

// UnmarshalText reads them.
func (t *Types) UnmarshalText(b []byte) (err error) {
	*t, err = setOf[Types](string(b), typeNames[:])
	return err
}

// Marks is the set of characters of a text that can change the meaning of what
// it is put into: ASCII signs that are no part of a word, and the two kinds of
// characters below.
type Marks struct{ low, high uint64 }

const (
	markControl = 0   // any control character but tab, return and newline
	markBroken  = 127 // not UTF-8
)

func (m *Marks) set(c byte) {
	if c < 64 {
		m.low |= 1 << c
	} else {
		m.high |= 1 << (c - 64)
	}
}

func (m Marks) less(o Marks) Marks    { return Marks{m.low &^ o.low, m.high &^ o.high} }
func (m Marks) and(o Marks) Marks     { return Marks{m.low & o.low, m.high & o.high} }
func (m *Marks) join(o Marks)         { m.low |= o.low; m.high |= o.high }
func (m Marks) IsZero() bool          { return m == Marks{} }
func (m Marks) overlaps(o Marks) bool { return !m.and(o).IsZero() }

func (m Marks) count() int { return bits.OnesCount64(m.low) + bits.OnesCount64(m.high) }

func marksOf(s string) (m Marks) {
	for i := range len(s) {
		m.set(s[i])
	}
	return m
}

// MarshalText writes the characters themselves; control characters as ^@ and
// broken text as ^?, each after a space.
func (m Marks) MarshalText() ([]byte, error) {
	var out []byte
	for c := byte(' '); c < 127; c++ {
		if m.overlaps(marksOf(string(c))) {
			out = append(out, c)
		}
	}
	if m.low&1 != 0 {
		out = append(out, " ^@"...)
	}
	if m.high>>63 != 0 {
		out = append(out, " ^?"...)
	}
	return out, nil
}

// UnmarshalText reads them.
func (m *Marks) UnmarshalText(b []byte) error {
	*m = Marks{}
	s := string(b)
	if rest, ok := strings.CutSuffix(s, " ^?"); ok {
		m.set(markBroken)
		s = rest
	}
	if rest, ok := strings.CutSuffix(s, " ^@"); ok {
		m.set(markControl)
		s = rest
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return fault.New(fault.Invalid, "marks are printable ASCII characters, ^@ and ^?")
		}
		m.set(s[i])
	}
	return nil
}

var (
	// dangerous characters end a value or begin code in some language.
	dangerous = func() Marks { m := marksOf("'\"`;|&$<>(){}[]\\^%#*="); m.set(markControl); m.set(markBroken); return m }()
	// written characters are at home in what people write.
	written = marksOf("'\"();&%#*=")
)

// look is what is kept of one text.
type look struct {
	class Class
	marks Marks
	runes int
	space bool // it has several words
}

// lookAt classifies a text in one pass over at most maxLooked bytes.
func lookAt(s string) (l look) {
	if len(s) > maxLooked {
		l.runes = len(s) - maxLooked
		s = s[:maxLooked]
	}
	digits, hexes, word, letters := 0, 0, true, false
	for _, r := range s {
		l.runes++
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F':
			hexes++
			letters = true
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.':
			letters = letters || r > '_' || r >= 'A' && r <= 'Z'
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			l.space, word = true, false
		case r == unicode.ReplacementChar:
			l.marks.set(markBroken)
			word = false
		case r < ' ' || r == 0x7f:
			l.marks.set(markControl)
			word = false
		case r < 0x80:
			l.marks.set(byte(r))
			word = false
		default:
			letters, word = true, false
		}
	}
	l.space = l.space && letters
	l.class = classOf(s, digits, hexes, word)
	return l
}

const maxLooked = 64 << 10

func classOf(s string, digits, hexes int, word bool) Class {
	switch n := len(s); {
	case n == 0:
		return Empty
	case digits == n && n <= 20, n <= 20 && digits == n-1 && s[0] == '-' && n > 1:
		return Integer
	case decimal(s):
		return Decimal
	case flag(s):
		return Flag
	case n == 36 && digits+hexes == 32 && uuid(s):
		return UUID
	case n >= 8 && digits > 0 && digits+hexes == n:
		return Hex
	case n >= 10 && n <= 40 && digits >= 6 && instant(s):
		return Instant
	case n >= 3 && n <= 45 && (digits > 3 || strings.Contains(s, "::")) && address(s):
		return Address
	case word:
		return Word
	}
	return Text
}

func decimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, part, ok := strings.Cut(s, ".")
	return ok && len(s) <= 40 && allDigits(whole) && allDigits(part)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func flag(s string) bool {
	if len(s) > 5 {
		return false
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off":
		return true
	}
	return false
}

func uuid(s string) bool {
	for _, i := range []int{8, 13, 18, 23} {
		if s[i] != '-' {
			return false
		}
	}
	return true
}

func instant(s string) bool {
	if s[4] != '-' || s[7] != '-' {
		return false
	}
	for _, form := range []string{time.DateOnly, time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04"} {
		if _, err := time.Parse(form, s); err == nil {
			return true
		}
	}
	return false
}

func address(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
