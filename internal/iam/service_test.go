package iam_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/iamtest"
)

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a service with what it stands on.
type world struct {
	*iam.Service
	store *iamtest.Store
	clock *clock
	key   string
	log   *bytes.Buffer
}

func open(t testing.TB, change func(*iam.Config)) *world {
	t.Helper()
	w := &world{store: iamtest.New(), clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, key: filepath.Join(t.TempDir(), "iam.key"), log: &bytes.Buffer{}}
	w.reopen(t, change)
	return w
}

func (w *world) reopen(t testing.TB, change func(*iam.Config)) {
	t.Helper()
	sealer, err := iam.OpenSealer(w.key)
	if err != nil {
		t.Fatal(err)
	}
	c := iam.Config{Store: w.store, Sealer: sealer, Issuer: "https://redoubt.test", Now: w.clock.now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Password: func(_ context.Context, user, password, _ string) error {
			if user != "alice" || password != "right" {
				return fault.New(fault.Unauthenticated, "wrong")
			}
			return nil
		}}
	if change != nil {
		change(&c)
	}
	if w.Service, err = iam.Open(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

func (w *world) alice(t testing.TB) iam.Caller {
	t.Helper()
	c, err := w.Password(context.Background(), "Alice", "right", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) token(t testing.TB, c iam.Caller, ask iam.Ask) string {
	t.Helper()
	if ask.Audience == "" {
		ask.Audience = iam.Gateway
	}
	token, err := w.Issue(c, ask)
	if err != nil {
		t.Fatal(err)
	}
	return token.Text.Reveal()
}

func (w *world) verify(text string) error {
	_, err := w.Verify(context.Background(), text, iam.Gateway)
	return err
}

var ignoreEpochs = cmpopts.IgnoreUnexported(iam.Caller{})

func TestS2_PasswordForToken(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "user/alice", Groups: []string{"dev"}, Tenant: "blue", Sources: []string{"password"}}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Verify(ctx, w.token(t, w.alice(t), iam.Ask{}), iam.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Caller{Principal: "user/alice", Groups: []string{"dev"}, Tenant: "blue", Method: iam.ByPassword, Expires: w.clock.now().Add(15 * time.Minute)}
	if diff := cmp.Diff(want, got, ignoreEpochs); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Password(ctx, "alice", "wrong", ""); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("wrong password: %v", err)
	}
	for _, life := range []time.Duration{16 * time.Minute, -time.Second, time.Millisecond} {
		if _, err := w.Issue(w.alice(t), iam.Ask{Audience: iam.Gateway, Life: life}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a token of %s: %v", life, err)
		}
	}
	if _, err := w.Issue(iam.Nobody(), iam.Ask{Audience: iam.Gateway}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token for nobody: %v", err)
	}
}

// What ends a principal ends its live token at once; the neighbour's lives on.
func TestS5_WhoIsOutIsOutAtOnce(t *testing.T) {
	ctx := context.Background()
	tests := map[string]func(w *world) error{
		"revoked":  func(w *world) error { _, err := w.Revoke(ctx, "admin", "user/alice", "lost laptop"); return err },
		"disabled": func(w *world) error { _, err := w.Disable(ctx, "admin", "user/alice", "left"); return err },
		"removed":  func(w *world) error { return w.Remove(ctx, "admin", "user/alice") },
		"regrouped": func(w *world) error {
			_, err := w.Put(ctx, "admin", iam.Principal{ID: "user/alice", Sources: []string{"password"}})
			return err
		},
		"disabled and enabled": func(w *world) error {
			_, err := w.Disable(ctx, "admin", "user/alice", "")
			if err == nil {
				_, err = w.Enable(ctx, "admin", "user/alice")
			}
			return err
		},
		"removed and made again": func(w *world) error {
			err := w.Remove(ctx, "admin", "user/alice")
			if err == nil {
				_, err = w.Put(ctx, "admin", iam.Principal{ID: "user/alice", Sources: []string{"password"}})
			}
			return err
		},
		"revoked and restarted": func(w *world) error {
			_, err := w.Revoke(ctx, "admin", "user/alice", "")
			w.reopen(t, nil)
			return err
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, nil)
			caller := w.alice(t)
			hers := w.token(t, caller, iam.Ask{})
			neighbour, err := w.Self(ctx, "function/orders")
			if err != nil {
				t.Fatal(err)
			}
			its := w.token(t, neighbour, iam.Ask{})
			if err := w.verify(hers); err != nil {
				t.Fatal(err)
			}
			if err := end(w); err != nil {
				t.Fatal(err)
			}
			if err := w.verify(hers); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("her token still works: %v", err)
			}
			if _, err := w.Issue(caller, iam.Ask{Audience: iam.Gateway}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("a proof from before still makes tokens: %v", err)
			}
			if err := w.verify(its); err != nil {
				t.Errorf("the neighbour's token: %v", err)
			}
			_, err = w.Password(ctx, "alice", "right", "")
			if out := name == "disabled" || name == "removed"; out != fault.Is(err, fault.Unauthenticated) {
				t.Errorf("a new login: %v", err)
			}
		})
	}
}

func TestS5_RevocationThatIsNotWrittenFails(t *testing.T) {
	w := open(t, nil)
	token := w.token(t, w.alice(t), iam.Ask{})
	w.store.Fail(true)
	if _, err := w.Disable(context.Background(), "admin", "user/alice", ""); err == nil {
		t.Error("nobody was told that it did not work")
	}
	w.store.Fail(false)
	if err := w.verify(token); err != nil {
		t.Errorf("half disabled: %v", err)
	}
}

func TestS2_ASourceSpeaksForItsOwnOnly(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "user/alice", Sources: []string{"oidc:https://id.test"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Password(ctx, "alice", "right", ""); !fault.Is(err, fault.Denied) {
		t.Errorf("a local password for somebody else's alice: %v", err)
	}
	for _, id := range []string{"user/alice", "role/web", "anonymous", "function/", "function/a/b", "service/../x", "user/a\nb", "user/" + strings.Repeat("a", 200)} {
		if _, err := w.Self(ctx, id); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q calls itself so: %v", id, err)
		}
	}
	for _, id := range []string{"function/orders", "service/bucket/photos", "service/schedule"} {
		if c, err := w.Self(ctx, id); err != nil || c.Principal != id || c.Method != iam.Inside {
			t.Errorf("%s: %+v, %v", id, c, err)
		}
	}
}

func TestS2_Keys(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	k, whole, err := w.MakeKey(ctx, "admin", iam.NewKey{Kind: iam.APIKey, Name: "shop", Life: time.Hour, Groups: []string{"partners"}})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%v %+v %#v", whole, whole, k) != strings.ReplaceAll(fmt.Sprintf("%v %+v %#v", whole, whole, k), whole.Reveal(), "leak") {
		t.Error("the secret prints itself")
	}
	c, err := w.Key(ctx, whole)
	want := iam.Caller{Principal: "key/" + k.ID, Groups: []string{"partners"}, Method: iam.ByKey, Key: k.ID, Expires: k.Expires}
	if diff := cmp.Diff(want, c, ignoreEpochs); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if used := w.Keys("")[0].Last; !used.Equal(w.clock.now()) {
		t.Errorf("last use is %s", used)
	}
	for name, text := range map[string]string{"another secret": whole.Reveal()[:len(whole)-1] + "!", "another id": "rdk_x" + whole.Reveal()[5:], "id alone": "rdk_" + k.ID + "_", "empty": "", "long": strings.Repeat("x", 1<<20)} {
		if _, err := w.Key(ctx, iam.Secret(text)); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	token := w.token(t, c, iam.Ask{})
	if err := w.SwitchKey(ctx, k.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Key(ctx, whole); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("disabled: %v", err)
	}
	if err := w.verify(token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token made with a key that is disabled since: %v", err)
	}
	if err := w.SwitchKey(ctx, k.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := w.verify(token); err != nil {
		t.Error(err)
	}
	w.reopen(t, nil)
	if _, err := w.Key(ctx, whole); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	w.clock.move(time.Hour)
	if _, err := w.Key(ctx, whole); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("past its end: %v", err)
	}
	keys, _ := w.store.Keys(ctx)
	if bytes.Contains(keys[0].Hash, []byte(whole.Reveal()[len(whole)-20:])) {
		t.Error("the secret is kept")
	}
}

func TestS2_KeyFile(t *testing.T) {
	w := open(t, nil)
	info, err := os.Stat(w.key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(w.key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.OpenSealer(w.key); !fault.Is(err, fault.Invalid) {
		t.Errorf("others may read it: %v", err)
	}
	if err := os.Chmod(w.key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.key, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.OpenSealer(w.key); !fault.Is(err, fault.Invalid) {
		t.Errorf("cut short: %v", err)
	}
	os.Remove(w.key)
	other, err := iam.OpenSealer(w.key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = iam.Open(context.Background(), iam.Config{Store: w.store, Sealer: other, Issuer: "x", Now: w.clock.now})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("another key file: %v", err)
	}
}

func TestS2_Workload(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	path := filepath.Join(t.TempDir(), "token")
	if err := w.WriteWorkload(ctx, "role/web", path); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown role: %v", err)
	}
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "role/web"}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteWorkload(ctx, "role/web", path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Workload(ctx, string(text)+"\n")
	if err != nil || c.Principal != "role/web" || c.Method != iam.ByWorkload {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := w.verify(string(text)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a workload's token is taken for a call: %v", err)
	}
	access := w.token(t, c, iam.Ask{})
	if err := w.verify(access); err != nil {
		t.Error(err)
	}
	if _, err := w.Workload(ctx, access); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a call's token is taken for a workload's: %v", err)
	}
	kept, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	os.Remove(path)
	go func() { defer close(done); w.KeepWorkload(kept, "role/web", path) }()
	for range 1000 {
		if _, err = os.Stat(path); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	<-done
	if err != nil {
		t.Error("it was not written")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it stays behind: %v", err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
