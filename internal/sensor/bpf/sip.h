// SipHash-2-4 (Aumasson and Bernstein, 2012), word by word. hash.go is its
// twin.
#pragma once

struct sip {
	__u64 a, b, c, d;
};

#define ROTL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static __always_inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = ROTL(s->b, 13) ^ s->a;
	s->a = ROTL(s->a, 32);
	s->c += s->d;
	s->d = ROTL(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = ROTL(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = ROTL(s->b, 17) ^ s->c;
	s->c = ROTL(s->c, 32);
}

static __always_inline void sip_start(struct sip *s, __u64 k0, __u64 k1)
{
	s->a = k0 ^ 0x736f6d6570736575ULL;
	s->b = k1 ^ 0x646f72616e646f6dULL;
	s->c = k0 ^ 0x6c7967656e657261ULL;
	s->d = k1 ^ 0x7465646279746573ULL;
}

static __always_inline void sip_word(struct sip *s, __u64 w)
{
	s->d ^= w;
	sip_round(s);
	sip_round(s);
	s->a ^= w;
}

static __always_inline __u64 sip_end(struct sip *s)
{
	s->c ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}
