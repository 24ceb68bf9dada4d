package egress

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// subresources are the query parameters that make an S3 request another
// operation, with what IAM calls that: a verb, put before the name, for each
// method; on a bucket and on an object. An empty name is no operation there.
var subresources = map[string]struct{ bucket, object string }{
	"accelerate": {"AccelerateConfiguration", ""}, "acl": {"BucketAcl", "ObjectAcl"}, "analytics": {"AnalyticsConfiguration", ""},
	"attributes": {"", "ObjectAttributes"}, "cors": {"BucketCORS", ""}, "encryption": {"EncryptionConfiguration", ""},
	"intelligent-tiering": {"IntelligentTieringConfiguration", ""}, "inventory": {"InventoryConfiguration", ""},
	"legal-hold": {"", "ObjectLegalHold"}, "lifecycle": {"LifecycleConfiguration", ""}, "location": {"BucketLocation", ""},
	"logging": {"BucketLogging", ""}, "metrics": {"MetricsConfiguration", ""}, "notification": {"BucketNotification", ""},
	"object-lock": {"BucketObjectLockConfiguration", ""}, "ownershipControls": {"BucketOwnershipControls", ""},
	"policy": {"BucketPolicy", ""}, "policyStatus": {"BucketPolicyStatus", ""}, "publicAccessBlock": {"BucketPublicAccessBlock", ""},
	"replication": {"ReplicationConfiguration", ""}, "requestPayment": {"BucketRequestPayment", ""},
	"retention": {"", "ObjectRetention"}, "tagging": {"BucketTagging", "ObjectTagging"}, "torrent": {"", "ObjectTorrent"},
	"versioning": {"BucketVersioning", ""}, "website": {"BucketWebsite", ""},
}

// harmless are query parameters that choose or shape what an operation
// returns, and change nothing about which it is.
var harmless = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(`list-type prefix delimiter max-keys marker start-after continuation-token encoding-type
		fetch-owner partNumber x-id max-uploads key-marker upload-id-marker version-id-marker max-parts part-number-marker
		response-content-type response-content-language response-expires response-cache-control response-content-disposition
		response-content-encoding id select-type max-buckets bucket-region
		x-amz-acl x-amz-checksum-mode x-amz-request-payer x-amz-sdk-checksum-algorithm`) {
		m[s] = true
	}
	return m
}()

// s3 names a request of S3: on "bucket", or "bucket/key".
func (r *request) s3() []call {
	bucket, key := r.bucket()
	object := key != ""
	on := bucket
	if object {
		on += "/" + key
	}
	if bucket == "" {
		if r.method == "GET" && len(r.extras()) == 0 {
			return r.with("s3:ListAllMyBuckets", []string{"*"})
		}
		return r.unknown()
	}
	extras := r.extras()
	if len(extras) == 0 {
		return r.s3Plain(bucket, on, object)
	}
	var all []call
	for _, e := range extras {
		op, res := r.s3Sub(e, bucket, on, object)
		if op == "" {
			op, res = r.method, bucket+"?"+escape(e)
		}
		all = append(all, r.with("s3:"+op, []string{res})...)
	}
	if r.query.Has("uploads") && r.method == "POST" {
		all = append(all, r.opened("s3:PutObjectAcl", on)...)
	}
	return append(all, r.s3Source()...)
}

const aclHeader = "x-amz-acl"

// acl returns, as parameters, to whom a request opens what it makes.
func (r *request) acl() string {
	out := ""
	for _, f := range r.head.fields {
		if f.value != "" && (f.name == aclHeader || strings.HasPrefix(f.name, "x-amz-grant-")) {
			out += " " + f.name + "=" + escape(f.value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.query)) {
		if name := strings.ToLower(key); name == aclHeader || strings.HasPrefix(name, "x-amz-grant-") && token(name) {
			for _, v := range r.query[key] {
				if v != "" {
					out += " " + escape(name) + "=" + escape(v)
				}
			}
		}
	}
	return out
}

// opened names the second thing a request does that makes something and opens
// it at once.
func (r *request) opened(action, on string) []call {
	if r.acl() == "" {
		return nil
	}
	return r.with(action, []string{on})
}

// bucket takes the request's bucket and key apart, both escaped; the bucket
// stands in the host, else first in the path.
func (r *request) bucket() (bucket, key string) {
	path := strings.TrimPrefix(r.path, "/")
	if r.endpoint.label != "" {
		return escape(r.endpoint.label), escape(path)
	}
	bucket, key, _ = strings.Cut(path, "/")
	return escape(bucket), escape(key)
}

// extras are the query parameters that may make the request another operation.
func (r *request) extras() []string {
	var all []string
	for name := range r.query {
		if !harmless[name] && !strings.HasPrefix(strings.ToLower(name), "x-amz-") && name != "versionId" {
			all = append(all, name)
		}
	}
	return all
}

func (r *request) s3Plain(bucket, on string, object bool) []call {
	one := func(op, res string) []call { return append(r.with("s3:"+op, []string{res}), r.s3Source()...) }
	version := ""
	if r.query.Has("versionId") {
		version = "Version"
	}
	switch {
	case object && (r.method == "GET" || r.method == "HEAD"):
		return one("GetObject"+version, on)
	case object && r.method == "DELETE":
		return one("DeleteObject"+version, on)
	case object && r.method == "PUT":
		return append(one("PutObject", on), r.opened("s3:PutObjectAcl", on)...)
	case object:
	case r.method == "GET" || r.method == "HEAD":
		return one("ListBucket", bucket)
	case r.method == "PUT":
		return append(one("CreateBucket", bucket), r.opened("s3:PutBucketAcl", bucket)...)
	case r.method == "DELETE":
		return one("DeleteBucket", bucket)
	case r.method == "POST": // a form, whose key stands in the body
		return one("PutObject", bucket+"/*")
	}
	return []call{{"s3:" + r.method, on}}
}

// s3Sub names what the query parameter e makes of the request; op is empty
// where that is not known.
func (r *request) s3Sub(e, bucket, on string, object bool) (op, res string) {
	switch {
	case e == "uploads" && !object && r.method == "GET":
		return "ListBucketMultipartUploads", bucket
	case e == "uploads" && object && r.method == "POST", e == "uploadId" && object && (r.method == "PUT" || r.method == "POST"):
		return "PutObject", on
	case e == "uploadId" && object && r.method == "DELETE":
		return "AbortMultipartUpload", on
	case e == "uploadId" && object && r.method == "GET":
		return "ListMultipartUploadParts", on
	case e == "versions" && !object && r.method == "GET":
		return "ListBucketVersions", bucket
	case e == "delete" && !object && r.method == "POST": // keys stand in the body
		return "DeleteObject", bucket + "/*"
	case e == "restore" && object && r.method == "POST":
		return "RestoreObject", on
	case e == "select" && object && r.method == "POST":
		return "GetObject", on
	case e == "session" && !object && r.method == "GET":
		return "CreateSession", bucket
	}
	name := subresources[e].bucket
	if object {
		name = subresources[e].object
	}
	if name == "" {
		return "", ""
	}
	switch r.method {
	case "GET", "HEAD":
		return "Get" + name, on
	case "PUT":
		return "Put" + name, on
	case "DELETE":
		switch e {
		case "tagging", "policy", "website":
			if e != "tagging" || object {
				return "Delete" + name, on
			}
		}
		return "Put" + name, on // what takes a configuration away is its Put in IAM
	}
	return "", ""
}

// s3Source names the object a copy reads.
func (r *request) s3Source() []call {
	values := r.query["x-amz-copy-source"]
	for _, f := range r.head.fields {
		if f.name == "x-amz-copy-source" {
			values = append(values, f.value)
		}
	}
	var all []call
	for _, v := range values {
		v, _, _ = strings.Cut(v, "?")
		source, err := url.PathUnescape(v)
		if err != nil {
			source = "*"
		} else {
			source = escape(strings.TrimPrefix(source, "/"))
		}
		all = append(all, call{"s3:GetObject", source})
	}
	return all
}
