package host

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// ask sends a line to the probe that serves at addr and returns what comes
// back until it hangs up.
func ask(t *testing.T, addr, line string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatalf("the server is gone: %v", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintln(c, line)
	out, err := io.ReadAll(io.LimitReader(c, 1<<20))
	if err != nil {
		return string(out) + "\n(" + err.Error() + ")"
	}
	return string(out)
}

func waitAsked(t *testing.T, addr, line, want string) {
	t.Helper()
	var out string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			if out = ask(t, addr, line); strings.Contains(out, want) {
				return
			}
		}
	}
	t.Fatalf("%s at %s answers %q, want %q", line, addr, out, want)
}

// attack is a way to run what is denied; what it runs prints SHOUT or Proto.
type attack struct{ name, line string }

func (a attack) ran(out string) bool {
	return strings.Contains(out, "SHOUT") || strings.Contains(out, "Proto")
}

var attacks = []attack{
	{"by its name", "!run /usr/bin/shout"},
	{"a copy from before", "!run /tmp/before"},
	{"a copy from before, in memory", "!memory /tmp/before"},
	{"a copy from before, on a file system mounted just now", "!mount /tmp/before /media /media/shout"},
	{"a copy from before, on one mounted where nobody else looks", "!hidden /tmp/before /home /home/shout"},
	{"a copy from before, in shared memory", "!copy /tmp/before /dev/shm/before"},
	{"a copy from before, over an allowed program", "!copy /tmp/before /usr/bin/vdir"},
	{"a copy from before, through the loader", "/lib64/ld-linux-x86-64.so.2 /tmp/before-netstat -tln"},
	{"as an anonymous file in memory", "!memory /usr/bin/shout"},
	{"through a descriptor", "!fd /usr/bin/shout"},
	{"through a path descriptor", "!path /usr/bin/shout"},
	{"through proc", "!run /proc/self/root/usr/bin/shout"},
	{"copied", "!copy /usr/bin/shout /tmp/copied"},
	{"copied to shared memory", "!copy /usr/bin/shout /dev/shm/copied"},
	{"copied over an allowed program", "!copy /usr/bin/shout /usr/bin/dir"},
	{"hard-linked", "!link /usr/bin/shout /usr/bin/linked"},
	{"bind-mounted over an allowed program", "!bind /usr/bin/shout /usr/bin/who"},
	{"on a file system mounted just now", "!mount /usr/bin/shout /mnt /mnt/shout"},
	{"on one mounted where nobody else looks", "!hidden /usr/bin/shout /srv /srv/shout"},
	{"in a shell", "/usr/bin/shout"},
	{"by a script", "echo /usr/bin/shout >/tmp/s.sh; sh /tmp/s.sh"},
	{"by a script with a shebang", "printf '#!/bin/sh\\n/usr/bin/shout\\n' >/tmp/t.sh; chmod +x /tmp/t.sh; /tmp/t.sh"},
	{"as its own interpreter", "printf '#!/usr/bin/shout\\n' >/tmp/u.sh; chmod +x /tmp/u.sh; /tmp/u.sh"},
	{"through the loader", "/lib64/ld-linux-x86-64.so.2 /bin/netstat -tln"},
	{"through a copy of the loader", "cp /lib64/ld-linux-x86-64.so.2 /tmp/ld; /tmp/ld /bin/netstat -tln"},
	{"copied, through the loader", "cat /bin/netstat >/tmp/n; /lib64/ld-linux-x86-64.so.2 /tmp/n -tln"},
	{"after a rename", "cp /usr/bin/shout /tmp/a; mv /tmp/a /tmp/b; /tmp/b"},
	{"in a namespace of its own", "unshare -m sh -c 'mount -t tmpfs none /opt && cp /usr/bin/shout /opt/x && /opt/x'"},
}

// power is what lets a container mount.
var power = []string{"--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined"}

// bypassable starts a container whose server runs what it is told to.
func bypassable(t *testing.T, name string) (addr string) {
	t.Helper()
	base := needDocker(t)
	image := derived(t, base, name+":1", map[string]string{
		"/probe": probeFile(t), "/usr/bin/shout": compile(t, "shout", "shout.c"),
	}, `ENTRYPOINT ["/probe"]`, `CMD ["serve","9000"]`)
	container(t, name, append(power, image)...)
	addr = addressOf(t, name) + ":9000"
	waitAsked(t, addr, "list", "/etc")
	return addr
}

func TestR12_NoWayAroundADeniedProgram(t *testing.T) {
	addr := bypassable(t, "rdt-bypass")
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-bypass" })
	for _, line := range []string{"!memory /usr/bin/shout", "!copy /usr/bin/shout /tmp/before", "!copy /bin/netstat /tmp/before-netstat -tln", "!hidden /usr/bin/shout /srv /srv/shout"} {
		if out := ask(t, addr, line); !(attack{}).ran(out) {
			t.Fatalf("the attack does not work in the first place: %s: %s", line, out)
		}
	}
	b.apply(`apiVersion: redoubt/v1
kind: Policy
metadata: {name: no-shout}
spec:
  scope: {workloads: [docker/rdt-bypass]}
  rules:
    - name: deny
      exec: {paths: [/usr/bin/shout, /bin/netstat, /usr/bin/netstat]}
      effect: prevent
`)
	assail(t, addr)
	for _, honest := range []string{"list", "ls -d /etc", "!run /bin/ls -d /etc", "!memory /bin/ls -d /etc", "!copy /bin/ls /tmp/my-ls -d /etc"} {
		if out := ask(t, addr, honest); !strings.Contains(out, "/etc") {
			t.Errorf("the honest %q fails: %q", honest, out)
		}
	}
	if t.Failed() {
		return
	}
	t.Log("a replica started later")
	container(t, "rdt-bypass-2", append(power, "rdt-bypass:1")...)
	addr = addressOf(t, "rdt-bypass-2") + ":9000"
	waitAsked(t, addr, "list", "/etc")
	assail(t, addr)
}

// assail tries every attack a few times.
func assail(t *testing.T, addr string) {
	t.Helper()
	for _, a := range attacks {
		for range 3 {
			if out := ask(t, addr, a.line); a.ran(out) {
				t.Errorf("%s: it ran: %s", a.name, last(out, 3))
				break
			}
		}
	}
}
