package console

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/identity"
)

// routes is the whole public API, a line each: docs/checklists says what else
// a new line asks for.
func (c *Console) routes(api huma.API) {
	row := func(method, path string, needs identity.Permission, tag, id, summary string) operation {
		return operation{method: method, path: apiPath + path, needs: needs, tag: tag, id: id, summary: summary}
	}
	get := func(path string, needs identity.Permission, tag, id, summary string) operation {
		return row(http.MethodGet, path, needs, tag, id, summary)
	}
	post := func(path string, needs identity.Permission, tag, id, summary string) operation {
		return row(http.MethodPost, path, needs, tag, id, summary)
	}
	put := func(path string, needs identity.Permission, tag, id, summary string) operation {
		return row(http.MethodPut, path, needs, tag, id, summary)
	}
	patch := func(path string, needs identity.Permission, tag, id, summary string) operation {
		return row(http.MethodPatch, path, needs, tag, id, summary)
	}
	del := func(path string, needs identity.Permission, tag, id, summary string) operation {
		return row(http.MethodDelete, path, needs, tag, id, summary)
	}
	large := func(o operation) operation { o.body = documentBody; return o }
	made := func(o operation) operation { o.created = true; return o }
	as := func(media string, o operation) operation { o.media = media; return o }

	add(api, get("/setup", public, "session", "get-setup", "Whether the first administrator is still to be made"), c.setup)
	add(api, post("/setup", public, "session", "do-setup", "Make the first administrator"), c.doSetup)
	add(api, post("/session", public, "session", "login", "Log in"), c.login)
	add(api, get("/session", member, "session", "get-session", "Who is asking"), c.whoami)
	add(api, del("/session", member, "session", "logout", "Log out"), c.logout)
	add(api, put("/session/password", member, "session", "change-password", "Change one's own password; one's other sessions end"), c.changePassword)

	add(api, get("/overview", identity.Read, "overview", "get-overview", "What needs attention, and how fresh and complete that answer is"), c.overview)
	add(api, get("/radar", identity.Read, "overview", "get-radar", "Workloads and their connections"), c.radar)

	add(api, get("/workloads", identity.Read, "workloads", "list-workloads", "Running and recent workload instances"), c.workloads)
	add(api, get("/workloads/{instance}", identity.Read, "workloads", "get-workload", "One instance"), c.workload)
	add(api, post("/workloads/{instance}/actions", identity.Respond, "workloads", "act-on-workload", "Isolate, release or block an instance"), c.act)

	add(api, get("/events", identity.Read, "events", "list-events", "What the sensors saw"), c.events)
	add(api, as("text/csv", get("/events.csv", identity.Read, "events", "export-events", "The same as CSV")), c.eventsCSV)
	add(api, get("/events/{id}", identity.Read, "events", "get-event", "One event"), c.event)
	add(api, get("/events/{id}/why", identity.Read, "events", "explain-event", "Why it got its verdict, by profile and policies as they are now"), c.whyEvent)

	add(api, get("/alerts", identity.Read, "alerts", "list-alerts", "Alerts"), c.alerts)
	add(api, as("text/csv", get("/alerts.csv", identity.Read, "alerts", "export-alerts", "The same as CSV")), c.alertsCSV)
	add(api, get("/alerts/{id}", identity.Read, "alerts", "get-alert", "One alert"), c.alert)
	add(api, patch("/alerts/{id}", identity.Triage, "alerts", "triage-alert", "Change its status or comment on it"), c.triageAlert)
	add(api, get("/alerts/{id}/why", identity.Read, "alerts", "explain-alert", "Why, for its latest event"), c.whyAlert)
	add(api, post("/alerts/{id}/allow", identity.WriteProfile, "alerts", "allow-alert", "Write the smallest change that lets this behaviour pass, and resolve the alert"), c.allow)
	add(api, post("/alerts/{id}/prevent", identity.WritePolicy, "alerts", "prevent-alert", "Write the smallest rule that makes this behaviour fail"), c.prevent)

	add(api, get("/incidents", identity.Read, "incidents", "list-incidents", "Incidents"), c.incidents)
	add(api, as("text/csv", get("/incidents.csv", identity.Read, "incidents", "export-incidents", "The same as CSV")), c.incidentsCSV)
	add(api, get("/incidents/{id}", identity.Read, "incidents", "get-incident", "One incident"), c.incident)
	add(api, patch("/incidents/{id}", identity.Triage, "incidents", "triage-incident", "Change its status or comment on it"), c.triageIncident)

	add(api, get("/profiles", identity.Read, "profiles", "list-profiles", "Profiles, without their entries"), c.profiles)
	add(api, get("/profiles/{workload}", identity.Read, "profiles", "get-profile", "One profile, whole"), c.profile)
	add(api, large(put("/profiles/{workload}", identity.WriteProfile, "profiles", "import-profile", "Replace or make a profile")), c.importProfile)
	add(api, post("/profiles/{workload}/state", identity.WriteProfile, "profiles", "set-profile-state", "Move it to another state"), c.setState)
	add(api, large(post("/profiles/{workload}/entries", identity.WriteProfile, "profiles", "edit-profile", "Add and remove entries by hand")), c.editProfile)
	add(api, del("/profiles/{workload}", identity.WriteProfile, "profiles", "delete-profile", "Forget it; a workload that runs starts learning anew"), c.deleteProfile)

	add(api, get("/policies", identity.Read, "policies", "list-policies", "Policies, in the order they are asked"), c.policies)
	add(api, get("/policies/{name}", identity.Read, "policies", "get-policy", "One policy"), c.policy)
	add(api, get("/policies/{name}/history", identity.Read, "policies", "list-policy-history", "Every text it had, the latest first; also of a deleted one"), c.policyHistory)
	add(api, large(put("/policies/{name}", identity.WritePolicy, "policies", "put-policy", "Make or replace a policy")), c.putPolicy)
	add(api, del("/policies/{name}", identity.WritePolicy, "policies", "delete-policy", "Delete a policy"), c.deletePolicy)
	add(api, large(post("/policies/preview", identity.Read, "policies", "preview-policy", "What a policy would have changed on recorded events")), c.previewPolicy)

	add(api, get("/nodes", identity.Read, "nodes", "list-nodes", "Defenders and what they see"), c.nodes)
	add(api, del("/nodes/{id}", identity.WriteNode, "nodes", "delete-node", "Forget a node"), c.deleteNode)
	add(api, made(post("/nodes/join", identity.WriteNode, "nodes", "make-join-token", "A token with which one defender can enrol once")), c.join)

	add(api, get("/users", identity.Read, "users", "list-users", "Local accounts"), c.users)
	add(api, get("/users/{name}", identity.Read, "users", "get-user", "One account"), c.user)
	add(api, put("/users/{name}", identity.WriteUser, "users", "put-user", "Make or change an account"), c.putUser)
	add(api, del("/users/{name}", identity.WriteUser, "users", "delete-user", "Delete an account with its sessions and tokens"), c.deleteUser)
	add(api, get("/tokens", identity.Read, "users", "list-tokens", "API tokens: one's own, an administrator sees all"), c.tokens)
	add(api, made(post("/tokens", identity.WriteToken, "users", "make-token", "An API token with at most the asker's role")), c.makeToken)
	add(api, del("/tokens/{id}", identity.WriteToken, "users", "delete-token", "Revoke a token: one's own, an administrator any"), c.deleteToken)
	add(api, get("/audit", identity.ReadAudit, "audit", "list-audit", "Who changed what"), c.auditTrail)
	add(api, get("/audit/verify", identity.ReadAudit, "audit", "verify-audit", "Whether the trail's chain holds"), c.verifyAudit)

	c.functionRoutes(api)

	add(api, as("text/event-stream", get("/stream", identity.Read, "overview", "stream", "What changes, as it happens: server-sent events whose data is a StreamMessage")), c.stream)
	add(api, operation{method: http.MethodGet, path: "/metrics", needs: identity.Read, tag: "health", id: "metrics", summary: "Prometheus metrics", media: "text/plain"}, c.serveMetrics)
	add(api, operation{method: http.MethodGet, path: "/healthz", needs: public, tag: "health", id: "healthz", summary: "Whether the console can read and write its record", media: "text/plain"}, c.health)
}
