package lambda

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// EnvConfig is what a function version's environment is made of.
type EnvConfig struct {
	Runtime   string // nodejs, python, java, dotnet, provided or image
	Handler   string
	Function  string
	Version   string
	Memory    int    // MiB
	Region    string // "local" where empty
	API       string // host:port of the Runtime API, as the code reaches it
	LogStream string // a name for the environment's lines
	// InitType is how the environment came to be: "on-demand" where empty, or
	// "provisioned-concurrency".
	InitType string
	// AccessKey, SecretKey and SessionToken are temporary credentials; left out
	// where empty.
	AccessKey, SecretKey, SessionToken string
	Image                              []string          // NAME=VALUE of a container image; the owner's go before
	User                               map[string]string // what the owner of the function set
}

const defaultPath = "/usr/local/bin:/usr/bin:/bin:/opt/bin"

// Environ returns the variables Lambda documents, and the owner's. The owner
// cannot change reserved ones (see Reserved) but may set the rest, PATH and TZ
// among them.
func Environ(c EnvConfig) []string {
	region := sure(c.Region, "local")
	env := map[string]string{
		"LANG":            "en_US.UTF-8",
		"TZ":              ":UTC",
		"PATH":            defaultPath,
		"LD_LIBRARY_PATH": "/var/task:/var/task/lib:/opt/lib",
	}
	switch c.Runtime {
	case "image": // whose files those are not
		env = map[string]string{"PATH": defaultPath}
	case "nodejs":
		env["NODE_PATH"] = "/opt/nodejs/node_modules:/var/runtime/node_modules:/var/task"
	case "python":
		env["PYTHONPATH"] = "/var/runtime"
	}
	for _, text := range c.Image {
		name, value, _ := strings.Cut(text, "=")
		give(env, name, value)
	}
	for name, value := range c.User {
		give(env, name, value)
	}
	maps.Copy(env, map[string]string{
		"_HANDLER":                        c.Handler,
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_" + c.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME":        c.Function,
		"AWS_LAMBDA_FUNCTION_VERSION":     c.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.Memory),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  sure(c.InitType, "on-demand"),
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.Function,
		"AWS_LAMBDA_LOG_STREAM_NAME":      c.LogStream,
		"AWS_LAMBDA_RUNTIME_API":          c.API,
		"LAMBDA_TASK_ROOT":                "/var/task",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
	})
	if c.Runtime == "provided" || c.Runtime == "image" { // as on Lambda, which leaves it out there
		delete(env, "AWS_EXECUTION_ENV")
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": c.AccessKey, "AWS_SECRET_ACCESS_KEY": c.SecretKey, "AWS_SESSION_TOKEN": c.SessionToken,
	} {
		if value != "" {
			env[name] = value
		}
	}
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

// give sets a variable that is not the platform's.
func give(env map[string]string, name, value string) {
	if name != "" && !Reserved(name) && !strings.ContainsAny(name, "=\x00") && !strings.Contains(value, "\x00") {
		env[name] = value
	}
}

var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", StemVariable, optVariable,
}

// Reserved reports whether only the platform sets a variable.
func Reserved(name string) bool { return slices.Contains(reserved, name) }

// needStart are variables that a runtime reads as it starts: setting them in a
// process that runs already is too late.
var needStart = []string{"NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "AWS_LAMBDA_EXEC_WRAPPER", "LANG", "MALLOC_ARENA_MAX"}

// CanAttach reports whether a function with these variables may take a
// pre-started runtime: none of them has to be there from the start.
func CanAttach(user map[string]string) bool {
	for name := range user {
		if slices.Contains(needStart, name) || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "LC_") ||
			strings.HasPrefix(name, "MONO_") || strings.HasPrefix(name, "UV_") || strings.HasPrefix(name, "PYTHON") && name != "PYTHONPATH" {
			return false
		}
	}
	return true
}
