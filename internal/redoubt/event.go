package redoubt

import (
	"net/netip"
	"time"
)

// EventKind says what a sensor saw.
type EventKind string

// The kinds of event. Start and Stop are an instance's life; Loss reports
// events that were counted but could not be kept.
const (
	EventExec    EventKind = "exec"
	EventExit    EventKind = "exit"
	EventListen  EventKind = "listen"
	EventConnect EventKind = "connect" // outbound
	EventAccept  EventKind = "accept"  // inbound
	EventStart   EventKind = "start"
	EventStop    EventKind = "stop"
	EventLoss    EventKind = "loss"
	EventAction  EventKind = "action" // redoubt did something: isolated, blocked, released
)

// FileKey is a file as the kernel tells files apart: the device and inode of
// the real file (below overlayfs) and its change time, so that new content
// under an old name is another file. Dev is major<<20|minor, the kernel's own
// encoding.
type FileKey struct {
	Dev   uint64 `json:"dev"`
	Ino   uint64 `json:"ino"`
	Ctime int64  `json:"ctime"` // nanoseconds since 1970
}

// Origin says where an executed file came from.
type Origin string

// The origins of a file.
const (
	OriginImage   Origin = "image"   // unchanged since the image was built, or a host file
	OriginWritten Origin = "written" // written or changed after the container started
	OriginMemory  Origin = "memory"  // memfd, tmpfs or deleted: no lasting name
)

// File is an executed file's identity.
type File struct {
	Key    FileKey `json:"key"`
	Digest Digest  `json:"digest,omitempty"` // of its content; empty when it could not be read, Error says why
	Origin Origin  `json:"origin"`
	Error  string  `json:"error,omitempty"`
}

// Process is one process and, through Parent, the chain above it.
type Process struct {
	PID       int       `json:"pid"`  // as the node sees it
	Path      string    `json:"path"` // as the workload sees it
	File      *File     `json:"file,omitempty"`
	Args      []string  `json:"args,omitempty"`
	Truncated bool      `json:"truncated,omitempty"` // Args or Path were longer than the sensor keeps
	UID       uint32    `json:"uid"`
	Caps      uint64    `json:"caps,omitempty"` // effective capability set
	Cwd       string    `json:"cwd,omitempty"`
	Entered   bool      `json:"entered,omitempty"` // came in from outside, as docker exec does
	Started   time.Time `json:"started,omitzero"`
	Parent    *Process  `json:"parent,omitempty"`
}

// Connection is one end-to-end flow or a listening socket.
type Connection struct {
	Proto  Proto          `json:"proto"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote,omitzero"`
	Peer   WorkloadID     `json:"peer,omitempty"` // the workload at the other end, where known
}

// Event is something a sensor saw, with what profile and policy say of it.
type Event struct {
	ID       string      `json:"id"` // given by the console's store
	Time     time.Time   `json:"time"`
	Node     NodeID      `json:"node"`
	Kind     EventKind   `json:"kind"`
	Workload WorkloadRef `json:"workload"`
	Process  *Process    `json:"process,omitempty"`
	Network  *Connection `json:"network,omitempty"`
	Exit     *int        `json:"exit,omitempty"` // exit code, 128+signal for a kill
	Note     string      `json:"note,omitempty"`
	Count    int         `json:"count"` // how many alike this one stands for, at least 1
	Verdict  Verdict     `json:"verdict"`
}

// Effect is what a policy rule does to what it matches.
type Effect string

// The effects, mildest first.
const (
	EffectIgnore  Effect = "ignore"
	EffectAlert   Effect = "alert"
	EffectPrevent Effect = "prevent" // only that action fails
	EffectBlock   Effect = "block"   // the workload is stopped
	EffectIsolate Effect = "isolate" // the workload's network is cut, it lives on
)

// Severity orders alerts; a higher one is more urgent.
type Severity int

// The severities.
const (
	Low Severity = iota + 1
	Medium
	High
	Critical
)

var severityNames = [...]string{"", "low", "medium", "high", "critical"}

func (s Severity) String() string {
	if s < Low || s > Critical {
		return "none"
	}
	return severityNames[s]
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity's name; an unknown name is zero.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = 0
	for i, n := range severityNames {
		if n != "" && n == string(b) {
			*s = Severity(i)
		}
	}
	return nil
}

// Backend names what carried a verdict out in the kernel.
type Backend string

// The enforcement back ends, strongest first.
const (
	BackendLSM      Backend = "bpf-lsm"        // exec returns EPERM
	BackendFanotify Backend = "fanotify"       // open for exec returns EPERM
	BackendKill     Backend = "kill"           // SIGKILL before the first user instruction
	BackendConnect  Backend = "cgroup-connect" // connect returns EPERM
	BackendCgroup   Backend = "cgroup-skb"     // packets dropped
	BackendEngine   Backend = "engine"         // the container engine stopped it
)

// Verdict is what profile and policy say of an event. The zero Verdict means
// that nothing judged it.
type Verdict struct {
	Effect    Effect   `json:"effect"`
	Rule      string   `json:"rule,omitempty"`  // "policy/NAME/RULE", "profile" or "profile/learning"
	Entry     string   `json:"entry,omitempty"` // id of the profile entry that allowed it or came nearest
	Reason    string   `json:"reason,omitempty"`
	Technique string   `json:"technique,omitempty"` // MITRE ATT&CK id
	Severity  Severity `json:"severity,omitempty"`
	Enforced  Backend  `json:"enforced,omitempty"` // set when the effect was carried out; empty when it was only wanted
	Novel     bool     `json:"novel,omitempty"`    // outside the profile
}
