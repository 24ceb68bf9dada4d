// Birth and end of cgroups: a new one takes the slot that was bound to its
// name before it existed.
#pragma once

static __always_inline void cgroup_told(struct cgroup *cg, const char *path, __u32 kind, __u32 slot, __u16 flags)
{
	struct cgroup_rec *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		stat_add(S_LOST, 1);
		return;
	}
	__builtin_memset(&r->head, 0, sizeof(r->head));
	r->head.kind = kind;
	r->head.size = sizeof(*r);
	r->head.time = bpf_ktime_get_boot_ns();
	r->head.cgroup = BPF_CORE_READ(cg, kn, id);
	r->head.slot = slot;
	r->head.flags = flags;
	r->head.count = 1;
	if (bpf_probe_read_kernel_str(r->path, sizeof(r->path), path) < 0)
		r->path[0] = 0;
	bpf_ringbuf_submit(r, 0);
	stat_add(S_SENT, 1);
}

// The other hierarchies of cgroup v1 fire the same tracepoint; the unified one
// is number 0.
static __always_inline bool unified(struct cgroup *cg)
{
	return BPF_CORE_READ(cg, root, hierarchy_id) == 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_born, struct cgroup *cg, const char *path)
{
	char name[128] = {};
	__u64 id, bound;
	__u32 *slot;

	if (!unified(cg))
		return 0;
	id = BPF_CORE_READ(cg, kn, id);
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(cg, kn, name));
	slot = bpf_map_lookup_elem(&names, name);
	if (!slot) {
		cgroup_told(cg, path, K_BORN, 0, 0);
		return 0;
	}
	bound = *slot | FRESH;
	bpf_map_update_elem(&cgroups, &id, &bound, BPF_ANY);
	cgroup_told(cg, path, K_BORN, *slot, F_NAMED);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_gone, struct cgroup *cg, const char *path)
{
	__u64 id;

	if (!unified(cg))
		return 0;
	id = BPF_CORE_READ(cg, kn, id);
	bpf_map_delete_elem(&cgroups, &id);
	cgroup_told(cg, path, K_GONE, 0, 0);
	return 0;
}
