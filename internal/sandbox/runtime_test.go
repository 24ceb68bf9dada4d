package sandbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

const pythonTwin = `
import threading, socket, os, subprocess, tempfile, json, ssl, multiprocessing
t = threading.Thread(target=lambda: None); t.start(); t.join()
assert socket.if_nameindex() == [(1, "lo")], socket.if_nameindex()
with tempfile.NamedTemporaryFile() as f: f.write(b"x")
ssl.create_default_context()
lock = multiprocessing.Lock()
pid = os.fork()
if pid == 0: os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert subprocess.run(["/usr/bin/id", "-u"], capture_output=True, text=True).stdout == "993\n"
assert subprocess.run(["id", "-u"], capture_output=True, text=True).stdout == "993\n"
try:
    subprocess.run("id", shell=True)
    print("a shell started")
except PermissionError:
    print("fine")
`

const nodeTwin = `
const os = require('os'), fs = require('fs'), cp = require('child_process'), { Worker } = require('worker_threads');
if (Object.keys(os.networkInterfaces()).join() !== 'lo') throw new Error('interfaces');
fs.writeFileSync('/tmp/x', 'x'); os.cpus(); os.totalmem(); require('crypto').randomBytes(8);
if (cp.execFileSync('/usr/bin/id', ['-u']).toString() !== '993\n') throw new Error('id');
let shell = 'a shell started';
try { cp.execSync('id', { stdio: 'ignore' }) } catch (e) { shell = e.code === 'EPERM' ? 'fine' : String(e) }
new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true }).on('message', () => console.log(shell));
`

const javaTwin = `
import java.net.*; import java.nio.file.*; import java.util.*;
class Twin { public static void main(String[] a) throws Exception {
  Thread t = new Thread(() -> {}); t.start(); t.join();
  for (NetworkInterface n : Collections.list(NetworkInterface.getNetworkInterfaces())) if (!n.getName().equals("lo")) throw new Exception(n.getName());
  Files.writeString(Path.of("/tmp/x"), "x");
  Process p = new ProcessBuilder("/usr/bin/id", "-u").start();
  String id = new String(p.getInputStream().readAllBytes());
  if (!id.equals("993\n")) throw new Exception("id: " + id);
  try { new ProcessBuilder("/bin/sh", "-c", "id").start().waitFor(); System.out.println("a shell started"); }
  catch (java.io.IOException e) { System.out.println("fine"); }
} }
`

func TestS8_RuntimesWorkInside(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := sandbox.Spec{ID: "twin", Env: []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}, Memory: 512 << 20, CPU: 2, Exec: []string{"/usr/bin/id"}}
	java := layer(t, nil)
	if javac, err := exec.LookPath("javac"); err == nil {
		source := filepath.Join(java.Source, "Twin.java")
		if err := os.WriteFile(source, []byte(javaTwin), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(javac, "-d", java.Source, source).CombinedOutput(); err != nil {
			t.Fatalf("compile: %v\n%s", err, out)
		}
	}
	for _, r := range []struct {
		name, needs string
		argv        []string
		exec        []string
	}{
		{"python3", "", []string{"/usr/bin/python3", "-c", pythonTwin}, nil},
		{"node", "", []string{"/usr/bin/node", "-e", nodeTwin}, nil},
		{"java", filepath.Join(java.Source, "Twin.class"), []string{"/usr/bin/java", "-XX:+UseSerialGC", "-Xmx128m", "-cp", "/opt/layer", "Twin"}, jspawn()},
	} {
		t.Run(r.name, func(t *testing.T) {
			for _, needs := range []string{r.argv[0], r.needs} {
				if _, err := os.Stat(needs); needs != "" && err != nil {
					t.Skipf("needs %s", needs)
				}
			}
			spec := spec
			spec.Argv, spec.Mounts = r.argv, []sandbox.Mount{java}
			spec.Exec = append(spec.Exec, r.exec...)
			out, exit := run(t, h, spec)
			if strings.TrimSpace(out) != "fine" || exit.Code != 0 {
				t.Errorf("%+v %s", exit, out)
			}
		})
	}
}

// jspawn is the helper by which Java starts programs: whoever grants Java a
// program grants it too.
func jspawn() []string {
	java, err := filepath.EvalSymlinks("/usr/bin/java")
	if err != nil {
		return nil
	}
	return []string{filepath.Join(filepath.Dir(java), "../lib/jspawnhelper")}
}
