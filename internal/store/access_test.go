package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/fault"
)

func TestS3_AccessPoliciesKeepTheirRevisions(t *testing.T) {
	s, ctx := open(t), context.Background()
	var all []access.Document
	put := func(name string, revision int64) error {
		d := access.Document{Name: name, Cedar: "permit(principal, action, resource);", Revision: revision, By: "alice", Created: start, Updated: start.Add(time.Duration(revision) * time.Minute)}
		err := s.PutDocument(ctx, &d)
		if err == nil && name == "shop" {
			all = append([]access.Document{d}, all...)
		}
		return err
	}
	for _, c := range []struct {
		name     string
		revision int64
		conflict bool
	}{{"shop", 2, true}, {"shop", 1, false}, {"shop", 1, true}, {"shop", 2, false}, {"admin", 1, false}, {"shop", 4, true}} {
		if err := put(c.name, c.revision); fault.Is(err, fault.Conflict) != c.conflict || !c.conflict && err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	}
	latest := func() (names []string) {
		list, err := s.Documents(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			names = append(names, d.Name)
			if d.Name == "shop" && !cmp.Equal(d, all[0]) {
				t.Error(cmp.Diff(all[0], d))
			}
		}
		return names
	}
	if d := cmp.Diff([]string{"admin", "shop"}, latest()); d != "" {
		t.Error(d)
	}
	if err := s.DeleteDocument(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "never"} {
		if err := s.DeleteDocument(ctx, name); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff([]string{"admin"}, latest()); d != "" {
		t.Error(d)
	}
	if err := put("shop", 1); !fault.Is(err, fault.Conflict) {
		t.Errorf("a deleted one's count begins anew: %v", err)
	}
	if err := put("shop", 3); err != nil {
		t.Error(err)
	}
	got, err := s.Revisions(ctx, "shop")
	if d := cmp.Diff(all, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}
