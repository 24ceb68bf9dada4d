// Package defender is the node agent: it wires the sensor, the workload
// sources and the file gate to the profiles and policies of this node, and
// speaks to the console through package link.
//
//	sources ─► registry ─► tenants (slot, profile, rules) ─► kernel rules, file gate
//	                          ▲          ▲
//	sensor ─► queue ─► judge ─┘          │ desired state (policies, profiles, orders)
//	                     │               │
//	                     └─► outbox ─► spool ─► console
//
// One goroutine judges, so that events of one node stay in the kernel's order;
// everything it must wait for is bounded.
package defender
