package sensor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// MaxCgroups is how many cgroups, and how many names of future ones, can have
// a slot. Beyond it Assign and AssignName refuse with fault.Limited, and a
// cgroup born with a known name stays without a slot, like the host's own.
const MaxCgroups = 16384

// Assign gives a cgroup of the unified hierarchy, and all below it that have
// none of their own, a slot.
func (s *Sensor) Assign(cgroup uint64, slot Slot) error {
	return s.bind(bpfMapCgroups, cgroup, uint64(slot), slot)
}

// AssignName gives every cgroup of that name a slot at the moment it is made,
// before it holds a process. Container engines name a container's cgroup
// after it: "ID" or "docker-ID.scope". It holds until UnassignName.
func (s *Sensor) AssignName(name string, slot Slot) error {
	key, err := nameKey(name)
	if err != nil {
		return err
	}
	return s.bind(bpfMapNames, key, uint32(slot), slot)
}

func (s *Sensor) bind(table string, key, value any, slot Slot) error {
	if slot >= MaxSlots {
		return fault.New(fault.Limited, "slot %d: there are %d", slot, MaxSlots)
	}
	err := s.maps[table].Put(key, value)
	if errors.Is(err, unix.E2BIG) {
		return fault.New(fault.Limited, "bind cgroup to slot %d: there are already %d", slot, MaxCgroups)
	}
	if err != nil {
		return fmt.Errorf("bind cgroup to slot %d: %w", slot, err)
	}
	return nil
}

// Unassign takes a cgroup's slot away; it then has its ancestor's. One that is
// removed from the system loses it by itself.
func (s *Sensor) Unassign(cgroup uint64) error {
	return ignoreMissing(s.maps[bpfMapCgroups].Delete(cgroup))
}

// UnassignName ends AssignName for cgroups to come.
func (s *Sensor) UnassignName(name string) error {
	key, err := nameKey(name)
	if err != nil {
		return err
	}
	return ignoreMissing(s.maps[bpfMapNames].Delete(key))
}

func ignoreMissing(err error) error {
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}

func nameKey(name string) (key [128]byte, err error) {
	if name == "" || len(name) >= len(key) {
		return key, fault.New(fault.Invalid, "cgroup name of %d bytes: 1 to 127 are possible", len(name))
	}
	copy(key[:], name)
	return key, nil
}

// CgroupID returns the id of the cgroup at path below the unified hierarchy's
// mount, or at an absolute path inside it.
func (s *Sensor) CgroupID(path string) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(s.cgroupDir(path), &st); err != nil {
		return 0, fmt.Errorf("stat cgroup %s: %w", path, err)
	}
	return st.Ino, nil
}

func (s *Sensor) cgroupDir(path string) string {
	if rel, err := filepath.Rel(s.root, path); err == nil && filepath.IsLocal(rel) {
		return path
	}
	return filepath.Join(s.root, path)
}

// Isolate drops every packet to and from the sockets of a cgroup and of those
// below it, loopback included; its processes live on. What the kernel answers
// by itself, such as ping, is not a socket's and goes on. path is as for
// CgroupID. Doing it twice is doing it once.
func (s *Sensor) Isolate(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.cgroupDir(path)
	if len(s.isolated[dir]) > 0 {
		return nil
	}
	if len(s.drops) != 2 || s.root == "" {
		return fault.New(fault.Unsupported, "isolate %s: this kernel cannot cut a cgroup's network", path)
	}
	if _, err := os.Stat(dir); err != nil {
		return fault.New(fault.NotFound, "isolate: %w", err)
	}
	var links []link.Link
	for i, t := range []ebpf.AttachType{ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress} {
		l, err := link.AttachCgroup(link.CgroupOptions{Path: dir, Attach: t, Program: s.drops[i]})
		if err != nil {
			for _, l := range links {
				err = errors.Join(err, l.Close())
			}
			return fmt.Errorf("isolate %s: %w", path, err)
		}
		links = append(links, l)
	}
	s.isolated[dir] = links
	return nil
}

// Unisolate undoes Isolate; one that is not isolated stays so.
func (s *Sensor) Unisolate(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.cgroupDir(path)
	var err error
	for _, l := range s.isolated[dir] {
		err = errors.Join(err, l.Close())
	}
	delete(s.isolated, dir)
	return err
}
