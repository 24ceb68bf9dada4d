package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/sandbox"
)

// kindLife is how long a kind of runtime is kept ready after its last use.
const kindLife = 10 * time.Minute

// nursery keeps stems: sandboxed runtimes that started without a function and
// wait for one. Each is taken once and belongs to that function from then on.
type nursery struct {
	r    *Runner
	want int // of each kind

	mu     sync.Mutex
	kinds  map[kind]*brood
	closed bool
	wg     sync.WaitGroup
}

// brood is the stems of one kind.
type brood struct {
	ready    []*stem
	starting int
	used     time.Time
	failed   time.Time // when one could not be started last
}

// stem is a runtime without a function. What happens in it is told to owner,
// nobody before it is taken.
type stem struct {
	box   *sandbox.Sandbox
	api   *lambda.Server
	l     *layout
	owner atomic.Pointer[environment]
}

func newNursery(r *Runner, want int) *nursery {
	return &nursery{r: r, want: want, kinds: map[kind]*brood{}}
}

// fits says whether a version can take a stem: what must be there before a
// program starts cannot be added to one that runs.
func (n *nursery) fits(v *function.Version) bool {
	s := &v.Spec
	return n.want > 0 && s.Runtime != function.Provided && s.Runtime != function.Image &&
		len(s.Role.Exec) == 0 && len(s.Role.Write) == 0 && len(s.Role.Secrets) == 0 &&
		len(furtherPorts(s.Role.Egress)) == 0 && len(s.Role.AWS) == 0 && lambda.CanAttach(s.Env)
}

// take returns a stem of a version's kind, nil where none is ready.
func (n *nursery) take(v *function.Version) *stem {
	if !n.fits(v) {
		return nil
	}
	k := kindOf(v)
	n.mu.Lock()
	b := n.kinds[k]
	if b == nil {
		b = &brood{}
		n.kinds[k] = b
	}
	b.used = time.Now()
	var s *stem
	for s == nil && len(b.ready) > 0 {
		s = b.ready[0]
		b.ready = b.ready[1:]
		select {
		case <-s.box.Done():
			s = nil
		default:
		}
	}
	n.mu.Unlock()
	return s
}

// fill starts what is missing and ends what nobody asked for lately.
func (n *nursery) fill() {
	now := time.Now()
	var old []*stem
	n.mu.Lock()
	for k, b := range n.kinds {
		b.ready = slices.DeleteFunc(b.ready, func(s *stem) bool {
			select {
			case <-s.box.Done():
				old = append(old, s)
				return true
			default:
				return false
			}
		})
		if now.Sub(b.used) > kindLife {
			old = append(old, b.ready...)
			delete(n.kinds, k)
			continue
		}
		for !n.closed && len(b.ready)+b.starting < n.want && now.Sub(b.failed) > time.Minute {
			b.starting++
			n.wg.Go(func() { n.raise(k, b) })
		}
	}
	n.mu.Unlock()
	for _, s := range old {
		s.end(n.r)
	}
}

// raise starts one stem.
func (n *nursery) raise(k kind, b *brood) {
	s, err := n.r.stem(k)
	n.mu.Lock()
	b.starting--
	wanted := !n.closed && n.kinds[k] == b
	if err != nil {
		b.failed = time.Now()
		n.r.log.Warn("runtime not pre-started", "runtime", k.runtime, "error", err)
	} else if wanted {
		b.ready = append(b.ready, s)
	}
	n.mu.Unlock()
	if err == nil && !wanted {
		s.end(n.r)
	}
}

// ready counts the stems of a kind that wait.
func (n *nursery) ready(k kind) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b := n.kinds[k]; b != nil {
		return len(b.ready)
	}
	return 0
}

func (n *nursery) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.wg.Wait()
	n.mu.Lock()
	var all []*stem
	for _, b := range n.kinds {
		all = append(all, b.ready...)
	}
	n.kinds = map[kind]*brood{}
	n.mu.Unlock()
	for _, s := range all {
		s.end(n.r)
	}
}

// stem starts a runtime that waits for a function. It counts as an environment
// of this node.
func (r *Runner) stem(k kind) (*stem, error) {
	if err := r.room(); err != nil {
		return nil, err
	}
	s, err := r.raise(k)
	if err != nil {
		r.leave()
	}
	return s, err
}

func (r *Runner) raise(k kind) (*stem, error) {
	client, err := lambda.Find(string(k.runtime), "", r.runtimes)
	if err != nil {
		return nil, err
	}
	client = client.Bound(k.memory)
	s := &stem{api: lambda.NewServer(lambda.About{}), l: r.newLayout(nil)}
	spec := k.spec()
	spec.ID = r.name("stem-" + string(k.runtime))
	spec.Argv = client.Argv
	spec.Env = append(lambda.Environ(lambda.EnvConfig{Runtime: string(k.runtime), Memory: k.memory, Region: region, API: apiAddr}), client.Env...)
	spec.Env = append(spec.Env, lambda.StemVariable+"=1")
	spec.Mounts, spec.Ports, spec.Stem = mountsOf(client.Mounts), s.l.list(), true
	spec.Dir = "/"
	spec.Output = func(stream int, data []byte) {
		if e := s.owner.Load(); e != nil {
			e.lines.write(stream, data)
		}
	}
	spec.OnExec = func(x sandbox.Exec) bool {
		e := s.owner.Load()
		return e != nil && e.onExec(x)
	}
	ctx, cancel := context.WithTimeout(context.Background(), initLimit)
	defer cancel()
	if s.box, err = r.cfg.Host.Start(ctx, spec); err != nil {
		return nil, err
	}
	go s.api.Serve(s.box.Listener(0))
	go func() {
		<-s.box.Done()
		s.api.Close()
	}()
	if err := s.api.Stemmed(ctx); err != nil {
		s.box.Kill()
		return nil, err
	}
	if err := s.box.Freeze(); err != nil {
		s.box.Kill()
		return nil, err
	}
	return s, nil
}

func (s *stem) end(r *Runner) {
	s.box.Kill()
	s.api.Close()
	r.leave()
}

// claim makes a stem the environment e, if one fits. A stem that cannot be
// made to is ended, and a cold start takes its place.
func (r *Runner) claim(e *environment, code []sandbox.Mount) (bool, error) {
	s := r.stems.take(e.version)
	if s == nil {
		return false, nil
	}
	defer r.stems.refill()
	e.start, e.box, e.api = function.Claimed, s.box, s.api
	s.owner.Store(e)
	err := errors.Join(s.box.Attach(code...), s.box.Thaw())
	if err == nil {
		e.serve(s.l.beyond())
		err = s.api.Attach(lambda.Attachment{About: r.about(e), Env: r.environ(e, nil)})
	}
	// The stem's place is counted, and so is the one e was given.
	r.leave()
	if err != nil {
		r.log.Warn("pre-started runtime not taken", "function", e.key.function, "error", err)
		s.box.Kill()
		s.api.Close()
		e.start, e.box, e.api = function.Cold, nil, nil
		return false, nil
	}
	return true, nil
}

// refillAfter lets the call that took a stem be answered before the next is
// started: both want the processor.
const refillAfter = 50 * time.Millisecond

// refill asks for missing stems without waiting for them.
func (n *nursery) refill() { time.AfterFunc(refillAfter, n.fill) }
