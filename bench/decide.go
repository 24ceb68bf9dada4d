package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cedar-policy/cedar-go"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// measureDecide times one authorization with 1,000 policies of every kind,
// beside the same policies evaluated one after the other.
func measureDecide(ctx context.Context, l *lab) ([]row, error) {
	cedarText := manyPolicies(1000)
	e, err := newEngine(cedarText)
	if err != nil {
		return nil, err
	}
	q := &access.Request{
		Principal: access.Principal{ID: "user/alice", Groups: []string{"g0", "g5", "g7", "g9"}}, Action: "function:Invoke", Resource: "function/f5:prod",
	}
	indexed, err := each(l.pick(200_000, 5000), func() error {
		d, err := e.Decide(q)
		if err == nil && !d.Allow {
			err = fmt.Errorf("alice was refused")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	linear, err := oneByOne(cedarText, l.pick(5000, 200))
	if err != nil {
		return nil, err
	}
	return []row{{bar: "authorization decision, 1,000 policies, indexed", target: "p99 ≤ 20 µs",
		figure: fmt.Sprintf("p50 %.1f µs, p99 %.1f µs; evaluated one by one p50 %.0f µs, p99 %.0f µs (× %.0f); n=%d and %d, load average %s", indexed.median(), indexed.quantile(0.99),
			linear.median(), linear.quantile(0.99), linear.median()/indexed.median(), len(indexed), len(linear), loadAverage()),
		passed: pass(indexed.quantile(0.99) <= 20)}}, nil
}

// each times calls in microseconds.
func each(n int, call func() error) (series, error) {
	s := make(series, 0, n)
	for i := range n + n/10 {
		began := time.Now()
		err := call()
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if i >= n/10 { // what comes before warms up
			s = append(s, float64(took.Nanoseconds())/1000)
		}
	}
	return s, nil
}

// manyPolicies are of the kinds there are: for groups, roles, functions and
// keys, with conditions and without.
func manyPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "permit (principal in Group::\"g%d\", action in Action::\"function:*\", resource in Function::\"f%d\");\n", i%50, i)
		case 1:
			fmt.Fprintf(&b, "permit (principal == Role::\"r%d\", action == Action::\"function:Invoke\", resource == FunctionVersion::\"f%d:prod\") when { context.mtls };\n", i, i)
		case 2:
			fmt.Fprintf(&b, "permit (principal == Function::\"f%d\", action in [Action::\"bucket:Get\", Action::\"bucket:List\"], resource in Bucket::\"b%d\");\n", i, i)
		case 3:
			fmt.Fprintf(&b, "permit (principal == Key::\"k%d\", action == Action::\"function:Invoke\", resource in Function::\"f%d\") when { context.ip.isInRange(ip(\"10.0.0.0/8\")) };\n", i, i)
		case 4:
			fmt.Fprintf(&b, "forbid (principal in Group::\"g%d\", action == Action::\"function:Delete\", resource in Function::\"f%d\");\n", i%50, i)
		}
	}
	return b.String()
}

// oneByOne asks the Cedar library itself, which knows no index.
func oneByOne(text string, n int) (series, error) {
	all, err := cedar.NewPolicySetFromBytes("bench", []byte(text))
	if err != nil {
		return nil, err
	}
	alice, resource, action := cedar.NewEntityUID("User", "alice"), cedar.NewEntityUID("FunctionVersion", "f5:prod"), cedar.NewEntityUID("Action", "function:Invoke")
	var groups []cedar.EntityUID
	for _, g := range []cedar.String{"g0", "g5", "g7", "g9"} {
		groups = append(groups, cedar.NewEntityUID("Group", g))
	}
	entities := cedar.EntityMap{
		alice:    {UID: alice, Parents: cedar.NewEntityUIDSet(groups...)},
		resource: {UID: resource, Parents: cedar.NewEntityUIDSet(cedar.NewEntityUID("Function", "f5"))},
		action:   {UID: action, Parents: cedar.NewEntityUIDSet(cedar.NewEntityUID("Action", "function:*"))},
	}
	q := cedar.Request{Principal: alice, Action: action, Resource: resource, Context: cedar.NewRecord(nil)}
	return each(n, func() error {
		if may, _ := cedar.Authorize(all, entities, q); !may {
			return fmt.Errorf("alice was refused by the library")
		}
		return nil
	})
}

// measureSign times the check of a request signed as AWS SDKs do.
func measureSign(ctx context.Context, l *lab) ([]row, error) {
	const id, secret, body = "AKIDBENCHBENCHBENCH0", "a secret of the bench that nobody uses", `{"order":7,"items":[1,2,3]}`
	v := sigv4.New(sigv4.Config{Keys: func(context.Context, string, string) (sigv4.Key, error) { return sigv4.Key{Secret: secret}, nil }})
	r, err := newRequest(ctx, "http://gateway.test/2015-03-31/functions/echo/invocations", body)
	if err != nil {
		return nil, err
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	keys := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(ctx, keys, r, hash, "lambda", "eu-west-1", time.Now()); err != nil {
		return nil, err
	}
	text := []byte(body)
	check := func() error {
		r.Body = io.NopCloser(bytes.NewReader(text))
		if _, err := v.Verify(ctx, r, sigv4.Want{Services: []string{"lambda"}}); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r.Body) // nothing is proven before the body's end
		return err
	}
	s, err := each(l.pick(100_000, 3000), check)
	if err != nil {
		return nil, err
	}
	return []row{{bar: "check of a Signature Version 4, with its body", target: "≤ 25 µs", passed: pass(s.median() <= 25),
		figure: fmt.Sprintf("p50 %.1f µs, p99 %.1f µs, n=%d, load average %s", s.median(), s.quantile(0.99), len(s), loadAverage())}}, nil
}
