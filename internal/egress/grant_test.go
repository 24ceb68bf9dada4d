package egress

import (
	"net/netip"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/fault"
)

func TestS10_GrantsCoverWhatTheySay(t *testing.T) {
	tcp := func(host string, port uint16) Attempt { return Attempt{Kind: KindTCP, Host: host, Port: port} }
	dns := func(host string) Attempt { return Attempt{Kind: KindDNS, Host: host} }
	call := func(action, resource string) Attempt {
		return Attempt{Kind: KindAWS, Host: "sns.us-east-1.amazonaws.com", Port: 443, Action: action, Resource: resource, Account: "029608264753"}
	}
	for _, c := range []struct {
		grant   string
		attempt Attempt
		want    bool
	}{
		{"api.example.com:443", tcp("api.example.com", 443), true},
		{"API.example.com.:443", tcp("api.example.com", 443), true},
		{"api.example.com:443", tcp("api.example.com", 80), false},
		{"api.example.com:443", tcp("a.api.example.com", 443), false},
		{"api.example.com:443", tcp("xapi.example.com", 443), false},
		{"api.example.com:443", dns("api.example.com"), true},
		{"api.example.com:443 10.0.0.0/8", tcp("api.example.com", 443), true},
		{"*.example.com:443", tcp("a.example.com", 443), true},
		{"*.example.com:443", tcp("example.com", 443), false},
		{"*.example.com:443", tcp("a.b.example.com", 443), false},
		{"*.example.com:443", dns("a.example.com"), true},
		{"10.1.2.3:5432", tcp("10.1.2.3", 5432), true},
		{"10.1.2.3:5432", tcp("10.1.2.4", 5432), false},
		{"10.0.0.0/8:5432", tcp("10.1.2.4", 5432), true},
		{"10.0.0.0/8:5432", tcp("11.1.2.4", 5432), false},
		{"10.0.0.0/8:5432", tcp("db.example.com", 5432), false},
		{"[fd00::5]:443", tcp("fd00::5", 443), true},
		{"[fd00::/8]:443", tcp("fd12::5", 443), true},
		{"fd00::5:443", tcp("fd00::5", 443), false},
		{"dynamodb:PutItem table/orders", call("dynamodb:PutItem", "table/orders"), true},
		{"dynamodb:putitem table/orders", call("dynamodb:PutItem", "table/orders"), true},
		{"dynamodb:PutItem table/orders", call("dynamodb:PutItem", "table/orders2"), false},
		{"dynamodb:PutItem table/orders", call("dynamodb:GetItem", "table/orders"), false},
		{"dynamodb:PutItem table/orders", call("dynamodb:PutItem", "table/Orders"), false},
		{"dynamodb:PutItem table/o*", call("dynamodb:PutItem", "table/orders"), true},
		{"dynamodb:PutItem table/*", call("dynamodb:PutItem", "*"), false},
		{"dynamodb:PutItem", call("dynamodb:PutItem", "*"), true},
		{"dynamodb:*", call("dynamodb:PutItem", "table/x"), true},
		{"dynamodb:Get*", call("dynamodb:PutItem", "table/x"), false},
		{"sns:Publish orders", call("sns:Publish", "999999999999:orders"), false},
		{"sns:Publish orders account=029608264753", call("sns:Publish", "orders"), true},
		{"sns:Publish orders account=1*", call("sns:Publish", "orders"), false},
		{"iam:X user/b PolicyArn=a*", call("iam:X", "user/b PolicyArn=abc"), true},
		{"iam:X user/b policyarn=abc", call("iam:X", "user/b PolicyArn=abc"), true},
		{"iam:X user/b PolicyArn=a*", call("iam:X", "user/b PolicyArn=abc PolicyArn=bad"), false},
		{"iam:X user/b PolicyArn=a*", call("iam:X", "user/b"), false},
		{"iam:X user/b PolicyArn=a*", call("iam:X", "user/b PolicyArn=*"), false},
		{"iam:X user/b", call("iam:X", "user/b PolicyArn=abc"), true},
		{"sns.us-east-1.amazonaws.com:443", call("sns:Publish", "orders"), true},
		{"dynamodb:GetItem", dns("dynamodb.eu-west-1.amazonaws.com"), true},
		{"dynamodb:GetItem", dns("s3.eu-west-1.amazonaws.com"), false},
		{"s3:GetObject b/*", dns("b.s3.eu-west-1.amazonaws.com"), true},
		{"dynamodb:GetItem", tcp("dynamodb.eu-west-1.amazonaws.com", 443), false},
		{"nonsense", tcp("nonsense", 443), false},
		{"", tcp("", 0), false},
	} {
		if _, got := Match([]string{"other.example:1", c.grant}, c.attempt); got != c.want {
			t.Errorf("%q covers %s %s: %v", c.grant, c.attempt.Kind, c.attempt.Target(), got)
		}
	}
}

func TestLocalTakesAGrantThatSaysSo(t *testing.T) {
	for _, c := range []struct {
		grant, host, addr string
		want              bool
	}{
		{"db.example.com:5432", "db.example.com", "10.1.2.3", false},
		{"db.example.com:5432 10.0.0.0/8", "db.example.com", "10.1.2.3", true},
		{"db.example.com:5432 10.0.0.0/8", "db.example.com", "192.168.1.1", false},
		{"db.internal:5432", "db.internal", "10.1.2.3", true},
		{"*.svc.internal:5432", "db.svc.internal", "10.1.2.3", true},
		{"*.example.com:5432", "db.example.com", "10.1.2.3", false},
		{"localhost:5432", "localhost", "127.0.0.1", true},
		{"db.internal:5432", "db.internal", "169.254.169.254", false},
		{"db.internal:5432", "db.internal", "64:ff9b::a9fe:a9fe", false},
		{"10.1.2.3:5432", "10.1.2.3", "10.1.2.3", true},
		{"10.0.0.0/8:5432", "10.1.2.3", "10.1.2.3", true},
		{"0.0.0.0/0:5432", "169.254.169.254", "169.254.169.254", false},
		{"169.254.169.254:5432", "169.254.169.254", "169.254.169.254", true},
		{"169.254.0.0/16:5432", "169.254.169.254", "169.254.169.254", true},
		{"db.example.com:5433 10.0.0.0/8", "db.example.com", "10.1.2.3", false},
		{"dynamodb:GetItem", "dynamodb.us-east-1.amazonaws.com", "10.1.2.3", false},
	} {
		if got := Local([]string{c.grant}, c.host, 5432, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%q lets %s be at %s: %v", c.grant, c.host, c.addr, got)
		}
	}
	c := Config{CA: &CA{}}
	private, loop := netip.MustParseAddr("10.255.254.253"), netip.MustParseAddr("127.0.0.1")
	if !c.local("sqs.us-east-1.amazonaws.com", 443, private) || c.local("sqs.us-east-1.amazonaws.com", 443, loop) ||
		c.local("sqs.us-east-1.amazonaws.com", 80, private) || c.local("x.us-east-1.elb.amazonaws.com", 443, private) || c.local("example.com", 443, private) {
		t.Error("only AWS that must prove itself may be at a private address without a grant")
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	good := []string{"api.example.com:443", "*.example.com:443", "10.1.2.3:5432", "[fd00::5]:443", "[fd00::/8]:443", "10.0.0.0/8:1", "db.example.com:5432 10.0.0.0/8", "localhost:80", "*.internal:80"}
	calls := []string{"dynamodb:PutItem table/orders", "s3:GetObject bucket/*", "sqs:*", "newthing:PUT /v1/things/{}", "iam:AttachUserPolicy user/bob PolicyArn=arn:aws:iam::aws:policy/Read*", "sqs:SendMessage orders account=123456789012"}
	if err := Validate(good, calls); err != nil {
		t.Fatal(err)
	}
	for grant, want := range map[string]string{
		"":                               "empty",
		"example.com":                    "neither host:port",
		"example.com:":                   "port from 1",
		"example.com:0":                  "port from 1",
		"example.com:65536":              "port from 1",
		"example.com:https":              "port from 1",
		"*:443":                          `only "*.example.com:443"`,
		"*.com:443":                      "top-level",
		"a.*.com:443":                    `only "*.example.com:443"`,
		"*.*.example.com:443":            "no proper name",
		"https://example.com:443":        "IPv6 address without brackets",
		"-bad-.com:443":                  "neither a name nor an address",
		"256.1.1.1:443":                  "neither a name nor an address",
		"fd00::5:443":                    "without brackets",
		"[10.0.0.1]:443":                 "hold no IPv6",
		"10.0.0.1/8:443":                 "write 10.0.0.0/8",
		"10.0.0.0/33:443":                "network that is none",
		"a.example.com:443 10.0.0.0":     "network that is none",
		"10.0.0.1:443 10.0.0.0/8":        "already",
		"a.example.com:443  10.0.0.0/8":  "more than one space",
		"a.example.com:443 10.0.0.0/8 x": "more than a network",
		"dynamodb:GetItem table/x":       "belongs into aws",
		"Dynamodb:GetItem":               "small letters",
		"dynamodb:Get-Item":              "action that is none",
	} {
		err := Validate([]string{grant}, nil)
		if err == nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "egress[0]") {
			t.Errorf("%q: %v, want %q", grant, err, want)
		}
	}
	for grant, want := range map[string]string{
		"api.example.com:443":                "belongs into egress",
		"s3:GetObject a*b":                   "last character",
		"s3:GetObject arn:aws:s3:::bucket/*": "whole ARN",
		"s3:GetObject bucket/a b":            "Name=value",
		"iam:X user/b PolicyArn=*x":          "last character",
		"s3:*Object":                         "action that is none",
		"s3:GetObject bucket/*\n":            "another kind of it",
	} {
		err := Validate(nil, []string{grant})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "aws[0]") {
			t.Errorf("%q: %v, want %q", grant, err, want)
		}
	}
	if err := Validate([]string{"x", "good.example.com:1", "y"}, []string{"z"}); strings.Count(err.Error(), "grant ") != 3 {
		t.Errorf("not every mistake: %v", err)
	}
}
