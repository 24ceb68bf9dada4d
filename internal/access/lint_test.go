package access

import (
	"slices"
	"testing"
)

func TestS4_Lint(t *testing.T) {
	known := Known{Principals: []Principal{{ID: "user/alice", Groups: []string{"dev"}}, {ID: "role/web"}, {ID: "function/orders"}}, Resources: []string{"function/orders", "bucket/photos", "secret/db", "role/web"}}
	for name, tt := range map[string]struct {
		cedar string
		check string // that has to find something
		twin  string // in which it must not
	}{
		"everything":     {`permit (principal, action, resource);`, "everything", `permit (principal == User::"alice", action, resource);`},
		"anonymous":      {`permit (principal, action == Action::"function:Invoke", resource in Function::"orders");`, "anonymous", `permit (principal, action == Action::"function:Invoke", resource in Function::"orders") when { principal is User };`},
		"named so":       {`permit (principal == Anonymous::"anonymous", action == Action::"function:Invoke", resource in Function::"orders");`, "anonymous", `forbid (principal, action == Action::"function:Invoke", resource in Function::"orders");`},
		"any action":     {`permit (principal == Role::"web", action, resource in Function::"orders");`, "any-action", `forbid (principal == Role::"web", action, resource in Function::"orders");`},
		"any resource":   {`permit (principal == Role::"web", action == Action::"function:Invoke", resource);`, "any-resource", `permit (principal == Role::"web", action == Action::"function:Invoke", resource) when { resource.name like "web-*" };`},
		"all of a kind":  {`permit (principal == Role::"web", action in Action::"function:*", resource in Function::"orders");`, "all-of-a-kind", `permit (principal == Role::"web", action == Action::"function:Read", resource in Function::"orders");`},
		"any secret":     {`permit (principal == Role::"web", action == Action::"secret:Read", resource is Secret);`, "any-secret", `permit (principal == Role::"web", action == Action::"secret:Read", resource == Secret::"db");`},
		"any role":       {`permit (principal == User::"alice", action == Action::"role:Assume", resource is Role);`, "any-role", `permit (principal == User::"alice", action == Action::"role:Assume", resource == Role::"web");`},
		"policy writer":  {`permit (principal == User::"alice", action == Action::"access:Configure", resource == System::"system");`, "policy-writer", `permit (principal == User::"alice", action == Action::"access:Read", resource == System::"system");`},
		"escalation":     {`permit (principal == User::"alice", action == Action::"function:Deploy", resource in Function::"orders"); permit (principal == User::"alice", action == Action::"function:Grant", resource is Function);  permit (principal == User::"alice", action == Action::"function:Grant", resource in Function::"orders");`, "deploy-and-grant", `permit (principal == User::"alice", action == Action::"function:Deploy", resource in Function::"orders"); permit (principal == Role::"web", action == Action::"function:Grant", resource in Function::"orders");`},
		"into rights":    {`permit (principal == User::"alice", action == Action::"function:Deploy", resource in Function::"orders"); permit (principal == Function::"orders", action == Action::"secret:Read", resource == Secret::"db");`, "deploy-into-rights", `permit (principal == User::"alice", action == Action::"function:Deploy", resource in Function::"orders"); permit (principal == Function::"orders", action == Action::"queue:Send", resource == Queue::"q");`},
		"shadowed":       {`permit (principal == User::"alice", action == Action::"function:Invoke", resource == FunctionVersion::"orders:prod"); forbid (principal is User, action in Action::"function:*", resource in Function::"orders");`, "shadowed", `permit (principal == User::"alice", action == Action::"function:Invoke", resource == FunctionVersion::"orders:prod"); forbid (principal is User, action in Action::"function:*", resource in Function::"orders") when { context.mtls };`},
		"redundant":      {`permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders"); permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders");`, "redundant", `permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders"); permit (principal == User::"alice", action == Action::"function:Read", resource in Function::"orders");`},
		"no such person": {`permit (principal == User::"alcie", action == Action::"function:Invoke", resource in Function::"orders");`, "unknown-principal", `permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders");`},
		"no such group":  {`permit (principal in Group::"ops", action == Action::"function:Invoke", resource in Function::"orders");`, "unknown-principal", `permit (principal in Group::"dev", action == Action::"function:Invoke", resource in Function::"orders");`},
		"no such thing":  {`permit (principal == User::"alice", action == Action::"function:Invoke", resource == FunctionVersion::"ordres:prod");`, "unknown-resource", `permit (principal == User::"alice", action == Action::"function:Invoke", resource == FunctionVersion::"orders:prod");`},
	} {
		found := func(cedar string) bool {
			return slices.ContainsFunc(engine(t, cedar).Lint(known), func(f Finding) bool { return f.Check == tt.check && f.Message != "" })
		}
		if !found(tt.cedar) {
			t.Errorf("%s: not found", name)
		}
		if found(tt.twin) {
			t.Errorf("%s: found in its twin", name)
		}
	}
	honest := `permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders");`
	if f := engine(t, honest).Lint(known); len(f) > 0 {
		t.Errorf("an honest policy: %+v", f)
	}
}
