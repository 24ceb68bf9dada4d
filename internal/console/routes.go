package console

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// routes is the whole public API, a line each: docs/checklists says what else
// a new line asks for.
func (c *Console) routes(api huma.API) {
	row := func(method, path string, needs permission, tag, id, summary string) operation {
		return operation{method: method, path: apiPath + path, needs: needs, tag: tag, id: id, summary: summary}
	}
	get := func(path string, needs permission, tag, id, summary string) operation {
		return row(http.MethodGet, path, needs, tag, id, summary)
	}
	post := func(path string, needs permission, tag, id, summary string) operation {
		return row(http.MethodPost, path, needs, tag, id, summary)
	}
	put := func(path string, needs permission, tag, id, summary string) operation {
		return row(http.MethodPut, path, needs, tag, id, summary)
	}
	patch := func(path string, needs permission, tag, id, summary string) operation {
		return row(http.MethodPatch, path, needs, tag, id, summary)
	}
	del := func(path string, needs permission, tag, id, summary string) operation {
		return row(http.MethodDelete, path, needs, tag, id, summary)
	}
	large := func(o operation) operation { o.body = documentBody; return o }
	made := func(o operation) operation { o.created = true; return o }
	as := func(media string, o operation) operation { o.media = media; return o }

	add(api, get("/setup", public, "session", "get-setup", "Whether the first administrator is still to be made"), c.setup)
	add(api, post("/setup", public, "session", "do-setup", "Make the first administrator"), c.doSetup)
	add(api, post("/session", public, "session", "login", "Log in"), c.login)
	add(api, get("/session", session, "session", "get-session", "Who is asking"), c.whoami)
	add(api, del("/session", session, "session", "logout", "Log out"), c.logout)

	add(api, get("/overview", read, "overview", "get-overview", "What needs attention, and how fresh and complete that answer is"), c.overview)
	add(api, get("/radar", read, "overview", "get-radar", "Workloads and their connections"), c.radar)

	add(api, get("/workloads", read, "workloads", "list-workloads", "Running and recent workload instances"), c.workloads)
	add(api, get("/workloads/{instance}", read, "workloads", "get-workload", "One instance"), c.workload)
	add(api, post("/workloads/{instance}/actions", respond, "workloads", "act-on-workload", "Isolate, release or block an instance"), c.act)

	add(api, get("/events", read, "events", "list-events", "What the sensors saw"), c.events)
	add(api, as("text/csv", get("/events.csv", read, "events", "export-events", "The same as CSV")), c.eventsCSV)
	add(api, get("/events/{id}", read, "events", "get-event", "One event"), c.event)
	add(api, get("/events/{id}/why", read, "events", "explain-event", "Why it got its verdict, by profile and policies as they are now"), c.whyEvent)

	add(api, get("/alerts", read, "alerts", "list-alerts", "Alerts"), c.alerts)
	add(api, as("text/csv", get("/alerts.csv", read, "alerts", "export-alerts", "The same as CSV")), c.alertsCSV)
	add(api, get("/alerts/{id}", read, "alerts", "get-alert", "One alert"), c.alert)
	add(api, patch("/alerts/{id}", respond, "alerts", "triage-alert", "Change its status or comment on it"), c.triageAlert)
	add(api, get("/alerts/{id}/why", read, "alerts", "explain-alert", "Why, for its latest event"), c.whyAlert)
	add(api, post("/alerts/{id}/allow", respond, "alerts", "allow-alert", "Write the smallest change that lets this behaviour pass, and resolve the alert"), c.allow)
	add(api, post("/alerts/{id}/prevent", respond, "alerts", "prevent-alert", "Write the smallest rule that makes this behaviour fail"), c.prevent)

	add(api, get("/incidents", read, "incidents", "list-incidents", "Incidents"), c.incidents)
	add(api, as("text/csv", get("/incidents.csv", read, "incidents", "export-incidents", "The same as CSV")), c.incidentsCSV)
	add(api, get("/incidents/{id}", read, "incidents", "get-incident", "One incident"), c.incident)
	add(api, patch("/incidents/{id}", respond, "incidents", "triage-incident", "Change its status or comment on it"), c.triageIncident)

	add(api, get("/profiles", read, "profiles", "list-profiles", "Profiles, without their entries"), c.profiles)
	add(api, get("/profiles/{workload}", read, "profiles", "get-profile", "One profile, whole"), c.profile)
	add(api, large(put("/profiles/{workload}", model, "profiles", "import-profile", "Replace or make a profile")), c.importProfile)
	add(api, post("/profiles/{workload}/state", model, "profiles", "set-profile-state", "Move it to another state"), c.setState)
	add(api, large(post("/profiles/{workload}/entries", model, "profiles", "edit-profile", "Add and remove entries by hand")), c.editProfile)
	add(api, del("/profiles/{workload}", model, "profiles", "delete-profile", "Forget it; a workload that runs starts learning anew"), c.deleteProfile)

	add(api, get("/policies", read, "policies", "list-policies", "Policies, in the order they are asked"), c.policies)
	add(api, get("/policies/{name}", read, "policies", "get-policy", "One policy"), c.policy)
	add(api, large(put("/policies/{name}", rules, "policies", "put-policy", "Make or replace a policy")), c.putPolicy)
	add(api, del("/policies/{name}", rules, "policies", "delete-policy", "Delete a policy"), c.deletePolicy)
	add(api, large(post("/policies/preview", read, "policies", "preview-policy", "What a policy would have changed on recorded events")), c.previewPolicy)

	add(api, get("/nodes", read, "nodes", "list-nodes", "Defenders and what they see"), c.nodes)
	add(api, del("/nodes/{id}", fleet, "nodes", "delete-node", "Forget a node"), c.deleteNode)
	add(api, made(post("/nodes/join", fleet, "nodes", "make-join-token", "A token with which one defender can enrol once")), c.join)

	add(api, get("/users", read, "users", "list-users", "Local accounts"), c.users)
	add(api, get("/users/{name}", read, "users", "get-user", "One account"), c.user)
	add(api, put("/users/{name}", people, "users", "put-user", "Make or change an account"), c.putUser)
	add(api, del("/users/{name}", people, "users", "delete-user", "Delete an account with its sessions and tokens"), c.deleteUser)
	add(api, get("/tokens", read, "users", "list-tokens", "API tokens: one's own, an administrator sees all"), c.tokens)
	add(api, made(post("/tokens", keys, "users", "make-token", "An API token with at most the asker's role")), c.makeToken)
	add(api, del("/tokens/{id}", keys, "users", "delete-token", "Revoke a token: one's own, an administrator any"), c.deleteToken)
	add(api, get("/audit", read, "audit", "list-audit", "Who changed what"), c.auditTrail)
	add(api, get("/audit/verify", read, "audit", "verify-audit", "Whether the trail's chain holds"), c.verifyAudit)

	add(api, as("text/event-stream", get("/stream", read, "overview", "stream", "What changes, as it happens: server-sent events whose data is a StreamMessage")), c.stream)
	add(api, operation{method: http.MethodGet, path: "/metrics", needs: read, tag: "health", id: "metrics", summary: "Prometheus metrics", media: "text/plain"}, c.serveMetrics)
	add(api, operation{method: http.MethodGet, path: "/healthz", needs: public, tag: "health", id: "healthz", summary: "Whether the console can read and write its record", media: "text/plain"}, c.health)
}
