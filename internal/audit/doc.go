// Package audit keeps the trail of what people changed: append-only and
// hash-chained. Each entry's hash covers its content and the hash before it,
// and the head of the chain is kept apart, so that editing, deleting, swapping
// or cutting off entries shows. It does not stop somebody who can write the
// whole database and recompute the chain; the head, printed or copied
// elsewhere now and then, does.
//
// What is worth an entry is the business of whoever makes changes; where the
// rows lie is package store's.
package audit
