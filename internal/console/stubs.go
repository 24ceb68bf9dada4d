package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

type Console struct{}

const cookieName = "redoubt_session"

type request struct {
	id      string
	failure error
}

func requestOf(ctx context.Context) *request { return &request{} }

var _ = http.MethodGet
var errStub = errors.New("stub")

func (c *Console) setup(context.Context, *struct{}) (*out[api.Setup], error) { return nil, errStub }
func (c *Console) doSetup(context.Context, *in[api.SetupRequest]) (*sessionOut, error) {
	return nil, errStub
}
func (c *Console) login(context.Context, *in[api.LoginRequest]) (*sessionOut, error) {
	return nil, errStub
}
func (c *Console) whoami(context.Context, *struct{}) (*out[api.Session], error) { return nil, errStub }
func (c *Console) logout(context.Context, *struct{}) (*struct{}, error)         { return nil, errStub }
func (c *Console) overview(context.Context, *struct{}) (*out[api.Overview], error) {
	return nil, errStub
}
func (c *Console) radar(context.Context, *struct{}) (*out[api.Radar], error) { return nil, errStub }
func (c *Console) workloads(context.Context, *workloadFilter) (*out[api.Page[api.Workload]], error) {
	return nil, errStub
}
func (c *Console) workload(context.Context, *ByInstance) (*out[api.Workload], error) {
	return nil, errStub
}

type actInput struct {
	ByInstance
	Body api.ActionRequest
}

func (c *Console) act(context.Context, *actInput) (*out[api.Workload], error) { return nil, errStub }
func (c *Console) events(context.Context, *eventFilter) (*out[api.Page[redoubt.Event]], error) {
	return nil, errStub
}
func (c *Console) eventsCSV(context.Context, *eventFilter) (*huma.StreamResponse, error) {
	return nil, errStub
}
func (c *Console) event(context.Context, *ByID) (*out[redoubt.Event], error) { return nil, errStub }
func (c *Console) whyEvent(context.Context, *ByID) (*out[guard.Explanation], error) {
	return nil, errStub
}
func (c *Console) alerts(context.Context, *alertFilter) (*out[api.Page[redoubt.Alert]], error) {
	return nil, errStub
}
func (c *Console) alertsCSV(context.Context, *alertFilter) (*huma.StreamResponse, error) {
	return nil, errStub
}
func (c *Console) alert(context.Context, *ByID) (*out[redoubt.Alert], error) { return nil, errStub }
func (c *Console) triageAlert(context.Context, *byIDWith[api.TriageRequest]) (*out[redoubt.Alert], error) {
	return nil, errStub
}
func (c *Console) whyAlert(context.Context, *ByID) (*out[guard.Explanation], error) {
	return nil, errStub
}
func (c *Console) allow(context.Context, *ByID) (*out[Applied], error)   { return nil, errStub }
func (c *Console) prevent(context.Context, *ByID) (*out[Applied], error) { return nil, errStub }
func (c *Console) incidents(context.Context, *incidentFilter) (*out[api.Page[redoubt.Incident]], error) {
	return nil, errStub
}
func (c *Console) incidentsCSV(context.Context, *incidentFilter) (*huma.StreamResponse, error) {
	return nil, errStub
}
func (c *Console) incident(context.Context, *ByID) (*out[redoubt.Incident], error) {
	return nil, errStub
}
func (c *Console) triageIncident(context.Context, *byIDWith[api.TriageRequest]) (*out[redoubt.Incident], error) {
	return nil, errStub
}
func (c *Console) profiles(context.Context, *profileFilter) (*out[api.Page[profile.Summary]], error) {
	return nil, errStub
}
func (c *Console) profile(context.Context, *ByWorkload) (*out[profile.Profile], error) {
	return nil, errStub
}
func (c *Console) importProfile(context.Context, *putProfile) (*out[profile.Profile], error) {
	return nil, errStub
}
func (c *Console) setState(context.Context, *byWorkloadWith[api.StateRequest]) (*out[profile.Profile], error) {
	return nil, errStub
}
func (c *Console) editProfile(context.Context, *byWorkloadWith[api.EntriesRequest]) (*out[profile.Profile], error) {
	return nil, errStub
}
func (c *Console) deleteProfile(context.Context, *ByWorkload) (*struct{}, error) {
	return nil, errStub
}
func (c *Console) policies(context.Context, *Slice) (*out[api.Page[api.PolicyDocument]], error) {
	return nil, errStub
}
func (c *Console) policy(context.Context, *ByName) (*out[api.PolicyDocument], error) {
	return nil, errStub
}
func (c *Console) putPolicy(context.Context, *putPolicy) (*out[api.PolicyDocument], error) {
	return nil, errStub
}
func (c *Console) deletePolicy(context.Context, *ByName) (*struct{}, error) { return nil, errStub }
func (c *Console) previewPolicy(context.Context, *in[api.PolicyRequest]) (*out[guard.Preview], error) {
	return nil, errStub
}
func (c *Console) nodes(context.Context, *Slice) (*out[api.Page[redoubt.NodeStatus]], error) {
	return nil, errStub
}
func (c *Console) deleteNode(context.Context, *ByID) (*struct{}, error)         { return nil, errStub }
func (c *Console) join(context.Context, *struct{}) (*out[api.JoinToken], error) { return nil, errStub }
func (c *Console) users(context.Context, *Slice) (*out[api.Page[api.User]], error) {
	return nil, errStub
}
func (c *Console) user(context.Context, *ByName) (*out[api.User], error) { return nil, errStub }
func (c *Console) putUser(context.Context, *byNameWith[api.UserRequest]) (*out[api.User], error) {
	return nil, errStub
}
func (c *Console) deleteUser(context.Context, *ByName) (*struct{}, error) { return nil, errStub }
func (c *Console) tokens(context.Context, *Slice) (*out[api.Page[api.Token]], error) {
	return nil, errStub
}
func (c *Console) makeToken(context.Context, *in[api.TokenRequest]) (*out[api.NewToken], error) {
	return nil, errStub
}
func (c *Console) deleteToken(context.Context, *ByID) (*struct{}, error) { return nil, errStub }
func (c *Console) auditTrail(context.Context, *auditFilter) (*out[api.Page[api.AuditEntry]], error) {
	return nil, errStub
}
func (c *Console) verifyAudit(context.Context, *struct{}) (*out[api.AuditState], error) {
	return nil, errStub
}
func (c *Console) stream(context.Context, *streamFilter) (*huma.StreamResponse, error) {
	return nil, errStub
}
func (c *Console) serveMetrics(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return nil, errStub
}
func (c *Console) health(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return nil, errStub
}
