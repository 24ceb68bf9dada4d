package docker

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

// Bounds on what an image or a person may make us keep of one container.
const (
	maxLabels = 256
	maxWords  = 256  // of a command
	maxText   = 4096 // bytes of one word or label
	maxID     = 256  // bytes of a workload id
	maxPorts  = 256
	maxLayers = 512
)

// describe turns an inspection into a workload.
func (w *watcher) describe(ctx context.Context, c *container.InspectResponse) redoubt.Workload {
	x := redoubt.Workload{
		WorkloadRef: redoubt.WorkloadRef{
			Kind:      redoubt.KindContainer,
			Name:      clip(strings.TrimPrefix(c.Name, "/"), maxText),
			Container: c.ID,
			Digest:    redoubt.Digest(clip(c.Image, maxText)),
		},
		Node: w.source.cfg.Node,
	}
	facts := w.source.images.get(ctx, w.api, c.Image)
	if cfg := c.Config; cfg != nil {
		x.Image = clip(cfg.Image, maxText)
		x.Labels = labels(cfg.Labels)
		x.Entrypoint = words(cfg.Entrypoint)
		x.Command = words(cfg.Cmd)
		x.Cwd, x.SearchPath = clip(cfg.WorkingDir, maxText), searchPath(cfg.Env)
		x.Exposes = exposes(cfg.ExposedPorts)
		if cfg.Healthcheck != nil {
			x.Health = words(health(cfg.Healthcheck.Test, cfg.Shell))
		}
	}
	x.ID = workloadID(x.Image, x.Labels, facts, slices.Concat(x.Entrypoint, x.Command))
	if g := c.GraphDriver; g != nil {
		x.Upper, x.Merged = g.Data["UpperDir"], g.Data["MergedDir"]
		if lower := g.Data["LowerDir"]; lower != "" {
			x.Layers = strings.SplitN(lower, ":", maxLayers)
		}
	}
	parent := ""
	if c.HostConfig != nil {
		parent = c.HostConfig.CgroupParent
	}
	x.Cgroup = cgroupPath(c.ID, parent, w.systemd)
	w.addState(&x, c)
	return x
}

// searchPath is the PATH of an environment; the last one counts.
func searchPath(env []string) (path string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = clip(v, maxText)
		}
	}
	return path
}

// addState fills in what holds only while the container runs.
func (w *watcher) addState(x *redoubt.Workload, c *container.InspectResponse) {
	if c.State == nil || !c.State.Running {
		return
	}
	x.Running, x.PID = true, c.State.Pid
	x.Started, _ = time.Parse(time.RFC3339Nano, c.State.StartedAt)
	if own, err := w.source.cfg.Cgroups.OfProcess(x.PID); err == nil && strings.Contains(own, x.Container) {
		head, _, _ := strings.Cut(own, x.Container)
		_, rest, _ := strings.Cut(own[len(head):], "/")
		x.Cgroup = strings.TrimSuffix(strings.TrimSuffix(own, rest), "/")
	}
	x.CgroupID = w.source.cfg.Cgroups.ID(x.Cgroup)
	if len(x.Layers) == 0 { // the engine keeps images in containerd
		if u, err := workload.UnionOf(x.PID); err == nil {
			x.Layers, x.Upper = u.Layers, u.Upper
		}
	}
	if c.NetworkSettings != nil {
		x.Addresses = addresses(c.NetworkSettings.Networks)
	}
}

// fromEvent makes the best of an event's attributes when the container is gone
// before anyone could look: name, image and labels are there, the command is
// not, so an overridden command does not show in the id.
func (w *watcher) fromEvent(ctx context.Context, j job) redoubt.Workload {
	image := clip(j.attrs["image"], maxText)
	facts := w.source.images.get(ctx, w.api, image)
	own := map[string]string{}
	for k, v := range j.attrs {
		if k != "image" && k != "name" && k != "exitCode" && k != "signal" {
			own[k] = v
		}
	}
	x := redoubt.Workload{
		WorkloadRef: redoubt.WorkloadRef{
			Kind:      redoubt.KindContainer,
			Name:      clip(j.attrs["name"], maxText),
			Container: j.id,
			Image:     image,
			Digest:    redoubt.Digest(facts.id),
		},
		Node:   w.source.cfg.Node,
		Labels: labels(own),
		Cgroup: cgroupPath(j.id, "", w.systemd),
	}
	x.ID = workloadID(image, x.Labels, facts, facts.argv)
	return x
}

// workloadID names what a profile is keyed to: compose project and service,
// else the image's repository, with the program where the command is not the
// image's own.
func workloadID(image string, labels map[string]string, facts imageFacts, argv []string) redoubt.WorkloadID {
	project, service := labels["com.docker.compose.project"], labels["com.docker.compose.service"]
	if project != "" && service != "" {
		return redoubt.WorkloadID(clip("docker/"+plain(project)+"/"+plain(service), maxID))
	}
	id := clip("docker/"+plain(repository(image, facts)), maxID)
	if facts.id != "" && len(argv) > 0 && !slices.Equal(argv, facts.argv) {
		id = clip(id+"#"+plain(path.Base(argv[0])), maxID)
	}
	return redoubt.WorkloadID(id)
}

// repository is the image's name without registry default, tag or digest. A
// container started by image id takes the image's first tag.
func repository(image string, facts imageFacts) string {
	_, hex, _ := strings.Cut(facts.id, ":")
	named, err := reference.ParseNormalizedNamed(image)
	byID := err != nil || strings.HasPrefix(image, "sha256:") || len(image) >= 4 && strings.HasPrefix(hex, image)
	if byID {
		if len(facts.tags) == 0 {
			return redoubt.Digest(cmp.Or(facts.id, image)).Short()
		}
		if named, err = reference.ParseNormalizedNamed(facts.tags[0]); err != nil {
			return facts.tags[0]
		}
	}
	return reference.FamiliarName(named)
}

// cgroupPath is where the engine will put the container's cgroup.
func cgroupPath(id, parent string, systemd bool) string {
	if !systemd {
		return path.Join("/", cmp.Or(parent, "docker"), id)
	}
	return path.Join("/", slicePath(cmp.Or(parent, "system.slice")), "docker-"+id+".scope")
}

// slicePath spells out a slice's parents as systemd nests them: "a-b.slice"
// lies in "a.slice".
func slicePath(slice string) string {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "-" {
		return strings.TrimPrefix(slice, "-.slice")
	}
	out := ""
	for i := range len(name) {
		if name[i] == '-' {
			out = path.Join(out, name[:i]+".slice")
		}
	}
	return path.Join(out, slice)
}

// health is the argv the engine runs inside the container to check it.
func health(test, shell []string) []string {
	switch {
	case len(test) < 2:
		return nil
	case test[0] == "CMD":
		return test[1:]
	case test[0] == "CMD-SHELL":
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(slices.Clone(shell), test[1])
	}
	return nil
}

func exposes(set network.PortSet) []redoubt.Port {
	var out []redoubt.Port
	for p := range set {
		if proto := redoubt.Proto(p.Proto()); (proto == redoubt.TCP || proto == redoubt.UDP) && len(out) < maxPorts {
			out = append(out, redoubt.Port{Proto: proto, Port: p.Num()})
		}
	}
	slices.SortFunc(out, func(a, b redoubt.Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Proto, b.Proto))
	})
	return out
}

func addresses(nets map[string]*network.EndpointSettings) []string {
	var out []string
	for _, n := range nets {
		if n == nil {
			continue
		}
		if n.IPAddress.IsValid() {
			out = append(out, n.IPAddress.String())
		}
		if n.GlobalIPv6Address.IsValid() {
			out = append(out, n.GlobalIPv6Address.String())
		}
	}
	slices.Sort(out)
	return out
}

func labels(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(in), maxLabels))
	for k, v := range in {
		if len(out) < maxLabels {
			out[clip(k, maxText)] = clip(v, maxText)
		}
	}
	return out
}

func words(in []string) []string {
	var out []string
	for _, s := range in[:min(len(in), maxWords)] {
		out = append(out, clip(s, maxText))
	}
	return out
}

// clip shortens s to n bytes without leaving half a character.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// plain keeps what an id may hold: no spaces, no control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
