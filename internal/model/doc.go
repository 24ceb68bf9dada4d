// Package model knows what is normal for a function: what its code starts,
// reads, writes, reaches and calls, what requests to it look like and what it
// takes to answer them. It learns from invocations as they end, says how much
// of a function's behaviour it has seen (Good and Turing's estimator, over
// independent units), judges deeds and requests against that, and says which
// grants of a role were never used. A verdict names the entry compared and the
// smallest change that would allow what was seen. It grants nothing: the role
// does, and the sandbox, the egress proxy and the gateway hold code to it.
// Known attacks are package waf's; keeping models is package store's.
package model
