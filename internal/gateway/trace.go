package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// lineage is how deep in a chain of calls a call stands, as the trace header
// carries it. X-Ray's own field of that name holds a hash and a counter.
const lineage = "redoubt"

// trace is X-Amzn-Trace-Id taken apart.
type trace struct {
	root  string // 1-5759e988-bd862e3fe1be46a994272793
	depth int
}

func newTrace(now time.Time) trace {
	var b [12]byte
	rand.Read(b[:])
	return trace{root: fmt.Sprintf("1-%08x-%x", uint32(now.Unix()), b)}
}

// parseTrace reads a header somebody sent; whatever is not understood is left
// out. A caller that claims a depth can only shorten its own chain.
func parseTrace(s string, now time.Time) trace {
	t := newTrace(now)
	if len(s) > 512 {
		return t
	}
	for field := range strings.SplitSeq(s, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch key {
		case "Root":
			if goodRoot(value) {
				t.root = value
			}
		case "Lineage":
			if name, n, ok := strings.Cut(value, ":"); ok && name == lineage {
				if d, err := strconv.ParseUint(n, 10, 8); err == nil {
					t.depth = int(d)
				}
			}
		}
	}
	return t
}

func goodRoot(s string) bool {
	if len(s) != 35 || s[0] != '1' || s[1] != '-' || s[10] != '-' {
		return false
	}
	for i, c := range []byte(s[2:]) {
		if i != 8 && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// header writes t for a call with that id.
func (t trace) header(id string) string {
	parent := strings.ReplaceAll(id, "-", "")
	return "Root=" + t.root + ";Parent=" + parent[:min(16, len(parent))] + ";Sampled=0;Lineage=" + lineage + ":" + strconv.Itoa(t.depth)
}
