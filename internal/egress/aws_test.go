package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"redoubt.dev/redoubt/internal/fault"
)

// cloud is a stand-in for AWS: it takes every request and remembers it.
type cloud struct {
	mu   sync.Mutex
	seen []string
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	c.mu.Lock()
	c.seen = append(c.seen, fmt.Sprintf("%s %s%s %d", r.Method, r.Host, r.URL.Path, n))
	c.mu.Unlock()
	switch {
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB"):
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprint(w, `{"Item":{"id":{"S":"7"}}}`)
	case strings.HasPrefix(r.Host, "sns"):
		fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
	case strings.Contains(r.Host, "s3") && r.Method == "GET":
		fmt.Fprint(w, "object")
	case strings.HasPrefix(r.Host, "lambda"):
		fmt.Fprint(w, `{"ok":true}`)
	}
}

func (c *cloud) has(t *testing.T, want string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.seen, func(s string) bool { return strings.HasPrefix(s, want) }) {
		t.Errorf("AWS did not see %q, but %q", want, c.seen)
	}
}

func (c *cloud) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// sky is a Proxy that reads calls of a stand-in AWS.
func sky(t *testing.T, grants ...string) (*world, *cloud, *x509.CertPool, *CA) {
	t.Helper()
	c := &cloud{}
	outside := newAuthority(t)
	server := outside.server(t, c)
	ca, err := OpenCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Config{CA: ca, Roots: outside.pool, Dial: func(ctx context.Context, host string, port uint16) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addrOf(server))
	}}, grants...)
	inside := x509.NewCertPool()
	inside.AppendCertsFromPEM(ca.PEM())
	return w, c, inside, ca
}

// client speaks HTTPS with whatever listens at addr, whoever it asks for.
func client(t *testing.T, addr string, roots *x509.CertPool) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func TestS15_RealSDKHoldsToItsGrants(t *testing.T) {
	w, cloud, roots, _ := sky(t, "s3:GetObject photos/public/*", "s3:PutObject photos/up*", "lambda:InvokeFunction function:resize")
	httpClient := client(t, w.serve(443), roots)
	cfg := aws.Config{Region: "eu-west-1", HTTPClient: httpClient, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("ASIAQNZGKIQY56JQ7WML", "secret", "token")}
	ctx := context.Background()
	buckets, functions := s3.NewFromConfig(cfg), lambda.NewFromConfig(cfg)

	get := func(bucket, key string) error {
		out, err := buckets.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		if b, err := io.ReadAll(out.Body); err != nil || string(b) != "object" {
			return fmt.Errorf("%q %w", b, err)
		}
		return nil
	}
	put := func(bucket, key string, size int) error {
		_, err := buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(strings.Repeat("x", size))})
		return err
	}
	invoke := func(name string) error {
		_, err := functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{}`)})
		return err
	}
	for name, err := range map[string]error{
		"get": get("photos", "public/a b"), "put": put("photos", "upload", 10), "put much": put("photos", "up/large", 5<<20), "invoke": invoke("resize"),
	} {
		if err != nil {
			t.Errorf("granted %s: %v", name, err)
		}
	}
	cloud.has(t, "GET photos.s3.eu-west-1.amazonaws.com/public/a b")
	cloud.has(t, "PUT photos.s3.eu-west-1.amazonaws.com/up/large")
	cloud.has(t, "POST lambda.eu-west-1.amazonaws.com/2015-03-31/functions/resize/invocations")
	before := cloud.count()
	for name, err := range map[string]error{
		"get of another key": get("photos", "private/a"), "get of another bucket": get("attacker", "public/a"), "put to another bucket": put("attacker", "up", 3),
		"invoke of another": invoke("payroll"), "list": func() error {
			_, err := buckets.ListBuckets(ctx, &s3.ListBucketsInput{})
			return err
		}(),
	} {
		var api smithy.APIError
		if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode(), "AccessDenied") || !strings.Contains(api.ErrorMessage(), "not granted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := cloud.count() - before; n != 0 {
		t.Errorf("%d refused calls arrived", n)
	}
	if u := w.uses.want(t, KindAWS, "s3:PutObject photos/up/large", true); u.Out < 5<<20 || u.Account != "029608264753" {
		t.Errorf("%+v", u)
	}
	w.uses.want(t, KindAWS, "s3:PutObject attacker/up", false)
	w.uses.want(t, KindAWS, "lambda:InvokeFunction function:payroll", false)
	if s := w.uses.String(); strings.Contains(s, "Signature") || strings.Contains(s, "token") {
		t.Errorf("reported credentials:\n%s", s)
	}
}

func TestS15_CallsAreReadBeforeTheyPass(t *testing.T) {
	w, cloud, roots, _ := sky(t, "dynamodb:GetItem table/orders", "dynamodb:Batch* table/o*", "sns:Publish news account=029608264753",
		"iam:AttachUserPolicy user/bob PolicyArn=arn:aws:iam::aws:policy/Read*", "kms:Decrypt")
	hc := client(t, w.serve(443), roots)
	post := func(host, target, kind, body, key string) (int, string) {
		t.Helper()
		req, err := http.NewRequest("POST", "https://"+host+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if target != "" {
			req.Header.Set("X-Amz-Target", target)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0")
		if len(body) > 1000 {
			req.Header.Set("Expect", "100-continue")
		}
		r, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	const own, other, form, js = "ASIAQNZGKIQY56JQ7WML", "ASIAQNZGKIQY56JQ7WMM", "application/x-www-form-urlencoded", "application/x-amz-json-1.0"
	pad := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		name, host, target, kind, body, key string
		code                                int
	}{
		{"honest get", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"orders"}`, own, 200},
		{"honest get in another region", "dynamodb.eu-west-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"orders"}`, own, 200},
		{"honest large get", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"orders","x":"` + pad + `"}`, own, 200},
		{"other table", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"secrets"}`, own, 403},
		{"other table after a large field", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"orders","x":"` + pad + `","TableName":"secrets"}`, own, 403},
		{"other table beyond what is read", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"orders","x":"` + strings.Repeat("x", maxNamed) + `","TableName":"secrets"}`, own, 403},
		{"other action", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.DeleteTable", js, `{"TableName":"orders"}`, own, 403},
		{"honest batch", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.BatchGetItem", js, `{"RequestItems":{"orders":{},"offers":{}}}`, own, 200},
		{"batch with one too many", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.BatchGetItem", js, `{"RequestItems":{"orders":{},"secrets":{}}}`, own, 403},
		{"table of another account", "dynamodb.us-east-1.amazonaws.com", "DynamoDB_20120810.GetItem", js, `{"TableName":"arn:aws:dynamodb:us-east-1:999999999999:table/orders"}`, own, 403},
		{"honest publish", "sns.us-east-1.amazonaws.com", "", form, "Action=Publish&TopicArn=arn:aws:sns:us-east-1:029608264753:news", own, 200},
		{"publish to another account", "sns.us-east-1.amazonaws.com", "", form, "Action=Publish&TopicArn=arn:aws:sns:us-east-1:999999999999:news", own, 403},
		{"publish with unknown keys", "sns.us-east-1.amazonaws.com", "", form, "Action=Publish&TopicArn=arn:aws:sns:us-east-1:029608264753:news", "AKIAIOSFODNN7EXAMPLE", 403},
		{"honest policy", "iam.amazonaws.com", "", form, "Action=AttachUserPolicy&UserName=bob&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess", own, 200},
		{"policy of an administrator", "iam.amazonaws.com", "", form, "Action=AttachUserPolicy&UserName=bob&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", own, 403},
		{"policy of an administrator among others", "iam.amazonaws.com", "", form, "Action=AttachUserPolicy&UserName=bob&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", own, 403},
		{"honest action on anything", "kms.us-east-1.amazonaws.com", "TrentService.Decrypt", js, `{"CiphertextBlob":"AA"}`, other, 200},
		{"two ways to say it", "sqs.us-east-1.amazonaws.com", "AmazonSQS.SendMessage", form, "Action=DeleteQueue", own, 400},
		{"service without a grant", "glacier.us-east-1.amazonaws.com", "", "", "", own, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := cloud.count()
			code, body := post(c.host, c.target, c.kind, c.body, c.key)
			if code != c.code {
				t.Errorf("%d %s", code, body)
			}
			if passed := cloud.count() > before; passed != (c.code == 200) {
				t.Errorf("arrived: %v", passed)
			}
		})
	}
}

// One connection is for one host, whatever its requests say; and the real host
// must prove itself.
func TestS15_AWSConnectionsAreWhatTheySay(t *testing.T) {
	w, cloud, roots, _ := sky(t, "s3:GetObject photos/*", "s3:GetObject other/*")
	c, err := tls.Dial("tcp", w.serve(443), &tls.Config{ServerName: "photos.s3.amazonaws.com", RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /a HTTP/1.1\r\nHost: other.s3.amazonaws.com\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(b), "421") || cloud.count() != 0 {
		t.Errorf("other host: %q %v", b, err)
	}

	fake := newAuthority(t).server(t, cloud) // no CA the proxy knows
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	w2 := newWorld(t, Config{CA: ca, Roots: newAuthority(t).pool}, "s3:GetObject photos/*")
	w2.at("photos.s3.amazonaws.com:443", addrOf(fake))
	inside := x509.NewCertPool()
	inside.AppendCertsFromPEM(ca.PEM())
	r, err := client(t, w2.serve(443), inside).Get("https://photos.s3.amazonaws.com/a")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 502 || cloud.count() != 0 {
		t.Errorf("AWS that cannot prove itself: %d", r.StatusCode)
	}
	if u := w2.uses.want(t, KindAWS, "s3:GetObject photos/a", true); !strings.Contains(u.Err, "certificate") {
		t.Errorf("%+v", u)
	}
}

// boto3 from inside a namespace, with nothing but the environment a function
// gets.
func TestS15_BotoFromInside(t *testing.T) {
	python := need(t, "python3")
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is not here")
	}
	r := newRoom(t)
	w, cloud, _, ca := sky(t, "dynamodb:GetItem table/orders", "s3:PutObject photos/*", "sns:Publish news")
	w.fill(r)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := r.try([]string{"AWS_CA_BUNDLE=" + bundle, "AWS_ACCESS_KEY_ID=ASIAQNZGKIQY56JQ7WML", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x",
		"AWS_DEFAULT_REGION=eu-west-1", "AWS_MAX_ATTEMPTS=1"}, python, "-c", `
import boto3
from botocore.exceptions import ClientError
d, s, n = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sns")
print("item", d.get_item(TableName="orders", Key={"id": {"S": "7"}})["Item"]["id"]["S"])
s.put_object(Bucket="photos", Key="a", Body=b"x" * 3000000)
print("put")
print("message", n.publish(TopicArn="arn:aws:sns:eu-west-1:029608264753:news", Message="x")["MessageId"])
for f in (lambda: d.get_item(TableName="secrets", Key={"id": {"S": "7"}}), lambda: s.put_object(Bucket="attacker", Key="a", Body=b"x"),
          lambda: n.publish(TopicArn="arn:aws:sns:eu-west-1:999999999999:news", Message="x")):
    try:
        f()
        print("PASSED")
    except ClientError as e:
        print("refused", e.response["Error"]["Code"], e)
`)
	if err != nil || strings.Contains(out, "PASSED") || strings.Count(out, "refused AccessDenied") != 3 || !strings.Contains(out, "dynamodb:GetItem table/secrets") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"item 7", "put", "message m"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	cloud.has(t, "PUT photos.s3.eu-west-1.amazonaws.com/a 30000")
}

func TestCAIsKeptAndBound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, caFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	b, err := OpenCA(dir)
	if err != nil || string(a.PEM()) != string(b.PEM()) {
		t.Fatalf("another CA at the second time: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	for host, want := range map[string]bool{"s3.amazonaws.com": true, "my.bucket.s3.amazonaws.com": true, "bank.example": false, "evilamazonaws.com": false} {
		c, err := a.certificate(host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool}); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
		if again, _ := a.certificate(host); again != c {
			t.Errorf("%s: signed twice", host)
		}
	}
	a.now = func() time.Time { return time.Now().Add(leafLife * 3 / 4) }
	if c, err := a.certificate("s3.amazonaws.com"); err != nil || c.Leaf.NotAfter.Before(time.Now().Add(leafLife)) {
		t.Errorf("old leaf is not renewed: %v", err)
	}
	for i := range maxLeaves + 10 {
		if _, err := a.certificate(fmt.Sprintf("b%d.s3.amazonaws.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.leaves) > maxLeaves {
		t.Errorf("%d leaves", len(a.leaves))
	}

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir); !fault.Is(err, fault.Invalid) {
		t.Errorf("key for everybody: %v", err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte("garbage"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("damaged: %v", err)
	}
}

func TestCAIsOneWhoeverOpensFirst(t *testing.T) {
	dir := t.TempDir()
	got := make(chan string, 8)
	for range 8 {
		go func() {
			ca, err := OpenCA(dir)
			if err != nil {
				got <- err.Error()
				return
			}
			got <- string(ca.PEM())
		}()
	}
	first := <-got
	for range 7 {
		if s := <-got; s != first {
			t.Fatalf("two CAs:\n%s\n%s", first, s)
		}
	}
}
