// Package log makes the one slog handler every role writes through: text for a
// terminal, JSON otherwise, with secrets blanked whatever the call site did.
package log

import (
	"io"
	"log/slog"
	"strings"
)

// New returns a logger that writes to w at level ("debug", "info", "warn" or
// "error"; anything else is info), as JSON lines where json is set.
func New(w io.Writer, level string, json bool) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: l, ReplaceAttr: blank}
	if json {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

var secretWords = []string{"password", "secret", "token", "authorization", "cookie", "csrf", "private"}

// blank hides the value of any attribute whose key speaks of a secret.
func blank(_ []string, a slog.Attr) slog.Attr {
	key := strings.ToLower(a.Key)
	for _, w := range secretWords {
		if strings.Contains(key, w) {
			return slog.String(a.Key, "***")
		}
	}
	return a
}
