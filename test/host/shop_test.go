package host

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const shopFolder = "../../examples/shop"

// needShop skips where the example's functions cannot be run or compiled.
func needShop(t *testing.T) {
	t.Helper()
	needHost(t)
	if exec.Command("docker", "info").Run() != nil {
		t.Skip("needs a Docker engine; test/setup.sh starts one")
	}
	for _, program := range []string{"node", "python3", "java", "javac", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s; test/setup.sh installs it", program)
		}
	}
	if _, err := os.Stat("../../internal/sandbox/image/init"); err != nil {
		t.Skip("sandboxes need their first program; make build makes it")
	}
	if _, err := exec.LookPath("mcs"); err != nil {
		t.Log("the function receipt is left out: no mcs to compile it")
	}
}

// freeAddress is one of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// script runs one of the shop's against a box.
func (b *box) script(env []string, name string) (string, error) {
	b.t.Helper()
	token, err := os.ReadFile(filepath.Join(b.state, "token"))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(shopFolder, name))
	cmd.Env = append(append(os.Environ(), env...), "REDOUBT="+build(b.t), "REDOUBT_URL="+b.url,
		"REDOUBT_TOKEN="+strings.TrimSpace(string(token)), "REDOUBT_CACERT="+filepath.Join(b.state, "ca.crt"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The example's story: every attack ends as its README says, which the record
// of each call shows, and honest customers are served before and after.
func TestS8_TheShopIsAttackedAndItsCustomersAreServed(t *testing.T) {
	needShop(t)
	gateway, mqtt, site := freeAddress(t), freeAddress(t), freeAddress(t)
	b := up(t, "--gateway-listen", gateway, "--mqtt-listen", mqtt)
	env := []string{"REDOUBT_GATEWAY=https://" + gateway, "REDOUBT_MQTT=" + mqtt, "SHOP=http://" + site, "SHOP_STATE=" + t.TempDir(), "SHOP_NAME=rdt-host-shop"}
	t.Cleanup(func() {
		if out, err := b.script(env, "down.sh"); err != nil {
			t.Errorf("down.sh: %v\n%s", err, out)
		}
	})
	out, err := b.script(env, "up.sh")
	if off := regexp.MustCompile(`functions are off[^"\n]*`).FindString(b.log.String()); err != nil && off != "" {
		t.Skip(off)
	}
	if err != nil {
		t.Fatalf("up.sh: %v\n%s", err, out)
	}
	out, err = b.script(env, "attack.sh")
	if err != nil {
		t.Errorf("attack.sh: %v", err)
	}
	for _, want := range []string{
		`== Command injection`, `ok  attacker: 502`, `ok  record \w+: outcome failed`, `ok  record \w+: verdict prevent .*exec \S+ is not granted`,
		`== SQL injection`, `ok  attacker: 200 .*secret-supplier`, `ok  record \w+: verdict alert waf/942`, `ok  attacker: 403 .*firewall`, `ok  record \w+: verdict prevent waf/942`,
		`== Over-privilege`, `ok  thief calls invoice: 403`, `ok  record \w+: outcome denied`, `ok  thief reads customers' orders: 403`, `ok  the simulator says so`, `ok  thief tells`, `ok  honest thermometer`, `ok  the function sensor heard it`,
		`== Dependency backdoor`, `ok  record \w+: refused egress 169\.254\.169\.254:80`, `ok  the backdoor found no secret`,
		`== Data exfiltration`, `ok  record \w+: refused dns collector\.example`, `ok  record \w+: refused dns [0-9a-f]+\.collector\.example`, `ok  record \w+: refused function sensor`, `ok  record \w+: refused bucket orders:read`, `ok  nothing was refused`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the story has no %s", want)
		}
	}
	for _, want := range []string{"ok  honest customer asks a price: 200", "ok  honest customer orders: 201"} {
		if n := strings.Count(out, want); n != 6 {
			t.Errorf("%q %d times, want 6", want, n)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}
