package docker

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

const (
	lanes     = 8   // inspections under way at once
	laneDepth = 512 // jobs waiting in one; a job that finds no room is dropped and the engine listed again
)

// job is something to find out or say about one container.
type job struct {
	action events.Action // create, start, die, destroy; empty is "look again"
	id     string
	attrs  map[string]string
	time   time.Time
}

// watcher serves one connection. Each container has its lane, so its changes
// stay in order while different containers do not wait for each other.
type watcher struct {
	source  *Source
	api     *client.Client
	sink    func(workload.Change)
	systemd bool

	seed  maphash.Seed
	lanes [lanes]chan job
	done  sync.WaitGroup
	again atomic.Bool // list once more: something was dropped or a minute passed
}

func (w *watcher) start(ctx context.Context) {
	w.seed = maphash.MakeSeed()
	for i := range w.lanes {
		lane := make(chan job, laneDepth)
		w.lanes[i] = lane
		w.done.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-lane:
					w.do(ctx, j)
				}
			}
		})
	}
}

// stop ends the lanes and waits, so that nothing is reported after watch.
func (w *watcher) stop(cancel context.CancelFunc) {
	cancel()
	w.done.Wait()
}

func (w *watcher) enqueue(j job) {
	select {
	case w.lanes[maphash.String(w.seed, j.id)%lanes] <- j:
	default:
		w.again.Store(true)
	}
}

// wanted are the events that change what is known of a container.
var wanted = []string{"create", "start", "die", "destroy", "rename", "update", "connect", "disconnect"}

func (w *watcher) dispatch(m events.Message) {
	j := job{action: m.Action, id: m.Actor.ID, attrs: m.Actor.Attributes, time: time.Unix(0, m.TimeNano)}
	switch m.Action {
	case events.ActionConnect, events.ActionDisconnect:
		j.id = m.Actor.Attributes["container"]
		// One that is about to start, or has died, is looked at for that reason.
		if last := w.source.last(j.id); last == nil || !last.Running {
			return
		}
		j.action = ""
	case events.ActionRename, events.ActionUpdate:
		j.action = ""
	}
	if validID(j.id) {
		w.enqueue(j)
	}
}

// validID keeps anything but a full container id out of paths and keys.
func validID(id string) bool { return workload.ParsePlace("/docker/"+id).Container == id && id != "" }

// list holds the picture against the engine's and has every difference looked
// at, in the lane of its container.
func (w *watcher) list(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	all, err := w.api.ContainerList(call, client.ContainerListOptions{All: true})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	known := w.source.snapshot()
	for _, c := range all.Items {
		last := known[c.ID]
		delete(known, c.ID)
		running := c.State == "running" || c.State == "paused"
		if validID(c.ID) && (last == nil || last.Running != running) {
			w.enqueue(job{id: c.ID})
		}
	}
	for id := range known {
		w.enqueue(job{id: id})
	}
	return nil
}

func (w *watcher) do(ctx context.Context, j job) {
	switch j.action {
	case events.ActionDie:
		if last := w.source.last(j.id); last != nil {
			w.source.report(w.sink, workload.Change{Workload: stopped(*last)})
		}
	case events.ActionDestroy:
		gone := redoubt.Workload{}
		if last := w.source.last(j.id); last != nil {
			gone = stopped(*last)
		} else {
			gone = w.fromEvent(ctx, j)
		}
		w.source.report(w.sink, workload.Change{Workload: gone, Gone: true})
	case events.ActionCreate, events.ActionStart, "":
		w.look(ctx, j)
	}
}

func stopped(x redoubt.Workload) redoubt.Workload {
	x.Running, x.PID, x.CgroupID, x.Addresses = false, 0, 0, nil
	return x
}

// look inspects a container and reports it as it is. One that is gone already
// is reported from what its events said.
func (w *watcher) look(ctx context.Context, j job) {
	call, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	got, err := w.api.ContainerInspect(call, j.id, client.ContainerInspectOptions{})
	last := w.source.last(j.id)
	switch {
	case err == nil:
		x := w.describe(call, &got.Container)
		if j.action == events.ActionStart && !x.Running {
			x.Running, x.Started = true, j.time // it died again meanwhile; its die event says so next
		}
		w.source.report(w.sink, workload.Change{Workload: x})
	case ctx.Err() != nil:
	case errdefs.IsNotFound(err) && j.action == "" && last != nil:
		w.source.report(w.sink, workload.Change{Workload: stopped(*last), Gone: true})
	case j.action == "":
		if !errdefs.IsNotFound(err) {
			w.again.Store(true)
		}
	default:
		x := w.fromEvent(call, j)
		if last != nil {
			x = *last
		}
		if x.Running = j.action == events.ActionStart; x.Running {
			x.Started = j.time
		}
		w.source.report(w.sink, workload.Change{Workload: x})
		if !errdefs.IsNotFound(err) {
			w.again.Store(true)
		}
	}
}
