package store

import (
	"redoubt.dev/redoubt/internal/alert"
	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/identity"
)

var (
	_ alert.Store    = (*Store)(nil)
	_ audit.Store    = (*Store)(nil)
	_ identity.Store = (*Store)(nil)
)
