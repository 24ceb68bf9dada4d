// Package guard decides: it holds an event against the workload's profile and
// the policies and says what is to happen, why, and what would have to change
// for another answer. Deciding is pure; carrying it out goes through the small
// interfaces in enforce.go.
package guard

import (
	"time"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Explanation answers why an event got its verdict.
type Explanation struct {
	Event    redoubt.Event   `json:"event"`
	Verdict  redoubt.Verdict `json:"verdict"`
	Rules    []RuleStep      `json:"rules"` // in the order they were asked, up to the one that decided
	Nearest  *profile.Entry  `json:"nearest,omitempty"`
	Compared []Difference    `json:"compared,omitempty"` // against Nearest
	Allow    *Change         `json:"allow,omitempty"`    // the smallest change that would let it pass
	Advice   string          `json:"advice"`
}

// RuleStep is one rule's answer.
type RuleStep struct {
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	Why     string `json:"why"`
}

// Difference is one compared field.
type Difference struct {
	Field string `json:"field"`
	Want  string `json:"want"`
	Got   string `json:"got"`
	Same  bool   `json:"same"`
}

// Change is what "allow this" writes: an entry for the profile, or, where a
// policy rule said no, a rule to put before it.
type Change struct {
	Text   string         `json:"text"`
	Entry  *profile.Entry `json:"entry,omitempty"`
	Policy string         `json:"policy,omitempty"`
	Rule   *policy.Rule   `json:"rule,omitempty"`
}

// Preview is what a policy would have changed on recorded events.
type Preview struct {
	Problems []policy.Problem `json:"problems,omitempty"`
	Events   int              `json:"events"`        // replayed
	From     time.Time        `json:"from,omitzero"` // the oldest of them
	Changed  int              `json:"changed"`
	Samples  []PreviewChange  `json:"samples,omitempty"` // at most fifty
}

// PreviewChange is one event whose verdict would differ.
type PreviewChange struct {
	Event redoubt.Event   `json:"event"`
	Then  redoubt.Verdict `json:"then"`
}
