package route

// FirewallMode says what becomes of a request the firewall's rules trip on.
type FirewallMode string

// The modes. Alert is what a route has that says nothing.
const (
	FirewallOff     FirewallMode = "off"
	FirewallAlert   FirewallMode = "alert"
	FirewallPrevent FirewallMode = "prevent"
)

// Firewall is how the firewall treats a route's requests. Zero fields get the
// defaults given.
type Firewall struct {
	Mode       FirewallMode `json:"mode,omitempty" yaml:"mode,omitempty"`             // alert
	Paranoia   int          `json:"paranoia,omitempty" yaml:"paranoia,omitempty"`     // 1 to 4; 1
	Threshold  int          `json:"threshold,omitempty" yaml:"threshold,omitempty"`   // score at which it trips, one critical rule scores 5; 5
	Oversize   string       `json:"oversize,omitempty" yaml:"oversize,omitempty"`     // what prevent does with a body longer than is inspected: "refuse" (default) or "pass"
	Exclusions []Exclusion  `json:"exclusions,omitempty" yaml:"exclusions,omitempty"` // what honest requests of this route are known to trip
}

// Exclusion takes one rule off a route, for one parameter or for all.
type Exclusion struct {
	Rule      int    `json:"rule" yaml:"rule"`
	Parameter string `json:"parameter,omitempty" yaml:"parameter,omitempty"` // as verdicts name it: "ARGS:q", "ARGS:json.items.*.note"; all where empty
	Note      string `json:"note,omitempty" yaml:"note,omitempty"`           // why
}
