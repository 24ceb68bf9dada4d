package runner

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/function"
)

// raised waits for a stem of the version's kind.
func (b *bench) raised(v *function.Version) {
	b.t.Helper()
	if s := b.stems.take(v); s != nil { // asks for the kind
		s.end(b.Runner)
	}
	b.stems.fill()
	eventually(b.t, "a runtime is pre-started", func() bool { return b.stems.ready(kindOf(v)) > 0 })
}

func TestStemBecomesTheFunction(t *testing.T) {
	for name, deploy := range map[string]func(*bench) *function.Version{
		"python": func(b *bench) *function.Version {
			return b.python("import os\ncalls = []\ndef handler(e, c):\n    calls.append(e)\n    return [len(calls), os.environ['GREETING'], os.getcwd(), c.function_name]\n", func(s *function.Spec) { s.Env = map[string]string{"GREETING": "hi"} })
		},
		"node": func(b *bench) *function.Version {
			return b.node("let n = 0; exports.handler = async (e, c) => [++n, process.env.GREETING, process.cwd(), c.functionName]", func(s *function.Spec) { s.Env = map[string]string{"GREETING": "hi"} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Stems = 1 })
			v := deploy(b)
			b.raised(v)
			res := b.invoke(v, `{}`)
			want(t, res, function.Succeeded, "")
			if res.Start != function.Claimed {
				t.Errorf("start %s, want claimed", res.Start)
			}
			var got []any
			if err := json.Unmarshal(res.Payload, &got); err != nil || !slices.Equal(got, []any{1.0, "hi", "/var/task", "f"}) {
				t.Errorf("got %s, %v", res.Payload, err)
			}
			if again := b.invoke(v, `{}`); again.Start != function.Warm {
				t.Errorf("second start %s, want warm", again.Start)
			}
			eventually(t, "the next is pre-started", func() bool { return b.stems.ready(kindOf(v)) == 1 })
		})
	}
}

func TestStemServesOneFunctionOnly(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Stems = 1 })
	first := b.python("import subprocess\ndef handler(e, c):\n    try:\n        subprocess.run(['/bin/true'])\n        return 'ran'\n    except OSError:\n        return 'stopped'\n", nil)
	b.raised(first)
	res := b.invoke(first, `{}`)
	want(t, res, function.Succeeded, `"stopped"`)
	if res.Start != function.Claimed || len(res.Verdicts) != 1 {
		t.Errorf("start %s, verdicts %v", res.Start, res.Verdicts)
	}
	eventually(t, "it is ended after that", func() bool { return len(b.Status("f")) == 0 })
}

func TestWhatAStemCannotGiveStartsCold(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Stems = 1 })
	plain := b.python(echoPython, nil)
	b.raised(plain)
	for name, change := range map[string]func(*function.Spec){
		"programs": func(s *function.Spec) { s.Role.Exec = []string{"/usr/bin/id"} },
		"memory":   func(s *function.Spec) { s.Memory = 256 },
		"ports":    func(s *function.Spec) { s.Role.Egress = []string{"db.example:5432"} },
		"loader":   func(s *function.Spec) { s.Env = map[string]string{"LD_PRELOAD": ""} },
	} {
		res := b.invoke(b.python(strings.TrimSpace(echoPython)+"\n", change), `{}`)
		want(t, res, function.Succeeded, "")
		if res.Start != function.Cold {
			t.Errorf("%s: start %s, want cold", name, res.Start)
		}
	}
}
