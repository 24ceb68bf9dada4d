package access

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func iamPolicy(statement string) []byte {
	return []byte(`{"Version":"2012-10-17","Statement":[{` + statement + `}]}`)
}

// called changes the context of a question.
func called(text string, change func(*Context)) *Request {
	r := ask(text)
	change(&r.Context)
	return r
}

func TestS3_IAMPoliciesMeanTheSameHere(t *testing.T) {
	ip := func(s string) func(*Context) { return func(c *Context) { c.IP = netip.MustParseAddr(s) } }
	at := func(s string) func(*Context) { return func(c *Context) { c.Time, _ = time.Parse(time.RFC3339, s) } }
	tenant := func(s string) func(*Context) { return func(c *Context) { c.Tenant = s } }
	size := func(n int64) func(*Context) { return func(c *Context) { c.Bytes = n } }
	none := func(*Context) {}
	const invoke = `"Effect":"Allow","Action":"lambda:InvokeFunction",`
	const orders = invoke + `"Resource":"function/orders",`
	const q = "role/web function:Invoke function/orders"
	type asked struct {
		r     *Request
		allow bool
	}
	for name, tt := range map[string]struct {
		statement string
		asked     []asked
	}{
		"exact": {invoke + `"Resource":"arn:aws:lambda:*:000000000000:function:orders"`, []asked{
			{ask(q), true}, {ask("role/web function:InvokeAsync function/orders"), true}, {ask("role/web function:Invoke function/orders:prod"), false},
			{ask("role/other function:Invoke function/orders"), false}, {ask("role/web function:Deploy function/orders"), false}}},
		"star": {invoke + `"Resource":["function/ord*:prod","function/mail"]`, []asked{
			{ask("role/web function:Invoke function/orders:prod"), true}, {ask("role/web function:Invoke function/mail"), true}, {ask(q), false}, {ask("role/web function:Invoke function/xord:prod"), false}}},
		"question mark": {invoke + `"Resource":"function/order?"`, []asked{{ask(q), true}, {ask("role/web function:Invoke function/order"), false}, {ask("role/web function:Invoke function/orders2"), false}}},
		"actions by pattern": {`"Effect":"Allow","Action":["s3:?et*","s3:List*"],"Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, []asked{
			{ask("role/web bucket:Get bucket/photos/a"), true}, {ask("role/web bucket:List bucket/photos"), true}, {ask("role/web bucket:Put bucket/photos/a"), false}, {ask("role/web bucket:Get bucket/photosx"), false}}},
		"not action": {`"Effect":"Allow","NotAction":["function:Delete","s3:*"],"Resource":"*"`, []asked{
			{ask(q), true}, {ask("role/web function:Delete function/orders"), false}, {ask("role/web bucket:Get bucket/b"), false}, {ask("role/web queue:Send queue/q"), true}}},
		"not resource": {`"Effect":"Allow","Action":"*","NotResource":["secret/*","function/orders"]`, []asked{
			{ask(q), false}, {ask("role/web secret:Read secret/db"), false}, {ask("role/web queue:Send queue/q"), true}}},
		"principals": {orders + `"Principal":{"AWS":["arn:aws:iam::000000000000:user/alice","arn:aws:iam::000000000000:role/shop"],"Redoubt":"key/K1"}`, []asked{
			{ask("user/alice function:Invoke function/orders"), true}, {ask("key/K1 function:Invoke function/orders"), true}, {ask(q), false}, {ask("anonymous function:Invoke function/orders"), false}}},
		"everybody":      {orders + `"Principal":"*"`, []asked{{ask("anonymous function:Invoke function/orders"), true}}},
		"string":         {orders + `"Condition":{"StringEquals":{"redoubt:tenant":["blue","red"]}}`, []asked{{called(q, tenant("red")), true}, {called(q, tenant("green")), false}, {ask(q), false}}},
		"string not":     {orders + `"Condition":{"StringNotEquals":{"redoubt:tenant":["blue","red"]}}`, []asked{{called(q, tenant("red")), false}, {called(q, tenant("green")), true}, {ask(q), true}}},
		"like":           {orders + `"Condition":{"StringLike":{"redoubt:tenant":"b*e"}}`, []asked{{called(q, tenant("blue")), true}, {called(q, tenant("Blue")), false}, {ask(q), false}}},
		"not like":       {orders + `"Condition":{"StringNotLike":{"redoubt:tenant":"*"}}`, []asked{{called(q, tenant("blue")), false}, {ask(q), true}}},
		"if exists":      {orders + `"Condition":{"StringEqualsIfExists":{"redoubt:tenant":"blue"}}`, []asked{{called(q, tenant("blue")), true}, {called(q, tenant("red")), false}, {ask(q), true}}},
		"null":           {orders + `"Condition":{"Null":{"redoubt:tenant":"true"}}`, []asked{{called(q, tenant("blue")), false}, {ask(q), true}}},
		"not null":       {orders + `"Condition":{"Null":{"redoubt:tenant":false}}`, []asked{{called(q, tenant("blue")), true}, {ask(q), false}}},
		"address":        {orders + `"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`, []asked{{called(q, ip("10.9.9.9")), true}, {called(q, ip("2001:db8::7")), true}, {called(q, ip("::ffff:10.9.9.9")), true}, {called(q, ip("11.0.0.1")), false}, {ask(q), false}}},
		"any address":    {orders + `"Condition":{"IpAddress":{"AWS:sourceIP":"0.0.0.0/0"}}`, []asked{{called(q, ip("10.9.9.9")), true}, {ask(q), false}}},
		"not address":    {orders + `"Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, []asked{{called(q, ip("10.9.9.9")), false}, {called(q, ip("11.0.0.1")), true}, {ask(q), true}}},
		"bool":           {orders + `"Condition":{"Bool":{"aws:SecureTransport":"true"}}`, []asked{{called(q, func(c *Context) { c.TLS = true }), true}, {called(q, none), false}}},
		"dates":          {orders + `"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"DateLessThanEquals":{"aws:CurrentTime":"2026-02-01T00:00:00+01:00"}}`, []asked{{called(q, at("2026-01-31T22:59:59Z")), true}, {called(q, at("2026-01-31T23:00:01Z")), false}, {called(q, at("2026-01-01T00:00:00Z")), false}}},
		"numbers":        {orders + `"Condition":{"NumericLessThan":{"redoubt:bytes":1000},"NumericNotEquals":{"redoubt:bytes":["7"]}}`, []asked{{called(q, size(999)), true}, {called(q, size(1000)), false}, {called(q, size(7)), false}}},
		"tenant of both": {orders + `"Condition":{"StringEquals":{"aws:PrincipalTag/tenant":"blue","redoubt:tenant":"blue"}}`, []asked{{called(q, tenant("blue")), false}}},
		"deny wins":      {`"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"no","Effect":"Deny","Action":"lambda:*","Resource":"function/orders*"`, []asked{{ask(q), false}, {ask("role/web function:Invoke function/mail"), true}}},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, "")
			d, problems := e.FromIAM(iamPolicy(tt.statement), Import{Name: "imported", For: "role/web"})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			out, problems := e.ToIAM(&d)
			if len(problems) > 0 {
				t.Fatal(problems, d.Cedar)
			}
			again, problems := e.FromIAM(out, Import{Name: "again"})
			if len(problems) > 0 {
				t.Fatal(problems, string(out))
			}
			for _, d := range []Document{d, again} { // what went out and came back means the same
				s, more := e.Statements(&d)
				if len(more) > 0 {
					t.Fatal(more)
				}
				e.Load(s)
				for _, a := range tt.asked {
					if got, err := e.Decide(a.r); err != nil || got.Allow != a.allow || len(got.Errors) > 0 {
						t.Errorf("%s %+v: %v, %v\n%s", a.r.Resource, a.r.Context, got.Allow, err, d.Cedar)
					}
				}
			}
		})
	}
}

func TestS3_IAMThatCannotBeHonouredIsRefused(t *testing.T) {
	const ok = `"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"*"`
	e := engine(t, "")
	for name, tt := range map[string]struct{ source, path string }{
		"unknown field":       {string(iamPolicy(ok + `,"Foo":1`)), "$.Statement[0].Foo"},
		"unknown top field":   {`{"Version":"2012-10-17","Statement":{` + ok + `},"Extra":{}}`, "$.Extra"},
		"version":             {`{"Version":"2030-01-01","Statement":{` + ok + `}}`, "$.Version"},
		"not principal":       {string(iamPolicy(ok + `,"NotPrincipal":{"AWS":"*"}`)), "$.Statement[0].NotPrincipal"},
		"service principal":   {string(iamPolicy(ok + `,"Principal":{"Service":"s3.amazonaws.com"}`)), "$.Statement[0].Principal.Service"},
		"account principal":   {string(iamPolicy(ok + `,"Principal":{"AWS":"123456789012"}`)), "$.Statement[0].Principal.AWS"},
		"operator":            {string(iamPolicy(ok + `,"Condition":{"ArnLike":{"aws:SourceArn":"*"}}`)), "$.Statement[0].Condition.ArnLike.aws:SourceArn"},
		"set operator":        {string(iamPolicy(ok + `,"Condition":{"ForAllValues:StringEquals":{"redoubt:tenant":"x"}}`)), "$.Statement[0].Condition.ForAllValues:StringEquals.redoubt:tenant"},
		"key":                 {string(iamPolicy(ok + `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`)), "$.Statement[0].Condition.Bool.aws:MultiFactorAuthPresent"},
		"operator of another": {string(iamPolicy(ok + `,"Condition":{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}`)), "$.Statement[0].Condition.StringEquals.aws:SourceIp"},
		"variable":            {string(iamPolicy(`"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${aws:username}/*"`)), "$.Statement[0].Resource"},
		"variable in value":   {string(iamPolicy(ok + `,"Condition":{"StringEquals":{"redoubt:tenant":"${x}"}}`)), "$.Statement[0].Condition.StringEquals.redoubt:tenant"},
		"? in a value":        {string(iamPolicy(ok + `,"Condition":{"StringLike":{"redoubt:tenant":"a?"}}`)), "$.Statement[0].Condition.StringLike.redoubt:tenant"},
		"unknown action":      {string(iamPolicy(`"Effect":"Allow","Action":["lambda:InvokeFunction","ec2:RunInstances"],"Resource":"*"`)), "$.Statement[0].Action[1]"},
		"both actions":        {string(iamPolicy(ok + `,"NotAction":"s3:*"`)), "$.Statement[0]"},
		"no resource":         {string(iamPolicy(`"Effect":"Allow","Action":"*"`)), "$.Statement[0]"},
		"another account":     {string(iamPolicy(`"Effect":"Allow","Action":"*","Resource":"arn:aws:lambda:eu-west-1:123456789012:function:x"`)), "$.Statement[0].Resource"},
		"another service":     {string(iamPolicy(`"Effect":"Allow","Action":"*","Resource":"arn:aws:dynamodb:eu-west-1::table/x"`)), "$.Statement[0].Resource"},
		"effect":              {string(iamPolicy(strings.Replace(ok, "Allow", "allow", 1))), "$.Statement[0]"},
		"effect twice":        {string(iamPolicy(ok + `,"Effect":"Deny"`)), "$"},
		"bad address":         {string(iamPolicy(ok + `,"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","10.0.0.0/99"]}}`)), "$.Statement[0].Condition.IpAddress.aws:SourceIp[1]"},
		"bad date":            {string(iamPolicy(ok + `,"Condition":{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}`)), "$.Statement[0].Condition.DateLessThan.aws:CurrentTime"},
		"fraction":            {string(iamPolicy(ok + `,"Condition":{"NumericLessThan":{"redoubt:bytes":1.5}}`)), "$.Statement[0].Condition.NumericLessThan.redoubt:bytes"},
		"no value":            {string(iamPolicy(ok + `,"Condition":{"StringEquals":{"redoubt:tenant":[]}}`)), "$.Statement[0].Condition.StringEquals.redoubt:tenant"},
		"same Sid":            {`{"Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, "$.Statement[1]"},
		"not JSON":            {`{"Statement":[`, "$"},
		"more behind":         {string(iamPolicy(ok)) + "{}", "$"},
		"deep":                {strings.Repeat(`{"a":`, 100), "$"},
		"no statements":       {`{"Statement":[]}`, "$"},
	} {
		d, problems := e.FromIAM([]byte(tt.source), Import{Name: "x", For: "role/web"})
		if d.Cedar != "" || len(problems) == 0 || problems[0].Path != tt.path {
			t.Errorf("%s: %+v, %q", name, problems, d.Cedar)
		}
	}
	if _, problems := e.FromIAM(iamPolicy(ok), Import{Name: "x"}); len(problems) == 0 {
		t.Error("attached to nobody")
	}
}

func TestS3_WhatIAMCannotSayIsNotWritten(t *testing.T) {
	e := engine(t, "")
	for name, cedar := range map[string]string{
		"group":              `permit (principal in Group::"dev", action == Action::"function:Invoke", resource);`,
		"type":               `permit (principal is User, action == Action::"function:Invoke", resource);`,
		"unless":             `permit (principal, action == Action::"function:Invoke", resource) unless { context.mtls };`,
		"another attribute":  `permit (principal, action == Action::"function:Invoke", resource) when { resource.name == "x" };`,
		"without absence":    `permit (principal, action == Action::"function:Invoke", resource) when { context.ip.isInRange(ip("10.0.0.0/8")) };`,
		"two in one":         `permit (principal, action == Action::"function:Invoke", resource) when { (context.mtls == true || context.tls == true) };`,
		"an if":              `permit (principal, action == Action::"function:Invoke", resource) when { if context.mtls then true else context.tls };`,
		"a star that is one": `permit (principal, action == Action::"function:Invoke", resource) when { (resource.path like "function/\*") };`,
	} {
		if out, problems := e.ToIAM(&Document{Name: "x", Cedar: cedar}); len(problems) == 0 || len(out) > 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	out, problems := e.ToIAM(&Document{Name: "x", Cedar: `permit (principal == Role::"web", action in [Action::"function:Invoke", Action::"function:InvokeAsync", Action::"function:Read"], resource in Function::"orders");`})
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Redoubt":"role/web"},"Action":["lambda:InvokeFunction","lambda:GetFunction"],"Resource":["arn:aws:lambda:*:000000000000:function:orders","arn:aws:lambda:*:000000000000:function:orders:*"]}]}`
	if got := strings.Join(strings.Fields(string(out)), ""); got != want || len(problems) > 0 {
		t.Error(got, problems)
	}
}

func FuzzFromIAM(f *testing.F) {
	f.Add(iamPolicy(`"Effect":"Allow","Action":"s3:*","NotResource":"function/a?","Condition":{"StringLike":{"redoubt:tenant":"a*\""},"DateLessThan":{"aws:CurrentTime":5}}`))
	f.Add(iamPolicy(`"Sid":"x","Effect":"Deny","NotAction":"*","Resource":["bucket/ü*"],"Principal":{"AWS":"*"},"Condition":{"IpAddress":{"aws:SourceIp":"::/0"}}`))
	e, err := NewEngine()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		d, problems := e.FromIAM(source, Import{Name: "x", For: "role/web"})
		if (d.Cedar == "") == (len(problems) == 0) {
			t.Fatalf("%q, %v", d.Cedar, problems)
		}
		if len(problems) == 0 {
			e.ToIAM(&d) // must not panic
		}
		for _, p := range problems { // what is refused is refused by the importer: Cedar it writes always reads
			if strings.Contains(p.Message, "Cedar") {
				t.Errorf("%s: %v", source, p)
			}
		}
	})
}
