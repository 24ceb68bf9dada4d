package seed

import (
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// The shell parser recurses; a stack overflow cannot be caught and would take
// the whole process with it.
func TestDeepNestingCannotExhaustTheStack(t *testing.T) {
	for _, piece := range []string{"( ", "((", "$((", "$(", "if ", "! ", "{ ", "a()", "${a:-", "\"$(", "a|", "a&&", "while ", "case a in a) ", "[[ ! ", "[[ ( ", "a[", "<(", "a=(", "$((1?", "$((-", "$((~~", "$((a=", "$((a**", "`\\`", "time ", "coproc ", "function a "} {
		for _, size := range []int{maxScript, maxScript / 8} {
			text := "#!/bin/sh\n" + piece + strings.Repeat(strings.TrimPrefix(piece, "$(("), size/len(piece)-20) + "\n"
			root := fstest.MapFS{"e.sh": {Data: []byte(text), Mode: 0o755}, "bin/sh": {Data: []byte(binary), Mode: 0o755}}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			done := make(chan struct{})
			go func() {
				defer close(done)
				Look(Image{Root: root, Entrypoint: []string{"/e.sh"}})
				runtime.ReadMemStats(&after)
			}()
			<-done
			if grown := int64(after.StackInuse) - int64(before.StackInuse); grown > 64<<20 {
				t.Errorf("%q to %d bytes takes %d MiB of stack", piece, size, grown>>20)
			}
		}
	}
}

func TestRealScriptsAreNotTooIntricate(t *testing.T) {
	text := strings.Repeat("if [ \"${1:0:1}\" = '-' ]; then set -- mysqld \"$@\"; fi # --- (comment) ---\n", 300)
	if len(text) < 20_000 || intricate([]byte(text)) {
		t.Errorf("an ordinary script of %d bytes is refused", len(text))
	}
}
