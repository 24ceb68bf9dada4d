package function

import (
	"slices"
	"strings"
)

// sam reads an AWS SAM template. Of its resources the functions are taken.
func (t *text) sam(root node) []Document {
	s := newStack(root)
	globals := root.get("Globals", "Function")
	for _, p := range root.get("Globals").pairs() {
		if p.name != "Function" {
			t.note(p.key, "ignored: Globals.%s", clip(p.name))
		}
	}
	var out []Document
	for _, p := range s.resources.pairs() {
		kind, _ := s.resolve(p.value.get("Type"))
		switch kind {
		case "AWS::Serverless::Function", "AWS::Lambda::Function":
			out = append(out, t.samFunction(s, p, globals, kind))
		default:
			t.note(p.key, "ignored: %s of type %s: only functions are taken over", clip(p.name), clip(kind))
		}
	}
	return out
}

func (t *text) samFunction(s *stack, p pair, globals node, kind string) Document {
	props := p.value.get("Properties")
	if kind != "AWS::Serverless::Function" {
		globals = node{t: t}
	}
	name := p.name
	if given, unknown := s.resolve(props.get("FunctionName")); props.get("FunctionName").has() && unknown == "" {
		name = given
	}
	d := t.draft(p.key, name, s.resolve)
	get := func(names ...string) node {
		if n := props.get(names...); n.has() {
			return n
		}
		return globals.get(names...)
	}
	spec := &d.doc.Spec
	d.setText(get("Description"), "description", "Description", &spec.Description)
	d.setRuntime(get("Runtime"))
	d.setText(get("Handler"), "handler", "Handler", &spec.Handler)
	d.setInt(get("MemorySize"), "memory", "MemorySize", &spec.Memory)
	d.setInt(get("Timeout"), "timeout", "Timeout", &spec.Timeout)
	d.setInt(get("EphemeralStorage", "Size"), "tmp", "EphemeralStorage.Size", &spec.Tmp)
	d.setInt(get("ReservedConcurrentExecutions"), "concurrency.max", "ReservedConcurrentExecutions", &spec.Concurrency.Max)
	d.setInt(get("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions"), "concurrency.warm", "ProvisionedConcurrencyConfig", &spec.Concurrency.Warm)
	d.setEnv(globals.get("Environment", "Variables"), "Environment")
	d.setEnv(props.get("Environment", "Variables"), "Environment")
	d.setLabels(globals.get("Tags"), "Tags")
	if tags := props.get("Tags"); tags.isMap() {
		d.setLabels(tags, "Tags")
	} else if tags.has() {
		d.ignored(tags, "Tags", "they are no names with values")
	}
	d.samCode(get)
	d.samAsync(get)
	d.samPolicies(props.get("Policies"))
	for _, e := range props.get("Events").pairs() {
		d.samEvent(e)
	}
	known := []string{"FunctionName", "Description", "Runtime", "Handler", "MemorySize", "Timeout", "EphemeralStorage",
		"ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "Environment", "Tags", "CodeUri", "Code", "ImageUri",
		"PackageType", "EventInvokeConfig", "DeadLetterQueue", "Policies", "Events", "FunctionUrlConfig", "TenancyConfig"}
	d.leftOver(props, "", known...)
	d.leftOver(globals, "Globals.Function.", known...)
	return d.done()
}

func (d *draft) samCode(get func(...string) node) {
	spec := &d.doc.Spec
	code := get("CodeUri")
	if !code.has() {
		code = get("Code")
	}
	kind, _ := d.str(get("PackageType"), "PackageType")
	image, hasImage := d.str(get("ImageUri"), "ImageUri")
	switch {
	case kind == "Image" || hasImage:
		spec.Runtime, spec.Language, d.doc.Code = Image, "", image
	case code.isMap() && len(code.pairs()) > 1:
		d.ignored(code, "CodeUri", "it lies in AWS: give the code when deploying")
	default:
		d.doc.Code, _ = d.str(code, "CodeUri")
		if strings.Contains(d.doc.Code, "://") {
			d.ignored(code, "CodeUri "+d.doc.Code, "it lies in AWS: give the code when deploying")
			d.doc.Code = ""
		}
	}
	if url := get("FunctionUrlConfig"); url.has() {
		auth := "iam"
		if a, _ := d.str(url.get("AuthType"), "AuthType"); a == "NONE" {
			auth = "none"
		}
		mode, _ := d.str(url.get("InvokeMode"), "InvokeMode")
		spec.Streaming = mode == "RESPONSE_STREAM"
		d.note(url, "%s: its URL becomes the route /%s/{rest...}", d.doc.Name, d.doc.Name)
		d.route(url, "FunctionUrlConfig", "", "/"+d.doc.Name+"/{rest+}", auth, "2.0")
		d.leftOver(url, "FunctionUrlConfig.", "AuthType", "InvokeMode")
	}
	if mode, _ := d.str(get("TenancyConfig", "TenantIsolationMode"), "TenancyConfig"); mode == "PER_TENANT" {
		spec.PerTenant = true
	}
}

func (d *draft) samAsync(get func(...string) node) {
	a := &d.doc.Spec.Async
	invoke := get("EventInvokeConfig")
	if n := invoke.get("MaximumRetryAttempts"); n.has() {
		if d.setInt(n, "async.retries", "MaximumRetryAttempts", &a.Retries); a.Retries == 0 {
			a.Retries = -1
		}
	}
	d.setInt(invoke.get("MaximumEventAgeInSeconds"), "async.max_age", "MaximumEventAgeInSeconds", &a.MaxAge)
	d.leftOver(invoke, "EventInvokeConfig.", "MaximumRetryAttempts", "MaximumEventAgeInSeconds")
	if dead := get("DeadLetterQueue"); dead.has() {
		target, ok := d.str(dead.get("TargetArn"), "DeadLetterQueue.TargetArn")
		kind, _ := d.str(dead.get("Type"), "DeadLetterQueue.Type")
		switch {
		case ok && kind == "SQS":
			a.DeadLetter, d.where["spec.async.dead_letter"] = "queue/"+lastOf(target), dead
		case ok:
			d.ignored(dead, "DeadLetterQueue", "only queues are taken over")
		}
	}
}

func (d *draft) samPolicies(policies node) {
	for _, p := range policies.items() {
		switch {
		case p.get("Statement").has():
			for _, s := range p.get("Statement").items() {
				d.statement(s)
			}
		case p.isMap() && !isIntrinsic(p.tag()) && len(p.pairs()) == 1 && !isIntrinsic(p.pairs()[0].name):
			d.byTemplate(p, p.pairs()[0].name, p.pairs()[0].value)
		default:
			if name, ok := d.str(p, "policy"); ok {
				d.managed(p, name)
			}
		}
	}
}

// isIntrinsic tells CloudFormation's functions, as names and as tags.
func isIntrinsic(name string) bool {
	return name == "Ref" || strings.HasPrefix(name, "Fn::") || strings.HasPrefix(name, "!")
}

func (d *draft) samEvent(e pair) {
	props := e.value.get("Properties")
	kind, _ := d.str(e.value.get("Type"), "Events."+e.name)
	what := "event " + e.name + " of type " + kind
	get := func(name string) string { s, _ := d.str(props.get(name), what+" "+name); return s }
	var known []string
	switch kind {
	case "Api", "HttpApi":
		d.samRoute(e, props, what, kind)
		known = []string{"Path", "Method", "Auth", "PayloadFormatVersion", "RestApiId", "ApiId"}
	case "S3":
		d.samBucket(e, props, what)
		known = []string{"Bucket", "Events", "Filter"}
	case "Schedule", "ScheduleV2":
		when := get("Schedule") + get("ScheduleExpression")
		if enabled := props.get("Enabled"); enabled.isScalar() && enabled.Value == "false" || get("State") == "DISABLED" {
			d.ignored(e.key, what, "it is switched off")
			return
		}
		d.trigger(e.key, what, Trigger{Schedule: &ScheduleTrigger{When: when, Input: get("Input")}})
		known = []string{"Schedule", "ScheduleExpression", "Enabled", "State", "Input", "Name", "Description"}
	case "SQS":
		q := &QueueTrigger{Queue: lastOf(get("Queue"))}
		d.setInt(props.get("BatchSize"), "triggers", "BatchSize", &q.Batch)
		d.trigger(e.key, what, Trigger{Queue: q})
		known = []string{"Queue", "BatchSize", "Enabled"}
	case "IoTRule":
		d.rule(e.key, what, get("Sql"))
		known = []string{"Sql", "AwsIotSqlVersion"}
	default:
		d.ignored(e.key, what, "there is no such source of events here")
		return
	}
	d.leftOver(props, what+" ", known...)
}

func (d *draft) samRoute(e pair, props node, what, kind string) {
	path, hasPath := d.str(props.get("Path"), what+" Path")
	method, _ := d.str(props.get("Method"), what+" Method")
	if !hasPath {
		if props.get("Path").has() {
			return
		}
		path = "/{proxy+}"
	}
	payload := "1.0"
	if kind == "HttpApi" {
		payload = "2.0"
		if v, ok := d.str(props.get("PayloadFormatVersion"), what); ok {
			payload = v
		}
	}
	auth := ""
	switch by, _ := d.str(props.get("Auth", "Authorizer"), what+" Authorizer"); {
	case by == "NONE":
		auth = "none"
	case by == "AWS_IAM":
		auth = "iam"
	case by != "":
		d.ignored(props.get("Auth"), what+" Authorizer "+by, "")
		auth = "iam"
	case props.get("Auth", "ApiKeyRequired").isScalar() && props.get("Auth", "ApiKeyRequired").Value == "true":
		auth = "key"
	}
	d.leftOver(props.get("Auth"), what+" Auth.", "Authorizer", "ApiKeyRequired")
	d.route(e.key, what, method, path, auth, payload)
}

func (d *draft) samBucket(e pair, props node, what string) {
	bucket, ok := d.str(props.get("Bucket"), what+" Bucket")
	if !ok {
		return
	}
	b := &BucketTrigger{Bucket: kebab(lastOf(bucket))}
	if strings.ToLower(bucket) == bucket {
		b.Bucket = lastOf(bucket)
	}
	for _, n := range props.get("Events").items() {
		d.bucketEvent(n, what, b)
	}
	for _, r := range props.get("Filter", "S3Key", "Rules").items() {
		name, _ := d.str(r.get("Name"), what+" Filter")
		value, _ := d.str(r.get("Value"), what+" Filter")
		switch strings.ToLower(name) {
		case "prefix":
			b.Prefix = value
		case "suffix":
			b.Suffix = value
		}
	}
	if props.get("Events").has() && len(b.Events) == 0 {
		return
	}
	d.trigger(e.key, what, Trigger{Bucket: b})
}

// bucketEvent adds one of S3's events.
func (d *draft) bucketEvent(n node, what string, b *BucketTrigger) {
	s, ok := d.str(n, what)
	if !ok {
		return
	}
	event, known := bucketEvent(s)
	if !known {
		d.ignored(n, what+" "+s, "a bucket tells of objects created and removed")
	} else if !slices.Contains(b.Events, event) {
		b.Events = append(b.Events, event)
	}
}
