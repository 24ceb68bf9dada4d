package docker

import (
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestWorkloadIDIsTheSameForEveryReplicaAndVersion(t *testing.T) {
	const id = "sha256:3ab4f9d1c2000000000000000000000000000000000000000000000000000000"
	shell := imageFacts{id: id, argv: []string{"bash"}, tags: []string{"debian:12"}}
	bare := imageFacts{id: id, argv: []string{"bash"}}
	compose := map[string]string{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
	for _, c := range []struct {
		image  string
		labels map[string]string
		facts  imageFacts
		argv   []string
		want   redoubt.WorkloadID
	}{
		{"debian:12", nil, shell, []string{"bash"}, "docker/debian"},
		{"docker.io/library/debian:11", nil, shell, []string{"bash"}, "docker/debian"},
		{"debian@" + id, nil, shell, []string{"bash"}, "docker/debian"},
		{"quay.io:443/team/app:1", nil, shell, []string{"bash"}, "docker/quay.io:443/team/app"},
		{"debian", nil, shell, []string{"/usr/bin/sleep", "9"}, "docker/debian#sleep"},
		{"debian", nil, imageFacts{}, []string{"sleep"}, "docker/debian"},
		{"debian", compose, shell, []string{"sleep"}, "docker/shop/web"},
		{"debian", map[string]string{"com.docker.compose.project": "shop"}, shell, []string{"bash"}, "docker/debian"},
		{id, nil, shell, []string{"bash"}, "docker/debian"},
		{"3ab4f9d1c2", nil, shell, []string{"bash"}, "docker/debian"},
		{"3ab4f9d1c2", nil, bare, []string{"bash"}, "docker/3ab4f9d1c200"},
		{"debian", nil, shell, []string{"evil\n\x1b[2J name"}, "docker/debian#evil__[2J_name"},
	} {
		if got := workloadID(c.image, c.labels, c.facts, c.argv); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.image, c.argv, got, c.want)
		}
	}
	long := workloadID("debian", nil, shell, []string{strings.Repeat("x", 1<<20)})
	if len(long) > maxID {
		t.Errorf("%d bytes", len(long))
	}
}

func TestCgroupIsNamedBeforeItExists(t *testing.T) {
	id := strings.Repeat("a", 64)
	for _, c := range []struct {
		parent  string
		systemd bool
		want    string
	}{
		{"", false, "/docker/" + id},
		{"/tenant", false, "/tenant/" + id},
		{"", true, "/system.slice/docker-" + id + ".scope"},
		{"team-red.slice", true, "/team.slice/team-red.slice/docker-" + id + ".scope"},
	} {
		if got := cgroupPath(id, c.parent, c.systemd); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestHealthCommandIsWhatTheEngineRuns(t *testing.T) {
	for _, c := range []struct{ test, shell, want []string }{
		{nil, nil, nil},
		{[]string{"NONE"}, nil, nil},
		{[]string{"CMD", "curl", "-f", "x"}, nil, []string{"curl", "-f", "x"}},
		{[]string{"CMD-SHELL", "true || exit 1"}, nil, []string{"/bin/sh", "-c", "true || exit 1"}},
		{[]string{"CMD-SHELL", "true"}, []string{"/bin/bash", "-ec"}, []string{"/bin/bash", "-ec", "true"}},
	} {
		if got := health(c.test, c.shell); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.test, got, c.want)
		}
	}
}

func FuzzWorkloadID(f *testing.F) {
	f.Add("debian:12", "sh", "shop", "web")
	f.Add("sha256:", "", "", "")
	f.Fuzz(func(t *testing.T, image, argv, project, service string) {
		labels := map[string]string{"com.docker.compose.project": project, "com.docker.compose.service": service}
		id := string(workloadID(image, labels, imageFacts{id: "sha256:0"}, []string{argv}))
		if !strings.HasPrefix(id, "docker/") || len(id) > maxID || strings.ContainsAny(id, " \n\x00\x1b") {
			t.Errorf("%q", id)
		}
	})
}
