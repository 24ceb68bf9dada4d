package permit

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
)

func raw(mask uint64, fd, pid int32) []byte {
	b := make([]byte, unix.FAN_EVENT_METADATA_LEN)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	b[4] = unix.FANOTIFY_METADATA_VERSION
	binary.NativeEndian.PutUint16(b[6:], uint16(len(b)))
	binary.NativeEndian.PutUint64(b[8:], mask)
	binary.NativeEndian.PutUint32(b[16:], uint32(fd))
	binary.NativeEndian.PutUint32(b[20:], uint32(pid))
	return b
}

func TestEventsAreRead(t *testing.T) {
	two := append(raw(unix.FAN_OPEN_EXEC_PERM, 7, 100), raw(unix.FAN_OPEN_PERM, -1, 101)...)
	want := []event{{unix.FAN_OPEN_EXEC_PERM, 7, 100}, {unix.FAN_OPEN_PERM, -1, 101}}
	got, err := parse(two)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(event{})); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	got, err = parse(append(two, 1, 2, 3))
	if len(got) != 2 || err == nil {
		t.Errorf("half an event: %v %v", got, err)
	}
	wrong := raw(0, 1, 1)
	wrong[4]++
	if got, err := parse(wrong); len(got) != 0 || err == nil {
		t.Errorf("another version: %v %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(append(raw(1, 2, 3), raw(4, 5, 6)...))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, _ := parse(b); len(got) > len(b)/unix.FAN_EVENT_METADATA_LEN {
			t.Errorf("%d events in %d bytes", len(got), len(b))
		}
	})
}

func TestMountsAreRead(t *testing.T) {
	const text = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
40 36 0:50 / / rw - overlay overlay rw,lowerdir=/a - b:c
41 40 0:51 / /with\040blank\134and\011tab rw shared:2 master:3 propagate_from:4 - tmpfs tmpfs rw
nonsense
42 40 0:52 /
x 40 0:52 / /y rw - tmpfs tmpfs rw
`
	want := []mountLine{
		{36, "98:0", "/mnt2", "ext3"},
		{40, "0:50", "/", "overlay"},
		{41, "0:51", "/with blank\\and\ttab", "tmpfs"},
	}
	if diff := cmp.Diff(want, parseMounts(strings.NewReader(text)), cmp.AllowUnexported(mountLine{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Add(`1 1 0:1 / /\0409\\ rw - a b c`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseMounts(strings.NewReader(text)) {
			if len(m.point) > len(text) {
				t.Errorf("%q gave %+v", text, m)
			}
		}
	})
}

func TestSharedFileSystemIsMarkedByMountOnly(t *testing.T) {
	node := map[string]bool{"8:1": true}
	for _, c := range []struct {
		m    mountLine
		want uint
	}{
		{mountLine{dev: "8:1", kind: "ext4", point: "/data"}, unix.FAN_MARK_MOUNT},
		{mountLine{dev: "0:50", kind: "overlay", point: "/"}, unix.FAN_MARK_FILESYSTEM},
		{mountLine{dev: "0:51", kind: "tmpfs", point: "/tmp"}, unix.FAN_MARK_FILESYSTEM},
	} {
		if got := scope(c.m, node); got != c.want {
			t.Errorf("%+v: %#x, want %#x", c.m, got, c.want)
		}
	}
}
