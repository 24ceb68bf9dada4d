package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	contract "redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/runner"
)

// accessKey makes a key that signs for a user.
func (g *gate) accessKey(principal string) aws.Credentials {
	g.t.Helper()
	if _, err := g.iam.Put(context.Background(), "test", iam.Principal{ID: principal, Sources: []string{"password"}}); err != nil {
		g.t.Fatal(err)
	}
	k, secret, err := g.iam.MakeKey(context.Background(), "test", iam.NewKey{Kind: iam.AccessKey, Principal: principal, Name: "test"})
	if err != nil {
		g.t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: secret.Reveal()}
}

type static aws.Credentials

func (s static) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(s), nil }

func (g *gate) sdk(c aws.Credentials) *lambda.Client {
	return lambda.New(lambda.Options{BaseEndpoint: aws.String(g.server.URL), Region: "eu-west-1", Credentials: static(c), RetryMaxAttempts: 1})
}

func TestS1_AWSClientInvokes(t *testing.T) {
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		res, err := echo(c)
		res.Lines = []function.Line{{Text: "hello from " + c.Ref.Name}}
		return res, err
	}), nil)
	g.deploy("orders", nil)
	g.permit("user/web function:Invoke function/orders*")
	client := g.sdk(g.accessKey("user/web"))
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail})
	if err != nil {
		t.Fatal(err)
	}
	log, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if string(out.Payload) != `{"a":1}` || out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "1" || out.FunctionError != nil || !strings.Contains(string(log), "hello from orders\n") {
		t.Errorf("got %s, %d, version %s, error %v, log %q", out.Payload, out.StatusCode, aws.ToString(out.ExecutedVersion), out.FunctionError, log)
	}
	arn := "arn:aws:lambda:eu-west-1:000000000000:function:orders"
	if out, err = client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(arn), Qualifier: aws.String("live"), InvocationType: types.InvocationTypeDryRun}); err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %v, %v", out, err)
	}
	if out, err = client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("orders"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`)}); err != nil || out.StatusCode != 202 {
		t.Errorf("event: %v, %v", out, err)
	}
	for _, inv := range g.recorded("orders", 3) {
		if inv.Caller != "user/web" || inv.Outcome != function.Succeeded || inv.Source != "invoke" || inv.Decision == "" || inv.From == "" {
			t.Errorf("record %+v", inv)
		}
	}
}

func TestAWSClientGetsItsErrors(t *testing.T) {
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		switch string(c.Payload) {
		case `"fail"`:
			return &runner.Result{Outcome: function.Failed, Error: &contract.FunctionError{Type: "ValueError", Message: "no", Raw: []byte(`{"errorType":"ValueError","errorMessage":"no"}`)}}, nil
		case `"hang"`:
			return &runner.Result{Outcome: function.TimedOut, Duration: 3 * time.Second}, nil
		case `"crash"`:
			return &runner.Result{Outcome: function.Crashed}, nil
		}
		return nil, throttled(time.Second, "full")
	}), nil)
	g.deploy("orders", nil)
	off := g.deploy("off", nil)
	off.State = function.Disabled
	g.permit("user/web function:Invoke function/*")
	client := g.sdk(g.accessKey("user/web"))
	for payload, says := range map[string]string{`"fail"`: `"ValueError"`, `"hang"`: "Sandbox.Timedout", `"crash"`: "Runtime.ExitError"} {
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte(payload)})
		if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), says) {
			t.Errorf("%s: %+v, %v", payload, out, err)
		}
	}
	call := func(c *lambda.Client, name, payload string) error {
		_, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(payload)})
		return err
	}
	var tooMany *types.TooManyRequestsException
	if err := call(client, "orders", `1`); !errors.As(err, &tooMany) || aws.ToString(tooMany.RetryAfterSeconds) == "" {
		t.Errorf("throttled: %v", err)
	}
	var missing *types.ResourceNotFoundException
	if err := call(client, "nowhere", `1`); !errors.As(err, &missing) {
		t.Errorf("missing: %v", err)
	}
	var bad *types.InvalidRequestContentException
	if err := call(client, "orders", `{`); !errors.As(err, &bad) {
		t.Errorf("not JSON: %v", err)
	}
	for name, want := range map[string]string{"other": "AccessDeniedException"} {
		stranger := g.sdk(g.accessKey("user/stranger"))
		var api smithy.APIError
		if err := call(stranger, "orders", `1`); !errors.As(err, &api) || api.ErrorCode() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	forged := g.accessKey("user/web")
	forged.SecretAccessKey += "x"
	var api smithy.APIError
	if err := call(g.sdk(forged), "orders", `1`); !errors.As(err, &api) || api.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("forged signature: %v", err)
	}
	res, body := g.invoke("off", g.token("web"), `1`)
	status(t, res, body, http.StatusGone)
	want := map[function.Outcome]int{function.Failed: 1, function.TimedOut: 1, function.Crashed: 1, function.Throttled: 1, function.Refused: 1, function.Denied: 2}
	got := map[function.Outcome]int{}
	for _, inv := range g.recorded("orders", 7) {
		got[inv.Outcome]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("outcomes recorded: %v, want %v", got, want)
	}
	if inv := g.recorded("off", 1)[0]; inv.Outcome != function.Gone || inv.Status != 410 {
		t.Errorf("disabled: %+v", inv)
	}
}

func TestAWSClientStreams(t *testing.T) {
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if !c.Stream {
			return succeed(`"whole"`)
		}
		r, w := io.Pipe()
		go func() {
			for i := range 3 {
				fmt.Fprintf(w, "part %d,", i)
			}
			w.Close()
		}()
		return &runner.Result{Outcome: function.Succeeded, Stream: r, ContentType: "text/plain"}, nil
	}), nil)
	g.deploy("story", nil)
	g.permit("user/web function:Invoke function/*")
	out, err := g.sdk(g.accessKey("user/web")).InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("story")})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	var text strings.Builder
	complete := false
	for event := range stream.Events() {
		switch e := event.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			text.Write(e.Value.Payload)
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			complete = e.Value.ErrorCode == nil
		}
	}
	if err := stream.Err(); err != nil || !complete || text.String() != "part 0,part 1,part 2," {
		t.Errorf("got %q, complete %t, %v", text.String(), complete, err)
	}
	if inv := g.recorded("story", 1)[0]; inv.Outcome != function.Succeeded || inv.Out != int64(text.Len()) {
		t.Errorf("record %+v", inv)
	}
}

func TestS2_TokenIsShortLivedAndBoundToItsAudience(t *testing.T) {
	g := newGate(t, code(echo), nil)
	g.deploy("orders", nil)
	g.permit("user/alice function:Invoke function/orders")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:alice-pw"))
	take := func(body string) string {
		res, text := g.ask("POST", "/token", "", body, "Authorization", basic, "Content-Type", "application/json")
		status(t, res, text, 200)
		return between(text, `"access_token":"`, `"`)
	}
	res, body := g.invoke("orders", take(`{"ttl":"5m"}`), `{}`)
	status(t, res, body, 200)
	res, body = g.invoke("orders", take(`{"audience":"other"}`), `{}`)
	status(t, res, body, 401)
	once := take(`{"once":true}`)
	res, body = g.invoke("orders", once, `{}`)
	status(t, res, body, 200)
	res, body = g.invoke("orders", once, `{}`)
	status(t, res, body, 401)
	if res, body := g.ask("POST", "/token", "", `{"ttl":"1h"}`, "Authorization", basic); res.StatusCode != 400 {
		t.Errorf("an hour was given: %d %s", res.StatusCode, body)
	}
	if res, body := g.ask("POST", "/token", "", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("alice:wrong"))); res.StatusCode != 401 {
		t.Errorf("wrong password: %d %s", res.StatusCode, body)
	}
	live := take("")
	if _, err := g.iam.Revoke(context.Background(), "admin", "user/alice", "left"); err != nil {
		t.Fatal(err)
	}
	res, body = g.invoke("orders", live, `{}`)
	status(t, res, body, 401)
	denied := 0
	for _, inv := range g.recorded("orders", 5) {
		if inv.Outcome == function.Denied {
			denied++
		}
	}
	if denied != 3 {
		t.Errorf("%d refusals recorded, want 3", denied)
	}
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

func TestS6_LimitsHoldPerCallerAndFunction(t *testing.T) {
	hold := make(chan struct{})
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if string(c.Payload) == `"wait"` {
			<-hold
		}
		return echo(c)
	}), func(c *Config) { c.Limits = Limits{CallerConcurrent: 1, FunctionRate: 0.001} })
	g.deploy("orders", nil)
	g.deploy("other", nil)
	g.permit("user/* function:Invoke function/*")
	alice, bob := g.token("alice"), g.token("bob")
	var wg sync.WaitGroup
	wg.Go(func() { g.invoke("orders", alice, `"wait"`) })
	eventually(t, "it runs", func() bool { return g.active.Load() == 1 })
	res, body := g.invoke("other", alice, `1`)
	status(t, res, body, 429)
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	res, body = g.invoke("other", bob, `1`)
	status(t, res, body, 200)
	res, body = g.invoke("orders", bob, `1`)
	status(t, res, body, 429) // its rate is used up by alice
	close(hold)
	wg.Wait()
}

func TestRecursionEnds(t *testing.T) {
	var g *gate
	deepest := 0
	g = newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		// What the code of the function does in its sandbox: call itself.
		inside := g.Internal(runner.Caller{Function: "loop", Version: 1, Call: func() (string, string) { return c.ID, c.Trace }, Note: func(function.Use) bool { return true }})
		r, _ := http.NewRequest("POST", "http://x/2015-03-31/functions/loop/invocations", strings.NewReader("{}"))
		w := newRecorder()
		inside.ServeHTTP(w, r)
		deepest++
		return succeed(w.body.String())
	}), nil)
	g.deploy("loop", nil)
	g.permit("user/alice function:Invoke function/*")
	res, body := g.invoke("loop", g.token("alice"), `{}`)
	status(t, res, body, 200)
	if !strings.Contains(body, "recursion") || deepest != maxDepth+1 {
		t.Errorf("ended after %d calls with %s", deepest, body)
	}
	records := g.recorded("loop", maxDepth+2)
	refused := 0
	for _, inv := range records {
		if inv.Outcome == function.Refused {
			refused++
			if inv.Caller != "function/loop" || inv.Parent == "" {
				t.Errorf("record %+v", inv)
			}
		}
	}
	if refused != 1 {
		t.Errorf("%d refusals recorded", refused)
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(s int)           { r.status = s }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
