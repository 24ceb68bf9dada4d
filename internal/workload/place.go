package workload

import (
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Place is what a cgroup's path says about who lives there. At most one of
// Container and Unit is set; neither means the node itself.
type Place struct {
	Container string // full container id
	Engine    string // docker, containerd, cri-o or podman where the path tells
	Pod       string // pod uid
	Unit      string // systemd service, with its suffix: "ssh.service"
	Nested    bool   // the path goes on below the container's or unit's own cgroup
}

// UnitID is the workload id of a systemd service, by its unit name.
func UnitID(unit string) redoubt.WorkloadID {
	return redoubt.WorkloadID("service/" + strings.TrimSuffix(unit, ".service"))
}

// maxPath bounds the paths ParsePlace looks at; a kernel path is shorter.
const maxPath = 4096

// ParsePlace reads a cgroup path as any of the hierarchies shows it. The
// outermost container owns everything below it, so that an engine or an init
// system inside a container does not hide it; a container inside a service
// (docker.service) is a container.
func ParsePlace(path string) Place {
	if len(path) > maxPath {
		return Place{}
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	pod := ""
	for i, part := range parts {
		slice, _, _ := strings.Cut(part, ":")
		if uid := podOf(slice); uid != "" {
			pod = uid
		}
		above := ""
		if i > 0 {
			above = parts[i-1]
		}
		if id, engine := containerOf(part, above); id != "" {
			return Place{Container: id, Engine: engine, Pod: pod, Nested: i < len(parts)-1}
		}
	}
	for i, part := range parts {
		if strings.HasSuffix(part, ".service") && len(part) > len(".service") {
			return Place{Unit: part, Nested: i < len(parts)-1}
		}
	}
	return Place{}
}

// scopes are the prefixes that engines put before a container id in a systemd
// scope or a cgroup's name.
var scopes = []struct{ prefix, engine string }{
	{"docker-", "docker"},
	{"cri-containerd-", "containerd"},
	{"containerd-", "containerd"},
	{"nerdctl-", "containerd"},
	{"crio-", "cri-o"},
	{"libpod-", "podman"},
}

// containerOf reads one component of a path; above is the one before it.
func containerOf(part, above string) (id, engine string) {
	if isID(part) {
		switch {
		case above == "docker":
			return part, "docker"
		case above == "libpod_parent":
			return part, "podman"
		default:
			return part, ""
		}
	}
	name := strings.TrimSuffix(part, ".scope")
	for _, s := range scopes {
		if rest, ok := strings.CutPrefix(name, s.prefix); ok && isID(rest) {
			return rest, s.engine
		}
	}
	// containerd under systemd: "SLICE:cri-containerd:ID".
	if head, last, ok := cutLast(name, ":"); ok && isID(last) {
		_, runtime, _ := cutLast(head, ":")
		for _, s := range scopes {
			if runtime+"-" == s.prefix {
				return last, s.engine
			}
		}
		return last, ""
	}
	return "", ""
}

// podOf reads "podUID" and "kubepods-burstable-podUID.slice", where systemd
// has turned the dashes of the uid into underscores.
func podOf(part string) string {
	name := strings.TrimSuffix(part, ".slice")
	i := strings.LastIndex(name, "pod")
	if i < 0 || i > 0 && name[i-1] != '-' {
		return ""
	}
	uid := strings.ReplaceAll(name[i+3:], "_", "-")
	if len(uid) != 36 && !isHex(uid, 32) {
		return ""
	}
	for i, c := range uid {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if len(uid) == 36 && dash != (c == '-') || !dash && !isHexDigit(c) {
			return ""
		}
	}
	return uid
}

func isID(s string) bool { return isHex(s, 64) }

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range s {
		if !isHexDigit(c) {
			return false
		}
	}
	return true
}

func isHexDigit(c rune) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}
