package lambda

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stdServer is the least a Runtime API can be on net/http: what ours is measured
// against.
type stdServer struct {
	events  chan Event
	answers chan []byte
}

func (p *stdServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/next") {
		select {
		case e := <-p.events:
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Lambda-Runtime-Aws-Request-Id", e.ID)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.Deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", e.ARN)
			h.Set("Lambda-Runtime-Trace-Id", e.Trace)
			h.Set("Content-Length", strconv.Itoa(len(e.Payload)))
			_, _ = w.Write(e.Payload)
		case <-r.Context().Done():
		}
		return
	}
	b, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, accepted)
	p.answers <- b
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports the median and the processor time of this process, which is
// what the server costs.
func measure(b *testing.B, once func()) {
	once() // the first one initialises
	var all []time.Duration
	before := cpu()
	for b.Loop() {
		began := time.Now()
		once()
		all = append(all, time.Since(began))
	}
	used := cpu() - before
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(used.Nanoseconds())/float64(len(all)), "cpu-ns/op")
}

const benchPayload = `{"order":7,"items":[1,2,3]}`

var benchPlans = []plan{
	{runtime: "nodejs", handler: "index.handler", files: map[string]string{"index.js": "exports.handler = async (e) => e"}},
	{runtime: "python", handler: "app.handler", files: map[string]string{"app.py": "def handler(e, c): return e\n"}},
	{runtime: "provided", handler: "bean"},
	{runtime: "java", handler: "shop.Shop$Maps"},
	{runtime: "dotnet", handler: "Orders::Shop.Orders::Map"},
}

func (p plan) built(b *testing.B) plan {
	switch p.runtime {
	case "provided":
		p.root = goBundle(b)
	case "java":
		p.root = javaBundle(b)
	case "dotnet":
		p.root = dotnetBundle(b)
	}
	return p
}

// BenchmarkWarm is one invocation after the other in one environment.
func BenchmarkWarm(b *testing.B) {
	for _, p := range benchPlans {
		b.Run(p.runtime, func(b *testing.B) {
			r := run(b, p.built(b))
			ctx := context.Background()
			measure(b, func() {
				if a, err := r.srv.Invoke(ctx, event(benchPayload)); err != nil || a.Error != nil {
					b.Fatal(err, a)
				}
			})
		})
		b.Run(p.runtime+"-nethttp", func(b *testing.B) {
			if p.runtime == "java" || p.runtime == "dotnet" {
				b.Skip("as the others")
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			srv := &stdServer{events: make(chan Event), answers: make(chan []byte, 1)}
			front := &http.Server{Handler: srv}
			go front.Serve(ln)
			b.Cleanup(func() { front.Close() })
			p := p.built(b)
			p.api = ln.Addr().String()
			run(b, p)
			measure(b, func() {
				srv.events <- event(benchPayload)
				<-srv.answers
			})
		})
	}
}

// BenchmarkServer is the server alone, with a runtime that answers at once.
func BenchmarkServer(b *testing.B) {
	for _, size := range []int{30, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, addr := listen(b)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			go echo(c)
			payload := strings.Repeat("x", size)
			ctx := context.Background()
			b.ReportAllocs()
			measure(b, func() {
				if _, err := s.Invoke(ctx, event(payload)); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// echo is the cheapest runtime there can be.
func echo(c net.Conn) {
	p := bufio.NewReader(c)
	next := "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"
	_, _ = io.WriteString(c, next)
	for {
		res, err := http.ReadResponse(p, nil)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode == 200 {
			_, _ = fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s%s", res.Header.Get("Lambda-Runtime-Aws-Request-Id"), len(body), body, next)
		}
	}
}

// BenchmarkClaim is the time from giving a pre-started runtime its code to the
// first answer; BenchmarkCold that of a process which has to start.
func BenchmarkClaim(b *testing.B) { starts(b, true) }

// BenchmarkCold is a plain process, without a sandbox.
func BenchmarkCold(b *testing.B) { starts(b, false) }

func starts(b *testing.B, stem bool) {
	for _, p := range benchPlans {
		if stem && p.runtime == "provided" {
			continue // it has no runtime apart from its code
		}
		b.Run(p.runtime, func(b *testing.B) {
			p := p.built(b)
			p.stem = stem
			if p.root == "" {
				p.root = write(b, b.TempDir(), p.files)
			}
			var all []time.Duration
			for b.Loop() {
				b.StopTimer()
				r := prepare(b, p)
				r.start()
				if stem {
					if err := r.srv.Stemmed(r.ctx()); err != nil {
						b.Fatal(err)
					}
				}
				began := time.Now()
				if !stem {
					began = r.began
				}
				b.StartTimer()
				if stem {
					_ = r.srv.Attach(Attachment{About: About{Handler: p.handler}, Env: r.cmdEnv})
				}
				a, err := r.srv.Invoke(context.Background(), event(benchPayload))
				all = append(all, time.Since(began))
				b.StopTimer()
				if err != nil || a.Error != nil {
					b.Fatal(err, a.Error)
				}
				r.end()
				b.StartTimer()
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(float64(all[0].Nanoseconds()), "min-ns")
		})
	}
}
