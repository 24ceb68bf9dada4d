package bundle

import (
	"cmp"
	"fmt"

	"redoubt.dev/redoubt/internal/fault"
)

// Limits bound what is taken in. Zero fields get the defaults given.
type Limits struct {
	Unpacked int64 // bytes of a bundle's files; 250 MiB, as on Lambda
	Image    int64 // bytes of an image's files, of all layers together; 10 GiB
	Files    int   // entries of a bundle, directories included; 100,000
	Path     int   // bytes of a name with its directories; 1024
	Depth    int   // directories below each other; 64
	Ratio    int   // how many times its packed size a bundle over 64 MiB may have; 100
}

func (l Limits) withDefaults() Limits {
	l.Unpacked = cmp.Or(l.Unpacked, 250<<20)
	l.Image = cmp.Or(l.Image, 10<<30)
	l.Files = cmp.Or(l.Files, 100_000)
	l.Path = cmp.Or(l.Path, 1024)
	l.Depth = cmp.Or(l.Depth, 64)
	l.Ratio = cmp.Or(l.Ratio, 100)
	return l
}

// suspicious is the size below which nothing is called a bomb.
const suspicious = 64 << 20

// budget counts what a bundle costs while it is unpacked.
type budget struct {
	Limits
	most    int64        // bytes
	packed  func() int64 // bytes of the archive read so far; nil for a folder
	bytes   int64
	entries int
}

// spend takes n bytes of a file.
func (b *budget) spend(n int64) error {
	if n < 0 || n > b.most-b.bytes {
		return fault.New(fault.Limited, "it unpacks to more than %s: make it smaller, or move what does not change into a layer", size(b.most))
	}
	b.bytes += n
	if b.packed == nil {
		return nil
	}
	return b.checkRatio(b.bytes, b.packed())
}

func (b *budget) checkRatio(unpacked, packed int64) error {
	if unpacked > suspicious && unpacked/int64(b.Ratio) > packed {
		return fault.New(fault.Limited, "it unpacks to over %d times its size, as a zip bomb does", b.Ratio)
	}
	return nil
}

// entry takes one file, directory or link.
func (b *budget) entry() error {
	if b.entries++; b.entries > b.Files {
		return fault.New(fault.Limited, "it holds more than %d files and directories", b.Files)
	}
	return nil
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
