package api

import (
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Function is one function as lists show it.
type Function struct {
	ID          string            `json:"id"`   // its name
	Time        time.Time         `json:"time"` // last change
	By          string            `json:"by,omitempty"`
	Description string            `json:"description,omitempty"`
	State       function.State    `json:"state"`
	Reason      string            `json:"reason,omitempty"` // why it is disabled
	Revision    int64             `json:"revision"`
	Runtime     function.Runtime  `json:"runtime"`
	Language    string            `json:"language,omitempty"`
	Memory      int               `json:"memory"`  // MiB
	Version     int               `json:"version"` // the one most calls of live go to
	Newest      int               `json:"newest"`
	Live        []function.Weight `json:"live"`
	Triggers    []string          `json:"triggers,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Last        time.Time         `json:"last,omitzero"` // when it last ran
	Calls       int64             `json:"calls"`         // these and the next in the last 24 hours
	Errors      int64             `json:"errors"`
	Refused     int64             `json:"refused"`
	Billed      time.Duration     `json:"billed"`
	GBSeconds   float64           `json:"gb_seconds"`
	Model       profile.State     `json:"model,omitempty"` // state of what was learned of it; empty where nothing was
	Coverage    float64           `json:"coverage"`
	Risks       []string          `json:"risks,omitempty"` // what a person should look at, worst first, in plain words
}

// FunctionDetail is one function, whole.
type FunctionDetail struct {
	Function
	Record function.Function `json:"record"` // versions and aliases
	Hints  map[int][]string  `json:"hints"`  // by version: what should be better about it
	Hosted []Environment     `json:"hosted"` // environments there are right now
}

// Environment is one place where a function's code runs.
type Environment struct {
	Function string    `json:"function"`
	Version  int       `json:"version"`
	Tenant   string    `json:"tenant,omitempty"`
	State    string    `json:"state"` // busy, idle, frozen or ended
	PID      int       `json:"pid"`
	Since    time.Time `json:"since"`
	Calls    int       `json:"calls"`
	Memory   int64     `json:"memory"` // bytes
}

// Environments are all there are on the machine of the gateway.
type Environments struct {
	Items []Environment `json:"items"`
	Gaps  []string      `json:"gaps"`          // what this machine cannot enforce on functions
	Off   string        `json:"off,omitempty"` // why no function runs here; empty where they do
}

// Bundle is uploaded code. A deployment names its digest; one that no
// deployment names goes after a day.
type Bundle struct {
	Digest   redoubt.Digest `json:"digest"`
	Size     int64          `json:"size"`     // bytes as uploaded
	Unpacked int64          `json:"unpacked"` // bytes of its files
	Files    int            `json:"files"`
	Image    bool           `json:"image,omitempty"` // it is a container image
}

// DeployRequest makes a new version of a function, and the function where it
// is not there.
type DeployRequest struct {
	Spec     function.Spec  `json:"spec"`
	Digest   redoubt.Digest `json:"digest" maxLength:"128" doc:"Of the code, as the upload answered"`
	Stay     bool           `json:"stay,omitempty" doc:"Leave live where it is"`
	Revision int64          `json:"revision,omitempty" doc:"Refused if the function was changed since this one; 0 does not look"`
}

// AliasRequest makes or moves an alias.
type AliasRequest struct {
	Weights  []function.Weight `json:"weights" minItems:"1" maxItems:"10" doc:"Percentages add up to 100"`
	Revision int64             `json:"revision,omitempty" doc:"Refused if the function was changed since this one; 0 does not look"`
}

// RollbackRequest takes an alias back to where it pointed before.
type RollbackRequest struct {
	Alias    string `json:"alias,omitempty" maxLength:"64" doc:"live where empty"`
	Revision int64  `json:"revision,omitempty"`
}

// FunctionStateRequest takes a function out of service or puts it back.
type FunctionStateRequest struct {
	State    function.State `json:"state" enum:"active,disabled"`
	Reason   string         `json:"reason,omitempty" maxLength:"512"`
	Revision int64          `json:"revision,omitempty"`
}

// InvokeRequest calls a function as the person who asks: principal user/NAME.
// Access policies decide as they do for everybody.
type InvokeRequest struct {
	Payload   string `json:"payload,omitempty" maxLength:"6291456" doc:"The event, JSON; {} where empty"`
	Qualifier string `json:"qualifier,omitempty" maxLength:"64" doc:"Version or alias; live where empty"`
	Async     bool   `json:"async,omitempty" doc:"Do not wait: the call is queued and tried again if it fails"`
}

// Invoked is what became of such a call.
type Invoked struct {
	Record  function.Invocation `json:"record"`  // as far as it goes for a call that was queued
	Payload string              `json:"payload"` // the answer, or the error's JSON
	Lines   []function.Line     `json:"lines,omitempty"`
}

// Lines are what a function printed, oldest first. Last goes into after of the
// next request, to follow it.
type Lines struct {
	Items []function.Line `json:"items"`
	Last  int64           `json:"last"`
}

// UsageRow counts calls of a function; of one hour, version or caller where
// they are told apart.
type UsageRow struct {
	Time time.Time `json:"time,omitzero"` // the hour's begin
	function.Usage
}

// Usage is who used which function how much.
type Usage struct {
	Since time.Time  `json:"since"`
	Until time.Time  `json:"until"`
	Items []UsageRow `json:"items"`
}

// Findings are functions, versions and triggers that nobody seems to need, or
// that are out of date.
type Findings struct {
	Days  int                `json:"days"` // not used for so long
	Items []function.Finding `json:"items"`
}

// ModelEntryRequest is one thing a function may use, written by a person.
type ModelEntryRequest struct {
	Kind   function.UseKind `json:"kind" enum:"egress,dns,aws,exec,read,write,function,bucket,queue,secret"`
	Target string           `json:"target" minLength:"1" maxLength:"1024"`
	Args   []string         `json:"args,omitempty" maxItems:"64" doc:"Of a program: the shape of its arguments; any where left out"`
	Note   string           `json:"note,omitempty" maxLength:"512"`
}

// ModelChange adds to and takes from what was learned of a function.
type ModelChange struct {
	Add    []ModelEntryRequest `json:"add,omitempty" maxItems:"512"`
	Remove []string            `json:"remove,omitempty" maxItems:"512" doc:"Ids of entries"`
	Fields []model.Allow       `json:"fields,omitempty" maxItems:"256" doc:"Fields of requests that may hold anything from now on, or are forgotten"`
}

// ModelDocument is a model as a document of kind FunctionModel.
type ModelDocument struct {
	Source string `json:"source"` // YAML
}

// Privileges compare what a version's role grants with what was used of it.
type Privileges struct {
	Function string         `json:"function"`
	Version  int            `json:"version"`
	Role     function.Role  `json:"role"`
	Grants   []model.Grant  `json:"grants"`   // unused ones first
	Wanted   []model.Entry  `json:"wanted"`   // what was tried and is not granted, most tried first
	Proposal model.Proposal `json:"proposal"` // the smallest role that covers what was used
}

// AdoptRequest deploys the version again with the proposed role.
type AdoptRequest struct {
	Version  int   `json:"version" minimum:"1" doc:"The version that was looked at"`
	Revision int64 `json:"revision,omitempty"`
}

// FunctionMap is who calls what, and what that touches.
type FunctionMap struct {
	Time  time.Time         `json:"time"`
	Since time.Time         `json:"since"`
	Nodes []FunctionMapNode `json:"nodes"`
	Edges []FunctionMapEdge `json:"edges"`
}

// FunctionMapNode is a caller, a route, a function or something functions
// touch. Its id begins with its kind: caller/user/alice, route/GET /orders,
// function/orders, egress/api.example.com:443.
type FunctionMapNode struct {
	ID       string         `json:"id"`
	Kind     string         `json:"kind"` // caller, route, function, or a kind of use: egress, aws, exec, bucket, queue, secret
	Name     string         `json:"name"`
	State    function.State `json:"state,omitempty"` // of a function
	Model    profile.State  `json:"model,omitempty"`
	Coverage float64        `json:"coverage,omitempty"`
	Calls    int64          `json:"calls"`
	Errors   int64          `json:"errors,omitempty"`
	Verdicts int            `json:"verdicts,omitempty"` // calls worth a person's eye
}

// FunctionMapEdge leads from a caller to a route, from there to a function,
// and from that to what it touches.
type FunctionMapEdge struct {
	From    string    `json:"from"`
	To      string    `json:"to"`
	Count   int64     `json:"count"`
	Refused int64     `json:"refused,omitempty"`
	Granted bool      `json:"granted,omitempty"` // by the live version's role, used or not
	Last    time.Time `json:"last,omitzero"`
}
