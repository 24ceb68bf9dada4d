package function

import (
	"strings"
)

// plain answers for files whose variables only their own tool knows: a value
// with one in it is reported, not guessed.
func plain(n node) (value, unknown string) {
	if n.Node == nil || !n.isScalar() {
		return "", "more than one value"
	}
	if m := variable.FindString(n.Value); m != "" {
		return "", m
	}
	return n.Value, ""
}

// inARN is plain, but lets an ARN leave open where its resource is.
func inARN(n node) (value, unknown string) {
	if n.isScalar() && strings.HasPrefix(n.Value, "arn:") {
		n2 := *n.Node
		for name, site := range sites {
			n2.Value = strings.ReplaceAll(n2.Value, "${"+name+"}", site)
			n2.Value = strings.ReplaceAll(n2.Value, "${aws:region}", "local")
			n2.Value = strings.ReplaceAll(n2.Value, "${aws:accountId}", "0")
		}
		n.Node = &n2
	}
	return plain(n)
}

// serverless reads a serverless.yml.
func (t *text) serverless(root node) []Document {
	provider := root.get("provider")
	if name, _ := plain(provider.get("name")); name != "aws" {
		t.problem(provider, "only provider aws is read, not %q", clip(name))
		return nil
	}
	s := newStack(root.get("resources"))
	resolve := func(n node) (string, string) {
		if n.Node != nil && n.isScalar() && strings.HasPrefix(n.Tag, "!!") || n.Node == nil {
			return inARN(n)
		}
		value, unknown := s.resolve(n)
		if m := variable.FindString(value); m != "" && unknown == "" {
			return "", m
		}
		return value, unknown
	}
	for _, p := range root.pairs() {
		switch p.name {
		case "service", "provider", "functions", "frameworkVersion", "resources", "package":
		default:
			t.note(p.key, "ignored: %s", clip(p.name))
		}
	}
	for _, p := range provider.pairs() {
		switch p.name {
		case "name", "runtime", "memorySize", "timeout", "ephemeralStorageSize", "environment", "iam", "iamRoleStatements", "tags":
		default:
			t.note(p.key, "ignored: provider.%s", clip(p.name))
		}
	}
	var out []Document
	for _, f := range root.get("functions").items() { // one mapping, or a list of them
		for _, p := range f.pairs() {
			out = append(out, t.serverlessFunction(p, provider, resolve))
		}
	}
	return out
}

func (t *text) serverlessFunction(p pair, provider node, resolve func(node) (string, string)) Document {
	f := p.value
	name := p.name
	if given := f.get("name"); given.has() {
		if s, unknown := resolve(given); unknown == "" {
			name = s
		} else {
			t.note(given, "ignored: name: it depends on %s, which the file does not say", clip(unknown))
		}
	}
	d := t.draft(p.key, name, resolve)
	get := func(name string) node {
		if n := f.get(name); n.has() {
			return n
		}
		return provider.get(name)
	}
	spec := &d.doc.Spec
	d.setText(f.get("description"), "description", "description", &spec.Description)
	d.setRuntime(get("runtime"))
	d.setText(f.get("handler"), "handler", "handler", &spec.Handler)
	d.setInt(get("memorySize"), "memory", "memorySize", &spec.Memory)
	d.setInt(get("timeout"), "timeout", "timeout", &spec.Timeout)
	d.setInt(get("ephemeralStorageSize"), "tmp", "ephemeralStorageSize", &spec.Tmp)
	d.setInt(f.get("reservedConcurrency"), "concurrency.max", "reservedConcurrency", &spec.Concurrency.Max)
	d.setInt(f.get("provisionedConcurrency"), "concurrency.warm", "provisionedConcurrency", &spec.Concurrency.Warm)
	if n := f.get("maximumRetryAttempts"); n.has() {
		if d.setInt(n, "async.retries", "maximumRetryAttempts", &spec.Async.Retries); spec.Async.Retries == 0 {
			spec.Async.Retries = -1
		}
	}
	d.setInt(f.get("maximumEventAge"), "async.max_age", "maximumEventAge", &spec.Async.MaxAge)
	for _, from := range []node{provider, f} {
		d.setEnv(from.get("environment"), "environment")
		d.setLabels(from.get("tags"), "tags")
	}
	if image := f.get("image"); image.has() {
		spec.Runtime = Image
		d.doc.Code, _ = d.str(image, "image")
	}
	if artifact := f.get("package", "artifact"); artifact.has() {
		d.doc.Code, _ = d.str(artifact, "package.artifact")
	}
	d.leftOver(f.get("package"), "package.", "artifact", "individually")
	for _, from := range []node{provider.get("iam", "role", "statements"), provider.get("iamRoleStatements"), f.get("iamRoleStatements")} {
		for _, s := range from.items() {
			d.statement(s)
		}
	}
	for _, e := range f.get("events").items() {
		for _, p := range e.pairs() {
			d.serverlessEvent(p)
		}
		if e.isScalar() {
			d.serverlessEvent(pair{e.Value, e, node{t: t}})
		}
	}
	d.leftOver(f, "", "name", "description", "runtime", "handler", "memorySize", "timeout", "ephemeralStorageSize", "reservedConcurrency",
		"provisionedConcurrency", "maximumRetryAttempts", "maximumEventAge", "environment", "tags", "image", "package", "iamRoleStatements", "events")
	return d.done()
}

func (d *draft) serverlessEvent(p pair) {
	v, what := p.value, "event "+p.name
	get := func(name string) string { s, _ := d.str(v.get(name), what+" "+name); return s }
	var known []string
	switch p.name {
	case "http", "httpApi":
		d.serverlessRoute(p, what)
		known = []string{"path", "method", "private", "authorizer"}
	case "schedule":
		rates := []node{v}
		if v.isMap() {
			rates = v.get("rate").items()
		}
		if off := v.get("enabled"); off.isScalar() && off.Value == "false" {
			d.ignored(p.key, what, "it is switched off")
			return
		}
		for _, r := range rates {
			if when, ok := d.str(r, what); ok {
				d.trigger(p.key, what, Trigger{Schedule: &ScheduleTrigger{When: when, Input: inputOf(v.get("input"))}})
			}
		}
		known = []string{"rate", "enabled", "input", "name", "description"}
	case "s3":
		d.serverlessBucket(p, what)
		known = []string{"bucket", "event", "rules", "existing"}
	case "sqs":
		arn := v
		if v.isMap() && v.get("arn").has() {
			arn = v.get("arn")
		}
		if s, ok := d.str(arn, what); ok {
			q := &QueueTrigger{Queue: lastOf(s)}
			d.setInt(v.get("batchSize"), "triggers", "batchSize", &q.Batch)
			d.trigger(p.key, what, Trigger{Queue: q})
		}
		known = []string{"arn", "batchSize", "enabled", "Fn::GetAtt"}
	case "iot":
		d.rule(p.key, what, get("sql"))
		known = []string{"sql", "sqlVersion", "name", "description", "enabled"}
	default:
		d.ignored(p.key, what, "there is no such source of events here")
		return
	}
	d.leftOver(v, what+" ", known...)
}

// inputOf is the JSON of an input that is written as text.
func inputOf(n node) string {
	if n.isScalar() && isJSON(n.Value) {
		return n.Value
	}
	return ""
}

func (d *draft) serverlessRoute(p pair, what string) {
	v, payload := p.value, "1.0"
	if p.name == "httpApi" {
		payload = "2.0"
	}
	method, path := "", ""
	if v.isMap() {
		var ok bool
		if path, ok = d.str(v.get("path"), what+" path"); !ok {
			return
		}
		method, _ = d.str(v.get("method"), what+" method")
	} else {
		s, ok := d.str(v, what)
		if !ok {
			return
		}
		method, path, _ = strings.Cut(strings.TrimSpace(s), " ")
		if path == "" {
			method, path = "", method
		}
	}
	if path == "*" {
		path = "/{proxy+}"
	}
	auth := ""
	if private := v.get("private"); private.isScalar() && private.Value == "true" {
		auth = "key"
	}
	if a := v.get("authorizer"); a.has() {
		auth = "iam"
		kind := a
		if a.isMap() {
			kind = a.get("type")
		}
		if s, _ := d.str(kind, what+" authorizer"); !strings.EqualFold(s, "aws_iam") {
			d.ignored(a, what+" authorizer", "the route asks for iam")
		}
	}
	d.route(p.key, what, method, path, auth, payload)
}

func (d *draft) serverlessBucket(p pair, what string) {
	v := p.value
	name := v
	if v.isMap() && v.get("bucket").has() {
		name = v.get("bucket")
	}
	bucket, ok := d.str(name, what)
	if !ok {
		return
	}
	b := &BucketTrigger{Bucket: bucket}
	for _, e := range v.get("event").items() {
		d.bucketEvent(e, what, b)
	}
	if v.get("event").has() && len(b.Events) == 0 {
		return
	}
	for _, r := range v.get("rules").items() {
		for _, one := range r.pairs() {
			s, _ := d.str(one.value, what+" rules")
			switch one.name {
			case "prefix":
				b.Prefix = s
			case "suffix":
				b.Suffix = s
			}
		}
	}
	d.trigger(p.key, what, Trigger{Bucket: b})
}
