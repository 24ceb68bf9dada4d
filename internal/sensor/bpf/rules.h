// Deciding: find the rule, count it, hold back what repeats too fast.
#pragma once

#define SECOND 1000000000ULL

static __noinline struct rule *exec_rule(__u32 slot, __u64 word, const struct filekey *file,
					 const struct filekey *parent, __u64 args)
{
	struct exec_key k = {.slot = slot, .gen = WORD_GEN(word), .file = *file};
	struct rule *r;

	if (!(word & WORD_RULES) || !file->ino)
		return 0;
	if (word & WORD_PARENT) {
		k.parent = *parent;
		if (word & WORD_ARGS && args) {
			k.args = args;
			r = bpf_map_lookup_elem(&exec_rules, &k);
			if (r)
				return r;
			k.args = 0;
		}
		r = bpf_map_lookup_elem(&exec_rules, &k);
		if (r)
			return r;
		k.parent = (struct filekey){};
	}
	if (word & WORD_ARGS && args) {
		k.args = args;
		r = bpf_map_lookup_elem(&exec_rules, &k);
		if (r)
			return r;
		k.args = 0;
	}
	return bpf_map_lookup_elem(&exec_rules, &k);
}

// Longer prefix first; among equals the one with a port, then with a protocol.
static __always_inline struct rule *flow_rule(__u32 slot, __u64 word, const struct flow *f)
{
	struct flow_key k = {.bits = 224, .slot = slot, .gen = WORD_GEN(word)};
	struct rule *best = 0, *r;

	if (!(word & WORD_FLOWS))
		return 0;
	__builtin_memcpy(k.addr, f->remote, 16);
	for (int i = 0; i < 4; i++) {
		k.port = i & 2 ? 0 : f->rport;
		k.proto = i & 1 ? 0 : f->proto;
		r = bpf_map_lookup_elem(&flow_rules, &k);
		if (r && (!best || r->bits > best->bits))
			best = r;
	}
	return best;
}

static __always_inline struct rule *port_rule(__u32 slot, __u64 word, __u8 proto, __u16 port)
{
	struct port_key k = {.slot = slot, .gen = WORD_GEN(word), .port = port, .proto = proto};

	return word & WORD_PORTS ? bpf_map_lookup_elem(&port_rules, &k) : 0;
}

static __always_inline void count(const struct rule *r, __u64 now)
{
	__u32 index = r->index;
	struct tally *t = bpf_map_lookup_elem(&tallies, &index);

	if (!t)
		return;
	__sync_fetch_and_add(&t->count, 1);
	if (now > t->last && now - t->last >= SECOND) {
		t->last = now;
		__sync_fetch_and_add(&t->units, 1);
	}
}

// first says whether this rule was not yet seen in this cgroup.
static __always_inline bool first(__u64 cgroup, const struct rule *r)
{
	struct seen_key k = {.cgroup = cgroup, .serial = r->serial};
	__u8 one = 1;

	if (bpf_map_lookup_elem(&seen, &k))
		return false;
	return bpf_map_update_elem(&seen, &k, &one, BPF_NOEXIST) == 0;
}

static __always_inline void alike_file(struct sip *s, const struct filekey *k)
{
	sip_word(s, k->dev);
	sip_word(s, k->ino);
	sip_word(s, k->ctime);
}

// throttle says for how many alike this sighting speaks: 0 is none, it was
// counted and is told later. When the table is full nothing is held back.
__noinline __u32 throttle(struct head *h)
{
	struct burst fresh = {.sent = 1}, *b;
	__u64 key, now, n;

	if (!h)
		return 1;
	key = h->burst;
	fresh.since = now = h->time;
	b = bpf_map_lookup_elem(&bursts, &key);
	if (!b) {
		if (bpf_map_update_elem(&bursts, &key, &fresh, BPF_NOEXIST) && !(b = bpf_map_lookup_elem(&bursts, &key)))
			return 1;
		if (!b)
			return 1;
	}
	if (now > b->since && now - b->since >= SECOND) {
		b->since = now;
		b->sent = 1;
		return 1 + __sync_lock_test_and_set(&b->held, 0);
	}
	n = __sync_fetch_and_add(&b->sent, 1);
	if (n >= burst_limit) {
		__sync_fetch_and_add(&b->held, 1);
		stat_add(S_HELD, 1);
		return 0;
	}
	if (n + 1 == burst_limit)
		h->flags |= F_LAST;
	return 1;
}
