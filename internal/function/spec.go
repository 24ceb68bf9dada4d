package function

import "time"

// Runtime names what a function's code is written for.
type Runtime string

// The runtimes. Provided runs the bundle's own executable "bootstrap".
const (
	NodeJS   Runtime = "nodejs"
	Python   Runtime = "python"
	Java     Runtime = "java"
	DotNet   Runtime = "dotnet"
	Provided Runtime = "provided"
	Image    Runtime = "image" // a container image: its own root, entry point and command
)

// Spec is what a person says of a function when deploying it; in a file it
// stands under `spec:` of a document of kind Function. Zero fields get the
// defaults given.
type Spec struct {
	Description string            `json:"description,omitempty" yaml:"description,omitempty"`
	Runtime     Runtime           `json:"runtime" yaml:"runtime"`
	Language    string            `json:"language,omitempty" yaml:"language,omitempty"` // version of the language the code is written for: 20, 3.11, 17; for hints
	Handler     string            `json:"handler,omitempty" yaml:"handler,omitempty"`   // file.function, Class::method; provided and image get it as _HANDLER or not at all
	Memory      int               `json:"memory,omitempty" yaml:"memory,omitempty"`     // MiB, 128; 32 to 10240
	Timeout     int               `json:"timeout,omitempty" yaml:"timeout,omitempty"`   // seconds, 3; 1 to 900
	Tmp         int               `json:"tmp,omitempty" yaml:"tmp,omitempty"`           // MiB of /tmp, 64; 1 to 10240
	CPU         float64           `json:"cpu,omitempty" yaml:"cpu,omitempty"`           // cores; memory/1769, as on Lambda, at least 0.25
	Env         map[string]string `json:"env,omitempty" yaml:"env,omitempty"`
	Layers      []string          `json:"layers,omitempty" yaml:"layers,omitempty"` // digests of bundles mounted at /opt, first lowest
	Concurrency Concurrency       `json:"concurrency,omitzero" yaml:"concurrency,omitempty"`
	Async       Async             `json:"async,omitzero" yaml:"async,omitempty"`
	Streaming   bool              `json:"streaming,omitempty" yaml:"streaming,omitempty"`   // answers are passed on as they come
	PerTenant   bool              `json:"per_tenant,omitempty" yaml:"per_tenant,omitempty"` // callers of different tenants never share an environment
	Role        Role              `json:"role,omitzero" yaml:"role,omitempty"`
	Triggers    []Trigger         `json:"triggers,omitempty" yaml:"triggers,omitempty"`
	Labels      map[string]string `json:"labels,omitempty" yaml:"labels,omitempty"`
}

// Concurrency bounds how many environments of a version exist at once.
type Concurrency struct {
	Max  int `json:"max,omitempty" yaml:"max,omitempty"`   // 10; at most 1000
	Warm int `json:"warm,omitempty" yaml:"warm,omitempty"` // kept ready even when idle; 0
	Idle int `json:"idle,omitempty" yaml:"idle,omitempty"` // seconds until an idle one is ended; 300
}

// Async says what becomes of calls whose caller does not wait.
type Async struct {
	Retries    int    `json:"retries,omitempty" yaml:"retries,omitempty"`         // after the first attempt; 2, -1 for none
	MaxAge     int    `json:"max_age,omitempty" yaml:"max_age,omitempty"`         // seconds; 21600
	DeadLetter string `json:"dead_letter,omitempty" yaml:"dead_letter,omitempty"` // "queue/NAME" or "function/NAME"; else the record alone
}

// Role is what a function version may use. What is not granted does not work:
// the sandbox, the egress proxy and the gateway hold it to that.
type Role struct {
	Egress    []string `json:"egress,omitempty" yaml:"egress,omitempty"`       // "host:port"; "*.example.com:443" for any one label
	AWS       []string `json:"aws,omitempty" yaml:"aws,omitempty"`             // "dynamodb:PutItem table/orders"; the resource may end in *
	Exec      []string `json:"exec,omitempty" yaml:"exec,omitempty"`           // absolute paths of programs it may start
	Write     []string `json:"write,omitempty" yaml:"write,omitempty"`         // directories below /tmp it may write to; none named is all of /tmp
	Functions []string `json:"functions,omitempty" yaml:"functions,omitempty"` // names it may invoke
	Buckets   []string `json:"buckets,omitempty" yaml:"buckets,omitempty"`     // "photos:read" or "photos:write"
	Queues    []string `json:"queues,omitempty" yaml:"queues,omitempty"`       // names it may send to
	Secrets   []string `json:"secrets,omitempty" yaml:"secrets,omitempty"`     // names, given as files below /run/secrets
}

// Trigger is one event source; exactly one field is set.
type Trigger struct {
	HTTP     *HTTPTrigger     `json:"http,omitempty" yaml:"http,omitempty"`
	Schedule *ScheduleTrigger `json:"schedule,omitempty" yaml:"schedule,omitempty"`
	Bucket   *BucketTrigger   `json:"bucket,omitempty" yaml:"bucket,omitempty"`
	MQTT     *MQTTTrigger     `json:"mqtt,omitempty" yaml:"mqtt,omitempty"`
	Queue    *QueueTrigger    `json:"queue,omitempty" yaml:"queue,omitempty"`
}

// HTTPTrigger makes a route of the gateway.
type HTTPTrigger struct {
	Host    string `json:"host,omitempty" yaml:"host,omitempty"`       // any where empty
	Method  string `json:"method,omitempty" yaml:"method,omitempty"`   // any where empty
	Path    string `json:"path" yaml:"path"`                           // template: /orders/{id}, /files/{rest...}
	Auth    string `json:"auth,omitempty" yaml:"auth,omitempty"`       // "iam" (default), "key" or "none"
	Payload string `json:"payload,omitempty" yaml:"payload,omitempty"` // "2.0" (default) or "1.0", the API Gateway event formats
}

// ScheduleTrigger calls at times: "rate(5 minutes)", "cron(0 8 * * ? *)" as
// EventBridge writes them, or five-field cron. Times are UTC.
type ScheduleTrigger struct {
	When  string `json:"when" yaml:"when"`
	Input string `json:"input,omitempty" yaml:"input,omitempty"` // JSON; else a scheduled event
}

// BucketTrigger calls when an object is made or removed.
type BucketTrigger struct {
	Bucket string   `json:"bucket" yaml:"bucket"`
	Events []string `json:"events,omitempty" yaml:"events,omitempty"` // "created" (default), "removed"
	Prefix string   `json:"prefix,omitempty" yaml:"prefix,omitempty"`
	Suffix string   `json:"suffix,omitempty" yaml:"suffix,omitempty"`
}

// MQTTTrigger calls for each message; Topic may hold + and #.
type MQTTTrigger struct {
	Topic string `json:"topic" yaml:"topic"`
}

// QueueTrigger calls with up to Batch messages.
type QueueTrigger struct {
	Queue string `json:"queue" yaml:"queue"`
	Batch int    `json:"batch,omitempty" yaml:"batch,omitempty"` // 10
}

// Limit is the time an invocation may take.
func (s *Spec) Limit() time.Duration { return time.Duration(s.Timeout) * time.Second }
