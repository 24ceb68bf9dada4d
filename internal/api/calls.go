package api

import (
	"context"
	"net/http"
	"net/url"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Applied is the change that allow or prevent wrote.
type Applied struct {
	Applied guard.Change `json:"applied"`
}

// Setup says whether the first administrator is still to be made.
func (c *Client) Setup(ctx context.Context) (Setup, error) {
	return get[Setup](ctx, c, path("setup"))
}

// CreateAdmin makes the first administrator.
func (c *Client) CreateAdmin(ctx context.Context, r SetupRequest) (Session, error) {
	return c.begin(ctx, path("setup"), r)
}

// Login opens a session that this client's later calls use.
func (c *Client) Login(ctx context.Context, name, password string) (Session, error) {
	return c.begin(ctx, path("session"), LoginRequest{Name: name, Password: password})
}

func (c *Client) begin(ctx context.Context, path string, body any) (Session, error) {
	s, err := change[Session](ctx, c, http.MethodPost, path, body)
	c.csrf = s.CSRF
	return s, err
}

// Session says who is asking.
func (c *Client) Session(ctx context.Context) (Session, error) {
	return get[Session](ctx, c, path("session"))
}

// Logout ends the session that Login opened.
func (c *Client) Logout(ctx context.Context) error {
	err := c.call(ctx, http.MethodDelete, path("session"), nil, nil, nil)
	c.csrf = ""
	return err
}

// ChangePassword changes the password of who asks, whose other sessions end.
func (c *Client) ChangePassword(ctx context.Context, current, password string) error {
	return c.call(ctx, http.MethodPut, path("session", "password"), nil, PasswordRequest{Current: current, Password: password}, nil)
}

// Overview is the first page.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, path("overview"))
}

// Radar is the live map.
func (c *Client) Radar(ctx context.Context) (Radar, error) { return get[Radar](ctx, c, path("radar")) }

// Workloads lists instances, newest first.
func (c *Client) Workloads(ctx context.Context, f Filter) ([]Workload, error) {
	return list[Workload](ctx, c, path("workloads"), f.values(), f.Limit)
}

// Workload finds an instance by container id or a prefix of it, name or
// workload id.
func (c *Client) Workload(ctx context.Context, instance string) (Workload, error) {
	return get[Workload](ctx, c, path("workloads", instance))
}

// Act isolates, releases or blocks an instance.
func (c *Client) Act(ctx context.Context, instance string, r ActionRequest) (Workload, error) {
	return change[Workload](ctx, c, http.MethodPost, path("workloads", instance, "actions"), r)
}

// Events lists what the sensors saw, newest first.
func (c *Client) Events(ctx context.Context, f Filter) ([]redoubt.Event, error) {
	return list[redoubt.Event](ctx, c, path("events"), f.values(), f.Limit)
}

// Event is one event.
func (c *Client) Event(ctx context.Context, id string) (redoubt.Event, error) {
	return get[redoubt.Event](ctx, c, path("events", id))
}

// WhyEvent explains an event's verdict.
func (c *Client) WhyEvent(ctx context.Context, id string) (guard.Explanation, error) {
	return get[guard.Explanation](ctx, c, path("events", id, "why"))
}

// Alerts lists alerts, newest first.
func (c *Client) Alerts(ctx context.Context, f Filter) ([]redoubt.Alert, error) {
	return list[redoubt.Alert](ctx, c, path("alerts"), f.values(), f.Limit)
}

// Alert is one alert.
func (c *Client) Alert(ctx context.Context, id string) (redoubt.Alert, error) {
	return get[redoubt.Alert](ctx, c, path("alerts", id))
}

// TriageAlert changes an alert's status or comments on it.
func (c *Client) TriageAlert(ctx context.Context, id string, r TriageRequest) (redoubt.Alert, error) {
	return change[redoubt.Alert](ctx, c, http.MethodPatch, path("alerts", id), r)
}

// WhyAlert explains the verdict of an alert's latest event.
func (c *Client) WhyAlert(ctx context.Context, id string) (guard.Explanation, error) {
	return get[guard.Explanation](ctx, c, path("alerts", id, "why"))
}

// AllowAlert writes the smallest change that lets the alert's behaviour pass.
func (c *Client) AllowAlert(ctx context.Context, id string) (Applied, error) {
	return change[Applied](ctx, c, http.MethodPost, path("alerts", id, "allow"), nil)
}

// PreventAlert writes the smallest rule that makes the alert's behaviour fail.
func (c *Client) PreventAlert(ctx context.Context, id string) (Applied, error) {
	return change[Applied](ctx, c, http.MethodPost, path("alerts", id, "prevent"), nil)
}

// Incidents lists incidents, newest first.
func (c *Client) Incidents(ctx context.Context, f Filter) ([]redoubt.Incident, error) {
	return list[redoubt.Incident](ctx, c, path("incidents"), f.values(), f.Limit)
}

// Incident is one incident.
func (c *Client) Incident(ctx context.Context, id string) (redoubt.Incident, error) {
	return get[redoubt.Incident](ctx, c, path("incidents", id))
}

// TriageIncident changes an incident's status or comments on it.
func (c *Client) TriageIncident(ctx context.Context, id string, r TriageRequest) (redoubt.Incident, error) {
	return change[redoubt.Incident](ctx, c, http.MethodPatch, path("incidents", id), r)
}

// Profiles lists profiles without their entries.
func (c *Client) Profiles(ctx context.Context, f Filter) ([]profile.Summary, error) {
	return list[profile.Summary](ctx, c, path("profiles"), f.values(), f.Limit)
}

// Profile is one profile, whole.
func (c *Client) Profile(ctx context.Context, workload string) (profile.Profile, error) {
	return get[profile.Profile](ctx, c, path("profiles", workload))
}

// PutProfile replaces or makes a profile.
func (c *Client) PutProfile(ctx context.Context, p profile.Profile) (profile.Profile, error) {
	return change[profile.Profile](ctx, c, http.MethodPut, path("profiles", string(p.Workload)), p)
}

// SetProfileState moves a profile to another state.
func (c *Client) SetProfileState(ctx context.Context, workload string, s profile.State) (profile.Profile, error) {
	return change[profile.Profile](ctx, c, http.MethodPost, path("profiles", workload, "state"), StateRequest{State: s})
}

// EditProfile adds and removes entries by hand.
func (c *Client) EditProfile(ctx context.Context, workload string, r EntriesRequest) (profile.Profile, error) {
	return change[profile.Profile](ctx, c, http.MethodPost, path("profiles", workload, "entries"), r)
}

// DeleteProfile forgets a profile.
func (c *Client) DeleteProfile(ctx context.Context, workload string) error {
	return c.call(ctx, http.MethodDelete, path("profiles", workload), nil, nil, nil)
}

// Policies lists policies in the order they are asked.
func (c *Client) Policies(ctx context.Context, f Filter) ([]PolicyDocument, error) {
	return list[PolicyDocument](ctx, c, path("policies"), f.values(), f.Limit)
}

// Policy is one policy.
func (c *Client) Policy(ctx context.Context, name string) (PolicyDocument, error) {
	return get[PolicyDocument](ctx, c, path("policies", name))
}

// PolicyHistory lists the texts a policy had, the latest first, also of one
// that has been deleted.
func (c *Client) PolicyHistory(ctx context.Context, name string, f Filter) ([]PolicyRevision, error) {
	return list[PolicyRevision](ctx, c, path("policies", name, "history"), f.values(), f.Limit)
}

// PutPolicy makes or replaces a policy; dry only says whether it would be taken.
func (c *Client) PutPolicy(ctx context.Context, name, source string, dry bool) (d PolicyDocument, err error) {
	query := url.Values{}
	if dry {
		query.Set("dry", "true")
	}
	return d, c.call(ctx, http.MethodPut, path("policies", name), query, PolicyRequest{Source: source}, &d)
}

// DeletePolicy deletes a policy.
func (c *Client) DeletePolicy(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, path("policies", name), nil, nil, nil)
}

// PreviewPolicy says what a policy would have changed on recorded events.
func (c *Client) PreviewPolicy(ctx context.Context, source string) (guard.Preview, error) {
	return change[guard.Preview](ctx, c, http.MethodPost, path("policies", "preview"), PolicyRequest{Source: source})
}
