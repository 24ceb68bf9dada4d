// Who forked whom. The kernel's own record of it, the real parent, is no more
// than who will be told of the end: when the forker ends an adopter takes its
// place, and CLONE_PARENT makes a sibling out of a child. Both would make what
// is compared depend on who was faster, or on what the process likes.
#pragma once

// first_of_its_kind says whether a task is the first of a pid namespace. Its
// forker is the engine's, and gone.
__noinline bool first_of_its_kind(__u64 task)
{
	struct pid *pid = BPF_CORE_READ((struct task_struct *)task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	int nr = 0;

	get(nr, (char *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid));
	return level && nr == 1;
}

static __always_inline void portray(struct task_struct *t, struct ancestor *to)
{
	struct file *f = BPF_CORE_READ(t, mm, exe_file);

	to->pid = BPF_CORE_READ(t, tgid);
	to->pad = 0;
	to->started = BPF_CORE_READ(t, start_boottime);
	task_file((__u64)t, &to->file);
	if (bpf_probe_read_kernel_str(to->name, sizeof(to->name), BPF_CORE_READ(f, f_path.dentry, d_name.name)) < 0)
		to->name[0] = 0;
}

static __always_inline __u64 own_cgroup(struct task_struct *t)
{
	return BPF_CORE_READ((struct cgroup *)task_cgroup(t), kn, id);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = BPF_CORE_READ(child, tgid);
	struct birth b = {};

	if (BPF_CORE_READ(child, pid) != pid)
		return 0; // a thread
	b.started = BPF_CORE_READ(child, start_boottime);
	b.cgroup = own_cgroup(child);
	portray(BPF_CORE_READ(parent, group_leader), &b.by);
	bpf_map_update_elem(&births, &pid, &b, BPF_ANY);
	return 0;
}

// birth_of finds who forked a process. One that was put into its cgroup after
// the fork, as engines and init systems do, or that nobody saw being forked has
// none, nor has the first of its kind: above them is their real parent.
static __always_inline struct birth *birth_of(__u32 pid, __u64 started, __u64 cgroup, __u64 task)
{
	struct birth *b = bpf_map_lookup_elem(&births, &pid);

	if (!b || b->started != started || b->cgroup != cgroup || (task && first_of_its_kind(task)))
		return 0;
	return b;
}

__noinline int forker_of(__u64 task, struct forker *to)
{
	struct task_struct *t = (void *)task, *up;
	struct birth *b;

	if (!to)
		return 0;
	b = birth_of(BPF_CORE_READ(t, tgid), BPF_CORE_READ(t, group_leader, start_boottime), own_cgroup(t), task);
	if (b) {
		to->pid = b->by.pid;
		to->file = b->by.file;
		return 0;
	}
	up = BPF_CORE_READ(t, real_parent);
	to->pid = BPF_CORE_READ(up, tgid);
	task_file((__u64)up, &to->file);
	return 0;
}

// ascend goes up to who forked, as it was then; 0 at the end.
__noinline int ascend(struct lineage *l, struct ancestor *to)
{
	struct task_struct *t, *up = 0;
	struct birth *b;

	if (!l || !to)
		return 0;
	t = (void *)l->task;
	if (!l->begun) {
		l->begun = 1;
		l->pid = BPF_CORE_READ(t, tgid);
		l->started = BPF_CORE_READ(t, group_leader, start_boottime);
		l->cgroup = own_cgroup(t);
	}
	if (t)
		up = BPF_CORE_READ(t, real_parent, group_leader);
	b = birth_of(l->pid, l->started, l->cgroup, l->task);
	if (b) {
		__builtin_memcpy(to, &b->by, sizeof(*to));
		if (up && (BPF_CORE_READ(up, tgid) != to->pid || BPF_CORE_READ(up, start_boottime) != to->started))
			up = 0;
	} else {
		if (!up || !BPF_CORE_READ(up, tgid))
			return 0;
		portray(up, to);
	}
	l->task = (__u64)up;
	l->pid = to->pid;
	l->started = to->started;
	return 1;
}
