package console

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
)

// words are the values of the vocabulary's string types, so that the document,
// and with it every generated client, knows them. An empty one stands for a
// value that is not there.
var words = map[reflect.Type][]any{
	reflect.TypeFor[redoubt.EventKind]():    {"exec", "exit", "listen", "connect", "accept", "start", "stop", "loss", "action"},
	reflect.TypeFor[redoubt.Effect]():       {"", "ignore", "alert", "prevent", "block", "isolate"},
	reflect.TypeFor[redoubt.Severity]():     {"none", "low", "medium", "high", "critical"},
	reflect.TypeFor[redoubt.Status]():       {"open", "acknowledged", "resolved"},
	reflect.TypeFor[redoubt.WorkloadKind](): {"container", "service", "host"},
	reflect.TypeFor[redoubt.Proto]():        {"tcp", "udp"},
	reflect.TypeFor[redoubt.Origin]():       {"", "image", "written", "memory"},
	reflect.TypeFor[redoubt.Backend]():      {"", "bpf-lsm", "fanotify", "kill", "cgroup-connect", "cgroup-skb", "engine"},
	reflect.TypeFor[profile.State]():        {"", "learning", "observing", "enforcing", "archived"},
	reflect.TypeFor[profile.Source]():       {"seeded", "learned", "inherited", "manual"},
	reflect.TypeFor[function.State]():       {"", "active", "disabled"},
	reflect.TypeFor[function.Runtime]():     {"", "nodejs", "python", "java", "dotnet", "provided", "image"},
	reflect.TypeFor[function.UseKind]():     {"egress", "dns", "aws", "exec", "read", "write", "function", "bucket", "queue", "secret"},
	reflect.TypeFor[function.Outcome]():     {"", "denied", "refused", "throttled", "gone", "succeeded", "failed", "timeout", "crashed", "abandoned"},
	reflect.TypeFor[function.Start]():       {"", "cold", "claimed", "warm"},
	reflect.TypeFor[function.Action]():      {"disable", "delete-version", "drop-trigger", "upgrade"},
	reflect.TypeFor[iam.KeyKind]():          {"api", "access"},
	reflect.TypeFor[route.Auth]():           {"", "iam", "key", "jwt", "none"},
	reflect.TypeFor[route.FirewallMode]():   {"", "off", "alert", "prevent"},
}

// word is the schema of T, one of words.
type word[T any] struct{}

// Schema implements huma.SchemaProvider.
func (word[T]) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: words[reflect.TypeFor[T]()]}
}

func spell[T any](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[word[T]]())
}

func spellAll(r huma.Registry) {
	spell[redoubt.EventKind](r)
	spell[redoubt.Effect](r)
	spell[redoubt.Severity](r)
	spell[redoubt.Status](r)
	spell[redoubt.WorkloadKind](r)
	spell[redoubt.Proto](r)
	spell[redoubt.Origin](r)
	spell[redoubt.Backend](r)
	spell[profile.State](r)
	spell[profile.Source](r)
	spell[function.State](r)
	spell[function.Runtime](r)
	spell[function.UseKind](r)
	spell[function.Outcome](r)
	spell[function.Start](r)
	spell[function.Action](r)
	spell[iam.KeyKind](r)
	spell[route.Auth](r)
	spell[route.FirewallMode](r)
}
