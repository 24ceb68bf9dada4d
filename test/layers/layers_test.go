// Package layers keeps the architecture: which package may reach which. A
// failure names the arrow and the reason; mend the arrow, or argue with the
// reason in docs/decisions.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "redoubt.dev/redoubt/"

// floors, lowest first. An arrow may only go to a lower floor, so packages of
// one floor do not know each other.
var floors = [][]string{
	{"redoubt", "fault", "log"},
	{"policy", "profile", "sensor", "permit", "fileid", "workload", "identity", "audit",
		"function", "bundle", "sandbox", "lambda", "egress", "iam", "access", "route"},
	{"guard", "alert", "model", "waf"},
	{"store", "link", "api", "runner"},
	{"console", "defender", "gateway"},
}

// walls are whole dependencies that must not be reached, directly or not.
var walls = []struct{ from, to, why string }{
	{"internal/console", "github.com/cilium/ebpf", "a console runs without a kernel sensor, on any machine"},
	{"internal/defender", "modernc.org/sqlite", "a node keeps a spool, not a database"},
	{"internal/defender", "github.com/danielgtaylor/huma/v2", "a defender offers no API: it pushes and pulls"},
	{"internal/redoubt", module + "internal/", "the vocabulary knows nobody"},
	{"internal/guard", "net/http", "deciding does no I/O"},
	{"internal/profile", "net/http", "a profile is data"},
	{"internal/policy", "net/http", "a policy is data"},
}

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
}

func load(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Doc,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// floorOf returns the floor of an internal package's top folder; -1 where the
// table does not list it.
func floorOf(importPath string) (folder string, floor int) {
	rest, ok := strings.CutPrefix(importPath, module+"internal/")
	if !ok {
		return "", -1
	}
	folder, _, _ = strings.Cut(rest, "/")
	return folder, slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, folder) })
}

func TestArrowsGoDownOnly(t *testing.T) {
	for _, p := range load(t) {
		from, ff := floorOf(p.ImportPath)
		if from == "" {
			continue
		}
		if ff < 0 {
			t.Errorf("internal/%s is on no floor: add it to the table in this test and to docs/ARCHITECTURE.md", from)
			continue
		}
		for _, imp := range p.Imports {
			to, tf := floorOf(imp)
			if to == "" || to == from {
				continue
			}
			if tf >= ff {
				t.Errorf("%s imports %s: internal/%s may only reach floors below its own", p.ImportPath, imp, from)
			}
		}
	}
}

func TestWalls(t *testing.T) {
	pkgs := load(t)
	for _, w := range walls {
		found := false
		for _, p := range pkgs {
			if p.ImportPath != module+w.from && !strings.HasPrefix(p.ImportPath, module+w.from+"/") {
				continue
			}
			found = true
			for _, d := range p.Deps {
				if (d == w.to || strings.HasPrefix(d, strings.TrimSuffix(w.to, "/")+"/")) && !strings.HasPrefix(d, module+w.from) {
					t.Errorf("%s reaches %s: %s", p.ImportPath, d, w.why)
				}
			}
		}
		if !found {
			t.Errorf("wall from %s guards nothing: no such package", w.from)
		}
	}
}

func TestEveryPackageSaysWhatItKnows(t *testing.T) {
	for _, p := range load(t) {
		if p.Doc == "" && !strings.HasPrefix(path.Base(p.ImportPath), "test") && hasGo(p) {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// hasGo is false for folders that hold tests only.
func hasGo(p pkg) bool { return len(p.Imports) > 0 }
