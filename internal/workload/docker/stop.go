package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"redoubt.dev/redoubt/internal/fault"
)

// Stop stops a container: its stop signal first, SIGKILL after grace (whole
// seconds), and once more through the engine's kill if even that did not
// answer. Stopping one that does not run is not an error. The engine does not
// restart it, whatever its restart policy says.
func (s *Source) Stop(ctx context.Context, instance string, grace time.Duration) error {
	api, err := client.New(client.WithHost(s.cfg.Host))
	if err != nil {
		return fmt.Errorf("reach %s: %w", s.cfg.Host, err)
	}
	defer api.Close()
	seconds := int(grace / time.Second)
	soft, cancel := context.WithTimeout(ctx, grace+callLimit)
	defer cancel()
	_, err = api.ContainerStop(soft, instance, client.ContainerStopOptions{Timeout: &seconds})
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return fault.New(fault.NotFound, "stop container %s: the engine has none by that id", instance)
	case ctx.Err() != nil:
		return fmt.Errorf("stop container %s: %w", instance, ctx.Err())
	}
	hard, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if _, kerr := api.ContainerKill(hard, instance, client.ContainerKillOptions{Signal: "SIGKILL"}); kerr != nil {
		return fault.New(fault.Unavailable, "stop container %s: %w; then kill it: %w", instance, err, kerr)
	}
	return nil
}
