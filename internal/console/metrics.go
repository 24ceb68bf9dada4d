package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// metrics are the console's own numbers. Labels never hold what a workload or
// a caller chooses, so that there is a bound to how many there are.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
	batches  *prometheus.CounterVec
	events   prometheus.Counter
	push     prometheus.Histogram
	logins   *prometheus.CounterVec
	pruned   prometheus.Counter
	size     atomic.Int64 // bytes of the record, measured now and then
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "redoubt_console_requests_total", Help: "HTTP requests answered, by method and class of status."}, []string{"method", "status"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "redoubt_console_request_seconds", Help: "Time to answer an API request, streams left out.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 5}}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "redoubt_console_batches_total", Help: "Batches that defenders delivered: recorded, repeated (already recorded) or failed."}, []string{"result"}),
		events:  prometheus.NewCounter(prometheus.CounterOpts{Name: "redoubt_console_events_total", Help: "Events recorded since start."}),
		push: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "redoubt_console_push_seconds", Help: "Time to record a batch with everything that follows from it.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 5}}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "redoubt_console_logins_total", Help: "Attempts to log in: done, failed or limited."}, []string{"result"}),
		pruned: prometheus.NewCounter(prometheus.CounterOpts{Name: "redoubt_console_events_pruned_total", Help: "Events removed because they were too old or too many."}),
	}
	r.MustRegister(m.requests, m.latency, m.batches, m.events, m.push, m.logins, m.pruned)
	return m
}

func (m *metrics) observe(r *http.Request, status int, took time.Duration) {
	method := r.Method
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, strconv.Itoa(status/100)+"xx").Inc()
	if strings.HasPrefix(r.URL.Path, apiPath) && r.URL.Path != apiPath+"/stream" {
		m.latency.Observe(took.Seconds())
	}
}

func (m *metrics) batch(b *link.Batch, fresh bool, took time.Duration, err error) {
	switch {
	case err != nil:
		m.batches.WithLabelValues("failed").Inc()
		return
	case !fresh:
		m.batches.WithLabelValues("repeated").Inc()
		return
	}
	m.batches.WithLabelValues("recorded").Inc()
	m.events.Add(float64(len(b.Events)))
	m.push.Observe(took.Seconds())
}

// gauge is one number read when somebody asks for the metrics.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// census reads the present from the model: nodes with what they see and have
// lost, profiles, alerts, streams.
type census struct {
	c        *Console
	info     gauge
	profiles gauge
	alerts   gauge
	readers  gauge
	missed   gauge
	watchers gauge
	size     gauge
	stored   gauge
	nodes    []nodeGauge
}

type nodeGauge struct {
	gauge
	read func(redoubt.NodeStatus) float64
}

func newCensus(c *Console) *census {
	g := func(name, help string, kind prometheus.ValueType, labels ...string) gauge {
		return gauge{prometheus.NewDesc("redoubt_console_"+name, help, labels, nil), kind}
	}
	level, count := prometheus.GaugeValue, prometheus.CounterValue
	node := func(name, help string, kind prometheus.ValueType, read func(redoubt.NodeStatus) float64) nodeGauge {
		return nodeGauge{g("node_"+name, help, kind, "node"), read}
	}
	return &census{
		c:        c,
		info:     g("info", "Always 1; its label is the version.", level, "version"),
		profiles: g("profiles", "Profiles by state.", level, "state"),
		alerts:   g("alerts_open", "Alerts that nobody has resolved, by severity.", level, "severity"),
		readers:  g("stream_readers", "Readers of the event stream.", level),
		missed:   g("stream_missed_total", "Stream messages that readers were too slow for.", count),
		watchers: g("watchers", "Defenders that wait for changes.", level),
		size:     g("record_bytes", "Size of the record on disk.", level),
		stored:   g("events_stored", "Events in the record.", level),
		nodes: []nodeGauge{
			node("connected", "1 while the node is connected.", level, func(s redoubt.NodeStatus) float64 { return bit(s.Connected) }),
			node("report_timestamp_seconds", "Time of the node's last report.", level, func(s redoubt.NodeStatus) float64 { return seconds(s.Time) }),
			node("sensing", "1 while the node's sensor is attached.", level, func(s redoubt.NodeStatus) float64 { return bit(len(s.Sensor.Sensing) > 0) }),
			node("engines_missing", "Container engines the node does not watch.", level, missingEngines),
			node("gaps", "What the node says it cannot see or enforce.", level, func(s redoubt.NodeStatus) float64 { return float64(len(s.Gaps)) }),
			node("workloads", "Workload instances on the node.", level, func(s redoubt.NodeStatus) float64 { return float64(s.Workloads) }),
			node("spooled_events", "Events waiting on the node for the console.", level, func(s redoubt.NodeStatus) float64 { return float64(s.Spooled) }),
			node("cpu_cores", "Cores its defender used over the last report.", level, func(s redoubt.NodeStatus) float64 { return s.Load.CPU }),
			node("memory_bytes", "Resident memory of its defender.", level, func(s redoubt.NodeStatus) float64 { return float64(s.Load.RSS) }),
			node("kernel_seconds_total", "Run time of its kernel programs.", count, func(s redoubt.NodeStatus) float64 { return float64(s.Load.KernelNS) / 1e9 }),
			node("events_total", "Events its kernel passed up.", count, func(s redoubt.NodeStatus) float64 { return float64(s.Load.Events) }),
			node("events_known_total", "Events recognised in its kernel and only counted.", count, func(s redoubt.NodeStatus) float64 { return float64(s.Load.Known) }),
			node("events_lost_total", "Events lost because its ring buffer was full.", count, func(s redoubt.NodeStatus) float64 { return float64(s.Load.Lost) }),
			node("events_dropped_total", "Events dropped because its spool was full.", count, func(s redoubt.NodeStatus) float64 { return float64(s.Load.Dropped) }),
		},
	}
}

func missingEngines(s redoubt.NodeStatus) float64 {
	n := 0
	for _, e := range s.Engines {
		if e.Error != "" {
			n++
		}
	}
	return float64(n)
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// Describe implements prometheus.Collector.
func (s *census) Describe(to chan<- *prometheus.Desc) {
	for _, g := range []gauge{s.info, s.profiles, s.alerts, s.readers, s.missed, s.watchers, s.size, s.stored} {
		to <- g.desc
	}
	for _, n := range s.nodes {
		to <- n.desc
	}
}

// Collect implements prometheus.Collector.
func (s *census) Collect(to chan<- prometheus.Metric) {
	put := func(g gauge, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(g.desc, g.kind, v, labels...)
	}
	put(s.info, 1, s.c.version)
	put(s.readers, float64(s.c.hub.count()))
	put(s.missed, float64(s.c.hub.missed.Load()))
	put(s.watchers, float64(s.c.watchers.count()))
	put(s.size, float64(s.c.metrics.size.Load()))
	for _, status := range s.c.statuses() {
		for _, n := range s.nodes {
			put(n.gauge, n.read(status), strings.ToValidUTF8(string(status.ID), "?"))
		}
	}
	states := map[profile.State]int{}
	s.c.model.mu.RLock()
	for _, l := range s.c.model.profiles {
		states[l.State]++
	}
	s.c.model.mu.RUnlock()
	for _, state := range []profile.State{profile.Learning, profile.Observing, profile.Enforcing, profile.Archived} {
		put(s.profiles, float64(states[state]), string(state))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if n, err := s.c.store.CountEvents(ctx); err == nil {
		put(s.stored, float64(n))
	}
	counts, err := s.c.store.OpenAlerts(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(s.alerts.desc, err)
		return
	}
	open := map[redoubt.Severity]int{}
	for _, n := range counts {
		open[n.Severity] += n.Count
	}
	for severity := redoubt.Low; severity <= redoubt.Critical; severity++ {
		put(s.alerts, float64(open[severity]), severity.String())
	}
}

func (c *Console) serveMetrics(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		c.exposition.ServeHTTP(w, r)
	}}, nil
}

func exposition(r *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{DisableCompression: true, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// health answers whether the record can be read and written.
func (c *Console) health(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.store.Atomic(ctx, func(context.Context) error { return nil }); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "text/plain; charset=utf-8")
		ctx.BodyWriter().Write([]byte("ok\n"))
	}}, nil
}
