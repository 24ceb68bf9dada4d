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

// shop is a bundle of handlers of every shape Java functions come in.
const javaShop = `
package shop;

import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.time.Instant;
import java.util.*;

public class Shop {
    public enum Size { SMALL, LARGE }

    public static class Item {
        private String name; private int count; private Size size; private List<String> tags; private Instant made; private Map<String, Double> prices; private Item next;
        private boolean fresh; public long open;
        public String getName() { return name; } public void setName(String v) { name = v; }
        public int getCount() { return count; } public void setCount(int v) { count = v; }
        public Size getSize() { return size; } public void setSize(Size v) { size = v; }
        public List<String> getTags() { return tags; } public void setTags(List<String> v) { tags = v; }
        public Instant getMade() { return made; } public void setMade(Instant v) { made = v; }
        public Map<String, Double> getPrices() { return prices; } public void setPrices(Map<String, Double> v) { prices = v; }
        public Item getNext() { return next; } public void setNext(Item v) { next = v; }
        public boolean isFresh() { return fresh; } public void setFresh(boolean v) { fresh = v; }
    }
    public record Pair(String left, List<Integer> right) {}
    public static class Closed { private final String name; private final int n; public Closed(String name, int n) { this.name = name; this.n = n; } public String getName() { return name; } public int getN() { return n; } }

    public static class Beans implements RequestHandler<Item, Item> {
        public Item handleRequest(Item in, Context c) { in.setCount(in.getCount() + 1); return in; }
    }
    public static class Maps implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        public Map<String, Object> handleRequest(Map<String, Object> in, Context c) { Map<String, Object> out = new LinkedHashMap<>(in); out.put("id", c.getAwsRequestId()); return out; }
    }
    public static abstract class Base<T> implements RequestHandler<List<T>, String> {
        public String handleRequest(List<T> in, Context c) { return in.size() + " " + in.get(0).getClass().getSimpleName(); }
    }
    public static class Inherited extends Base<Integer> {}
    public static class Strings implements RequestHandler<String, String> {
        public String handleRequest(String in, Context c) { return "<" + in + ">"; }
    }
    public static class Bytes implements RequestStreamHandler {
        public void handleRequest(InputStream in, OutputStream out, Context c) throws IOException { out.write("got ".getBytes()); in.transferTo(out); }
    }
    public static class About implements RequestHandler<Object, Map<String, Object>> {
        public Map<String, Object> handleRequest(Object in, Context c) {
            c.getLogger().log("logged line"); System.out.println("printed line");
            Map<String, Object> m = new TreeMap<>();
            m.put("id", c.getAwsRequestId()); m.put("name", c.getFunctionName()); m.put("version", c.getFunctionVersion()); m.put("memory", c.getMemoryLimitInMB());
            m.put("arn", c.getInvokedFunctionArn()); m.put("group", c.getLogGroupName()); m.put("stream", c.getLogStreamName()); m.put("tenant", c.getTenantId());
            m.put("left", c.getRemainingTimeInMillis() > 1000); m.put("who", c.getIdentity().getIdentityId());
            m.put("app", c.getClientContext() == null ? null : c.getClientContext().getClient().getAppTitle());
            m.put("trace", System.getProperty("com.amazonaws.xray.traceHeader")); m.put("env", System.getenv("MINE")); m.put("handler", System.getenv().get("_HANDLER"));
            return m;
        }
    }
    public String plain(String in) { return "plain " + in; }
    public static int sum(List<Integer> in, Context c) { return in.stream().mapToInt(Integer::intValue).sum(); }
    public void nothing() {}
    public Pair pair(Pair in) { return new Pair(in.left() + "!", in.right()); }
    public Closed closed(Closed in) { return in; }
    public void streams(InputStream in, OutputStream out) throws IOException { out.write(in.readAllBytes()); }
    public String onlyContext(Context c) { return c.getFunctionName(); }
    public String fail(String in) {
        try { throw new IllegalStateException("deep down"); } catch (RuntimeException e) { throw new UnsupportedOperationException("it is " + in, e); }
    }
    public Object loop() { List<Object> l = new ArrayList<>(); l.add(l); return l; }
    public static class Broken { static { if (true) throw new IllegalArgumentException("in static"); } public String go(String s) { return s; } }
    public static class Needy { public Needy(int n) {} public String go(String s) { return s; } }
}
`

// javaBundle compiles the handlers, against our interfaces as users do against
// those of AWS.
func javaBundle(t testing.TB) string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("no javac here: apt-get install default-jdk-headless")
	}
	src := write(t, t.TempDir(), map[string]string{"shop/Shop.java": javaShop})
	jar := filepath.Join(src, "runtime.jar")
	b, err := clients.ReadFile("client/java/runtime.jar")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jar, b, 0o644); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if out, err := exec.Command(javac, "-cp", jar, "-d", root, filepath.Join(src, "shop/Shop.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return root
}

func TestS8_Java(t *testing.T) {
	t.Parallel()
	root := javaBundle(t)
	at := func(t *testing.T, handler string, stem bool) *rig {
		return run(t, plan{runtime: "java", handler: handler, root: root, env: map[string]string{"MINE": "yes"}, stem: stem})
	}
	item := `{"count":5,"fresh":true,"made":"2026-03-04T12:00:00Z","name":"ü😀","next":{"count":0,"fresh":false,"made":null,"name":null,"next":null,"prices":null,"size":null,"tags":[]},"prices":{"a":1.5},"size":"LARGE","tags":["x"]}`
	rigs := map[string]*rig{} // a JVM for each handler, not for each row
	for _, tt := range []struct{ handler, in, want string }{
		{"shop.Shop$Beans", `{"open":9,"unknown":1,` + strings.Replace(item, `"count":5`, `"count":4`, 1)[1:], `{"open":9,` + strings.Replace(item[1:], `"next":{`, `"next":{"open":0,`, 1)},
		{"shop.Shop$Maps::handleRequest", `{"a":[1,2.5,{"b":null}]}`, `{"a":[1,2.5,{"b":null}],"id":"`},
		{"shop.Shop$Inherited", `[1,2,3]`, `"3 Integer"`},
		{"shop.Shop$Strings", `"x\n\"\u00fc"`, `"<x\n\"ü>"`},
		{"shop.Shop$Bytes", `{"raw" :1}`, `got {"raw" :1}`},
		{"shop.Shop::plain", `"x"`, `"plain x"`},
		{"shop.Shop::sum", `[1,2,39]`, `42`},
		{"shop.Shop::nothing", `1`, `null`},
		{"shop.Shop::pair", `{"left":"a","right":[1]}`, `{"left":"a!","right":[1]}`},
		{"shop.Shop::closed", `{"name":"a","n":3}`, `{"n":3,"name":"a"}`},
		{"shop.Shop::streams", `any bytes`, `any bytes`},
		{"shop.Shop::onlyContext", `1`, `"orders"`},
		{"shop.Shop::loop", `1`, `java.lang.IllegalArgumentException: the answer refers to itself`},
		{"shop.Shop::plain", `{"a":1}`, `java.lang.RuntimeException: An error occurred during JSON parsing: the event has an object where the handler takes a string`},
		{"shop.Shop::sum", `["x"]`, `java.lang.RuntimeException: An error occurred during JSON parsing: the event has x where the handler takes a number`},
		{"shop.Shop::plain", `{"a":`, `java.lang.RuntimeException: An error occurred during JSON parsing: JSON: unexpected end`},
	} {
		r := rigs[tt.handler]
		if r == nil {
			r = at(t, tt.handler, false)
			rigs[tt.handler] = r
		}
		for range 2 {
			if got := r.get(tt.in); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s\ngot  %s\nwant %s", tt.handler, got, tt.want)
			}
		}
	}
	for _, stem := range []bool{false, true} {
		t.Run(fmt.Sprintf("context/stem=%v", stem), func(t *testing.T) { javaContext(t, at(t, "shop.Shop$About", stem)) })
	}
	t.Run("errors", func(t *testing.T) { javaErrors(t, at(t, "shop.Shop::fail", true)) })
	t.Run("cannot_start", func(t *testing.T) {
		for handler, want := range map[string]string{
			"shop.Gone":            "java.lang.ClassNotFoundException: Class not found: shop.Gone",
			"shop.Shop::gone":      "java.lang.NoSuchMethodException: No public method named gone",
			"shop.Shop":            "Runtime.HandlerNotFound: shop.Shop implements neither",
			"shop.Shop$Broken::go": "java.lang.ExceptionInInitializerError: ",
			"shop.Shop$Needy::go":  "java.lang.NoSuchMethodException: Class shop.Shop$Needy needs a public constructor",
		} {
			r := at(t, handler, false)
			if got := r.initError(); !strings.HasPrefix(got.Error(), want) {
				t.Errorf("%s: got %s, want %s", handler, got, want)
			}
			<-r.gone
		}
	})
}

func javaContext(t *testing.T, r *rig) {
	e := event("1")
	e.ClientContext = `{"client": {"app_title": "shöp 😀"}}`
	e.Identity = `{"cognitoIdentityId":"me"}`
	e.Tenant = "blue"
	var got map[string]any
	if a := r.ask(e); json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%+v\n%s", a, r.out)
	}
	same(t, got, map[string]any{
		"id": e.ID, "name": "orders", "version": "7", "memory": 256.0, "arn": e.ARN, "group": "/aws/lambda/orders", "stream": "stream", "tenant": "blue",
		"left": true, "who": "me", "app": "shöp 😀", "trace": e.Trace, "env": "yes", "handler": "shop.Shop$About",
	})
	r.printed("logged line\n")
	r.printed("printed line\n")
}

func javaErrors(t *testing.T, r *rig) {
	a := r.ask(event(`"bad"`))
	if a.Error == nil || a.Error.Type != "java.lang.UnsupportedOperationException" || a.Error.Message != "it is bad" || len(a.Error.Trace) != 1 || !strings.HasPrefix(a.Error.Trace[0], "shop.Shop.fail(Shop.java:") {
		t.Fatalf("%+v", a.Error)
	}
	var doc struct {
		Cause struct{ ErrorType, ErrorMessage string }
	}
	if err := json.Unmarshal(a.Error.Raw, &doc); err != nil || doc.Cause.ErrorMessage != "deep down" {
		t.Errorf("%s: %v", a.Error.Raw, err)
	}
	r.printed("it is bad: java.lang.UnsupportedOperationException\n\tat shop.Shop.fail")
	if got := r.get(`"again"`); got != "java.lang.UnsupportedOperationException: it is again" {
		t.Error(got)
	}
}

// A bundle of jars, as build tools lay it out.
func TestS8_JavaJars(t *testing.T) {
	t.Parallel()
	classes := javaBundle(t)
	if _, err := exec.LookPath("jar"); err != nil {
		t.Skip("no jar here: apt-get install default-jdk-headless")
	}
	root := write(t, t.TempDir(), map[string]string{"lib/note.txt": "jars stand here"})
	if out, err := exec.Command("jar", "cf", filepath.Join(root, "lib/shop.jar"), "-C", classes, ".").CombinedOutput(); err != nil {
		t.Fatalf("jar: %v\n%s", err, out)
	}
	r := run(t, plan{runtime: "java", handler: "shop.Shop::plain", root: root})
	if got := r.get(`"x"`); got != `"plain x"` {
		t.Error(got)
	}
}
