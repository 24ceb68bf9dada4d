package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redoubt.dev/redoubt/internal/function"
)

// metrics are the gateway's own numbers. Labels never hold what a caller
// chooses; functions' numbers stand in the record.
type metrics struct {
	requests *prometheus.CounterVec
	calls    *prometheus.CounterVec
	starts   *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	overhead prometheus.Histogram
	retries  prometheus.Counter
	dead     prometheus.Counter
	lost     prometheus.Counter
}

func newMetrics(r prometheus.Registerer, g *Gateway) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "redoubt_gateway_" + name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "redoubt_gateway_" + name, Help: help})
	}
	times := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}
	m := &metrics{
		requests: counter("requests_total", "HTTP requests answered, by API and class of status.", "api", "status"),
		calls:    counter("calls_total", "Calls of functions, by source and outcome.", "source", "outcome"),
		starts:   counter("starts_total", "Calls that ran, by what they found: cold, claimed or warm.", "start"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "redoubt_gateway_call_seconds", Help: "Time a call that ran took in all, by source.",
			Buckets: times}, []string{"source"}),
		overhead: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "redoubt_gateway_overhead_seconds", Help: "Time of a call that was spent neither starting nor running its function.",
			Buckets: times}),
		retries: one("retries_total", "Further attempts of asynchronous calls."),
		dead:    one("dead_letters_total", "Asynchronous calls given up."),
		lost:    one("records_lost_total", "Records dropped because the store did not take them for too long."),
	}
	if r == nil {
		return m
	}
	r.MustRegister(m.requests, m.calls, m.starts, m.latency, m.overhead, m.retries, m.dead, m.lost,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "redoubt_gateway_active_calls", Help: "Calls under way."},
			func() float64 { return float64(g.active.Load()) }))
	return m
}

func (m *metrics) request(api string, status int) {
	m.requests.WithLabelValues(api, strconv.Itoa(status/100)+"xx").Inc()
}

func (m *metrics) call(inv *function.Invocation, took time.Duration) {
	m.calls.WithLabelValues(inv.Source, string(inv.Outcome)).Inc()
	if inv.Start == "" {
		return
	}
	m.starts.WithLabelValues(string(inv.Start)).Inc()
	m.latency.WithLabelValues(inv.Source).Observe(took.Seconds())
	m.overhead.Observe(inv.Overhead.Seconds())
}
