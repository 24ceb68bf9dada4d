package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Rules as Verdict.Rule names them.
const (
	RuleModel    = "model"          // the model holds it, or does not
	RuleLearning = "model/learning" // new, and still being learned
	RuleAlways   = "model/always"   // suspicious whatever was learned
	RuleRole     = "role"           // the role does not grant it
	RuleRequest  = "model/request"  // of a request's shape
	RuleVolume   = "model/volume"   // far more than ever before
)

// Deed is one thing a function's code does or tries.
type Deed struct {
	Time       time.Time
	Function   string
	Version    int
	Invocation string
	Caller     string
	Use        function.Use
	Args       []string // of a program, where they are known
	Granted    bool     // by the role
}

// Judge says what is to happen about a deed. What the role does not grant has
// been refused already: then the verdict says how much it is worth a person's
// eye. It takes a few microseconds and changes nothing.
func (l *Learner) Judge(d *Deed) redoubt.Verdict {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.judge(d)
}

func (l *Learner) judge(d *Deed) redoubt.Verdict {
	target := fold(d.Use.Kind, d.Use.Target)
	var args []string
	if d.Args != nil {
		args = profile.Shape(d.Use.Target, d.Args, false)
	}
	e := l.entries.match(d.Use.Kind, target, args)
	if e != nil && e.Source == profile.Manual && d.Granted {
		return redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleModel, Entry: e.ID, Reason: "a person added it to the model"}
	}
	if s := suspect(d); s != nil {
		return l.always(d, s, e)
	}
	if !d.Granted {
		return l.ungranted(d, e)
	}
	if e != nil && e.allows() {
		return l.known(d, e)
	}
	if l.head.State == profile.Learning {
		return redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleLearning, Reason: "new, and the function is still being learned", Novel: true}
	}
	v := redoubt.Verdict{Rule: RuleModel, Novel: true}
	v.Technique, v.Severity = weigh(d)
	v.Effect = l.effect(v.Severity)
	near, allow := l.entries.nearest(d.Use.Kind, target), smallest(d.Use.Kind, target, args)
	v.Reason = fmt.Sprintf("%s %s %s, never seen before in %s", l.head.Function, verbs[d.Use.Kind], d.Use.Target, l.experience())
	if near != nil {
		v.Entry = near.ID
		v.Reason += fmt.Sprintf("; the nearest it is known for: %s", near)
	}
	v.Reason = printable(v.Reason + "; to allow it, add to the model: " + allow.String())
	return v
}

// effect is what the state does about something new of that severity. A file
// of its own that is new, or an odd value, stops no function.
func (l *Learner) effect(s redoubt.Severity) redoubt.Effect {
	if l.head.State == profile.Enforcing && s >= redoubt.Medium {
		return redoubt.EffectPrevent
	}
	return redoubt.EffectAlert
}

func (l *Learner) always(d *Deed, s *suspicion, e *Entry) redoubt.Verdict {
	v := redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: RuleAlways, Technique: s.technique, Severity: s.severity, Novel: e == nil || !e.allows()}
	if !d.Granted || l.head.State == profile.Enforcing {
		v.Effect = redoubt.EffectPrevent
	}
	allow := smallest(d.Use.Kind, fold(d.Use.Kind, d.Use.Target), nil)
	change := "if it is right, add to the model by hand: " + allow.String()
	if !d.Granted {
		change = "if it is right, grant it: " + grantFor(d) + " in its role, and add it to the model by hand"
	}
	if e != nil {
		v.Entry = e.ID
	}
	v.Reason = printable(fmt.Sprintf("%s %s; %s", l.head.Function, s.why, change))
	return v
}

// ungranted judges what the role refused. Tried before while the function was
// learned, it is a habit and no news.
func (l *Learner) ungranted(d *Deed, e *Entry) redoubt.Verdict {
	v := redoubt.Verdict{Effect: redoubt.EffectPrevent, Rule: RuleRole, Novel: e == nil}
	if e != nil {
		v.Entry = e.ID
	}
	v.Technique, v.Severity = weigh(d)
	if l.head.State == profile.Learning || e != nil && e.Refused > 0 {
		v.Effect, v.Technique, v.Severity, v.Rule = redoubt.EffectIgnore, "", 0, RuleLearning
		v.Reason = "refused: the role does not grant it; it is no news of this function"
		return v
	}
	v.Reason = printable(fmt.Sprintf("%s %s %s, which its role does not grant, and has not tried before in %s; if it is right, grant it: %s",
		l.head.Function, verbs[d.Use.Kind], d.Use.Target, l.experience(), grantFor(d)))
	return v
}

// known judges what the model holds: by how much it moves and, once enforcing,
// by who else vouches for it.
func (l *Learner) known(d *Deed, e *Entry) redoubt.Verdict {
	v := redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleModel, Entry: e.ID, Reason: "the model holds it"}
	if l.head.State == profile.Learning {
		return v
	}
	if limit, over := e.Bytes.unusual(d.Use.Bytes, volumeSlack); over {
		v.Effect, v.Rule, v.Technique, v.Severity = l.effect(redoubt.High), RuleVolume, "T1041", redoubt.High
		v.Reason = printable(fmt.Sprintf("%s moves %s with %s, where %d calls moved at most %s (half of them up to %s); more than %s stands out",
			l.head.Function, bytesText(d.Use.Bytes), d.Use.Target, e.Bytes.Count(), bytesText(e.Bytes.Max), bytesText(e.Bytes.Quantile(0.5)), bytesText(limit)))
		return v
	}
	if l.head.State == profile.Enforcing && e.Source == profile.Learned && e.weak() && outbound(e.Kind) {
		v.Effect, v.Severity = redoubt.EffectAlert, redoubt.Low
		v.Reason = printable(fmt.Sprintf("%s %s %s, which only %s ever led to, within one hour, while it was learned; if it is right, add to the model by hand: %s",
			l.head.Function, verbs[d.Use.Kind], d.Use.Target, callerText(&e.Seen), e))
	}
	return v
}

const volumeSlack = 256 << 10 // bytes that are never too many

// experience says what a statement about novelty rests on.
func (l *Learner) experience() string {
	return fmt.Sprintf("%d calls over %s", l.head.Calls, spanText(l.head.Last.Sub(l.head.First)))
}

// weigh says what something new is worth by what it is.
func weigh(d *Deed) (technique string, s redoubt.Severity) {
	t := d.Use.Target
	switch d.Use.Kind {
	case function.UseExec:
		if tech := interpreters[toolName(t)]; tech != "" {
			return tech, redoubt.High
		}
		if tech := tools[toolName(t)]; tech != "" {
			return tech, redoubt.High
		}
		return "T1059", redoubt.Medium
	case function.UseEgress:
		_, port := splitPort(t)
		if port != "443" && port != "80" {
			return "T1571", redoubt.High
		}
		return "T1071", redoubt.Medium
	case function.UseDNS:
		return "T1071.004", redoubt.Medium
	case function.UseAWS:
		return weighAWS(t)
	case function.UseFunction:
		return "T1021", redoubt.Medium
	case function.UseSecret:
		return "T1552.001", redoubt.High
	case function.UseRead:
		if private(t) {
			return "T1083", redoubt.Medium
		}
		return "T1083", redoubt.Low
	case function.UseWrite:
		return "T1105", redoubt.Low
	}
	if d.Use.Kind == function.UseBucket {
		return "T1530", redoubt.Medium
	}
	return "T1071", redoubt.Medium // queues
}

func weighAWS(target string) (string, redoubt.Severity) {
	action, _, _ := strings.Cut(target, " ")
	service, verb, _ := strings.Cut(action, ":")
	switch {
	case service == "iam" || service == "sts" || service == "organizations":
		return "T1098", redoubt.High
	case service == "secretsmanager" || service == "kms" || service == "ssm":
		return "T1552.005", redoubt.High
	case strings.HasPrefix(verb, "Delete") || strings.HasPrefix(verb, "Terminate"):
		return "T1485", redoubt.High
	case service == "lambda" && (strings.HasPrefix(verb, "Update") || strings.HasPrefix(verb, "Create")):
		return "T1098", redoubt.High
	}
	return "T1530", redoubt.Medium
}

// nearest returns the allowing entry of that kind that shares most of a target.
func (t *entries) nearest(kind function.UseKind, target string) (best *Entry) {
	most := 2 // fewer shared letters are no likeness
	consider := func(e *Entry) {
		if !e.allows() {
			return
		}
		n := likeness(kind, e.Target, target)
		if n > most || n == most && best != nil && e.ID < best.ID {
			best, most = e, n
		}
	}
	for k, list := range t.exact {
		if k.kind == kind {
			for _, e := range list {
				consider(e)
			}
		}
	}
	for _, e := range t.general[kind] {
		consider(e)
	}
	return best
}

// likeness counts shared letters: of names from their end, of all else from
// the beginning.
func likeness(kind function.UseKind, a, b string) int {
	n := 0
	if kind == function.UseEgress || kind == function.UseDNS {
		a, _ = splitPort(a)
		b, _ = splitPort(b)
		for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
			n++
		}
		if n < 5 {
			return 0 // no more than a common top-level domain
		}
		return n
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// smallest is the narrowest entry that allows something.
func smallest(kind function.UseKind, target string, args []string) *Entry {
	e := &Entry{Kind: kind, Target: target, Args: args, Source: profile.Manual}
	e.ID = e.identify()
	return e
}

const maxReason = 700

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
	if r := []rune(s); len(r) > maxReason {
		return string(r[:maxReason]) + "…"
	}
	return s
}

// JudgeRequest compares a request with the shape of those before it. Nothing is
// said while the function is being learned. In the enforcing state what is
// worth more than a low alert is refused.
func (l *Learner) JudgeRequest(r *Request) redoubt.Verdict {
	parts := r.read()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.judgeRequest(r, parts)
}

func (l *Learner) judgeRequest(r *Request, parts *reading) redoubt.Verdict {
	if l.head.State == profile.Learning {
		return redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleLearning, Reason: "requests of this function are still being learned"}
	}
	name := routeName(r.Source, r.Route)
	t := l.routes[name]
	if t == nil {
		return redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleRequest, Reason: "no requests of this kind are known", Novel: true}
	}
	w := t.check(parts)
	if w == nil {
		return redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: RuleRequest, Entry: name, Reason: "like those before it"}
	}
	v := redoubt.Verdict{Effect: l.effect(w.severity), Rule: RuleRequest, Entry: name + " " + w.field, Technique: w.technique, Severity: w.severity, Novel: true}
	seen := t.route.Count
	if w.known != nil {
		seen = w.known.Count
	}
	v.Reason = printable(fmt.Sprintf("%s of %s is %s; %d requests had %s there; to allow it, let field %s of %q hold anything",
		w.field, name, w.got, seen, w.want, w.field, name))
	return v
}

// JudgeAnswer looks at an invocation that has ended: at how much it moved and
// took, which is not known before. Its verdicts never prevent anything.
func (l *Learner) JudgeAnswer(inv *function.Invocation) (out []redoubt.Verdict) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.head.State == profile.Learning || !ran(inv.Outcome) {
		return nil
	}
	for i := range inv.Uses {
		u := &inv.Uses[i]
		if u.Refused || u.Bytes == 0 {
			continue
		}
		e := l.entries.match(u.Kind, fold(u.Kind, u.Target), nil)
		if e == nil || e.Source == profile.Manual {
			continue
		}
		if v := l.known(&Deed{Use: *u, Granted: true}, e); v.Rule == RuleVolume {
			v.Effect = redoubt.EffectAlert
			out = append(out, v)
		}
	}
	sizes, what := &l.head.Resources.Out, "calls of this function"
	if t := l.routes[routeName(inv.Source, inv.Route)]; t != nil {
		sizes, what = &t.route.Out, "answers to "+t.route.Name
	}
	if limit, over := sizes.unusual(inv.Out, volumeSlack); over {
		out = append(out, redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: RuleVolume, Technique: "T1041", Severity: redoubt.Medium, Novel: true,
			Reason: printable(fmt.Sprintf("%s answers with %s, where %d %s had at most %s (99 of 100 up to %s); more than %s stands out", l.head.Function,
				bytesText(inv.Out), sizes.Count(), what, bytesText(sizes.Max), bytesText(sizes.Quantile(0.99)), bytesText(limit)))})
	}
	return slices.Clip(out)
}
