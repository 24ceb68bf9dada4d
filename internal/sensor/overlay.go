package sensor

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// Kinds of place where overlayfs keeps the lower inode, as in bpf/shapes.h.
const (
	lowerInode = 1 + iota // until 5.18: a pointer to it
	lowerPath             // until 6.4: a path
	lowerEntry            // since 6.5: a counted list of paths
)

// settings is struct settings of bpf/shapes.h.
type settings struct {
	Upper, Lower                       int32
	LowerKind, LowerCount, LowerDentry uint32
	ByState                            uint32
}

// overlay tells the kernel side where overlayfs keeps the real inodes. The
// types are in BTF of the kernel or of its module, and only once that is
// loaded, hence not by relocation at load time. Reports whether it is known.
func (s *Sensor) overlay(cache *btf.Cache) bool {
	if s.settings.LowerKind != 0 {
		return true
	}
	var ovl *btf.Struct
	if spec, err := cache.Kernel(); err == nil && spec.TypeByName("ovl_inode", &ovl) != nil {
		if spec, err = cache.Module("overlay"); err != nil || spec.TypeByName("ovl_inode", &ovl) != nil {
			return false
		}
	}
	if ovl == nil {
		return false
	}
	set, err := overlayLayout(ovl)
	if err != nil {
		s.log.Warn("overlay layout unknown", "error", err)
		return false
	}
	set.ByState = s.settings.ByState
	s.settings = set
	if err := s.maps[bpfMapSetting].Put(uint32(0), set); err != nil {
		s.log.Warn("overlay layout not set", "error", err)
		return false
	}
	return true
}

func overlayLayout(ovl *btf.Struct) (settings, error) {
	inode, ok := member(ovl, "vfs_inode")
	upper, ok2 := member(ovl, "__upperdentry")
	if !ok || !ok2 {
		return settings{}, fmt.Errorf("struct ovl_inode has no vfs_inode or __upperdentry")
	}
	base := int32(inode.Offset.Bytes())
	set := settings{Upper: int32(upper.Offset.Bytes()) - base}
	place := func(m btf.Member, kind uint32) { set.Lower, set.LowerKind = int32(m.Offset.Bytes())-base, kind }
	if m, ok := member(ovl, "oe"); ok {
		entry, ok := pointee(m.Type)
		if !ok {
			return settings{}, fmt.Errorf("struct ovl_entry is not described")
		}
		count, ok := member(entry, "__numlower")
		stack, ok2 := member(entry, "__lowerstack")
		if !ok || !ok2 {
			return settings{}, fmt.Errorf("struct ovl_entry has no __numlower or __lowerstack")
		}
		arr, ok := btf.As[*btf.Array](stack.Type)
		if !ok {
			return settings{}, fmt.Errorf("ovl_entry.__lowerstack is no array")
		}
		dentry, err := pathDentry(arr.Type)
		if err != nil {
			return settings{}, err
		}
		place(m, lowerEntry)
		set.LowerCount, set.LowerDentry = count.Offset.Bytes(), stack.Offset.Bytes()+dentry
		return set, nil
	}
	if m, ok := member(ovl, "lowerpath"); ok {
		dentry, err := pathDentry(m.Type)
		if err != nil {
			return settings{}, err
		}
		place(m, lowerPath)
		set.LowerDentry = dentry
		return set, nil
	}
	if m, ok := member(ovl, "lower"); ok {
		place(m, lowerInode)
		return set, nil
	}
	return settings{}, fmt.Errorf("struct ovl_inode has no oe, lowerpath or lower")
}

func pathDentry(t btf.Type) (uint32, error) {
	p, ok := btf.As[*btf.Struct](t)
	if !ok {
		return 0, fmt.Errorf("struct ovl_path is not described")
	}
	m, ok := member(p, "dentry")
	if !ok {
		return 0, fmt.Errorf("struct ovl_path has no dentry")
	}
	return m.Offset.Bytes(), nil
}

func pointee(t btf.Type) (*btf.Struct, bool) {
	p, ok := btf.As[*btf.Pointer](t)
	if !ok {
		return nil, false
	}
	return btf.As[*btf.Struct](p.Target)
}

func member(s *btf.Struct, name string) (btf.Member, bool) {
	for _, m := range s.Members {
		if m.Name == name {
			return m, true
		}
	}
	return btf.Member{}, false
}
