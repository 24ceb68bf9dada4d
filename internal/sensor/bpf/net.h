// Connections: refused or told where they are asked for, listening and
// accepted ones where the socket changes state.
#pragma once

#define AF_INET 2
#define AF_INET6 10
#define TCP 6
#define UDP 17

enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT = 2, TCP_SYN_RECV = 3, TCP_LISTEN = 10 };

static __always_inline void mapped(__u8 *to, __u32 v4)
{
	__builtin_memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &v4, 4);
}

__noinline __u64 flow_alike(const struct net_rec *r)
{
	struct sip s;
	__u64 w[2];

	if (!r)
		return 0;
	sip_start(&s, secret[0], secret[1]);
	sip_word(&s, (__u64)r->head.kind << 32 | r->head.denied << 8 | r->flow.proto);
	sip_word(&s, r->head.cgroup);
	alike_file(&s, &r->proc.file);
	__builtin_memcpy(w, r->flow.remote, 16);
	sip_word(&s, w[0]);
	sip_word(&s, w[1]);
	// A client's own port differs each time and says nothing.
	sip_word(&s, r->head.kind == K_CONNECT ? r->flow.rport : r->flow.lport);
	return sip_end(&s);
}

// exe_path writes the path of a process's program into a record.
__noinline int exe_path(__u64 task, struct net_rec *r)
{
	struct way w = {};

	if (!r)
		return 0;
	start(task, (__u64)BPF_CORE_READ((struct task_struct *)task, mm, exe_file), &w);
	r->path_len = walk_short(&r->path, &w);
	if (w.cut)
		r->head.flags |= F_CUT;
	return 0;
}

// server copies what is known of the process that listens where f ends.
__noinline int server(const struct flow *f, const struct place *at, struct proc *to)
{
	struct listener_key k = {};
	struct proc *p;

	if (!f || !at || !to)
		return 0;
	k.cgroup = at->own;
	k.netns = at->flags;
	k.port = f->lport;
	k.proto = f->proto;
	p = bpf_map_lookup_elem(&listeners, &k);
	if (p)
		*to = *p;
	return 0;
}

// told sends one connection. task is null where no process is at hand.
__noinline int told(const struct flow *f, const struct place *at, __u64 which, __u64 how)
{
	struct task_struct *task = (void *)which;
	struct net_rec *r;
	__u32 kind = (__u32)how;

	if (!f || !at)
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		stat_add(S_LOST, 1);
		return 0;
	}
	__builtin_memset(&r->head, 0, sizeof(r->head));
	__builtin_memset(&r->proc, 0, sizeof(r->proc));
	r->pad = 0;
	r->path_len = 0;
	r->flow = *f;
	r->head.kind = kind;
	r->head.size = sizeof(*r);
	r->head.time = bpf_ktime_get_boot_ns();
	r->head.cgroup = at->tracked;
	r->head.slot = at->slot;
	r->head.denied = how >> 32;
	r->head.known = how >> 40;
	r->head.count = 1;
	if (task) {
		describe(which, &r->proc);
		task_file(which, &r->proc.file);
		task_file((__u64)BPF_CORE_READ(task, real_parent), &r->proc.above);
	} else {
		server(f, at, &r->proc);
	}
	if (!r->head.known) {
		r->head.burst = flow_alike(r);
		r->head.count = throttle(&r->head);
		if (!r->head.count) {
			bpf_ringbuf_discard(r, 0);
			return 0;
		}
	}
	if (task)
		exe_path(which, r);
	bpf_ringbuf_submit(r, 0);
	stat_add(S_SENT, 1);
	return 0;
}

#define HOW(kind, denied, known) ((__u64)(kind) | (__u64)(denied) << 32 | (__u64)(known) << 40)

// settle counts by the rule found and says whether anything need be sent.
static __always_inline bool settle(struct rule *r, __u8 action, const struct place *at, bool *known)
{
	*known = false;
	if (r)
		count(r, bpf_ktime_get_boot_ns());
	if (action != ALLOW)
		return true;
	stat_add(S_KNOWN, 1);
	*known = r && first(at->tracked, r);
	return *known;
}

// outbound answers a hook that may refuse: 1 lets it pass, 0 is EPERM.
__noinline int outbound(const struct flow *f)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct place at = {};
	struct rule *r;
	__u64 word;
	__u8 action;
	bool known;

	if (!f)
		return 1;
	locate(task_cgroup(task), &at);
	word = slot_word(at.slot);
	r = flow_rule(at.slot, word, f);
	action = r ? r->action : WORD_CONNECT(word);
	if (settle(r, action, &at, &known))
		told(f, &at, (__u64)task, HOW(K_CONNECT, action == DENY ? B_CONNECT : B_NONE, known));
	return action != DENY;
}

static __always_inline bool addr4(struct bpf_sock_addr *ctx, struct flow *f)
{
	f->proto = ctx->protocol;
	f->rport = __builtin_bswap16(ctx->user_port);
	mapped(f->remote, ctx->user_ip4);
	return f->proto == TCP || f->proto == UDP;
}

static __always_inline bool addr6(struct bpf_sock_addr *ctx, struct flow *f)
{
	__u32 w[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	f->proto = ctx->protocol;
	f->rport = __builtin_bswap16(ctx->user_port);
	__builtin_memcpy(f->remote, w, 16);
	return f->proto == TCP || f->proto == UDP;
}

#define OUTBOUND(section, name, addr)                     \
	SEC(section)                                      \
	int name(struct bpf_sock_addr *ctx)               \
	{                                                 \
		struct flow f = {};                       \
                                                          \
		return addr(ctx, &f) ? outbound(&f) & 1 : 1; \
	}

OUTBOUND("cgroup/connect4", connect4, addr4)
OUTBOUND("cgroup/connect6", connect6, addr6)
OUTBOUND("cgroup/sendmsg4", sendmsg4, addr4)
OUTBOUND("cgroup/sendmsg6", sendmsg6, addr6)

// binding refuses a denied port, and tells of UDP sockets, which never listen.
// Port 0 is the kernel's choice: no service.
__noinline int binding(struct flow *f)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct place at = {};
	struct rule *r;
	__u64 word;
	__u8 action;
	bool known;

	if (!f)
		return 1;
	f->lport = f->rport;
	f->rport = 0;
	__builtin_memcpy(f->local, f->remote, 16);
	__builtin_memset(f->remote, 0, 16);
	if (!f->lport)
		return 1;
	locate(task_cgroup(task), &at);
	word = slot_word(at.slot);
	r = port_rule(at.slot, word, f->proto, f->lport);
	action = r ? r->action : WORD_LISTEN(word);
	if (f->proto == TCP && action != DENY)
		return 1;
	if (settle(r, action, &at, &known)) {
		at.flags = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
		told(f, &at, (__u64)task, HOW(K_LISTEN, action == DENY ? B_CONNECT : B_NONE, known));
	}
	return action != DENY;
}

#define BINDING(section, name, addr)                      \
	SEC(section)                                      \
	int name(struct bpf_sock_addr *ctx)               \
	{                                                 \
		struct flow f = {};                       \
                                                          \
		return addr(ctx, &f) ? binding(&f) & 1 : 1; \
	}

BINDING("cgroup/bind4", bind4, addr4)
BINDING("cgroup/bind6", bind6, addr6)

static __always_inline __u64 sock_cgroup(const struct sock *sk)
{
	__u64 v = 0;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return (__u64)BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	get(v, (char *)sk + bpf_core_field_offset(struct sock, sk_cgrp_data));
	return v & 1 ? 0 : v;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, const struct sock *sk, const int old, const int new)
{
	__u32 kind = 0, zero = 0;
	struct settings *set;
	struct task_struct *task = 0;
	struct place at = {};
	struct flow f = {};
	struct rule *r;
	__u64 word;
	__u8 action;
	bool known;

	if (new == TCP_LISTEN)
		kind = K_LISTEN;
	else if (old == TCP_SYN_RECV && new == TCP_ESTABLISHED)
		kind = K_ACCEPT;
	else if (new == TCP_SYN_SENT)
		kind = K_CONNECT;
	else
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != TCP)
		return 0;
	if (kind == K_CONNECT) {
		set = bpf_map_lookup_elem(&setting, &zero);
		if (!set || !(set->by_state & (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET ? 1 : 2)))
			return 0;
	}
	f.proto = TCP;
	f.lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	f.rport = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		mapped(f.local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		mapped(f.remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		get(f.local, (char *)sk + bpf_core_field_offset(struct sock, __sk_common.skc_v6_rcv_saddr));
		get(f.remote, (char *)sk + bpf_core_field_offset(struct sock, __sk_common.skc_v6_daddr));
	}
	if (kind == K_LISTEN)
		__builtin_memset(f.remote, 0, 16);
	locate(sock_cgroup(sk), &at);
	word = slot_word(at.slot);
	if (kind == K_CONNECT) {
		r = flow_rule(at.slot, word, &f);
		action = r ? r->action : WORD_CONNECT(word);
	} else {
		r = port_rule(at.slot, word, TCP, f.lport);
		action = r ? r->action : WORD_LISTEN(word);
	}
	at.flags = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (kind != K_ACCEPT)
		task = (void *)bpf_get_current_task();
	if (kind == K_LISTEN) {
		// Kept also when the port is known: accepted connections have no
		// process of their own to name.
		struct listener_key lk = {.cgroup = at.own, .netns = at.flags, .port = f.lport, .proto = TCP};
		struct proc p = {};

		describe((__u64)task, &p);
		task_file((__u64)task, &p.file);
		bpf_map_update_elem(&listeners, &lk, &p, BPF_ANY);
	}
	if (settle(r, action, &at, &known))
		told(&f, &at, (__u64)task, HOW(kind, B_NONE, known));
	return 0;
}

// Attached only to the cgroup that is to be cut off.
SEC("cgroup_skb/ingress")
int drop_in(struct __sk_buff *skb)
{
	return 0;
}

SEC("cgroup_skb/egress")
int drop_out(struct __sk_buff *skb)
{
	return 0;
}
