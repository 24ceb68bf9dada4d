// Package sts speaks the wire of the AWS Security Token Service, as far as
// package iam has it: AssumeRole, AssumeRoleWithWebIdentity and
// GetCallerIdentity, so that AWS SDKs get their credentials here. It knows the
// form and the XML; all else is iam's.
package sts

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

const (
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	version   = "2011-06-15"
	mostForm  = 64 << 10 // bytes
)

// Handler answers POST requests of STS clients by s. They are signed for the
// service "sts", except for AssumeRoleWithWebIdentity, whose token is the proof.
func Handler(s *iam.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		id := w.Header().Get("X-Amzn-Requestid") // set where the gateway counts requests
		answer, err := answer(r.Context(), s, r)
		status := http.StatusOK
		if err != nil {
			status, answer = refuse(err, id)
		}
		text, err := xml.Marshal(answer)
		if err != nil {
			http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		w.Write(text)
	})
}

func answer(ctx context.Context, s *iam.Service, r *http.Request) (any, error) {
	if r.Method != http.MethodPost {
		return nil, fault.New(fault.Unsupported, "send a POST")
	}
	caller := iam.Nobody()
	if sigv4.Signed(r) {
		var err error
		if caller, err = s.Signature(ctx, r, sigv4.Want{Services: []string{"sts"}}); err != nil {
			return nil, err
		}
	}
	if err := r.ParseForm(); err != nil {
		return nil, fault.New(fault.Invalid, "the form cannot be read: %w", err)
	}
	f := r.PostForm
	if f.Get("Version") != version {
		return nil, fault.New(fault.Unsupported, "the version is %.20q: use %s", f.Get("Version"), version)
	}
	action := f.Get("Action")
	if caller.Principal == iam.Anonymous && action != "AssumeRoleWithWebIdentity" {
		return nil, sigv4.Refuse(sigv4.Missing, "the request is not signed: sign it for the service sts")
	}
	switch action {
	case "GetCallerIdentity":
		i := iam.IdentityOf(caller)
		return callerIdentity{NS: namespace, Result: identity{i.ARN, i.UserID, i.Account}}, nil
	case "AssumeRole":
		a, err := wish(f)
		if err != nil {
			return nil, err
		}
		given, role, err := s.AssumeRole(ctx, caller, a)
		return assumed{NS: namespace, Result: result(given, role)}, err
	case "AssumeRoleWithWebIdentity":
		a, err := wish(f)
		if err != nil {
			return nil, err
		}
		given, role, err := s.AssumeWithToken(ctx, f.Get("WebIdentityToken"), a)
		return webAssumed{NS: namespace, Result: result(given, role)}, err
	}
	return nil, fault.New(fault.Unsupported, "the action %.60q is not known here: use AssumeRole, AssumeRoleWithWebIdentity or GetCallerIdentity", action)
}

// known are the parameters that are honoured. Others would narrow what the
// credentials may do: leaving them out would give more than was asked for.
var known = []string{"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "WebIdentityToken"}

func wish(f url.Values) (a iam.Assume, err error) {
	for name, values := range f {
		if len(values) != 1 || !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
			return a, fault.New(fault.Unsupported, "the parameter %.60q is not honoured here, or given twice: leave it out", name)
		}
	}
	a.Role, a.Session = f.Get("RoleArn"), f.Get("RoleSessionName")
	if text := f.Get("DurationSeconds"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil || seconds == 0 {
			return a, fault.New(fault.Invalid, "DurationSeconds is %.20q: give a number from 900", text)
		}
		a.Life = time.Duration(seconds) * time.Second
	}
	return a, nil
}

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResponse"`
	NS      string   `xml:"xmlns,attr"`
	Result  identity `xml:"GetCallerIdentityResult"`
}

type identity struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type assumed struct {
	XMLName xml.Name   `xml:"AssumeRoleResponse"`
	NS      string     `xml:"xmlns,attr"`
	Result  assumeBody `xml:"AssumeRoleResult"`
}

type webAssumed struct {
	XMLName xml.Name   `xml:"AssumeRoleWithWebIdentityResponse"`
	NS      string     `xml:"xmlns,attr"`
	Result  assumeBody `xml:"AssumeRoleWithWebIdentityResult"`
}

type assumeBody struct {
	Credentials struct {
		ID         string `xml:"AccessKeyId"`
		Secret     string `xml:"SecretAccessKey"`
		Session    string `xml:"SessionToken"`
		Expiration string
	}
	User struct {
		Arn string
		ID  string `xml:"AssumedRoleId"`
	} `xml:"AssumedRoleUser"`
}

func result(c iam.Credentials, role iam.Caller) (b assumeBody) {
	i := iam.IdentityOf(role)
	b.Credentials.ID, b.Credentials.Secret, b.Credentials.Session = c.ID, c.Secret.Reveal(), c.Session.Reveal()
	b.Credentials.Expiration = c.Expires.UTC().Format(time.RFC3339)
	b.User.Arn, b.User.ID = i.ARN, i.UserID
	return b
}

type failure struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	NS      string   `xml:"xmlns,attr"`
	Error   struct{ Type, Code, Message string }
	ID      string `xml:"RequestId"`
}

// refuse is an error as STS clients read it.
func refuse(err error, id string) (int, failure) {
	f := failure{NS: namespace, ID: id}
	status := http.StatusBadRequest
	f.Error.Type, f.Error.Code, f.Error.Message = "Sender", "ValidationError", err.Error()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		status, f.Error.Code = http.StatusRequestEntityTooLarge, "RequestEntityTooLarge"
	case sigv4.CodeOf(err) != "":
		status, f.Error.Code = http.StatusForbidden, string(sigv4.CodeOf(err))
	case fault.Is(err, fault.Unauthenticated), fault.Is(err, fault.Denied), fault.Is(err, fault.NotFound):
		status, f.Error.Code = http.StatusForbidden, "AccessDenied" // which roles there are is not told
	case fault.Is(err, fault.Unsupported):
		f.Error.Code = "InvalidAction"
	case fault.Is(err, fault.Limited):
		status, f.Error.Code = http.StatusTooManyRequests, "Throttling"
	case !fault.Is(err, fault.Invalid):
		status, f.Error.Type, f.Error.Code = http.StatusInternalServerError, "Receiver", "InternalFailure"
	}
	return status, f
}
