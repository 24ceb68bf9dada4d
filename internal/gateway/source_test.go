package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/mochi-mqtt/server/v2/packets"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/runner"
)

// heard is an Invoker that remembers events.
type heard struct {
	mu     sync.Mutex
	events map[string][]string
	answer string
}

func (h *heard) Invoke(_ context.Context, c *runner.Call) (*runner.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.events == nil {
		h.events = map[string][]string{}
	}
	h.events[c.Ref.Name] = append(h.events[c.Ref.Name], string(c.Payload))
	return succeed(h.answer)
}

func (h *heard) of(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events[name])
}

func (g *gate) s3(c aws.Credentials) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: aws.String(g.server.URL), Region: "eu-west-1", Credentials: static(c), UsePathStyle: true, RetryMaxAttempts: 1})
}

func TestS16_ObjectThatArrivesCallsItsFunction(t *testing.T) {
	h := &heard{answer: `null`}
	g := newGate(t, h, nil)
	g.deploy("thumb", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{Bucket: &function.BucketTrigger{Bucket: "photos", Events: []string{"created", "removed"}, Prefix: "in/", Suffix: ".jpg"}}}
	})
	g.permit("user/web bucket:* bucket/photos*")
	client := g.s3(g.accessKey("user/web"))
	ctx := t.Context()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("photos")}); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{"in/a b+ü.jpg": "picture", "in/notes.txt": "text", "out/c.jpg": "other", "../../etc/x.jpg": "escape"} {
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String(key), Body: strings.NewReader(body), Metadata: map[string]string{"of": "test"}}); err != nil {
			t.Fatalf("put %s: %v", key, err)
		}
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("in/a b+ü.jpg")})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(got.Body); string(b) != "picture" || got.Metadata["of"] != "test" {
		t.Errorf("got %q, %v", b, got.Metadata)
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("photos"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)})
	if err != nil || len(list.CommonPrefixes)+len(list.Contents) != 1 || !aws.ToBool(list.IsTruncated) {
		t.Fatalf("list: %+v, %v", list, err)
	}
	var prefixes []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String("photos"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.CommonPrefixes {
			prefixes = append(prefixes, aws.ToString(p.Prefix))
		}
	}
	if fmt.Sprint(prefixes) != "[../ in/ out/]" {
		t.Errorf("prefixes %v", prefixes)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String("in/a b+ü.jpg")}); err != nil {
		t.Fatal(err)
	}
	for _, inv := range g.recorded("thumb", 2) {
		if inv.Caller != "service/bucket/photos" || inv.Source != "bucket" || !inv.Async || inv.Outcome != function.Succeeded {
			t.Errorf("record %+v", inv)
		}
	}
	events := strings.Join(h.of("thumb"), "\n")
	if !strings.Contains(events, `"key":"in%2Fa+b%2B%C3%BC.jpg"`) || !strings.Contains(events, "ObjectCreated:Put") || !strings.Contains(events, "ObjectRemoved:Delete") {
		t.Errorf("events %s", events)
	}
	var api smithy.APIError
	if _, err := g.s3(g.accessKey("user/stranger")).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("in/notes.txt")}); !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" {
		t.Errorf("a stranger read: %v", err)
	}
	var missing *types.NoSuchKey
	if _, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("none")}); !errors.As(err, &missing) {
		t.Errorf("missing key: %v", err)
	}
}

func TestLargeObjectComesInParts(t *testing.T) {
	g := newGate(t, code(echo), func(c *Config) { c.BucketQuota = 3 << 20 })
	g.permit("user/web bucket:* bucket/data*")
	client := g.s3(g.accessKey("user/web"))
	ctx := t.Context()
	name, key := aws.String("data"), aws.String("big/one")
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name}); err != nil {
		t.Fatal(err)
	}
	up, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: name, Key: key, ContentType: aws.String("text/plain")})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	whole := ""
	for i := int32(1); i <= 3; i++ {
		text := strings.Repeat(fmt.Sprint(i), 100_000)
		whole += text
		p, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: name, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(i), Body: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: p.ETag, PartNumber: aws.Int32(i)})
	}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
	g.restart() // what was put is there after a restart
	client = g.s3(g.accessKey("user/web"))
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: key, Range: aws.String("bytes=99999-100000")})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(got.Body); string(b) != "12" {
		t.Errorf("range %q", b)
	}
	link, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != whole {
		t.Errorf("presigned: %d, %d bytes", res.StatusCode, len(b))
	}
	if res, err := http.Get(strings.Replace(link.URL, "big/one", "big/two", 1)); err != nil || res.StatusCode != 403 {
		t.Errorf("a changed link: %v, %v", res, err)
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("huge"), Body: bytes.NewReader(make([]byte, 4<<20))}); err == nil {
		t.Error("a bucket outgrew its quota")
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("small"), Body: strings.NewReader("x")}); err != nil {
		t.Errorf("what failed took its share of the quota along: %v", err)
	}
}

func TestNotificationOfABucketElsewhere(t *testing.T) {
	h := &heard{answer: `null`}
	g := newGate(t, h, nil)
	g.deploy("thumb", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{Bucket: &function.BucketTrigger{Bucket: "far"}}}
	})
	g.permit("user/minio bucket:Put bucket/far")
	body := `{"Records":[{"eventName":"s3:ObjectCreated:Put","eventTime":"2026-01-02T03:04:05Z","s3":{"bucket":{"name":"far"},"object":{"key":"a%2Fb","size":3}}}]}`
	res, text := g.ask("POST", "/events/s3/far", g.token("minio"), body)
	status(t, res, text, 202)
	res, text = g.ask("POST", "/events/s3/near", g.token("minio"), body)
	status(t, res, text, 403)
	g.recorded("thumb", 1)
	if e := h.of("thumb"); !strings.Contains(e[0], `"key":"a%2Fb"`) {
		t.Errorf("event %s", e)
	}
}

func TestScheduleCalls(t *testing.T) {
	h := &heard{answer: `null`}
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 7, 59, 30, 0, time.UTC)
	g := newGate(t, h, func(c *Config) { c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now } })
	g.deploy("report", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{Schedule: &function.ScheduleTrigger{When: "cron(0 8 * * ? *)"}}}
	})
	if n := len(h.of("report")); n != 0 {
		t.Fatalf("called %d times before its time", n)
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	inv := g.recorded("report", 1)[0]
	if inv.Caller != "service/schedule/report" || inv.Source != "schedule" || inv.Route != "schedule cron(0 8 * * ? *)" || !strings.Contains(h.of("report")[0], "2026-01-01T08:00:00Z") {
		t.Errorf("record %+v, event %v", inv, h.of("report"))
	}
}

func TestQueueHandsBatchesAndTakesFailuresBack(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		var e struct {
			Records []struct{ MessageID, Body string }
		}
		if err := json.Unmarshal(c.Payload, &e); err != nil {
			return nil, err
		}
		var bad []map[string]string
		mu.Lock()
		defer mu.Unlock()
		for _, r := range e.Records {
			if seen[r.Body]++; r.Body == "poison" || r.Body == "late" && seen[r.Body] < 2 {
				bad = append(bad, map[string]string{"itemIdentifier": r.MessageID})
			}
		}
		return succeed(compact(t, map[string]any{"batchItemFailures": bad}))
	}), nil)
	g.deploy("mailer", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{Queue: &function.QueueTrigger{Queue: "mail", Batch: 5}}}
		s.Async.DeadLetter, s.Async.Retries = "queue/dead", 1
	})
	g.permit("user/web queue:Send queue/mail", "user/web queue:Receive queue/dead")
	web := g.token("web")
	for _, m := range []string{"one", "two", "late", "poison"} {
		res, body := g.ask("POST", "/queues/mail/messages", web, m)
		status(t, res, body, 202)
	}
	var body string
	eventually(t, "the dead letter", func() bool {
		var res *http.Response
		res, body = g.ask("GET", "/queues/dead/messages?max=5&lease=1", web, "")
		status(t, res, body, 200)
		return strings.Contains(body, "poison")
	})
	eventually(t, "the queue is empty", func() bool { return len(g.queues.bodies("mail")) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if seen["one"] != 1 || seen["two"] != 1 || seen["late"] != 2 || seen["poison"] != 2 {
		t.Errorf("seen %v", seen)
	}
	res, text := g.ask("POST", "/queues/dead/messages", web, "x")
	status(t, res, text, 403)
	for _, inv := range g.records.list("mailer") {
		if inv.Caller != "service/queue/mail" || inv.Source != "queue" {
			t.Errorf("record %+v", inv)
		}
	}
}

// sensor is a small MQTT client.
type sensor struct {
	t testing.TB
	c net.Conn
}

func (s *sensor) send(encode func(*bytes.Buffer) error) {
	s.t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.c.Write(b.Bytes()); err != nil {
		s.t.Fatal(err)
	}
}

// answer reads one packet and returns its type and what follows the length.
func (s *sensor) answer() (kind byte, rest []byte) {
	s.t.Helper()
	s.c.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 2)
	if _, err := io.ReadFull(s.c, head); err != nil {
		return 0, nil
	}
	rest = make([]byte, head[1])
	io.ReadFull(s.c, rest)
	return head[0] >> 4, rest
}

func connect(t testing.TB, addr, name, secret string) (*sensor, bool) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &sensor{t, c}
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: name, UsernameFlag: true, Username: []byte(name), PasswordFlag: true, Password: []byte(secret)}}
	s.send(pk.ConnectEncode)
	kind, rest := s.answer()
	return s, kind == packets.Connack && len(rest) > 1 && rest[1] == 0
}

func TestSensorReadingCallsItsFunction(t *testing.T) {
	h := &heard{answer: `null`}
	g := newGate(t, h, nil)
	g.deploy("heat", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{MQTT: &function.MQTTTrigger{Topic: "plant/+/heat"}}}
	})
	g.permit("user/sensor topic:Publish topic/plant/*")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.ServeMQTT(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if _, ok := connect(t, l.Addr().String(), "sensor", "wrong"); ok {
		t.Error("a wrong password was taken")
	}
	s, ok := connect(t, l.Addr().String(), "sensor", "sensor-pw")
	if !ok {
		t.Fatal("refused")
	}
	for i, topic := range []string{"plant/1/heat", "plant/1/2/heat", "office/1/heat"} {
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, ProtocolVersion: 4, PacketID: uint16(i + 1), TopicName: topic, Payload: []byte(`{"c":21.5}`)}
		s.send(pk.PublishEncode)
		s.answer()
	}
	inv := g.recorded("heat", 1)[0]
	if inv.Caller != "service/mqtt/heat" || inv.Source != "mqtt" || inv.Route != "mqtt plant/+/heat" {
		t.Errorf("record %+v", inv)
	}
	if e := h.of("heat"); !strings.Contains(e[0], `"topic":"plant/1/heat"`) || !strings.Contains(e[0], `"c":21.5`) {
		t.Errorf("event %v", e)
	}
}

func TestTopicMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/+", "a/b", true}, {"a/+", "a/b/c", false}, {"a/#", "a/b/c", true}, {"a/#", "a", true}, {"#", "a/b", true}, {"#", "$SYS/x", false},
		{"+", "a", true}, {"+", "a/b", false}, {"+/+", "/a", true}, {"a/#/b", "a/x/b", false}, {"a", "b", false}, {"a/b", "a", false},
	} {
		if got := topicMatches(c.filter, c.topic); got != c.want {
			t.Errorf("topicMatches(%q, %q) = %t", c.filter, c.topic, got)
		}
	}
}

func TestCodeUsesBucketsAndQueuesByItsRole(t *testing.T) {
	g := newGate(t, code(echo), nil)
	g.deploy("orders", nil)
	if err := g.buckets.Create("photos"); err != nil {
		t.Fatal(err)
	}
	var noted []function.Use
	inside := g.Internal(runner.Caller{Function: "orders", Version: 1, Call: func() (string, string) { return "", "" }, Note: func(u function.Use) bool {
		noted = append(noted, u)
		return u.Target == "photos:read" || u.Target == "mail"
	}})
	ask := func(method, path, body string) int {
		r, err := http.NewRequest(method, "http://redoubt"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "127.0.0.1:1"
		w := newRecorder()
		inside.ServeHTTP(w, r)
		return w.status
	}
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/buckets/photos?list-type=2", 0}, {"PUT", "/buckets/photos/x", 403}, {"GET", "/buckets", 403}, {"POST", "/queues/mail/messages", 202},
		{"POST", "/queues/other/messages", 403}, {"GET", "/queues/mail/messages", 403}, {"POST", "/2015-03-31/functions/orders/invocations", 403},
	} {
		if got := ask(c.method, c.path, `{}`); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
	g.rules.mu.Lock()
	g.rules.forbid = []string{"function/orders queue:Send queue/mail"}
	g.rules.mu.Unlock()
	if got := ask("POST", "/queues/mail/messages", `{}`); got != 403 {
		t.Errorf("a policy that forbids what the role grants: %d", got)
	}
	if _, err := g.iam.Disable(context.Background(), "admin", "function/orders", "test"); err != nil {
		t.Fatal(err)
	}
	if got := ask("GET", "/buckets/photos?list-type=2", ""); got == 0 || got == 200 {
		t.Errorf("a disabled function was served: %d", got)
	}
	if len(noted) != 6 {
		t.Errorf("noted %+v", noted)
	}
}

func TestS2_STSGivesTemporaryCredentials(t *testing.T) {
	g := newGate(t, code(echo), nil)
	creds := g.accessKey("user/web")
	ask := func(c aws.Credentials, form string) (int, string) {
		r, err := http.NewRequest("POST", g.server.URL+"/", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sum := sha256.Sum256([]byte(form))
		if err := v4.NewSigner().SignHTTP(t.Context(), c, r, hex.EncodeToString(sum[:]), "sts", "eu-west-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	if code, body := ask(creds, "Action=GetCallerIdentity&Version=2011-06-15"); code != 200 || !strings.Contains(body, "<Arn>arn:aws:iam::"+iam.Account+":user/web</Arn>") {
		t.Errorf("identity: %d %s", code, body)
	}
	if code, body := ask(creds, "Action=AssumeRole&RoleArn=role/admin&RoleSessionName=test"); code < 400 || code > 499 || !strings.Contains(body, "<Code>") {
		t.Errorf("a role nobody may assume: %d %s", code, body)
	}
	creds.SecretAccessKey += "x"
	if code, body := ask(creds, "Action=GetCallerIdentity"); code < 400 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("forged: %d %s", code, body)
	}
}
