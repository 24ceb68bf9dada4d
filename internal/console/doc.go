// Package console is the role that remembers, decides what profiles become and
// answers people: it takes in what defenders push, keeps the record, folds
// alerts, merges profiles, and serves the public API, the event stream, the
// metrics and the web UI. Where the record lies is package store's business,
// how a batch travels is package link's, what an event deserves is guard's.
package console
