package lambda

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

//go:generate client/build.sh

//go:embed client/node/bootstrap.js client/python/bootstrap.py client/java/runtime.jar client/dotnet/runtime.exe
var clients embed.FS

// StemVariable, set in the environment of a runtime, makes it start without a
// function and wait for Server.Attach.
const StemVariable = "_REDOUBT_STEM"

const optVariable = "_REDOUBT_OPT" // where layers are, for tests

// ExecWrapper is the variable that names a program to start the runtime with.
const ExecWrapper = "AWS_LAMBDA_EXEC_WRAPPER"

// Client is how a runtime is started, as seen from inside its sandbox.
type Client struct {
	Argv   []string
	Env    []string // besides Environ's
	Mounts []Mount

	sizes bool // by the memory of the machine, unless it is told otherwise
}

// Mount is something of this machine that a runtime needs, read-only.
type Mount struct {
	Source, Target string
	Exec           bool
}

// Bootstrap is our runtime clients, to be written to the directory that Find
// is told of.
func Bootstrap() fs.FS {
	sub, err := fs.Sub(clients, "client")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// runtimes says how each is started and what a handler of it looks like.
var runtimes = map[string]struct {
	program string
	install string // the package that brings it
	args    []string
	handler *regexp.Regexp
	example string
}{
	"nodejs": {"node", "nodejs", []string{"/var/runtime/node/bootstrap.js"},
		regexp.MustCompile(`^[^.]+(/[^.]+)*\.[^/]+$`), "index.handler"},
	"python": {"python3", "python3", []string{"/var/runtime/python/bootstrap.py"},
		regexp.MustCompile(`^.+\.[^./]+$`), "app.handler"},
	// One small heap and the quick compiler: most functions end before the
	// slow one pays. The opens let a stem set its environment variables; the
	// directory is where its code will be, which it cannot change to later.
	"java": {"java", "default-jre-headless", []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData", "-Duser.dir=/var/task",
		"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
		"-cp", "/var/runtime/java/runtime.jar", "redoubt.Main"},
		regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$.]*(::[\p{L}_$][\p{L}\p{N}_$]*)?$`), "com.example.Orders::handle"},
	"dotnet": {"mono", "mono-runtime libmono-system-core4.0-cil", []string{"/var/runtime/dotnet/runtime.exe"},
		regexp.MustCompile(`^[^:]+::[^:]+::[^:]+$`), "Orders::Shop.Orders::Handle"},
}

// Find says how to start a runtime for a handler, with the interpreter of this
// machine. dir is where Bootstrap was written. An unknown runtime or a handler
// of the wrong shape is fault.Invalid; a missing interpreter is
// fault.Unsupported and says what to install. An empty handler is not looked
// at: a stem has none yet.
func Find(runtime, handler, dir string) (Client, error) {
	mounts := []Mount{{Source: dir, Target: "/var/runtime"}}
	if runtime == "provided" {
		return Client{Argv: []string{"/var/task/bootstrap"}, Mounts: mounts}, nil
	}
	r, ok := runtimes[runtime]
	if !ok {
		return Client{}, fault.New(fault.Invalid, "no runtime %q; there are nodejs, python, java, dotnet and provided", runtime)
	}
	if handler != "" && (len(handler) > 128 || !r.handler.MatchString(handler)) {
		return Client{}, fault.New(fault.Invalid, "handler %q is not one of %s; write it as in %s", short(handler), runtime, r.example)
	}
	program, err := look(r.program, r.install)
	if err != nil {
		return Client{}, err
	}
	return Client{Argv: append([]string{program}, r.args...), Mounts: mounts, sizes: runtime == "java"}, nil
}

// heapPercent is what a Java heap may take of a function's memory. The rest is
// for classes, compiled code and threads, some 50 MiB of which are there before
// the first class of the function's.
const heapPercent = 60

// Bound makes a runtime keep its heap within memory MiB where it would go by
// what the machine has; others change nothing. Options a person gives in
// JAVA_TOOL_OPTIONS still come first.
func (c Client) Bound(memory int) Client {
	if c.sizes && memory > 0 {
		c.Argv = slices.Insert(slices.Clone(c.Argv), 1, fmt.Sprintf("-XX:MaxRAM=%dm", memory),
			fmt.Sprintf("-XX:MaxRAMPercentage=%d", heapPercent), fmt.Sprintf("-XX:MinRAMPercentage=%d", heapPercent))
	}
	return c
}

// Wrap makes a client start by way of a wrapper program, which gets the
// runtime's command line as arguments; an empty one changes nothing.
func (c Client) Wrap(wrapper string) Client {
	if wrapper != "" {
		c.Argv = slices.Insert(slices.Clone(c.Argv), 0, wrapper)
	}
	return c
}

// look finds a program below /usr, which sandboxes see; what stands in a
// home directory is of no use there.
func look(program, install string) (string, error) {
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, program))
		if err != nil || !strings.HasPrefix(path, "/usr/") {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fault.New(fault.Unsupported, "this node has no %s below /usr; install it: apt-get install %s", program, install)
}
