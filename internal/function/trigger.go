package function

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	methods      = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	auths        = []string{"iam", "key", "none"}
	payloads     = []string{"2.0", "1.0"}
	bucketEvents = []string{"created", "removed"}
	variableForm = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*(\.\.\.)?\}$`)
	segmentForm  = regexp.MustCompile(`^[A-Za-z0-9._~!$&'()*+,;=:@%-]*$`)
)

// String names the trigger; an Invocation's Route is the name of the one that
// made it: "GET /orders/{id}", "schedule rate(5 minutes)", "bucket photos",
// "mqtt plant/+/temperature", "queue jobs".
func (t Trigger) String() string {
	switch {
	case t.HTTP != nil:
		method := t.HTTP.Method
		if method == "" {
			method = "ANY"
		}
		return method + " " + t.HTTP.Host + t.HTTP.Path
	case t.Schedule != nil:
		return "schedule " + t.Schedule.When
	case t.Bucket != nil:
		s := "bucket " + t.Bucket.Bucket
		if t.Bucket.Prefix+t.Bucket.Suffix != "" {
			s += " " + t.Bucket.Prefix + "*" + t.Bucket.Suffix
		}
		return s
	case t.MQTT != nil:
		return "mqtt " + t.MQTT.Topic
	case t.Queue != nil:
		return "queue " + t.Queue.Queue
	}
	return "nothing"
}

func (t *Trigger) check(report report) {
	set := 0
	for _, has := range []bool{t.HTTP != nil, t.Schedule != nil, t.Bucket != nil, t.MQTT != nil, t.Queue != nil} {
		if has {
			set++
		}
	}
	if set != 1 {
		report("", fmt.Sprintf("a trigger is exactly one of http, schedule, bucket, mqtt or queue, this one is %d of them", set))
	}
	if t.HTTP != nil {
		t.HTTP.check(report.under("http"))
	}
	if t.Schedule != nil {
		t.Schedule.check(report.under("schedule"))
	}
	if t.Bucket != nil {
		t.Bucket.check(report.under("bucket"))
	}
	if t.MQTT != nil && !isTopic(t.MQTT.Topic) {
		report("mqtt.topic", fmt.Sprintf("a topic has at most 1024 bytes, + stands for one whole level and # only at the end for all below, not %q", clip(t.MQTT.Topic)))
	}
	if t.Queue != nil {
		if !thingForm.MatchString(t.Queue.Queue) {
			report("queue.queue", fmt.Sprintf("a queue's name has 1 to 80 letters, digits, dots, dashes or underscores, not %q", clip(t.Queue.Queue)))
		}
		between(report, "queue.batch", t.Queue.Batch, 1, 10000, "messages")
	}
}

func (h *HTTPTrigger) check(report report) {
	if h.Host != "" && !isHost(h.Host) {
		report("host", fmt.Sprintf("a host is a name like api.example.com, not %q", clip(h.Host)))
	}
	if h.Method != "" && !slices.Contains(methods, h.Method) {
		report("method", fmt.Sprintf("there is no method %q, %s, or leave it out for any", clip(h.Method), oneOf(methods)))
	}
	if why := checkTemplate(h.Path); why != "" {
		report("path", why)
	}
	if !slices.Contains(auths, h.Auth) {
		report("auth", fmt.Sprintf("there is no auth %q, %s", clip(h.Auth), oneOf(auths)))
	}
	if !slices.Contains(payloads, h.Payload) {
		report("payload", fmt.Sprintf("there is no payload format %q, %s", clip(h.Payload), oneOf(payloads)))
	}
}

// checkTemplate says what is wrong with a path template, "" for nothing.
func checkTemplate(p string) string {
	if !strings.HasPrefix(p, "/") || len(p) > 1024 {
		return fmt.Sprintf("a path begins with / and has at most 1024 bytes, not %q", clip(p))
	}
	segments := strings.Split(p[1:], "/")
	seen := map[string]bool{}
	for i, s := range segments {
		switch {
		case strings.ContainsAny(s, "{}"):
			if !variableForm.MatchString(s) {
				return fmt.Sprintf("a variable is a whole segment, {name}, or {name...} at the end, not %q", clip(s))
			}
			name, rest := strings.CutSuffix(strings.Trim(s, "{}"), "...")
			if rest && i != len(segments)-1 {
				return fmt.Sprintf("%s takes all that follows, so it must come last", clip(s))
			}
			if seen[name] {
				return fmt.Sprintf("the variable %s is given twice", clip(name))
			}
			seen[name] = true
		case s == "." || s == ".." || s == "" && i != len(segments)-1:
			return "a path has no empty segments and no . or .."
		case !segmentForm.MatchString(s):
			return fmt.Sprintf("%q cannot stand in a path: escape it with %%", clip(s))
		}
	}
	return ""
}

func (s *ScheduleTrigger) check(report report) {
	if _, err := ParseSchedule(s.When); err != nil {
		report("when", err.Error())
	}
	if s.Input != "" && (len(s.Input) > 256<<10 || !isJSON(s.Input)) {
		report("input", "the input is JSON of at most 256 KiB")
	}
}

func (b *BucketTrigger) check(report report) {
	if !bucketForm.MatchString(b.Bucket) {
		report("bucket", fmt.Sprintf("a bucket's name has 3 to 63 small letters, digits, dots and inner dashes, not %q", clip(b.Bucket)))
	}
	for i, e := range b.Events {
		if !slices.Contains(bucketEvents, e) {
			report(fmt.Sprintf("events[%d]", i), fmt.Sprintf("there is no event %q, %s", clip(e), oneOf(bucketEvents)))
		}
	}
	if len(b.Prefix) > 1024 || len(b.Suffix) > 1024 || hasControl(b.Prefix+b.Suffix) {
		report("prefix", "prefix and suffix have at most 1024 bytes and no control characters")
	}
}

func isTopic(s string) bool {
	if s == "" || len(s) > 1024 || hasControl(s) {
		return false
	}
	levels := strings.Split(s, "/")
	for i, l := range levels {
		if l == "#" && i == len(levels)-1 || l == "+" {
			continue
		}
		if strings.ContainsAny(l, "+#") {
			return false
		}
	}
	return true
}
