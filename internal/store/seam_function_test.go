package store

import (
	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/route"
)

var (
	_ access.Store     = (*Store)(nil)
	_ function.Store   = (*Store)(nil)
	_ iam.Store        = (*Store)(nil)
	_ model.Store      = (*Store)(nil)
	_ route.Store      = (*Store)(nil)
	_ route.CountStore = Quotas{}
)
