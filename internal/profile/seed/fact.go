package seed

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"io"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// fact is what a file says of itself.
type fact struct {
	digest  redoubt.Digest // empty when too large
	note    string
	text    []byte   // of a script, nil for everything else
	shebang []string // interpreter and its one argument
}

const (
	maxHead      = 256 // bytes of a #! line that the kernel reads
	maxLibraries = 16  // named in a note
)

// fact reads a resolved file once.
func (s *seeder) fact(real string) (fact, bool) {
	if f, ok := s.facts[real]; ok {
		return f, f.digest != "" || f.note != ""
	}
	f := s.read(real)
	s.facts[real] = f
	return f, f.digest != "" || f.note != ""
}

func (s *seeder) read(real string) fact {
	if len(s.facts) >= maxFiles || s.budget <= 0 {
		s.note("the image holds more programs than are looked at; the rest is learned")
		return fact{}
	}
	file, info, err := s.tree.open(real)
	if err != nil {
		return fact{}
	}
	defer file.Close()
	if info.Size() > min(maxHashed, s.budget) {
		return fact{note: "too large to hash before it runs"}
	}
	h := sha256.New()
	var head bytes.Buffer
	limit := io.LimitReader(file, min(maxHashed, s.budget)+1)
	n, err := io.Copy(io.MultiWriter(h, &firstBytes{&head, maxScript}), limit)
	s.budget -= n
	if err != nil || n > maxHashed {
		return fact{}
	}
	f := fact{digest: redoubt.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))}
	switch b := head.Bytes(); {
	case bytes.HasPrefix(b, []byte("#!")):
		f.shebang = shebang(b)
		if n <= maxScript {
			f.text = b
		} else {
			s.note(real + " is too long a script to follow")
		}
	case bytes.HasPrefix(b, []byte(elf.ELFMAG)):
		if r, ok := file.(io.ReaderAt); ok {
			f.note = linking(r)
		}
	case n <= maxScript && !bytes.Contains(b, []byte{0}):
		f.text = b // a shell runs it when exec refuses
	}
	return f
}

// firstBytes keeps the beginning of a stream and lets the rest pass.
type firstBytes struct {
	to   *bytes.Buffer
	left int
}

func (w *firstBytes) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.to.Write(p[:n])
	w.left -= n
	return len(p), nil
}

// shebang splits a #! line as the kernel does: a program and at most one
// argument, which may hold spaces.
func shebang(b []byte) []string {
	line, _, _ := bytes.Cut(b[2:min(len(b), maxHead)], []byte("\n"))
	program, arg, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	if program == "" {
		return nil
	}
	if arg = strings.TrimSpace(arg); arg == "" {
		return []string{program}
	}
	return []string{program, arg}
}

// linking says in words what a program is linked with.
func linking(r io.ReaderAt) string {
	f, err := elf.NewFile(r)
	if err != nil {
		return ""
	}
	var parts []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			b := make([]byte, p.Filesz)
			if n, _ := p.ReadAt(b, 0); n > 0 {
				parts = append(parts, "loader "+strings.TrimRight(string(b[:n]), "\x00"))
			}
		}
	}
	libs, err := f.ImportedLibraries()
	if err == nil && len(libs) > 0 {
		more := ""
		if len(libs) > maxLibraries {
			libs, more = libs[:maxLibraries], " and more"
		}
		for i, l := range libs {
			libs[i] = l[:min(len(l), 100)]
		}
		parts = append(parts, "linked with "+strings.Join(libs, ", ")+more)
	}
	if parts == nil {
		return "statically linked"
	}
	return strings.ToValidUTF8(strings.Join(parts, "; "), "?")
}
