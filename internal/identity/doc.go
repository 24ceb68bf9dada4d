// Package identity says who is asking: local accounts with a role, browser
// sessions, API tokens, and secrets that work once (to set up the first
// administrator, to enrol a node). It knows roles and what each may do; asking
// whether this request may do it is the console's business, keeping the record
// is package store's.
//
// Nothing secret is kept as it is: passwords as argon2id in PHC format,
// everything else, being 256 random bits, as SHA-256.
package identity
