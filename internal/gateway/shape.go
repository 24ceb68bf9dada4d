package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway/bucket"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/lambda/event"
)

// region stands where AWS's events name theirs.
const region = "local"

func bucketEvent(ch bucket.Change, who, id, from, trigger string) []byte {
	return event.S3(event.Object{
		Event: ch.Event, Time: ch.Object.Modified, Region: region, Bucket: ch.Bucket, Key: ch.Object.Key, Size: ch.Object.Size, ETag: ch.Object.ETag,
		Sequencer: strconv.FormatInt(ch.Object.Modified.UnixNano(), 16), Principal: who, SourceIP: address(from), RequestID: id, Trigger: trigger,
	})
}

func scheduleEvent(id, name string, due time.Time) []byte {
	return event.Scheduled(id, name, region, iam.Account, due)
}

func queueEvent(queue string, all []function.Message) []byte {
	out := make([]event.Message, len(all))
	for i, m := range all {
		out[i] = event.Message{ID: m.ID, Body: string(m.Body), Sent: m.Sent, Count: m.Attempts, Sender: m.Attributes["sender"]}
	}
	return event.SQS("arn:aws:sqs:"+region+":"+iam.Account+":"+queue, region, out...)
}

// event is API Gateway's of the request, in the route's format.
func (v *visit) event() []byte {
	h := event.HTTP{
		ID: v.c.rec.ID, Time: v.c.began, SourceIP: address(v.r.RemoteAddr), Route: v.match.Route.Path, Method: v.match.Route.Method, Stage: v.match.Route.Stage,
		Account: iam.Account, API: "redoubt", Params: v.params(), Caller: v.c.who.Principal,
	}
	r := v.r.Clone(v.r.Context())
	who := map[string]any{"principalId": v.c.who.Principal, "tenant": v.c.who.Tenant, "method": string(v.c.who.Method)}
	if v.c.who.Method != iam.ByNothing {
		for _, secret := range proofs {
			r.Header.Del(secret)
		}
		unprove(r.URL)
	}
	r.Header.Set("X-Amzn-Trace-Id", v.c.trace.header(v.c.rec.ID))
	r.Header.Set("X-Forwarded-For", address(v.r.RemoteAddr))
	if v.match.Route.Payload == "1.0" {
		h.Authorizer = who
		return h.V1(r, v.c.payload)
	}
	h.Authorizer = map[string]any{"lambda": who}
	return h.V2(r, v.c.payload)
}

// proofs are headers that prove a caller to us: they are not the function's.
var proofs = []string{"Authorization", "X-Api-Key", "X-Amz-Security-Token"}

func (v *visit) params() map[string]string {
	all := v.match.Params()
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]string, len(all))
	for _, p := range all {
		out[p.Name] = p.Value
	}
	return out
}

// reply reads a function's answer as HTTP.
func (v *visit) reply(payload []byte) (*event.Response, error) {
	if v.match.Route.Payload == "1.0" {
		return event.Answer1(payload)
	}
	return event.Answer2(payload)
}

// stream passes a function's answer on as it comes.
func (v *visit) stream() error {
	c := v.c
	from := c.result.Stream
	defer from.Close()
	head := &event.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/octet-stream"}}}
	body := c.result.Stream
	if kind := c.result.ContentType; strings.HasPrefix(kind, event.StreamType) {
		h, rest, err := event.Prelude(from)
		if err != nil {
			return refuse(function.Failed, http.StatusBadGateway, "Unhandled", "function %s: %s; request %s", c.rec.Function, err, c.rec.ID)
		}
		head, body = h, joined{rest, from}
	} else if kind != "" && !strings.ContainsAny(kind, "\r\n") {
		head.Header.Set("Content-Type", kind)
	}
	v.head(head.Header)
	v.a.WriteHeader(head.Status)
	return c.streamed(v.a, body, func(b []byte) error { _, err := v.a.Write(b); return err })
}

// quoteJSON writes s as a JSON string.
func quoteJSON(s string) []byte {
	b, _ := json.Marshal(s) // a string: cannot fail
	return b
}
