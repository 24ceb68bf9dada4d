package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"redoubt.dev/redoubt/internal/fault"
)

// heartbeat is how often a quiet stream shows that it is alive, and how soon
// one whose reader lost the right to read ends.
const heartbeat = 15 * time.Second

var streamTypes = []string{"event", "alert", "incident", "workload", "profile", "node", "policy"}

func readTypes(s string) (map[string]bool, error) {
	types := map[string]bool{}
	for t := range strings.SplitSeq(s, ",") {
		t = strings.TrimSpace(t)
		if t == "" {
			continue
		}
		if !slices.Contains(streamTypes, t) {
			return nil, fault.New(fault.Invalid, "types: there are no %q messages, only %s", clip(t, 32), strings.Join(streamTypes, ", "))
		}
		types[t] = true
	}
	return types, nil
}

func (c *Console) stream(ctx context.Context, f *streamFilter) (*huma.StreamResponse, error) {
	types, err := readTypes(f.Types)
	if err != nil {
		return nil, err
	}
	r, err := c.hub.join(types)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer c.hub.leave(r)
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		c.follow(ctx, w, r)
	}}, nil
}

// follow writes what comes until the reader goes, loses its right or the
// console stops.
func (c *Console) follow(ctx context.Context, w http.ResponseWriter, r *reader) {
	out := http.NewResponseController(w)
	write := func(text []byte) bool {
		out.SetWriteDeadline(time.Now().Add(heartbeat))
		_, err := w.Write(text)
		return err == nil
	}
	if !write([]byte("retry: 2000\n\n")) || out.Flush() != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var ok bool
		select {
		case <-ctx.Done():
			return
		case <-c.stopped:
			return
		case text := <-r.queue:
			ok = write(text)
		case <-beat.C:
			ok = c.stillAllowed(ctx) && write([]byte(": alive\n\n"))
		}
		if len(r.queue) == 0 && ok {
			if lost := c.hub.lost(r); lost != nil {
				ok = write(lost)
			}
			ok = ok && out.Flush() == nil
		}
		if !ok {
			return
		}
	}
}
