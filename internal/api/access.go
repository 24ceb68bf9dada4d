package api

import (
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/route"
)

// Route is one entry of the gateway's table.
type Route struct {
	route.Route
	Owner string `json:"owner,omitempty"` // the function whose trigger made it; empty where a person did
}

// RoutesRequest writes routes from YAML documents of kind Route, all or none.
type RoutesRequest struct {
	Source string `json:"source" maxLength:"1048576"`
}

// OpenAPIRequest makes routes of an OpenAPI 3 document.
type OpenAPIRequest struct {
	Source   string `json:"source" maxLength:"4194304" doc:"JSON or YAML"`
	Stage    string `json:"stage,omitempty" maxLength:"64" doc:"Of all routes"`
	Host     string `json:"host,omitempty" maxLength:"253" doc:"Of all routes; the document's first server where empty"`
	Function string `json:"function,omitempty" maxLength:"64" doc:"Target of operations that name none"`
	Lambda   bool   `json:"lambda,omitempty" doc:"API Gateway integrations stay on AWS"`
}

// RoutesWritten are the routes a text held. With problems none was written.
type RoutesWritten struct {
	Routes   []route.Route   `json:"routes"`
	Problems []route.Problem `json:"problems,omitempty"`
	Notes    []route.Note    `json:"notes,omitempty"`
	Written  bool            `json:"written"`
}

// AccessPolicy is a document of Cedar statements.
type AccessPolicy struct {
	ID string `json:"id"` // its name
	access.Document
	Statements int `json:"statements"`
}

// AccessPolicyRequest makes or replaces one.
type AccessPolicyRequest struct {
	Cedar       string `json:"cedar" maxLength:"1048576"`
	Description string `json:"description,omitempty" maxLength:"1024"`
	Disabled    bool   `json:"disabled,omitempty"`
	Revision    int64  `json:"revision,omitempty" doc:"Refused if it was changed since this one; 0 does not look"`
}

// AccessCheckRequest asks what a text would be as access policies.
type AccessCheckRequest struct {
	Source  string `json:"source" maxLength:"1048576"`
	Format  string `json:"format,omitempty" enum:"cedar,aws" doc:"cedar: Cedar or documents of kind AccessPolicy; aws: a policy of AWS IAM"`
	Name    string `json:"name,omitempty" maxLength:"128" doc:"Of the document, where the text gives none"`
	For     string `json:"for,omitempty" maxLength:"256" doc:"The principal an AWS policy is attached to"`
	Account string `json:"account,omitempty" maxLength:"12" doc:"The AWS account whose ARNs mean this installation"`
}

// AccessCheck is what the text is. With problems there are no documents.
type AccessCheck struct {
	Documents []access.Document `json:"documents"`
	Problems  []AccessProblem   `json:"problems,omitempty"`
}

// AccessProblem is one thing wrong with such a text.
type AccessProblem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"` // in an AWS policy
	Message string `json:"message"`
}

// AccessContext is how a call comes. What is left out is not known.
type AccessContext struct {
	From   string    `json:"from,omitempty" maxLength:"64" doc:"Address, or a network such as 10.0.0.0/8, of which its first is taken"`
	Time   time.Time `json:"time,omitzero" doc:"Now where left out"`
	MTLS   bool      `json:"mtls,omitempty"`
	TLS    bool      `json:"tls,omitempty"`
	Route  string    `json:"route,omitempty" maxLength:"512"`
	Stage  string    `json:"stage,omitempty" maxLength:"64"`
	Tenant string    `json:"tenant,omitempty" maxLength:"128"`
	Method string    `json:"method,omitempty" maxLength:"16"`
	Source string    `json:"source,omitempty" maxLength:"32"`
	Bytes  int64     `json:"bytes,omitempty" minimum:"0"`
}

// SimulateRequest asks whether a principal may do something. Groups and
// tenant are those on record where they are left out.
type SimulateRequest struct {
	Principal string        `json:"principal" maxLength:"256" doc:"user/alice, role/web, function/orders, key/K1, anonymous; alice alone is user/alice"`
	Groups    []string      `json:"groups,omitempty" maxItems:"64"`
	Action    string        `json:"action" maxLength:"128" doc:"function:Invoke; invoke alone is that"`
	Resource  string        `json:"resource" maxLength:"512" doc:"function/orders:prod, bucket/photos, …; orders:prod alone is a function"`
	Context   AccessContext `json:"context,omitzero"`
}

// Simulation is the decision with what decided and what would turn it.
type Simulation struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Known     bool   `json:"known"` // the principal is on record and may come in
	access.Answer
}

// WhoCanRequest asks which principals may do something.
type WhoCanRequest struct {
	Action   string        `json:"action" maxLength:"128"`
	Resource string        `json:"resource" maxLength:"512"`
	Context  AccessContext `json:"context,omitzero"`
}

// WhatCanRequest asks what a principal may do.
type WhatCanRequest struct {
	Principal string        `json:"principal" maxLength:"256"`
	Context   AccessContext `json:"context,omitzero"`
}

// AccessList says who may do what, with the statement that lets them.
type AccessList struct {
	Items []access.Access `json:"items"`
}

// Vocabulary is what can stand in a question or a statement.
type Vocabulary struct {
	Actions    []string `json:"actions"`
	Principals []string `json:"principals"`
	Resources  []string `json:"resources"`
}

// AccessFindings are what a person should look at in the policies in force.
type AccessFindings struct {
	Items []access.Finding `json:"items"`
}

// Principal is somebody or something that calls.
type Principal struct {
	iam.Principal
	Keys int       `json:"keys"`          // it has
	Last time.Time `json:"last,omitzero"` // use of one of them
}

// PrincipalRequest makes a principal or changes it.
type PrincipalRequest struct {
	Groups  []string `json:"groups,omitempty" maxItems:"64"`
	Tenant  string   `json:"tenant,omitempty" maxLength:"128"`
	Sources []string `json:"sources,omitempty" maxItems:"16" doc:"What may speak for it: password, oidc:ISSUER, cert, workload, inside; keys always may"`
}

// PrincipalStateRequest locks a principal out or lets it in again.
type PrincipalStateRequest struct {
	Disabled bool   `json:"disabled"`
	Reason   string `json:"reason,omitempty" maxLength:"512"`
}

// AccessKey is a long-lived credential, without its secret.
type AccessKey = iam.Key

// AccessKeyRequest asks for one.
type AccessKeyRequest struct {
	Principal string `json:"principal,omitempty" maxLength:"256" doc:"Whose; one of its own, key/ID, where empty"`
	Kind      string `json:"kind" enum:"api,access" doc:"api: sent as it is in a header; access: signs requests as with AWS"`
	Name      string `json:"name" minLength:"1" maxLength:"128" doc:"What it is for"`
	Days      int    `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"How long it is good for; 0 has no end"`
}

// NewAccessKey is the one answer that holds the secret: for an API key the
// whole text to send, else the secret that belongs to the key's id.
type NewAccessKey struct {
	AccessKey
	Secret string `json:"secret"`
}

// KeyStateRequest disables a key or enables it again.
type KeyStateRequest struct {
	Disabled bool `json:"disabled"`
}

// AccessTokenRequest asks for a short-lived token of a principal.
type AccessTokenRequest struct {
	TTL      string `json:"ttl,omitempty" maxLength:"16" doc:"As 15m, which is the longest and the default"`
	Audience string `json:"audience,omitempty" maxLength:"256" doc:"Whom it is for; the gateway where empty"`
	Once     bool   `json:"once,omitempty" doc:"It works for one call"`
}

// AccessToken is such a token.
type AccessToken struct {
	ID        string    `json:"id"`
	Principal string    `json:"principal"`
	Audience  string    `json:"audience"`
	Expires   time.Time `json:"expires"`
	Secret    string    `json:"secret"`
}
