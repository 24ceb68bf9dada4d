package coraza

import (
	"context"
	"fmt"
	"strconv"

	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

// Inspect judges a request by the settings it carries. With the mode off it
// passes unseen. Of a body above the engine's limit the beginning is judged;
// the rest makes the verdict Oversize, which alerts, and in prevent mode
// refuses unless the route says "pass".
func (e *Engine) Inspect(ctx context.Context, r *waf.Request) (v *waf.Verdict, err error) {
	if r.Setting.Mode == route.FirewallOff {
		return &waf.Verdict{Action: waf.Pass}, nil
	}
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	defer recovered(&err)
	tx, vars, err := e.begin(r)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	read := waf.Read(r, e.body)
	if err := feed(tx, vars, r, read); err != nil {
		return nil, err
	}
	return judge(tx.MatchedRules(), r, read.Over), nil
}

// recovered keeps a fault in the rules' code from ending the gateway: the
// request was not judged, and the caller decides.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("inspect request: the rules gave up: %v", p)
	}
}

func (e *Engine) begin(r *waf.Request) (types.Transaction, plugintypes.TransactionVariables, error) {
	tx := e.rules.NewTransaction()
	state, ok := tx.(plugintypes.TransactionState)
	if !ok {
		tx.Close()
		return nil, nil, fmt.Errorf("inspect request: this Coraza does not show its variables")
	}
	level := []string{strconv.Itoa(max(r.Setting.Paranoia, 1))}
	state.Variables().TX().Set("blocking_paranoia_level", level)
	state.Variables().TX().Set("detection_paranoia_level", level)
	return tx, state.Variables(), nil
}

// feed gives a transaction the request. Bodies arrive taken apart, except for
// forms and XML, which Coraza reads itself, in memory.
func feed(tx types.Transaction, vars plugintypes.TransactionVariables, r *waf.Request, read waf.Reading) error {
	tx.ProcessConnection(r.Remote.Addr().String(), int(r.Remote.Port()), "", 0)
	tx.ProcessURI(r.URI, r.Method, r.Proto)
	if r.Host != "" {
		tx.AddRequestHeader("Host", r.Host)
		tx.SetServerName(r.Host)
	}
	for _, f := range r.Header {
		tx.AddRequestHeader(f.Name, f.Value)
	}
	if len(r.Body) > 0 && !r.Framed() {
		tx.AddRequestHeader("Content-Length", strconv.Itoa(len(r.Body)))
	}
	tx.ProcessRequestHeaders()
	for _, p := range read.Params {
		tx.AddPostRequestArgument(p.Name, p.Value)
	}
	for _, f := range read.Files {
		vars.Files().Add(f.Name, f.Value)
		vars.FilesNames().Add("", f.Name)
	}
	switch read.Form {
	case waf.URLEncoded, waf.XML:
		set(vars.RequestBodyProcessor(), string(read.Form))
		if _, _, err := tx.WriteRequestBody(read.Body); err != nil {
			return fmt.Errorf("inspect request: %w", err)
		}
	case waf.JSON, waf.Multipart:
		set(vars.RequestBodyProcessor(), string(read.Form))
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return fmt.Errorf("inspect request: %w", err)
	}
	return nil
}

func set(c collection.Single, value string) {
	if s, ok := c.(interface{ Set(string) }); ok {
		s.Set(value)
	}
}

// InspectAnswer judges what a function answered to r. Rules on requests do not
// count here, and an answer's threshold is one below the route's, as the rules
// have it: their findings on answers score 4.
func (e *Engine) InspectAnswer(ctx context.Context, r *waf.Request, a *waf.Answer) (v *waf.Verdict, err error) {
	if r.Setting.Mode == route.FirewallOff {
		return &waf.Verdict{Action: waf.Pass}, nil
	}
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	defer recovered(&err)
	tx, _, err := e.begin(r)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	tx.ProcessURI(r.URI, r.Method, r.Proto)
	tx.ProcessRequestHeaders()
	if _, err := tx.ProcessRequestBody(); err != nil {
		return nil, fmt.Errorf("inspect answer: %w", err)
	}
	for _, f := range a.Header {
		tx.AddResponseHeader(f.Name, f.Value)
	}
	tx.ProcessResponseHeaders(a.Status, r.Proto)
	if tx.IsResponseBodyProcessable() {
		if _, _, err := tx.WriteResponseBody(a.Body[:min(len(a.Body), e.body)]); err != nil {
			return nil, fmt.Errorf("inspect answer: %w", err)
		}
	}
	if _, err := tx.ProcessResponseBody(); err != nil {
		return nil, fmt.Errorf("inspect answer: %w", err)
	}
	return judgeAnswer(tx.MatchedRules(), r), nil
}
