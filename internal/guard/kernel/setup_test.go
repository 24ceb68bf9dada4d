package kernel

import (
	"net/netip"
	"testing"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	nginxDigest   = redoubt.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	netstatDigest = redoubt.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
	shDigest      = redoubt.Digest("sha256:3333333333333333333333333333333333333333333333333333333333333333")
	otherDigest   = redoubt.Digest("sha256:4444444444444444444444444444444444444444444444444444444444444444")
)

var web = redoubt.WorkloadRef{ID: "docker/nginx", Kind: redoubt.KindContainer, Name: "web", Container: "c0ffee000000", Image: "nginx:1.25"}

func rules(t testing.TB, body string) *policy.Set {
	t.Helper()
	ps, problems := policy.Parse([]byte("apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n" + body))
	if problems != nil {
		t.Fatal(problems)
	}
	return policy.NewSet(ps)
}

func connecting(proto redoubt.Proto, to netip.AddrPort) *redoubt.Event {
	return &redoubt.Event{Kind: redoubt.EventConnect, Workload: web, Node: "n1", Count: 1,
		Process: &redoubt.Process{Path: "/usr/sbin/nginx"}, Network: &redoubt.Connection{Proto: proto, Remote: to}}
}
