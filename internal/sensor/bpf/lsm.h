// Refusing an exec before it begins, where the kernel runs BPF LSM programs.
// The arguments cannot be read yet: files that have rules by arguments are
// left to the tracepoint.
#pragma once

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_asked, struct linux_binprm *bprm, int ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = BPF_CORE_READ(bprm, file);
	bool second = BPF_CORE_READ(bprm, filename) != BPF_CORE_READ(bprm, interp);
	struct forker above = {};
	struct ident id = {};
	struct place at = {};
	struct way w = {};
	struct exec_rec *r;
	struct {
		struct exec_rec rec;
		struct long_names path;
	} *out;
	struct rule *rule;
	__u64 word, now;

	stat_add(S_LSM, 1);
	if (ret)
		return ret;
	locate(task_cgroup(task), &at);
	word = slot_word(at.slot);
	if (!(word & WORD_RULES) && WORD_EXEC(word) != DENY)
		return 0;
	identify((__u64)BPF_CORE_READ(file, f_inode), &id);
	forker_of((__u64)task, &above);
	if (word & WORD_ARGS) {
		struct exec_key mark = {.slot = at.slot, .gen = WORD_GEN(word), .file = id.key, .args = ~0ULL};

		if (bpf_map_lookup_elem(&exec_rules, &mark))
			return 0;
	}
	rule = exec_rule(at.slot, word, &id.key, &above.file, 0);
	if (rule ? rule->action != DENY : second || WORD_EXEC(word) != DENY)
		return 0;
	now = bpf_ktime_get_boot_ns();
	if (rule)
		count(rule, now);
	out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	if (!out) {
		stat_add(S_LOST, 1);
		return -1;
	}
	r = &out->rec;
	__builtin_memset(r, 0, sizeof(*r));
	r->head.kind = K_EXEC;
	r->head.time = now;
	r->head.cgroup = at.tracked;
	r->head.slot = at.slot;
	r->head.count = 1;
	r->head.denied = B_LSM;
	r->head.origin = id.origin;
	r->head.flags = id.flags;
	describe((__u64)task, &r->proc);
	r->proc.file = id.key;
	r->proc.above = above.file;
	r->proc.parent = above.pid;
	belongs((__u64)task, &at, &r->head);
	r->head.burst = exec_alike(r);
	r->head.count = throttle(&r->head);
	if (!r->head.count) {
		bpf_ringbuf_discard(out, 0);
		return -1;
	}
	start((__u64)task, (__u64)file, &w);
	r->path_len = walk_long(&out->path, &w);
	if (w.cut)
		r->head.flags |= F_CUT;
	r->head.size = sizeof(*out);
	bpf_ringbuf_submit(out, 0);
	stat_add(S_SENT, 1);
	return -1;
}
