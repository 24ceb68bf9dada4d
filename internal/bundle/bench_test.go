package bundle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// fifty is a folder of 1,000 files and 50 MB together.
func fifty(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, 50_000)
	for i := range 1000 {
		at := filepath.Join(dir, fmt.Sprint("d", i%40), fmt.Sprint("f", i))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			b.Fatal(err)
		}
		random.Read(data)
		if err := os.WriteFile(at, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func BenchmarkAdd50MB(b *testing.B) {
	s, dir := newStore(b, Limits{}), fifty(b)
	b.SetBytes(50_000_000)
	for b.Loop() {
		info := add(b, s, FromDir(dir))
		b.StopTimer()
		if err := s.Remove(info.Digest, nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkVerify50MB(b *testing.B) {
	s := newStore(b, Limits{})
	info := add(b, s, FromDir(fifty(b)))
	tree := filepath.Join(s.place(info.Digest), treeName)
	b.Run("contents", func(b *testing.B) {
		b.SetBytes(50_000_000)
		for b.Loop() {
			delete(s.known, info.Digest)
			if err := s.Verify(context.Background(), info.Digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("nothing changed", func(b *testing.B) {
		_, _, now, err := measure(context.Background(), tree, nil, false)
		if err != nil {
			b.Fatal(err)
		}
		s.known[info.Digest] = &known{stamp: now, valid: true}
		for b.Loop() {
			if err := s.Verify(context.Background(), info.Digest); err != nil {
				b.Fatal(err)
			}
		}
	})
}
