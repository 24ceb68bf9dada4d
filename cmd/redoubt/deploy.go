package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// deployFlags are what a person says of a function beside its code.
type deployFlags struct {
	runtime, handler, role, description string
	memory, timeout, tmp                int
	env                                 []string
	layers                              []string
	stay, dry                           bool
}

func deployFunction() *cobra.Command {
	var d deployFlags
	var output *string
	cmd := &cobra.Command{
		Use:   "deploy [NAME] PATH",
		Short: "Deploy a new version from a folder, an archive, an image or a file that describes functions",
		Long: `Uploads code and makes it the live version. PATH is a folder, a zip, a jar, a tar, a container image
as docker save writes it, or a single source file.

Without NAME, PATH is a file that describes functions, or a folder that holds one: function.yaml,
template.yaml (AWS SAM), serverless.yml or stack.yml (OpenFaaS). All functions of it are deployed.

Of a function that is there already, what no flag says stays as it is in the live version; with
--runtime it is described anew.`,
		Example: `  redoubt function deploy hello --runtime python --handler app.handler ./hello
  redoubt function deploy hello ./hello                    # new code, all else as before
  redoubt function deploy orders --runtime nodejs --handler index.handler --role role.yaml --memory 256 orders.zip
  redoubt function deploy ./shop                           # all functions of shop/template.yaml

  # role.yaml: what it may use; all else is refused
  egress: ["api.example.com:443"]
  buckets: ["photos:read"]`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return fault.New(fault.Invalid, "%s needs a name and a path, or the path of a file that describes functions", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			var done []api.FunctionDetail
			if len(args) == 2 {
				done, err = d.one(cmd, c, args[0], args[1])
			} else {
				done, err = d.all(cmd, c, args[0])
			}
			if err != nil {
				return err
			}
			var v any = done
			if len(args) == 2 {
				v = done[0]
			}
			return show(cmd, *output, v, func(w io.Writer, _ bool) error { return d.report(w, done) })
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	f := cmd.Flags()
	f.StringVar(&d.runtime, "runtime", "", "nodejs, python, java, dotnet, provided or image; Lambda's names such as python3.12 are taken too")
	f.StringVar(&d.handler, "handler", "", "file.function; Package.Class::method for java")
	f.StringVar(&d.role, "role", "", "YAML file of what it may use: egress, aws, exec, write, functions, buckets, queues, secrets")
	f.StringVar(&d.description, "description", "", "what it is for")
	f.IntVar(&d.memory, "memory", 0, "MiB (default 128)")
	f.IntVar(&d.timeout, "timeout", 0, "seconds a call may take (default 3)")
	f.IntVar(&d.tmp, "tmp", 0, "MiB of /tmp (default 64)")
	f.StringArrayVar(&d.env, "env", nil, "NAME=VALUE; repeat for more")
	f.StringArrayVar(&d.layers, "layer", nil, "folder or archive mounted at /opt, or the digest of one uploaded before; repeat for more, the first lowest")
	f.BoolVar(&d.stay, "stay", false, "leave live where it is; the first version is live in any case")
	f.BoolVar(&d.dry, "dry-run", false, "deploy nothing, say what is wrong with it")
	return cmd
}

// one deploys a path under a name.
func (d *deployFlags) one(cmd *cobra.Command, c *api.Client, name, path string) ([]api.FunctionDetail, error) {
	ctx := cmd.Context()
	now, err := c.Function(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	var spec function.Spec
	if err == nil && d.runtime == "" {
		spec = liveSpec(&now.Record)
	}
	if spec.Runtime == "" && d.runtime == "" {
		return nil, fault.New(fault.Invalid, "there is no function %s yet: say what it is written for with --runtime nodejs, python, java, dotnet, provided or image", name)
	}
	if err := d.apply(cmd, &spec); err != nil {
		return nil, err
	}
	if spec.Layers, err = d.uploadLayers(ctx, c, spec.Layers); err != nil {
		return nil, err
	}
	done, err := d.send(ctx, c, name, spec, path, "")
	return []api.FunctionDetail{done}, err
}

func liveSpec(fn *function.Function) function.Spec {
	v, err := fn.Resolve(function.Ref{Name: fn.Name}, 0)
	if err != nil && len(fn.Versions) > 0 { // disabled
		return fn.Versions[0].Spec
	}
	if err != nil {
		return function.Spec{}
	}
	return v.Spec
}

// apply puts what flags say into a spec.
func (d *deployFlags) apply(cmd *cobra.Command, s *function.Spec) error {
	if d.runtime != "" {
		r, language, ok := function.ParseRuntime(d.runtime)
		if !ok {
			return fault.New(fault.Invalid, "--runtime %q: there are nodejs, python, java, dotnet, provided and image", d.runtime)
		}
		s.Runtime, s.Language = r, language
	}
	if d.role != "" {
		role, err := readRole(d.role)
		if err != nil {
			return err
		}
		s.Role = role
	}
	for flag, set := range map[string]func(){
		"handler": func() { s.Handler = d.handler }, "description": func() { s.Description = d.description },
		"memory": func() { s.Memory, s.CPU = d.memory, 0 }, "timeout": func() { s.Timeout = d.timeout }, "tmp": func() { s.Tmp = d.tmp },
		"layer": func() { s.Layers = d.layers },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	if len(d.env) > 0 {
		env := map[string]string{}
		for k, v := range s.Env {
			env[k] = v
		}
		for _, e := range d.env {
			k, v, ok := strings.Cut(e, "=")
			if !ok || k == "" {
				return fault.New(fault.Invalid, "--env %q: write NAME=VALUE", e)
			}
			env[k] = v
		}
		s.Env = env
	}
	return nil
}

func readRole(name string) (r function.Role, err error) {
	raw, err := readFile(name, nil)
	if err != nil {
		return r, err
	}
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return r, fault.New(fault.Invalid, "role %s: %w", name, err)
	}
	return r, nil
}

// uploadLayers turns paths among layers into digests.
func (d *deployFlags) uploadLayers(ctx context.Context, c *api.Client, layers []string) ([]string, error) {
	out := make([]string, len(layers))
	for i, l := range layers {
		out[i] = l
		if strings.HasPrefix(l, "sha256:") {
			continue
		}
		b, err := upload(ctx, c, l)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", l, err)
		}
		out[i] = string(b.Digest)
	}
	return out, nil
}

// send checks a spec at the console before its code travels, then deploys.
// Without a path the digest is code that is there.
func (d *deployFlags) send(ctx context.Context, c *api.Client, name string, spec function.Spec, path string, digest string) (api.FunctionDetail, error) {
	done, err := c.Deploy(ctx, name, api.DeployRequest{Spec: spec}, true)
	if err != nil || d.dry {
		return done, err
	}
	r := api.DeployRequest{Spec: spec, Stay: d.stay}
	if path == "" {
		r.Digest = digestOf(digest)
	} else {
		b, err := upload(ctx, c, path)
		if err != nil {
			return done, err
		}
		r.Digest = b.Digest
	}
	return c.Deploy(ctx, name, r, false)
}

// descriptions are the files that describe functions, the first found counts.
var descriptions = []string{"function.yaml", "function.yml", "template.yaml", "template.yml", "serverless.yml", "serverless.yaml", "stack.yml", "stack.yaml"}

// all deploys what a file describes.
func (d *deployFlags) all(cmd *cobra.Command, c *api.Client, path string) ([]api.FunctionDetail, error) {
	for _, flag := range []string{"runtime", "handler", "role", "memory", "timeout", "tmp", "env", "layer", "description"} {
		if cmd.Flags().Changed(flag) {
			return nil, fault.New(fault.Invalid, "--%s is about one function: give its name before the path", flag)
		}
	}
	file, err := describing(path)
	if err != nil {
		return nil, err
	}
	raw, err := readFile(file, nil)
	if err != nil {
		return nil, err
	}
	reading := function.Read(raw)
	if len(reading.Problems) > 0 {
		return nil, wrong("deployed", file, reading.Problems)
	}
	for _, n := range reading.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d: %s\n", plain(file), n.Line, plain(n.Message))
	}
	var done []api.FunctionDetail
	for i := range reading.Functions {
		f := &reading.Functions[i]
		detail, err := d.described(cmd.Context(), c, file, f)
		if err != nil {
			return done, fmt.Errorf("%s:%d: function %s: %w", file, f.Line, f.Name, err)
		}
		done = append(done, detail)
	}
	return done, nil
}

// described deploys one function of a file.
func (d *deployFlags) described(ctx context.Context, c *api.Client, file string, f *function.Document) (api.FunctionDetail, error) {
	if f.Code != "" {
		return d.send(ctx, c, f.Name, f.Spec, beside(file, f.Code), "")
	}
	now, err := c.Function(ctx, f.Name)
	if fault.Is(err, fault.NotFound) {
		return now, fault.New(fault.Invalid, "the file does not say where its code is")
	}
	if err != nil {
		return now, err
	}
	return d.send(ctx, c, f.Name, f.Spec, "", string(liveCode(&now)))
}

func beside(file, path string) string {
	if filepath.IsAbs(path) || file == "-" {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

func describing(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fault.New(fault.Invalid, "read functions: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range descriptions {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fault.New(fault.Invalid, "read functions: %w", err)
		}
	}
	return "", fault.New(fault.Invalid, "%s holds none of %s; to deploy it as one function give its name: redoubt function deploy NAME --runtime RUNTIME %s",
		path, strings.Join(descriptions, ", "), path)
}

// wrong words problems of a file, each with its line.
func wrong[P fmt.Stringer](done, file string, problems []P) error {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, file+": "+p.String())
	}
	return fault.New(fault.Invalid, "nothing was %s:\n%s", done, strings.Join(lines, "\n"))
}

func (d *deployFlags) report(w io.Writer, done []api.FunctionDetail) error {
	for i := range done {
		f := &done[i]
		if d.dry {
			fmt.Fprintf(w, "function %s could be deployed\n", plain(f.ID))
			continue
		}
		v := f.Record.Versions[0]
		state := "live"
		if f.Version != v.Number {
			state = fmt.Sprintf("not live: version %d is", f.Version)
		}
		fmt.Fprintf(w, "function %s version %d deployed, %s (%s, %d files)\n", plain(f.ID), v.Number, state, v.Spec.Runtime, v.Code.Files)
		for _, h := range f.Hints[v.Number] {
			fmt.Fprintf(w, "  hint: %s\n", plain(h))
		}
	}
	return nil
}

// sameSpec compares what two specs say, defaults filled in.
func sameSpec(a, b function.Spec) bool { return reflect.DeepEqual(a.WithDefaults(), b.WithDefaults()) }
