package function

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const own = `apiVersion: redoubt/v1
kind: Function
metadata:
  name: orders
code: ./src
spec:
  runtime: nodejs20.x
  handler: app.handler
  memory: 256
  env: {PORT: 8080, DEBUG: true}
  concurrency: {max: 20, warm: 1}
  per_tenant: false
  cpu: 0.5
  role:
    egress: [api.example.com:443, "10.0.0.0/8:5432"]
    aws: [dynamodb:PutItem table/orders]
    buckets: [photos:read]
  triggers:
    - http: {method: get, path: "/orders/{id}"}
    - schedule: {when: rate(5 minutes)}
    - bucket: {bucket: photos}
    - mqtt: {topic: plant/+/temperature}
    - queue: {queue: jobs}
`

func TestReadOwnDocument(t *testing.T) {
	r := Read([]byte(own))
	if r.Problems != nil || r.Notes != nil || r.Format != "function" {
		t.Fatalf("%+v", r)
	}
	want := Spec{Runtime: NodeJS, Language: "20", Handler: "app.handler", Memory: 256, CPU: 0.5,
		Env: map[string]string{"PORT": "8080", "DEBUG": "true"}, Concurrency: Concurrency{Max: 20, Warm: 1},
		Role: Role{Egress: []string{"api.example.com:443", "10.0.0.0/8:5432"}, AWS: []string{"dynamodb:PutItem table/orders"}, Buckets: []string{"photos:read"}},
		Triggers: []Trigger{
			{HTTP: &HTTPTrigger{Method: "GET", Path: "/orders/{id}"}}, {Schedule: &ScheduleTrigger{When: "rate(5 minutes)"}},
			{Bucket: &BucketTrigger{Bucket: "photos"}}, {MQTT: &MQTTTrigger{Topic: "plant/+/temperature"}}, {Queue: &QueueTrigger{Queue: "jobs"}}}}.WithDefaults()
	if d := cmp.Diff([]Document{{Name: "orders", Spec: want, Code: "./src", Line: 1}}, r.Functions); d != "" {
		t.Error(d)
	}
	text, err := Format(r.Functions...)
	if err != nil {
		t.Fatal(err)
	}
	if again := Read(text); again.Problems != nil {
		t.Errorf("%v in\n%s", again.Problems, text)
	} else if d := cmp.Diff(r.Functions, again.Functions); d != "" {
		t.Error(d)
	}
}

// edit replaces one line of the document above, counted from 1.
func edit(line int, text string) string {
	lines := strings.Split(own, "\n")
	lines[line-1] = text
	return strings.Join(lines, "\n")
}

func TestProblemsPointAtTheirLine(t *testing.T) {
	for _, c := range []struct {
		line          int
		text, message string
	}{
		{1, "apiVersion: v1", "redoubt/v1"}, {2, "kind: Funktion", "Function"}, {4, "  name: Orders", "small letters"},
		{7, "  runtime: ruby", "use one of nodejs"}, {8, "  handler: app", "file.function"}, {8, "  handlr: app.handler", `no "handlr"`},
		{9, "  memory: much", "whole number"}, {9, "  memory: 16", "between 32 and 10240"}, {9, "  memory:", "no value"},
		{10, "  env: {AWS_REGION: x}", "set by the runtime"}, {10, "  env: {1X: x}", "begins with a letter"},
		{10, "  env: [a]", "names with values"}, {11, "  concurrency: {max: 0, warm: 11}", "warm lies between"},
		{12, "  per_tenant: perhaps", "true or false"}, {13, "  cpu: 99", "64 cores"},
		{15, "    egress: [example.com]", "HOST:PORT"}, {16, "    aws: ['dynamodb:Put*Item x']", "SERVICE:ACTION"}, {17, "    buckets: photos", "[ ]"},
		{19, `    - http: {path: "orders"}`, "begins with /"}, {19, `    - http: {path: "/a/{b...}/c"}`, "come last"},
		{19, `    - http: {path: "/a/x{b}"}`, "whole segment"}, {19, `    - http: {path: /a, method: FETCH}`, "use one of GET"},
		{19, `    - {http: {path: /a}, mqtt: {topic: a}}`, "2 of them"}, {20, "    - schedule: {when: often}", "rate(5 minutes)"},
		{21, "    - bucket: {bucket: P}", "3 to 63"}, {22, "    - mqtt: {topic: a/#/b}", "only at the end"}, {23, "    - queue: {queue: a b}", "queue's name"},
		{9, "  memory: [", ""}, {9, "\tmemory: 1", "not YAML"},
		{11, "  concurrency: {max: 3, warm: 1, max: 4}", "given twice"},
	} {
		r := Read([]byte(edit(c.line, c.text)))
		if len(r.Problems) == 0 || r.Functions != nil {
			t.Errorf("%q: no problem", c.text)
			continue
		}
		if p := r.Problems[0]; p.Line != c.line && !strings.Contains(p.Message, "YAML") || !strings.Contains(p.Message, c.message) {
			t.Errorf("%q: line %d, %v, want %q", c.text, c.line, r.Problems, c.message)
		}
	}
}

func TestReadTellsEveryProblemAtOnce(t *testing.T) {
	text := strings.NewReplacer("256", "1", "app.handler", "x", "rate(5 minutes)", "never").Replace(own)
	if r := Read([]byte(text)); len(r.Problems) != 3 {
		t.Errorf("%v", r.Problems)
	}
	if r := Read([]byte(own + "---\n" + own)); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "twice") {
		t.Errorf("%v", r.Problems)
	}
}

func TestS24_ReadsOtherPeoplesFiles(t *testing.T) {
	for _, file := range []string{"sam.yaml", "serverless.yml", "stack.yml"} {
		t.Run(file, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			r := Read(source)
			for _, p := range r.Problems {
				t.Error(p)
			}
			got, err := Format(r.Functions...)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range r.Notes {
				got = append(got, "# "+n.String()+"\n"...)
			}
			golden := filepath.Join("testdata", file+".golden")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestS15_NothingIsGrantedBeyondTheFile holds what cannot be said in a role.
func TestS15_NothingIsGrantedBeyondTheFile(t *testing.T) {
	const form = `Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.12, Handler: a.b, Policies: [{Statement: [%s]}]}}}`
	for statement, want := range map[string]string{
		`{Effect: Allow, Action: "dynamodb:Put*", Resource: "arn:aws:dynamodb:*:*:table/a"}`:                        "dynamodb:Put* table/a",
		`{Effect: Allow, Action: "dynamodb:*", Resource: "*"}`:                                                      "dynamodb:*",
		`{Effect: Allow, Action: "*", Resource: "*"}`:                                                               "",
		`{Effect: Allow, Action: "s3:Get*Tagging", Resource: "*"}`:                                                  "",
		`{Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::a*/b"}`:                                    "",
		`{Effect: Deny, Action: "s3:GetObject", Resource: "*"}`:                                                     "",
		`{Effect: Allow, Action: "s3:*", Resource: "*"}, {Effect: Deny, Action: "s3:DeleteObject", Resource: "*"}`:  "",
		`{Effect: Deny, NotAction: "s3:GetObject", Resource: "*"}, {Effect: Allow, Action: "sqs:*", Resource: "*"}`: "",
		`{Effect: Allow, NotAction: "s3:GetObject", Resource: "*"}`:                                                 "",
		`{Effect: Allow, Action: "s3:GetObject", NotResource: "a"}`:                                                 "",
		`{Effect: Allow, Action: "s3:GetObject", Resource: "*", Condition: {Bool: {a: b}}}`:                         "",
		`{Effect: Allow, Action: "s3:GetObject", Resource: !Ref Nowhere}`:                                           "",
	} {
		r := Read(fmt.Appendf(nil, form, statement))
		if len(r.Functions) != 1 {
			t.Errorf("%s: %v", statement, r.Problems)
			continue
		}
		if got := strings.Join(r.Functions[0].Spec.Role.AWS, ","); got != want {
			t.Errorf("%s grants %q, want %q", statement, got, want)
		}
		noted := strings.Contains(fmt.Sprint(r.Notes), "ignored:")
		if noted != (want == "") {
			t.Errorf("%s: notes %v", statement, r.Notes)
		}
	}
}

func TestYAMLBombsAreDefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	many := "x: &x [" + strings.Repeat("1,", 1000) + "1]\ny: &y [" + strings.Repeat("{Effect: Allow, Action: *x, Resource: *x},", 300) + "]\n"
	began := time.Now()
	for name, text := range map[string]string{
		"own":        strings.Replace(own, "  env: {PORT: 8080, DEBUG: true}", "  env: *a29", 1),
		"serverless": "service: a\nprovider: {name: aws, iamRoleStatements: *a29}\nfunctions: {f: {handler: a.b, environment: *a29, events: *a29}}\n",
		"sam":        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.9, Handler: a.b, Events: *a29, Policies: *a29, Environment: {Variables: {A: !Join [*a29, *a29]}}}}}\n",
	} {
		if r := Read([]byte(bomb.String() + text)); len(r.Problems)+len(r.Notes) == 0 {
			t.Errorf("%s: nothing said", name)
		}
	}
	r := Read([]byte(many + "service: a\nprovider: {name: aws, iamRoleStatements: *y}\nfunctions: {f: {runtime: python3.12, handler: a.b}}\n"))
	if !strings.Contains(fmt.Sprint(r.Problems), "its aliases mean more") {
		t.Errorf("%v", r.Problems)
	}
	for _, text := range []string{
		"a: &a {b: *a}\nResources: *a", "Resources: &a {<<: *a, F: {Type: AWS::Serverless::Function}}",
		"Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref A}}, F: {Type: AWS::Serverless::Function, Properties: {Handler: !Ref A}}}",
		strings.Repeat("[", 100_000), strings.Repeat("a: {", 20_000), strings.Repeat("- ", 50_000), strings.Repeat("x", maxSource+1), "\xff", "",
	} {
		if r := Read([]byte(text)); len(r.Problems) == 0 {
			t.Errorf("%.40q: no problem", text)
		}
	}
	t.Logf("took %s", time.Since(began))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(own))
	for _, file := range []string{"sam.yaml", "serverless.yml", "stack.yml"} {
		if source, err := os.ReadFile(filepath.Join("testdata", file)); err == nil {
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		r := Read(source)
		if len(r.Problems) == 0 && len(r.Functions) == 0 {
			t.Fatal("neither functions nor problems")
		}
		for _, d := range r.Functions {
			if p := d.Spec.Problems(); len(p) > 0 || CheckName(d.Name) != nil {
				t.Fatalf("%s: %v", d.Name, p)
			}
		}
	})
}
