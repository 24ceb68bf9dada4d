package iam

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// A workload's token is a file in its container, as AWS_WEB_IDENTITY_TOKEN_FILE
// names one. It is not taken for calls: it is a proof to exchange. It lives a
// day at most and is replaced well before.
const (
	workloadAudience = "redoubt-workload"
	longestWorkload  = 24 * time.Hour
	workloadLife     = time.Hour
)

// WriteWorkload puts a new token of a principal, usually a role, into a file
// that group and owner may read; the file is there whole or not at all. The
// token is good for an hour.
func (s *Service) WriteWorkload(ctx context.Context, principal, path string) error {
	p, err := s.Principal(principal)
	if err != nil {
		return err
	}
	if p.Disabled {
		return errOut
	}
	t, err := s.issue(workloadType, complete(Caller{Principal: p.ID, Method: ByWorkload}, &p), Ask{Audience: workloadAudience, Life: workloadLife}, longestWorkload)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(t.Text.Reveal())
	if err := errors.Join(err, f.Chmod(0o440), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// KeepWorkload keeps the token in path fresh until ctx ends, then removes it.
// What fails is logged and tried again.
func (s *Service) KeepWorkload(ctx context.Context, principal, path string) {
	defer os.Remove(path)
	for {
		wait := workloadLife / 3
		if err := s.WriteWorkload(ctx, principal, path); err != nil {
			s.c.Log.WarnContext(ctx, "workload token unwritten", "principal", principal, "path", path, "error", err)
			wait = 10 * time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Workload takes the token from such a file.
func (s *Service) Workload(_ context.Context, text string) (Caller, error) {
	c, err := s.verify(workloadType, strings.TrimSpace(text), workloadAudience, longestWorkload)
	c.Expires = time.Time{} // it is renewed; what is made of it has its own end
	return c, err
}

// payloadOf returns the middle of a JWT, unproven.
func payloadOf(text string) ([]byte, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, fault.New(fault.Unauthenticated, "this is no JWT")
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}
