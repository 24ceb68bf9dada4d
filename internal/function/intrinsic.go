package function

import (
	"regexp"
	"strings"
)

// stack answers what a CloudFormation template says of its own names.
type stack struct {
	parameters, resources node
	told                  map[string]bool // resources whose missing names were noted
}

func newStack(root node) *stack {
	return &stack{root.get("Parameters"), root.get("Resources"), map[string]bool{}}
}

// sites hold what an ARN says of where something is: it does not matter here.
var sites = map[string]string{"AWS::Region": "local", "AWS::AccountId": "0", "AWS::Partition": "aws"}

// named says by which property a resource has its name, and how its ARN ends.
var named = map[string]struct{ property, form string }{
	"AWS::DynamoDB::Table": {"TableName", "table/"}, "AWS::Serverless::SimpleTable": {"TableName", "table/"},
	"AWS::S3::Bucket": {"BucketName", ""}, "AWS::SQS::Queue": {"QueueName", ""}, "AWS::SNS::Topic": {"TopicName", ""},
	"AWS::Serverless::Function": {"FunctionName", "function:"}, "AWS::Lambda::Function": {"FunctionName", "function:"},
	"AWS::Serverless::StateMachine": {"Name", "stateMachine:"}, "AWS::StepFunctions::StateMachine": {"StateMachineName", "stateMachine:"},
	"AWS::Kinesis::Stream": {"Name", "stream/"}, "AWS::Events::EventBus": {"Name", "event-bus/"},
	"AWS::SecretsManager::Secret": {"Name", "secret:"}, "AWS::SSM::Parameter": {"Name", "parameter/"},
}

// guessed tells an ARN whose place is made up.
var guessed = regexp.MustCompile(`arn:[^:]*:[^:]*:(local:|[^:]*:0:)`)

// resolve returns a value's text, or what it depends on.
func (s *stack) resolve(n node) (value, unknown string) { return s.text(n.real(), 0) }

func (s *stack) text(n node, depth int) (value, unknown string) {
	switch {
	case n.Node == nil || depth > maxNested || !n.visit(1):
		return "", "too much"
	case n.tag() != "" && !n.isMap():
		return s.intrinsic(n.Tag[1:], n, depth)
	case n.isScalar():
		return n.Value, ""
	}
	if p := n.pairs(); len(p) == 1 {
		return s.intrinsic(strings.TrimPrefix(p[0].name, "Fn::"), p[0].value, depth)
	}
	return "", "more than one value"
}

func (s *stack) intrinsic(name string, arg node, depth int) (value, unknown string) {
	list := arg.items()
	switch {
	case name == "Ref" && arg.isScalar():
		return s.ref(arg.Value, depth)
	case name == "GetAtt" && arg.isScalar():
		id, attr, _ := strings.Cut(arg.Value, ".")
		return s.attribute(id, attr, depth)
	case name == "GetAtt" && len(list) == 2 && list[0].isScalar() && list[1].isScalar():
		return s.attribute(list[0].Value, list[1].Value, depth)
	case name == "Sub" && arg.isScalar():
		return s.sub(arg.Value, node{t: arg.t}, depth)
	case name == "Sub" && len(list) == 2 && list[0].isScalar():
		return s.sub(list[0].Value, list[1], depth)
	case name == "Join" && len(list) == 2 && list[0].isScalar():
		var parts []string
		for _, i := range list[1].items() {
			part, unknown := s.text(i, depth+1)
			if unknown != "" {
				return "", unknown
			}
			parts = append(parts, part)
		}
		return bounded(strings.Join(parts, list[0].Value))
	}
	return "", name
}

// bounded keeps texts made of texts from growing without end.
func bounded(s string) (string, string) {
	if len(s) > 64<<10 {
		return "", "too much"
	}
	return s, ""
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

func (s *stack) sub(text string, own node, depth int) (string, string) {
	missing := ""
	out := variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		var v, unknown string
		if given := own.get(name); given.has() {
			v, unknown = s.text(given, depth+1)
		} else if id, attr, ok := strings.Cut(name, "."); ok {
			v, unknown = s.attribute(id, attr, depth)
		} else if site, ok := sites[name]; ok && strings.HasPrefix(text, "arn:") {
			v = site
		} else {
			v, unknown = s.ref(name, depth)
		}
		if unknown != "" {
			missing = unknown
		}
		return v
	})
	if missing != "" {
		return "", missing
	}
	return bounded(out)
}

// ref is a parameter's default or a resource's name.
func (s *stack) ref(name string, depth int) (value, unknown string) {
	if p := s.parameters.get(name); p.has() {
		if d := p.get("Default"); d.isScalar() {
			return d.Value, ""
		}
		return "", "the parameter " + name
	}
	r := s.resources.get(name)
	if !r.has() {
		return "", name
	}
	kind := r.get("Type")
	if !kind.isScalar() {
		return "", name
	}
	if by, ok := named[kind.Value]; ok {
		if given := r.get("Properties", by.property); given.has() {
			return s.text(given, depth+1)
		}
		if strings.HasSuffix(kind.Value, "::Function") {
			return kebab(name), ""
		}
	}
	if !s.told[name] {
		s.told[name] = true
		r.t.note(kind, "%s has no name in the file: it is taken to be called that", clip(name))
	}
	return name, ""
}

func (s *stack) attribute(id, attr string, depth int) (value, unknown string) {
	r := s.resources.get(id)
	kind := r.get("Type")
	if !r.has() || !kind.isScalar() {
		return "", id + "." + attr
	}
	by, ok := named[kind.Value]
	if !ok || attr != "Arn" && !strings.HasSuffix(attr, "Name") {
		return "", id + "." + attr
	}
	name, unknown := s.ref(id, depth+1)
	if unknown != "" || attr != "Arn" {
		return name, unknown
	}
	return "arn:aws:local:local:0:" + by.form + name, ""
}
