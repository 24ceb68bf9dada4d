package runner

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/function"
)

const (
	maxLine    = 64 << 10
	maxPrinted = 1 << 20 // bytes kept of one invocation
	maxTailed  = 64 << 10
	freshLines = 20000 // lines a second of one environment; beyond, they are counted
)

// printer makes lines of what one environment prints and lays each to the
// invocation it was printed in. What comes between two invocations belongs to
// the one before: code prints and answers faster than its output travels.
type printer struct {
	function string
	version  int
	clock    func() time.Time
	sink     func([]function.Line)

	mu         sync.Mutex
	invocation string
	partial    [3][]byte // by stream; what has no line end yet
	left       int       // bytes the invocation may still print
	dropped    int64     // bytes beyond that
	second     int64     // which one, for the flood limit
	inSecond   int
	tail       []function.Line // of the invocation
	tailSize   int
}

func newPrinter(name string, version int, clock func() time.Time, sink func([]function.Line)) *printer {
	return &printer{function: name, version: version, clock: clock, sink: sink, left: maxPrinted}
}

// write is sandbox.Spec.Output.
func (p *printer) write(stream int, data []byte) {
	p.mu.Lock()
	var lines []function.Line
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		end := i >= 0
		part := data
		if end {
			part, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		lines = p.take(lines, stream, part, end)
	}
	p.mu.Unlock()
	p.send(lines)
}

// take adds part to the stream's line and ends it where it ends or is full.
func (p *printer) take(lines []function.Line, stream int, part []byte, end bool) []function.Line {
	for len(part) > 0 || end {
		held := p.partial[stream]
		n := min(len(part), maxLine-len(held))
		held, part = append(held, part[:n]...), part[n:]
		if len(part) == 0 && !end {
			p.partial[stream] = held
			return lines
		}
		lines = p.line(lines, held)
		p.partial[stream] = held[:0]
		if len(part) == 0 {
			return lines
		}
	}
	return lines
}

// line appends a whole line, where there is room for it.
func (p *printer) line(lines []function.Line, text []byte) []function.Line {
	now := p.clock()
	if s := now.Unix(); s != p.second {
		p.second, p.inSecond = s, 0
	}
	p.inSecond++
	if len(text)+1 > p.left || p.inSecond > freshLines {
		p.dropped += int64(len(text) + 1)
		return lines
	}
	p.left -= len(text) + 1
	return p.keep(lines, now, strings.ToValidUTF8(string(text), "�"))
}

func (p *printer) keep(lines []function.Line, now time.Time, text string) []function.Line {
	l := function.Line{Time: now, Function: p.function, Version: p.version, Invocation: p.invocation, Text: text}
	p.tail, p.tailSize = append(p.tail, l), p.tailSize+len(text)
	for p.tailSize > maxTailed && len(p.tail) > 1 {
		p.tailSize -= len(p.tail[0].Text)
		p.tail = p.tail[1:]
	}
	if p.sink == nil {
		return nil
	}
	return append(lines, l)
}

// begin lays what is printed from now on to an invocation.
func (p *printer) begin(invocation string) {
	p.mu.Lock()
	lines := p.settle(nil)
	p.invocation, p.left, p.tail, p.tailSize = invocation, maxPrinted, nil, 0
	p.mu.Unlock()
	p.send(lines)
}

// end returns the last of what the invocation printed so far, and says what
// was left out.
func (p *printer) end() []function.Line {
	p.mu.Lock()
	lines := p.settle(nil)
	tail := p.tail[:len(p.tail):len(p.tail)]
	p.mu.Unlock()
	p.send(lines)
	return tail
}

// settle ends unfinished lines and tells of dropped bytes.
func (p *printer) settle(lines []function.Line) []function.Line {
	for stream, held := range p.partial {
		if len(held) > 0 {
			lines = p.line(lines, held)
			p.partial[stream] = held[:0]
		}
	}
	if p.dropped > 0 {
		lines = p.keep(lines, p.clock(), fmt.Sprintf("redoubt: %d more bytes were printed than are kept", p.dropped))
		p.dropped = 0
	}
	return lines
}

func (p *printer) send(lines []function.Line) {
	if len(lines) > 0 {
		p.sink(lines)
	}
}

// clip shortens s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "�")
}
