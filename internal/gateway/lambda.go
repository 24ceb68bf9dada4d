package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// maxTail is how much of a call's log its caller may ask for.
const maxTail = 4 << 10

// serveLambda is AWS Lambda's Invoke and InvokeWithResponseStream, so that its
// SDKs work by setting an endpoint.
func (g *Gateway) serveLambda(a *answer, r *http.Request) {
	a.Header().Set("X-Amzn-RequestId", a.id)
	name, verb, err := lambdaTarget(r.URL)
	if err != nil {
		a.failAWS(refused(err))
		return
	}
	stream := verb == "response-streaming-invocations"
	if r.Method != http.MethodPost || verb != "invocations" && !stream {
		a.failAWS(refuse("", 404, "ResourceNotFoundException", "this gateway serves POST invocations and response-streaming-invocations of the Lambda API only"))
		return
	}
	c := g.begin("invoke", clip(strings.ToValidUTF8(name, "?"), 140))
	c.rec.ID, c.qualifier, c.rec.From = a.id, r.URL.Query().Get("Qualifier"), r.RemoteAddr
	c.trace = parseTrace(r.Header.Get("X-Amzn-Trace-Id"), c.began)
	err = g.lambda(a, r, c, stream)
	a.function, a.outcome = c.rec.Function, string(c.rec.Outcome)
	if err != nil {
		no := refused(err)
		if a.status == 0 {
			a.failAWS(no)
		}
		if no.status >= 500 {
			g.log.Warn("invocation failed", "id", a.id, "error", err)
		}
	}
	g.finish(c, a.status, err)
	a.outcome = string(c.rec.Outcome)
}

// lambdaTarget reads /2015-03-31/functions/NAME/invocations, where NAME may be
// an escaped ARN.
func lambdaTarget(u *url.URL) (name, verb string, err error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) != 4 {
		return "", "", fault.New(fault.NotFound, "no operation of the Lambda API has this path")
	}
	name, err = url.PathUnescape(parts[2])
	if err != nil {
		return "", "", fault.New(fault.Invalid, "the function's name is not escaped well")
	}
	return name, parts[3], nil
}

func (g *Gateway) lambda(a *answer, r *http.Request, c *call, stream bool) (err error) {
	g.bound(a, r, maxBody)
	if c.who, err = g.authenticate(a, r, "iam"); err != nil {
		c.rec.Caller = c.who.Principal
		return err
	}
	if from := insider(r.Context()); from != nil {
		c.rec.Source, c.rec.From = "function", ""
		c.descend(g.running(from))
		name := c.rec.Function
		if ref, err := function.ParseRef(name); err == nil {
			name = ref.Name
		}
		if c.granted = from.Note(useOf(function.UseFunction, name)); !c.granted {
			c.rec.Caller, c.rec.Function = c.who.Principal, name
			return refuse(function.Denied, 403, "AccessDeniedException", "%s may not invoke %s: its role does not grant that", c.who.Principal, name)
		}
	} else if t := r.Header.Get("X-Amz-Tenant-Id"); t != "" {
		if c.who.Tenant != "" && c.who.Tenant != t {
			c.rec.Caller = c.who.Principal
			return refuse(function.Denied, 403, "AccessDeniedException", "%s works for tenant %s only", c.who.Principal, c.who.Tenant)
		}
		c.tenant = clip(t, 256)
	}
	if text := r.Header.Get("X-Amz-Client-Context"); text != "" {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) > 3583 || !json.Valid(raw) {
			return refuse(function.Refused, 400, "InvalidRequestContentException", "the client context is not JSON in base64 of at most 3583 bytes")
		}
		c.context = string(raw)
	}
	c.load = func(c *call) error {
		c.payload, err = g.room.read(c, r.Body)
		if err == nil && len(c.payload) > 0 && !json.Valid(c.payload) {
			return refuse(function.Refused, 400, "InvalidRequestContentException", "the event is not JSON")
		}
		return err
	}
	kind := r.Header.Get("X-Amz-Invocation-Type")
	switch kind {
	case "", "RequestResponse", "DryRun":
	case "Event":
		c.rec.Async = true
	default:
		return refuse(function.Refused, 400, "InvalidParameterValueException", "no invocation type %q; there are RequestResponse, Event and DryRun", clip(kind, 64))
	}
	c.asked = asked(r)
	if err := g.admit(r.Context(), c); err != nil {
		return err
	}
	a.Header().Set("X-Amz-Executed-Version", strconv.Itoa(c.rec.Version))
	switch {
	case kind == "DryRun":
		c.rec.Outcome = function.Succeeded
		a.WriteHeader(http.StatusNoContent)
		return nil
	case kind == "Event":
		if err := g.enqueue(r.Context(), c); err != nil {
			return err
		}
		a.WriteHeader(http.StatusAccepted)
		return nil
	}
	c.stream = stream
	// A caller that does not read must not hold the answer, or its environment.
	http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(c.version.Spec.Limit() + queueTime + 2*bodyTime))
	if err := g.invoke(r.Context(), c); err != nil {
		return err
	}
	if stream {
		return g.streamAWS(a, c)
	}
	return g.answerAWS(a, r, c)
}

// answerAWS gives the caller of Invoke what its function answered. Errors of
// the code are answers here, with 200, as on Lambda.
func (g *Gateway) answerAWS(a *answer, r *http.Request, c *call) error {
	body, err := c.whole()
	if err != nil {
		return err
	}
	if c.result.Outcome == function.Throttled || c.result.Outcome == function.Abandoned {
		return c.failure()
	}
	if c.result.Outcome != function.Succeeded {
		a.Header().Set("X-Amz-Function-Error", "Unhandled")
		body = c.errorBody()
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		a.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(c.tail()))
	}
	c.rec.Out = int64(len(body))
	a.write(http.StatusOK, "application/json", body)
	return nil
}

// whole is the answer in one piece, also where the function streamed it.
func (c *call) whole() ([]byte, error) {
	body := c.result.Payload
	if s := c.result.Stream; s != nil {
		defer s.Close()
		var err error
		if body, err = io.ReadAll(io.LimitReader(s, maxAnswer+1)); err != nil {
			return nil, refuse(function.Crashed, 502, "Unhandled", "the function's answer broke off")
		}
	}
	if len(body) > maxAnswer {
		return nil, refuse(function.Failed, 413, "Function.ResponseSizeTooLarge", "the function's answer is larger than %d bytes", maxAnswer)
	}
	return body, nil
}

// errorBody is what went wrong in the shape Lambda gives it.
func (c *call) errorBody() []byte {
	e := c.result.Error
	if e != nil && len(e.Raw) > 0 && json.Valid(e.Raw) && len(e.Raw) <= maxAnswer {
		return e.Raw
	}
	shape := struct {
		Type    string   `json:"errorType"`
		Message string   `json:"errorMessage"`
		Trace   []string `json:"stackTrace,omitempty"`
	}{}
	switch {
	case e != nil:
		shape.Type, shape.Message, shape.Trace = e.Type, e.Message, e.Trace
	case c.result.Outcome == function.TimedOut:
		shape.Type = "Sandbox.Timedout"
		shape.Message = fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", c.rec.ID, c.result.Duration.Seconds())
	default:
		shape.Type = "Runtime.ExitError"
		shape.Message = fmt.Sprintf("RequestId: %s Error: Runtime exited without providing a reason", c.rec.ID)
	}
	body, _ := json.Marshal(shape)
	return body
}

// tail is the end of what the call printed, between the lines Lambda puts
// around it.
func (c *call) tail() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "START RequestId: %s Version: %d\n", c.rec.ID, c.rec.Version)
	for _, l := range c.result.Lines {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		c.rec.ID, c.rec.ID, float64(c.result.Duration)/float64(time.Millisecond), billed(c.result).Milliseconds(), c.result.Limit>>20, c.result.Memory>>20)
	if c.result.Init > 0 {
		fmt.Fprintf(&b, "\tInit Duration: %.2f ms", float64(c.result.Init)/float64(time.Millisecond))
	}
	b.WriteByte('\n')
	all := b.String()
	if len(all) > maxTail {
		all = strings.ToValidUTF8(all[len(all)-maxTail:], "")
	}
	return []byte(all)
}

// failAWS answers with a refusal as AWS's JSON APIs do.
func (a *answer) failAWS(no *refusal) {
	a.outcome = string(no.outcome)
	if no.retry > 0 {
		a.Header().Set("Retry-After", itoa(int64((no.retry+time.Second-1)/time.Second)))
	}
	a.Header().Set("X-Amzn-Errortype", no.kind)
	blame := "User"
	if no.status >= 500 {
		blame = "Server"
	}
	body, _ := json.Marshal(map[string]string{"__type": no.kind, "Type": blame, "message": no.text, "Message": no.text})
	status := no.status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	a.write(status, "application/json", body)
}

// arn names a version as Lambda would.
func arn(ref function.Ref) string {
	s := "arn:aws:lambda:local:000000000000:function:" + ref.Name
	if ref.Alias != "" {
		return s + ":" + ref.Alias
	}
	return s + ":" + strconv.Itoa(ref.Version)
}
