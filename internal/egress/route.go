package egress

import (
	"slices"
	"strings"
)

// route is one row of the table of REST operations. In its path {x} is one
// segment and {x...} the rest, which the resource may name; where it names
// none, fields of the body do.
type route struct {
	method, path string
	action       string
	resource     string
	fields       []source
}

// routes lists the REST operations a function is likely to call; all others
// are named by path.
var routes = map[string][]route{
	"lambda": {
		{"POST", "/2015-03-31/functions/{f}/invocations", "lambda:InvokeFunction", "function:{f}", nil},
		{"POST", "/2021-11-15/functions/{f}/response-streaming-invocations", "lambda:InvokeFunction", "function:{f}", nil},
		{"POST", "/2014-11-13/functions/{f}/invoke-async", "lambda:InvokeFunction", "function:{f}", nil},
		{"GET", "/2015-03-31/functions", "lambda:ListFunctions", "*", nil},
		{"POST", "/2015-03-31/functions", "lambda:CreateFunction", "", []source{{"FunctionName", "function:%s", ""}}},
		{"GET", "/2015-03-31/functions/{f}", "lambda:GetFunction", "function:{f}", nil},
		{"DELETE", "/2015-03-31/functions/{f}", "lambda:DeleteFunction", "function:{f}", nil},
		{"GET", "/2015-03-31/functions/{f}/configuration", "lambda:GetFunctionConfiguration", "function:{f}", nil},
		{"PUT", "/2015-03-31/functions/{f}/configuration", "lambda:UpdateFunctionConfiguration", "function:{f}", nil},
		{"PUT", "/2015-03-31/functions/{f}/code", "lambda:UpdateFunctionCode", "function:{f}", nil},
		{"GET", "/2015-03-31/functions/{f}/policy", "lambda:GetPolicy", "function:{f}", nil},
		{"POST", "/2015-03-31/functions/{f}/policy", "lambda:AddPermission", "function:{f}", nil},
		{"DELETE", "/2015-03-31/functions/{f}/policy/{s}", "lambda:RemovePermission", "function:{f}", nil},
		{"GET", "/2015-03-31/functions/{f}/versions", "lambda:ListVersionsByFunction", "function:{f}", nil},
		{"POST", "/2015-03-31/functions/{f}/versions", "lambda:PublishVersion", "function:{f}", nil},
		{"GET", "/2015-03-31/functions/{f}/aliases", "lambda:ListAliases", "function:{f}", nil},
		{"POST", "/2015-03-31/functions/{f}/aliases", "lambda:CreateAlias", "function:{f}", nil},
		{"PUT", "/2015-03-31/functions/{f}/aliases/{a}", "lambda:UpdateAlias", "function:{f}", nil},
		{"PUT", "/2017-10-31/functions/{f}/concurrency", "lambda:PutFunctionConcurrency", "function:{f}", nil},
	},
	"bedrock": {
		{"POST", "/model/{m}/invoke", "bedrock:InvokeModel", "foundation-model/{m}", nil},
		{"POST", "/model/{m}/converse", "bedrock:InvokeModel", "foundation-model/{m}", nil},
		{"POST", "/model/{m}/invoke-with-response-stream", "bedrock:InvokeModelWithResponseStream", "foundation-model/{m}", nil},
		{"POST", "/model/{m}/converse-stream", "bedrock:InvokeModelWithResponseStream", "foundation-model/{m}", nil},
	},
	"iot": {
		{"POST", "/topics/{t...}", "iot:Publish", "topic/{t}", nil},
		{"GET", "/things/{t}/shadow", "iot:GetThingShadow", "thing/{t}", nil},
		{"POST", "/things/{t}/shadow", "iot:UpdateThingShadow", "thing/{t}", nil},
		{"DELETE", "/things/{t}/shadow", "iot:DeleteThingShadow", "thing/{t}", nil},
	},
	"ses": {
		{"POST", "/v2/email/outbound-emails", "ses:SendEmail", "", []source{{"FromEmailAddress", "identity/%s", ""}, {"FromEmailAddressIdentityArn", "%s", ""}}},
		{"POST", "/v2/email/outbound-bulk-emails", "ses:SendBulkEmail", "", []source{{"FromEmailAddress", "identity/%s", ""}, {"FromEmailAddressIdentityArn", "%s", ""}}},
	},
	"rds-data": {
		{"POST", "/Execute", "rds-data:ExecuteStatement", "", []source{{"resourceArn", "%s", ""}}},
		{"POST", "/BatchExecute", "rds-data:BatchExecuteStatement", "", []source{{"resourceArn", "%s", ""}}},
		{"POST", "/BeginTransaction", "rds-data:BeginTransaction", "", []source{{"resourceArn", "%s", ""}}},
		{"POST", "/CommitTransaction", "rds-data:CommitTransaction", "", []source{{"resourceArn", "%s", ""}}},
		{"POST", "/RollbackTransaction", "rds-data:RollbackTransaction", "", []source{{"resourceArn", "%s", ""}}},
	},
	"xray": {
		{"POST", "/TraceSegments", "xray:PutTraceSegments", "*", nil},
		{"POST", "/TelemetryRecords", "xray:PutTelemetryRecords", "*", nil},
		{"POST", "/SamplingRules", "xray:GetSamplingRules", "*", nil},
	},
}

// route finds r's row and what its path says.
func (r *request) route() (route, map[string]string, bool) {
	for _, row := range routes[r.endpoint.service] {
		if row.method != r.method {
			continue
		}
		if vars, ok := match(row.path, r.path); ok {
			return row, vars, true
		}
	}
	return route{}, nil, false
}

func match(pattern, path string) (map[string]string, bool) {
	want := strings.Split(strings.Trim(pattern, "/"), "/")
	have := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	vars := map[string]string{}
	for i, w := range want {
		if name, ok := strings.CutSuffix(w, "...}"); ok && i < len(have) {
			vars[name[1:]] = strings.Join(have[i:], "/")
			return vars, vars[name[1:]] != ""
		}
		if i >= len(have) {
			return nil, false
		}
		if w[0] == '{' {
			vars[strings.Trim(w, "{}")] = have[i]
		} else if w != have[i] {
			return nil, false
		}
	}
	return vars, len(have) == len(want) && !slices.Contains(have, "")
}

// routed names a REST request by the table, an API behind API Gateway or a
// search domain by its path, and all others as unknown.
func (r *request) routed() []call {
	switch e := r.endpoint; {
	case e.service == "execute-api" && e.label != "":
		stage, path, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
		return []call{{"execute-api:Invoke", escape(e.label + "/" + stage + "/" + r.method + "/" + path)}}
	case e.service == "es" && e.label != "":
		verb := strings.ToLower(r.method)
		return []call{{"es:ESHttp" + strings.ToUpper(verb[:1]) + verb[1:], escape("domain/" + e.label + r.path)}}
	}
	row, vars, ok := r.route()
	if !ok {
		return r.unknown()
	}
	var found []string
	for _, f := range row.fields {
		if r.fields != nil {
			found = append(found, r.resources(f)...)
		}
	}
	if row.resource != "" {
		found = append(found, r.fill(row.resource, vars))
	}
	if len(found) == 0 {
		found = []string{"*"}
	}
	return r.with(row.action, found)
}

// fill puts vars into a resource. A function may be named by itself, with a
// version or alias, or by the whole or a part of its ARN.
func (r *request) fill(form string, vars map[string]string) string {
	for name, value := range vars {
		hole := "{" + name + "}"
		if !strings.Contains(form, hole) {
			continue
		}
		if parts := strings.SplitN(value, ":", 6); len(parts) == 6 && parts[0] == "arn" {
			return r.resource(value, "%s")
		}
		if account, rest, ok := strings.Cut(value, ":function:"); ok {
			return r.resource("arn:aws:lambda::"+account+":function:"+rest, "%s")
		}
		form = strings.Replace(form, hole, escape(value), 1)
	}
	return form
}
