package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const nodeApp = `
'use strict';
console.log('loaded', typeof awslambda);
let count = 0;
exports.echo = async (event) => event;
exports.nothing = async () => {};
exports.callback = (event, context, callback) => { setTimeout(() => callback(null, { got: event }), 5); };
exports.early = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.wait;
  setTimeout(() => { count = 'timer ran'; }, event.ms);
  callback(null, 'first');
};
exports.never = (event, context, callback) => {};
exports.neverResolves = () => new Promise(() => {});
exports.legacy = (event, context) => { context.succeed({ legacy: event }); };
exports.fails = async (event) => {
  if (event === 'callback') return;
  if (event === 'plain') throw 'just text';
  if (event === 'circular') { const a = {}; a.a = a; return a; }
  const e = new TypeError('it is ' + event); throw e;
};
exports.callbackFails = (event, context, callback) => callback(new RangeError('called back'));
exports.throws = () => { throw new SyntaxError('sync'); };
exports.late = (event) => { if (event === 'timer') setTimeout(() => { throw new Error('later'); }, 1); else Promise.reject(new Error('unseen')); return new Promise(() => {}); };
exports.exits = async () => process.exit(7);
exports.behind = async () => { setTimeout(() => { throw new Error('behind'); }, 5); return 'done'; };
exports.about = async (event, context) => {
  console.log('info %d', 5, { a: 1 }); console.error('bad\nnews');
  const left = context.getRemainingTimeInMillis();
  return { ...context, left: left > 1000 && left < 61000, trace: process.env._X_AMZN_TRACE_ID, env: process.env.MINE, handler: process.env._HANDLER };
};
exports.count = async () => ++count;
exports.nested = { deep: { fn: async () => 'deep' } };
exports.layered = async () => require('layered').name;
exports.stream = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event === 'early') throw new Error('before the first byte');
  if (event === 'http') {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-a': 'b' } });
    stream.write('body'); stream.end(); return;
  }
  stream.setContentType('text/plain');
  stream.write('one,');
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (event === 'middle') throw new Error('after some bytes');
  if (event === 'big') { for (let i = 0; i < 64; i++) if (!stream.write(Buffer.alloc(65536, 'x'))) await new Promise((r) => stream.once('drain', r)); }
  stream.write('two'); stream.end(); await stream.finished;
});
`

func TestS8_Node(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"index.js": nodeApp, "lib/inner.js": "exports.go = async (e) => 'inner ' + e",
		"esm.mjs":          "import os from 'node:os'; const top = await Promise.resolve('top'); export const go = async (e) => top + e + typeof os.cpus; export default { other: async () => 'default' };",
		"mod/package.json": `{"type": "module"}`, "mod/a.js": "export async function go(e) { return 'typed ' + e }",
		"old.cjs": "module.exports.go = async () => 'cjs'",
	}
	layer := map[string]string{"nodejs/node_modules/layered/index.js": "exports.name = 'from a layer'; exports.go = async () => 'a layer answers';"}
	for _, stem := range []bool{false, true} {
		t.Run(fmt.Sprintf("stem=%v", stem), func(t *testing.T) {
			t.Parallel()
			at := func(t *testing.T, handler string) *rig {
				return run(t, plan{runtime: "nodejs", handler: handler, files: files, layer: layer, env: map[string]string{"MINE": "yes"}, stem: stem})
			}
			t.Run("echo", func(t *testing.T) {
				r := at(t, "index.echo")
				for _, payload := range []string{`{"a":[1,2.5,"ü😀",null,true]}`, `"text"`, `null`, `3`, `"` + strings.Repeat("x", 300<<10) + `"`} {
					if got := r.get(payload); got != payload {
						t.Errorf("got %.80s, want %.80s", got, payload)
					}
				}
				if got := r.get(`{"a":`); !strings.HasPrefix(got, "Runtime.UnmarshalError: ") {
					t.Errorf("broken event: %s", got)
				}
				if got := r.get(`1`); got != "1" {
					t.Errorf("after a broken event: %s", got)
				}
			})
			t.Run("context", func(t *testing.T) { nodeContext(t, at(t, "index.about")) })
			t.Run("callbacks", func(t *testing.T) { nodeCallbacks(t, at) })
			t.Run("errors", func(t *testing.T) { nodeErrors(t, at) })
			t.Run("streams", func(t *testing.T) { nodeStreams(t, at(t, "index.stream")) })
			t.Run("modules", func(t *testing.T) {
				for handler, want := range map[string]string{
					"lib/inner.go": `"inner 1"`, "esm.go": `"top1function"`, "esm.other": `"default"`, "mod/a.go": `"typed 1"`,
					"old.go": `"cjs"`, "index.nested.deep.fn": `"deep"`, "index.layered": `"from a layer"`, "layered.go": `"a layer answers"`, "index.nothing": "null",
				} {
					if got := at(t, handler).get("1"); got != want {
						t.Errorf("%s: got %s, want %s", handler, got, want)
					}
				}
			})
		})
	}
}

func nodeContext(t *testing.T, r *rig) {
	e := event("1")
	e.ClientContext = `{"client": {"app_title": "shöp 😀"}}`
	e.Identity = `{"cognitoIdentityId":"me"}`
	e.Tenant = "blue"
	var got map[string]any
	if a := r.ask(e); json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%+v\n%s", a, r.out)
	}
	same(t, got, map[string]any{
		"awsRequestId": e.ID, "functionName": "orders", "functionVersion": "7", "memoryLimitInMB": "256", "invokedFunctionArn": e.ARN,
		"logGroupName": "/aws/lambda/orders", "logStreamName": "stream", "tenantId": "blue", "left": true, "callbackWaitsForEmptyEventLoop": true,
		"clientContext": map[string]any{"client": map[string]any{"app_title": "shöp 😀"}}, "identity": map[string]any{"cognitoIdentityId": "me"},
		"trace": e.Trace, "env": "yes", "handler": "index.about",
	})
	r.printed("Z\t" + e.ID + "\tINFO\tinfo 5 { a: 1 }\n")
	r.printed("\tERROR\tbad\rnews\n")
	r.printed("\tundefined\tINFO\tloaded object\n")
}

func nodeCallbacks(t *testing.T, at func(*testing.T, string) *rig) {
	r := at(t, "index.callback")
	if got := r.get(`7`) + r.get("8"); got != `{"got":7}{"got":8}` {
		t.Error(got)
	}
	for handler, want := range map[string]string{"index.never": "null", "index.neverResolves": "null", "index.legacy": `{"legacy":9}`} {
		r := at(t, handler)
		if got := r.get("9") + r.get("9"); got != want+want {
			t.Errorf("%s: %s", handler, got)
		}
	}
	r = at(t, "index.early")
	if got := r.get(`{"wait":true,"ms":20}`); got != `"first"` {
		t.Error(got)
	}
	// The timer is an hour away: only an answer that does not wait comes.
	if got := r.get(`{"wait":false,"ms":3600000}`); got != `"first"` {
		t.Error(got)
	}
}

func nodeErrors(t *testing.T, at func(*testing.T, string) *rig) {
	r := at(t, "index.fails")
	a := r.ask(event(`"bad"`))
	if a.Error == nil || a.Error.Type != "TypeError" || a.Error.Message != "it is bad" || len(a.Error.Trace) < 2 || !strings.Contains(a.Error.Trace[1], "index.js:") {
		t.Errorf("%+v", a.Error)
	}
	for payload, want := range map[string]string{`"plain"`: "string: just text", `"circular"`: "Runtime.MarshalError: Unable to stringify"} {
		if got := r.get(payload); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for handler, want := range map[string]string{"index.callbackFails": "RangeError: called back", "index.throws": "SyntaxError: sync"} {
		r := at(t, handler)
		if got := r.get("1") + r.get("2"); got != want+want {
			t.Errorf("%s: %s", handler, got)
		}
	}
	// What nobody catches ends the process, and the caller knows why.
	for payload, want := range map[string]string{`"timer"`: "Error: later", `"promise"`: "Runtime.UnhandledPromiseRejection: Error: unseen"} {
		r := at(t, "index.late")
		if got := r.get(payload); got != want {
			t.Errorf("%s: %s", payload, got)
		}
		<-r.gone
	}
	r = at(t, "index.behind")
	if got := r.get("1"); got != `"done"` {
		t.Errorf("behind: %s", got)
	}
	<-r.gone
	if code := r.cmd.ProcessState.ExitCode(); code != 129 {
		t.Errorf("behind: exit status %d\n%s", code, r.out)
	}
	// A process that just goes says nothing: who watches it ends the call.
	r = at(t, "index.exits")
	ctx, cancel := context.WithCancelCause(r.ctx())
	go func() { <-r.gone; cancel(errors.New("process ended")) }()
	if _, err := r.srv.Invoke(ctx, event("1")); err == nil || !strings.Contains(err.Error(), "process ended") {
		t.Errorf("exit: %v", err)
	}
}

func nodeStreams(t *testing.T, r *rig) {
	stream := func(payload string) (string, *Answer, error) {
		e := event(payload)
		e.Stream = true
		a := r.ask(e)
		if a.Stream == nil {
			return "", a, nil
		}
		defer a.Stream.Close()
		b, err := io.ReadAll(a.Stream)
		return string(b), a, err
	}
	if got, a, err := stream(`1`); got != "one,two" || err != nil || a.ContentType != "text/plain" {
		t.Errorf("%q %v %+v", got, err, a)
	}
	if got, a, err := stream(`"http"`); got != `{"statusCode":201,"headers":{"x-a":"b"}}`+"\x00\x00\x00\x00\x00\x00\x00\x00body" || err != nil ||
		a.ContentType != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("%q %v %+v", got, err, a)
	}
	if got, _, err := stream(`"big"`); len(got) != 7+64*65536 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_, a, err := stream(`"early"`)
	if a.Error == nil || a.Error.Message != "before the first byte" || err != nil {
		t.Errorf("%+v %v", a, err)
	}
	got, _, err := stream(`"middle"`)
	var failed *FunctionError
	if got != "one," || !errors.As(err, &failed) || failed.Message != "after some bytes" || failed.Type != "Error" {
		t.Errorf("%q %v", got, err)
	}
	// Who cannot take a stream gets it collected, and the error of one cut short.
	if got := r.get(`1`); got != "one,two" {
		t.Errorf("collected: %q", got)
	}
	if got := r.get(`"middle"`); got != "Error: after some bytes" {
		t.Errorf("collected: %q", got)
	}
	// A reader that goes away does not break the environment.
	e := event(`"big"`)
	e.Stream = true
	r.ask(e).Stream.Close()
	for r.srv.busy() {
		if r.ctx().Err() != nil {
			t.Fatal("still busy")
		}
	}
	if got := r.get(`1`); got != "one,two" {
		t.Errorf("after a reader went away: %q", got)
	}
}

// busy reports whether an invocation is under way.
func (s *Server) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil || s.pending != nil
}

func TestS8_NodeThatCannotStart(t *testing.T) {
	t.Parallel()
	files := map[string]string{"index.js": nodeApp, "broken.js": "exports.go = (", "needs.js": "require('nowhere-to-be-found')", "raises.js": "throw new RangeError('at once')", "value.js": "exports.go = 5"}
	for handler, want := range map[string]string{
		"index.nope": "Runtime.HandlerNotFound: index.nope is undefined or not exported",
		"value.go":   "Runtime.HandlerNotFound: value.go is not a function",
		"missing.go": "Runtime.ImportModuleError: Error: Cannot find module 'missing'",
		"needs.go":   "Runtime.ImportModuleError: Error: Cannot find module 'nowhere-to-be-found'",
		"broken.go":  "Runtime.UserCodeSyntaxError: SyntaxError: ",
		"raises.go":  "RangeError: at once",
	} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			r := run(t, plan{runtime: "nodejs", handler: handler, files: files})
			if got := r.initError(); !strings.HasPrefix(got.Error(), want) {
				t.Errorf("got %s, want %s", got, want)
			}
			<-r.gone
		})
	}
}
