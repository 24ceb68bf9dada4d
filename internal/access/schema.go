package access

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

//go:embed schema.cedarschema
var schemaText []byte

// language is the schema, ready for use.
type language struct {
	*resolved.Schema
	validator *validate.Validator
	bits      map[types.EntityUID]uint64 // one for each action; a group has its members'
	actions   []string                   // that can be asked for, sorted
}

func newLanguage() (*language, error) {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar(schemaText); err != nil {
		return nil, fmt.Errorf("read access schema: %w", err)
	}
	r, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("resolve access schema: %w", err)
	}
	l := &language{Schema: r, validator: validate.New(r), bits: map[types.EntityUID]uint64{}}
	for uid, a := range r.Actions {
		if a.AppliesTo != nil {
			l.actions = append(l.actions, string(uid.ID))
		}
	}
	slices.Sort(l.actions)
	for i, name := range l.actions {
		uid := actionUID(name)
		l.bits[uid] |= 1 << i
		for group := range r.Actions[uid].Entity.Parents.All() {
			l.bits[group] |= 1 << i
		}
	}
	return l, nil
}

func actionUID(name string) types.EntityUID { return types.NewEntityUID("Action", types.String(name)) }

// applies says whether the action can be asked of such a resource.
func (l *language) applies(action string, resource types.EntityType) bool {
	a, ok := l.Actions[actionUID(action)]
	return ok && a.AppliesTo != nil && slices.Contains(a.AppliesTo.Resources, resource)
}

// typeNames are the entity types, for suggestions.
func (l *language) typeNames() []string {
	names := []string{"Action"}
	for t := range l.Entities {
		names = append(names, string(t))
	}
	slices.Sort(names)
	return names
}

func (l *language) actionNames() []string {
	var names []string
	for uid := range l.Actions {
		names = append(names, string(uid.ID))
	}
	slices.Sort(names)
	return names
}

// attributes are those of all entity types, and of the context.
func (l *language) attributes() (entity, context []string) {
	all := map[string]bool{}
	for _, e := range l.Entities {
		for name := range e.Shape {
			all[string(name)] = true
		}
	}
	for _, a := range l.Actions {
		if a.AppliesTo != nil {
			for name := range a.AppliesTo.Context {
				context = append(context, string(name))
			}
			break
		}
	}
	slices.Sort(context)
	return slices.Sorted(maps.Keys(all)), context
}

// kinds are how principals and resources are written outside of Cedar.
var kinds = map[string]types.EntityType{
	"user": "User", "role": "Role", "key": "Key", "service": "Service", "function": "Function",
	"bucket": "Bucket", "queue": "Queue", "topic": "Topic", "secret": "Secret", "route": "Route", "system": "System",
}

func splitPath(path string) (kind, name string) {
	kind, name, _ = strings.Cut(path, "/")
	return kind, name
}
