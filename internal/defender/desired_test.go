package defender

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestX8_DesiredStateOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	if d, err := loadDesired(dir); d != nil || err != nil {
		t.Fatalf("of an empty directory: %v, %v", d, err)
	}
	want := &link.Desired{Revision: 7,
		Policies: []policy.Policy{{Name: "p", Rules: []policy.Rule{{Name: "r", Exec: &policy.Exec{Paths: []string{"/bin/nc"}}, Effect: redoubt.EffectPrevent}}}},
		Orders:   []link.Order{{Instance: "c1", Effect: redoubt.EffectIsolate, Reason: "seen mining"}}}
	if err := saveDesired(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := loadDesired(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	info, err := os.Stat(filepath.Join(dir, desiredFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: policies are nobody else's business", info.Mode(), err)
	}
}

func TestDamagedDesiredStateIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, desiredFile), []byte(`{"Revision": 3, "Pol`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadDesired(dir); err == nil || !strings.Contains(err.Error(), desiredFile) {
		t.Errorf("error %v does not name %s", err, desiredFile)
	}
}
