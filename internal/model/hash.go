package model

// fnv is the 64-bit FNV-1a hash: the same on every gateway. Nothing but the
// names of units hangs on it.
type fnv uint64

func newHash() fnv { return 14695981039346656037 }

func (h *fnv) text(s string) {
	v := *h
	for i := range len(s) {
		v = (v ^ fnv(s[i])) * 1099511628211
	}
	*h = (v ^ 0xff) * 1099511628211
}

func hashOf(s string) uint64 {
	h := newHash()
	h.text(s)
	return uint64(h)
}
