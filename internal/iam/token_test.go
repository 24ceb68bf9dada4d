package iam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
)

func TestS5_TokenInTime(t *testing.T) {
	for name, tt := range map[string]struct {
		move time.Duration
		good bool
	}{
		"at once":                     {0, true},
		"at its end":                  {15 * time.Minute, true},
		"past its end, within a skew": {15*time.Minute + 59*time.Second, true},
		"past the skew":               {16*time.Minute + 2*time.Second, false},
		"clock 59 s behind":           {-59 * time.Second, true},
		"clock 2 min behind":          {-2 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, nil)
			token := w.token(t, w.alice(t), iam.Ask{})
			for range 2 { // the second comes from the cache
				w.clock.move(tt.move)
				if err := w.verify(token); (err == nil) != tt.good || err != nil && !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("got %v", err)
				}
				w.clock.move(-tt.move)
			}
		})
	}
}

func TestS5_TokenIsForItsAudience(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	token := w.token(t, w.alice(t), iam.Ask{Audience: "shop"})
	for range 2 {
		if _, err := w.Verify(ctx, token, iam.Gateway); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "shop") {
			t.Errorf("got %v", err)
		}
		if _, err := w.Verify(ctx, token, "shop"); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Issue(w.alice(t), iam.Ask{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a token for anybody: %v", err)
	}
}

func TestS5_OneTimeToken(t *testing.T) {
	w := open(t, nil)
	once := w.token(t, w.alice(t), iam.Ask{Once: true})
	if err := w.verify(once); err != nil {
		t.Fatal(err)
	}
	if err := w.verify(once); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("used twice: %v", err)
	}
	many := w.token(t, w.alice(t), iam.Ask{})
	for range 3 {
		if err := w.verify(many); err != nil {
			t.Error(err)
		}
	}
	unused := w.token(t, w.alice(t), iam.Ask{Once: true})
	w.clock.move(time.Millisecond)
	w.reopen(t, nil)
	if err := w.verify(unused); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("made before the start: %v", err)
	}
	if err := w.verify(many); err != nil {
		t.Error(err)
	}
}

func TestS5_OnceIsBoundedAndFailsClosed(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	o := iam.NewOnce(2, c.now)
	for key, want := range map[string]fault.Kind{"a": -1, "b": -1} {
		if err := o.Use(key, c.now().Add(time.Minute)); err != nil {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
	if err := o.Use("c", c.now().Add(time.Minute)); !fault.Is(err, fault.Limited) {
		t.Errorf("full: %v", err)
	}
	if err := o.Use("a", c.now().Add(time.Minute)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("again: %v", err)
	}
	c.move(2 * time.Minute)
	for _, key := range []string{"a", "c"} {
		if err := o.Use(key, c.now().Add(time.Minute)); err != nil {
			t.Errorf("after their end: %v", err)
		}
	}
}

// forge makes tokens by hand, as an attacker would.
func forge(t *testing.T, header map[string]any, claims any, sign func(input []byte) []byte) string {
	t.Helper()
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	b := base64.RawURLEncoding
	input := b.EncodeToString(h) + "." + b.EncodeToString(c)
	return input + "." + b.EncodeToString(sign([]byte(input)))
}

func TestS5_ForgedTokens(t *testing.T) {
	w := open(t, nil)
	good := w.token(t, w.alice(t), iam.Ask{})
	parts := strings.Split(good, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	set := w.JWKS()
	kid, ours := set.Keys[0].KeyID, set.Keys[0].Key.(ed25519.PublicKey)
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	theirs := func(in []byte) []byte { return ed25519.Sign(private, in) }
	hmac := func(alg jose.SignatureAlgorithm) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: []byte(ours)}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", kid))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	es, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: ec}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", kid))
	esText, _ := jwt.Signed(es).Claims(claims).Serialize()
	jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}
	head := func(more map[string]any) map[string]any {
		h := map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": kid}
		for k, v := range more {
			h[k] = v
		}
		return h
	}
	none := func([]byte) []byte { return nil }
	attacks := map[string]string{
		"alg none":               forge(t, head(map[string]any{"alg": "none"}), claims, none),
		"alg nOnE":               forge(t, head(map[string]any{"alg": "nOnE"}), claims, none),
		"no signature":           forge(t, head(nil), claims, none),
		"signature cut":          parts[0] + "." + parts[1] + ".",
		"public key as secret":   hmac(jose.HS256),
		"another algorithm":      esText,
		"another's key, our kid": forge(t, head(nil), claims, theirs),
		"key in the header":      forge(t, head(map[string]any{"jwk": jwk}), claims, theirs),
		"address of a key":       forge(t, head(map[string]any{"jku": "http://127.0.0.1/keys", "x5u": "http://127.0.0.1/c"}), claims, theirs),
		"kid is a path":          forge(t, head(map[string]any{"kid": "../../../dev/null"}), claims, theirs),
		"kid is a statement":     forge(t, head(map[string]any{"kid": "x' UNION SELECT 'k"}), claims, theirs),
		"kid is empty":           forge(t, head(map[string]any{"kid": ""}), claims, theirs),
		"kid is a number":        forge(t, head(map[string]any{"kid": 7}), claims, theirs),
		"critical header":        forge(t, head(map[string]any{"crit": []string{"exp"}}), claims, theirs),
		"claims of another":      parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "user/alice", "user/admin", 1))) + "." + parts[2],
		"header of another":      base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+kid+`","x":1}`)) + "." + parts[1] + "." + parts[2],
		"not a token":            "abc",
		"empty":                  "",
		"five parts":             good + ".a.b",
		"json form":              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a megabyte":             strings.Repeat("a", 1<<20),
		"signature padded":       good + "=",
		"last digit":             good[:len(good)-1] + other(good[len(good)-1]),
	}
	for name, text := range attacks {
		if err := w.verify(text); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.verify(good); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}

// other is a digit that differs in bits of the signature.
func other(b byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[(strings.IndexByte(digits, b)+16)%64])
}

func TestS2_Rotation(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	old := w.token(t, w.alice(t), iam.Ask{})
	if err := w.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	w.reopen(t, nil)
	for _, token := range []string{old, w.token(t, w.alice(t), iam.Ask{})} {
		if err := w.verify(token); err != nil {
			t.Error(err)
		}
	}
	set := w.JWKS()
	if len(set.Keys) != 2 {
		t.Fatalf("%d keys", len(set.Keys))
	}
	text, err := json.Marshal(set)
	if err != nil || strings.Contains(string(text), `"d"`) {
		t.Errorf("the key set holds a private part: %s, %v", text, err)
	}
	parsed, err := jwt.ParseSigned(old, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	if err := parsed.Claims(set, &c); err != nil || c.Subject != "user/alice" {
		t.Errorf("others cannot check it by the key set: %v", err)
	}
	w.clock.move(25*time.Hour + time.Minute)
	if err := w.Tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if kept, _ := w.store.Signers(ctx); len(kept) != 2 || len(w.JWKS().Keys) != 2 {
		t.Errorf("%d keys kept: want a new one and one retired just now", len(kept))
	}
	if err := w.verify(old); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("signed by a key that is gone: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	w := open(f, nil)
	good := w.token(f, w.alice(f), iam.Ask{})
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(`{"payload":"e30","signatures":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := w.Verify(context.Background(), text, iam.Gateway)
		if err == nil && !strings.Contains(text, strings.Split(good, ".")[1]) { // base64 has several spellings of a signature
			t.Errorf("accepted %q as %s", text, c.Principal)
		}
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := w.WebIdentity(context.Background(), text); err == nil {
			t.Errorf("accepted %q as a web identity", text)
		}
	})
}

func BenchmarkS2_Verify(b *testing.B) {
	w := open(b, nil)
	caller := w.alice(b)
	token := w.token(b, caller, iam.Ask{})
	b.Run("seen", func(b *testing.B) {
		for b.Loop() {
			if err := w.verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			token := w.token(b, caller, iam.Ask{})
			b.StartTimer()
			if err := w.verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
