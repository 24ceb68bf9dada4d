package egress

import "strings"

// endpoint is what a host below amazonaws.com says of itself: the service as
// IAM calls it, and what stands before the service's own label, such as the
// bucket or the id of an API.
type endpoint struct {
	service string
	label   string
}

// renamed are services whose host does not bear the name IAM uses.
var renamed = map[string]string{
	"bedrock-agent-runtime": "bedrock", "bedrock-runtime": "bedrock", "control-kinesis": "kinesis",
	"data-kinesis": "kinesis", "ddb": "dynamodb", "email": "ses", "entitlement": "aws-marketplace",
	"monitoring": "cloudwatch", "queue": "sqs", "tagging": "tag", "transcribestreaming": "transcribe",
}

// rented are names below amazonaws.com behind which customers' own machines
// listen; no calls of the API go there.
var rented = map[string]bool{
	"cache": true, "compute": true, "compute-1": true, "compute-internal": true, "docdb": true, "eks": true, "elb": true,
	"global-rds": true, "kafka": true, "memorydb": true, "mq": true, "neptune": true, "rds": true, "redshift": true,
	"redshift-serverless": true,
}

// endpointOf reads host, a clean name; ok is false where it is no endpoint of
// the AWS API.
func endpointOf(host string) (endpoint, bool) {
	rest, ok := strings.CutSuffix(host, "."+awsDomain)
	if !ok {
		return endpoint{}, false
	}
	rest, private := strings.CutSuffix(rest, ".vpce")
	labels := strings.Split(rest, ".")
	last := len(labels) - 1
	region := regional(labels[last])
	if region && last > 0 {
		last--
	}
	if labels[last] == "dualstack" && last > 0 {
		last--
	}
	service := strings.TrimSuffix(labels[last], "-fips")
	if private && last > 0 && strings.HasPrefix(labels[last-1], "vpce-") {
		labels = append(labels[:last-1:last-1], labels[last])
		last--
	}
	before := strings.Join(labels[:last], ".")
	if private && service == "s3" {
		before = strings.TrimPrefix(strings.Replace(before, "accesspoint.", "accesspoint/", 1), "bucket.")
	}
	if last > 0 && !region && service != "s3" && regional(labels[last-1]) {
		before = strings.Join(labels[:last-1], ".") // us-east-1.queue, search-x.us-east-1.es
	}
	// rds.us-east-1 is the API, db1.c2x.us-east-1.rds and x.elb a customer's.
	if rented[service] && (!region || before != "") && rest != service {
		return endpoint{}, false
	}
	if bucket, ok := strings.CutPrefix(service, "s3-"); ok {
		switch {
		case regional(bucket), bucket == "accelerate", bucket == "external-1", strings.HasPrefix(bucket, "website"):
			service = "s3"
		}
	}
	switch {
	case strings.HasPrefix(service, "s3express"):
		service = "s3"
	case service == "s3-accesspoint":
		return endpoint{"s3", "accesspoint/" + before}, before != ""
	}
	if name, ok := renamed[service]; ok {
		service = name
	}
	return endpoint{service, before}, service != "" && !strings.Contains(service, "_")
}

// regional says whether s looks like a region: us-east-1, us-gov-west-1.
func regional(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts[0]) != 2 {
		return false
	}
	for i, p := range parts {
		digits := i == len(parts)-1
		for j := range len(p) {
			if p[j] >= '0' && p[j] <= '9' != digits {
				return false
			}
			if !digits && (p[j] < 'a' || p[j] > 'z') {
				return false
			}
		}
		if p == "" {
			return false
		}
	}
	return true
}
