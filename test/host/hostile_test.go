package host

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestD5_HostileNamesAndArgumentsAreTextEverywhere(t *testing.T) {
	image := needDocker(t)
	tool := probeFile(t)
	id := container(t, "rdt-hostile", image)
	docker(t, "cp", tool, "rdt-hostile:/probe")
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Container == id })
	script := strings.Join([]string{
		`cp /probe "/tmp/$(printf 'two\nlines')"; "/tmp/$(printf 'two\nlines')" mark newline`,
		`cp /probe "/tmp/$(printf 'red\033[31m\033]0;owned\007')"; "/tmp/$(printf 'red\033[31m\033]0;owned\007')" mark escape-name`,
		`/probe mark escape-argument "$(printf '\033[2J\033[H\033]52;c;b3duZWQ=\007\r\b')"`,
		`/probe mark not-utf8 "$(printf '\377\376\300\200')"`,
		`/probe mark backwards "$(printf '\342\200\256txt.exe\342\200\213')"`,
		`/probe mark html '<script>alert(1)</script><img src=x onerror=alert(1)>'`,
		`/probe mark quotes "'; DROP TABLE events; --" '{"a":' '%s%n%x'`,
		`/probe mark empty '' '' ''`,
		`/probe mark many $(seq 2000)`,
		`mkdir -p /tmp/` + strings.Repeat("d/", 30) + `; cp /probe /tmp/` + strings.Repeat("d/", 30) + `p; cd /tmp/` + strings.Repeat("d/", 30) + `; ./p mark deep`,
		`n=$(printf 'n%.0s' $(seq 250)); cp /probe /tmp/$n; /tmp/$n mark long-name`,
	}, "\n")
	docker(t, "exec", "rdt-hostile", "sh", "-c", script)
	// The kernel takes a quarter of the stack limit for arguments.
	out, code := tryDocker(t, "exec", "rdt-hostile", "sh", "-c", "ulimit -s unlimited && exec /probe large 5000000 || ulimit -s 65536 && exec /probe large 10000000")
	if code != 0 {
		t.Logf("large arguments: exit %d: %s", code, last(out, 2))
	}
	list := []string{"events", "--workload", "rdt-hostile", "--kind", "exec", "--limit", "0"}
	for _, mark := range []string{"newline", "escape-name", "escape-argument", "not-utf8", "backwards", "html", "quotes", "empty", "many", "deep", "long-name", "large"} {
		e := b.find(5*time.Second, list[0], list[1:], func(o *object) bool {
			return o.Process != nil && len(o.Process.Args) > 2 && o.Process.Args[1] == "mark" && o.Process.Args[2] == mark
		})
		if e.Workload.Container != id {
			t.Errorf("%s: told as of %+v", mark, e.Workload)
		}
		if len(e.Raw) > 256<<10 {
			t.Errorf("%s: the event has %d bytes", mark, len(e.Raw))
		}
		for _, command := range [][]string{{"why", e.ID}, {"describe", "event", e.ID}} {
			shown, code := b.cli(command...)
			if code != 0 {
				t.Errorf("%s: %v: exit %d: %s", mark, command, code, last(shown, 2))
			}
			harmless(t, fmt.Sprintf("%s: %v", mark, command), shown)
		}
	}
	for _, kind := range []string{"events", "alerts", "incidents"} {
		table := b.must("get", kind, "--workload", "rdt-hostile", "--limit", "0")
		harmless(t, "get "+kind, table)
		if rows, want := strings.Count(table, "\n"), len(b.get(kind, "--workload", "rdt-hostile", "--limit", "0"))+1; rows > want+2 || rows < want {
			t.Errorf("get %s shows %d lines for %d rows", kind, rows, want)
		}
		raw := b.must("get", kind, "--workload", "rdt-hostile", "--limit", "0", "-o", "json")
		if !json.Valid([]byte(raw)) || !utf8.ValidString(raw) {
			t.Errorf("get %s -o json is not valid", kind)
		}
		harmless(t, "get "+kind+" -o yaml", b.must("get", kind, "--workload", "rdt-hostile", "--limit", "0", "-o", "yaml"))
	}
	harmless(t, "the log", b.log.String())
	b.must("audit", "verify")
}

// harmless wants nothing in it that a terminal takes for a command or that
// turns text around.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x200b || r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") {
			t.Errorf("%s: %U in %q", what, r, text[max(0, i-40):min(len(text), i+40)])
			return
		}
	}
}

func TestR36_ForkBombLeavesRedoubtResponsiveAndNothingLostInSilence(t *testing.T) {
	image := probeImage(t, "rdt-bomb", "bomb", "8")
	calm := needDocker(t)
	container(t, "rdt-calm", calm)
	waitServed(t, addressOf(t, "rdt-calm"))
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-calm" })
	before := b.get("nodes")[0].Load
	container(t, "rdt-bomb", "--pids-limit", "200", "--cpus", "1", image)
	var worst time.Duration
	for began := time.Now(); time.Since(began) < 7*time.Second; {
		asked := time.Now()
		b.must("get", "workloads", "--limit", "10")
		worst = max(worst, time.Since(asked))
	}
	t.Logf("the slowest answer under the bomb took %v, the command's own start included", worst.Round(time.Millisecond))
	if worst > 2*time.Second {
		t.Errorf("an answer took %v", worst)
	}
	docker(t, "exec", "rdt-calm", "netstat", "-tln")
	ran := time.Now()
	b.find(5*time.Second, "alerts", []string{"--workload", "rdt-calm"}, func(o *object) bool {
		return o.Process != nil && strings.HasSuffix(o.Process.Path, "/netstat")
	})
	t.Logf("a neighbour's alert came %v after its cause", time.Since(ran).Round(time.Millisecond))
	docker(t, "rm", "-f", "rdt-bomb")
	time.Sleep(6 * time.Second) // a status report later
	n := b.get("nodes")[0]
	execs := 0
	for _, o := range b.get("events", "--workload", "rdt-bomb", "--kind", "exec", "--limit", "0") {
		execs += o.Count
	}
	t.Logf("%d execs told in events, %d recognised in the kernel, %d lost, %d dropped, %.0f MiB", execs, n.Load.Known-before.Known, n.Load.Lost, n.Load.Dropped, float64(n.Load.RSS)/(1<<20))
	if execs == 0 {
		t.Error("nothing of the bomb was told")
	}
	if n.Load.Lost+n.Load.Dropped > 0 {
		shown := b.must("get", "nodes")
		if !strings.Contains(shown, fmt.Sprint(n.Load.Lost)) {
			t.Errorf("losses are not shown:\n%s", shown)
		}
	}
}
