package iam

import (
	"context"
	"time"
)

// Store is the record iam needs. A put is durable when it returns: a
// revocation that a power cut undoes is none. Lists are complete; they are
// read at the start and by Refresh, not for each call. What is sealed or
// hashed stays opaque to the store.
type Store interface {
	PutPrincipal(ctx context.Context, p *Principal) error // insert or replace, by ID
	Principals(ctx context.Context) ([]Principal, error)  // removed ones too

	PutKey(ctx context.Context, k *Key) error // insert or replace, by ID
	Keys(ctx context.Context) ([]Key, error)
	DeleteKey(ctx context.Context, id string) error // none is no error

	PutSigner(ctx context.Context, s *Signer) error // insert or replace, by ID
	Signers(ctx context.Context) ([]Signer, error)
	DeleteSigner(ctx context.Context, id string) error // none is no error
}

// KeyKind says what a key is used for.
type KeyKind string

// The kinds of key.
const (
	APIKey    KeyKind = "api"    // sent as it is, in a header
	AccessKey KeyKind = "access" // signs requests, as with AWS
)

// Key is a long-lived credential without its secret.
type Key struct {
	ID        string    `json:"id"`
	Kind      KeyKind   `json:"kind"`
	Principal string    `json:"principal"`
	Name      string    `json:"name"`
	Hash      []byte    `json:"-"` // of an API key's secret
	Sealed    []byte    `json:"-"` // an access key's secret, encrypted
	Disabled  bool      `json:"disabled,omitempty"`
	Created   time.Time `json:"created"`
	By        string    `json:"by,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	Last      time.Time `json:"last,omitzero"` // use, to the minute
}

// Signer is a key that signs tokens.
type Signer struct {
	ID      string // kid
	Public  []byte
	Sealed  []byte // the private key, encrypted
	Created time.Time
	Retired time.Time // it signs nothing since; zero for the current one
}
