package kernel

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// packages are those whose tests run inside the machine.
var packages = map[string]string{
	"sensor": "../../internal/sensor",
	"permit": "../../internal/permit",
	"inside": "inside",
}

// plans say, line by line, which suite runs and which of its tests.
var plans = map[string]string{
	"all": "sensor .\npermit .\ninside .\n",
	// What differs where the kernel asks no BPF program.
	"fallback": "sensor ^Test(R12|R13|Hold|ThisKernel)\ninside .\n",
}

// maySkip are the tests that this machine has nothing for, and why. Any other
// skip is a failure.
var maySkip = map[string]string{
	"sensor/TestD1_EveryShortContainerIsKnownBeforeItsFirstExec": "no engine",
	"sensor/TestR2_ReplicasShareTheRealFile":                     "no engine",
	"sensor/TestR8_WrittenFilesAreTold":                          "no engine",
	"sensor/TestOnlyLaterProgramsOfAContainerEntered":            "no engine",
	"sensor/TestR40_IsolatedContainerLivesOn":                    "no engine",
	"sensor/TestReferenceListsEveryHook":                         "compares source files",
	"sensor/TestShapesAgree":                                     "compares source files",
	"permit/TestWatchBeforeStartSeesTheFirstExec":                "no engine",
}

func TestX10_DebianCloudKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine; run without -short")
	}
	for _, tool := range []string{"qemu-system-x86_64", "apt-get", "apt-cache", "dpkg-deb", "cpio", "ldd", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: install qemu-system-x86 and cpio on a Debian machine", tool)
		}
	}
	if _, err := os.Stat("/bin/busybox"); err != nil {
		t.Skip("/bin/busybox is missing: install busybox-static")
	}
	kernel := debianKernel(t)
	archive := initramfs(t, kernel)
	t.Run("as it comes", func(t *testing.T) {
		judge(t, boot(t, kernel, archive, "all", ""), plans["all"], true)
	})
	t.Run("without BPF LSM", func(t *testing.T) {
		judge(t, boot(t, kernel, archive, "fallback", "lsm=landlock,yama,apparmor"), plans["fallback"], false)
	})
}

var (
	result  = regexp.MustCompile(`^(\s*)--- (PASS|FAIL|SKIP): (\S+)(.*)`)
	started = regexp.MustCompile(`^=== RUN\s+[^/]*$`)
)

// judge reads what the machine printed: every suite of the plan must have
// ended well, and nothing may be skipped but what maySkip lists.
func judge(t *testing.T, out []byte, plan string, lsm bool) {
	suite, ended := "", map[string]string{}
	counts := map[string]int{}
	var block []string // what the test that runs has printed
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		line := strings.TrimRight(sc.Text(), "\r")
		block = append(block, line)
		if _, what, ok := strings.Cut(line, "MATRIX "); ok {
			f := strings.Fields(what)
			switch f[0] {
			case "kernel":
				t.Log(what)
				if got := strings.Contains(what, "bpf"); got != lsm {
					t.Errorf("BPF LSM is there: %v, want %v", got, lsm)
				}
			case "begin":
				suite, block = f[1], nil
			case "end":
				ended[f[1]] = f[2]
				if f[2] != "0" {
					t.Errorf("suite %s ended with %s\n%s", suite, f[2], tail(strings.Join(block, "\n"), 40))
				}
			}
			continue
		}
		if started.MatchString(line) {
			block = nil
			continue
		}
		m := result.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		counts[m[2]]++
		name := suite + "/" + m[3]
		switch {
		case m[2] == "FAIL" && m[1] == "":
			t.Errorf("%s failed\n%s", name, strings.Join(block, "\n"))
		case m[2] == "SKIP" && maySkip[name] == "":
			t.Errorf("%s was skipped\n%s", name, strings.Join(block, "\n"))
		case m[1] == "":
			t.Logf("%s %s%s %s", m[2], name, m[4], maySkip[name])
		}
		if m[2] == "PASS" && figures.MatchString(name) {
			t.Log(strings.Join(block, "\n"))
		}
	}
	for line := range strings.Lines(plan) {
		if suite := strings.Fields(line)[0]; ended[suite] == "" {
			t.Errorf("suite %s did not end\n%s", suite, tail(string(out), 60))
		}
	}
	if counts["PASS"] == 0 {
		t.Errorf("no test passed in the machine\n%s", tail(string(out), 60))
	}
	t.Logf("in the machine: %d passed, %d failed, %d skipped", counts["PASS"], counts["FAIL"], counts["SKIP"])
}

// figures are tests whose own output is worth a look also when they pass.
var figures = regexp.MustCompile(`^(inside/.*|sensor/TestD1_EveryBrief.*|sensor/TestR1_ExecIsSeenWhole)$`)
