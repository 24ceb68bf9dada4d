package workload

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// Hierarchy is where this node's cgroups are mounted.
type Hierarchy struct {
	V2      string // mount point of the v2 hierarchy; empty where there is none
	Systemd string // mount point of the v1 hierarchy systemd names its units in; empty on pure v2
	Kind    string // "v1", "hybrid" or "v2"
}

// FindHierarchy reads /proc/self/mountinfo.
func FindHierarchy() (Hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Hierarchy{}, fmt.Errorf("find cgroup mounts: %w", err)
	}
	defer f.Close()
	var h Hierarchy
	v1 := false
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		dash := indexOf(fields, "-")
		if len(fields) < 5 || dash < 0 || len(fields) < dash+4 {
			continue
		}
		point, kind, options := fields[4], fields[dash+1], fields[dash+3]
		switch {
		case kind == "cgroup2" && h.V2 == "":
			h.V2 = point
		case kind == "cgroup":
			v1 = true
			if strings.Contains(","+options+",", ",name=systemd,") {
				h.Systemd = point
			}
		}
	}
	switch {
	case h.V2 != "" && v1:
		h.Kind = "hybrid"
	case h.V2 != "":
		h.Kind = "v2"
	case v1:
		h.Kind = "v1"
	default:
		return h, fault.New(fault.Unsupported, "no cgroup hierarchy is mounted; mount one, usually at /sys/fs/cgroup")
	}
	return h, nil
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}

// ID returns the kernel's id of the v2 cgroup at path (below the mount), 0
// where there is none.
func (h Hierarchy) ID(path string) uint64 {
	if h.V2 == "" {
		return 0
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(h.V2, filepath.Join("/", path)), &st); err != nil {
		return 0
	}
	return st.Ino
}

// kernfsHandle is the kernel's FILEID_KERNFS: a handle that is a cgroup id.
const kernfsHandle = 0xfe

// Path returns the path, below the v2 mount, of the cgroup with this id. It
// needs CAP_DAC_READ_SEARCH.
func (h Hierarchy) Path(id uint64) (string, error) {
	if h.V2 == "" {
		return "", fault.New(fault.Unsupported, "look up cgroup %d: no v2 hierarchy", id)
	}
	mount, err := unix.Open(h.V2, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", h.V2, err)
	}
	defer unix.Close(mount)
	var raw [8]byte
	binary.NativeEndian.PutUint64(raw[:], id)
	fd, err := unix.OpenByHandleAt(mount, unix.NewFileHandle(kernfsHandle, raw[:]), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "", fault.New(fault.NotFound, "look up cgroup %d: %w", id, err)
	}
	defer unix.Close(fd)
	full, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", fmt.Errorf("name cgroup %d: %w", id, err)
	}
	rel, ok := strings.CutPrefix(full, h.V2)
	if !ok || strings.HasSuffix(full, " (deleted)") {
		return "", fault.New(fault.NotFound, "cgroup %d is gone", id)
	}
	return "/" + strings.TrimPrefix(rel, "/"), nil
}

// OfProcess returns the v2 cgroup path of a process, or, where there is no v2
// hierarchy, its path in the v1 hierarchy of systemd, else in the first one.
func (h Hierarchy) OfProcess(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", fmt.Errorf("read cgroup of process %d: %w", pid, err)
	}
	path := processPath(string(b), h.V2 != "")
	if path == "" {
		return "", fault.New(fault.NotFound, "process %d is in no known cgroup", pid)
	}
	return path, nil
}

// processPath picks the line that counts out of a /proc/PID/cgroup.
func processPath(text string, v2 bool) string {
	first := ""
	for line := range strings.Lines(text) {
		id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok2 := strings.Cut(rest, ":")
		if !ok || !ok2 {
			continue
		}
		switch {
		case id == "0" && controllers == "" && v2, controllers == "name=systemd" && !v2:
			return path
		case first == "" && !v2:
			first = path
		}
	}
	return first
}
