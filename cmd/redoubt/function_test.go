package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func detail(name string) api.FunctionDetail {
	spec := function.Spec{Runtime: function.Python, Handler: "app.handler"}.WithDefaults()
	return api.FunctionDetail{
		Function: api.Function{ID: name, State: function.Active, Version: 1, Live: function.All(1)},
		Record: function.Function{
			Name: name, State: function.Active, Aliases: map[string]function.Alias{"live": {Weights: function.All(1)}},
			Versions: []function.Version{{Number: 1, Spec: spec, Code: function.Code{Digest: "sha256:aa", Files: 1}}},
		},
	}
}

func TestI3_DeployChecksBeforeItUploads(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.py", "def handler(e, c): return e")
	bodies := map[string]any{
		"POST /functions/hello/versions?dry": detail("hello"), "POST /functions/hello/versions": detail("hello"), "POST /bundles": api.Bundle{Digest: "sha256:aa"},
	}
	out, asked, err := invoke(t, bodies, "function", "deploy", "hello", "--runtime", "python3.12", "--handler", "app.handler", "--env", "A=b=c", dir)
	want := []string{"GET /functions/hello", "POST /functions/hello/versions?dry", "POST /bundles", "POST /functions/hello/versions"}
	if err != nil || !slices.Equal(asked, want) || !strings.Contains(out, "version 1 deployed, live") {
		t.Errorf("%v, %q: %s", err, asked, out)
	}
	if _, asked, err := invoke(t, bodies, "function", "deploy", "hello", dir); !fault.Is(err, fault.Invalid) || len(asked) != 1 {
		t.Errorf("no runtime: %v, %q", err, asked)
	}
	if _, asked, err := invoke(t, bodies, "function", "deploy", dir); !fault.Is(err, fault.Invalid) || len(asked) != 0 {
		t.Errorf("a folder that describes nothing: %v, %q", err, asked)
	}
}

func TestS24_DeployReadsOthersFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "src/app.py", "def handler(e, c): return e")
	write(t, dir, "template.yaml", `AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: hello, Runtime: python3.12, Handler: app.handler, CodeUri: src/}
`)
	bodies := map[string]any{"POST /functions/hello/versions?dry": detail("hello"), "POST /functions/hello/versions": detail("hello"), "POST /bundles": api.Bundle{Digest: "sha256:aa"}}
	_, asked, err := invoke(t, bodies, "function", "deploy", dir)
	if want := []string{"POST /functions/hello/versions?dry", "POST /bundles", "POST /functions/hello/versions"}; err != nil || !slices.Equal(asked, want) {
		t.Errorf("%v, %q", err, asked)
	}
}

func TestI3_InvokeExitsByTheOutcome(t *testing.T) {
	for outcome, code := range map[function.Outcome]int{function.Succeeded: exitDone, function.Failed: exitRefused, function.TimedOut: exitRefused, function.Crashed: exitRefused} {
		bodies := map[string]any{"POST /functions/hello/invocations": api.Invoked{Payload: `{"a":1}`, Record: function.Invocation{ID: "i", Outcome: outcome}}}
		out, _, err := invoke(t, bodies, "function", "invoke", "hello:live", "--data", "{}")
		if exitCode(err) != code || out != "{\"a\":1}\n" {
			t.Errorf("%s: %v %q", outcome, err, out)
		}
	}
	bodies := map[string]any{"POST /functions/hello/invocations": api.Invoked{Payload: nasty, Lines: []function.Line{{Text: nasty}}, Record: function.Invocation{ID: nasty, Outcome: function.Succeeded}}}
	out, _, err := invoke(t, bodies, "function", "invoke", "hello")
	if err != nil {
		t.Fatal(err)
	}
	harmless(t, out)
}

func TestI3_TokenCreateMakesTwoKinds(t *testing.T) {
	bodies := map[string]any{"POST /principals/role%2Fweb/tokens": api.AccessToken{Principal: "role/web", Secret: "s3cret"}, "POST /tokens": api.NewToken{Secret: "other"}}
	if out, _, err := invoke(t, bodies, "token", "create", "--principal", "role/web", "--ttl", "15m"); err != nil || out != "s3cret\n" {
		t.Errorf("%q %v", out, err)
	}
	if out, _, err := invoke(t, bodies, "token", "create", "ci"); err != nil || out != "other\n" {
		t.Errorf("%q %v", out, err)
	}
	for _, args := range [][]string{{"ci", "--principal", "role/web"}, {"ci", "--ttl", "5m"}, {"--principal", "role/web", "--days", "3"}, {}} {
		if _, asked, err := invoke(t, bodies, append([]string{"token", "create"}, args...)...); !fault.Is(err, fault.Invalid) || len(asked) > 0 {
			t.Errorf("%q: %v, asked %q", args, err, asked)
		}
	}
}

func TestI3_ApplyTakesEveryKind(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.py", "x = 1")
	file := write(t, dir, "all.yaml", `apiVersion: redoubt/v1
kind: Function
metadata: {name: hello}
code: app.py
spec: {runtime: python, handler: app.handler}
---
apiVersion: redoubt/v1
kind: Route
metadata: {name: hello-get}
spec: {method: GET, path: /hello, target: {function: hello}}
---
apiVersion: redoubt/v1
kind: AccessPolicy
metadata: {name: web}
spec:
  cedar: |
    permit (principal == Role::"web", action == Action::"function:Invoke", resource in Function::"hello");
`)
	bodies := map[string]any{
		"POST /functions/hello/versions?dry": detail("hello"), "POST /functions/hello/versions": detail("hello"), "POST /bundles": api.Bundle{Digest: "sha256:aa"},
		"POST /routes?dry": api.RoutesWritten{}, "POST /routes": api.RoutesWritten{Written: true},
		"PUT /access/policies/web?dry": api.AccessPolicy{ID: "web"}, "PUT /access/policies/web": api.AccessPolicy{ID: "web"},
	}
	out, _, err := invoke(t, bodies, "apply", "-f", file)
	if err != nil || out != "function hello created\nroute hello-get created\naccess policy web created\n" {
		t.Errorf("%v\n%s", err, out)
	}
	bad := write(t, dir, "bad.yaml", "apiVersion: redoubt/v1\nkind: Route\nmetadata: {name: x}\nspec: {path: nowhere}\n---\napiVersion: redoubt/v1\nkind: FunctionModel\n")
	_, asked, err := invoke(t, bodies, "apply", "-f", bad)
	if !fault.Is(err, fault.Invalid) || len(asked) > 0 || !strings.Contains(err.Error(), "bad.yaml:4") {
		t.Errorf("%v, asked %q", err, asked)
	}
}

func TestPackKeepsLinksAndLeavesHistoryOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/b.py", "b")
	write(t, dir, ".git/config", "secret")
	if err := os.Symlink("b.py", filepath.Join(dir, "a", "link.py")); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := pack(&b, dir); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if want := []string{"a", "a/b.py", "a/link.py"}; !slices.Equal(names, want) {
		t.Errorf("packed %q, want %q", names, want)
	}
}
