package egress

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nameOf names a request as call does, without a connection.
func nameOf(t testing.TB, raw string) ([]string, error) {
	t.Helper()
	headText, body, _ := strings.Cut(strings.ReplaceAll(raw, "\n", "\r\n"), "\r\n\r\n")
	h, err := parseRequest([]byte(headText + "\r\n\r\n"))
	if err != nil {
		return nil, err
	}
	host, _ := h.get("host")
	if host, err = cleanHost(host); err != nil {
		return nil, err
	}
	e, ok := endpointOf(host)
	if !ok {
		return nil, fmt.Errorf("%s is no endpoint", host)
	}
	r, err := newRequest(e, h)
	if err != nil {
		return nil, err
	}
	p, err := r.protocol()
	if err != nil {
		return nil, err
	}
	if r.reads(p) && body != "" {
		r.fields = parseFields(h, p, []byte(body))
	}
	calls, err := r.calls(p)
	var names []string
	for _, c := range calls {
		names = append(names, c.action+" "+c.resource)
	}
	return names, err
}

// The id of an access key of account 029608264753.
const credential = "Authorization: AWS4-HMAC-SHA256 Credential=ASIAQNZGKIQY56JQ7WML/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00\n"

func target(host, target, body string) string {
	return "POST / HTTP/1.1\nHost: " + host + ".us-east-1.amazonaws.com\nContent-Type: application/x-amz-json-1.0\nX-Amz-Target: " + target + "\n" + credential + "\n" + body
}

func form(host, body string) string {
	return "POST / HTTP/1.1\nHost: " + host + "\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n" + credential + "\n" + body
}

func onPhotos(method, path string, more ...string) string {
	return method + " " + path + " HTTP/1.1\nHost: photos.s3.eu-west-1.amazonaws.com\n" + strings.Join(more, "\n") + "\n\n"
}

func TestS15_CallsAreNamedAsIAMNamesThem(t *testing.T) {
	for _, c := range []struct{ name, request, want string }{
		{"dynamodb put", target("dynamodb", "DynamoDB_20120810.PutItem", `{"TableName":"orders","Item":{"TableName":{"S":"x"}}}`), "dynamodb:PutItem table/orders"},
		{"dynamodb by ARN", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:029608264753:table/orders"}`), "dynamodb:GetItem table/orders"},
		{"dynamodb of another account", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:999999999999:table/orders"}`), "dynamodb:GetItem 999999999999:table/orders"},
		{"dynamodb account endpoint", target("029608264753.ddb", "DynamoDB_20120810.GetItem", `{"TableName":"orders"}`), "dynamodb:GetItem table/orders"},
		{"dynamodb index", target("dynamodb", "DynamoDB_20120810.Query", `{"TableName":"orders","IndexName":"byday"}`), "dynamodb:Query table/orders/index/byday"},
		{"dynamodb batch", target("dynamodb", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"a":{},"b":{}}}`), "dynamodb:BatchGetItem table/a, dynamodb:BatchGetItem table/b"},
		{"dynamodb transaction", target("dynamodb", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"a"}},{"Delete":{"TableName":"b"}}]}`), "dynamodb:TransactWriteItems table/a, dynamodb:TransactWriteItems table/b"},
		{"dynamodb statement", target("dynamodb", "DynamoDB_20120810.ExecuteStatement", `{"Statement":"SELECT * FROM secrets","TableName":"orders"}`), "dynamodb:ExecuteStatement *"},
		{"a table twice", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"orders","TableName":"secrets"}`), "dynamodb:GetItem table/orders, dynamodb:GetItem table/secrets"},
		{"a table in two cases", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"orders","tablename":"secrets"}`), "dynamodb:GetItem table/orders, dynamodb:GetItem table/secrets"},
		{"an escaped key", target("dynamodb", "DynamoDB_20120810.GetItem", `{"\u0054ableName":"orders"}`), "dynamodb:GetItem table/orders"},
		{"broken JSON", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"orders"`), "dynamodb:GetItem *"},
		{"two documents", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"orders"}{"TableName":"secrets"}`), "dynamodb:GetItem *"},
		{"deep JSON", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"orders","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}"), "dynamodb:GetItem *"},
		{"name with a star", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"or*"}`), "dynamodb:GetItem table/or%2A"},
		{"name with a line", target("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"or\nd"}`), "dynamodb:GetItem table/or%0Ad"},
		{"target with a path", "POST /x HTTP/1.1\nHost: dynamodb.us-east-1.amazonaws.com\nX-Amz-Target: D.GetItem\n\n{}", "dynamodb:POST /x"},
		{"no target", "POST / HTTP/1.1\nHost: dynamodb.us-east-1.amazonaws.com\n\n{}", "dynamodb:POST /"},

		{"sqs json", target("sqs", "AmazonSQS.SendMessage", `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/029608264753/orders","MessageBody":"x"}`), "sqs:SendMessage orders"},
		{"sqs of another account", target("sqs", "AmazonSQS.SendMessage", `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/999999999999/orders"}`), "sqs:SendMessage 999999999999:orders"},
		{"sqs form", "POST /029608264753/orders HTTP/1.1\nHost: sqs.us-east-1.amazonaws.com\nContent-Type: application/x-www-form-urlencoded\n\nAction=SendMessage&MessageBody=x", "sqs:SendMessage orders"},
		{"sqs form and path differ", "POST /029608264753/orders HTTP/1.1\nHost: sqs.us-east-1.amazonaws.com\nContent-Type: application/x-www-form-urlencoded\n\nAction=SendMessage&QueueUrl=https://sqs.us-east-1.amazonaws.com/029608264753/others", "sqs:SendMessage orders, sqs:SendMessage others"},
		{"sqs legacy host", "POST /029608264753/orders HTTP/1.1\nHost: us-east-1.queue.amazonaws.com\nContent-Type: application/x-www-form-urlencoded\n\nAction=ReceiveMessage", "sqs:ReceiveMessage orders"},

		{"sns", form("sns.us-east-1.amazonaws.com", "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A029608264753%3Anews&Message=x"), "sns:Publish news"},
		{"sns of another account", form("sns.us-east-1.amazonaws.com", "Action=Publish&TopicArn=arn:aws:sns:us-east-1:999999999999:news"), "sns:Publish 999999999999:news"},
		{"sns text message", form("sns.us-east-1.amazonaws.com", "Action=Publish&PhoneNumber=%2B123"), "sns:Publish phone/+123"},
		{"sns subscribe", form("sns.us-east-1.amazonaws.com", "Action=Subscribe&TopicArn=arn:aws:sns:us-east-1:029608264753:news&Protocol=https&Endpoint=https://evil.example"), "sns:Subscribe news Protocol=https Endpoint=https://evil.example"},
		{"sts", form("sts.amazonaws.com", "Action=AssumeRole&RoleArn=arn:aws:iam::029608264753:role/admin"), "sts:AssumeRole role/admin"},
		{"sts presigned", "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\nHost: sts.eu-west-1.amazonaws.com\n\n", "sts:GetCallerIdentity *"},
		{"iam", form("iam.amazonaws.com", "Action=AttachUserPolicy&UserName=bob&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess"), "iam:AttachUserPolicy user/bob PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess"},
		{"iam group", form("iam.amazonaws.com", "Action=AddUserToGroup&UserName=bob&GroupName=admins"), "iam:AddUserToGroup group/admins UserName=bob"},
		{"ec2", form("ec2.us-east-1.amazonaws.com", "Action=RunInstances"), "ec2:RunInstances *"},
		{"cloudwatch form", form("monitoring.us-east-1.amazonaws.com", "Action=PutMetricData&Namespace=x"), "cloudwatch:PutMetricData *"},
		{"cloudwatch cbor", "POST /service/GraniteServiceVersion20100801/operation/PutMetricData HTTP/1.1\nHost: monitoring.us-east-1.amazonaws.com\nSmithy-Protocol: rpc-v2-cbor\nContent-Type: application/cbor\n\nx", "cloudwatch:PutMetricData *"},

		{"secret", target("secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"prod/db"}`), "secretsmanager:GetSecretValue secret:prod/db"},
		{"secret by ARN", target("secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:eu-west-1:029608264753:secret:prod/db-AbCdEf"}`), "secretsmanager:GetSecretValue secret:prod/db-AbCdEf"},
		{"secrets", target("secretsmanager", "secretsmanager.BatchGetSecretValue", `{"SecretIdList":["a","b"]}`), "secretsmanager:BatchGetSecretValue secret:a, secretsmanager:BatchGetSecretValue secret:b"},
		{"parameter", target("ssm", "AmazonSSM.GetParameter", `{"Name":"/app/db"}`), "ssm:GetParameter parameter/app/db"},
		{"parameters below", target("ssm", "AmazonSSM.GetParametersByPath", `{"Path":"/app","Recursive":true}`), "ssm:GetParametersByPath parameter/app/*"},
		{"command", target("ssm", "AmazonSSM.SendCommand", `{"DocumentName":"AWS-RunShellScript"}`), "ssm:SendCommand document/AWS-RunShellScript DocumentName=AWS-RunShellScript"},
		{"key", target("kms", "TrentService.Encrypt", `{"KeyId":"1234-56"}`), "kms:Encrypt key/1234-56"},
		{"key alias", target("kms", "TrentService.Encrypt", `{"KeyId":"alias/app"}`), "kms:Encrypt alias/app"},
		{"key in the ciphertext", target("kms", "TrentService.Decrypt", `{"CiphertextBlob":"AA"}`), "kms:Decrypt *"},
		{"default bus", target("events", "AWSEvents.PutEvents", `{"Entries":[{"Source":"x"},{"EventBusName":"b"}]}`), "events:PutEvents event-bus/b, events:PutEvents event-bus/default"},
		{"logs", target("logs", "Logs_20140328.PutLogEvents", `{"logGroupName":"/aws/lambda/f"}`), "logs:PutLogEvents log-group:/aws/lambda/f"},
		{"stream", target("kinesis", "Kinesis_20131202.PutRecord", `{"StreamName":"clicks"}`), "kinesis:PutRecord stream/clicks"},
		{"states", target("states", "AWSStepFunctions.StartExecution", `{"stateMachineArn":"arn:aws:states:eu-west-1:029608264753:stateMachine:m","name":"x"}`), "states:StartExecution stateMachine:m"},

		{"s3 get", onPhotos("GET", "/a/b%20c.jpg?x-id=GetObject"), "s3:GetObject photos/a/b%20c.jpg"},
		{"s3 path style", "GET /photos/a HTTP/1.1\nHost: s3.amazonaws.com\n\n", "s3:GetObject photos/a"},
		{"s3 path style, slash escaped", "GET /photos%2Fa HTTP/1.1\nHost: s3.amazonaws.com\n\n", "s3:GetObject photos/a"},
		{"s3 dualstack", "GET /a HTTP/1.1\nHost: photos.s3.dualstack.eu-west-1.amazonaws.com\n\n", "s3:GetObject photos/a"},
		{"s3 old region", "GET /a HTTP/1.1\nHost: photos.s3-eu-west-1.amazonaws.com\n\n", "s3:GetObject photos/a"},
		{"s3 bucket with dots", "GET /a HTTP/1.1\nHost: my.photos.s3.eu-west-1.amazonaws.com\n\n", "s3:GetObject my.photos/a"},
		{"s3 access point", "GET /a HTTP/1.1\nHost: photos-999999999999.s3-accesspoint.eu-west-1.amazonaws.com\n\n", "s3:GetObject accesspoint/photos-999999999999/a"},
		{"s3 interface endpoint", "GET /a HTTP/1.1\nHost: photos.bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com\n\n", "s3:GetObject photos.bucket/a"},
		{"s3 buckets", "GET / HTTP/1.1\nHost: s3.eu-west-1.amazonaws.com\n\n", "s3:ListAllMyBuckets *"},
		{"s3 list", onPhotos("GET", "/?list-type=2&prefix=a"), "s3:ListBucket photos"},
		{"s3 put", onPhotos("PUT", "/a"), "s3:PutObject photos/a"},
		{"s3 put open", onPhotos("PUT", "/a", "x-amz-acl: public-read"), "s3:PutObject photos/a, s3:PutObjectAcl photos/a x-amz-acl=public-read"},
		{"s3 put for somebody", onPhotos("PUT", "/a", `x-amz-grant-read: id="9"`), `s3:PutObject photos/a, s3:PutObjectAcl photos/a x-amz-grant-read=id="9"`},
		{"s3 copy", onPhotos("PUT", "/a", "x-amz-copy-source: /secrets/key%20one?versionId=7"), "s3:GetObject secrets/key%20one, s3:PutObject photos/a"},
		{"s3 part copy", onPhotos("PUT", "/a?partNumber=1&uploadId=u", "x-amz-copy-source: secrets/k"), "s3:GetObject secrets/k, s3:PutObject photos/a"},
		{"s3 delete", onPhotos("DELETE", "/a"), "s3:DeleteObject photos/a"},
		{"s3 delete version", onPhotos("DELETE", "/a?versionId=1"), "s3:DeleteObjectVersion photos/a"},
		{"s3 delete many", onPhotos("POST", "/?delete"), "s3:DeleteObject photos/*"},
		{"s3 multipart", onPhotos("POST", "/a?uploads"), "s3:PutObject photos/a"},
		{"s3 policy", onPhotos("PUT", "/?policy"), "s3:PutBucketPolicy photos"},
		{"s3 policy hidden behind list", onPhotos("GET", "/?list-type=2&policy"), "s3:GetBucketPolicy photos"},
		{"s3 two of them", onPhotos("PUT", "/?policy&acl"), "s3:PutBucketAcl photos, s3:PutBucketPolicy photos"},
		{"s3 acl", onPhotos("PUT", "/a?acl", "x-amz-acl: public-read"), "s3:PutObjectAcl photos/a x-amz-acl=public-read"},
		{"s3 unknown", onPhotos("GET", "/?newThing"), "s3:GET photos?newThing"},
		{"s3 with a target that means nothing there", onPhotos("DELETE", "/a", "X-Amz-Target: S3.GetObject"), "s3:DeleteObject photos/a"},
		{"s3 with an action that means nothing there", onPhotos("GET", "/a?Action=ListBucket"), "s3:GET photos?Action"},

		{"lambda", "POST /2015-03-31/functions/resize/invocations HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n\n{}", "lambda:InvokeFunction function:resize"},
		{"lambda by ARN", "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A029608264753%3Afunction%3Aresize%3Alive/invocations HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n" + credential + "\n{}", "lambda:InvokeFunction function:resize:live"},
		{"lambda of another account", "POST /2015-03-31/functions/999999999999:function:resize/invocations HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n" + credential + "\n{}", "lambda:InvokeFunction 999999999999:function:resize"},
		{"lambda create", "POST /2015-03-31/functions HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n\n" + `{"FunctionName":"f","Role":"arn:aws:iam::1:role/admin"}`, "lambda:CreateFunction function:f Role=arn:aws:iam::1:role/admin"},
		{"lambda unread", "PUT /2015-03-31/functions/f/configuration HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n\n", "lambda:UpdateFunctionConfiguration function:f Role=*"},
		{"api gateway", "GET /prod/orders/7 HTTP/1.1\nHost: abc123.execute-api.eu-west-1.amazonaws.com\n\n", "execute-api:Invoke abc123/prod/GET/orders/7"},
		{"search", "POST /books/_search HTTP/1.1\nHost: search-x.eu-west-1.es.amazonaws.com\n\n{}", "es:ESHttpPost domain/search-x/books/_search"},
		{"bedrock", "POST /model/anthropic.m%3A1/invoke HTTP/1.1\nHost: bedrock-runtime.us-east-1.amazonaws.com\n\n{}", "bedrock:InvokeModel foundation-model/anthropic.m:1"},
		{"iot", "POST /topics/a/b?qos=1 HTTP/1.1\nHost: abc-ats.iot.us-east-1.amazonaws.com\n\n{}", "iot:Publish topic/a/b"},
		{"unknown service", "PUT /v1/things/77af0/parts HTTP/1.1\nHost: newthing.us-east-1.amazonaws.com\nX-Amz-Target: N.Delete\n\n{}", "newthing:PUT /v1/things/{}/parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := nameOf(t, c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestS15_RequestsWithTwoMeaningsAreRefused(t *testing.T) {
	for name, request := range map[string]string{
		"target and action":    "POST /?Action=ReceiveMessage HTTP/1.1\nHost: sqs.us-east-1.amazonaws.com\nX-Amz-Target: AmazonSQS.SendMessage\n\n{}",
		"target and form":      "POST / HTTP/1.1\nHost: sqs.us-east-1.amazonaws.com\nX-Amz-Target: AmazonSQS.SendMessage\nContent-Type: application/x-www-form-urlencoded\n\nAction=DeleteQueue",
		"two targets":          "POST / HTTP/1.1\nHost: dynamodb.us-east-1.amazonaws.com\nX-Amz-Target: D.GetItem\nX-Amz-Target: D.PutItem\n\n{}",
		"two actions":          form("sns.us-east-1.amazonaws.com", "Action=Publish&Action=DeleteTopic"),
		"action here, there":   "POST /?Action=Publish HTTP/1.1\nHost: sns.us-east-1.amazonaws.com\nContent-Type: application/x-www-form-urlencoded\n\nAction=DeleteTopic",
		"action nowhere":       form("sns.us-east-1.amazonaws.com", "X=Y"),
		"action with blanks":   form("sns.us-east-1.amazonaws.com", "Action=Publish+x"),
		"cbor and target":      "POST /service/S/operation/Op HTTP/1.1\nHost: monitoring.us-east-1.amazonaws.com\nX-Amz-Target: G.Other\n\n",
		"dots in a path":       "GET /public/../secret HTTP/1.1\nHost: photos.s3.amazonaws.com\n\n",
		"escaped dots":         "GET /public/%2e%2e/secret HTTP/1.1\nHost: photos.s3.amazonaws.com\n\n",
		"semicolon in a query": "GET /?list-type=2;policy HTTP/1.1\nHost: photos.s3.amazonaws.com\n\n",
		"bad escape":           "GET /%zz HTTP/1.1\nHost: photos.s3.amazonaws.com\n\n",
	} {
		if got, err := nameOf(t, request); err == nil {
			t.Errorf("%s: named %v", name, got)
		}
	}
}

func TestCompressedBodiesAreRead(t *testing.T) {
	h, err := parseRequest([]byte("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(s string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(s))
		z.Close()
		return b.Bytes()
	}
	if n := parseFields(h, jsonCall, pack(`{"a":"b"}`)); n == nil || n.find("a")[0].text != "b" {
		t.Error("gzip is not read")
	}
	if n := parseFields(h, jsonCall, pack(`{"a":"`+strings.Repeat("b", maxNamed)+`"}`)); n != nil {
		t.Error("a bomb was read")
	}
	if n := parseFields(h, jsonCall, []byte("{}")); n != nil {
		t.Error("what is not gzip was read")
	}
}

func TestEndpoints(t *testing.T) {
	for host, want := range map[string]string{
		"s3.amazonaws.com": "s3 ", "iam.amazonaws.com": "iam ", "sts.us-gov-west-1.amazonaws.com": "sts ", "dynamodb-fips.us-east-1.amazonaws.com": "dynamodb ",
		"b.s3-accelerate.amazonaws.com": "s3 b", "streams.dynamodb.us-east-1.amazonaws.com": "dynamodb streams", "api.ecr.us-east-1.amazonaws.com": "ecr api",
		"vpce-1a-2b.sqs.us-east-1.vpce.amazonaws.com": "sqs ", "rds.us-east-1.amazonaws.com": "rds ", "email.us-east-1.amazonaws.com": "ses ",
		"db.c2x.us-east-1.rds.amazonaws.com": "", "x.us-east-1.elb.amazonaws.com": "", "x.elb.us-east-1.amazonaws.com": "", "ec2-1-2-3-4.compute-1.amazonaws.com": "",
		"ec2-1-2-3-4.us-west-2.compute.amazonaws.com": "", "amazonaws.com": "", "evilamazonaws.com": "", "s3.amazonaws.com.evil.example": "", "example.com": "",
	} {
		e, ok := endpointOf(host)
		if got := e.service + " " + e.label; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v, want %q", host, got, ok, want)
		}
	}
}

func TestAccountOfAKey(t *testing.T) {
	for line, want := range map[string]string{
		strings.TrimSpace(credential): "029608264753",
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/x": "",
		"Authorization: Bearer x": "",
		"Authorization: AWS4-HMAC-SHA256 Credential=ASIAQNZGKIQY56JQ7W1!/x": "",
		"X: y": "",
	} {
		h, err := parseRequest([]byte("GET / HTTP/1.1\r\n" + line + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := accountOf(h, nil); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
