package function

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	runtimes     = []Runtime{NodeJS, Python, Java, DotNet, Provided, Image}
	languageForm = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3})?$`)
	digestForm   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	envForm      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	handlerForm  = regexp.MustCompile(`^[^\s]{1,128}$`)
	scriptForm   = regexp.MustCompile(`^[^.][^:]*\.[A-Za-z_$][A-Za-z0-9_$]*$`)
	javaForm     = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$.]*(::[A-Za-z_$][A-Za-z0-9_$]*)?$`)
	dotnetForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*(::[A-Za-z_][A-Za-z0-9_.+]*::[A-Za-z_][A-Za-z0-9_]*)?$`)
)

// reserved are the variables Lambda sets itself and lets nobody give.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// Bounds of a Spec; where Lambda has one it is Lambda's.
const (
	maxEnv    = 4096 // bytes of names and values together
	maxLayers = 5
	maxGrants = 200 // in one list of a role
	maxTrig   = 100
	maxText   = 1000
	maxLabels = 50
)

// WithDefaults fills in the fields that are zero.
func (s Spec) WithDefaults() Spec {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&s.Memory, 128}, {&s.Timeout, 3}, {&s.Tmp, 64},
		{&s.Concurrency.Max, 10}, {&s.Concurrency.Idle, 300},
		{&s.Async.Retries, 2}, {&s.Async.MaxAge, 21600},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.CPU == 0 {
		s.CPU = max(0.25, math.Round(float64(s.Memory)/1769*100)/100)
	}
	s.Triggers = slices.Clone(s.Triggers)
	for i := range s.Triggers {
		s.Triggers[i] = s.Triggers[i].withDefaults()
	}
	return s
}

func (t Trigger) withDefaults() Trigger {
	if t.HTTP != nil {
		h := *t.HTTP
		h.Method = strings.ToUpper(h.Method)
		if h.Method == "ANY" || h.Method == "*" {
			h.Method = ""
		}
		if h.Auth == "" {
			h.Auth = "iam"
		}
		if h.Payload == "" {
			h.Payload = "2.0"
		}
		t.HTTP = &h
	}
	if t.Bucket != nil && len(t.Bucket.Events) == 0 {
		b := *t.Bucket
		b.Events = []string{"created"}
		t.Bucket = &b
	}
	if t.Queue != nil && t.Queue.Batch == 0 {
		q := *t.Queue
		q.Batch = 10
		t.Queue = &q
	}
	return t
}

// Problems reports everything wrong with a Spec that has its defaults.
func (s *Spec) Problems() []Problem { return gather(s.check) }

func (s *Spec) check(report report) {
	checkText("description", s.Description, report)
	s.checkCode(report)
	between(report, "memory", s.Memory, 32, 10240, "MiB")
	between(report, "timeout", s.Timeout, 1, 900, "seconds")
	between(report, "tmp", s.Tmp, 1, 10240, "MiB")
	if !(s.CPU >= 0.05 && s.CPU <= 64) {
		report("cpu", fmt.Sprintf("cpu lies between 0.05 and 64 cores, not at %g", s.CPU))
	}
	s.checkEnv(report)
	if len(s.Layers) > maxLayers {
		report("layers", fmt.Sprintf("a function has at most %d layers, as on Lambda, not %d", maxLayers, len(s.Layers)))
	}
	for i, l := range s.Layers {
		if !digestForm.MatchString(l) {
			report(fmt.Sprintf("layers[%d]", i), fmt.Sprintf("a layer is the digest of a bundle, sha256: and 64 small hex digits, not %q", clip(l)))
		}
	}
	s.checkLimits(report)
	s.Role.check(report.under("role"))
	if len(s.Triggers) > maxTrig {
		report("triggers", fmt.Sprintf("a function has at most %d triggers, not %d", maxTrig, len(s.Triggers)))
	}
	for i := range min(len(s.Triggers), maxTrig) {
		s.Triggers[i].check(report.under(fmt.Sprintf("triggers[%d]", i)))
	}
	checkLabels(s.Labels, report)
}

func (s *Spec) checkCode(report report) {
	switch {
	case s.Runtime == "":
		report("runtime", "a function needs a runtime: "+oneOf(runtimes))
	case !slices.Contains(runtimes, s.Runtime):
		report("runtime", fmt.Sprintf("there is no runtime %q, %s", clip(string(s.Runtime)), oneOf(runtimes)))
	}
	if s.Language != "" && !languageForm.MatchString(s.Language) {
		report("language", fmt.Sprintf("the language's version is written as 20 or 3.11, not %q", clip(s.Language)))
	}
	form, example := handlerForm, ""
	switch s.Runtime {
	case NodeJS, Python:
		form, example = scriptForm, "file.function, as in app.handler"
	case Java:
		form, example = javaForm, "package.Class or package.Class::method"
	case DotNet:
		form, example = dotnetForm, "Assembly::Namespace.Class::Method, or the name of an executable assembly"
	default:
		if s.Handler == "" {
			return
		}
		example = "at most 128 bytes without blanks"
	}
	if !form.MatchString(s.Handler) || !handlerForm.MatchString(s.Handler) || hasControl(s.Handler) || slices.Contains(strings.Split(s.Handler, "/"), "..") {
		report("handler", fmt.Sprintf("the handler of %s is %s, not %q", s.Runtime, example, clip(s.Handler)))
	}
}

func (s *Spec) checkEnv(report report) {
	size := 0
	for name, value := range s.Env {
		size += len(name) + len(value)
		switch at := "env." + clip(name); {
		case slices.Contains(reserved, name):
			report(at, "this variable is set by the runtime and cannot be given")
		case !envForm.MatchString(name):
			report(at, "a variable's name has letters, digits and underscores and begins with a letter")
		case strings.ContainsRune(value, 0):
			report(at, "a value must not hold a NUL byte")
		}
	}
	if size > maxEnv {
		report("env", fmt.Sprintf("names and values have at most %d bytes together, as on Lambda, not %d: give large ones as files", maxEnv, size))
	}
}

func (s *Spec) checkLimits(report report) {
	c := s.Concurrency
	between(report, "concurrency.max", c.Max, 1, 1000, "environments")
	between(report, "concurrency.idle", c.Idle, 1, 86400, "seconds")
	if c.Warm < 0 || c.Warm > c.Max {
		report("concurrency.warm", fmt.Sprintf("warm lies between 0 and concurrency.max, %d, not at %d", c.Max, c.Warm))
	}
	if c.Warm > 0 && s.PerTenant {
		report("concurrency.warm", "an environment kept ready belongs to no tenant yet: leave warm or per_tenant out")
	}
	between(report, "async.retries", s.Async.Retries, -1, 10, "attempts")
	between(report, "async.max_age", s.Async.MaxAge, 60, 21600, "seconds")
	if d := s.Async.DeadLetter; d != "" {
		kind, name, _ := strings.Cut(d, "/")
		ok := kind == "queue" && thingForm.MatchString(name) || kind == "function" && nameForm.MatchString(name)
		if !ok {
			report("async.dead_letter", fmt.Sprintf("failed calls go to queue/NAME or function/NAME, not to %q", clip(d)))
		}
	}
}

func checkLabels(labels map[string]string, report report) {
	if len(labels) > maxLabels {
		report("labels", fmt.Sprintf("a function has at most %d labels, not %d", maxLabels, len(labels)))
		return
	}
	for k, v := range labels {
		if k == "" || len(k) > 128 || len(v) > 256 || hasControl(k+v) {
			report("labels."+clip(k), "a label has a name of 1 to 128 and a value of at most 256 bytes, without control characters")
		}
	}
}

func (c *Code) check(report report) {
	if !digestForm.MatchString(string(c.Digest)) {
		report("digest", fmt.Sprintf("the code's digest is sha256: and 64 small hex digits, not %q", clip(string(c.Digest))))
	}
}

func between(report report, path string, got, low, high int, unit string) {
	if got < low || got > high {
		report(path, fmt.Sprintf("%s lies between %d and %d %s, not at %d", path, low, high, unit, got))
	}
}

func checkText(path, s string, report report) {
	if len(s) > maxText || hasControl(strings.NewReplacer("\n", "", "\t", "").Replace(s)) {
		report(path, fmt.Sprintf("a text has at most %d bytes and no control characters", maxText))
	}
}

// isAbsolute says whether p is a clean absolute path without control
// characters.
func isAbsolute(p string) bool {
	return len(p) > 1 && len(p) <= 4096 && p[0] == '/' && path.Clean(p) == p && !hasControl(p)
}

func isJSON(s string) bool { return json.Valid([]byte(s)) }

// ParseRuntime reads a runtime as Redoubt or Lambda writes it: "nodejs",
// "nodejs20.x", "python3.11", "java8.al2", "dotnet8", "provided.al2023".
func ParseRuntime(s string) (r Runtime, language string, ok bool) {
	if slices.Contains(runtimes, Runtime(s)) {
		return Runtime(s), "", true
	}
	if s == "go1.x" || strings.HasPrefix(s, "provided.al") {
		return Provided, "", true
	}
	for _, r := range []struct {
		prefix  string
		runtime Runtime
	}{{"nodejs", NodeJS}, {"python", Python}, {"java", Java}, {"dotnetcore", DotNet}, {"dotnet", DotNet}} {
		v, found := strings.CutPrefix(s, r.prefix)
		if !found {
			continue
		}
		v = strings.TrimSuffix(strings.TrimSuffix(v, ".x"), ".al2")
		return r.runtime, v, languageForm.MatchString(v)
	}
	return "", "", false
}
