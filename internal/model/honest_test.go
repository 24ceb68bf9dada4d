package model

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// Honest traffic of five kinds of function, with the long tails that real
// traffic has: few callers make most calls, names and texts hold what people
// write, some paths are taken once in a thousand calls.

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

type crowd struct {
	rnd *rand.Rand
	n   int
}

func newCrowd(seed uint64) *crowd { return &crowd{rnd: rand.New(rand.NewPCG(seed, 17))} }

// zipf draws from 0 to n-1, small numbers most.
func (c *crowd) zipf(n int) int {
	v := int(float64(n) * c.rnd.Float64() * c.rnd.Float64() * c.rnd.Float64())
	return min(v, n-1)
}

func (c *crowd) once(in int) bool { return c.rnd.IntN(in) == 0 }

func (c *crowd) pick(of ...string) string { return of[c.rnd.IntN(len(of))] }

func (c *crowd) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", c.rnd.Uint32(), c.rnd.IntN(1<<16), c.rnd.IntN(1<<12), c.rnd.IntN(1<<12), c.rnd.Int64N(1<<48))
}

var (
	first = []string{"Anna", "José", "Li", "Siobhán", "Oluwaseun", "Mary-Jane", "Björn", "Zoë", "Jean-Luc", "Nguyễn"}
	last  = []string{"Smith", "O'Brien", "D'Angelo", "Müller", "García López", "van der Berg", "Kowalski", "Nakamura", "St. John", "Ó Súilleabháin"}
	prose = []string{"please ring twice", "leave it at the door; thanks!", "size L (not M)", "wie besprochen, 2. Stock", "it's a gift :)", "R&D dept., room #12", "50% now, rest later", "call me @ noon", "\"fragile\"", "n° 4, 3ème étage", "as usual", "ok", "birthday party on Saturday, can you deliver before 10am?", "thanks & regards"}
	goods = []string{"red shoes", "usb c cable", "12\" tablet", "men's jacket", "coffee 500g", "c++ book", "rock & roll vinyl", "pants 32/34", "crème brûlée set", "toy car", "lamp (warm white)", "hdmi 2.1", "t-shirt", "novel: war & peace"}
)

// call is one honest call.
type call struct {
	inv function.Invocation
	req Request
}

// archetype makes the calls of one kind of function.
type archetype struct {
	name    string
	perHour int
	role    function.Role
	make    func(c *crowd, at time.Time) call
}

func (c *crowd) call(name, source, route, caller string, at time.Time, uses ...function.Use) call {
	c.n++
	inv := function.Invocation{
		ID: fmt.Sprintf("%s-%d", name, c.n), Time: at, Function: name, Version: 1 + c.n/20000, Caller: caller, Source: source, Route: route,
		Outcome: function.Succeeded, Status: 200, Uses: uses, Memory: int64(40+c.zipf(60)) << 20,
		Duration: time.Duration(2+c.zipf(400)) * time.Millisecond, Out: int64(200 + c.zipf(9000)),
	}
	return call{inv, Request{Time: at, Caller: caller, Version: inv.Version, Source: source, Route: route}}
}

func (l *call) param(in, name, value string) {
	l.req.Params = append(l.req.Params, Param{in, name, value})
}

func (l *call) body(v any) {
	l.req.Body, _ = json.Marshal(v)
	l.req.Type = "application/json"
}

func use(kind function.UseKind, target string, bytes int64) function.Use {
	return function.Use{Kind: kind, Target: target, Count: 1, Bytes: bytes}
}

type object = map[string]any

var archetypes = []archetype{
	{"orders", 70, function.Role{
		Egress: []string{"payments.example.com:443", "*.tax.example.org:443"}, AWS: []string{"dynamodb:* table/*"},
		Secrets: []string{"payment-key", "old-key"}, Functions: []string{"mailer", "billing"}}, orders},
	{"thumbnails", 40, function.Role{Exec: []string{"/usr/bin/convert", "/usr/bin/ffmpeg"}, Buckets: []string{"photos:read", "thumbs:write", "photos:write"}}, thumbnails},
	{"search", 90, function.Role{AWS: []string{"dynamodb:Query table/goods"}}, search},
	{"sensor", 120, function.Role{Queues: []string{"readings"}}, sensor},
	{"report", 4, function.Role{Egress: []string{"db.internal:5432"}, Secrets: []string{"db"}, Buckets: []string{"reports:write"}}, report},
}

func orders(c *crowd, at time.Time) call {
	caller := fmt.Sprintf("user/u%d", c.zipf(60))
	uses := []function.Use{use(function.UseAWS, "dynamodb:GetItem table/orders", int64(300+c.zipf(3000))), use(function.UseRead, "/var/task/node_modules/x/index.js", 0)}
	if c.rnd.IntN(3) > 0 {
		l := c.call("orders", "http", "GET /orders/{id}", caller, at, uses...)
		l.param("path", "id", fmt.Sprint(1000+c.n+c.rnd.IntN(500)))
		if c.once(4) {
			l.param("query", "expand", c.pick("items", "customer", "all"))
		}
		if c.once(30) {
			l.param("query", "utm_source", c.pick("mail", "news-12", "x"))
		}
		if c.once(900) {
			l.param("query", "debug", "true")
		}
		return l
	}
	uses = append(uses, use(function.UseAWS, "dynamodb:PutItem table/orders", int64(500+c.zipf(4000))), use(function.UseEgress, "payments.example.com:443", int64(2000+c.zipf(5000))),
		use(function.UseSecret, "payment-key", 0), use(function.UseFunction, "mailer", 0))
	if c.once(60) {
		uses = append(uses, use(function.UseEgress, c.pick("de", "fr", "us")+".tax.example.org:443", 800))
	}
	l := c.call("orders", "http", "POST /orders", caller, at, uses...)
	items := make([]object, 1+c.zipf(12))
	for i := range items {
		items[i] = object{"sku": fmt.Sprintf("SKU-%05d", c.rnd.IntN(4000)), "qty": 1 + c.zipf(20), "price": float64(c.rnd.IntN(20000)) / 100}
		if c.once(40) {
			items[i]["engraving"] = c.pick(first...)
		}
	}
	body := object{"customer": object{"id": c.uuid(), "name": c.pick(first...) + " " + c.pick(last...), "email": fmt.Sprintf("u%d+tag@example.com", c.rnd.IntN(500))}, "items": items, "express": c.once(5)}
	if c.once(3) {
		body["note"] = c.pick(prose...) + c.pick("", "", " "+c.pick(prose...))
	}
	if c.once(50) {
		body["coupon"] = c.pick("SPRING-10", "VIP", "WELCOME_5")
	}
	l.body(body)
	return l
}

func thumbnails(c *crowd, at time.Time) call {
	tmp := fmt.Sprintf("/tmp/upload-%06x", c.rnd.IntN(1<<24)|1<<20)
	l := c.call("thumbnails", "bucket", "photos", "service/bucket/photos", at,
		use(function.UseBucket, "photos:read", int64(50_000+c.zipf(4_000_000))), use(function.UseWrite, tmp, 0), use(function.UseExec, "/usr/bin/convert", 0),
		use(function.UseBucket, "thumbs:write", int64(4000+c.zipf(90_000))), use(function.UseRead, "/usr/lib/x86_64-linux-gnu/libMagick.so", 0))
	l.body(object{"Records": []object{{"eventName": "ObjectCreated:Put", "eventTime": at.Format(time.RFC3339Nano),
		"s3": object{"bucket": object{"name": "photos"}, "object": object{"key": fmt.Sprintf("%d/%s %s.jpg", at.Year(), c.pick(goods...), c.pick(first...)), "size": 1000 + c.zipf(8_000_000)}}}}})
	return l
}

func search(c *crowd, at time.Time) call {
	caller := "anonymous"
	if c.once(3) {
		caller = fmt.Sprintf("user/u%d", c.zipf(200))
	}
	l := c.call("search", "http", "GET /search", caller, at, use(function.UseAWS, "dynamodb:Query table/goods", int64(500+c.zipf(20_000))))
	q := c.pick(goods...)
	switch {
	case c.once(200):
		q = fmt.Sprintf("%s & %s", c.pick(goods...), c.pick(goods...))
	case c.once(500):
		q += " " + c.pick("(new)", "50%", "#1", "<3", "[sale]", "a=b")
	}
	l.param("query", "q", q)
	l.param("query", "page", fmt.Sprint(1+c.zipf(30)))
	if c.once(6) {
		l.param("query", "sort", c.pick("price", "name", "-price"))
	}
	if c.once(300) {
		l.req.Params[1].Value = c.pick("next", "", "1a") // clients err
	}
	return l
}

func sensor(c *crowd, at time.Time) call {
	device := c.zipf(80)
	l := c.call("sensor", "mqtt", "plant/+/heat", fmt.Sprintf("device/d%d", device), at, use(function.UseQueue, "readings", 200))
	reading := object{"device": fmt.Sprintf("d%d", device), "celsius": 20 + c.rnd.NormFloat64()*4, "at": at.Unix(), "seq": c.n}
	if c.once(100) {
		reading["error"] = c.pick("", "probe", "E-12")
	}
	l.body(reading)
	return l
}

func report(c *crowd, at time.Time) call {
	l := c.call("report", "schedule", "", "service/schedule", at, use(function.UseEgress, "db.internal:5432", int64(100_000+c.zipf(900_000))), use(function.UseSecret, "db", 0),
		use(function.UseDNS, "db.internal", 0), use(function.UseBucket, "reports:write", int64(20_000+c.zipf(300_000))), use(function.UseWrite, fmt.Sprintf("/tmp/report-%d.pdf", 10000+c.n), 0))
	l.body(object{"source": "aws.events", "detail-type": "Scheduled Event", "id": c.uuid(), "time": at.Format(time.RFC3339), "detail": object{}})
	return l
}

// hour calls use for the calls of one hour.
func (a *archetype) hour(c *crowd, h int, use func(call)) {
	for i := range a.perHour {
		use(a.make(c, epoch.Add(time.Duration(h)*time.Hour+time.Duration(i)*time.Hour/time.Duration(a.perHour))))
	}
}
