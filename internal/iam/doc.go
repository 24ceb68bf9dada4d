// Package iam knows who calls: the principals, what proves that a caller is
// one, and the short-lived tokens and credentials a proof is exchanged for. It
// leaves what a principal may do to others (package access), and accounts with
// passwords to package identity.
//
// What holds, each with its test:
//
//   - a token lives 15 minutes at most, is good for its audience only and is
//     signed by a key of this service (Ed25519, named by kid). Clocks may be
//     off by a minute to either side;
//   - a one-time token works once. What was used is remembered until it ends;
//     where no more can be remembered the call is refused, and so is one made
//     before this process started;
//   - who is disabled, removed or revoked is out at once, whatever tokens, keys
//     or credentials of theirs are still good: each carries the principal's
//     epoch, and revoking raises it;
//   - a principal is only spoken for by the sources its record names. An
//     issuer that calls somebody alice does not become the local alice;
//   - of keys only a hash is kept. Access keys are the exception: a signature
//     can only be checked with the secret itself, so they are kept encrypted
//     under a key file (see Sealer).
//
// A Service keeps principals and keys in memory and writes through to its
// Store; where another process may write there, call Refresh.
package iam
