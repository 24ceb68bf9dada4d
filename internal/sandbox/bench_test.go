package sandbox_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// programs say hello to 127.0.0.1:9001, or to the port in PORT, and stay until
// the connection ends: the time from launch to that is a cold start's.
var programs = []struct {
	name string
	argv []string
}{
	{"static", []string{"/var/task/probe", "hello"}},
	{"python3", []string{"/usr/bin/python3", "-Sc", "import os,socket;s=socket.create_connection(('127.0.0.1',int(os.environ.get('PORT','9001'))));s.send(b'x');s.recv(1)"}},
	{"node", []string{"/usr/bin/node", "-e", "require('net').connect(+(process.env.PORT||9001),'127.0.0.1',function(){this.write('x')}).on('end',()=>process.exit(0)).resume()"}},
}

var runtimeAPI = sandbox.Port{Network: "tcp", Addr: netip.MustParseAddrPort("127.0.0.1:9001")}

// BenchmarkS22_Start measures launch to first word, bare and in a sandbox,
// in one run so that the two can be compared.
func BenchmarkS22_Start(b *testing.B) {
	h := sandboxtest.Open(b)
	dir := bundle(b)
	for _, p := range programs {
		if _, err := os.Stat(p.argv[0]); err != nil && p.name != "static" {
			continue
		}
		b.Run(p.name, func(b *testing.B) { benchStart(b, h, p.argv, dir) })
	}
	b.Run("attach", func(b *testing.B) { benchAttach(b, h, dir) })
}

// benchStart takes turns, so that both meet the same machine.
func benchStart(b *testing.B, h *sandbox.Host, argv []string, dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var bare, boxed laps
	for b.Loop() {
		bare.add(startBare(b, l, argv, dir))
		boxed.add(startBoxed(b, h, argv, dir))
	}
	bare.report(b, "bare")
	boxed.report(b, "sandbox")
	b.ReportMetric(boxed.median()-bare.median(), "added-ms")
}

func startBare(b *testing.B, l net.Listener, argv []string, dir string) time.Duration {
	program := argv[0]
	if program == "/var/task/probe" {
		program = filepath.Join(dir, "probe")
	}
	cmd := exec.Command(program, argv[1:]...)
	cmd.Env = []string{"PORT=" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port), "PATH=/usr/bin"}
	from := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	hear(b, l)
	took := time.Since(from)
	_ = cmd.Wait()
	return took
}

func startBoxed(b *testing.B, h *sandbox.Host, argv []string, dir string) time.Duration {
	from := time.Now()
	s, err := h.Start(context.Background(), sandbox.Spec{
		ID: "bench", Argv: argv, Env: []string{"PATH=/usr/bin"}, CPU: 2, Ports: []sandbox.Port{runtimeAPI},
		Mounts: []sandbox.Mount{{Source: dir, Target: "/var/task", Exec: true}},
	})
	if err != nil {
		b.Fatal(err)
	}
	hear(b, s.Listener(0))
	took := time.Since(from)
	s.Kill()
	return took
}

func benchAttach(b *testing.B, h *sandbox.Host, dir string) {
	var took laps
	for b.Loop() {
		s, err := h.Start(context.Background(), sandbox.Spec{ID: "stem", Argv: []string{"/usr/bin/sleep", "1000"}, Stem: true})
		if err != nil {
			b.Fatal(err)
		}
		from := time.Now()
		if err := s.Attach(sandbox.Mount{Source: dir, Target: "/var/task"}); err != nil {
			b.Fatal(err)
		}
		took.add(time.Since(from))
		s.Kill()
	}
	took.report(b, "claim")
}

// laps are single times: a mean says little on a machine that does other work.
type laps []time.Duration

func (l *laps) add(took time.Duration) { *l = append(*l, took) }

func (l laps) report(b *testing.B, what string) {
	b.ReportMetric(ms(slices.Min(l)), what+"-min-ms")
	b.ReportMetric(l.median(), what+"-p50-ms")
}

func (l laps) median() float64 { return ms(slices.Sorted(slices.Values(l))[len(l)/2]) }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// hear waits for the first word on l and hangs up.
func hear(b *testing.B, l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	c.Close()
}
