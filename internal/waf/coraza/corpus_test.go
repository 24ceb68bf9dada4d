package coraza

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"redoubt.dev/redoubt/internal/waf"
)

// corpora lie beside the checkout; SOURCES.md there names where they are from.
const corpora = "../../../../shared/waf"

type sample struct {
	Cat     string `json:"cat"`
	Attack  int    `json:"y"`
	Method  string `json:"m"`
	URI     string `json:"u"`
	Headers []struct{ K, V string }
	Body    string `json:"b"`
}

func (s *sample) UnmarshalJSON(b []byte) error {
	type plain sample
	var with struct {
		*plain
		H []struct{ K, V string } `json:"h"`
	}
	with.plain = (*plain)(s)
	if err := json.Unmarshal(b, &with); err != nil {
		return err
	}
	s.Headers = with.H
	return nil
}

// request is the sample as a browser would have sent it, where it leaves that
// open.
func (s *sample) request() *waf.Request {
	r := &waf.Request{Method: s.Method, URI: s.URI, Proto: "HTTP/1.1", Host: "shop.example.com", Body: []byte(s.Body)}
	agent := false
	for _, h := range s.Headers {
		if strings.EqualFold(h.K, "host") {
			r.Host = h.V
			continue
		}
		agent = agent || strings.EqualFold(h.K, "user-agent")
		r.Header = append(r.Header, waf.Field{Name: h.K, Value: h.V})
	}
	if !agent {
		r.Header = append(r.Header, waf.Field{Name: "User-Agent", Value: "Mozilla/5.0"}, waf.Field{Name: "Accept", Value: "*/*"})
	}
	return r
}

// samples returns every nth request of a corpus, so that a run is short and
// the same each time.
func samples(t *testing.T, name string, every int) []sample {
	t.Helper()
	f, err := os.Open(filepath.Join(corpora, name+".jsonl.zst"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the corpus %s is not beside this checkout", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 4<<20)
	var out []sample
	for n := 0; lines.Scan(); n++ {
		if n%every != 0 {
			continue
		}
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestW1_PublicCorpora prints what the rules find and what they hold against
// honest requests. The floors lie far from the figures: they catch a firewall
// that stopped looking, not a rule set that shifted.
func TestW1_PublicCorpora(t *testing.T) {
	for _, c := range []struct {
		name    string
		every   int
		detects float64 // at least, of attacks
		accuses float64 // at most, of honest requests
	}{
		{"crs-regression", 8, 0.3, 1},
		{"httpparams", 20, 0.6, 0.1},
		{"fuzzdb", 16, 0.15, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var found, attacks, accused, honest float64
			for _, s := range samples(t, c.name, c.every) {
				v, err := open(t).Inspect(context.Background(), s.request())
				if err != nil {
					t.Fatalf("%s %s: %v", s.Method, s.URI, err)
				}
				switch {
				case s.Attack == 1 && v.Tripped():
					found, attacks = found+1, attacks+1
				case s.Attack == 1:
					attacks++
				case v.Tripped():
					accused, honest = accused+1, honest+1
				default:
					honest++
				}
			}
			t.Logf("%s: %.0f of %.0f attacks detected (%.1f %%), %.0f of %.0f honest requests accused (%.2f %%)",
				c.name, found, attacks, 100*found/max(attacks, 1), accused, honest, 100*accused/max(honest, 1))
			if found < c.detects*attacks {
				t.Errorf("detects less than %.0f %%", 100*c.detects)
			}
			if accused > c.accuses*honest {
				t.Errorf("accuses more than %.0f %%", 100*c.accuses)
			}
		})
	}
}
