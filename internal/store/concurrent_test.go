package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestReadersWritersAndPruningTogether(t *testing.T) {
	s, ctx := open(t), context.Background()
	const writers, batches, size = 3, 40, 50
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for b := range batches {
				events := make([]redoubt.Event, size)
				for i := range events {
					events[i] = execEvent(b*size+i, w, "-s", fmt.Sprint(b%7), fmt.Sprint(i))
				}
				if err := s.AddEvents(ctx, events); err != nil {
					t.Error(err)
				}
			}
		})
	}
	loop := func(do func() error) {
		reading.Go(func() {
			for {
				if err := do(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	loop(func() error {
		_, _, err := s.FindEvents(ctx, redoubt.EventQuery{Slice: redoubt.Slice{Limit: 200}, Text: "curl", Workload: "docker/shop/web1"})
		return err
	})
	loop(func() error {
		for _, err := range s.EachEvent(ctx, redoubt.EventQuery{}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	loop(func() error {
		_, err := s.Prune(ctx, time.Time{}, 500)
		return err
	})
	writing.Wait()
	close(stop)
	reading.Wait()
	if _, err := s.Prune(ctx, time.Time{}, 400); err != nil {
		t.Fatal(err)
	}
	if ids := find(t, s, redoubt.EventQuery{}); len(ids) != 400 || ids[0] != fmt.Sprintf("e%d", writers*batches*size) {
		t.Errorf("%d events left, newest %v", len(ids), ids[:min(1, len(ids))])
	}
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}
