package docker

import (
	"context"
	"slices"
	"sync"

	"github.com/moby/moby/client"
)

// maxImages bounds the cache of image facts; when it is full an arbitrary one
// makes room, at the price of asking the engine again.
const maxImages = 512

// imageFacts is what a container's identity needs of its image.
type imageFacts struct {
	id   string
	argv []string // entrypoint and command as the image has them
	tags []string
}

// images remembers facts by image id. Tags may move after the first look; they
// only name containers that were started by a bare image id.
type images struct {
	mu   sync.Mutex
	byID map[string]imageFacts
}

func newImages() *images { return &images{byID: map[string]imageFacts{}} }

// get returns the zero facts where the engine no longer knows the image.
func (m *images) get(ctx context.Context, api *client.Client, ref string) imageFacts {
	m.mu.Lock()
	facts, ok := m.byID[ref]
	m.mu.Unlock()
	if ok || ref == "" {
		return facts
	}
	got, err := api.ImageInspect(ctx, ref)
	if err != nil {
		return imageFacts{}
	}
	facts = imageFacts{id: got.ID, tags: slices.Sorted(slices.Values(got.RepoTags))}
	if got.Config != nil {
		facts.argv = slices.Concat(words(got.Config.Entrypoint), words(got.Config.Cmd))
	}
	if ref == got.ID { // a name may mean another image tomorrow
		m.put(facts)
	}
	return facts
}

func (m *images) put(facts imageFacts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.byID) >= maxImages {
		for id := range m.byID {
			delete(m.byID, id)
			break
		}
	}
	m.byID[facts.id] = facts
}
