package access

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// condKey is what an IAM condition can look at: where it stands in Cedar, what
// it is, and the test for its absence.
type condKey struct{ cedar, kind, absent string }

// condKeys are known by their lower-case names. A key that is always there is
// never absent.
var condKeys = map[string]condKey{
	"aws:sourceip":            {"context.ip", "ip", `context.ip == ip("0.0.0.0")`},
	"aws:currenttime":         {"context.time", "date", "false"},
	"aws:securetransport":     {"context.tls", "bool", "false"},
	"aws:principaltag/tenant": {"principal.tenant", "string", `principal.tenant == ""`},
	"redoubt:mtls":            {"context.mtls", "bool", "false"},
	"redoubt:bytes":           {"context.bytes", "number", "false"},
	"redoubt:tenant":          {"context.tenant", "string", `context.tenant == ""`},
	"redoubt:route":           {"context.route", "string", `context.route == ""`},
	"redoubt:stage":           {"context.stage", "string", `context.stage == ""`},
	"redoubt:method":          {"context.method", "string", `context.method == ""`},
	"redoubt:source":          {"context.source", "string", `context.source == ""`},
}

// condOp is a condition operator: the kind of key it takes, how one value is
// compared, and whether all values have to differ.
type condOp struct {
	kind, compare string
	not           bool
}

var condOps = map[string]condOp{
	"StringEquals": {"string", "==", false}, "StringNotEquals": {"string", "==", true},
	"StringLike": {"string", "like", false}, "StringNotLike": {"string", "like", true},
	"IpAddress": {"ip", "range", false}, "NotIpAddress": {"ip", "range", true},
	"Bool":       {"bool", "==", false},
	"DateEquals": {"date", "==", false}, "DateNotEquals": {"date", "==", true},
	"DateLessThan": {"date", "<", false}, "DateLessThanEquals": {"date", "<=", false},
	"DateGreaterThan": {"date", ">", false}, "DateGreaterThanEquals": {"date", ">=", false},
	"NumericEquals": {"number", "==", false}, "NumericNotEquals": {"number", "==", true},
	"NumericLessThan": {"number", "<", false}, "NumericLessThanEquals": {"number", "<=", false},
	"NumericGreaterThan": {"number", ">", false}, "NumericGreaterThanEquals": {"number", ">=", false},
}

func (im *importer) conditions(t *tree) (out []string) {
	if t == nil {
		return nil
	}
	if t.kind != '{' {
		im.say(t, "an object is expected here")
		return nil
	}
	for _, m := range t.object {
		if m.value.kind != '{' {
			im.say(m.value, "an object is expected here")
			continue
		}
		for _, k := range m.value.object {
			out = append(out, im.condition(m.name, k.name, k.value))
		}
	}
	return out
}

func (im *importer) condition(operator, name string, values *tree) string {
	key, ok := condKeys[strings.ToLower(name)]
	if !ok {
		var known []string
		for k := range condKeys {
			known = append(known, k)
		}
		im.say(values, "the condition key %.100q is not known here: %s", name, didYouMean(name, known))
		return "false"
	}
	if operator == "Null" {
		return im.null(key, values)
	}
	plain, optional := strings.CutSuffix(operator, "IfExists")
	op, ok := condOps[plain]
	if !ok {
		known := []string{"Null"}
		for o := range condOps {
			known = append(known, o)
		}
		im.say(values, "the operator %.60q is not known here: %s", operator, didYouMean(operator, known))
		return "false"
	}
	if op.kind != key.kind {
		im.say(values, "%s compares a %s, and %s is a %s", operator, op.kind, name, key.kind)
		return "false"
	}
	return im.compare(op, key, optional, values)
}

// compare: one of the values has to fit, or none of them. A key that is absent
// fits no value, as with AWS.
func (im *importer) compare(op condOp, key condKey, optional bool, values *tree) string {
	var tests []string
	for _, v := range values.each() {
		tests = append(tests, im.test(op, key, v))
	}
	if len(tests) == 0 {
		im.say(values, "there is no value")
		return "false"
	}
	expr := "(" + strings.Join(tests, " || ") + ")"
	if key.kind == "ip" || key.kind == "string" {
		expr = "(!(" + key.absent + ") && " + expr + ")"
	}
	if op.not {
		expr = "!" + expr
	}
	if optional {
		expr = "(" + key.absent + " || " + expr + ")"
	}
	return expr
}

func (im *importer) test(op condOp, key condKey, v *tree) string {
	text, ok := v.text()
	if !ok || variable.MatchString(text) {
		im.say(v, "a plain value is expected here; policy variables are not known")
		return "false"
	}
	value := im.value(op, v, text)
	switch op.compare {
	case "range":
		return key.cedar + ".isInRange(" + value + ")"
	case "like":
		return key.cedar + " like " + value
	}
	return key.cedar + " " + op.compare + " " + value
}

func (im *importer) value(op condOp, v *tree, text string) string {
	switch op.kind {
	case "ip":
		if _, err := netip.ParsePrefix(text); err != nil {
			if _, err := netip.ParseAddr(text); err != nil {
				im.say(v, "%.60q is no address and no network", text)
			}
		}
		if _, err := types.ParseIPAddr(text); err != nil {
			im.say(v, "%.60q cannot be written as an address here", text)
		}
		return "ip(" + quote(text) + ")"
	case "bool":
		if text != "true" && text != "false" {
			im.say(v, "%.60q is neither true nor false", text)
		}
		return text
	case "date":
		return "datetime(" + quote(im.date(v, text)) + ")"
	case "number":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			im.say(v, "%.60q is no whole number", text)
		}
		return strconv.FormatInt(n, 10)
	}
	if op.compare == "like" {
		if strings.Contains(text, "?") {
			im.say(v, "a ? for one character is known in resources only: write the values out")
		}
		return globText(text)
	}
	return quote(text)
}

func (im *importer) date(v *tree, text string) string {
	if seconds, err := strconv.ParseInt(text, 10, 40); err == nil {
		return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 0 && t.Year() < 9999 {
			return t.UTC().Format("2006-01-02T15:04:05Z")
		}
	}
	im.say(v, "%.60q is no date: write 2026-03-01T12:00:00Z", text)
	return "2000-01-01"
}

func (im *importer) null(key condKey, values *tree) string {
	if one := values.each(); len(one) == 1 {
		switch text, _ := one[0].text(); text {
		case "true":
			return "(" + key.absent + ")"
		case "false":
			return "!(" + key.absent + ")"
		}
	}
	im.say(values, "Null takes true or false")
	return "false"
}
