package lambda

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxTrace = 100
	maxText  = 64 << 10
)

// FunctionError is what a function says went wrong, or what we say for it.
type FunctionError struct {
	Type    string   `json:"errorType"`
	Message string   `json:"errorMessage"`
	Trace   []string `json:"stackTrace,omitempty"`
	Raw     []byte   `json:"-"` // the JSON document a caller gets
}

// NewError makes the error a caller sees where the code itself said nothing:
// it timed out, or ended. Its Raw is the contract's document.
func NewError(kind, format string, args ...any) *FunctionError {
	e := &FunctionError{Type: kind, Message: fmt.Sprintf(format, args...)}
	e.Raw = []byte(errorDocument(e.Type, e.Message))
	return e
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

func errorDocument(kind, message string) string {
	doc, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) // strings only: cannot fail
	return string(doc)
}

// parseError reads what a runtime posted as an error. Whatever it is, an error
// comes out: kind, from a header, speaks where the document does not.
func parseError(doc []byte, kind string) *FunctionError {
	var d struct {
		Type    string          `json:"errorType"`
		Message string          `json:"errorMessage"`
		Stack   json.RawMessage `json:"stackTrace"`
		Trace   json.RawMessage `json:"trace"` // as Node writes it
	}
	if json.Unmarshal(doc, &d) != nil || !json.Valid(doc) || d.Type == "" && d.Message == "" {
		text := strings.ToValidUTF8(string(doc[:min(len(doc), maxText)]), "\uFFFD")
		e := NewError(sure(kind, "Runtime.Unknown"), "%s", text)
		if json.Valid(doc) && len(doc) > 0 {
			e.Raw = doc
		}
		return e
	}
	e := &FunctionError{Type: sure(d.Type, sure(kind, "Runtime.Unknown")), Message: short(d.Message), Raw: doc}
	if len(d.Stack) == 0 {
		d.Stack = d.Trace
	}
	e.Trace = parseTrace(d.Stack)
	return e
}

// parseTrace reads the two shapes of a stack trace: lines, and the frames that
// Go writes.
func parseTrace(raw json.RawMessage) []string {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	var trace []string
	for _, p := range parts[:min(len(parts), maxTrace)] {
		var line string
		var frame struct {
			Path  string `json:"path"`
			Line  int    `json:"line"`
			Label string `json:"label"`
		}
		if json.Unmarshal(p, &line) == nil {
			trace = append(trace, short(line))
		} else if json.Unmarshal(p, &frame) == nil && frame.Path != "" {
			trace = append(trace, short(fmt.Sprintf("%s:%d %s", frame.Path, frame.Line, frame.Label)))
		}
	}
	return trace
}

// trailerError reads the error that ended a streamed answer; nil where it
// ended well.
func (b *body) trailerError() *FunctionError {
	if b.trailer.errorType == "" {
		return nil
	}
	doc := make([]byte, base64.StdEncoding.DecodedLen(len(b.cause)))
	n, err := base64.StdEncoding.Decode(doc, b.cause)
	if err != nil {
		doc, n = b.cause, len(b.cause)
	}
	return parseError(doc[:n], b.trailer.errorType)
}

func sure(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// short cuts s between characters.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
