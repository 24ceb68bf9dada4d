package sensor

import (
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Kinds of sighting that are not events of a workload but of its cgroup.
const (
	CgroupBorn redoubt.EventKind = "cgroup-born"
	CgroupGone redoubt.EventKind = "cgroup-gone"
)

// Sighting is one record as the kernel gave it, decoded and nothing else: it
// names a cgroup, not a workload, and a file key, not a digest.
type Sighting struct {
	Kind   redoubt.EventKind
	Time   time.Time
	Cgroup uint64 // id on the v2 hierarchy of the nearest tracked ancestor, else of the task's own cgroup
	Path   string // program path as the workload sees it; the cgroup's path for CgroupBorn and CgroupGone

	PID, Parent int    // process ids as the node sees them
	Started     uint64 // start of the process, nanoseconds since boot: with PID it names a process for good
	UID, GID    uint32
	Caps        uint64
	Cwd         string
	Interpreter string     // for a script: the interpreter the kernel ran, Path being the script
	Ancestors   []Ancestor // parent first, at most eight, also those that were only counted
	Args        []string
	Truncated   bool
	Key         ExecKey         // of a script: the script's own file, unless Unread
	Runs        redoubt.FileKey // for a script: the interpreter's file
	Unread      bool            // the script's file could not be told; Key.File is the interpreter's
	Blind       bool            // overlayfs could not be looked through; Key.File is this mount's, not the layer's
	Origin      redoubt.Origin
	Shadows     bool // OriginWritten, yet the image has a file there too: a chmod alone looks like this
	Held        bool // stopped by a Hold rule until Resume or Kill
	Init        bool // first process of its pid namespace
	Entered     bool // its parent lies outside the workload's cgroup, and it is not Init
	Runtime     bool // still in the node's mount namespace: the engine's own set-up, not the workload
	Loader      bool // the program run is itself a dynamic loader

	Network *redoubt.Connection
	Exit    int // exit code, 128+signal for a kill

	Denied redoubt.Backend // what stopped it; empty if it went ahead
	Known  bool            // recognised by a rule in the kernel; sent because it is the first in its cgroup
	Count  int             // how many alike it stands for, at least 1
}

// Ancestor is one process above a sighted one, as it was at that moment.
type Ancestor struct {
	PID     int
	Started uint64
	File    redoubt.FileKey
	Name    string // last element of its program's path, cut at 31 bytes
}

// Slot is the kernel's number for a workload's set of rules; 0 is none.
type Slot uint32

// ExecKey is what the kernel compares. A zero Parent or Args means any. The
// kernel looks for file, parent and args first, then file and parent, then
// file and args, then file alone; what it finds decides.
type ExecKey struct {
	File   redoubt.FileKey
	Parent redoubt.FileKey // program file of the parent process
	Args   uint64          // hash over argv as the kernel kept it, see HashArgs
}

// ConnectKey is what the kernel compares for connect and sendto; the zero
// Addr, Port or Proto means any. The longest matching prefix decides, among
// equal ones the one with a port, then the one with a protocol.
type ConnectKey struct {
	Proto redoubt.Proto
	Addr  [16]byte // IPv6 or v4-mapped
	Bits  uint8    // leading bits of Addr that count; 0 with an Addr means all 128
	Port  uint16
}

// Action is a kernel rule's answer.
type Action uint8

// The actions. Report lets it happen and sends it up; Allow lets it happen
// and counts it; Deny refuses it and sends it up; Hold stops the process
// before its first user instruction until Resume or Kill is called.
const (
	Report Action = iota
	Allow
	Deny
	Hold
)

// Mode is a slot's answers for what no rule matches.
type Mode struct {
	Exec, Connect, Listen Action
}

// Tally is how often a kernel rule matched since it was last asked. Units are
// sightings at least a second apart, which counts bursts once.
type Tally struct {
	Exec    *ExecKey
	Connect *ConnectKey
	Listen  *redoubt.Port // also accepted connections, by local port
	Count   int64
	Units   int64
}
