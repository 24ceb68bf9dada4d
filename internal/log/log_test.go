package log

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsAreBlankedAtAnyDepth(t *testing.T) {
	var b bytes.Buffer
	l := New(&b, "info", true)
	l.With("api_token", "hunter2").Info("login done", slog.Group("request", slog.String("Password", "hunter2"), slog.String("user", "ann")))
	if s := b.String(); strings.Contains(s, "hunter2") || !strings.Contains(s, `"user":"ann"`) {
		t.Fatalf("log line is %s", s)
	}
}

func TestUnknownLevelIsInfo(t *testing.T) {
	var b bytes.Buffer
	l := New(&b, "loud", false)
	l.Debug("hidden")
	l.Info("shown")
	if s := b.String(); strings.Contains(s, "hidden") || !strings.Contains(s, "shown") {
		t.Fatalf("log is %s", s)
	}
}
