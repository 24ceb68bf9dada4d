// Package coraza is the waf.Engine made of Coraza and the OWASP Core Rule Set.
//
// The rules are compiled once and serve every route: a route's paranoia level
// is set on each transaction, and the score is added up here, from the rules
// that matched, so that thresholds and exclusions need no rules of their own.
// Rules only look: nothing they say interrupts, writes a file or a log.
package coraza

import (
	"context"
	"fmt"
	"runtime"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	cz "github.com/corazawaf/coraza/v3"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/waf"
)

// Config bounds an engine. Zero fields get the defaults given.
type Config struct {
	Body       int // bytes of a body that are inspected, of answers too; 128 KiB
	Concurrent int // requests inspected at once, the others wait; 4 for each processor
}

const (
	defaultBody = 128 << 10
	perCPU      = 4
)

// Engine inspects with the Core Rule Set. Make it with New.
type Engine struct {
	rules cz.WAF
	body  int
	slots chan struct{}
}

var (
	_ waf.Engine   = (*Engine)(nil)
	_ waf.Answerer = (*Engine)(nil)
)

// directives set what is the same for every route. The methods and content
// types are those functions are called with; the gateway's routes narrow them.
// SecRxPreFilter skips expressions whose literal parts are not in the input.
const directives = `
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRequestBodyLimit %[1]d
SecRequestBodyInMemoryLimit %[1]d
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyLimit %[1]d
SecResponseBodyLimitAction ProcessPartial
SecResponseBodyMimeType text/plain text/html text/xml application/json application/xml
SecArgumentsLimit 1000
SecAuditEngine Off
SecRxPreFilter On
SecAction "id:1,phase:1,pass,nolog,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE',setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |multipart/form-data| |text/xml| |application/xml| |application/soap+xml| |application/json| |application/problem+json| |application/cloudevents+json| |application/x-amz-json-1.0| |application/x-amz-json-1.1| |application/octet-stream| |text/plain|'"
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" "id:2,phase:1,pass,nolog,t:lowercase,ctl:requestBodyProcessor=XML"
Include @crs-setup.conf.example
Include @owasp_crs/*.conf
`

// New compiles the rules, which takes about 0.1 s and 20 MB, once per process.
func New(c Config) (*Engine, error) {
	if c.Body <= 0 {
		c.Body = defaultBody
	}
	if c.Concurrent <= 0 {
		c.Concurrent = perCPU * runtime.GOMAXPROCS(0)
	}
	// One byte more than is ever written, so that Coraza never cuts on its own.
	rules, err := cz.NewWAF(cz.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(fmt.Sprintf(directives, c.Body+1)))
	if err != nil {
		return nil, fmt.Errorf("compile firewall rules: %w", err)
	}
	return &Engine{rules: rules, body: c.Body, slots: make(chan struct{}, c.Concurrent)}, nil
}

// enter waits for a place: what is inspected at once bounds the memory.
func (e *Engine) enter(ctx context.Context) (leave func(), err error) {
	select {
	case e.slots <- struct{}{}:
		return func() { <-e.slots }, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "inspect request: the firewall is busy: %w", ctx.Err())
	}
}
