package bucket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

func open(t testing.TB, dir string, quota int64) *Store {
	t.Helper()
	s, err := Open(dir, quota)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Store, key, body string) {
	t.Helper()
	if _, err := s.Put("data", Object{Key: key}, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s *Store, key string) string {
	t.Helper()
	_, f, err := s.Get("data", key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files lists what is on the disk below dir.
func files(t testing.TB, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKeysNeverBecomePaths(t *testing.T) {
	top := t.TempDir()
	s := open(t, filepath.Join(top, "buckets"), 0)
	if err := s.Create("data"); err != nil {
		t.Fatal(err)
	}
	keys := []string{"../../escape", "/etc/passwd", "a/../../b", ".", "..", "nul\x00byte", strings.Repeat("x", MaxKey), "ü/日本"}
	for _, key := range keys {
		put(t, s, key, key)
	}
	for _, path := range files(t, top) {
		if rel, err := filepath.Rel(filepath.Join(top, "buckets", "data"), path); err != nil || strings.HasPrefix(rel, "..") {
			t.Errorf("written outside of the bucket: %s", path)
		}
	}
	again := open(t, filepath.Join(top, "buckets"), 0)
	for _, key := range keys {
		if got := read(t, again, key); got != key {
			t.Errorf("%q holds %q", key, got)
		}
	}
	for _, name := range []string{"..", "a/b", "A", "x", ".hidden", "a..b", strings.Repeat("x", 64)} {
		if err := s.Create(name); !fault.Is(err, fault.Invalid) {
			t.Errorf("bucket %q: %v", name, err)
		}
	}
	for _, key := range []string{"", strings.Repeat("x", MaxKey+1), "\xff"} {
		if _, err := s.Put("data", Object{Key: key}, strings.NewReader("")); !fault.Is(err, fault.Invalid) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestObjectAppearsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	if err := s.Create("data"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "old")
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("the client went away")))
	if _, err := s.Put("data", Object{Key: "a"}, broken); err == nil {
		t.Fatal("half an object was taken")
	}
	if got := read(t, s, "a"); got != "old" {
		t.Errorf("it holds %q", got)
	}
	_, held, err := s.Get("data", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	put(t, s, "a", "new")
	if b, _ := io.ReadAll(held); string(b) != "old" {
		t.Errorf("a reader saw %q of what was replaced", b)
	}
	if got := s.Buckets(); got[0].Size != 3 || got[0].Objects != 1 {
		t.Errorf("bucket %+v", got[0])
	}
	// What a killed process left half written goes at the next start.
	stray := filepath.Join(dir, "data", "data", "stray")
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, 0)
	if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stray file is still there: %v", err)
	}
	if got := read(t, again, "a"); got != "new" || again.Buckets()[0].Size != 3 {
		t.Errorf("after a restart it holds %q, %+v", got, again.Buckets()[0])
	}
}

func TestQuotaCountsWhatIsThere(t *testing.T) {
	s := open(t, t.TempDir(), 10)
	if err := s.Create("data"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "123456")
	if _, err := s.Put("data", Object{Key: "b"}, strings.NewReader("12345")); !fault.Is(err, fault.Limited) {
		t.Errorf("beyond the quota: %v", err)
	}
	put(t, s, "b", "1234")
	if _, was, err := s.Delete("data", "a"); err != nil || !was {
		t.Fatal(was, err)
	}
	put(t, s, "c", "123456")
	id, err := s.Begin("data", Object{Key: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart("data", "d", id, 1, strings.NewReader("1")); !fault.Is(err, fault.Limited) {
		t.Errorf("a part beyond the quota: %v", err)
	}
	if _, err := s.PutPart("data", "other", id, 1, strings.NewReader("")); !fault.Is(err, fault.NotFound) {
		t.Errorf("a part of another key: %v", err)
	}
	if err := s.Abort("data", "d", "../../data"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an upload that is a path: %v", err)
	}
}

func TestListPages(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	if err := s.Create("data"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "c", "d/1", "e"} {
		put(t, s, key, "")
	}
	for _, c := range []struct {
		prefix, delimiter string
		want              []string
	}{
		{"", "", []string{"a", "b/1", "b/2", "b/c/3", "c", "d/1", "e"}},
		{"", "/", []string{"a", "b/*", "c", "d/*", "e"}},
		{"b/", "/", []string{"b/1", "b/2", "b/c/*"}},
		{"x", "", nil},
	} {
		for size := 1; size <= 8; size++ {
			var got []string
			for after := ""; ; {
				page, err := s.List("data", c.prefix, c.delimiter, after, size)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range page.Objects {
					got = append(got, o.Key)
				}
				for _, p := range page.Prefixes {
					got = append(got, p+"*")
				}
				if after = page.Next; after == "" {
					break
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("prefix %q, delimiter %q, pages of %d: %s", c.prefix, c.delimiter, size, diff)
			}
		}
	}
}

func TestManyWritersOfOneKey(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	if err := s.Create("data"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 5 {
				put(t, s, "a", strings.Repeat(fmt.Sprintf("%x", i), 1000))
			}
		})
	}
	wg.Wait()
	now := read(t, s, "a")
	if len(now) != 1000 || strings.Trim(now, now[:1]) != "" {
		t.Errorf("mixed up: %.40s", now)
	}
	if got := read(t, open(t, dir, 0), "a"); got != now {
		t.Error("the disk and the memory disagree on who came last")
	}
	if n := len(files(t, filepath.Join(dir, "data", "data"))); n != 1 {
		t.Errorf("%d data files for one object", n)
	}
}

func FuzzServe(f *testing.F) {
	f.Add("GET", "/data?list-type=2&max-keys=-1&continuation-token=x", "", "")
	f.Add("POST", "/data?delete", "<Delete><Object><Key>a</Key></Object></Delete>", "")
	f.Add("PUT", "/data/a%2e%2e/b", "body", "AAAAAAAAAAAAAAAAAAAAAA==")
	f.Add("POST", "/data/a?uploadId=00000000000000000000000000000000", "<x/>", "")
	dir := f.TempDir()
	s := open(f, dir, 1<<20)
	if err := s.Create("data"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, body, digest string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r := httptest.NewRequest("GET", "/", bytes.NewReader([]byte(body)))
		r.Method, r.URL = method, u
		if digest != "" {
			r.Header.Set("Content-Md5", digest)
		}
		w := httptest.NewRecorder()
		s.Serve(w, r, Visit{ID: "id", Who: "fuzz", Path: u.EscapedPath(), May: func(Act, string, string) error { return nil }, Changed: func(Change) {}})
		if w.Code == http.StatusInternalServerError {
			t.Fatalf("%s %s: %s", method, target, w.Body)
		}
	})
}
