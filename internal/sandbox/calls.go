package sandbox

import (
	"iter"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// namespaces are the flags by which clone would leave the sandbox's own, with
// CLONE_PTRACE, which nobody honest uses.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_PTRACE

const every = ^uint32(0)

// is fits an argument's value, under a mask where one is given.
func is(arg int, value uint32) cond          { return cond{arg, every, value} }
func under(arg int, mask, value uint32) cond { return cond{arg, mask, value} }
func when(give uint32, c ...cond) rule       { return rule{c, give} }

// programFilter is the filter of every program. All execs are asked about.
func programFilter() []byte {
	return filter(auditArch, append(slices.Clone(calls), archCalls...), checks(), newestCall)
}

// checks decide what depends on arguments.
func checks() map[uint32]check {
	denied := refuse(unix.EPERM)
	m := map[uint32]check{
		unix.SYS_EXECVE:   {other: notify},
		unix.SYS_EXECVEAT: {other: notify},
		// Its flags are in memory, out of a filter's sight. The C library
		// falls back to clone, whose flags are not.
		unix.SYS_CLONE3: {other: refuse(unix.ENOSYS)},
		unix.SYS_CLONE: {
			rules: notAny(0, namespaces, denied),
			other: allow,
		},
		unix.SYS_SOCKET:     sockets(),
		unix.SYS_SOCKETPAIR: {rules: []rule{when(allow, is(0, unix.AF_UNIX))}, other: refuse(unix.EAFNOSUPPORT)},
		unix.SYS_PRCTL:      prctls(),
		// Terminal input that nobody typed, on any descriptor.
		unix.SYS_IOCTL:       {rules: []rule{when(denied, is(1, unix.TIOCSTI)), when(denied, is(1, unix.TIOCSETD)), when(denied, is(1, 0x541c))}, other: allow},
		unix.SYS_PERSONALITY: {rules: []rule{when(allow, is(0, 0)), when(allow, is(0, every))}, other: denied},
		// Memory that can be executed as a file would pass every path rule.
		unix.SYS_MEMFD_CREATE: {rules: []rule{when(allow, under(1, memfdNoExec, memfdNoExec))}, other: denied},
		unix.SYS_MKNODAT:      nodes(2),
		// Data along with the connecting: the rules for TCP ports do not see it.
		unix.SYS_SENDTO:   unlessFast(3),
		unix.SYS_SENDMSG:  unlessFast(2),
		unix.SYS_SENDMMSG: unlessFast(3),
	}
	maps.Copy(m, archChecks())
	return m
}

const memfdNoExec = 0x8 // MFD_NOEXEC_SEAL

// notAny refuses where a bit of mask is set in arg.
func notAny(arg int, mask, give uint32) []rule {
	var out []rule
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if mask&bit != 0 {
			out = append(out, when(give, under(arg, bit, bit)))
		}
	}
	return out
}

// sockets lets local, TCP, UDP and routing sockets be made. The protocol
// matters: Multipath TCP passes by the rules for TCP ports.
func sockets() check {
	var rules []rule
	const kind = 0xf // below the flags of the type
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		for _, t := range []struct{ kind, protocol uint32 }{
			{unix.SOCK_STREAM, 0}, {unix.SOCK_STREAM, unix.IPPROTO_TCP},
			{unix.SOCK_DGRAM, 0}, {unix.SOCK_DGRAM, unix.IPPROTO_UDP},
		} {
			rules = append(rules, when(allow, is(0, family), under(1, kind, t.kind), is(2, t.protocol)))
		}
		rules = append(rules, when(refuse(unix.EPROTONOSUPPORT), is(0, family)))
	}
	rules = append(rules,
		when(allow, is(0, unix.AF_UNIX)),
		// getifaddrs asks the kernel this way.
		when(allow, is(0, unix.AF_NETLINK), is(2, unix.NETLINK_ROUTE)),
	)
	return check{rules: rules, other: refuse(unix.EAFNOSUPPORT)}
}

// unlessFast refuses TCP Fast Open, whose flag stands in argument flags.
func unlessFast(flags int) check {
	return check{rules: []rule{when(refuse(unix.EOPNOTSUPP), under(flags, unix.MSG_FASTOPEN, unix.MSG_FASTOPEN))}, other: allow}
}

func prctls() check {
	var rules []rule
	for _, option := range []uint32{
		unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_GET_PDEATHSIG, unix.PR_GET_DUMPABLE, unix.PR_SET_DUMPABLE,
		unix.PR_GET_KEEPCAPS, unix.PR_GET_SECCOMP, unix.PR_CAPBSET_READ, unix.PR_GET_TIMERSLACK, unix.PR_SET_TIMERSLACK,
		unix.PR_SET_NO_NEW_PRIVS, unix.PR_GET_NO_NEW_PRIVS, unix.PR_GET_TID_ADDRESS, unix.PR_SET_CHILD_SUBREAPER,
		unix.PR_GET_CHILD_SUBREAPER, unix.PR_SET_THP_DISABLE, unix.PR_GET_THP_DISABLE, unix.PR_GET_SPECULATION_CTRL,
		unix.PR_SET_VMA, unix.PR_SET_MDWE, unix.PR_GET_MDWE, unix.PR_GET_SECUREBITS, unix.PR_GET_TSC,
	} {
		rules = append(rules, when(allow, is(0, option)))
	}
	return check{rules: rules, other: refuse(unix.EPERM)}
}

// nodes lets files, pipes and sockets be made, not devices.
func nodes(mode int) check {
	var rules []rule
	for _, kind := range []uint32{0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK} {
		rules = append(rules, when(allow, under(mode, unix.S_IFMT, kind)))
	}
	return check{rules: rules, other: refuse(unix.EPERM)}
}

func ordered[V any](m map[uint32]V) iter.Seq2[uint32, V] {
	return func(yield func(uint32, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// newestCall is the newest call the tables were written for.
const newestCall = 462

// calls are what programs need on every architecture. What is not here an
// attacker cannot reach: asynchronous I/O, message queues, flushing the whole
// machine's disks, and all that steers the kernel are left out on purpose.
var calls = []uint32{
	// files
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64,
	unix.SYS_PREADV, unix.SYS_PWRITEV, unix.SYS_PREADV2, unix.SYS_PWRITEV2, unix.SYS_OPENAT, unix.SYS_OPENAT2,
	unix.SYS_CLOSE, unix.SYS_CLOSE_RANGE, unix.SYS_FSTAT, unix.SYS_FSTATFS, unix.SYS_STATFS, unix.SYS_STATX,
	unix.SYS_LSEEK, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_FCNTL, unix.SYS_FLOCK, unix.SYS_FSYNC, unix.SYS_FDATASYNC,
	unix.SYS_SYNC_FILE_RANGE, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE,
	unix.SYS_FADVISE64, unix.SYS_READAHEAD, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_TEE,
	unix.SYS_GETDENTS64, unix.SYS_GETCWD, unix.SYS_CHDIR, unix.SYS_FCHDIR, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT,
	unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_READLINKAT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, 452, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT, unix.SYS_UMASK,
	unix.SYS_GETXATTR, unix.SYS_LGETXATTR, unix.SYS_FGETXATTR, unix.SYS_LISTXATTR, unix.SYS_LLISTXATTR, unix.SYS_FLISTXATTR,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_INOTIFY_INIT1, unix.SYS_INOTIFY_ADD_WATCH, unix.SYS_INOTIFY_RM_WATCH, unix.SYS_PIPE2, unix.SYS_CACHESTAT,
	// memory
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_MSYNC,
	unix.SYS_BRK, unix.SYS_MLOCK, unix.SYS_MLOCK2, unix.SYS_MUNLOCK, unix.SYS_MLOCKALL, unix.SYS_MUNLOCKALL, unix.SYS_MEMBARRIER,
	unix.SYS_PKEY_ALLOC, unix.SYS_PKEY_FREE, unix.SYS_PKEY_MPROTECT, unix.SYS_GET_MEMPOLICY, unix.SYS_MSEAL,
	// waiting
	unix.SYS_PPOLL, unix.SYS_PSELECT6, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2,
	unix.SYS_EVENTFD2, unix.SYS_SIGNALFD4, unix.SYS_TIMERFD_CREATE, unix.SYS_TIMERFD_SETTIME, unix.SYS_TIMERFD_GETTIME,
	unix.SYS_FUTEX, unix.SYS_FUTEX_WAITV, unix.SYS_FUTEX_WAKE, unix.SYS_FUTEX_WAIT, unix.SYS_FUTEX_REQUEUE,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_GET_ROBUST_LIST, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_RESTART_SYSCALL,
	// time
	unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY, unix.SYS_TIMES, unix.SYS_GETITIMER, unix.SYS_SETITIMER,
	unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_GETTIME, unix.SYS_TIMER_GETOVERRUN, unix.SYS_TIMER_DELETE,
	// processes and threads
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_TGKILL,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_GETPGID,
	unix.SYS_SETPGID, unix.SYS_GETSID, unix.SYS_SETSID, unix.SYS_SET_TID_ADDRESS, unix.SYS_RSEQ, unix.SYS_GETCPU,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_SETPARAM,
	unix.SYS_SCHED_GETSCHEDULER, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_GETATTR, unix.SYS_SCHED_SETATTR,
	unix.SYS_SCHED_GET_PRIORITY_MAX, unix.SYS_SCHED_GET_PRIORITY_MIN, unix.SYS_SCHED_RR_GET_INTERVAL,
	unix.SYS_GETPRIORITY, unix.SYS_SETPRIORITY, unix.SYS_GETRUSAGE, unix.SYS_PRLIMIT64, unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_RT_SIGPENDING, unix.SYS_RT_SIGSUSPEND,
	unix.SYS_RT_SIGTIMEDWAIT, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_SIGALTSTACK,
	// identity: without capabilities these only tell, or fail
	unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_GETGROUPS, unix.SYS_GETRESUID, unix.SYS_GETRESGID,
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_SETGROUPS, unix.SYS_CAPGET, unix.SYS_CAPSET,
	// network
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_RECVFROM,
	unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_SHUTDOWN, unix.SYS_GETSOCKNAME,
	unix.SYS_GETPEERNAME, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT,
	// the machine, and talk inside the sandbox
	unix.SYS_UNAME, unix.SYS_SYSINFO, unix.SYS_GETRANDOM,
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMDT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMTIMEDOP,
	unix.SYS_SEMCTL, unix.SYS_MSGGET, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MSGCTL,
}
