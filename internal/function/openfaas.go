package function

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// openFaaS reads a stack.yml.
func (t *text) openFaaS(root node) []Document {
	for _, p := range root.pairs() {
		switch p.name {
		case "version", "provider", "functions":
		default:
			t.note(p.key, "ignored: %s", clip(p.name))
		}
	}
	var out []Document
	for _, p := range root.get("functions").pairs() {
		out = append(out, t.openFaaSFunction(p))
	}
	return out
}

// languages are the templates by how they begin.
var languages = []struct {
	prefix  string
	runtime Runtime
	handler string
}{
	{"node", NodeJS, "handler.handler"}, {"python", Python, "handler.handle"},
	{"java", Java, ""}, {"csharp", DotNet, ""}, {"dotnet", DotNet, ""}, {"go", Provided, ""}, {"dockerfile", Image, ""},
}

func (t *text) openFaaSFunction(p pair) Document {
	f := p.value
	d := t.draft(p.key, p.name, plain)
	spec := &d.doc.Spec
	d.openFaaSLanguage(f, p.key)
	d.setText(f.get("handler"), "code", "handler", &d.doc.Code)
	if spec.Runtime == Image {
		d.setText(f.get("image"), "code", "image", &d.doc.Code)
	}
	d.setEnv(f.get("environment"), "environment")
	d.setLabels(f.get("labels"), "labels")
	for _, s := range f.get("secrets").items() {
		if name, ok := d.str(s, "secrets"); ok {
			d.add(s, "secret "+name, &spec.Role.Secrets, name)
		}
	}
	if len(spec.Role.Secrets) > 0 {
		d.note(f.get("secrets"), "%s: secrets are files below /run/secrets here", d.doc.Name)
	}
	d.openFaaSLimits(f)
	d.route(p.key, "its route", "", "/function/"+d.doc.Name, "", "2.0")
	d.route(p.key, "its route", "", "/function/"+d.doc.Name+"/{rest+}", "iam", "2.0")
	topic, _ := d.str(f.get("annotations", "topic"), "annotations.topic")
	if when := f.get("annotations", "schedule"); when.has() && topic == "cron-function" {
		if s, ok := d.str(when, "annotations.schedule"); ok {
			d.trigger(when, "annotations.schedule", Trigger{Schedule: &ScheduleTrigger{When: s}})
		}
	} else if topic != "" {
		d.trigger(f.get("annotations", "topic"), "annotations.topic", Trigger{MQTT: &MQTTTrigger{Topic: topic}})
	}
	d.leftOver(f.get("annotations"), "annotations.", "topic", "schedule")
	d.leftOver(f, "", "lang", "handler", "image", "environment", "labels", "annotations", "secrets", "limits", "readonly_root_filesystem", "skip_build")
	return d.done()
}

func (d *draft) openFaaSLanguage(f, key node) {
	lang, ok := d.str(f.get("lang"), "lang")
	if !ok && !f.get("lang").has() {
		d.doc.Spec.Runtime = Image
		return
	}
	spec := &d.doc.Spec
	spec.Runtime, d.where["spec.runtime"] = Runtime(lang), f.get("lang")
	for _, l := range languages {
		rest, is := strings.CutPrefix(lang, l.prefix)
		if !is {
			continue
		}
		spec.Runtime, spec.Handler = l.runtime, l.handler
		if v, _, _ := strings.Cut(rest, "-"); languageForm.MatchString(v) && l.runtime != Provided {
			spec.Language = v
		}
		if l.runtime != Image {
			d.note(key, "%s: its handler speaks the way of the template %s: change it to Lambda's way, (event, context)", d.doc.Name, clip(lang))
		}
		return
	}
}

func (d *draft) openFaaSLimits(f node) {
	spec := &d.doc.Spec
	if n := f.get("limits", "memory"); n.has() {
		if s, ok := d.str(n, "limits.memory"); ok {
			mib, fits := memoryOf(s)
			if !fits {
				d.problem(n, "%s: limits.memory is written as 128Mi or 128M, not %q", d.doc.Name, clip(s))
			}
			spec.Memory, d.where["spec.memory"] = mib, n
		}
	}
	if n := f.get("limits", "cpu"); n.has() {
		if s, ok := d.str(n, "limits.cpu"); ok {
			cores, fits := coresOf(s)
			if !fits {
				d.problem(n, "%s: limits.cpu is written as 0.5 or 500m, not %q", d.doc.Name, clip(s))
			}
			spec.CPU, d.where["spec.cpu"] = cores, n
		}
	}
	d.leftOver(f.get("limits"), "limits.", "memory", "cpu")
	if s := spec.Env["exec_timeout"]; s != "" {
		if t, err := time.ParseDuration(s); err == nil && t > 0 {
			spec.Timeout = int(math.Ceil(t.Seconds()))
			d.where["spec.timeout"] = f.get("environment", "exec_timeout")
		}
	}
	for label, into := range map[string]*int{"com.openfaas.scale.max": &spec.Concurrency.Max, "com.openfaas.scale.min": &spec.Concurrency.Warm} {
		d.setInt(f.get("labels", label), "concurrency", label, into)
	}
}

// memoryOf reads Kubernetes' form of a size, in MiB, rounded up.
func memoryOf(s string) (int, bool) {
	units := []struct {
		name  string
		bytes float64
	}{{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"k", 1e3}, {"M", 1e6}, {"m", 1 << 20}, {"G", 1e9}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		mib := math.Ceil(n * u.bytes / (1 << 20))
		return int(min(max(mib, 0), 1<<30)), err == nil && n > 0 && mib <= 1<<30
	}
	return 0, false
}

// coresOf reads Kubernetes' form of a share of processors.
func coresOf(s string) (float64, bool) {
	number, milli := strings.CutSuffix(s, "m")
	n, err := strconv.ParseFloat(number, 64)
	if milli {
		n /= 1000
	}
	return n, err == nil && n > 0 && n <= 1024
}
