package lambda

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/fault"
)

func TestS8_Environ(t *testing.T) {
	got := Environ(EnvConfig{
		Runtime: "nodejs", Handler: "index.handler", Function: "orders", Version: "7", Memory: 256, API: "127.0.0.1:9001", LogStream: "s", SessionToken: "tok",
		User: map[string]string{"MINE": "1", "TZ": "Europe/Paris", "AWS_REGION": "evil", "_HANDLER": "evil", "AWS_LAMBDA_RUNTIME_API": "evil", "A=B": "evil", "NUL": "a\x00b", "": "evil", StemVariable: "1"},
	})
	same(t, got, []string{
		"AWS_DEFAULT_REGION=local", "AWS_EXECUTION_ENV=AWS_Lambda_nodejs", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_NAME=orders",
		"AWS_LAMBDA_FUNCTION_VERSION=7", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/orders", "AWS_LAMBDA_LOG_STREAM_NAME=s",
		"AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001", "AWS_REGION=local", "AWS_SESSION_TOKEN=tok", "LAMBDA_RUNTIME_DIR=/var/runtime", "LAMBDA_TASK_ROOT=/var/task",
		"LANG=en_US.UTF-8", "LD_LIBRARY_PATH=/var/task:/var/task/lib:/opt/lib", "MINE=1", "NODE_PATH=/opt/nodejs/node_modules:/var/runtime/node_modules:/var/task",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin", "TZ=Europe/Paris", "_HANDLER=index.handler",
	})
	image := Environ(EnvConfig{Runtime: "image", Function: "orders", User: map[string]string{"MINE": "owner's"}, Image: []string{
		"PATH=/app", "MINE=image's", "ITS=a=b", "BARE", "AWS_REGION=evil", "AWS_EXECUTION_ENV=evil", "=evil", "NUL=a\x00b",
	}})
	for _, text := range []string{"PATH=/app", "MINE=owner's", "ITS=a=b", "BARE=", "AWS_REGION=local"} {
		if !slices.Contains(image, text) {
			t.Errorf("an image's environment lacks %s: %q", text, image)
		}
	}
	if text := strings.Join(image, " "); strings.Contains(text, "evil") || strings.Contains(text, "LD_LIBRARY_PATH") || strings.Contains(text, "NUL") {
		t.Errorf("an image's environment: %s", text)
	}
	python := Environ(EnvConfig{Runtime: "python"})
	provided := Environ(EnvConfig{Runtime: "provided", Region: "eu-west-1"})
	if !slices.Contains(python, "PYTHONPATH=/var/runtime") || !slices.Contains(provided, "AWS_REGION=eu-west-1") || slices.ContainsFunc(provided, func(s string) bool { return strings.HasPrefix(s, "AWS_EXECUTION_ENV") }) {
		t.Errorf("%q\n%q", python, provided)
	}
}

func TestCanAttach(t *testing.T) {
	for name, want := range map[string]bool{"MINE": true, "PYTHONPATH": true, "NODE_OPTIONS": false, "LD_PRELOAD": false, "PYTHONHASHSEED": false, ExecWrapper: false, "JAVA_TOOL_OPTIONS": false} {
		if got := CanAttach(map[string]string{name: "x"}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestS8_Find(t *testing.T) {
	for _, tt := range []struct {
		runtime, handler string
		ok               bool
	}{
		{"nodejs", "index.handler", true}, {"nodejs", "dir/index.a.b", true}, {"nodejs", "index", false}, {"nodejs", ".handler", false},
		{"python", "app.handler", true}, {"python", "a/b.c.handler", true}, {"python", "handler", false},
		{"java", "shop.Orders", true}, {"java", "shop.Orders$In::go", true}, {"java", "shop.Orders:go", false}, {"java", "a b", false},
		{"dotnet", "A::N.C::M", true}, {"dotnet", "A::M", false}, {"provided", "", true}, {"provided", "anything", true},
		{"nodejs", strings.Repeat("x", 200) + ".y", false}, {"cobol", "x.y", false}, {"java", "", true},
	} {
		c, err := Find(tt.runtime, tt.handler, "/somewhere")
		switch {
		case fault.Is(err, fault.Unsupported):
		case (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Invalid):
			t.Errorf("%s %s: %v", tt.runtime, tt.handler, err)
		case err == nil && c.Mounts[0] != Mount{Source: "/somewhere", Target: "/var/runtime"}:
			t.Errorf("%+v", c)
		}
	}
	if _, err := look("no-such-interpreter", "its-package"); !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "apt-get install its-package") {
		t.Error(err)
	}
	c := Client{Argv: []string{"node", "x"}}
	same(t, c.Wrap("/opt/wrap").Argv, []string{"/opt/wrap", "node", "x"})
	same(t, c.Wrap("").Argv, c.Argv)
	same(t, c.Bound(256).Argv, c.Argv)
	c.sizes = true
	same(t, c.Bound(256).Argv, []string{"node", "-XX:MaxRAM=256m", "-XX:MaxRAMPercentage=60", "-XX:MinRAMPercentage=60", "x"})
}

func TestBootstrapHoldsEveryClient(t *testing.T) {
	for _, r := range runtimes {
		for _, arg := range r.args {
			if name, ok := strings.CutPrefix(arg, "/var/runtime/"); ok {
				if _, err := fs.Stat(Bootstrap(), name); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
