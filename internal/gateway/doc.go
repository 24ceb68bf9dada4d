// Package gateway is the front door of functions. Whatever calls one, an HTTP
// request, an AWS SDK, a schedule, an object that arrived, a sensor reading, a
// queue or another function, passes the same way and leaves the same record:
//
//	source ─► function and version ─► limits ─► body ─► firewall ─► access ─► model ─► run ─► answer
//	   │              │                  │        │         │          │        │       │        │
//	   └──────────────┴──────────────────┴────────┴─────────┴──────────┴────────┴───────┴────────┴─► one function.Invocation
//
// It decides nothing itself: who calls (Authenticator), what may be called
// (Authorizer), what a request may hold (Firewall), what is normal (Model) and
// how code runs (Invoker) are asked of others. It keeps the promise that every
// accepted call ends in exactly one record: a journal on disk remembers calls
// that were under way when the process died, and calls nobody waits for stand
// in a durable queue until they ended.
package gateway
