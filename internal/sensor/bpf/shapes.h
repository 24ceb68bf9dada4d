// What kernel and user space say to each other: maps, their keys and values,
// and the records of the ring. decode.go and rules.go are the other side of
// every structure here; a test compares the sizes.
#pragma once

#define SLOTS 4096
#define RULES 65536
#define CGROUPS 16384
#define ARGS_KEPT 4096
#define PATH_KEPT 2048
#define NAME_MAX 256
#define DEPTH 48
#define ANCESTORS 8
#define LEVELS 16

enum kind { K_EXEC = 1, K_EXIT, K_LISTEN, K_CONNECT, K_ACCEPT, K_BORN, K_GONE };
enum action { REPORT, ALLOW, DENY, HOLD };
enum backend { B_NONE, B_KILL, B_LSM, B_CONNECT };
enum origin { O_IMAGE, O_WRITTEN, O_MEMORY };

// Flags of a process.
enum {
	F_INIT = 1,      // first process of its pid namespace
	F_ENTERED = 2,   // its parent is outside its tracked cgroup
	F_RUNTIME = 4,   // in the node's mount namespace though in a tracked cgroup
	F_SCRIPT = 8,    // path is a script, interp its interpreter
	F_CUT = 16,      // path or args were longer than kept
	F_SHADOWS = 32,  // written, but a file of that name lies below in the image
	F_BLIND = 64,    // overlayfs layout unknown: key and origin are the overlay's
	F_HELD = 128,    // stopped until user space decides
	F_UNREAD = 256,  // script whose own file could not be found: key is the interpreter's
	F_LAST = 512,    // the last of its burst to be sent, more are only counted
	F_NAMED = 1024,  // cgroup was bound to its slot by name
};

struct filekey {
	__u64 dev;
	__u64 ino;
	__s64 ctime;
};

struct place {
	__u64 own;
	__u64 tracked;
	__u32 slot;
	__u32 flags;
};

struct head {
	__u32 kind;
	__u32 size;
	__u64 time;
	__u64 cgroup;
	__u64 burst;
	__u32 count;
	__u32 slot;
	__u8 denied;
	__u8 known;
	__u16 flags;
	__u8 origin;
	__u8 pad[3];
};

struct proc {
	__u32 pid;
	__u32 parent;
	__u64 started;
	__u32 uid;
	__u32 gid;
	__u64 caps;
	struct filekey file;
	struct filekey above; // program file of the parent
};

struct ancestor {
	__u32 pid;
	__u32 pad;
	__u64 started;
	struct filekey file;
	char name[32];
};

// birth is who forked a process. Its real parent may be an adopter by the time
// it execs, and the forker another program.
struct birth {
	__u64 started; // of the child: with its number it names it for good
	__u64 cgroup;  // the one it was born into
	struct ancestor by;
};

// forker is what rules compare of who forked.
struct forker {
	__u32 pid;
	__u32 pad;
	struct filekey file;
};

// lineage is where a climb from a process to its forebears stands. task is 0
// once it has come to one that has ended.
struct lineage {
	__u64 task;
	__u64 started;
	__u64 cgroup;
	__u32 pid;
	__u32 begun;
};

// exec_rec is followed by args_len bytes of arguments, then, each at a
// multiple of eight, path, cwd, interpreter and ancestors.
struct exec_rec {
	struct head head;
	struct proc proc;
	struct filekey interp_file;
	__u64 args_hash;
	__u32 args_total;
	__u16 args_len;
	__u16 path_len;
	__u16 cwd_len;
	__u16 interp_len;
	__u32 ancestors;
};

struct flow {
	__u8 local[16];
	__u8 remote[16];
	__u16 lport;
	__u16 rport;
	__u8 proto;
	__u8 pad[3];
};

#define FLOW_PATH 512

struct long_names {
	char b[PATH_KEPT + NAME_MAX];
};

struct short_names {
	char b[FLOW_PATH + NAME_MAX];
};

struct net_rec {
	struct head head;
	struct proc proc;
	struct flow flow;
	__u32 path_len;
	__u32 pad;
	struct short_names path;
};

struct exit_rec {
	struct head head;
	__u64 started;
	__u32 pid;
	__u32 code;
};

struct cgroup_rec {
	struct head head;
	char path[1024];
};

// A slot's word: generation, then two bits for each mode, then what kinds of
// rule it has at all, so that lookups nobody needs are not made.
#define WORD_GEN(w) ((__u32)(w))
#define WORD_EXEC(w) (((w) >> 32) & 3)
#define WORD_CONNECT(w) (((w) >> 34) & 3)
#define WORD_LISTEN(w) (((w) >> 36) & 3)
#define WORD_ARGS (1ULL << 38)
#define WORD_PARENT (1ULL << 39)
#define WORD_RULES (1ULL << 40)
#define WORD_FLOWS (1ULL << 41)
#define WORD_PORTS (1ULL << 42)

struct exec_key {
	__u32 slot;
	__u32 gen;
	struct filekey file;
	struct filekey parent;
	__u64 args;
};

// flow_key is longest-prefix: bits counts all that follows it.
struct flow_key {
	__u32 bits;
	__u32 slot;
	__u32 gen;
	__u16 port;
	__u8 proto;
	__u8 pad;
	__u8 addr[16];
};

struct port_key {
	__u32 slot;
	__u32 gen;
	__u16 port;
	__u8 proto;
	__u8 pad;
};

// An action above HOLD marks that a file has rules by arguments, which an LSM
// hook cannot see yet.
#define MARK 7

struct rule {
	__u32 index;
	__u8 action;
	__u8 bits;
	__u16 pad;
	__u64 serial;
};

struct tally {
	__u64 count;
	__u64 units;
	__u64 last;
};

struct seen_key {
	__u64 cgroup;
	__u64 serial;
};

struct burst {
	__u64 since;
	__u64 sent;
	__u64 held;
};

// What identify finds out.
struct ident {
	struct filekey key;
	__u8 origin;
	__u8 pad;
	__u16 flags;
	__u32 pad2;
};

// From a dentry up to the root of a process.
struct way {
	__u64 mnt, dentry;
	__u64 root_mnt, root_dentry;
	__u32 off; // where in the buffer; 0, but the verifier need not know
	__u32 cut;
};

struct forebears {
	struct ancestor a[ANCESTORS];
};

// Where overlayfs keeps the real inodes, as byte distances from the inode.
enum { LOWER_INODE = 1, LOWER_PATH, LOWER_ENTRY };

struct settings {
	__s32 upper;
	__s32 lower;
	__u32 lower_kind; // 0: layout unknown
	__u32 lower_count;  // LOWER_ENTRY: distance of the number of lowers
	__u32 lower_dentry; // LOWER_PATH, LOWER_ENTRY: distance of the dentry pointer
	__u32 by_state;     // bit 0, 1: the connect hook of IPv4, IPv6 is missing
};

enum { S_SENT, S_KNOWN, S_LOST, S_HELD, S_LSM, S_COUNT };

struct listener_key {
	__u64 cgroup;
	__u32 netns;
	__u16 port;
	__u8 proto;
	__u8 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RULES);
	__type(key, struct exec_key);
	__type(value, struct rule);
} exec_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RULES);
	__type(key, struct flow_key);
	__type(value, struct rule);
} flow_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RULES);
	__type(key, struct port_key);
	__type(value, struct rule);
} port_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RULES);
	__type(key, __u32);
	__type(value, struct tally);
} tallies SEC(".maps");

#define FRESH (1ULL << 32) // bound by name and not yet used

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CGROUPS);
	__type(key, __u64);
	__type(value, __u64); // slot, and FRESH
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CGROUPS);
	__type(key, char[128]);
	__type(value, __u32);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct seen_key);
	__type(value, __u8);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct burst);
} bursts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64);
} alive SEC(".maps");

// Kept when a process ends, since its children may outlive it.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct birth);
} births SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listener_key);
	__type(value, struct proc);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} setting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, S_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

// Only the exec tracepoint uses it: the kernel does not let a program run
// twice at once on one CPU.
struct exec_scratch {
	struct exec_rec rec;
	char data[16384];
	struct lineage line; // here, as older kernels' stacks hold 512 bytes in all
	struct forker above;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} scratch SEC(".maps");

const volatile __u32 node_mntns = 0;
const volatile __u64 secret[2] = {0, 0}; // of burst keys
const volatile __u32 burst_limit = 10;   // alike sightings sent in a second
