package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// goBundle builds a function with the library AWS gives its users.
func goBundle(t testing.TB) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go here")
	}
	root := t.TempDir()
	cmd := exec.Command(goTool, "build", "-o", filepath.Join(root, "bootstrap"), "./testdata/goshop")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return root
}

func TestS8_GoByItsOwnLibrary(t *testing.T) {
	t.Parallel()
	root := goBundle(t)
	at := func(handler string) *rig { return run(t, plan{runtime: "provided", handler: handler, root: root}) }
	r := at("bean")
	if got := r.get(`{"name":"a","count":1}`) + r.get(`{"count":-1}`); got != `{"name":"a","count":2}{"name":"","count":0}` {
		t.Error(got)
	}
	r = at("about")
	e := event("1")
	e.Identity, e.ClientContext, e.Tenant = `{"cognitoIdentityId":"me"}`, `{"client":{"app_title":"ü"}}`, "blue"
	var got map[string]any
	if a := r.ask(e); json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%+v\n%s", a.Error, r.out)
	}
	same(t, got, map[string]any{"id": e.ID, "arn": e.ARN, "tenant": "blue", "who": "me", "app": "ü", "name": "orders", "memory": 256.0, "deadline": float64(e.Deadline.UnixMilli()), "trace": e.Trace})

	// The error carries a cause for X-Ray in a header of its own.
	r = at("fail")
	if got := r.get(`"bad"`) + " " + r.get(`"again"`); got != "wrapError: it is bad wrapError: it is again" && got != "errorString: it is bad errorString: it is again" {
		t.Error(got)
	}
	r = at("panic")
	if a := r.ask(event(`"now"`)); a.Error == nil || a.Error.Message != "panicked now" || !strings.Contains(strings.Join(a.Error.Trace, "\n"), "goshop/main.go:") {
		t.Errorf("%q", a.Error.Trace)
	}
	<-r.gone // it exits after a panic, as on Lambda
	goStreams(t, at("stream"))
	goShutdown(t, at("sigterm"))
}

func goStreams(t *testing.T, r *rig) {
	e := event(`"you"`)
	e.Stream = true
	a := r.ask(e)
	b, err := io.ReadAll(a.Stream)
	if string(b) != `{"statusCode":201}`+"\x00\x00\x00\x00\x00\x00\x00\x00hello you" || err != nil || a.ContentType != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("%q %v %s", b, err, a.ContentType)
	}
	e = event(`"broken"`)
	e.Stream = true
	b, err = io.ReadAll(r.ask(e).Stream)
	var failed *FunctionError
	if string(b) != "some" || !errors.As(err, &failed) || failed.Message != "broke off" {
		t.Errorf("%q %v", b, err)
	}
	if got := r.get(`"broken"`); got != "errorString: broke off" {
		t.Errorf("collected: %s", got)
	}
}

// goShutdown: the library registers an internal extension that waits for ever;
// that neither keeps the function from being ready nor idle.
func goShutdown(t *testing.T, r *rig) {
	if err := r.srv.Ready(r.ctx()); err != nil {
		t.Fatal(err)
	}
	if got := r.get(`1`); got != `"served"` {
		t.Error(got)
	}
	for end := time.Now().Add(patience); !r.srv.Idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never idle")
		}
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.printed("terminated in order\n")
}
