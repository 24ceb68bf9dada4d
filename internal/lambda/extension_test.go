package lambda

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// extend sends a request as an extension and returns status, headers and body.
func extend(t testing.TB, addr, method, path, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+addr+"/2020-01-01/extension/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func TestS8_Extensions(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	status, header, body := extend(t, addr, "POST", "register", `{"events":["INVOKE","SHUTDOWN"]}`, "Lambda-Extension-Name", "watch", "Lambda-Extension-Accept-Feature", "accountId")
	id := header.Get("Lambda-Extension-Identifier")
	if status != 200 || len(id) != 36 || body != `{"accountId":"000000000000","functionName":"orders","functionVersion":"7","handler":"index.handler"}` {
		t.Fatalf("%d %s %s", status, id, body)
	}
	p := dial(t, addr).next()
	// The function is ready only when the extension is.
	waitFor(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.started })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Ready(ctx); err == nil || s.Idle() {
		t.Error("ready without its extension")
	}
	next := make(chan string, 4)
	ask := func() {
		_, h, body := extend(t, addr, "GET", "event/next", "", "Lambda-Extension-Identifier", id)
		if h.Get("Lambda-Extension-Event-Identifier") == "" {
			t.Error("no event identifier")
		}
		next <- body
	}
	go ask()
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s.Idle)
	done := invoke(t, s, "a")
	p.expect("200 in")
	var got struct {
		EventType, RequestID, InvokedFunctionARN string
		DeadlineMs                               int64
		Tracing                                  struct{ Type, Value string }
	}
	if body := <-next; json.Unmarshal([]byte(body), &got) != nil || got.EventType != "INVOKE" || got.RequestID != "a" || got.DeadlineMs == 0 || got.Tracing.Value == "" || got.InvokedFunctionARN == "" {
		t.Errorf("%s", body)
	}
	p.answer("a", "x").expect("202 ")
	<-done
	// Still at work on the last event, it finds the next one when it asks.
	done = begin(t, s, p, "b")
	go ask()
	if body := <-next; !strings.Contains(body, `"requestId":"b"`) {
		t.Error(body)
	}
	p.answer("b", "x").expect("202 ")
	<-done
	over := make(chan struct{})
	go func() { s.Shutdown(t.Context(), "spindown"); close(over) }()
	go ask()
	if body := <-next; !strings.HasPrefix(body, `{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":`) {
		t.Error(body)
	}
	<-over // its connection has closed
}

func TestS8_ExtensionsThatBreakTheRules(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	check := func(wantStatus int, wantType, method, path, body string, headers ...string) {
		t.Helper()
		status, _, got := extend(t, addr, method, path, body, headers...)
		if status != wantStatus || !strings.Contains(got, `"errorType":"`+wantType+`"`) {
			t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, status, got, wantStatus, wantType)
		}
	}
	name := []string{"Lambda-Extension-Name", "x"}
	check(403, "Extension.InvalidExtensionName", "POST", "register", `{"events":[]}`)
	check(400, "Extension.InvalidEventType", "POST", "register", `{"events":["LUNCH"]}`, name...)
	check(400, "InvalidRequestFormat", "POST", "register", `{"events":`, name...)
	check(413, "RequestEntityTooLarge", "POST", "register", strings.Repeat(" ", maxExtension+1), name...)
	check(403, "Extension.MissingExtensionIdentifier", "GET", "event/next", "")
	check(403, "Extension.UnknownExtensionIdentifier", "GET", "event/next", "", "Lambda-Extension-Identifier", "x")
	status, h, _ := extend(t, addr, "POST", "register", "", name...)
	if status != 200 {
		t.Fatal(status)
	}
	id := []string{"Lambda-Extension-Identifier", h.Get("Lambda-Extension-Identifier")}
	check(403, "Extension.AlreadyRegistered", "POST", "register", "", name...)
	check(403, "Extension.MissingHeader", "POST", "init/error", "{}", id...)
	for i := range maxExtensions - 1 {
		extend(t, addr, "POST", "register", "", "Lambda-Extension-Name", strings.Repeat("n", i+2))
	}
	check(403, "Extension.TooManyExtensions", "POST", "register", "", "Lambda-Extension-Name", "another")
	if status, _, body := extend(t, addr, "POST", "init/error", `{"errorMessage":"no"}`, append(id, "Lambda-Extension-Function-Error-Type", "Extension.Bad")...); status != 202 || body != accepted {
		t.Error(status, body)
	}
	if err := s.Ready(t.Context()); err == nil || err.Error() != "Extension.Bad: no" {
		t.Error(err)
	}
	check(403, "Extension.RegistrationClosed", "POST", "register", "", "Lambda-Extension-Name", "late")
	if status, _, _ := extend(t, addr, "POST", "exit/error", `{}`, append(id, "Lambda-Extension-Function-Error-Type", "Extension.Bad")...); status != 202 {
		t.Error(status)
	}
	p := dial(t, addr).next()
	p.expect(`403 {"errorMessage":"initialisation has failed"`)
}
