package sandbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// Config is what a host is made of.
type Config struct {
	Dir    string // private to this host, made if missing; names its control groups
	Init   []byte // the program that Init returns
	IDBase uint32 // first of the user and group ids programs run as, 200000 if 0
	Log    *slog.Logger
}

const (
	defaultIDBase = 200_000
	maxSandboxes  = 4096 // two ids each
	programID     = 993  // what a program sees itself as
)

// Host starts sandboxes. It is safe for concurrent use.
type Host struct {
	log    *slog.Logger
	idBase uint32
	gaps   []string

	lock     *os.File
	launcher *launcher
	base     *os.File // the mount namespace sandboxes copy
	null     *os.File
	binds    []plan.Pair
	links    []plan.Pair
	filter   []byte
	landlock uint64
	groups   *hierarchy

	mu        sync.Mutex
	slots     [maxSandboxes]bool
	sandboxes map[string]*Sandbox // nil while one starts
	closed    bool
	busy      sync.WaitGroup
}

// Open prepares this machine for sandboxes, learns what its kernel can do, and
// ends and removes whatever a killed predecessor with the same directory left.
func Open(cfg Config) (*Host, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer mounts.Close()
	return open(cfg, mounts)
}

func open(cfg Config, mounts io.Reader) (*Host, error) {
	if !privileged() {
		return nil, fault.New(fault.Unsupported, "function sandboxes need root with CAP_SYS_ADMIN on this node: run redoubt as root, in a container as a privileged one")
	}
	if len(cfg.Init) == 0 {
		return nil, errNoInit
	}
	h := &Host{log: cfg.Log, idBase: or(cfg.IDBase, defaultIDBase), sandboxes: map[string]*Sandbox{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if err := h.prepare(cfg, mounts); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

func (h *Host) prepare(cfg Config, mounts io.Reader) error {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return fmt.Errorf("find sandbox directory: %w", err)
	}
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("make sandbox directory: %w", err)
	}
	if err := h.take(filepath.Join(dir, "lock")); err != nil {
		return err
	}
	if h.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return fmt.Errorf("open null device: %w", err)
	}
	if err := h.probe(); err != nil {
		return err
	}
	var gaps []string
	if h.groups, gaps, err = findHierarchy(dir, mounts); err != nil {
		return err
	}
	h.gaps = append(h.gaps, gaps...)
	h.filter = programFilter()
	if h.base, h.binds, h.links, err = base(root); err != nil {
		return err
	}
	h.launcher, err = newLauncher(cfg.Init, h.base, h.groups.home, h.null)
	return err
}

// privileged says whether namespaces can be made and joined.
func privileged() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	return os.Geteuid() == 0 && unix.Capget(&hdr, &caps[0]) == nil && caps[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// take makes sure that one host at a time uses the directory: the next would
// take the living for leftovers.
func (h *Host) take(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open sandbox lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return fault.New(fault.Conflict, "the sandbox directory %s is in use by another process: end it or choose another", filepath.Dir(path))
	}
	h.lock = f
	return nil
}

// probe asks the kernel for what a sandbox cannot do without, and notes the
// rest as gaps.
func (h *Host) probe() error {
	if b, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || string(b) == "0\n" {
		return fault.New(fault.Unsupported, "function sandboxes need user namespaces: set the sysctl user.max_user_namespaces above 0")
	}
	action := uint32(unix.SECCOMP_RET_USER_NOTIF)
	if _, _, no := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action))); no != 0 {
		return fault.New(fault.Unsupported, "function sandboxes need seccomp notifications: use Linux 5.12 or later")
	}
	fd, err := cloneTree("/usr", closed)
	if err != nil {
		return fault.New(fault.Unsupported, "function sandboxes need Linux 5.12 or later: %w", err)
	}
	unix.Close(fd)
	abi, _, no := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if no != 0 {
		h.gaps = append(h.gaps, "this node cannot bind programs to files: its kernel has no Landlock, so a function granted more programs could swap a path while it is being checked")
		return nil
	}
	h.landlock = uint64(abi)
	if abi < 4 {
		h.gaps = append(h.gaps, fmt.Sprintf("this node cannot restrict TCP ports by Landlock (ABI %d, 4 needed): only the network namespace does", abi))
	}
	if abi < 6 {
		h.gaps = append(h.gaps, fmt.Sprintf("this node cannot scope signals and abstract sockets by Landlock (ABI %d, 6 needed): only the namespaces do", abi))
	}
	return nil
}

// Gaps says in plain words what this node cannot enforce.
func (h *Host) Gaps() []string { return slices.Clone(h.gaps) }

// Close kills every sandbox and removes what the host made.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	all := make([]*Sandbox, 0, len(h.sandboxes))
	for _, s := range h.sandboxes {
		if s != nil {
			all = append(all, s)
		}
	}
	h.mu.Unlock()
	for _, s := range all {
		s.signal()
	}
	h.busy.Wait()
	return h.release()
}

func (h *Host) release() error {
	var err error
	if h.launcher != nil {
		h.launcher.close()
	}
	if h.groups != nil {
		err = h.groups.close()
	}
	for _, f := range []*os.File{h.base, h.null, h.lock} {
		if f != nil {
			f.Close()
		}
	}
	return err
}

// reserve takes a name and a slot.
func (h *Host) reserve(id string) (slot int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, fault.New(fault.Unavailable, "start sandbox %s: the host is closing", id)
	}
	if _, taken := h.sandboxes[id]; taken {
		return 0, fault.New(fault.Conflict, "start sandbox %s: one of that name is running", id)
	}
	slot = slices.Index(h.slots[:], false)
	if slot < 0 {
		return 0, fault.New(fault.Limited, "start sandbox %s: %d are running already", id, maxSandboxes)
	}
	h.slots[slot] = true
	h.sandboxes[id] = nil
	h.busy.Add(1)
	return slot, nil
}

func (h *Host) free(id string, slot int) {
	h.mu.Lock()
	delete(h.sandboxes, id)
	h.slots[slot] = false
	h.mu.Unlock()
	h.busy.Done()
}
