package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnionIsReadFromMounts(t *testing.T) {
	for text, want := range map[string]Union{
		"1 0 0:50 / / rw - overlay overlay rw,lowerdir=/b:/a\\040x,upperdir=/u,workdir=/w\n":                      {[]string{"/b", "/a x"}, "/u"},
		"1 0 0:50 / / rw - overlay overlay rw,lowerdir+=/b,lowerdir+=/a,upperdir=/u,workdir=/w\n":                 {[]string{"/b", "/a"}, "/u"},
		"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:50 / /merged rw - overlay overlay rw,lowerdir=/a,upperdir=/u\n": {},
		"1 0 0:50 / / ro master:1 - overlay overlay ro,lowerdir=/b:/a\n":                                          {[]string{"/b", "/a"}, ""},
		"": {}, " - overlay": {}, "/ / / / / - overlay x": {},
	} {
		if diff := cmp.Diff(want, parseUnion(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func FuzzParseUnion(f *testing.F) {
	f.Add("1 0 0:50 / / rw - overlay overlay rw,lowerdir=/b:/a\\040x,upperdir=/u,workdir=/w\n")
	f.Fuzz(func(t *testing.T, text string) {
		if u := parseUnion(text); len(u.Layers) > len(text) {
			t.Errorf("%q gave %+v", text, u)
		}
	})
}
