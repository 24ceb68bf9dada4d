package function

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// draft is a function in the making out of somebody else's file.
type draft struct {
	*text
	doc   Document
	where map[string]node
	// denied are the services of AWS of which nothing may be granted.
	denied []string
	// resolve returns a value's text; where it depends on what the file does
	// not say, that.
	resolve func(node) (value, unknown string)
}

func (t *text) draft(n node, name string, resolve func(node) (string, string)) *draft {
	d := &draft{text: t, where: map[string]node{"": n}, resolve: resolve}
	d.doc.Name, d.doc.Line = kebab(name), n.Line
	if d.doc.Name != name {
		t.note(n, "%s is called %s here: names have small letters, digits and dashes", clip(name), d.doc.Name)
	}
	return d
}

func (d *draft) done() Document {
	if n, given := d.where["spec.concurrency.max"]; given && d.doc.Spec.Concurrency.Max == 0 {
		d.ignored(n, "a concurrency of 0", "disable the function after it is deployed")
	}
	d.undo()
	d.doc.Spec = d.doc.Spec.WithDefaults()
	d.finish(&d.doc, d.where, "name")
	return d.doc
}

// ignored notes what cannot be kept.
func (d *draft) ignored(n node, what, why string) {
	s := "ignored: " + clip(what)
	if why != "" {
		s += ": " + why
	}
	d.note(n, "%s", d.doc.Name+": "+s)
}

// str reads text; ok is false where there is none that can be known.
func (d *draft) str(n node, what string) (s string, ok bool) {
	if !n.has() {
		return "", false
	}
	s, unknown := d.resolve(n)
	if unknown != "" {
		d.ignored(n, what, "it depends on "+clip(unknown)+", which the file does not say")
		return "", false
	}
	return s, true
}

// setText sets a field of the spec.
func (d *draft) setText(n node, path, what string, into *string) {
	if s, ok := d.str(n, what); ok {
		*into, d.where["spec."+path] = s, n
	}
}

func (d *draft) setInt(n node, path, what string, into *int) {
	s, ok := d.str(n, what)
	if !ok {
		return
	}
	i, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	if err != nil {
		d.problem(n, "%s: %s takes a whole number, not %q", d.doc.Name, what, clip(s))
		return
	}
	*into, d.where["spec."+path] = int(i), n
}

func (d *draft) setRuntime(n node) {
	s, ok := d.str(n, "runtime")
	if !ok {
		return
	}
	r, language, known := ParseRuntime(s)
	if !known {
		r = Runtime(s) // refused later, with the list of those there are
	}
	d.doc.Spec.Runtime, d.doc.Spec.Language, d.where["spec.runtime"] = r, language, n
}

// setEnv adds variables; later ones win.
func (d *draft) setEnv(n node, what string) {
	for _, p := range n.pairs() {
		s, ok := d.str(p.value, what+"."+p.name)
		if !ok {
			continue
		}
		if guessed.MatchString(s) {
			d.ignored(p.key, what+"."+p.name, "the file does not say in which region and account that is")
			continue
		}
		if d.doc.Spec.Env == nil {
			d.doc.Spec.Env = map[string]string{}
		}
		d.doc.Spec.Env[p.name], d.where["spec.env."+clip(p.name)] = s, p.key
	}
}

func (d *draft) setLabels(n node, what string) {
	for _, p := range n.pairs() {
		s, ok := d.str(p.value, what+"."+p.name)
		if !ok {
			continue
		}
		if d.doc.Spec.Labels == nil {
			d.doc.Spec.Labels = map[string]string{}
		}
		d.doc.Spec.Labels[p.name] = s
	}
}

// trigger adds one, or notes why it cannot be kept.
func (d *draft) trigger(n node, what string, t Trigger) {
	wrong := ""
	t = t.withDefaults()
	t.check(func(_, message string) { wrong = message })
	switch {
	case wrong != "":
		d.ignored(n, what, wrong)
	case len(d.doc.Spec.Triggers) >= maxTrig:
		d.ignored(n, what, "there are too many triggers")
	default:
		d.doc.Spec.Triggers = append(d.doc.Spec.Triggers, t)
	}
}

// route makes a route out of API Gateway's form of it. What a file leaves open
// asks for iam here, since silence is no decision.
func (d *draft) route(n node, what, method, path, auth, payload string) {
	if auth == "" {
		d.note(n, "%s: %s asks for iam here; the file leaves it open: write auth: none for that", d.doc.Name, what)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	path = strings.ReplaceAll(path, "+}", "...}")
	d.trigger(n, what, Trigger{HTTP: &HTTPTrigger{Method: method, Path: path, Auth: auth, Payload: payload}})
}

// leftOver notes every name that was not looked at.
func (d *draft) leftOver(n node, within string, known ...string) {
	for _, p := range n.pairs() {
		if !slices.Contains(known, p.name) {
			d.ignored(p.key, within+p.name, "")
		}
	}
}

var topicForm = regexp.MustCompile(`(?i)^\s*SELECT\s+(.*?)\s+FROM\s+['"]([^'"]+)['"]\s*(.*)$`)

// rule makes a topic out of the SQL of an IoT rule.
func (d *draft) rule(n node, what, sql string) {
	m := topicForm.FindStringSubmatch(strings.ReplaceAll(sql, "\n", " "))
	if m == nil {
		d.ignored(n, what, "its SQL names no topic")
		return
	}
	if m[1] != "*" || strings.TrimSpace(m[3]) != "" {
		d.ignored(n, what, "it takes whole messages of the topic only, SELECT * FROM 'topic'")
		return
	}
	d.trigger(n, what, Trigger{MQTT: &MQTTTrigger{Topic: m[2]}})
}

// bucketEvent translates S3's names of events.
func bucketEvent(s string) (string, bool) {
	switch {
	case strings.HasPrefix(s, "s3:ObjectCreated:"):
		return "created", true
	case strings.HasPrefix(s, "s3:ObjectRemoved:"):
		return "removed", true
	}
	return "", false
}

// kebab turns a name of whatever style into one of ours: HelloWorldFunction is
// hello-world-function.
func kebab(s string) string {
	var b strings.Builder
	r := []rune(clip(s))
	for i, c := range r {
		upper := unicode.IsUpper(c)
		if upper && i > 0 && (unicode.IsLower(r[i-1]) || unicode.IsDigit(r[i-1]) || i+1 < len(r) && unicode.IsUpper(r[i-1]) && unicode.IsLower(r[i+1])) {
			b.WriteByte('-')
		}
		switch c = unicode.ToLower(c); {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			b.WriteByte('-')
		}
	}
	out := b.String()
	for strings.Contains(out, "--") {
		out = strings.ReplaceAll(out, "--", "-")
	}
	return strings.Trim(out, "-")
}

// lastOf is the part of an ARN that names the thing; of anything else, that.
func lastOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		return parts[5]
	}
	return arn
}
