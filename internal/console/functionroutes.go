package console

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/identity"
)

// functionRoutes is the part of the API that is about functions, their
// gateway and who may call them.
func (c *Console) functionRoutes(api huma.API) {
	row := func(method, path string, needs identity.Permission, tag, id, summary string) operation {
		return operation{method: method, path: apiPath + path, needs: needs, tag: tag, id: id, summary: summary, body: documentBody}
	}
	get := func(path, tag, id, summary string) operation {
		return row(http.MethodGet, path, identity.Read, tag, id, summary)
	}
	read := func(path, tag, id, summary string) operation { // asks with a body and changes nothing
		return row(http.MethodPost, path, identity.Read, tag, id, summary)
	}
	made := func(o operation) operation { o.created = true; return o }
	const put, post, del = http.MethodPut, http.MethodPost, http.MethodDelete

	add(api, made(row(post, "/bundles", identity.WriteFunction, "functions", "upload-bundle", "Upload code: the body is a zip, a tar or a container image")), served(c, c.upload))
	add(api, get("/functions", "functions", "list-functions", "Functions, by name"), served(c, c.functions))
	add(api, get("/functions/{name}", "functions", "get-function", "One function with its versions"), served(c, c.function))
	add(api, made(row(post, "/functions/{name}/versions", identity.WriteFunction, "functions", "deploy-function", "Deploy a new version of uploaded code; makes the function where it is not there")), served(c, c.deploy))
	add(api, row(del, "/functions/{name}/versions/{version}", identity.WriteFunction, "functions", "delete-version", "Delete a version that no alias points to"), served(c, c.deleteVersion))
	add(api, row(put, "/functions/{name}/aliases/{alias}", identity.WriteFunction, "functions", "put-alias", "Point an alias at a version, or at several with weights"), served(c, c.putAlias))
	add(api, row(del, "/functions/{name}/aliases/{alias}", identity.WriteFunction, "functions", "delete-alias", "Delete an alias other than live"), served(c, c.deleteAlias))
	add(api, row(post, "/functions/{name}/rollback", identity.WriteFunction, "functions", "rollback-function", "Point an alias to where it pointed before; once more goes forward again"), served(c, c.rollback))
	add(api, row(post, "/functions/{name}/state", identity.WriteFunction, "functions", "set-function-state", "Take it out of service, or put it back"), served(c, c.setFunctionState))
	add(api, row(del, "/functions/{name}", identity.WriteFunction, "functions", "delete-function", "Delete it with all its versions"), served(c, c.deleteFunction))

	add(api, row(post, "/functions/{name}/invocations", identity.InvokeFunction, "functions", "invoke-function", "Call it as the principal user/NAME of who asks"), served(c, c.invoke))
	add(api, get("/invocations", "functions", "list-invocations", "Calls: who, what, when and how it went"), served(c, c.invocations))
	add(api, get("/invocations/{id}", "functions", "get-invocation", "One call"), served(c, c.invocation))
	add(api, get("/functions/{name}/lines", "functions", "list-lines", "What it printed"), served(c, c.lines))
	add(api, get("/functions/{name}/lines/follow", "functions", "follow-lines", "What it printed since, oldest first"), served(c, c.followLines))
	add(api, get("/usage", "functions", "get-usage", "Calls, errors, time and memory by function, and by version, caller or hour"), served(c, c.usage))
	add(api, get("/findings", "functions", "list-findings", "What nobody seems to need or is out of date, and what to do"), served(c, c.findings))
	add(api, get("/environments", "functions", "list-environments", "Where code runs right now"), served(c, c.environments))
	add(api, get("/map", "functions", "get-function-map", "Callers, routes, functions and what they touch"), served(c, c.functionMap))

	add(api, get("/functions/{name}/model", "models", "get-model", "What was learned of it"), served(c, c.functionModel))
	add(api, row(put, "/functions/{name}/model", identity.WriteProfile, "models", "import-model", "Replace its model by a document of kind FunctionModel"), served(c, c.importModel))
	add(api, get("/functions/{name}/model/document", "models", "export-model", "Its model as such a document"), served(c, c.exportModel))
	add(api, row(post, "/functions/{name}/model/state", identity.WriteProfile, "models", "set-model-state", "Move its model to another state"), served(c, c.setModelState))
	add(api, row(post, "/functions/{name}/model/relearn", identity.WriteProfile, "models", "relearn-model", "Forget what was learned, but for what people added, and learn anew"), served(c, c.relearn))
	add(api, row(post, "/functions/{name}/model/entries", identity.WriteProfile, "models", "edit-model", "Add and remove entries by hand"), served(c, c.editModel))
	add(api, get("/functions/{name}/privileges", "models", "get-privileges", "What its role grants beside what was used of it, and the smallest role"), served(c, c.privileges))
	add(api, row(post, "/functions/{name}/privileges/adopt", identity.WriteFunction, "models", "adopt-role", "Deploy it again with the smallest role"), served(c, c.adopt))

	add(api, get("/routes", "routes", "list-routes", "The gateway's table"), served(c, c.gatewayRoutes))
	add(api, row(post, "/routes", identity.WriteRoute, "routes", "write-routes", "Write routes from YAML documents, all or none"), served(c, c.applyRoutes))
	add(api, get("/routes/{id}", "routes", "get-route", "One route"), served(c, c.gatewayRoute))
	add(api, row(put, "/routes/{id}", identity.WriteRoute, "routes", "put-route", "Make or replace a route"), served(c, c.putRoute))
	add(api, row(del, "/routes/{id}", identity.WriteRoute, "routes", "delete-route", "Delete a route"), served(c, c.deleteRoute))
	openAPI := get("/openapi", "routes", "export-openapi", "The table of one stage as an OpenAPI document")
	openAPI.media = "application/json"
	add(api, openAPI, served(c, c.exportOpenAPI))
	add(api, row(post, "/openapi", identity.WriteRoute, "routes", "import-openapi", "Make routes of an OpenAPI document, all or none"), served(c, c.importOpenAPI))

	add(api, get("/access/policies", "access", "list-access-policies", "Who may do what"), served(c, c.accessPolicies))
	add(api, get("/access/policies/{name}", "access", "get-access-policy", "One policy"), served(c, c.accessPolicy))
	add(api, get("/access/policies/{name}/history", "access", "list-access-history", "Every text it had, the latest first; also of a deleted one"), served(c, c.accessHistory))
	add(api, row(put, "/access/policies/{name}", identity.WriteAccess, "access", "put-access-policy", "Make or replace a policy"), served(c, c.putAccess))
	add(api, row(del, "/access/policies/{name}", identity.WriteAccess, "access", "delete-access-policy", "Delete a policy"), served(c, c.deleteAccess))
	add(api, read("/access/check", "access", "check-access", "What a text would be as policies, or what is wrong with it"), served(c, c.checkAccess))
	add(api, read("/access/simulate", "access", "simulate-access", "Whether a principal may do something, what decides that and what would turn it"), served(c, c.simulate))
	add(api, read("/access/who-can", "access", "who-can", "Which principals may do something"), served(c, c.whoCan))
	add(api, read("/access/what-can", "access", "what-can", "What a principal may do"), served(c, c.whatCan))
	add(api, get("/access/vocabulary", "access", "get-access-vocabulary", "Actions, principals and resources there are"), served(c, c.vocabulary))
	add(api, get("/access/findings", "access", "list-access-findings", "What in the policies a person should look at"), served(c, c.lintAccess))

	add(api, get("/principals", "access", "list-principals", "Who calls"), served(c, c.principals))
	add(api, get("/principals/{id}", "access", "get-principal", "One principal"), served(c, c.principal))
	add(api, row(put, "/principals/{id}", identity.WriteAccess, "access", "put-principal", "Make or change a principal; its tokens end"), served(c, c.putPrincipal))
	add(api, row(post, "/principals/{id}/state", identity.WriteAccess, "access", "set-principal-state", "Lock it out, or let it in again"), served(c, c.setPrincipalState))
	add(api, row(post, "/principals/{id}/revoke", identity.WriteAccess, "access", "revoke-principal", "End its tokens and temporary credentials; its keys stay"), served(c, c.revokePrincipal))
	add(api, row(del, "/principals/{id}", identity.WriteAccess, "access", "delete-principal", "Remove it with all its keys"), served(c, c.deletePrincipal))
	add(api, made(row(post, "/principals/{id}/tokens", identity.WriteAccess, "access", "make-access-token", "A token with which it can call for at most 15 minutes")), served(c, c.accessToken))
	add(api, get("/keys", "access", "list-keys", "API keys and access keys"), served(c, c.keys))
	add(api, made(row(post, "/keys", identity.WriteAccess, "access", "make-key", "A key; this answer alone holds its secret")), served(c, c.makeKey))
	add(api, row(post, "/keys/{id}/state", identity.WriteAccess, "access", "set-key-state", "Disable a key, or enable it again"), served(c, c.switchKey))
	add(api, row(del, "/keys/{id}", identity.WriteAccess, "access", "delete-key", "End a key and the tokens made with it"), served(c, c.deleteKey))
}
