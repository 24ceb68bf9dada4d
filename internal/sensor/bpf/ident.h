// Who and what: the cgroup and slot of a task, the real file behind an inode,
// the path of a dentry, the facts of a process.
#pragma once

#define OVERLAY_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLB_MAGIC 0x958458f6

#define get(dst, src) bpf_probe_read_kernel(&(dst), sizeof(dst), (const void *)(src))

__noinline int stat_add(__u32 i, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&stats, &i);

	if (v)
		*v += n;
	return 0;
}

// Each in a function of its own, lest the compiler move an offset that this
// kernel does not have in front of the question whether it has it.
static __noinline __u64 ancestor_new(struct cgroup *cg, __u32 level)
{
	struct cgroup *up = 0;

	get(up, (char *)cg + bpf_core_field_offset(struct cgroup, ancestors) + 8 * (__u64)level);
	return BPF_CORE_READ(up, kn, id);
}

static __noinline __u64 ancestor_v515(struct cgroup *cg, __u32 level)
{
	__u64 id = 0;

	get(id, (char *)cg + bpf_core_field_offset(struct cgroup___v515, ancestor_ids) + 8 * (__u64)level);
	return id;
}

static __always_inline __u64 ancestor_id(struct cgroup *cg, __u32 level)
{
	if (bpf_core_field_exists(cg->ancestors))
		return ancestor_new(cg, level);
	return ancestor_v515(cg, level);
}

// locate finds the nearest cgroup at or above cg that has a slot.
//
// It and others below are global functions, which the verifier checks once and
// apart from their callers: else what it knows of each loop's end multiplies.
// They take kernel pointers as numbers.
__noinline int locate(__u64 cgroup, struct place *at)
{
	struct cgroup *cg = (void *)cgroup;
	__u32 level;

	if (!at)
		return 0;
	at->own = BPF_CORE_READ(cg, kn, id);
	at->tracked = at->own;
	at->slot = 0;
	at->flags = 0;
	level = BPF_CORE_READ(cg, level);
	for (__u32 i = 0; i < LEVELS; i++) {
		__u64 id, *bound;

		if (i > level)
			break;
		id = i ? ancestor_id(cg, level - i) : at->own;
		bound = bpf_map_lookup_elem(&cgroups, &id);
		if (bound) {
			at->tracked = id;
			at->slot = (__u32)*bound;
			return 1;
		}
	}
	return 0;
}

static __always_inline __u64 task_cgroup(struct task_struct *t)
{
	return (__u64)BPF_CORE_READ(t, cgroups, dfl_cgrp);
}

static __always_inline __u64 slot_word(__u32 slot)
{
	__u64 *w = bpf_map_lookup_elem(&slots, &slot);

	return w ? *(volatile __u64 *)w : 0;
}

static __always_inline __s64 change_time(struct inode *i)
{
	struct timespec64 t = {};

	if (bpf_core_field_exists(i->i_ctime_sec)) // since 6.11; the top bit is a flag of its own
		return BPF_CORE_READ(i, i_ctime_sec) * 1000000000LL + (BPF_CORE_READ(i, i_ctime_nsec) & 0x7fffffff);
	if (bpf_core_field_exists(struct inode___v66, __i_ctime))
		t = BPF_CORE_READ((struct inode___v66 *)i, __i_ctime);
	else if (bpf_core_field_exists(struct inode___v515, i_ctime))
		t = BPF_CORE_READ((struct inode___v515 *)i, i_ctime);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// real looks below overlayfs for the inode that holds the content.
static __noinline struct inode *real(struct inode *i, __u8 *origin, __u16 *flags)
{
	__u32 zero = 0, n = 1;
	struct settings *set = bpf_map_lookup_elem(&setting, &zero);
	struct dentry *upper = 0, *d = 0;
	struct inode *low = 0;
	char *p = 0;

	if (!set || !set->lower_kind) {
		*flags |= F_BLIND;
		return i;
	}
	get(upper, (char *)i + set->upper);
	p = (char *)i + set->lower;
	if (set->lower_kind == LOWER_INODE) {
		get(low, p);
	} else {
		if (set->lower_kind == LOWER_ENTRY) {
			get(p, p);
			get(n, p + set->lower_count);
		}
		if (n && p)
			get(d, p + set->lower_dentry);
		if (d)
			low = BPF_CORE_READ(d, d_inode);
	}
	if (upper) {
		*origin = O_WRITTEN;
		if (low)
			*flags |= F_SHADOWS;
		low = BPF_CORE_READ(upper, d_inode);
	}
	if (!low) {
		*flags |= F_BLIND;
		return i;
	}
	return low;
}

__noinline int identify(__u64 inode, struct ident *out)
{
	struct inode *i = (void *)inode;
	struct super_block *sb;
	unsigned long magic;
	__u16 flags = 0;
	__u8 origin = O_IMAGE;

	if (!out)
		return 0;
	__builtin_memset(out, 0, sizeof(*out));
	if (!i)
		return 0;
	sb = BPF_CORE_READ(i, i_sb);
	magic = BPF_CORE_READ(sb, s_magic);
	bool nameless = !BPF_CORE_READ(i, i_nlink);
	if (magic == OVERLAY_MAGIC) {
		i = real(i, &origin, &flags);
		sb = BPF_CORE_READ(i, i_sb);
	} else if (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == HUGETLB_MAGIC) {
		origin = O_MEMORY;
	}
	out->key.dev = BPF_CORE_READ(sb, s_dev);
	out->key.ino = BPF_CORE_READ(i, i_ino);
	out->key.ctime = change_time(i);
	out->origin = nameless ? O_MEMORY : origin;
	out->flags = flags;
	return 0;
}

static __always_inline struct mount *mount_of(struct vfsmount *m)
{
	return (struct mount *)((char *)m - bpf_core_field_offset(struct mount, mnt));
}

// walk writes the names from a dentry up to the root of the process, leaf
// first, each with its NUL, and returns their length. buf holds cap+NAME_MAX.
static __always_inline __u32 walk(char *buf, const __u32 cap, struct way *w)
{
	struct mount *m = mount_of((void *)w->mnt), *top = mount_of((void *)w->root_mnt);
	struct dentry *d = (void *)w->dentry, *end = (void *)w->root_dentry;
	__u32 off = w->off;
	int i;

	for (i = 0; i < DEPTH; i++) {
		const unsigned char *name;
		struct dentry *up;
		long n;

		if (d == end && m == top)
			break;
		up = BPF_CORE_READ(d, d_parent);
		if (!d || d == BPF_CORE_READ(m, mnt.mnt_root)) {
			struct mount *over = BPF_CORE_READ(m, mnt_parent);

			if (!d || over == m)
				break;
			d = BPF_CORE_READ(m, mnt_mountpoint);
			m = over;
			continue;
		}
		if (off >= cap) {
			w->cut = 1;
			break;
		}
		name = BPF_CORE_READ(d, d_name.name);
		n = bpf_probe_read_kernel_str(buf + (off & (cap - 1)), NAME_MAX, name);
		if (n <= 0)
			break;
		off = (off + n) & (2 * cap - 1);
		if (d == up) // of no directory at all, as a memfd
			break;
		d = up;
	}
	if (i == DEPTH)
		w->cut = 1;
	return off;
}

__noinline __u32 walk_long(struct long_names *to, struct way *w)
{
	return to && w ? walk(to->b, PATH_KEPT, w) : 0;
}

__noinline __u32 walk_short(struct short_names *to, struct way *w)
{
	return to && w ? walk(to->b, FLOW_PATH, w) : 0;
}

// start sets out from a file to the root of a process.
__noinline int start(__u64 task, __u64 file, struct way *w)
{
	struct task_struct *t = (void *)task;
	struct file *f = (void *)file;

	if (!w)
		return 0;
	w->mnt = (__u64)BPF_CORE_READ(f, f_path.mnt);
	w->dentry = (__u64)BPF_CORE_READ(f, f_path.dentry);
	w->root_mnt = (__u64)BPF_CORE_READ(t, fs, root.mnt);
	w->root_dentry = (__u64)BPF_CORE_READ(t, fs, root.dentry);
	w->off = 0;
	w->cut = 0;
	return 0;
}

__noinline int task_file(__u64 task, struct filekey *key)
{
	struct task_struct *t = (void *)task;
	struct ident id = {};

	if (!key)
		return 0;
	identify((__u64)BPF_CORE_READ(t, mm, exe_file, f_inode), &id);
	*key = id.key;
	return 0;
}

// describe fills in everything of a process but its own program file.
__noinline int describe(__u64 task, struct proc *p)
{
	struct task_struct *t = (void *)task, *up;
	const struct cred *cred;

	if (!p)
		return 0;
	up = BPF_CORE_READ(t, real_parent);
	cred = BPF_CORE_READ(t, cred);
	p->pid = BPF_CORE_READ(t, tgid);
	p->started = BPF_CORE_READ(t, group_leader, start_boottime);
	p->parent = BPF_CORE_READ(up, tgid);
	p->uid = BPF_CORE_READ(cred, euid.val);
	p->gid = BPF_CORE_READ(cred, egid.val);
	get(p->caps, (char *)cred + bpf_core_field_offset(struct cred, cap_effective));
	return 0;
}
