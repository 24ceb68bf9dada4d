package workload

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

func container(id string) redoubt.Workload {
	return redoubt.Workload{
		WorkloadRef: redoubt.WorkloadRef{ID: "docker/web", Kind: redoubt.KindContainer, Name: "web", Container: id},
		Cgroup:      "/docker/" + id,
	}
}

func host() redoubt.Workload {
	return redoubt.Workload{WorkloadRef: redoubt.WorkloadRef{ID: "host/n1", Kind: redoubt.KindHost, Name: "n1"}, Cgroup: "/", CgroupID: 1, Running: true}
}

func TestCgroupLeadsToItsOwner(t *testing.T) {
	r := NewRegistry(nil)
	r.Apply(Change{Workload: host()})
	r.Apply(Change{Workload: container(idA)})
	r.Bind(7, "/docker/"+idA)
	r.Bind(8, "/docker/"+idA+"/nested")
	r.Bind(9, "/user.slice")
	r.Bind(10, "/docker/"+idB)
	for id, want := range map[uint64]string{7: idA, 8: idA, 9: "host/n1", 1: "host/n1"} {
		if w, ok := r.ByCgroup(id); !ok || w.Instance() != want {
			t.Errorf("cgroup %d: %v %v, want %s", id, w, ok, want)
		}
	}
	for _, id := range []uint64{10, 11} {
		if w, ok := r.ByCgroup(id); ok {
			t.Errorf("cgroup %d: %v, want nobody", id, w)
		}
	}
	r.Apply(Change{Workload: container(idA), Gone: true})
	if w, ok := r.ByCgroup(7); !ok || w.Name != "web" {
		t.Error("one that is gone is still whose it was")
	}
	if len(r.List()) != 1 {
		t.Errorf("list is %v", r.List())
	}
}

func TestAwaitWaitsForTheSourceAndNoLonger(t *testing.T) {
	r := NewRegistry(nil)
	r.Apply(Change{Workload: host()})
	r.Bind(7, "/docker/"+idA)
	got := make(chan *redoubt.Workload)
	go func() {
		w, _ := r.Await(t.Context(), 7)
		got <- w
	}()
	r.Apply(Change{Workload: container(idB)})
	r.Apply(Change{Workload: container(idA)})
	if w := <-got; w == nil || w.Container != idA {
		t.Fatalf("got %v", w)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if w, ok := r.Await(ctx, 99); ok {
		t.Errorf("got %v for a cgroup nobody knows", w)
	}
	r.Bind(12, "/system.slice/late.service")
	if w, ok := r.Await(ctx, 12); !ok || w.Kind != redoubt.KindHost {
		t.Errorf("got %v for a service nobody reported, want the node", w)
	}
}

func TestAwaitDoesNotPileUp(t *testing.T) {
	r := NewRegistry(nil)
	r.waiters = maxWaiters
	if _, ok := r.Await(t.Context(), 1); ok || r.waiters != maxWaiters {
		t.Error("one too many waited")
	}
}

func TestAddressFollowsItsHolder(t *testing.T) {
	r := NewRegistry(nil)
	a, b := container(idA), container(idB)
	a.Running, a.Addresses = true, []string{"172.17.0.2", "fd00::2", "not an address"}
	r.Apply(Change{Workload: a})
	addr := netip.MustParseAddr("::ffff:172.17.0.2")
	if w, ok := r.ByAddress(addr); !ok || w.Container != idA {
		t.Fatalf("got %v", w)
	}
	b.Running, b.Addresses = true, []string{"172.17.0.2"}
	r.Apply(Change{Workload: b})
	a.Running, a.Addresses = false, nil
	r.Apply(Change{Workload: a})
	if w, ok := r.ByAddress(addr); !ok || w.Container != idB {
		t.Errorf("got %v, want the newer holder", w)
	}
	if _, ok := r.ByAddress(netip.MustParseAddr("fd00::2")); ok {
		t.Error("address of a stopped one")
	}
}

func TestIsolationOutlivesReports(t *testing.T) {
	r := NewRegistry(nil)
	r.Apply(Change{Workload: container(idA)})
	r.Isolate(idA, true)
	r.Apply(Change{Workload: container(idA)})
	if w, _ := r.ByInstance(idA); !w.Isolated {
		t.Error("mark lost")
	}
	r.Isolate(idA, false)
	if w, _ := r.ByInstance(idA); w.Isolated {
		t.Error("mark kept")
	}
}

func TestRegistryIsBounded(t *testing.T) {
	r := NewRegistry(nil)
	stopped := container(idA)
	r.Apply(Change{Workload: stopped})
	for i := range maxInstances + 5 {
		w := container(fmt.Sprintf("%064x", i))
		w.Running = true
		r.Apply(Change{Workload: w})
	}
	if n := len(r.List()); n != maxInstances {
		t.Errorf("%d instances", n)
	}
	if r.Refused() != 5 {
		t.Errorf("%d refused, want 5: the stopped one made room for one", r.Refused())
	}
	for i := range maxCgroups + 5 {
		r.Bind(uint64(i+100), "/x")
	}
	if len(r.cgroups) != maxCgroups || len(r.line) != maxCgroups {
		t.Errorf("%d cgroups", len(r.cgroups))
	}
	for i := range maxGone + 5 {
		r.Apply(Change{Workload: container(fmt.Sprintf("%064x", i)), Gone: true})
	}
	if len(r.gone) > maxGone {
		t.Errorf("%d gone", len(r.gone))
	}
}

func TestRegistryManyAtOnce(t *testing.T) {
	r := NewRegistry(nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("%064x", i)
				r.Bind(uint64(i), "/docker/"+id)
				r.Apply(Change{Workload: container(id), Gone: (i+g)%3 == 0})
				r.ByCgroup(uint64(i))
				r.Isolate(id, i%2 == 0)
				r.List()
				r.Find(id[:8])
			}
		})
	}
	wg.Wait()
}

func TestCgroupPathAndIDAreInverse(t *testing.T) {
	h, err := FindHierarchy()
	if err != nil || h.V2 == "" {
		t.Skipf("no v2 hierarchy: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	name := "/rdt-workload-" + strings.ToLower(t.Name()) + "/below"
	full := filepath.Join(h.V2, name)
	if err := os.MkdirAll(full, 0o755); err != nil {
		t.Fatal(err)
	}
	id := h.ID(name)
	if got, err := h.Path(id); err != nil || got != name {
		t.Errorf("path of %d is %q %v, want %q", id, got, err, name)
	}
	if got, err := h.Path(h.ID("/")); err != nil || got != "/" {
		t.Errorf("root is %q %v", got, err)
	}
	os.Remove(full)
	os.Remove(filepath.Dir(full))
	if got, err := h.Path(id); err == nil {
		t.Errorf("a removed cgroup has path %q", got)
	}
	if id := h.ID("/../../../etc"); id != 0 {
		t.Errorf("left the hierarchy: %d", id)
	}
}
