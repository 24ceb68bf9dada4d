package lambda

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dotnetCore stands for the library that bundles bring along: the members of
// its interfaces that most code uses.
const dotnetCore = `
namespace Amazon.Lambda.Core {
    public interface ILambdaLogger { void Log(string message); void LogLine(string message); }
    public interface IClientApplication { string AppTitle { get; } }
    public interface IClientContext { IClientApplication Client { get; } System.Collections.Generic.IDictionary<string, string> Custom { get; } }
    public interface ICognitoIdentity { string IdentityId { get; } }
    public interface ILambdaContext {
        string AwsRequestId { get; } IClientContext ClientContext { get; } string FunctionName { get; } string FunctionVersion { get; }
        ICognitoIdentity Identity { get; } string InvokedFunctionArn { get; } ILambdaLogger Logger { get; } string LogGroupName { get; }
        string LogStreamName { get; } int MemoryLimitInMB { get; } System.TimeSpan RemainingTime { get; } string TenantId { get; }
    }
}
`

const dotnetShop = `
using System; using System.Collections.Generic; using System.IO; using System.Threading.Tasks; using Amazon.Lambda.Core;
namespace Shop {
    public enum Size { Small, Large }
    public class Item {
        public string Name { get; set; } public int Count { get; set; } public Size Size { get; set; } public List<string> Tags { get; set; }
        public DateTime Made { get; set; } public Dictionary<string, double> Prices { get; set; } public Item Next { get; set; } public bool? Fresh { get; set; } public long[] Codes { get; set; }
    }
    public class Odd : Exception { public Odd(string m, Exception inner) : base(m, inner) {} }
    public class Orders {
        public Item Bean(Item i, ILambdaContext c) { i.Count++; return i; }
        public async Task<string> Later(string s) { await Task.Delay(1); return s + "!"; }
        public async Task Quiet(Stream s) { await Task.Delay(1); Console.WriteLine("quiet"); }
        public Stream Bytes(Stream s) { var m = new MemoryStream(); m.WriteByte(65); s.CopyTo(m); return m; }
        public static int Sum(List<int> all) { int n = 0; foreach (int i in all) n += i; return n; }
        public Dictionary<string, object> Map(Dictionary<string, object> m) { m["more"] = new[] { 1.5, 2 }; return m; }
        public void Nothing() {}
        public string Fail(string s) { try { throw new InvalidOperationException("deep down"); } catch (Exception e) { throw new Odd("it is " + s, e); } }
        public async Task<string> FailLater(string s) { await Task.Delay(1); throw new Odd("later " + s, null); }
        public Dictionary<string, object> About(object e, ILambdaContext c) {
            c.Logger.LogLine("logged line"); Console.WriteLine("printed line");
            return new Dictionary<string, object> {
                {"id", c.AwsRequestId}, {"name", c.FunctionName}, {"version", c.FunctionVersion}, {"memory", c.MemoryLimitInMB}, {"arn", c.InvokedFunctionArn},
                {"group", c.LogGroupName}, {"stream", c.LogStreamName}, {"tenant", c.TenantId}, {"left", c.RemainingTime.TotalSeconds > 1}, {"who", c.Identity.IdentityId},
                {"app", c.ClientContext.Client.AppTitle}, {"custom", c.ClientContext.Custom["k"]}, {"trace", Environment.GetEnvironmentVariable("_X_AMZN_TRACE_ID")},
                {"env", Environment.GetEnvironmentVariable("MINE")}, {"handler", Environment.GetEnvironmentVariable("_HANDLER")} };
        }
    }
    public class Needy { public Needy(int n) {} public void Go() {} }
}
`

func dotnetBundle(t testing.TB) string {
	t.Helper()
	mcs, err := exec.LookPath("mcs")
	if err != nil {
		t.Skip("no mcs here: apt-get install mono-mcs")
	}
	src := write(t, t.TempDir(), map[string]string{"core.cs": dotnetCore, "shop.cs": dotnetShop})
	root := t.TempDir()
	core := filepath.Join(root, "Amazon.Lambda.Core.dll")
	for _, args := range [][]string{
		{"-target:library", "-out:" + core, filepath.Join(src, "core.cs")},
		{"-target:library", "-r:" + core, "-out:" + filepath.Join(root, "Orders.dll"), filepath.Join(src, "shop.cs")},
	} {
		if out, err := exec.Command(mcs, args...).CombinedOutput(); err != nil {
			t.Fatalf("mcs: %v\n%s", err, out)
		}
	}
	return root
}

func TestS8_DotNet(t *testing.T) {
	t.Parallel()
	root := dotnetBundle(t)
	at := func(t *testing.T, handler string, stem bool) *rig {
		return run(t, plan{runtime: "dotnet", handler: handler, root: root, env: map[string]string{"MINE": "yes"}, stem: stem})
	}
	rigs := map[string]*rig{}
	for _, tt := range []struct{ method, in, want string }{
		{"Bean", `{"name":"ü😀","COUNT":4,"Size":"Large","Tags":["x"],"Made":"2026-03-04T12:00:00Z","Prices":{"a":1.5},"Next":{"Count":1},"Fresh":true,"Codes":[1,2],"unknown":1}`,
			`{"Name":"ü😀","Count":5,"Size":1,"Tags":["x"],"Made":"2026-03-04T12:00:00Z","Prices":{"a":1.5},"Next":{"Name":null,"Count":1,`},
		{"Later", `"x"`, `"x!"`},
		{"Quiet", `1`, `null`},
		{"Bytes", `{"raw" :1}`, `A{"raw" :1}`},
		{"Sum", `[1,2,39]`, `42`},
		{"Map", `{"a":[1,null,"x\u00fc"]}`, `{"a":[1,null,"xü"],"more":[1.5,2]}`},
		{"Nothing", `1`, ``},
		{"Later", `{"a":1}`, `FormatException: the event has an object where the handler takes a plain value`},
		{"Later", `{"a":`, `FormatException: JSON: unexpected end`},
		{"FailLater", `"x"`, `Odd: later x`},
	} {
		r := rigs[tt.method]
		if r == nil {
			r = at(t, "Orders::Shop.Orders::"+tt.method, false)
			rigs[tt.method] = r
		}
		for range 2 {
			if got := r.get(tt.in); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s\ngot  %s\nwant %s", tt.method, got, tt.want)
			}
		}
	}
	for _, stem := range []bool{false, true} {
		t.Run(fmt.Sprintf("context/stem=%v", stem), func(t *testing.T) { dotnetContext(t, at(t, "Orders::Shop.Orders::About", stem)) })
	}
	t.Run("errors", func(t *testing.T) {
		a := at(t, "Orders::Shop.Orders::Fail", true).ask(event(`"bad"`))
		if a.Error == nil || a.Error.Type != "Odd" || a.Error.Message != "it is bad" || len(a.Error.Trace) == 0 || !strings.Contains(a.Error.Trace[0], "Shop.Orders.Fail") {
			t.Fatalf("%+v", a.Error)
		}
		var doc struct {
			Cause struct{ ErrorType, ErrorMessage string }
		}
		if err := json.Unmarshal(a.Error.Raw, &doc); err != nil || doc.Cause.ErrorMessage != "deep down" {
			t.Errorf("%s: %v", a.Error.Raw, err)
		}
	})
	t.Run("cannot_start", func(t *testing.T) {
		for handler, want := range map[string]string{
			"Gone::Shop.Orders::Bean": "Could not find the assembly 'Gone'", "Orders::Shop.Gone::Bean": "Unable to load type 'Shop.Gone'",
			"Orders::Shop.Orders::Gone": "Unable to find method 'Gone'", "Orders::Shop.Needy::Go": "",
		} {
			r := at(t, handler, false)
			if got := r.initError(); !strings.Contains(got.Message, want) {
				t.Errorf("%s: %s", handler, got)
			}
			<-r.gone
		}
	})
}

func dotnetContext(t *testing.T, r *rig) {
	e := event("1")
	e.ClientContext = `{"client": {"app_title": "shöp 😀"}, "custom": {"k": "v"}}`
	e.Identity = `{"cognitoIdentityId":"me"}`
	e.Tenant = "blue"
	var got map[string]any
	if a := r.ask(e); json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%+v\n%s", a.Error, r.out)
	}
	same(t, got, map[string]any{
		"id": e.ID, "name": "orders", "version": "7", "memory": 256.0, "arn": e.ARN, "group": "/aws/lambda/orders", "stream": "stream", "tenant": "blue",
		"left": true, "who": "me", "app": "shöp 😀", "custom": "v", "trace": e.Trace, "env": "yes", "handler": "Orders::Shop.Orders::About",
	})
	r.printed("logged line\n")
	r.printed("printed line\n")
}

// What is committed compiled was made of the sources beside it.
func TestCompiledClientsBelongToTheirSources(t *testing.T) {
	note, err := os.ReadFile("client/SOURCES")
	if err != nil {
		t.Fatal(err)
	}
	noted := map[string]string{}
	for line := range strings.Lines(string(note)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("odd line %q", line)
		}
		noted[name] = sum
	}
	found := map[string]string{}
	err = filepath.WalkDir("client", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".java", ".cs", ".jar", ".exe":
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found[strings.TrimPrefix(path, "client/")] = digest(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, found, noted)
	if t.Failed() {
		t.Log("run go generate ./internal/lambda and commit what it writes")
	}
}
