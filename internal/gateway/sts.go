package gateway

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

type stsCredentials struct {
	AccessKeyID     string    `xml:"AccessKeyId"`
	SecretAccessKey string    `xml:"SecretAccessKey"`
	SessionToken    string    `xml:"SessionToken"`
	Expiration      time.Time `xml:"Expiration"`
}

type stsUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string `xml:"Arn"`
}

// stsAnswer is any of the answers: its name and that of its result are the
// action's.
type stsAnswer struct {
	XMLName  xml.Name
	Result   any
	Metadata struct {
		RequestID string `xml:"RequestId"`
	} `xml:"ResponseMetadata"`
}

// serveSTS is the part of AWS's Security Token Service that gives temporary
// credentials: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity.
func (g *Gateway) serveSTS(a *answer, r *http.Request) {
	action, result, err := g.sts(a, r)
	if err != nil {
		a.failSTS(err)
		return
	}
	out := stsAnswer{XMLName: xml.Name{Space: stsNamespace, Local: action + "Response"}, Result: result}
	out.Metadata.RequestID = a.id
	body, err := xml.Marshal(&out)
	if err != nil {
		a.failSTS(err)
		return
	}
	a.write(http.StatusOK, "text/xml", body)
}

func (g *Gateway) sts(a *answer, r *http.Request) (action string, result any, err error) {
	g.bound(a, r, maxTokenBody)
	var who iam.Caller
	if signedFor(r) != "" {
		if who, err = g.authenticate(a, r, "iam"); err != nil {
			return "", nil, err
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		return "", nil, fault.New(fault.Invalid, "the request is no form that was posted")
	}
	action = form.Get("Action")
	ask := iam.Assume{Role: form.Get("RoleArn"), Session: form.Get("RoleSessionName")}
	if text := form.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", nil, fault.New(fault.Invalid, "DurationSeconds is a number")
		}
		ask.Life = time.Duration(n) * time.Second
	}
	switch action {
	case "AssumeRoleWithWebIdentity":
		c, role, err := g.cfg.IAM.AssumeWithToken(r.Context(), form.Get("WebIdentityToken"), ask)
		a.caller = role.Principal
		return action, assumed("AssumeRoleWithWebIdentityResult", c, role), err
	case "AssumeRole", "GetCallerIdentity":
	default:
		return "", nil, fault.New(fault.Unsupported, "no action %q here; there are AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity", clip(action, 64))
	}
	if who.Principal == "" {
		return "", nil, sigv4.Refuse(sigv4.Missing, "%s has to be signed", action)
	}
	if action == "GetCallerIdentity" {
		i := iam.IdentityOf(who)
		return action, &struct {
			XMLName              xml.Name `xml:"GetCallerIdentityResult"`
			Arn, UserId, Account string
		}{Arn: i.ARN, UserId: i.UserID, Account: i.Account}, nil
	}
	c, role, err := g.cfg.IAM.AssumeRole(r.Context(), who, ask)
	return action, assumed("AssumeRoleResult", c, role), err
}

func assumed(name string, c iam.Credentials, role iam.Caller) any {
	i := iam.IdentityOf(role)
	return &struct {
		XMLName     xml.Name
		Credentials stsCredentials
		User        stsUser `xml:"AssumedRoleUser"`
	}{xml.Name{Local: name}, stsCredentials{c.ID, c.Secret.Reveal(), c.Session.Reveal(), c.Expires.UTC()}, stsUser{i.UserID, i.ARN}}
}

func (a *answer) failSTS(err error) {
	no := refused(err)
	code := string(sigv4.CodeOf(err))
	if code == "" {
		code = strings.TrimSuffix(no.kind, "Exception")
	}
	blame := "Sender"
	if no.status >= 500 {
		blame = "Receiver"
	}
	body, _ := xml.Marshal(&struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   struct{ Type, Code, Message string }
		ID      string `xml:"RequestId"`
	}{Error: struct{ Type, Code, Message string }{blame, code, no.text}, ID: a.id})
	a.write(no.status, "text/xml", body)
}
