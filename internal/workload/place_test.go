package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	idA = strings.Repeat("0123456789abcdef", 4)
	idB = strings.Repeat("f", 64)
)

const (
	podUID    = "2c48913c-b29f-11e7-9350-020968147796"
	staticUID = "d2b4b1c0a6f94b6f9f9c3e2a11aa22bb"
)

func TestParsePlace(t *testing.T) {
	under := strings.ReplaceAll(podUID, "-", "_")
	for path, want := range map[string]Place{
		"":                                  {},
		"/":                                 {},
		"/user.slice/user-0.slice":          {},
		"/docker/" + idA:                    {Container: idA, Engine: "docker"},
		"docker/" + idA:                     {Container: idA, Engine: "docker"},
		"/docker/" + idA + "/init.scope":    {Container: idA, Engine: "docker", Nested: true},
		"/docker/" + idA + "/docker/" + idB: {Container: idA, Engine: "docker", Nested: true},
		"/docker/" + idA + "/system.slice/nginx.service":                  {Container: idA, Engine: "docker", Nested: true},
		"/system.slice/docker-" + idA + ".scope":                          {Container: idA, Engine: "docker"},
		"/tenant.slice/" + idA:                                            {Container: idA},
		"/system.slice/docker.service/docker/" + idA:                      {Container: idA, Engine: "docker"},
		"/system.slice/docker.service":                                    {Unit: "docker.service"},
		"/system.slice/ssh.service":                                       {Unit: "ssh.service"},
		"/system.slice/system-getty.slice/getty@tty1.service":             {Unit: "getty@tty1.service"},
		"/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope": {Unit: "user@1000.service", Nested: true},
		"/system.slice/.service":                                          {},
		"/docker/" + idA[:63]:                                             {},
		"/docker/" + idA + "0":                                            {},
		"/docker/" + strings.ToUpper(idA):                                 {},
		"/kubepods/besteffort/pod" + podUID + "/" + idA:                   {Container: idA, Pod: podUID},
		"/kubepods/pod" + staticUID + "/" + idA:                           {Container: idA, Pod: staticUID},
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + idA + ".scope": {Container: idA, Engine: "containerd", Pod: podUID},
		"/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + idA + ".scope":                                              {Container: idA, Engine: "cri-o", Pod: podUID},
		"/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + idA:                    {Container: idA, Engine: "containerd", Pod: podUID},
		"/system.slice/nerdctl-" + idA + ".scope":                                                                             {Container: idA, Engine: "containerd"},
		"/machine.slice/libpod-" + idA + ".scope/container":                                                                   {Container: idA, Engine: "podman", Nested: true},
		"/" + strings.Repeat("a/", maxPath) + "docker/" + idA:                                                                 {},
	} {
		if diff := cmp.Diff(want, ParsePlace(path)); diff != "" {
			t.Errorf("%.120q: %s", path, diff)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{
		"/docker/" + idA, "/system.slice/docker-" + idA + ".scope", "/a.slice:cri-containerd:" + idA,
		"/kubepods/pod" + podUID + "/" + idA, "/system.slice/x.service/\x00", "//::/..service",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := ParsePlace(path)
		if p.Container != "" && (!isID(p.Container) || !strings.Contains(path, p.Container) || p.Unit != "") {
			t.Errorf("%q gave %+v", path, p)
		}
		if p.Unit != "" && (strings.Contains(p.Unit, "/") || !strings.HasSuffix(p.Unit, ".service")) {
			t.Errorf("%q gave %+v", path, p)
		}
		if p != ParsePlace("/"+path) && len(path) < maxPath {
			t.Errorf("a leading slash changes %q", path)
		}
	})
}

func FuzzProcessPath(f *testing.F) {
	f.Add("12:cpu:/docker/x\n1:name=systemd:/a\n0::/b\n", true)
	f.Fuzz(func(t *testing.T, text string, v2 bool) {
		if p := processPath(text, v2); strings.Contains(p, "\n") || !strings.Contains(text, p) {
			t.Errorf("%q gave %q", text, p)
		}
	})
}

func TestProcessPathPicksTheRightHierarchy(t *testing.T) {
	const text = "12:cpu,cpuacct:/first\n1:name=systemd:/named\n0::/unified:with colon\n"
	if p := processPath(text, true); p != "/unified:with colon" {
		t.Error(p)
	}
	if p := processPath(text, false); p != "/named" {
		t.Error(p)
	}
	if p := processPath("3:cpu:/only\n", false); p != "/only" {
		t.Error(p)
	}
}
