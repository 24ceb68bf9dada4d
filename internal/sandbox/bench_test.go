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
		b.Run(p.name+"/bare", func(b *testing.B) { benchBare(b, p.argv, dir) })
		b.Run(p.name+"/sandbox", func(b *testing.B) { benchSandbox(b, h, p.argv, dir) })
	}
	b.Run("attach", func(b *testing.B) { benchAttach(b, h, dir) })
}

func benchBare(b *testing.B, argv []string, dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	program := argv[0]
	if program == "/var/task/probe" {
		program = filepath.Join(dir, "probe")
	}
	var took laps
	for b.Loop() {
		from := time.Now()
		cmd := exec.Command(program, argv[1:]...)
		cmd.Env = []string{"PORT=" + port, "PATH=/usr/bin"}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		hear(b, l)
		took.add(from)
		b.StopTimer()
		cmd.Wait()
		b.StartTimer()
	}
	took.report(b)
}

func benchSandbox(b *testing.B, h *sandbox.Host, argv []string, dir string) {
	var took laps
	for b.Loop() {
		from := time.Now()
		s, err := h.Start(context.Background(), sandbox.Spec{
			ID: "bench", Argv: argv, Env: []string{"PATH=/usr/bin"}, Ports: []sandbox.Port{runtimeAPI},
			Mounts: []sandbox.Mount{{Source: dir, Target: "/var/task", Exec: true}},
		})
		if err != nil {
			b.Fatal(err)
		}
		hear(b, s.Listener(0))
		took.add(from)
		b.StopTimer()
		s.Kill()
		b.StartTimer()
	}
	took.report(b)
}

func benchAttach(b *testing.B, h *sandbox.Host, dir string) {
	var took laps
	for b.Loop() {
		b.StopTimer()
		s, err := h.Start(context.Background(), sandbox.Spec{ID: "stem", Argv: []string{"/usr/bin/sleep", "1000"}, Stem: true})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		from := time.Now()
		if err := s.Attach(sandbox.Mount{Source: dir, Target: "/var/task"}); err != nil {
			b.Fatal(err)
		}
		took.add(from)
		b.StopTimer()
		s.Kill()
		b.StartTimer()
	}
	took.report(b)
}

// laps are single times: a mean says little on a machine that does other work.
type laps []time.Duration

func (l *laps) add(from time.Time) { *l = append(*l, time.Since(from)) }

func (l laps) report(b *testing.B) {
	slices.Sort(l)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(l[0]), "min-ms")
	b.ReportMetric(ms(l[len(l)/2]), "p50-ms")
}

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
