package egress

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
)

// resources returns what the fields at f name.
func (r *request) resources(f source) []string {
	var all []string
	for _, n := range r.fields.find(f.path) {
		if n.text == "" {
			continue
		}
		res := r.resource(n.text, f.form)
		if f.index != "" && len(r.fields.find(f.index)) > 0 {
			for _, i := range r.fields.find(f.index) {
				all = append(all, res+"/index/"+escape(i.text))
			}
			continue
		}
		all = append(all, res)
	}
	if f.path == busPath && len(all) < len(r.fields.find("Entries.*")) {
		all = append(all, "event-bus/default")
	}
	return all
}

// resource brings a value to its form. One that is an ARN, or the URL of a
// queue, says its account: where that is not the one of the credentials, the
// resource bears it, so that a grant of "orders" is not one of everybody's
// orders.
func (r *request) resource(value, form string) string {
	account, name := "", ""
	if parts := strings.SplitN(value, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		account, name = parts[4], escape(parts[5])
	} else if form == "%s" && r.endpoint.service == "sqs" {
		if u, err := url.Parse(value); err == nil && u.Path != "" {
			value = strings.Trim(u.Path, "/")
		}
		account, name, _ = strings.Cut(value, "/")
		if name == "" {
			account, name = "", account
		}
		name = escape(name)
	} else if form == "key/%s" && strings.HasPrefix(value, "alias/") {
		name = escape(value)
	} else {
		if r.endpoint.service == "ssm" {
			value = strings.TrimPrefix(value, "/") // parameter/a is the ARN of /a
		}
		name = fmt.Sprintf(form, escape(value))
	}
	if account != "" && r.account != "" && account != r.account && account != "aws" {
		return escape(account) + ":" + name
	}
	return name
}

// dangerous are actions whose parameters matter as much as their resource:
// who may do them with one value may take over the account with another.
// They are told with those, and grants may name them.
var dangerous = map[string][]string{
	"iam:AttachUserPolicy": {"PolicyArn"}, "iam:AttachRolePolicy": {"PolicyArn"}, "iam:AttachGroupPolicy": {"PolicyArn"},
	"iam:PutUserPolicy": {"PolicyName"}, "iam:PutRolePolicy": {"PolicyName"}, "iam:PutGroupPolicy": {"PolicyName"},
	"iam:PutUserPermissionsBoundary": {"PermissionsBoundary"}, "iam:PutRolePermissionsBoundary": {"PermissionsBoundary"},
	"iam:AddUserToGroup": {"UserName"}, "iam:AddRoleToInstanceProfile": {"RoleName"},
	"lambda:CreateFunction": {"Role"}, "lambda:UpdateFunctionConfiguration": {"Role"}, "lambda:AddPermission": {"Principal"},
	"sns:Subscribe": {"Protocol", "Endpoint"}, "ssm:SendCommand": {"DocumentName"},
	"kms:CreateGrant": {"GranteePrincipal"}, "events:PutTargets": {"Targets.*.Arn"}, "logs:PutSubscriptionFilter": {"destinationArn"},
	"states:CreateStateMachine": {"roleArn"}, "states:UpdateStateMachine": {"roleArn"},
	"s3:PutObjectAcl": {aclHeader}, "s3:PutBucketAcl": {aclHeader},
}

// parameter returns " Name=value" for each value of a parameter; what could
// not be read is "*".
func (r *request) parameter(name string) string {
	key := name[strings.LastIndexByte(name, '.')+1:]
	var values []string
	if name == aclHeader {
		return r.acl()
	} else if r.fields == nil {
		return " " + key + "=*"
	} else {
		for _, n := range r.fields.find(name) {
			values = append(values, n.text)
		}
	}
	out := ""
	for _, v := range values {
		if v != "" {
			out += " " + key + "=" + escape(v)
		}
	}
	return out
}

// escape writes what would not stand as one word in a grant, or mean
// something else there, as in a URL.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '*' || c == '%' {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// maxResource is above the 1,024 bytes of an S3 key, even where a good part
// of it is escaped.
const maxResource = 2048

// clip makes the unknown resource of what no grant can name.
func clip(s string) string {
	if s == "" || s[0] == ' ' || len(s) > maxResource || strings.HasPrefix(s, "arn:") {
		return "*"
	}
	return s
}

// accountOf returns the account of the credentials r is signed with. The id of
// an access key bears it since 2019; of older ones, and of what is not signed,
// it is unknown. It is no secret: an id says who, a key proves it.
func accountOf(h *head, query url.Values) string {
	id := query.Get("X-Amz-Credential")
	if auth, n := h.get("authorization"); n == 1 {
		_, id, _ = strings.Cut(auth, "Credential=")
	}
	id, _, _ = strings.Cut(id, "/")
	if len(id) != 20 || id[4] == 'I' || id[4] == 'J' || !(strings.HasPrefix(id, "AKIA") || strings.HasPrefix(id, "ASIA")) {
		return ""
	}
	b, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil {
		return ""
	}
	n := binary.BigEndian.Uint64(b) >> 16 & 0x7fffffffff80 >> 7
	if n > 999_999_999_999 {
		return ""
	}
	return fmt.Sprintf("%012d", n)
}
