package runner

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// after checks that a version which misbehaved leaves nothing behind and that
// an honest one is served beside it.
func (b *bench) after() {
	b.t.Helper()
	want(b.t, b.invoke(b.python(echoPython, nil), `{}`), function.Succeeded, "")
}

func TestHandlerThatIsMissingSaysSo(t *testing.T) {
	b := newBench(t, nil)
	for name, v := range map[string]*function.Version{
		"no file":     b.python("x = 1\n", func(s *function.Spec) { s.Handler = "other.handler" }),
		"no function": b.python("x = 1\n", nil),
		"no syntax":   b.python("def handler(:\n", nil),
		"node":        b.node("exports.other = 1", nil),
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			res := b.invoke(v, `{}`)
			if res.Outcome != function.Failed || res.Error == nil || res.Error.Message == "" || res.Start != function.Cold {
				t.Errorf("got %s, %v, start %s", res.Outcome, res.Error, res.Start)
			}
		})
	}
	if s := b.Status(""); len(s) != 0 {
		t.Errorf("left over: %+v", s)
	}
	b.after()
}

func TestHandlerErrorIsAnAnswer(t *testing.T) {
	b := newBench(t, nil)
	v := b.python("def handler(e, c):\n    raise ValueError('no such order')\n", nil)
	res := b.invoke(v, `{}`)
	if res.Outcome != function.Failed || res.Error.Type != "ValueError" || res.Error.Message != "no such order" {
		t.Errorf("got %s, %+v", res.Outcome, res.Error)
	}
	if again := b.invoke(v, `{}`); again.Start != function.Warm {
		t.Errorf("an environment whose handler raised is %s, want warm", again.Start)
	}
}

func TestHandlerThatHangsIsEnded(t *testing.T) {
	b := newBench(t, nil)
	var all sync.WaitGroup // each waits for the clock alone
	for name, code := range map[string]string{
		"sleeps":          "import time\ndef handler(e, c):\n    time.sleep(3600)\n",
		"spins":           "def handler(e, c):\n    while True: pass\n",
		"ignores_SIGTERM": "import signal, time\nfor s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\ndef handler(e, c):\n    while True:\n        time.sleep(1)\n",
	} {
		v := b.python(code, func(s *function.Spec) { s.Timeout = 1 })
		all.Go(func() {
			res, err := b.Invoke(context.Background(), newCall(v, `{}`))
			if err != nil || res.Outcome != function.TimedOut || res.Error.Type != "Sandbox.Timedout" || res.Duration < time.Second {
				t.Errorf("%s: got %+v, %v", name, res, err)
			}
		})
	}
	all.Wait()
	eventually(t, "nothing is left", func() bool { return len(b.Status("")) == 0 })
	b.after()
}

func TestHandlerThatCrashesEndsItsCallAtOnce(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string]struct{ code, says string }{
		"exits":     {"import os\ndef handler(e, c):\n    os._exit(3)\n", "status 3"},
		"segfault":  {"import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)\n", "ended"},
		"init":      {"import os\nos._exit(4)\n", "status 4"},
		"wants_GBs": {"def handler(e, c):\n    return len(bytearray(1 << 31).replace(b'\\0', b'x'))\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := b.invoke(b.python(c.code, nil), `{}`)
			if res.Outcome != function.Crashed && name != "wants_GBs" || res.Error == nil || !strings.Contains(res.Error.Message, c.says) {
				t.Errorf("got %s, %v", res.Outcome, res.Error)
			}
		})
	}
	b.after()
}

func TestMemoryIsHeldToItsLimit(t *testing.T) {
	b := newBench(t, nil)
	v := b.python("def handler(e, c):\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n", func(s *function.Spec) { s.Memory = 64 })
	res := b.invoke(v, `{}`)
	// The kernel ends it, or Python finds no more memory and says so.
	oom := res.Outcome == function.Crashed && res.Error.Type == "Runtime.OutOfMemory"
	if !oom && !(res.Outcome == function.Failed && res.Error.Type == "MemoryError") {
		t.Errorf("got %s, %v", res.Outcome, res.Error)
	}
	b.after()
}

func TestGarbageToTheRuntimeAPIHurtsOnlyItsSender(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(`
import os, socket
def handler(e, c):
    addr = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    for junk in (b"\x00" * 70000, b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"POST /2018-06-01/runtime/invocation/" + c.aws_request_id.encode() + b"/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"):
        s = socket.create_connection((addr[0], int(addr[1])))
        try:
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(20)
            s.recv(100)
        except OSError:
            pass
        s.close()
    return "still here"
`, func(s *function.Spec) { s.Timeout = 120 })
	res := b.invoke(v, `{}`)
	if res.Outcome != function.Succeeded && res.Outcome != function.Failed && res.Outcome != function.Crashed {
		t.Errorf("got %s, %v", res.Outcome, res.Error)
	}
	b.after()
}

func TestLogFloodIsBoundedAndCounted(t *testing.T) {
	var kept, lines atomic.Int64
	b := newBench(t, func(c *Config) {
		c.Lines = func(all []function.Line) {
			for _, l := range all {
				kept.Add(int64(len(l.Text)))
				lines.Add(1)
			}
		}
	})
	v := b.python("def handler(e, c):\n    for i in range(20000):\n        print('%06d ' % i + 'x' * 100)\n    return 'done'\n", nil)
	res := b.invoke(v, `{}`)
	want(t, res, function.Succeeded, `"done"`)
	if n := kept.Load(); n > maxPrinted+1024 {
		t.Errorf("%d bytes kept of one invocation", n)
	}
	want(t, b.invoke(v, `{}`), function.Succeeded, `"done"`)
	if last := res.Lines; len(last) == 0 {
		t.Error("no lines in the result")
	}
	eventually(t, "it says that lines were left out", func() bool {
		return strings.Contains(strings.Join(texts(b.invoke(v, `{}`).Lines), "\n"), "more bytes were printed than are kept")
	})
}

func TestLinesBelongToTheirInvocation(t *testing.T) {
	var mu sync.Mutex
	byCall := map[string][]string{}
	b := newBench(t, func(c *Config) {
		c.Lines = func(all []function.Line) {
			mu.Lock()
			defer mu.Unlock()
			for _, l := range all {
				byCall[l.Invocation] = append(byCall[l.Invocation], l.Text)
			}
		}
	})
	v := b.python("import sys\ndef handler(e, c):\n    print('out', e)\n    print('err', e, file=sys.stderr)\n    return e\n", nil)
	for i := range 3 {
		c := newCall(v, fmt.Sprint(i))
		if _, err := b.Invoke(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both lines are there", func() bool {
			mu.Lock()
			defer mu.Unlock()
			got := strings.Join(byCall[c.ID], "\n")
			return strings.Contains(got, fmt.Sprintf("out %d", i)) && strings.Contains(got, fmt.Sprintf("err %d", i))
		})
	}
}

func TestForksAreBoundedAndEndWithTheirEnvironment(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(`
import os, time
def handler(e, c):
    n = 0
    try:
        while n < 5000:
            if os.fork() == 0:
                time.sleep(3600)
                os._exit(0)
            n += 1
    except OSError:
        pass
    return n
`, func(s *function.Spec) { s.Memory = 1024 })
	res := b.invoke(v, `{}`)
	if res.Outcome == function.Succeeded {
		var n int
		if fmt.Sscan(string(res.Payload), &n); n >= maxPids {
			t.Errorf("%d processes with a limit of %d", n, maxPids)
		}
	}
	b.Stop("f")
	eventually(t, "nothing is left", func() bool { return len(b.Status("")) == 0 })
	b.after()
}

func TestCallThatIsAbortedEnds(t *testing.T) {
	b := newBench(t, nil)
	v := b.python("import time\ndef handler(e, c):\n    time.sleep(3600)\n", nil)
	abort := make(chan struct{})
	c := newCall(v, `{}`)
	c.Abort = abort
	done := make(chan *Result, 1)
	go func() {
		res, err := b.Invoke(context.Background(), c)
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	eventually(t, "it runs", func() bool { s := b.Status("f"); return len(s) == 1 && s[0].Calls == 1 })
	close(abort)
	if res := <-done; res == nil || res.Outcome != function.Abandoned {
		t.Errorf("got %+v", res)
	}
}

func TestCallerThatLeavesTheLineLeavesNoTrace(t *testing.T) {
	var asked atomic.Bool
	free := make(chan struct{})
	b := newBench(t, func(c *Config) {
		c.Internal = func(Caller) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true); <-free })
		}
	})
	v := b.python("import os, urllib.request\ndef handler(e, c):\n    urllib.request.urlopen(os.environ['REDOUBT_API']).read()\n    return e\n", func(s *function.Spec) { s.Concurrency.Max = 1 })
	var wg sync.WaitGroup
	wg.Go(func() { want(t, b.invoke(v, `1`), function.Succeeded, `1`) })
	eventually(t, "it runs", asked.Load)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Invoke(ctx, newCall(v, `2`)); err == nil {
		t.Error("a call got through whose caller had left")
	}
	close(free)
	wg.Wait()
	want(t, b.invoke(v, `3`), function.Succeeded, `3`)
}

// Sandboxes are killed under fifty callers, one for every few calls that ended,
// so that the test goes on however slow the machine. Each call ends in one
// result, none runs its code twice.
func TestS19_KilledSandboxesLoseNoCall(t *testing.T) {
	b := newBench(t, nil)
	v := b.python("import time\ndef handler(e, c):\n    print('ran', e)\n    time.sleep(0.02)\n    return e\n", func(s *function.Spec) { s.Concurrency.Max = 8; s.Timeout = 60 })
	ran := make([]atomic.Int64, 50*4)
	b.cfg.Lines = func(all []function.Line) {
		for _, l := range all {
			var n int
			if _, err := fmt.Sscanf(l.Text, "ran %d", &n); err == nil {
				ran[n].Add(1)
			}
		}
	}
	ended := make(chan struct{}, len(ran))
	var killer sync.WaitGroup
	killer.Go(func() {
		n := 0
		for range ended {
			if n++; n%6 != 0 {
				continue
			}
			if all := b.Status("f"); len(all) > 0 {
				syscall.Kill(all[rand.N(len(all))].PID, syscall.SIGKILL)
			}
		}
	})
	var outcomes sync.Map
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for k := range 4 {
				n := i*4 + k
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				res, err := b.Invoke(ctx, newCall(v, fmt.Sprint(n)))
				cancel()
				ended <- struct{}{}
				switch {
				case err != nil:
					t.Errorf("call %d: %v", n, err)
				case res.Outcome == function.Succeeded && string(res.Payload) == fmt.Sprint(n), res.Outcome == function.Crashed:
					outcomes.Store(n, res.Outcome)
				default:
					t.Errorf("call %d ended %s %s %v", n, res.Outcome, res.Payload, res.Error)
				}
			}
		})
	}
	wg.Wait()
	close(ended)
	killer.Wait()
	for n := range ran {
		if ran[n].Load() > 1 {
			t.Errorf("call %d ran %d times", n, ran[n].Load())
		}
		if _, ok := outcomes.Load(n); !ok {
			t.Errorf("call %d has no outcome", n)
		}
	}
	b.after()
}

func TestConnectionsToUsAreBounded(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Internal = func(Caller) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
		}
	})
	// It holds as many as are served; the next waits until one of them ends.
	v := b.python(`
import socket

def answered(s, patience):
    s.settimeout(patience)
    try:
        return len(s.recv(200)) > 0
    except socket.timeout:
        return False

def handler(limit, c):
    held = []
    for i in range(10 * limit):
        s = socket.create_connection(("127.0.0.1", 9002))
        s.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(s)
    first = sum(answered(s, 30) for s in held[:limit])
    late = answered(held[limit], 0.3)
    held[0].close()
    return [first, late, answered(held[limit], 30)]
`, func(s *function.Spec) { s.Timeout = 120 })
	want(t, b.invoke(v, strconv.Itoa(maxInternal)), function.Succeeded, "[32, false, true]")
}
