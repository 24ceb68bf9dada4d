// Exec and exit of processes.
#pragma once

#define ALIGN8(n) (((n) + 7) & ~7)
#define AT(cursor) ((cursor) & 8191)

__noinline __u64 exec_alike(const struct exec_rec *r)
{
	struct sip s;

	if (!r)
		return 0;
	sip_start(&s, secret[0], secret[1]);
	sip_word(&s, (__u64)r->head.kind << 32 | r->head.denied << 8 | r->head.flags);
	sip_word(&s, r->head.cgroup);
	sip_word(&s, r->args_hash);
	sip_word(&s, r->proc.uid);
	alike_file(&s, &r->proc.file);
	alike_file(&s, &r->proc.above);
	return sip_end(&s);
}

#define FMODE_EXEC 0x20 // opened to be executed; open(2) cannot ask for it
#define CLOSED 512

// script_file finds the file of the script that an interpreter was started
// for. The kernel has let go of it but puts that off until the task returns to
// user space, so it waits in the task's list of work. Files closed by the exec
// itself and the old program's came later and stand before it: of those opened
// to be executed the oldest is the script. Null if the list is longer than
// looked through.
__noinline __u64 script_file(__u64 task)
{
	struct callback_head *work = BPF_CORE_READ((struct task_struct *)task, task_works);
	__u64 back, found = 0;

	if (bpf_core_field_exists(struct file, f_task_work))
		back = bpf_core_field_offset(struct file, f_task_work);
	else if (bpf_core_field_exists(struct file___v61, f_rcuhead))
		back = bpf_core_field_offset(struct file___v61, f_rcuhead);
	else
		back = bpf_core_field_offset(struct file___v515, f_u);
	for (int i = 0; i < CLOSED && work; i++) {
		struct file *f = (struct file *)((char *)work - back);

		if (BPF_CORE_READ(f, f_flags) & FMODE_EXEC) {
			struct inode *in = BPF_CORE_READ(f, f_inode);

			if (in && BPF_CORE_READ(f, f_path.dentry, d_inode) == in)
				found = (__u64)f;
		}
		work = BPF_CORE_READ(work, next);
	}
	return work ? 0 : found;
}

// belongs sets what the process is to its cgroup and namespaces.
__noinline int belongs(__u64 which, const struct place *at, struct head *h)
{
	struct task_struct *task = (void *)which;
	struct task_struct *up = BPF_CORE_READ(task, real_parent);
	struct place above = {};
	__u64 *bound, tracked;

	if (!at || !h)
		return 0;
	if (first_of_its_kind(which))
		h->flags |= F_INIT;
	if (!at->slot)
		return 0;
	if (at->own != 1 && node_mntns && BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum) == node_mntns)
		h->flags |= F_RUNTIME;
	if (!(h->flags & F_RUNTIME)) {
		// The engine starts the first program of a container it has just
		// made: that has not entered, even in the node's pid namespace.
		tracked = at->tracked;
		bound = bpf_map_lookup_elem(&cgroups, &tracked);
		if (bound && *bound & FRESH) {
			*bound &= ~FRESH;
			return 0;
		}
	}
	if (h->flags & F_INIT || BPF_CORE_READ(up, tgid) <= 1)
		return 0;
	locate(task_cgroup(up), &above);
	if (above.tracked != at->tracked)
		h->flags |= F_ENTERED;
	return 0;
}

__noinline __u32 ancestry(__u64 task, struct exec_scratch *s, struct forebears *to)
{
	__u32 n = 0;

	if (!s || !to)
		return 0;
	__builtin_memset(&s->line, 0, sizeof(s->line));
	s->line.task = task;
	for (int i = 0; i < ANCESTORS; i++) {
		if (!ascend(&s->line, &to->a[i]))
			break;
		n++;
		if (s->line.pid == 1)
			break;
	}
	return n;
}

// hash_args hashes the kept arguments, zero-padded to words, and the length
// they had before they were cut. Never 0, which means any.
__noinline __u64 hash_args(struct exec_scratch *s)
{
	struct sip sip;
	__u64 h;

	if (!s)
		return 0;
	sip_start(&sip, 0x7265646f7562742eULL, 0x617267756d656e74ULL);
	for (__u32 i = 0; i < ARGS_KEPT / 8; i++) {
		if (i * 8 >= s->rec.args_len)
			break;
		sip_word(&sip, ((__u64 *)s->data)[i]);
	}
	sip_word(&sip, s->rec.args_total);
	h = sip_end(&sip);
	return h ? h : 1;
}

// arguments reads what is kept of argv behind the record and hashes it.
__noinline int arguments(__u64 which, struct exec_scratch *s)
{
	struct task_struct *task = (void *)which;
	unsigned long from = BPF_CORE_READ(task, mm, arg_start), to = BPF_CORE_READ(task, mm, arg_end);
	__u64 len = to - from;

	if (!s)
		return 0;
	s->rec.args_total = len;
	if (len > ARGS_KEPT) {
		len = ARGS_KEPT;
		s->rec.head.flags |= F_CUT;
	}
	*(__u64 *)(s->data + (len & 8184)) = 0; // the last word is hashed whole
	if (len == 0 || bpf_probe_read_user(s->data, len, (const void *)from))
		len = 0;
	s->rec.args_len = len;
	s->rec.args_hash = hash_args(s);
	return 0;
}

static __always_inline __u8 choose(struct rule *r, __u8 mode)
{
	return r && r->action <= HOLD ? r->action : mode;
}

// place writes path, cwd, interpreter and ancestors behind the arguments and
// returns the length of it all, to be sent.
static __always_inline __u32 place(struct task_struct *task, struct exec_scratch *s, struct file *file,
				   const char *filename, const char *interp)
{
	__u32 cursor = ALIGN8(s->rec.args_len), n;
	struct way w = {};

	start((__u64)task, (__u64)file, &w);
	if (s->rec.head.flags & F_UNREAD)
		n = bpf_probe_read_kernel_str(s->data + AT(cursor), PATH_KEPT, filename);
	else
		n = walk_long((void *)(s->data + AT(cursor)), &w);
	s->rec.path_len = n = n <= PATH_KEPT + NAME_MAX ? n : 0;
	cursor = ALIGN8(cursor + n);
	w.mnt = (__u64)BPF_CORE_READ(task, fs, pwd.mnt);
	w.dentry = (__u64)BPF_CORE_READ(task, fs, pwd.dentry);
	s->rec.cwd_len = n = walk_long((void *)(s->data + AT(cursor)), &w);
	cursor = ALIGN8(cursor + n);
	if (s->rec.head.flags & F_SCRIPT) {
		n = bpf_probe_read_kernel_str(s->data + AT(cursor), NAME_MAX, interp);
		s->rec.interp_len = n = n <= NAME_MAX ? n : 0;
		cursor = ALIGN8(cursor + n);
	}
	if (w.cut)
		s->rec.head.flags |= F_CUT;
	s->rec.ancestors = ancestry((__u64)task, s, (void *)(s->data + (AT(cursor) & ~7)));
	return cursor + s->rec.ancestors * sizeof(struct ancestor);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_seen, struct task_struct *current, int old, struct linux_binprm *bprm)
{
	struct task_struct *task = (void *)bpf_get_current_task(); // as a number, for the functions
	__u32 zero = 0, size, pid;
	struct exec_scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	struct file *file = BPF_CORE_READ(bprm, file), *ran = file;
	const char *filename = BPF_CORE_READ(bprm, filename), *interp = BPF_CORE_READ(bprm, interp);
	struct place at = {};
	struct ident id = {}, by = {};
	struct rule *r, *rule;
	struct head *h;
	__u64 word, now;
	__u8 action, mode;

	if (!s)
		return 0;
	h = &s->rec.head;
	__builtin_memset(&s->rec, 0, sizeof(s->rec));
	locate(task_cgroup(task), &at);
	word = slot_word(at.slot);
	mode = WORD_EXEC(word);

	if (filename != interp) {
		struct file *script = (void *)script_file((__u64)task);

		h->flags |= F_SCRIPT;
		identify((__u64)BPF_CORE_READ(ran, f_inode), &by);
		s->rec.interp_file = by.key;
		if (script)
			file = script;
		else
			h->flags |= F_UNREAD;
	}
	identify((__u64)BPF_CORE_READ(file, f_inode), &id);
	s->rec.proc.file = id.key;
	h->origin = id.origin;
	h->flags |= id.flags;
	forker_of((__u64)task, &s->above);
	s->rec.proc.above = s->above.file;
	if (word & WORD_ARGS)
		arguments((__u64)task, s);
	r = exec_rule(at.slot, word, &s->rec.proc.file, &s->rec.proc.above, s->rec.args_hash);
	action = choose(r, mode);
	if (file != ran) {
		// The interpreter counts too: a denied one is denied, and one that
		// is not the image's own needs a rule with the script as parent.
		rule = exec_rule(at.slot, word, &by.key, &s->rec.proc.file, 0);
		if (rule && rule->action == DENY) {
			r = rule;
			action = DENY;
		} else if (action == ALLOW && by.origin != O_IMAGE && !rule) {
			r = 0;
			action = mode == ALLOW ? REPORT : mode;
		}
	}

	now = bpf_ktime_get_boot_ns();
	if (r)
		count(r, now);
	if (action == ALLOW) {
		stat_add(S_KNOWN, 1);
		if (!r || !first(at.tracked, r))
			return 0;
		h->known = 1;
	}
	if (action == DENY && bpf_send_signal(9) == 0)
		h->denied = B_KILL;
	if (action == HOLD && bpf_send_signal(19) == 0)
		h->flags |= F_HELD;

	h->kind = K_EXEC;
	h->time = now;
	h->cgroup = at.tracked;
	h->slot = at.slot;
	h->count = 1;
	describe((__u64)task, &s->rec.proc);
	s->rec.proc.parent = s->above.pid;
	belongs((__u64)task, &at, h);
	if (!(word & WORD_ARGS))
		arguments((__u64)task, s);
	if (action == REPORT || action == DENY) {
		h->burst = exec_alike(&s->rec);
		h->count = throttle(h);
		if (!h->count)
			return 0;
	}
	size = place(task, s, file, filename, interp);
	if (size > sizeof(s->data))
		return 0;
	h->size = size += sizeof(s->rec);
	if (bpf_ringbuf_output(&ring, s, size, 0)) {
		stat_add(S_LOST, h->count);
		// Nobody will hear of it, so nobody would let it go on.
		if (h->flags & F_HELD)
			bpf_send_signal(18);
		return 0;
	}
	stat_add(S_SENT, 1);
	pid = s->rec.proc.pid;
	bpf_map_update_elem(&alive, &pid, &s->rec.proc.started, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_seen, struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid);
	__u64 *started;
	struct exit_rec *r;
	struct place at = {};
	int code;

	started = bpf_map_lookup_elem(&alive, &pid);
	if (!started || BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	if (*started != BPF_CORE_READ(task, group_leader, start_boottime))
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		stat_add(S_LOST, 1);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	locate(task_cgroup(task), &at);
	code = BPF_CORE_READ(task, signal, group_exit_code);
	if (!code)
		code = BPF_CORE_READ(task, exit_code);
	r->head.kind = K_EXIT;
	r->head.size = sizeof(*r);
	r->head.time = bpf_ktime_get_boot_ns();
	r->head.cgroup = at.tracked;
	r->head.slot = at.slot;
	r->head.count = 1;
	r->started = *started;
	r->pid = pid;
	r->code = code;
	bpf_ringbuf_submit(r, 0);
	stat_add(S_SENT, 1);
	bpf_map_delete_elem(&alive, &pid);
	return 0;
}
