package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"redoubt.dev/redoubt/internal/fault"
)

func mustRead(t testing.TB, wire io.Reader) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(wire))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The example that AWS publishes for an upload in signed chunks, from
// docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html.
func TestS5_PublishedExampleOfChunks(t *testing.T) {
	date := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	v := New(Config{
		Keys: func(context.Context, string, string) (Key, error) {
			return Key{Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
		},
		Now: func() time.Time { return date },
	})
	build := func(second string) *http.Request {
		body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) +
			"\r\n400;chunk-signature=" + second + "\r\n" + strings.Repeat("a", 1024) +
			"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
		r, err := http.NewRequest("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{
			"X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY", "Content-Encoding": "aws-chunked",
			"X-Amz-Content-Sha256": chunks, "X-Amz-Decoded-Content-Length": "66560",
			"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
		} {
			r.Header.Set(k, v)
		}
		if r.ContentLength != 66824 {
			t.Fatalf("the example is %d bytes long", r.ContentLength)
		}
		return r
	}
	good := "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
	r := build(good)
	if _, err := v.Verify(context.Background(), r, either); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != strings.Repeat("a", 66560) || r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("read %d bytes of %d, %v", len(body), r.ContentLength, err)
	}
	r = build("1" + good[1:])
	if _, err := v.Verify(context.Background(), r, either); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); CodeOf(err) != Mismatch {
		t.Errorf("a chunk signed by somebody else: %v", err)
	}
}

// upload makes a signed request whose body is cut into parts, each signed.
func upload(t testing.TB, parts []string, trailer string) (*http.Request, string) {
	t.Helper()
	kind, content := chunks, strings.Join(parts, "")
	if trailer != "" {
		kind = chunksTrailer
	}
	r, _ := http.NewRequest("PUT", "http://gw.test/photos/x", nil)
	r.Header.Set("X-Amz-Content-Sha256", kind)
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(content)))
	r.Header.Set("Content-Encoding", "aws-chunked,gzip")
	if trailer != "" {
		r.Header.Set("X-Amz-Trailer", trailer)
	}
	creds := aws.Credentials{AccessKeyID: testID, SecretAccessKey: testSecret}
	err := v4.NewSigner().SignHTTP(context.Background(), creds, r, kind, "s3", "eu-west-1", testNow, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		t.Fatal(err)
	}
	_, prev, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	key := New(Config{}).key(&claim{day: "20260301", region: "eu-west-1", service: "s3"}, testSecret)
	head := "\n20260301T120000Z\n20260301/eu-west-1/s3/aws4_request\n"
	next := func(kind, rest string) string {
		m := mac(key[:], kind+head+prev+"\n"+rest)
		prev = hex.EncodeToString(m[:])
		return prev
	}
	var b strings.Builder
	for _, p := range append(parts, "") {
		sig := next("AWS4-HMAC-SHA256-PAYLOAD", emptyHash+"\n"+sum(p))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(p), sig, p)
		if p != "" {
			b.WriteString("\r\n")
		}
	}
	if trailer != "" {
		c := crc32.NewIEEE()
		io.WriteString(c, content)
		line := trailer + ":" + base64.StdEncoding.EncodeToString(c.Sum(nil))
		fmt.Fprintf(&b, "%s\r\nx-amz-trailer-signature:%s\r\n", line, next("AWS4-HMAC-SHA256-TRAILER", sum(line+"\n")))
	}
	return r, b.String() + "\r\n"
}

func TestS5_Chunks(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	swapped := func(s string) string {
		first, rest, _ := strings.Cut(s, "hello\r\n")
		second, rest, _ := strings.Cut(rest, "world\r\n")
		return second + "world\r\n" + first + "hello\r\n" + rest
	}
	replace := func(old, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, to, 1) }
	}
	cut := func(from string) func(string) string {
		return func(s string) string { return s[:strings.Index(s, from)] }
	}
	tests := map[string]struct {
		trailer string
		change  func(string) string
		want    Code
	}{
		"honest":                  {change: replace("", "")},
		"honest with trailer":     {trailer: crc, change: replace("", "")},
		"data changed":            {change: replace("hello", "hellO"), want: Mismatch},
		"chunks swapped":          {change: swapped, want: Mismatch},
		"cut in a chunk":          {change: cut("lo\r\n"), want: BadPayload},
		"cut after a chunk":       {change: cut("5;chunk"), want: BadPayload},
		"last chunk gone":         {change: cut("0;chunk"), want: BadPayload},
		"bytes behind":            {change: func(s string) string { return s + "GET / HTTP/1.1\r\n" }, want: BadPayload},
		"not signed":              {change: replace(";chunk-signature=", ";chunk-xignature="), want: BadPayload},
		"size too large":          {change: replace("5;chunk", "fffffff;chunk"), want: BadPayload},
		"size negative":           {change: replace("5;chunk", "-5;chunk"), want: BadPayload},
		"size overflows":          {change: replace("5;chunk", "ffffffffffffffff5;chunk"), want: BadPayload},
		"size shorter than data":  {change: replace("5;chunk", "4;chunk"), want: BadPayload},
		"line without end":        {change: replace("5;chunk", strings.Repeat("0", 2000)), want: BadPayload},
		"trailer changed":         {trailer: crc, change: replace(crc+":", crc+":A"), want: Mismatch},
		"trailer gone":            {trailer: crc, change: func(s string) string { return s[:strings.Index(s, crc)] + "\r\n" }, want: BadPayload},
		"trailer's signature off": {trailer: crc, change: func(s string) string { return s[:strings.Index(s, "x-amz-trailer-s")] + "\r\n" }, want: Mismatch},
		"trailer of another name": {trailer: crc, change: replace(crc, "x-amz-checksum-sha1"), want: BadPayload},
		"trailer twice":           {trailer: crc, change: replace(crc, crc+":AAAA\r\n"+crc), want: BadPayload},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, body := upload(t, []string{"hello", "world"}, tt.trailer)
			body = tt.change(body)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			if _, err := newTest(t, nil).Verify(context.Background(), r, either); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			if CodeOf(err) != tt.want || err == nil && (string(got) != "helloworld" || r.Header.Get("Content-Encoding") != "gzip") {
				t.Errorf("got %q, %q (%v), want %q", got, CodeOf(err), err, tt.want)
			}
			if _, again := r.Body.Read(make([]byte, 1)); again == nil {
				t.Error("goes on after its end")
			}
		})
	}
}

func TestS5_ChunksNobodySignedCarryAChecksum(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want Code
	}{
		"honest":         {"5\r\nhello\r\n0\r\nx-amz-checksum-sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\n\r\n", ""},
		"changed":        {"5\r\nhellO\r\n0\r\nx-amz-checksum-sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\n\r\n", BadChecksum},
		"with extension": {"5;x=y\r\nhello\r\n0\r\n\r\n", BadPayload},
	} {
		c, err := newChunked(io.NopCloser(strings.NewReader(tt.body)), 5, "x-amz-checksum-sha256")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); CodeOf(err) != tt.want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := newChunked(http.NoBody, 5, "x-amz-checksum-md4"); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

func FuzzChunks(f *testing.F) {
	for _, trailer := range []string{"", "x-amz-checksum-crc32"} {
		_, body := upload(f, []string{"hello", "world"}, trailer)
		f.Add([]byte(body), 10, trailer, true)
	}
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 5, "x-amz-checksum-crc32", false)
	f.Fuzz(func(t *testing.T, body []byte, size int, trailer string, signed bool) {
		c, err := newChunked(io.NopCloser(bytes.NewReader(body)), int64(max(size, 0)), trailer)
		if err != nil {
			return
		}
		if signed {
			c.signer = &chunkSigner{key: sha256.Sum256(nil), date: "20260301T120000Z", scope: "s", prev: "p"}
		}
		got, err := io.ReadAll(c)
		if len(got) > max(size, 0) {
			t.Errorf("read %d bytes where %d were announced", len(got), size)
		}
		if err == nil && (signed || len(got) != max(size, 0)) {
			t.Errorf("accepted %q as %q", body, got)
		}
	})
}
