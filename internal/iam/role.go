package iam

import (
	"context"
	"regexp"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Lives of temporary credentials, as the AWS Security Token Service has them.
const (
	shortestCredentials = 15 * time.Minute
	longestCredentials  = time.Hour
)

// Account is the one account of an installation, where AWS wants one.
const Account = "000000000000"

var sessionName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)

// Assume is a wish for temporary credentials of a role.
type Assume struct {
	Role    string        // role/NAME, or its ARN
	Session string        // a name for it
	Life    time.Duration // 15 minutes to 1 hour; 0 is 1 hour
}

// AssumeRole gives caller temporary credentials of a role, where Config.May
// lets it. They end with the role's epoch and with the caller's.
func (s *Service) AssumeRole(ctx context.Context, caller Caller, a Assume) (Credentials, Caller, error) {
	c, life, err := s.assume(ctx, caller, a)
	if err != nil {
		return Credentials{}, Caller{}, err
	}
	given, err := s.credentials(c, life)
	return given, c, err
}

func (s *Service) assume(ctx context.Context, caller Caller, a Assume) (c Caller, life time.Duration, err error) {
	role, err := RoleOf(a.Role)
	if err != nil {
		return c, 0, err
	}
	if !sessionName.MatchString(a.Session) {
		return c, 0, fault.New(fault.Invalid, "session name %.80q: use 2 to 64 letters, digits or _+=,.@-", a.Session)
	}
	if life = a.Life; life == 0 {
		life = longestCredentials
	}
	if life < shortestCredentials || life > longestCredentials {
		return c, 0, fault.New(fault.Invalid, "lifetime %s: give %s to %s", life, shortestCredentials, longestCredentials)
	}
	if _, err := s.alive(caller.Principal, caller.epoch); err != nil {
		return c, 0, err
	}
	if caller.Via != "" { // its end would depend on two others
		return c, 0, fault.New(fault.Denied, "credentials of an assumed role cannot assume another: ask as %s", caller.Via)
	}
	if caller.Session != "" { // they could renew themselves for ever
		return c, 0, fault.New(fault.Denied, "temporary credentials cannot be made of temporary ones: ask with the token they were made of")
	}
	if caller.Principal != role { // a workload that holds the role's own token is the role
		if s.c.May == nil {
			return c, 0, fault.New(fault.Denied, "roles cannot be assumed in this installation")
		}
		if err := s.c.May(ctx, caller, role); err != nil {
			return c, 0, err
		}
	}
	p, err := s.Principal(role)
	if err != nil {
		return c, 0, err
	}
	if p.Disabled {
		return c, 0, errOut
	}
	c = complete(Caller{Principal: role, Method: caller.Method, Key: caller.Key, Session: a.Session}, &p)
	if caller.Principal != role {
		c.Via, c.viaEpoch = caller.Principal, caller.epoch
	}
	return c, life, nil
}

// AssumeWithToken does the same for who has an ID token of a known issuer or a
// workload's token.
func (s *Service) AssumeWithToken(ctx context.Context, token string, a Assume) (Credentials, Caller, error) {
	caller, err := s.WebIdentity(ctx, token)
	if err != nil {
		return Credentials{}, Caller{}, err
	}
	return s.AssumeRole(ctx, caller, a)
}

// WebIdentity takes a token made by a known issuer, or by us for a workload.
func (s *Service) WebIdentity(ctx context.Context, token string) (Caller, error) {
	issuer, err := issuerOf(strings.TrimSpace(token))
	if err != nil {
		return Caller{}, err
	}
	if issuer == s.c.Issuer {
		return s.Workload(ctx, token)
	}
	return s.IDToken(ctx, strings.TrimSpace(token))
}

// RoleOf reads role/NAME or an ARN of a role of this installation.
func RoleOf(text string) (string, error) {
	name := text
	if rest, ok := strings.CutPrefix(text, "arn:aws:iam::"); ok {
		account, resource, _ := strings.Cut(rest, ":")
		if account != Account {
			return "", fault.New(fault.Invalid, "role %.160q is of account %.20q: the account here is %s", text, account, Account)
		}
		name = resource
	}
	if kind, _, err := Split(name); err != nil || kind != "role" {
		return "", fault.New(fault.Invalid, "role %.160q: write role/NAME or arn:aws:iam::%s:role/NAME", text, Account)
	}
	return name, nil
}

// Identity is a caller as AWS clients show it.
type Identity struct{ Account, ARN, UserID string }

// IdentityOf answers GetCallerIdentity.
func IdentityOf(c Caller) Identity {
	i := Identity{Account: Account, UserID: c.Principal, ARN: "arn:aws:iam::" + Account + ":" + c.Principal}
	if name, ok := strings.CutPrefix(c.Principal, "role/"); ok && c.Session != "" {
		i.UserID += ":" + c.Session
		i.ARN = "arn:aws:sts::" + Account + ":assumed-role/" + name + "/" + c.Session
	}
	return i
}
