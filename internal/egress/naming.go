package egress

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// A call of the AWS API is named as IAM names it: "service:Operation" and, as
// resource, what stands in its ARN after the account ("table/orders",
// "function:resize", "bucket/key"). Where one request does several things, or
// can be read in several ways, it has several names and each must be granted;
// so a field that is only there to mislead can make a request fail, never pass.
// What cannot be read has the resource "*", which only a grant of every
// resource covers. An operation nobody wrote down here is "service:METHOD" on
// its path, with ids left out.
type call struct {
	action   string
	resource string
}

// request is what naming looks at.
type request struct {
	endpoint endpoint
	method   string
	path     string // decoded
	query    url.Values
	head     *head
	fields   *node  // of the body: a JSON document or a form; nil where there is none to read
	account  string // of the credentials; empty where unknown
}

var (
	errQueryString = errors.New("AWS request with a malformed query string")
	errMethod      = errors.New("AWS request with a method that is none")
	errDots        = errors.New("AWS request with dots for a path segment")
	errTwoNames    = errors.New("AWS request names its operation in two ways")
)

// maxCalls bounds the names of one request.
const maxCalls = 256

var errManyNames = errors.New("AWS request touches too many resources")

func newRequest(e endpoint, h *head) (*request, error) {
	if !word(h.method) {
		return nil, errMethod
	}
	text, query, _ := strings.Cut(h.target, "?")
	path, err := url.PathUnescape(text)
	if err != nil {
		return nil, errQueryString
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errQueryString
	}
	// No client sends these, and no two readers agree what they mean.
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return nil, errDots
		}
	}
	r := &request{endpoint: e, method: h.method, path: path, query: values, head: h}
	r.account = accountOf(h, values)
	return r, nil
}

// protocol is how a request says what it wants.
type protocol int

const (
	rest      protocol = iota // by method and path
	jsonCall                  // X-Amz-Target, and a JSON body
	queryCall                 // Action=, in a form or the query string
	cborCall                  // /service/S/operation/O
)

// spoken are the protocols of services that have others than REST. A service
// takes no notice of the header of a protocol it does not speak, so neither
// may naming.
var spoken = func() map[string][]protocol {
	m := map[string][]protocol{}
	add := func(p protocol, services string) {
		for _, s := range strings.Fields(services) {
			m[s] = append(m[s], p)
		}
	}
	add(jsonCall, `acm application-autoscaling athena cloudtrail cloudwatch codebuild codecommit codedeploy codepipeline
		cognito-identity cognito-idp comprehend config dynamodb ecr ecs events firehose glue health kinesis kms logs
		organizations redshift-data rekognition secretsmanager servicediscovery sqs ssm states support swf tag textract
		timestream transcribe translate wafv2`)
	add(queryCall, `autoscaling cloudformation cloudwatch ec2 elasticache elasticbeanstalk elasticloadbalancing iam rds
		redshift ses sns sqs sts`)
	return m
}()

// protocol returns how r is to be read. It refuses what two readers could take
// for different operations.
func (r *request) protocol() (protocol, error) {
	speaks := spoken[r.endpoint.service]
	json, query := slices.Contains(speaks, jsonCall), slices.Contains(speaks, queryCall)
	_, targets := r.head.get("x-amz-target")
	kind, kinds := r.head.get("content-type")
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	if targets > 1 || kinds > 1 {
		return rest, errTwoNames
	}
	hints := 0
	p := rest
	if (json || query) && strings.HasPrefix(r.path, "/service/") {
		hints, p = hints+1, cborCall
	}
	if json && targets == 1 {
		hints, p = hints+1, jsonCall
	}
	if query && (r.query.Has("Action") || strings.TrimSpace(kind) == "application/x-www-form-urlencoded") {
		hints, p = hints+1, queryCall
	}
	if hints > 1 {
		return rest, errTwoNames
	}
	if p == jsonCall && (r.method != "POST" || r.path != "/" || len(r.query) > 0) {
		return rest, nil
	}
	if p == queryCall && (r.method != "POST" && r.method != "GET" || r.path != "/" && r.endpoint.service != "sqs") {
		return rest, nil
	}
	return p, nil
}

// reads says whether the body must be read to name r.
func (r *request) reads(p protocol) bool {
	if p == jsonCall || p == queryCall {
		return true
	}
	row, _, ok := r.route()
	return p == rest && ok && (len(row.fields) > 0 || dangerous[row.action] != nil)
}

// calls names r; its body, as far as reads asked for it, is in r.fields.
func (r *request) calls(p protocol) ([]call, error) {
	var all []call
	var err error
	switch p {
	case jsonCall:
		target, _ := r.head.get("x-amz-target")
		all, err = r.operation(target[strings.LastIndexByte(target, '.')+1:])
	case queryCall:
		all, err = r.queryCalls()
	case cborCall:
		all, err = r.cborCalls()
	default:
		if r.endpoint.service == "s3" {
			all = r.s3()
		} else {
			all = r.routed()
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].resource = clip(all[i].resource)
	}
	slices.SortFunc(all, func(a, b call) int {
		return strings.Compare(a.action+" "+a.resource, b.action+" "+b.resource)
	})
	if all = slices.Compact(all); len(all) > maxCalls {
		return nil, errManyNames
	}
	return all, nil
}

// queryCalls names a request whose operation stands in Action=, in the query
// string or the body.
func (r *request) queryCalls() ([]call, error) {
	var ops []string
	ops = append(ops, r.query["Action"]...)
	if r.fields != nil {
		for _, n := range r.fields.find("Action") {
			ops = append(ops, n.text)
		}
	}
	if len(ops) != 1 {
		return nil, errTwoNames
	}
	if r.fields == nil {
		r.fields = &node{}
	}
	for key, values := range r.query {
		for _, v := range values {
			r.fields.kids = append(r.fields.kids, kid{key, &node{text: v}})
		}
	}
	if r.endpoint.service == "sqs" && r.path != "/" {
		r.fields.kids = append(r.fields.kids, kid{"QueueUrl", &node{text: r.path}})
	}
	return r.operation(ops[0])
}

func (r *request) cborCalls() ([]call, error) {
	parts := strings.Split(r.path, "/")
	if len(parts) != 5 || parts[3] != "operation" || r.method != "POST" || len(r.query) > 0 {
		return r.unknown(), nil
	}
	r.fields = nil // CBOR is not read
	return r.operation(parts[4])
}

// operation names op of r's service on the resources its fields say.
func (r *request) operation(op string) ([]call, error) {
	if !word(op) {
		return nil, errors.New("AWS request without a proper operation")
	}
	action := r.endpoint.service + ":" + op
	var found []string
	if r.fields != nil {
		for _, f := range sourcesOf(r.endpoint.service, op) {
			found = append(found, r.resources(f)...)
		}
	}
	if len(found) == 0 {
		found = []string{"*"}
	}
	return r.with(action, found), nil
}

// with makes the calls of an action on resources; those of dangerous actions
// bear the parameters that make them so.
func (r *request) with(action string, resources []string) []call {
	extra := ""
	for _, name := range dangerous[action] {
		extra += r.parameter(name)
	}
	all := make([]call, len(resources))
	for i, res := range resources {
		all[i] = call{action, res + extra}
	}
	return all
}

// unknown names what no table knows by method and path.
func (r *request) unknown() []call {
	return []call{{r.endpoint.service + ":" + r.method, template(r.path)}}
}

// template leaves out of a path what looks like an id.
func template(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > 12 {
		parts = append(parts[:12], "...")
	}
	for i, p := range parts {
		if !plain(p) {
			parts[i] = "{}"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// plain says whether a path's segment is a word of the API, or the date or
// number of its version, rather than an id.
func plain(s string) bool {
	if len(s) > 32 {
		return false
	}
	if strings.Trim(s, "0123456789-") == "" {
		return len(s) == 10 || s == ""
	}
	if len(s) <= 3 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == "" {
		return true
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-_.") == ""
}

// word says whether s can be an operation's name.
func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return s != "" && s[0] >= 'A' && len(s) <= 128
}
