package workload

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Union is the layers of a process's root file system, as directories on the
// node.
type Union struct {
	Layers []string // uppermost first
	Upper  string
}

// maxTable bounds what is read of a process's mounts.
const maxTable = 4 << 20

// UnionOf reads the layers under the root of process pid from its mounts, for
// engines that do not tell. The zero Union means that its root is none.
func UnionOf(pid int) (Union, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return Union{}, fmt.Errorf("read mounts of process %d: %w", pid, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTable))
	if err != nil {
		return Union{}, fmt.Errorf("read mounts of process %d: %w", pid, err)
	}
	u := parseUnion(string(b))
	for i, dir := range u.Layers {
		if real, err := filepath.EvalSymlinks(dir); err == nil { // docker shortens them by links
			u.Layers[i] = real
		}
	}
	return u, nil
}

// parseUnion finds the overlay mounted at / in a mountinfo file.
func parseUnion(text string) (u Union) {
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		fields, rest := strings.Fields(head), strings.Fields(tail)
		if !ok || len(fields) < 5 || len(rest) < 3 || fields[4] != "/" || rest[0] != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(rest[2], ",") {
			name, value, _ := strings.Cut(option, "=")
			switch name {
			case "upperdir":
				u.Upper = unescape(value)
			case "lowerdir":
				for dir := range strings.SplitSeq(value, ":") {
					u.Layers = append(u.Layers, unescape(dir))
				}
			case "lowerdir+": // one by one, since Linux 6.8
				u.Layers = append(u.Layers, unescape(value))
			}
		}
		return u // the first is the engine's; what the container put over it comes later
	}
	return u
}

// unescape undoes the kernel's \ooo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
