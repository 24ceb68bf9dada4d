package model

import (
	"fmt"
	"math"
	"slices"

	"redoubt.dev/redoubt/internal/fault"
)

// Sketch remembers how a size is distributed, in buckets that grow by a fifth
// of a doubling: any quantile is right within 8 %, in at most 5·63+1 buckets.
// Sketches of several gateways add up.
type Sketch struct {
	Buckets []Bucket `json:"buckets,omitempty" yaml:"buckets,omitempty,flow"` // in order
	Max     int64    `json:"max,omitempty" yaml:"max,omitempty"`
}

// Bucket counts sizes: {bucket number, how many}.
type Bucket [2]int64

const (
	fineness  = 5 // buckets in a doubling
	maxBucket = fineness * 63
)

func bucketOf(v int64) int64 {
	if v <= 0 {
		return 0
	}
	return min(1+int64(math.Log2(float64(v))*fineness), maxBucket)
}

func (s *Sketch) add(v int64) {
	s.put(bucketOf(v), 1)
	s.Max = max(s.Max, v)
}

func (s *Sketch) put(bucket, n int64) {
	i, ok := slices.BinarySearchFunc(s.Buckets, bucket, func(b Bucket, k int64) int { return int(b[0] - k) })
	if !ok {
		s.Buckets = slices.Insert(s.Buckets, i, Bucket{bucket, 0})
	}
	s.Buckets[i][1] += n
}

func (s *Sketch) merge(o *Sketch) {
	for _, b := range o.Buckets {
		s.put(b[0], b[1])
	}
	s.Max = max(s.Max, o.Max)
}

// less takes away what base already had.
func (s *Sketch) less(base *Sketch) {
	for _, b := range base.Buckets {
		s.put(b[0], -b[1])
	}
	s.Buckets = slices.DeleteFunc(s.Buckets, func(b Bucket) bool { return b[1] <= 0 })
}

func (s *Sketch) clone() Sketch { return Sketch{slices.Clone(s.Buckets), s.Max} }

// IsZero reports whether nothing was counted.
func (s Sketch) IsZero() bool { return len(s.Buckets) == 0 }

// Count is how many sizes were added.
func (s *Sketch) Count() (n int64) {
	for _, b := range s.Buckets {
		n += b[1]
	}
	return n
}

// Quantile returns a size that a share q of all does not exceed; 0 of none.
func (s *Sketch) Quantile(q float64) int64 {
	left := int64(math.Ceil(q * float64(s.Count())))
	for _, b := range s.Buckets {
		if left -= b[1]; left <= 0 {
			return min(int64(math.Exp2(float64(b[0])/fineness)), s.Max)
		}
	}
	return s.Max
}

// enough is how many sizes it takes to call one unusual.
const enough = 30

// unusual reports whether v lies far outside: above slack, and several times
// the largest seen. The fewer were seen, the more room there is, since the
// next of n is the largest yet once in n+1.
func (s *Sketch) unusual(v, slack int64) (limit int64, yes bool) {
	n := s.Count()
	if n < enough {
		return 0, false
	}
	room := int64(8)
	if n >= 1000 {
		room = 4
	}
	limit = max(s.Max*room, slack)
	return limit, v > limit
}

func (s *Sketch) check() error {
	for i, b := range s.Buckets {
		if b[0] < 0 || b[0] > maxBucket || b[1] < 1 || i > 0 && b[0] <= s.Buckets[i-1][0] {
			return fault.New(fault.Invalid, "bucket %d: numbers go up from 0 to %d, each counted at least once", i+1, maxBucket)
		}
	}
	if s.Max < 0 {
		return fault.New(fault.Invalid, "a largest size of %d", s.Max)
	}
	return nil
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	switch {
	case n < 2<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 2<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
