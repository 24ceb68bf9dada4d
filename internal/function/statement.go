package function

import (
	"slices"
	"strings"
)

// statement takes an IAM statement over into the role as far as it can be said
// there. What cannot is noted and not granted: a grant never is wider here
// than in the file.
func (d *draft) statement(n node) {
	effect, _ := d.str(n.get("Effect"), "Effect")
	switch {
	case !n.isMap():
		d.ignored(n, "policy statement", "it is none")
		return
	case effect != "Allow":
		d.deny(n)
		return
	}
	for _, name := range []string{"Condition", "NotAction", "NotResource"} {
		if n.get(name).has() {
			d.ignored(n.get(name), "policy statement", "a role has no "+name+", and without it the grant would be wider")
			return
		}
	}
	for _, a := range n.get("Action").items() {
		action, ok := d.str(a, "Action")
		if !ok {
			continue
		}
		for _, r := range n.get("Resource").items() {
			if resource, ok := d.str(r, "Resource of "+action); ok {
				d.grant(r, action, lastOf(resource))
			}
		}
	}
}

// deny notes which services a statement takes something away from: a role
// cannot say what of them is left, so none of it is granted.
func (d *draft) deny(n node) {
	d.ignored(n, "policy statement", "a role cannot deny; nothing is granted of the services it names")
	for _, a := range n.get("Action").items() {
		action, unknown := d.resolve(a)
		service, _, named := strings.Cut(strings.ToLower(action), ":")
		if unknown != "" || !named {
			service = "*"
		}
		d.denied = append(d.denied, service)
	}
	if !n.get("Action").has() {
		d.denied = append(d.denied, "*")
	}
}

// undo takes back what a statement denies, wherever in the file it stood.
func (d *draft) undo() {
	role := &d.doc.Spec.Role
	for _, service := range d.denied {
		role.AWS = slices.DeleteFunc(role.AWS, func(g string) bool { return service == "*" || strings.HasPrefix(g, service+":") })
		if service == "*" || service == "lambda" {
			role.Functions = nil
		}
	}
}

// ours are the actions that need no grant here, by how they begin.
var ours = []string{"logs:", "xray:Put"}

// grant adds one action of AWS on a resource.
func (d *draft) grant(n node, action, resource string) {
	role := &d.doc.Spec.Role
	service, name, _ := strings.Cut(action, ":")
	action = strings.ToLower(service) + ":" + name
	what := "grant of " + action + " " + resource
	for _, o := range ours {
		if strings.HasPrefix(action, o) {
			d.note(n, "%s: not needed: %s: logs and traces are kept without", d.doc.Name, clip(action))
			return
		}
	}
	if called, ok := strings.CutPrefix(resource, "function:"); ok && strings.HasPrefix(action, "lambda:Invoke") && nameForm.MatchString(called) {
		d.add(n, what, &role.Functions, called)
		return
	}
	g := action + " " + resource
	if resource == "*" || resource == "" {
		g = action
	}
	if !isAWS(g) {
		d.ignored(n, what, "a grant names SERVICE:ACTION and a resource; each may end in *")
		return
	}
	d.add(n, what, &role.AWS, g)
}

func (d *draft) add(n node, what string, list *[]string, grant string) {
	switch {
	case slices.Contains(*list, grant):
	case len(*list) >= maxGrants:
		d.ignored(n, what, "the role has too many grants")
	default:
		*list = append(*list, grant)
	}
}

// templates are SAM's ready-made policies: the parameter that names the
// resource, how the resource is written, and the actions.
var templates = map[string]struct {
	param, form string
	actions     string
}{
	"DynamoDBCrudPolicy":                    {"TableName", "table/", "dynamodb:GetItem DeleteItem PutItem Scan Query UpdateItem BatchWriteItem BatchGetItem DescribeTable ConditionCheckItem"},
	"DynamoDBReadPolicy":                    {"TableName", "table/", "dynamodb:GetItem Scan Query BatchGetItem DescribeTable"},
	"DynamoDBWritePolicy":                   {"TableName", "table/", "dynamodb:PutItem UpdateItem BatchWriteItem"},
	"S3ReadPolicy":                          {"BucketName", "", "s3:GetObject ListBucket GetBucketLocation GetObjectVersion GetLifecycleConfiguration"},
	"S3WritePolicy":                         {"BucketName", "", "s3:PutObject PutObjectAcl PutLifecycleConfiguration"},
	"S3CrudPolicy":                          {"BucketName", "", "s3:GetObject ListBucket GetBucketLocation GetObjectVersion PutObject PutObjectAcl GetLifecycleConfiguration PutLifecycleConfiguration DeleteObject"},
	"SQSSendMessagePolicy":                  {"QueueName", "", "sqs:SendMessage*"},
	"SQSPollerPolicy":                       {"QueueName", "", "sqs:ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage"},
	"SNSPublishMessagePolicy":               {"TopicName", "", "sns:Publish"},
	"LambdaInvokePolicy":                    {"FunctionName", "function:", "lambda:InvokeFunction"},
	"SSMParameterReadPolicy":                {"ParameterName", "parameter/", "ssm:GetParameter GetParameters GetParametersByPath"},
	"AWSSecretsManagerGetSecretValuePolicy": {"SecretArn", "", "secretsmanager:GetSecretValue"},
	"StepFunctionsExecutionPolicy":          {"StateMachineName", "stateMachine:", "states:StartExecution"},
	"KinesisStreamReadPolicy":               {"StreamName", "stream/", "kinesis:ListStreams DescribeLimits DescribeStream DescribeStreamSummary GetRecords GetShardIterator"},
	"EventBridgePutEventsPolicy":            {"EventBusName", "event-bus/", "events:PutEvents"},
	"KMSDecryptPolicy":                      {"KeyId", "key/", "kms:Decrypt"},
	"KMSEncryptPolicy":                      {"KeyId", "key/", "kms:Encrypt"},
	"SESSendBouncePolicy":                   {"IdentityName", "identity/", "ses:SendBounce"},
	"FirehoseWritePolicy":                   {"DeliveryStreamName", "deliverystream/", "firehose:PutRecord PutRecordBatch"},
	"CloudWatchPutMetricPolicy":             {"", "", "cloudwatch:PutMetricData"},
}

// byTemplate takes one of SAM's ready-made policies.
func (d *draft) byTemplate(n node, name string, params node) {
	t, ok := templates[name]
	if !ok {
		d.ignored(n, "policy "+name, "write its grants into the role")
		return
	}
	resource := "*"
	if t.param != "" {
		var known bool
		if resource, known = d.str(params.get(t.param), name+"."+t.param); !known {
			return
		}
		resource = t.form + strings.TrimPrefix(lastOf(resource), "/")
	}
	service, actions, _ := strings.Cut(t.actions, ":")
	for a := range strings.FieldsSeq(actions) {
		d.grant(n, service+":"+a, resource)
		if service == "s3" && strings.Contains(a, "Object") {
			d.grant(n, service+":"+a, resource+"/*")
		}
	}
}

// managed takes one of AWS's own policies by its name.
func (d *draft) managed(n node, name string) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch name {
	case "AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess":
		d.note(n, "%s: not needed: %s: logs and traces are kept without", d.doc.Name, name)
	default:
		d.byTemplate(n, name, node{t: n.t})
	}
}
