package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/redoubt"
)

// leastRole is who may do what, written down a second time on purpose: a new
// operation has to be thought about here, too.
var leastRole = map[string]identity.Role{
	"get-setup": "", "do-setup": "", "login": "", "healthz": "",
	"get-session": identity.Auditor, "logout": identity.Auditor, "change-password": identity.Auditor,
	"get-overview": identity.Auditor, "get-radar": identity.Auditor, "stream": identity.Auditor, "metrics": identity.Auditor,
	"list-workloads": identity.Auditor, "get-workload": identity.Auditor, "act-on-workload": identity.Operator,
	"list-events": identity.Auditor, "export-events": identity.Auditor, "get-event": identity.Auditor, "explain-event": identity.Auditor,
	"list-alerts": identity.Auditor, "export-alerts": identity.Auditor, "get-alert": identity.Auditor, "explain-alert": identity.Auditor,
	"triage-alert": identity.Operator, "allow-alert": identity.Operator, "prevent-alert": identity.Operator,
	"list-incidents": identity.Auditor, "export-incidents": identity.Auditor, "get-incident": identity.Auditor, "triage-incident": identity.Operator,
	"list-profiles": identity.Auditor, "get-profile": identity.Auditor, "import-profile": identity.Operator, "set-profile-state": identity.Operator,
	"edit-profile": identity.Operator, "delete-profile": identity.Operator,
	"list-policies": identity.Auditor, "get-policy": identity.Auditor, "list-policy-history": identity.Auditor, "put-policy": identity.Operator, "delete-policy": identity.Operator, "preview-policy": identity.Auditor,
	"list-nodes": identity.Auditor, "delete-node": identity.Admin, "make-join-token": identity.Admin,
	"list-users": identity.Auditor, "get-user": identity.Auditor, "put-user": identity.Admin, "delete-user": identity.Admin,
	"list-tokens": identity.Auditor, "make-token": identity.Operator, "delete-token": identity.Operator,
	"list-audit": identity.Auditor, "verify-audit": identity.Auditor,

	"upload-bundle": identity.Operator, "list-functions": identity.Auditor, "get-function": identity.Auditor, "deploy-function": identity.Operator, "delete-version": identity.Operator,
	"put-alias": identity.Operator, "delete-alias": identity.Operator, "rollback-function": identity.Operator, "set-function-state": identity.Operator, "delete-function": identity.Operator,
	"invoke-function": identity.Operator, "list-invocations": identity.Auditor, "get-invocation": identity.Auditor, "list-lines": identity.Auditor, "follow-lines": identity.Auditor,
	"get-usage": identity.Auditor, "list-findings": identity.Auditor, "list-environments": identity.Auditor, "get-function-map": identity.Auditor,
	"get-model": identity.Auditor, "import-model": identity.Operator, "export-model": identity.Auditor, "set-model-state": identity.Operator, "relearn-model": identity.Operator,
	"edit-model": identity.Operator, "get-privileges": identity.Auditor, "adopt-role": identity.Operator,
	"list-routes": identity.Auditor, "write-routes": identity.Operator, "get-route": identity.Auditor, "put-route": identity.Operator, "delete-route": identity.Operator,
	"export-openapi": identity.Auditor, "import-openapi": identity.Operator,
	"list-access-policies": identity.Auditor, "get-access-policy": identity.Auditor, "list-access-history": identity.Auditor, "put-access-policy": identity.Admin, "delete-access-policy": identity.Admin,
	"check-access": identity.Auditor, "simulate-access": identity.Auditor, "who-can": identity.Auditor, "what-can": identity.Auditor, "get-access-vocabulary": identity.Auditor, "list-access-findings": identity.Auditor,
	"list-principals": identity.Auditor, "get-principal": identity.Auditor, "put-principal": identity.Admin, "set-principal-state": identity.Admin, "revoke-principal": identity.Admin,
	"delete-principal": identity.Admin, "make-access-token": identity.Admin,
	"list-keys": identity.Auditor, "make-key": identity.Admin, "set-key-state": identity.Admin, "delete-key": identity.Admin,
}

// asking are operations that ask with a body and change nothing.
var asking = []string{"preview-policy", "check-access", "simulate-access", "who-can", "what-can"}

type documented struct {
	ID         string              `json:"operationId"`
	Permission identity.Permission `json:"x-permission"`
	Body       json.RawMessage     `json:"requestBody"`
	method     string
	path       string
}

func operations(t *testing.T, r *rig) []documented {
	t.Helper()
	doc := get[struct {
		Paths map[string]map[string]documented `json:"paths"`
	}](r, "/api/openapi.json")
	var all []documented
	for path, methods := range doc.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b documented) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func TestA12_EveryOperationNamesItsPermission(t *testing.T) {
	all := operations(t, newRig(t))
	if len(all) < 50 {
		t.Fatalf("the document has only %d operations", len(all))
	}
	seen := map[string]bool{}
	for _, op := range all {
		seen[op.ID] = true
		if op.Permission == "" || !may(identity.Admin, op.Permission) {
			t.Errorf("%s %s names the permission %q, which nobody holds", op.method, op.path, op.Permission)
		}
		least, listed := leastRole[op.ID]
		if !listed {
			t.Errorf("%s: say in leastRole who may", op.ID)
		}
		changing := op.method != http.MethodGet && !slices.Contains(asking, op.ID)
		if changing && least == identity.Auditor && op.Permission != member {
			t.Errorf("%s changes something and an auditor may", op.ID)
		}
	}
	for id := range maps.Keys(leastRole) {
		if !seen[id] {
			t.Errorf("leastRole speaks of %s, which is gone", id)
		}
	}
}

func TestA12_RoleByOperation(t *testing.T) {
	r := newRig(t)
	tokens := map[identity.Role]string{"": "", identity.Auditor: r.as(identity.Auditor), identity.Operator: r.as(identity.Operator), identity.Admin: r.as(identity.Admin)}
	order := []identity.Role{"", identity.Auditor, identity.Operator, identity.Admin}
	for _, op := range operations(t, r) {
		if op.ID == "stream" { // has no end; TestI6 is about it
			continue
		}
		path := op.path
		for _, name := range []string{"id", "name", "workload", "instance", "alias"} {
			path = strings.ReplaceAll(path, "{"+name+"}", "nothing-here")
		}
		path = strings.ReplaceAll(path, "{version}", "7")
		var body any
		if op.Body != nil {
			body = "{}"
		}
		for i, role := range order {
			set := bearer(tokens[role])
			if role == "" {
				set = anonymous
			}
			got := r.ask(op.method, path, body, set)
			allowed := slices.Index(order, leastRole[op.ID]) <= i
			switch refused := got.StatusCode == http.StatusUnauthorized || got.StatusCode == http.StatusForbidden; {
			case allowed && refused && !(op.ID == "do-setup" || op.ID == "login"):
				t.Errorf("%s as %q: %d, although it may", op.ID, role, got.StatusCode)
			case !allowed && role == "" && got.StatusCode != http.StatusUnauthorized:
				t.Errorf("%s without login: %d, want 401", op.ID, got.StatusCode)
			case !allowed && role != "" && got.StatusCode != http.StatusForbidden:
				t.Errorf("%s as %q: %d, want 403", op.ID, role, got.StatusCode)
			}
			if got.StatusCode >= 500 && got.StatusCode != http.StatusNotImplemented {
				t.Errorf("%s as %q: %d %s", op.ID, role, got.StatusCode, got.body)
			}
		}
	}
}

// Real changes with real bodies: each works for who may, and an auditor's leave
// everything as it was and a line in the trail.
func TestA12_AuditorChangesNothing(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	e := r.netstat()
	r.push(link1(e))
	entry := map[string]any{"kind": "listen", "listen": map[string]any{"proto": "tcp", "port": 8080}, "id": "", "source": "manual", "count": 0, "units": 0}
	tries := []struct {
		method, path string
		body         any
	}{
		{"PATCH", "/api/v1/alerts/a1", api.TriageRequest{Status: redoubt.Acknowledged}},
		{"PATCH", "/api/v1/incidents/i1", api.TriageRequest{Comment: "hm"}},
		{"POST", "/api/v1/profiles/docker%2Fshop%2Fweb/entries", map[string]any{"add": []any{entry}}},
		{"POST", "/api/v1/profiles/docker%2Fshop%2Fweb/state", api.StateRequest{State: "observing"}},
		{"PUT", "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "no-nc", "alert", "/bin/nc")}},
		{"POST", "/api/v1/workloads/shop-web-1/actions", api.ActionRequest{Action: "isolate"}},
		{"POST", "/api/v1/alerts/a1/prevent", nil},
		{"POST", "/api/v1/alerts/a1/allow", nil},
		{"DELETE", "/api/v1/policies/p1", nil},
		{"DELETE", "/api/v1/profiles/docker%2Fshop%2Fweb", nil},
		{"POST", "/api/v1/tokens", api.TokenRequest{Name: "x", Role: "auditor"}},
	}
	before := r.model.desired("n1")
	for _, try := range tries {
		if a := r.ask(try.method, try.path, try.body, bearer(r.as(identity.Auditor))); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s as auditor: %d %s", try.method, try.path, a.StatusCode, a.body)
		}
	}
	if after := r.model.desired("n1"); after.Revision != before.Revision {
		t.Error("an auditor changed what nodes are to enforce")
	}
	if a := get[redoubt.Alert](r, "/api/v1/alerts/a1"); a.Status != redoubt.Open || len(a.Comments) != 0 {
		t.Errorf("an auditor changed the alert to %+v", a)
	}
	denied := 0
	for _, line := range get[api.Page[api.AuditEntry]](r, "/api/v1/audit").Items {
		if line.Result == "denied" {
			denied++
		}
	}
	if denied != len(tries) {
		t.Errorf("%d denied changes in the trail, want %d", denied, len(tries))
	}
	for _, try := range tries {
		lines := get[api.AuditState](r, "/api/v1/audit/verify").Entries
		if a := r.ask(try.method, try.path, try.body, bearer(r.as(identity.Operator))); a.StatusCode/100 != 2 {
			t.Errorf("%s %s as operator: %d %s", try.method, try.path, a.StatusCode, a.body)
		}
		if s := get[api.AuditState](r, "/api/v1/audit/verify"); s.Entries <= lines || !s.Intact {
			t.Errorf("%s %s as operator left no line in the trail", try.method, try.path)
		}
	}
}

func TestOperationWithoutPermissionStopsTheProgram(t *testing.T) {
	defer func() {
		if cause := recover(); cause == nil || !strings.Contains(fmt.Sprint(cause), "permission") {
			t.Errorf("it went on: %v", cause)
		}
	}()
	c := newRig(t).Console
	add(newAPI(http.NewServeMux(), "1"), operation{method: "GET", path: "/x", id: "x"}, c.overview)
}
