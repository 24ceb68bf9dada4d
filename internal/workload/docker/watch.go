package docker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

// job is something to find out or say about one container.
type job struct {
	action events.Action // create, start, die, destroy; empty is "look again"
	id     string
	attrs  map[string]string
	time   time.Time
}

// watcher serves one connection to the engine.
type watcher struct {
	source  *Source
	api     *client.Client
	sink    func(workload.Change)
	systemd bool   // the engine names its cgroups as systemd scopes
	root    string // the engine's own directory on this node
	jobs    *queue
	again   atomic.Bool // list once more: a job was dropped or a minute passed
}

func (w *watcher) enqueue(ctx context.Context, j job) {
	if !w.jobs.put(ctx, j) {
		w.again.Store(true)
	}
}

// wanted are the events that change what is known of a container.
var wanted = []string{"create", "start", "die", "destroy", "rename", "update", "connect", "disconnect"}

func (w *watcher) dispatch(ctx context.Context, m events.Message) {
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
		w.enqueue(ctx, j)
	}
}

// validID keeps anything but a full container id out of paths and keys.
func validID(id string) bool { return workload.ParsePlace("/docker/"+id).Container == id && id != "" }

// list holds the picture against the engine's and has every difference looked
// at.
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
			w.enqueue(ctx, job{id: c.ID})
		}
	}
	for id := range known {
		w.enqueue(ctx, job{id: id})
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
		if last := w.source.last(j.id); last != nil {
			w.source.report(w.sink, workload.Change{Workload: stopped(*last), Gone: true})
		}
	case events.ActionCreate:
		w.create(ctx, j)
	case events.ActionStart, "":
		w.look(ctx, j)
	}
}

// create reports a new container from the engine's own record where that can
// be read, else by inspection, which may have to wait until it has started.
func (w *watcher) create(ctx context.Context, j job) {
	c, err := onDisk(w.root, j.id)
	if err != nil {
		w.look(ctx, j)
		return
	}
	w.source.report(w.sink, workload.Change{Workload: w.describe(ctx, c)})
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
		if last != nil && last.Layers != nil { // they never change, but an inspection during removal may lack them
			x.ID, x.Layers, x.Upper, x.Merged = last.ID, last.Layers, last.Upper, last.Merged
		}
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
