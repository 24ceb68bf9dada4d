package lambda

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const pythonApp = `
import os, json, logging, sys
print("loaded", __name__)
logger = logging.getLogger()
logger.setLevel(logging.INFO)
count = 0

class Odd(Exception):
    pass

def echo(event, context):
    return event

def about(event, context):
    logger.info("logged line")
    print("printed line")
    return {f: getattr(context, f) for f in ("aws_request_id", "function_name", "function_version", "memory_limit_in_mb",
            "invoked_function_arn", "log_group_name", "log_stream_name", "tenant_id")} | {
            "left": context.get_remaining_time_in_millis() > 1000,
            "app": context.client_context and context.client_context.client.app_title,
            "custom": context.client_context and context.client_context.custom,
            "who": context.identity.cognito_identity_id, "trace": os.environ.get("_X_AMZN_TRACE_ID"),
            "env": os.environ["MINE"], "handler": os.environ["_HANDLER"]}

def helper(kind):
    if kind == "exit":
        sys.exit(3)
    if kind == "die":
        os._exit(4)
    raise Odd("it is " + kind)

def fail(event, context):
    return helper(event)

def counts(event, context):
    global count
    count += 1
    return count

def unwritable(event, context):
    return {1, 2}

def binary(event, context):
    from decimal import Decimal
    return {"n": Decimal("12"), "f": Decimal("1.5"), "u": "grüße \U0001f600"}
`

func TestS8_Python(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app.py": pythonApp, "pkg/inner/mod.py": "import sibling\ndef go(e, c): return sibling.NAME + e\n", "sibling.py": "NAME = 'sib-'\n",
		"uses.py": "import layered, deep\ndef go(e, c): return layered.NAME + deep.NAME\n",
	}
	layer := map[string]string{"python/layered.py": "NAME = 'layer'\n", "python/lib/python3.11/site-packages/deep.py": "NAME = '+deep'\n"}
	for _, stem := range []bool{false, true} {
		t.Run(fmt.Sprintf("stem=%v", stem), func(t *testing.T) {
			t.Parallel()
			at := func(t *testing.T, handler string) *rig {
				return run(t, plan{runtime: "python", handler: handler, files: files, layer: layer, env: map[string]string{"MINE": "yes"}, stem: stem})
			}
			t.Run("echo", func(t *testing.T) {
				r := at(t, "app.echo")
				for _, payload := range []string{`{"a": [1, 2.5, "ü", null, true]}`, `"text"`, `null`, `3`, `"` + strings.Repeat("x", 300<<10) + `"`} {
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
			t.Run("context", func(t *testing.T) { pythonContext(t, at(t, "app.about")) })
			t.Run("errors", func(t *testing.T) { pythonErrors(t, at(t, "app.fail")) })
			t.Run("state_is_kept", func(t *testing.T) {
				r := at(t, "app.counts")
				if got := r.get("null") + r.get("null") + r.get("null"); got != "123" {
					t.Errorf("got %s", got)
				}
			})
			t.Run("answers", func(t *testing.T) {
				if got := at(t, "app.unwritable").get("1"); got != "Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON serializable" {
					t.Error(got)
				}
				if got := at(t, "app.binary").get("1"); got != `{"n": 12, "f": 1.5, "u": "grüße 😀"}` {
					t.Error(got)
				}
			})
			t.Run("nested_and_layers", func(t *testing.T) {
				if got := at(t, "pkg/inner/mod.go").get(`"x"`); got != `"sib-x"` {
					t.Error(got)
				}
				if got := at(t, "pkg.inner.mod.go").get(`"x"`); got != `"sib-x"` {
					t.Error(got)
				}
				if got := at(t, "uses.go").get(`1`); got != `"layer+deep"` {
					t.Error(got)
				}
			})
		})
	}
}

func pythonContext(t *testing.T, r *rig) {
	e := event("1")
	e.ClientContext = `{"client": {"app_title": "shöp 😀"}, "custom": {"k": "v"}}`
	e.Identity = `{"cognitoIdentityId":"me"}`
	e.Tenant = "blue"
	var got map[string]any
	if a := r.ask(e); json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%+v\n%s", a, r.out)
	}
	want := map[string]any{
		"aws_request_id": e.ID, "function_name": "orders", "function_version": "7", "memory_limit_in_mb": "256",
		"invoked_function_arn": e.ARN, "log_group_name": "/aws/lambda/orders", "log_stream_name": "stream", "tenant_id": "blue",
		"left": true, "app": "shöp 😀", "custom": map[string]any{"k": "v"}, "who": "me", "trace": e.Trace, "env": "yes", "handler": "app.about",
	}
	same(t, got, want)
	r.printed("Z\t" + e.ID + "\tlogged line\n")
	r.printed("[INFO]\t")
	r.printed("printed line\n")
}

func pythonErrors(t *testing.T, r *rig) {
	a := r.ask(event(`"odd"`))
	if a.Error == nil || a.Error.Type != "Odd" || a.Error.Message != "it is odd" || len(a.Error.Trace) != 2 ||
		!strings.HasPrefix(a.Error.Trace[1], "  File \"") || !strings.Contains(a.Error.Trace[1], "in helper\n    raise Odd(") {
		t.Fatalf("%+v %q", a.Error, a.Error.Trace)
	}
	var doc struct{ RequestID string }
	if err := json.Unmarshal(a.Error.Raw, &doc); err != nil || doc.RequestID == "" {
		t.Errorf("raw %s: %v", a.Error.Raw, err)
	}
	if a := r.ask(event(`"again"`)); a.Error == nil || a.Error.Message != "it is again" {
		t.Errorf("after an error: %+v", a)
	}
}

func TestS8_PythonThatCannotStart(t *testing.T) {
	t.Parallel()
	files := map[string]string{"app.py": pythonApp, "broken.py": "def x(:\n", "needs.py": "import nowhere_to_be_found\n", "raises.py": "raise ValueError('at once')\n", "exits.py": "import sys; sys.exit(5)\n"}
	for handler, want := range map[string]string{
		"app.nothing": "Runtime.HandlerNotFound: Handler 'nothing' missing on module 'app'",
		"missing.go":  "Runtime.ImportModuleError: Unable to import module 'missing': No module named 'missing'",
		"needs.go":    "Runtime.ImportModuleError: Unable to import module 'needs': No module named 'nowhere_to_be_found'",
		"broken.go":   "Runtime.UserCodeSyntaxError: Syntax error in module 'broken': ",
		"raises.go":   "ValueError: at once",
		"exits.go":    "Runtime.ExitError: 5",
	} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			r := run(t, plan{runtime: "python", handler: handler, files: files})
			if got := r.initError(); !strings.HasPrefix(got.Error(), want) {
				t.Errorf("got %s, want %s", got, want)
			}
			<-r.gone
			if got := r.get("1"); !strings.HasPrefix(got, want) {
				t.Errorf("invoke: got %s, want %s", got, want)
			}
		})
	}
}
