package identity

import (
	"context"
	"testing"
	"time"
)

func TestA7_UnknownUserTakesAsLongAsAWrongPassword(t *testing.T) {
	h, ctx := newHasher(), context.Background()
	encoded, err := h.hash(ctx, "a fine long sentence")
	if err != nil {
		t.Fatal(err)
	}
	took := func(encoded string) time.Duration {
		began := time.Now()
		if ok, _, err := h.check(ctx, encoded, "wrong"); ok || err != nil {
			t.Fatal(ok, err)
		}
		return time.Since(began)
	}
	// The least of each, measured in turns: a busy machine slows down both.
	known, unknown := time.Hour, time.Hour
	for range 60 {
		known, unknown = min(known, took(encoded)), min(unknown, took(""))
		if unknown > known*2/3 && known > unknown*2/3 {
			return
		}
	}
	t.Errorf("a known user takes %v, an unknown one %v", known, unknown)
}

func TestA7_HashingHasBoundedMemory(t *testing.T) {
	h := newHasher()
	var done []func()
	for range hashedAtOnce {
		d, err := h.wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := h.hash(ctx, "one too many"); err == nil {
		t.Error("one more password was hashed at the same time")
	}
	done[0]()
	if _, err := h.hash(t.Context(), "now it may"); err != nil {
		t.Error(err)
	}
}

func TestLockoutTableIsBounded(t *testing.T) {
	l := newLockout(userFailures)
	now := time.Unix(1e9, 0)
	for i := range mostTracked + 500 {
		l.try(newID(), now.Add(time.Duration(i)))
	}
	if len(l.by) != mostTracked {
		t.Errorf("%d entries, want %d", len(l.by), mostTracked)
	}
}

func TestLockoutSurvivesAClockSetBack(t *testing.T) {
	l := newLockout(1)
	now := time.Unix(1e9, 0)
	l.try("kim", now)
	if l.try("kim", now) == 0 {
		t.Fatal("not locked")
	}
	if wait := l.try("kim", now.Add(-24*time.Hour)); wait != 0 {
		t.Errorf("locked for %v after the clock went back a day", wait)
	}
}

func FuzzReadPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")
	f.Add("$argon2id$v=19$m=4294967295,t=0,p=300$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := readPHC(s)
		if err == nil && (p.memory > mostMemory || p.passes == 0 || p.passes > mostPasses || p.lanes == 0 || len(p.key) > 64) {
			t.Errorf("%q gives %+v", s, p)
		}
	})
}
