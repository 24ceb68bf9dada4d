package policy

import (
	"path"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// multicall are programs that are many in one file and go by the name they
// were called with.
var multicall = []string{"busybox", "toybox", "coreutils", "busybox.static"}

// Programs returns the paths a process goes by, its own first. A multi-call
// program also goes by its applet's name, a dynamic loader by the program it
// was told to run.
func Programs(p *redoubt.Process) []string {
	if p == nil {
		return nil
	}
	own := p.Path
	out := []string{own}
	if len(p.Args) == 0 {
		return out
	}
	dir, _ := path.Split(own)
	switch {
	case IsMulticall(own):
		if a := applet(p.Args); a != "" {
			out = append(out, dir+a)
		}
	case IsMulticall(p.Args[0]) && len(p.Args) > 1:
		out = append(out, dir+path.Base(p.Args[1]))
	case IsLoader(own):
		if target := loaded(p.Args); target != "" {
			out = append(out, target)
		}
	}
	return out
}

// IsMulticall says whether the file at p is one program of many names.
func IsMulticall(p string) bool { return slices.Contains(multicall, path.Base(p)) }

func applet(args []string) string {
	name := path.Base(args[0])
	if slices.Contains(multicall, name) {
		if len(args) < 2 || strings.HasPrefix(args[1], "-") {
			return ""
		}
		name = path.Base(args[1])
	}
	return strings.TrimPrefix(name, "-") // a login shell's name starts with a dash
}

// IsLoader says whether the file at p is a dynamic loader, which runs the
// program it is given.
func IsLoader(p string) bool {
	base := path.Base(p)
	return strings.HasPrefix(base, "ld-linux") || strings.HasPrefix(base, "ld-musl") || base == "ld.so" ||
		strings.HasPrefix(base, "ld64.so") || strings.HasPrefix(base, "ld-2.")
}

// loaderValues are the loader's options that take the next argument.
var loaderValues = []string{"--library-path", "--preload", "--audit", "--argv0", "--inhibit-rpath", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"}

func loaded(args []string) string {
	for i := 1; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
		if slices.Contains(loaderValues, args[i]) {
			i++
		}
	}
	return ""
}
