package host

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var gatewayLine = regexp.MustCompile(`(?m)^gateway +(https://\S+)$`)

// needFunctions starts `redoubt up` where this machine can run functions, and
// returns it with the address of its gateway.
func needFunctions(t *testing.T) (*box, string) {
	t.Helper()
	needHost(t)
	b := up(t)
	deadline := time.Now().Add(30 * time.Second)
	for {
		said := b.log.String()
		if strings.Contains(said, "functions are off") {
			t.Skip("this build or machine has no sandboxes; make build embeds them:\n" + last(said, 5))
		}
		if m := gatewayLine.FindStringSubmatch(said); m != nil {
			return b, m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("no gateway was printed:\n%s", last(said, 20))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// code writes one source file into a folder of its own.
func code(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// invoke calls a function at the gateway as AWS SDKs do, with a bearer token.
func (b *box) invoke(gateway, name, token, event string) (int, string) {
	b.t.Helper()
	ca, err := os.ReadFile(filepath.Join(b.state, "ca.crt"))
	if err != nil {
		b.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodPost, gateway+"/2015-03-31/functions/"+name+"/invocations", bytes.NewBufferString(event))
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// The whole way of a call, by the real program: deploy, call, read the record;
// who was not let in is refused, and stands in the record too.
func TestS8_FunctionsRunFromDeployToRecord(t *testing.T) {
	b, gateway := needFunctions(t)
	ran := 0
	for _, f := range []struct{ runtime, program, file, handler, text string }{
		{"nodejs", "node", "index.js", "index.handler", "exports.handler = async (e) => { console.log('node ran'); return { hello: e.name } }\n"},
		{"python", "python3", "app.py", "app.handler", "def handler(event, context):\n    print('python ran')\n    return {'hello': event['name']}\n"},
	} {
		if _, err := exec.LookPath(f.program); err != nil {
			t.Logf("%s is not installed", f.program)
			continue
		}
		ran++
		name := "host-" + f.runtime
		b.must("function", "deploy", name, "--runtime", f.runtime, "--handler", f.handler, "--timeout", "30", code(t, f.file, f.text))
		out := b.must("function", "invoke", name, "--data", `{"name": "world"}`)
		var answer struct{ Hello string }
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Hello != "world" {
			t.Fatalf("%s answered %q, %v", name, out, err)
		}
		var calls []struct{ Function, Caller, Outcome, Source string }
		if err := json.Unmarshal([]byte(b.must("function", "calls", name, "-o", "json")), &calls); err != nil {
			t.Fatal(err)
		}
		if len(calls) != 1 || calls[0].Caller != "user/system" || calls[0].Outcome != "succeeded" || calls[0].Source != "invoke" {
			t.Errorf("the record of %s is %+v", name, calls)
		}
		if logs := b.must("function", "logs", name); !strings.Contains(logs, "ran") {
			t.Errorf("%s printed %q", name, logs)
		}
	}
	if ran == 0 {
		t.Skip("needs node or python3")
	}

	any := "host-python"
	if _, err := exec.LookPath("python3"); err != nil {
		any = "host-nodejs"
	}
	b.must("principal", "put", "role/web")
	b.must("principal", "put", "role/stranger")
	policy := filepath.Join(t.TempDir(), "web.cedar")
	if err := os.WriteFile(policy, []byte(`permit (principal == Role::"web", action == Action::"function:Invoke", resource in Function::"`+any+`");`), 0o644); err != nil {
		t.Fatal(err)
	}
	b.must("access", "apply", policy, "--name", "web")
	b.must("access", "simulate", "--principal", "role/web", "--action", "invoke", "--resource", any)
	if out, code := b.cli("access", "simulate", "--principal", "role/stranger", "--action", "invoke", "--resource", any); code != 1 {
		t.Errorf("simulate of a stranger exits with %d:\n%s", code, out)
	}
	token := func(who string) string {
		return strings.TrimSpace(b.must("token", "create", "--principal", who, "--ttl", "5m"))
	}
	if status, body := b.invoke(gateway, any, token("role/web"), `{"name": "web"}`); status != 200 || !strings.Contains(body, "web") {
		t.Errorf("who may call got %d %s", status, body)
	}
	if status, body := b.invoke(gateway, any, token("role/stranger"), `{"name": "x"}`); status != 403 {
		t.Errorf("who may not call got %d %s", status, body)
	}
	if status, body := b.invoke(gateway, any, "", `{"name": "x"}`); status != 401 && status != 403 {
		t.Errorf("nobody got %d %s", status, body)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(b.must("function", "calls", any, "--outcome", "denied", "-o", "json"), "role/stranger") {
		if time.Now().After(deadline) {
			t.Fatalf("the refused call is not on record:\n%s", b.must("function", "calls", any, "-o", "json"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// An error of the code is the exit code of who called.
func TestS19_FailedCallExitsWithOne(t *testing.T) {
	b, _ := needFunctions(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3")
	}
	b.must("function", "deploy", "broken", "--runtime", "python", "--handler", "app.handler", "--timeout", "30",
		code(t, "app.py", "def handler(event, context):\n    raise ValueError('as meant')\n"))
	out, exit := b.cli("function", "invoke", "broken")
	if exit != 1 || !strings.Contains(out, "as meant") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
	b.must("function", "disable", "broken", "--reason", "test")
	if out, exit := b.cli("function", "invoke", "broken"); exit != 1 || !strings.Contains(out, "disabled") {
		t.Errorf("a disabled function: exit %d:\n%s", exit, out)
	}
}
