package seed

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// tree resolves names inside an image, links included, as the container's
// kernel would: nothing leads out of the root.
type tree struct{ root fs.FS }

const maxLinks = 40 // as Linux has it

var errLinks = errors.New("too many symbolic links")

// resolve returns the absolute name without links of the absolute name.
func (t tree) resolve(name string) (string, error) {
	links, _ := t.root.(fs.ReadLinkFS)
	done, todo := "/", path.Clean("/"+name)
	for hops := 0; todo != "/" && todo != ""; {
		part, after, _ := strings.Cut(strings.TrimPrefix(todo, "/"), "/")
		todo = after
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			done = path.Dir(done)
			continue
		}
		at := path.Join(done, part)
		if links != nil {
			info, err := links.Lstat(at[1:])
			if err != nil {
				return "", err
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				if hops++; hops > maxLinks {
					return "", errLinks
				}
				to, err := links.ReadLink(at[1:])
				if err != nil {
					return "", err
				}
				if strings.HasPrefix(to, "/") {
					done = "/"
				}
				todo = to + "/" + todo
				continue
			}
		}
		done = at
	}
	return done, nil
}

// stat describes a resolved name.
func (t tree) stat(real string) (fs.FileInfo, error) {
	if links, ok := t.root.(fs.ReadLinkFS); ok {
		return links.Lstat(strings.TrimPrefix(cleanRoot(real), "/"))
	}
	return fs.Stat(t.root, strings.TrimPrefix(cleanRoot(real), "/"))
}

func cleanRoot(real string) string {
	if real == "/" {
		return "/."
	}
	return real
}

// open opens a resolved name, if it is a regular file.
func (t tree) open(real string) (fs.File, fs.FileInfo, error) {
	info, err := t.stat(real)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrInvalid
	}
	f, err := t.root.Open(strings.TrimPrefix(real, "/"))
	return f, info, err
}

// files lists the regular files of a directory, by name, at most n.
func (t tree) files(dir string, n int) []string {
	real, err := t.resolve(dir)
	if err != nil {
		return nil
	}
	list, err := fs.ReadDir(t.root, strings.TrimPrefix(cleanRoot(real), "/"))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		if len(out) == n {
			break
		}
		out = append(out, path.Join(dir, e.Name()))
	}
	return out
}

func splitPath(s string) []string {
	var out []string
	for _, d := range strings.Split(s, ":") {
		if path.IsAbs(d) && len(out) < 32 {
			out = append(out, path.Clean(d))
		}
	}
	return out
}

// find returns the resolved name of a program, called by name from cwd.
func (s *seeder) find(name, cwd string) (string, bool) {
	if name == "" || len(name) > 4096 {
		return "", false
	}
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join(cwd, name)
		}
		return s.executable(name)
	}
	for _, d := range s.path {
		if real, ok := s.executable(path.Join(d, name)); ok {
			return real, true
		}
	}
	return "", false
}

func (s *seeder) executable(name string) (string, bool) {
	real, err := s.tree.resolve(name)
	if err != nil {
		return "", false
	}
	info, err := s.tree.stat(real)
	return real, err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// names lists a resolved directory, by name, at most n.
func (t tree) names(real string, n int) []string {
	list, err := fs.ReadDir(t.root, strings.TrimPrefix(cleanRoot(real), "/"))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range list[:min(len(list), n)] {
		out = append(out, e.Name())
	}
	return out
}
