package sensor

import (
	"encoding/binary"
	"math/bits"
)

// ArgsKept is how many bytes of argv, each argument with its NUL, the kernel
// side reads, hashes and sends. What lies beyond is not seen, only its length.
const ArgsKept = 4096

// HashArgs is the kernel's hash over argv: SipHash-2-4 over the kept bytes and
// the whole length. It is never 0. Arguments longer than ArgsKept hash alike
// if they begin alike and are equally long: do not allow such by their hash.
func HashArgs(args []string) uint64 {
	kept := make([]byte, 0, 256)
	total := 0
	for _, a := range args {
		total += len(a) + 1
		if room := ArgsKept - len(kept); room > 0 {
			kept = append(kept, a[:min(len(a), room)]...)
			if len(kept) < ArgsKept {
				kept = append(kept, 0)
			}
		}
	}
	return hashKept(kept, uint32(total))
}

func hashKept(kept []byte, total uint32) uint64 {
	h := newSip(0x7265646f7562742e, 0x617267756d656e74)
	for len(kept) >= 8 {
		h.word(binary.LittleEndian.Uint64(kept))
		kept = kept[8:]
	}
	if len(kept) > 0 {
		var last [8]byte
		copy(last[:], kept)
		h.word(binary.LittleEndian.Uint64(last[:]))
	}
	h.word(uint64(total))
	return max(h.end(), 1)
}

// sip is SipHash-2-4 (Aumasson and Bernstein, 2012) by words, the twin of
// bpf/sip.h.
type sip struct{ a, b, c, d uint64 }

func newSip(k0, k1 uint64) *sip {
	return &sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (s *sip) round() {
	s.a += s.b
	s.b = bits.RotateLeft64(s.b, 13) ^ s.a
	s.a = bits.RotateLeft64(s.a, 32)
	s.c += s.d
	s.d = bits.RotateLeft64(s.d, 16) ^ s.c
	s.a += s.d
	s.d = bits.RotateLeft64(s.d, 21) ^ s.a
	s.c += s.b
	s.b = bits.RotateLeft64(s.b, 17) ^ s.c
	s.c = bits.RotateLeft64(s.c, 32)
}

func (s *sip) word(w uint64) {
	s.d ^= w
	s.round()
	s.round()
	s.a ^= w
}

func (s *sip) end() uint64 {
	s.c ^= 0xff
	for range 4 {
		s.round()
	}
	return s.a ^ s.b ^ s.c ^ s.d
}
