package defender

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

func sighting(pid, parent int, started uint64, path string) *sensor.Sighting {
	return &sensor.Sighting{Kind: redoubt.EventExec, PID: pid, Parent: parent, Started: started, Path: path, Time: time.Unix(0, int64(started))}
}

func chain(p *redoubt.Process) (paths []string) {
	for ; p != nil; p = p.Parent {
		paths = append(paths, p.Path)
	}
	return paths
}

func TestR19_ChainOfParents(t *testing.T) {
	table := newProcesses()
	table.proc = t.TempDir() // nobody but who exec'd
	table.exec(sighting(10, 1, 1, "/sbin/init"), "c")
	table.exec(sighting(20, 10, 2, "/usr/sbin/nginx"), "c")
	p := table.exec(sighting(30, 20, 3, "/bin/sh"), "c")
	if got, want := chain(p), []string{"/bin/sh", "/usr/sbin/nginx", "/sbin/init"}; !slices.Equal(got, want) {
		t.Errorf("chain is %q, want %q", got, want)
	}
	// The same process as another program keeps its parent.
	if got := chain(table.exec(sighting(30, 20, 3, "/bin/nc"), "c")); !slices.Equal(got, []string{"/bin/nc", "/usr/sbin/nginx", "/sbin/init"}) {
		t.Errorf("after exec without fork: %q", got)
	}
}

func TestR19_ParentThatWasOnlyCountedIsNotTakenForWhatItWas(t *testing.T) {
	table := newProcesses()
	table.proc = t.TempDir()
	key := func(ino uint64) redoubt.FileKey { return redoubt.FileKey{Dev: 1, Ino: ino, Ctime: 1} }
	ran := func(pid, parent int, path string, ino uint64, above ...sensor.Ancestor) *redoubt.Process {
		s := sighting(pid, parent, uint64(pid), path)
		s.Key.File, s.Ancestors = key(ino), above
		return table.exec(s, "c")
	}
	ran(5, 1, "/usr/sbin/nginx", 50) // seen once, so its path is known
	ran(10, 1, "/bin/sh", 51)        // and then became nginx, which was only counted
	p := ran(20, 10, "/bin/id", 52, sensor.Ancestor{PID: 10, File: key(50), Name: "nginx"})
	if p.Parent == nil || p.Parent.Path != "/usr/sbin/nginx" {
		t.Errorf("parent is %+v, want nginx", p.Parent)
	}
	honest := ran(30, 5, "/bin/id", 52, sensor.Ancestor{PID: 5, File: key(50), Name: "nginx"})
	if honest.Parent == nil || honest.Parent.Path != "/usr/sbin/nginx" || honest.Parent.PID != 5 {
		t.Errorf("parent is %+v", honest.Parent)
	}
	script := sighting(12, 5, 12, "/entrypoint.sh")
	script.Key.File, script.Interpreter, script.Runs = key(60), "/bin/sh", key(51)
	table.exec(script, "c")
	if p := ran(41, 12, "/bin/id", 52, sensor.Ancestor{PID: 12, File: key(51), Name: "sh"}); p.Parent == nil || p.Parent.Path != "/entrypoint.sh" {
		t.Errorf("parent is %+v, want the script", p.Parent)
	}
	if p := ran(42, 12, "/bin/id", 52, sensor.Ancestor{PID: 12}); p.Parent == nil || p.Parent.Path != "/entrypoint.sh" {
		t.Errorf("an ending parent is %+v, want what was remembered", p.Parent)
	}
	if p := ran(43, 38, "/bin/id", 52, sensor.Ancestor{PID: 38, Name: "ending"}); p.Parent == nil || p.Parent.Path != "ending" {
		t.Errorf("an ending parent nobody saw is %+v, want its bare name", p.Parent)
	}
	if p := ran(40, 39, "/bin/id", 52, sensor.Ancestor{PID: 39, File: key(99), Name: "gone"}); p.Parent == nil || p.Parent.Path != "gone" {
		t.Errorf("a parent nobody saw is %+v, want its bare name", p.Parent)
	}
}

func TestR19_ParentIsWhoForkedAsItWasThen(t *testing.T) {
	table := newProcesses()
	table.proc = t.TempDir()
	key := func(ino uint64) redoubt.FileKey { return redoubt.FileKey{Dev: 1, Ino: ino, Ctime: 1} }
	script := func(pid int, path string) *sensor.Sighting {
		s := sighting(pid, 1, uint64(pid), path)
		s.Key.File, s.Interpreter, s.Runs = key(60), "/bin/sh", key(51)
		return s
	}
	child := func(pid, parent int, started uint64) *redoubt.Process {
		s := sighting(pid, parent, uint64(pid), "/bin/probe")
		s.Ancestors = []sensor.Ancestor{{PID: parent, Started: started, File: key(51), Name: "sh"}}
		return table.exec(s, "c").Parent
	}
	table.exec(script(10, "/entrypoint.sh"), "c")
	server := sighting(10, 1, 10, "/usr/sbin/nginx")
	server.Key.File = key(50)
	table.exec(server, "c")
	if p := child(20, 10, 10); p == nil || p.Path != "/entrypoint.sh" {
		t.Errorf("forked before its parent became nginx, the parent is %+v", p)
	}
	hook := script(11, "/hook.sh")
	table.exec(hook, "c")
	if table.exit(hook, "c") == nil {
		t.Error("the end of the hook is not told")
	}
	if p := child(21, 11, 11); p == nil || p.Path != "/hook.sh" {
		t.Errorf("the parent that has ended is %+v", p)
	}
	if p := child(22, 11, 12); p == nil || p.Path == "/hook.sh" {
		t.Errorf("who got the number of one that had ended is %+v", p)
	}
	for pid := 1000; pid < 1001+maxEnded; pid++ {
		s := script(pid, "/short.sh")
		table.exec(s, "c")
		table.exit(s, "c")
	}
	if n := len(table.byPID); n > maxEnded+5 {
		t.Errorf("%d are remembered though %d have ended", n, maxEnded)
	}
}

func TestExitIsToldOnceAndOfTheRightProcess(t *testing.T) {
	table := newProcesses()
	table.proc = t.TempDir()
	table.exec(sighting(10, 1, 1, "/bin/a"), "one")
	if p := table.exit(sighting(10, 1, 99, ""), "one"); p != nil {
		t.Errorf("a reused number is taken for %s", p.Path)
	}
	if p := table.exit(sighting(10, 1, 1, ""), "other"); p != nil {
		t.Errorf("an exit in another instance is told as %s", p.Path)
	}
	table.exec(sighting(11, 1, 2, "/bin/b"), "one")
	if p := table.exit(sighting(11, 1, 2, ""), "one"); p == nil || p.Path != "/bin/b" {
		t.Errorf("exit of /bin/b: %+v", p)
	}
	if p := table.exit(sighting(11, 1, 2, ""), "one"); p != nil {
		t.Error("an exit is told twice")
	}
}

func TestProcessesAreBounded(t *testing.T) {
	table := newProcesses()
	table.proc = t.TempDir()
	for pid := 1; pid <= maxProcesses+100; pid++ {
		table.exec(sighting(pid, 0, uint64(pid), "/bin/x"), "c")
	}
	if n := len(table.byPID); n != maxProcesses || table.used.Len() != n {
		t.Errorf("%d remembered, %d in order, at most %d", n, table.used.Len(), maxProcesses)
	}
	if table.find(1) != nil || table.find(maxProcesses+100) == nil {
		t.Error("the wrong ones were forgotten")
	}
	// A chain longer than is kept is cut, not refused.
	for pid := 1; pid <= 100; pid++ {
		table.exec(sighting(pid, pid-1, uint64(pid), "/bin/deep"), "c")
	}
	if n := len(chain(table.find(100))); n > maxAncestors {
		t.Errorf("a chain of %d is kept, at most %d", n, maxAncestors)
	}
}

func TestProcessesFromBeforeAreAskedOfProc(t *testing.T) {
	cmd := exec.Command("sleep", "30")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var p *redoubt.Process
	for range 200 { // until it has become sleep
		p = newProcesses().find(cmd.Process.Pid)
		if p != nil && len(p.Args) == 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if p == nil || !slices.Equal(p.Args, []string{"sleep", "30"}) || p.UID != uint32(os.Getuid()) {
		t.Fatalf("found %+v", p)
	}
	if p.Parent == nil || p.Parent.PID != os.Getpid() {
		t.Errorf("parent is %+v, want this test", p.Parent)
	}
}
