package iam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// issuer is an OpenID provider on loopback.
type issuer struct {
	url  string
	key  *ecdsa.PrivateKey
	asks atomic.Int32
	down atomic.Bool
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.asks.Add(1)
		if i.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url, "token_endpoint": i.url, "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.url = s.URL
	return i
}

func (i *issuer) token(t testing.TB, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestS2_IDTokens(t *testing.T) {
	ctx, idp := context.Background(), newIssuer(t)
	w := open(t, func(c *iam.Config) {
		c.Issuers = []iam.Issuer{{URL: idp.url, Audience: "redoubt", Claim: "email", Groups: "roles", Map: map[string]string{"eng": "dev"}, Tenant: "org"}}
	})
	good := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": idp.url, "aud": "redoubt", "sub": "1", "email": "alice@shop.test", "email_verified": true, "org": "blue",
			"roles": []string{"eng", "admins"}, "iat": w.clock.now().Unix(), "exp": w.clock.now().Add(time.Hour).Unix()}
		for k, v := range change {
			c[k] = v
		}
		return c
	}
	idp.down.Store(true)
	if _, err := w.IDToken(ctx, idp.token(t, idp.key, good(nil))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("issuer down: %v", err)
	}
	if _, err := w.IDToken(ctx, idp.token(t, idp.key, good(nil))); !fault.Is(err, fault.Unavailable) || idp.asks.Load() != 1 {
		t.Errorf("asked %d times, %v", idp.asks.Load(), err)
	}
	idp.down.Store(false)
	w.clock.move(time.Minute)
	got, err := w.IDToken(ctx, idp.token(t, idp.key, good(nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Caller{Principal: "user/alice@shop.test", Groups: []string{"dev"}, Tenant: "blue", Method: iam.ByOIDC}
	if diff := cmp.Diff(want, got, ignoreEpochs); diff != "" {
		t.Error(diff)
	}
	if err := w.verify(w.token(t, got, iam.Ask{})); err != nil {
		t.Error(err)
	}
	stranger, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	unproven := func(header string) string {
		parts := strings.Split(idp.token(t, idp.key, good(nil)), ".")
		return header + "." + parts[1] + "."
	}
	for name, text := range map[string]string{
		"another's key":       idp.token(t, stranger, good(nil)),
		"expired":             idp.token(t, idp.key, good(map[string]any{"exp": w.clock.now().Add(-2 * time.Minute).Unix()})),
		"not yet":             idp.token(t, idp.key, good(map[string]any{"nbf": w.clock.now().Add(time.Hour).Unix()})),
		"another audience":    idp.token(t, idp.key, good(map[string]any{"aud": "other"})),
		"another issuer":      idp.token(t, idp.key, good(map[string]any{"iss": "https://evil.test"})),
		"e-mail unverified":   idp.token(t, idp.key, good(map[string]any{"email_verified": false})),
		"a name that goes up": idp.token(t, idp.key, good(map[string]any{"email": "../role/web"})),
		"no name":             idp.token(t, idp.key, good(map[string]any{"email": nil})),
		"alg none":            unproven("eyJhbGciOiJub25lIn0"),
		"garbage":             "x.y.z",
	} {
		if _, err := w.IDToken(ctx, text); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Disable(ctx, "admin", "user/alice@shop.test", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.IDToken(ctx, idp.token(t, idp.key, good(nil))); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("disabled here: %v", err)
	}
}

func TestS2_IssuerMustNotTakeALocalName(t *testing.T) {
	ctx, idp := context.Background(), newIssuer(t)
	w := open(t, func(c *iam.Config) { c.Issuers = []iam.Issuer{{URL: idp.url, Audience: "redoubt"}} })
	w.alice(t)
	text := idp.token(t, idp.key, map[string]any{"iss": idp.url, "aud": "redoubt", "sub": "alice", "exp": w.clock.now().Add(time.Hour).Unix(), "iat": w.clock.now().Unix()})
	if _, err := w.IDToken(ctx, text); !fault.Is(err, fault.Denied) {
		t.Errorf("it became the local alice: %v", err)
	}
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "user/alice", Sources: []string{"password", "oidc:" + idp.url}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.IDToken(ctx, text); err != nil {
		t.Errorf("where the administrator says so: %v", err)
	}
	for _, bad := range []iam.Issuer{{URL: "http://id.test", Audience: "x"}, {URL: "https://id.test"}, {URL: "https://id.test", Audience: "x", Kind: "function"}, {URL: "%"}} {
		if _, err := iam.Open(ctx, iam.Config{Store: w.store, Issuers: []iam.Issuer{bad}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// authority makes client certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) issue(t *testing.T, now time.Time, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "web"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		a.cert, a.key = got, key
	}
	return got
}

func TestS2_Certificates(t *testing.T) {
	ctx, now := context.Background(), (&clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}).now()
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	var ours, theirs authority
	pool := x509.NewCertPool()
	pool.AddCert(ours.issue(t, now, ca))
	theirs.issue(t, now, ca)
	web, _ := url.Parse("spiffe://shop/web")
	named := func(c *x509.Certificate) { c.URIs = []*url.URL{web}; c.DNSNames = []string{"web.shop.test"} }
	pinned := (&authority{}).issue(t, now, nil)
	sum := sha256.Sum256(pinned.Raw)
	w := open(t, func(c *iam.Config) {
		c.Certs = iam.Certs{Roots: pool, Rules: []iam.CertRule{
			{Fingerprint: strings.ToUpper(hex.EncodeToString(sum[:])), Principal: "role/legacy"},
			{URI: "spiffe://shop/web", Principal: "role/web", Groups: []string{"front"}},
		}}
	})
	state := func(c *x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	}
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"vouched for":         {ours.issue(t, now, named), "role/web"},
		"by fingerprint":      {pinned, "role/legacy"},
		"of another issuer":   {theirs.issue(t, now, named), ""},
		"of nobody":           {(&authority{}).issue(t, now, named), ""},
		"a name no rule has":  {ours.issue(t, now, nil), ""},
		"a server's":          {ours.issue(t, now, func(c *x509.Certificate) { named(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ""},
		"expired":             {ours.issue(t, now, func(c *x509.Certificate) { named(c); c.NotAfter = now.Add(-time.Minute) }), ""},
		"from the future":     {ours.issue(t, now, func(c *x509.Certificate) { named(c); c.NotBefore = now.Add(time.Minute) }), ""},
		"another fingerprint": {(&authority{}).issue(t, now, nil), ""},
	} {
		c, err := w.Cert(ctx, state(tt.cert))
		if c.Principal != tt.want || tt.want == "" && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %q, %v", name, c.Principal, err)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = state(ours.issue(t, now, named))
	if c, err := w.Identify(ctx, r, iam.Want{}); err != nil || c.Principal != "role/web" || c.Groups[0] != "front" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []iam.CertRule{{Principal: "role/x"}, {Fingerprint: "00", Principal: "role/x"}, {DNS: "a", URI: "b", Principal: "role/x"}, {DNS: "a", Principal: "service/schedule"}, {DNS: "a", Principal: "?"}} {
		if _, err := iam.Open(ctx, iam.Config{Store: w.store, Certs: iam.Certs{Roots: pool, Rules: []iam.CertRule{bad}}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// call makes a real SDK sign an invocation and returns it as the gateway gets it.
func call(t testing.TB, id, secret, session string) *http.Request {
	t.Helper()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		got.Body = http.NoBody
	}))
	defer s.Close()
	l := lambda.New(lambda.Options{Region: "eu-west-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider(id, secret, session)})
	if _, err := l.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("orders")}); err != nil {
		t.Fatal(err)
	}
	return got
}

var want = iam.Want{Audience: iam.Gateway, Services: []string{"lambda"}, Once: true}

func realTime(c *iam.Config) { c.Now = nil }

func TestS5_AccessKeys(t *testing.T) {
	ctx, w := context.Background(), open(t, realTime)
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "user/bob", Groups: []string{"dev"}}); err != nil {
		t.Fatal(err)
	}
	k, secret, err := w.MakeKey(ctx, "admin", iam.NewKey{Kind: iam.AccessKey, Principal: "user/bob", Name: "laptop"})
	if err != nil || len(k.ID) != 20 {
		t.Fatal(k.ID, err)
	}
	if strings.Contains(string(k.Sealed), secret.Reveal()) {
		t.Error("the secret is kept in clear")
	}
	r := call(t, k.ID, secret.Reveal(), "")
	c, err := w.Identify(ctx, r, want)
	if err != nil || c.Principal != "user/bob" || c.Method != iam.BySignature || c.Groups[0] != "dev" || c.Key != k.ID {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := w.Identify(ctx, r, want); sigv4.CodeOf(err) != sigv4.Replayed {
		t.Errorf("replayed: %v", err)
	}
	if _, err := w.Identify(ctx, call(t, k.ID, "wrong", ""), want); sigv4.CodeOf(err) != sigv4.Mismatch {
		t.Errorf("wrong secret: %v", err)
	}
	if _, err := w.Identify(ctx, call(t, "RDKANOBODYNOBODYNOBO", secret.Reveal(), ""), want); sigv4.CodeOf(err) != sigv4.UnknownKey {
		t.Errorf("unknown key: %v", err)
	}
	if _, err := w.Identify(ctx, call(t, k.ID, secret.Reveal(), "rds1.AAAA"), want); sigv4.CodeOf(err) != sigv4.BadToken {
		t.Errorf("made-up session: %v", err)
	}
	if _, err := w.Disable(ctx, "admin", "user/bob", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Identify(ctx, call(t, k.ID, secret.Reveal(), ""), want); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("disabled owner: %v", err)
	}
}

func TestS2_AssumeRole(t *testing.T) {
	ctx := context.Background()
	w := open(t, func(c *iam.Config) {
		c.Now = nil
		c.May = func(_ context.Context, c iam.Caller, role string) error {
			if c.Principal == "user/alice" && role == "role/web" {
				return nil
			}
			return fault.New(fault.Denied, "no")
		}
	})
	for _, role := range []string{"role/web", "role/admin"} {
		if _, err := w.Put(ctx, "admin", iam.Principal{ID: role, Groups: []string{"of-" + role}}); err != nil {
			t.Fatal(err)
		}
	}
	alice := w.alice(t)
	for name, tt := range map[string]struct {
		a    iam.Assume
		kind fault.Kind
	}{
		"not allowed":     {iam.Assume{Role: "role/admin", Session: "s1"}, fault.Denied},
		"another account": {iam.Assume{Role: "arn:aws:iam::123456789012:role/web", Session: "s1"}, fault.Invalid},
		"no role":         {iam.Assume{Role: "user/alice", Session: "s1"}, fault.Invalid},
		"too long":        {iam.Assume{Role: "role/web", Session: "s1", Life: 2 * time.Hour}, fault.Invalid},
		"no name":         {iam.Assume{Role: "role/web", Session: "/"}, fault.Invalid},
	} {
		if _, _, err := w.AssumeRole(ctx, alice, tt.a); !fault.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	given, _, err := w.AssumeRole(ctx, alice, iam.Assume{Role: "arn:aws:iam::000000000000:role/web", Session: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	use := func() (iam.Caller, error) {
		return w.Identify(ctx, call(t, given.ID, given.Secret.Reveal(), given.Session.Reveal()), want)
	}
	c, err := use()
	if err != nil || c.Principal != "role/web" || c.Via != "user/alice" || c.Session != "s1" || c.Groups[0] != "of-role/web" {
		t.Fatalf("%+v, %v", c, err)
	}
	if diff := cmp.Diff(iam.Identity{Account: iam.Account, ARN: "arn:aws:sts::000000000000:assumed-role/web/s1", UserID: "role/web:s1"}, iam.IdentityOf(c)); diff != "" {
		t.Error(diff)
	}
	if _, _, err := w.AssumeRole(ctx, c, iam.Assume{Role: "role/web", Session: "s2"}); !fault.Is(err, fault.Denied) {
		t.Errorf("a chain: %v", err)
	}
	token := w.token(t, c, iam.Ask{})
	other, _, _ := w.AssumeRole(ctx, alice, iam.Assume{Role: "role/web", Session: "s2"})
	if _, err := w.Identify(ctx, call(t, given.ID, given.Secret.Reveal(), other.Session.Reveal()), want); sigv4.CodeOf(err) != sigv4.BadToken {
		t.Errorf("another's session token: %v", err)
	}
	if _, err := w.Identify(ctx, call(t, given.ID, given.Secret.Reveal(), ""), want); sigv4.CodeOf(err) != sigv4.UnknownKey {
		t.Errorf("without session token: %v", err)
	}
	if _, err := w.Revoke(ctx, "admin", "user/alice", "stolen"); err != nil {
		t.Fatal(err)
	}
	if _, err := use(); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("alice was revoked and her role's credentials live: %v", err)
	}
	if err := w.verify(token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("and a token made of them: %v", err)
	}
}

func TestS2_CredentialsEnd(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	w.clock.move(time.Since(w.clock.now()) - 20*time.Minute)
	if _, err := w.Put(ctx, "admin", iam.Principal{ID: "role/web"}); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/token"
	if err := w.WriteWorkload(ctx, "role/web", path); err != nil {
		t.Fatal(err)
	}
	text := readFile(t, path)
	given, c, err := w.AssumeWithToken(ctx, text, iam.Assume{Role: "role/web", Session: "shop", Life: 15 * time.Minute})
	if err != nil || c.Via != "" {
		t.Fatal(c, err)
	}
	if want := w.clock.now().Add(15 * time.Minute); !given.Expires.Equal(want) {
		t.Errorf("ends %s, want %s", given.Expires, want)
	}
	r := call(t, given.ID, given.Secret.Reveal(), given.Session.Reveal())
	if _, _, err := w.AssumeRole(ctx, c, iam.Assume{Role: "role/web", Session: "again"}); !fault.Is(err, fault.Denied) {
		t.Errorf("temporary credentials renewed themselves: %v", err)
	}
	w.clock.move(20 * time.Minute)
	if _, err := w.Signature(ctx, r, sigv4.Want{Services: []string{"lambda"}}); sigv4.CodeOf(err) != sigv4.TokenExpired {
		t.Errorf("got %v", err)
	}
}

func TestS5_OneProofForACall(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	_, key, err := w.MakeKey(ctx, "admin", iam.NewKey{Kind: iam.APIKey, Name: "k"})
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + w.token(t, w.alice(t), iam.Ask{})
	for name, tt := range map[string]struct {
		header http.Header
		want   string
	}{
		"nothing":          {http.Header{}, iam.Anonymous},
		"token":            {http.Header{"Authorization": {bearer}}, "user/alice"},
		"key":              {http.Header{"X-Api-Key": {key.Reveal()}}, w.Keys("")[0].Principal},
		"token and key":    {http.Header{"Authorization": {bearer}, "X-Api-Key": {key.Reveal()}}, ""},
		"two tokens":       {http.Header{"Authorization": {bearer, bearer}}, ""},
		"basic":            {http.Header{"Authorization": {"Basic YTpi"}}, ""},
		"broken token":     {http.Header{"Authorization": {bearer + "x"}}, ""},
		"broken signature": {http.Header{"Authorization": {"AWS4-HMAC-SHA256 x"}}, ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header = tt.header
		c, err := w.Identify(ctx, r, want)
		if c.Principal != tt.want || (tt.want == "") != fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %q, %v", name, c.Principal, err)
		}
	}
}

func TestS2_WhoIsConnectedMustStillBeSomebody(t *testing.T) {
	ctx, w := context.Background(), open(t, nil)
	k, secret, err := w.MakeKey(ctx, "admin", iam.NewKey{Kind: iam.APIKey, Name: "sensor"})
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := w.Key(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	alice := w.alice(t)
	byToken, err := w.Verify(ctx, w.token(t, alice, iam.Ask{}), iam.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []iam.Caller{byKey, alice, byToken} {
		if err := w.Still(c); err != nil {
			t.Errorf("%s: %v", c.Method, err)
		}
	}
	w.clock.move(iam.Longest + time.Second)
	if err := w.Still(byToken); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("after the token's end: %v", err)
	}
	if err := w.Still(alice); err != nil {
		t.Errorf("a password does not end: %v", err)
	}
	if err := w.DeleteKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Still(byKey); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := w.Disable(ctx, "admin", "user/alice", "gone"); err != nil {
		t.Fatal(err)
	}
	if err := w.Still(alice); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("disabled: %v", err)
	}
}
