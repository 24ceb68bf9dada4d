package profile

import "strings"

// fold turns one argument into its pattern.
func fold(s string, code bool) string {
	p := foldText(s, code)
	if len(p) <= maxArg {
		return p
	}
	keep := maxArg / 4
	for keep > 0 && p[keep]&0xc0 == 0x80 {
		keep--
	}
	return p[:keep] + "<sum:" + sum(p) + ">"
}

func foldText(s string, code bool) string {
	if !strings.ContainsAny(s, "0123456789") && (code || !strings.Contains(s, "/")) {
		return escape(s)
	}
	head, value := "", s
	if i := strings.IndexByte(s, '='); i >= 0 && strings.HasPrefix(s, "-") {
		head, value = s[:i+1], s[i+1:]
	}
	dir := tempDir(value)
	if code || dir == "" {
		return foldRuns(s)
	}
	parts := strings.Split(value[len(dir):], "/")
	for i, p := range parts {
		parts[i] = foldTemp(p)
	}
	return foldRuns(head) + dir + strings.Join(parts, "/")
}

var tempDirs = []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/var/run/"}

func tempDir(s string) string {
	for _, d := range tempDirs {
		if strings.HasPrefix(s, d) {
			return d
		}
	}
	return ""
}

// foldTemp folds one part of a path below a temporary directory: upload-x7Ty2q
// is upload-*, tmpk3_9dza.png is tmp*.png.
func foldTemp(part string) string {
	stem, ext := part, ""
	if i := strings.LastIndexByte(part, '.'); i > 0 && len(part)-i <= 6 && letters(part[i+1:]) && !random(part[i+1:]) {
		stem, ext = part[:i], part[i:]
	}
	if i := strings.LastIndexAny(stem, "-_."); i >= 0 && random(stem[i+1:]) {
		return foldRuns(stem[:i+1]) + "*" + escape(ext)
	}
	for _, prefix := range []string{"tmp", "php"} {
		if tail, ok := strings.CutPrefix(stem, prefix); ok && len(tail) >= 5 {
			return prefix + "*" + escape(ext)
		}
	}
	if random(stem) {
		return "*" + escape(ext)
	}
	return foldRuns(part)
}

func letters(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// random reports whether s looks drawn by lot: at least six letters and
// digits, of both sorts or in both cases.
func random(s string) bool {
	var digit, lower, upper bool
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper = true
		default:
			return false
		}
	}
	return len(s) >= 6 && (digit || lower && upper)
}

// foldRuns replaces numbers and ids in s and escapes the rest.
func foldRuns(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if !alnum(s[i]) {
			j := i
			for j < len(s) && !alnum(s[j]) {
				j++
			}
			b.WriteString(escape(s[i:j]))
			i = j
			continue
		}
		if n := uuidAt(s, i); n > 0 {
			b.WriteString("<hex>")
			i += n
			continue
		}
		j := i
		for j < len(s) && alnum(s[j]) {
			j++
		}
		b.WriteString(foldRun(s, i, j))
		i = j
	}
	return b.String()
}

// foldRun folds the letters and digits s[i:j]. Dotted numbers stay: an
// address or a version is not a counter.
func foldRun(s string, i, j int) string {
	run := s[i:j]
	digits, hexes := 0, 0
	for k := range len(run) {
		c := run[k] | 0x20
		if run[k] <= '9' {
			digits++
		} else if c >= 'a' && c <= 'f' {
			hexes++
		}
	}
	switch {
	case digits == len(run):
		if dotted(s, i, j) {
			return run
		}
		if len(run) >= 3 || loose(s, i-1) && loose(s, j) {
			return "<n>"
		}
	case digits+hexes == len(run) && len(run) >= 8 && digits > 0:
		return "<hex>"
	default:
		k := len(run)
		for k > 0 && run[k-1] <= '9' {
			k--
		}
		if len(run)-k >= 5 {
			return run[:k] + "<n>"
		}
	}
	return run
}

func dotted(s string, i, j int) bool {
	return i >= 2 && s[i-1] == '.' && s[i-2] >= '0' && s[i-2] <= '9' ||
		j+1 < len(s) && s[j] == '.' && s[j+1] >= '0' && s[j+1] <= '9'
}

// loose reports whether position i of s is outside it or parts words.
func loose(s string, i int) bool {
	return i < 0 || i >= len(s) || strings.IndexByte(" \t\n\"'=,:;()", s[i]) >= 0
}

func uuidAt(s string, i int) int {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if i+len(form) > len(s) || i+len(form) < len(s) && alnum(s[i+len(form)]) {
		return 0
	}
	for k := range len(form) {
		c := s[i+k]
		if form[k] == '-' && c != '-' || form[k] == 'x' && !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return 0
		}
	}
	return len(form)
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
