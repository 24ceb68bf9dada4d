// Package store keeps the console's record in one SQLite database: events,
// alerts and incidents, profiles and policies, workloads and nodes, people and
// the audit trail; of functions what is deployed, who calls and what may be
// called, every call, its lines and its usage, queues and models. It implements the small Store interfaces that the domains
// declare and knows nothing of what their values mean.
//
// The database runs in WAL mode with one writing connection and a pool of
// reading ones, so readers never wait for the writer. Commits are synchronous
// (synchronous=FULL): a defender drops a batch from its spool once the console
// has taken it, so an acknowledged batch has to outlive a power cut. Whatever
// belongs together is written in one Write; after a crash it is there whole or
// not at all.
package store
