package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The pages, driven in a real browser against the real product. What is looked
// at and clicked stands in web/test.
func TestD19_D21_PagesInABrowser(t *testing.T) {
	image := needDocker(t)
	for _, need := range []struct{ path, how string }{
		{"/usr/bin/chromium", "install chromium"},
		{"../../web/node_modules/playwright-core", "run npm ci in web"},
		{"../../web/dist/index.html", "run make ui"},
	} {
		if _, err := os.Stat(need.path); err != nil {
			t.Skipf("%s is missing: %s", need.path, need.how)
		}
	}
	id := container(t, "rdt-browser", image)
	waitServed(t, addressOf(t, "rdt-browser"))
	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Container == id })
	cmd := exec.CommandContext(t.Context(), "node", "--test", "test/ui.test.mjs")
	cmd.Dir = "../../web"
	cmd.Env = append(os.Environ(), "REDOUBT_URL="+b.url, "REDOUBT_SETUP_TOKEN="+b.setupLink(), "REDOUBT_ATTACK=docker exec rdt-browser netstat -tln")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "✔") || strings.Contains(line, "SKIP") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatalf("browser tests: %v\n%s", err, last(string(out), 120))
	}
	if strings.Contains(string(out), "# SKIP") || strings.Contains(string(out), "﹣") {
		t.Errorf("a browser test was skipped:\n%s", last(string(out), 60))
	}
}
