package defender

import (
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/guard/kernel"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// startPhase is how long after its first sighting an instance may still be
// starting; it ends sooner, when it listens.
const startPhase = 10 * time.Second

// tenant is one workload on this node, as far as the same policy rules hold for
// its instances: its slot in the kernel, its profile as this node has it, and
// its running instances. The defender's lock guards it.
type tenant struct {
	ref       redoubt.WorkloadRef // of the instance seen last
	slot      sensor.Slot
	learner   *profile.Learner
	snapshot  *profile.Profile // as learned so far; nobody changes it
	grown     bool             // the learner knows more than the snapshot
	urgent    bool             // it knows something the console should hear at once
	told      time.Time        // when the console last heard
	state     profile.State
	revision  int64 // of the profile, as the console counts
	overlay   *policy.Overlay
	stale     bool                             // the kernel's rules are older than policies or profile
	instances map[string]*redoubt.Workload     // known here, running or about to
	lives     map[string]*life                 // of those, the running ones
	versions  map[redoubt.Digest]chan struct{} // image versions looked at; closed once they are in the profile
	servers   []string                         // programs that listen
	files     []kernel.Located                 // programs that profile and policies name, where anything may be refused
	bound     map[ruleKey]string               // kernel rules that stand for profile entries
	gaps      []string                         // what its rules cannot do

	// byProgram are the kinds of event for which a policy asks which program
	// opened the socket. The kernel does not compare that, so nothing of the
	// kind may be decided there unseen.
	byProgram map[redoubt.EventKind]bool
}

// ruleKey names a kernel rule; exactly one field is set.
type ruleKey struct {
	exec    sensor.ExecKey
	connect sensor.ConnectKey
	listen  redoubt.Port
}

// life is one running instance.
type life struct {
	workload  *redoubt.Workload
	since     time.Time
	adopted   bool // was running before this defender
	listening bool
	cut       bool // isolated
	gated     int  // process whose mounts the file gate follows; 0 for none
}

func newTenant(ref redoubt.WorkloadRef, slot sensor.Slot, p *profile.Profile) *tenant {
	t := &tenant{ref: ref, slot: slot, instances: map[string]*redoubt.Workload{}, lives: map[string]*life{}, versions: map[redoubt.Digest]chan struct{}{}, bound: map[ruleKey]string{}}
	t.learner = profile.NewLearner(p)
	t.state, t.revision = p.State, p.Revision
	return t
}

// rebase takes over the console's revision of the profile. Kernel rules rest
// on entries, so they are stale when one is gone or, while enforcing, is new.
func (t *tenant) rebase(p *profile.Profile) {
	had, has := entryIDs(t.known()), entryIDs(p)
	t.learner.Rebase(p)
	t.grown = true
	t.stale = t.stale || t.state != p.State
	for id := range had {
		t.stale = t.stale || !has[id]
	}
	t.stale = t.stale || p.State == profile.Enforcing && len(had) != len(has)
	t.state, t.revision = p.State, p.Revision
}

func entryIDs(p *profile.Profile) map[string]bool {
	ids := make(map[string]bool, len(p.Entries))
	for i := range p.Entries {
		ids[p.Entries[i].ID] = true
	}
	return ids
}

// overlaid takes over the policy rules that hold for the workload.
func (t *tenant) overlaid(o *policy.Overlay) {
	t.overlay, t.stale = o, true
	t.byProgram = map[redoubt.EventKind]bool{}
	for _, r := range o.Rules() {
		if r.Listen != nil && len(r.Listen.Paths) > 0 {
			t.byProgram[redoubt.EventListen], t.byProgram[redoubt.EventAccept] = true, true
		}
		if r.Connect != nil && len(r.Connect.Paths) > 0 {
			t.byProgram[redoubt.EventConnect] = true
		}
	}
}

// known returns the profile as learned so far.
func (t *tenant) known() *profile.Profile {
	if t.grown || t.snapshot == nil {
		p := t.learner.Profile(time.Now())
		t.snapshot, t.grown = &p, false
	}
	return t.snapshot
}

// life returns the instance's, making it at first sight.
func (t *tenant) life(w *redoubt.Workload, now time.Time) *life {
	l := t.lives[w.Instance()]
	if l == nil {
		l = &life{since: now}
		t.lives[w.Instance()] = l
	}
	l.workload = w
	return l
}

// bury forgets lives that a late event of an instance already gone has opened
// again. A young one may only not have been told of yet.
func (t *tenant) bury(here map[string]bool, now time.Time) {
	for instance, l := range t.lives {
		if !here[instance] && now.Sub(l.since) > time.Minute {
			delete(t.lives, instance)
		}
	}
}

// context is what guard needs to know beyond the event.
func (t *tenant) context(l *life, at time.Time) guard.Context {
	starting := !l.adopted && !l.listening && at.Sub(l.since) < startPhase
	return guard.Context{
		Labels:    l.workload.Labels,
		Health:    l.workload.Health,
		Listening: l.listening,
		Starting:  starting,
		Servers:   t.servers,
	}
}

// serves notes that an instance listens with this program.
func (t *tenant) serves(l *life, path string) {
	l.listening = true
	t.serve(path)
}

func (t *tenant) serve(path string) {
	if len(t.servers) < 64 && !slices.Contains(t.servers, path) { // more would say nothing new
		t.servers = append(t.servers, path)
	}
}
