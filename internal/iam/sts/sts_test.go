package sts_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/iamtest"
	"redoubt.dev/redoubt/internal/iam/sts"
)

type world struct {
	*iam.Service
	url string
	dir string
}

func open(t *testing.T) *world {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	sealer, err := iam.OpenSealer(filepath.Join(dir, "iam.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := iam.Open(ctx, iam.Config{Store: iamtest.New(), Sealer: sealer, Issuer: "https://redoubt.test", Log: slog.New(slog.DiscardHandler),
		May: func(context.Context, iam.Caller, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"role/web", "user/alice"} {
		if _, err := s.Put(ctx, "admin", iam.Principal{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(sts.Handler(s))
	t.Cleanup(server.Close)
	return &world{s, server.URL, dir}
}

// call sends a form, signed where there are credentials, and returns its
// answer's elements by their name.
func (w *world) call(t *testing.T, creds *aws.Credentials, form string) (int, map[string]string) {
	t.Helper()
	r, _ := http.NewRequest("POST", w.url+"/", strings.NewReader(form+"&Version=2011-06-15"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if creds != nil {
		sum := sha256.Sum256([]byte(form + "&Version=2011-06-15"))
		if err := v4.NewSigner().SignHTTP(context.Background(), *creds, r, hex.EncodeToString(sum[:]), "sts", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, name := map[string]string{}, ""
	for d := xml.NewDecoder(resp.Body); ; {
		token, err := d.Token()
		if err == io.EOF {
			return resp.StatusCode, got
		} else if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name = e.Name.Local
		case xml.CharData:
			got[name] = string(e)
		}
	}
}

func TestS2_CredentialsOverTheWire(t *testing.T) {
	ctx, w := context.Background(), open(t)
	k, secret, err := w.MakeKey(ctx, "admin", iam.NewKey{Kind: iam.AccessKey, Principal: "user/alice", Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	alice := &aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: secret.Reveal()}
	if status, got := w.call(t, alice, "Action=GetCallerIdentity"); status != 200 || got["Arn"] != "arn:aws:iam::000000000000:user/alice" {
		t.Errorf("%d %v", status, got)
	}
	const role = "&RoleArn=arn:aws:iam::000000000000:role/web&RoleSessionName=s1"
	status, got := w.call(t, alice, "Action=AssumeRole&DurationSeconds=900"+role)
	if status != 200 || got["AssumedRoleId"] != "role/web:s1" {
		t.Fatalf("%d %v", status, got)
	}
	path := filepath.Join(w.dir, "token")
	if err := w.WriteWorkload(ctx, "role/web", path); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	status, web := w.call(t, nil, "Action=AssumeRoleWithWebIdentity&WebIdentityToken="+url.QueryEscape(string(token))+role)
	if status != 200 {
		t.Fatalf("%d %v", status, web)
	}
	for _, g := range []map[string]string{got, web} {
		temporary := &aws.Credentials{AccessKeyID: g["AccessKeyId"], SecretAccessKey: g["SecretAccessKey"], SessionToken: g["SessionToken"]}
		if status, got := w.call(t, temporary, "Action=GetCallerIdentity"); status != 200 || got["Arn"] != "arn:aws:sts::000000000000:assumed-role/web/s1" {
			t.Errorf("%d %v", status, got)
		}
	}
	for name, tt := range map[string]struct {
		creds  *aws.Credentials
		form   string
		status int
		code   string
	}{
		"not signed":     {nil, "Action=AssumeRole" + role, 403, "MissingAuthenticationToken"},
		"wrong secret":   {&aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: "x"}, "Action=GetCallerIdentity", 403, "SignatureDoesNotMatch"},
		"made-up token":  {nil, "Action=AssumeRoleWithWebIdentity&WebIdentityToken=a.b.c" + role, 403, "AccessDenied"},
		"session policy": {alice, "Action=AssumeRole&Policy=%7B%7D" + role, 400, "InvalidAction"},
		"too long":       {alice, "Action=AssumeRole&DurationSeconds=7200" + role, 400, "ValidationError"},
		"no such role":   {alice, "Action=AssumeRole&RoleArn=role/none&RoleSessionName=s1", 403, "AccessDenied"},
		"another action": {alice, "Action=GetFederationToken", 400, "InvalidAction"},
		"large":          {nil, "Action=GetCallerIdentity&x=" + strings.Repeat("a", 70<<10), 413, "RequestEntityTooLarge"},
	} {
		if status, got := w.call(t, tt.creds, tt.form); status != tt.status || got["Code"] != tt.code {
			t.Errorf("%s: %d %v", name, status, got)
		}
	}
}
