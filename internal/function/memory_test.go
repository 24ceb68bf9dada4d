package function

import (
	"context"
	"slices"
	"strings"
	"sync"

	"redoubt.dev/redoubt/internal/fault"
)

// memory is a Store as its contract says.
type memory struct {
	mu    sync.Mutex
	all   map[string]*Function
	marks map[string]Mark
}

var _ Store = (*memory)(nil)

func newMemory() *memory { return &memory{all: map[string]*Function{}, marks: map[string]Mark{}} }

func (m *memory) GetFunction(_ context.Context, name string) (*Function, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.all[name]; ok {
		return f, nil
	}
	return nil, fault.New(fault.NotFound, "there is no function %s", name)
}

func (m *memory) ListFunctions(_ context.Context, q Filter) (page []*Function, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for n, f := range m.all {
		if n > q.Cursor && (q.State == "" || q.State == f.State) && strings.Contains(n, q.Text) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for i, n := range names {
		if i == q.Limit {
			return page, names[i-1], nil
		}
		page = append(page, m.all[n])
	}
	return page, "", nil
}

func (m *memory) PutFunction(_ context.Context, f *Function, expected int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(f.Name, expected); err != nil {
		return err
	}
	m.all[f.Name], m.marks[f.Name] = f, Mark{f.Revision, f.Last}
	return nil
}

func (m *memory) DeleteFunction(_ context.Context, name string, expected int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(name, expected); err != nil {
		return err
	}
	delete(m.all, name)
	return nil
}

func (m *memory) FunctionMark(_ context.Context, name string) (Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[name], nil
}

func (m *memory) check(name string, expected int64) error {
	var have int64
	if f := m.all[name]; f != nil {
		have = f.Revision
	}
	if have != expected {
		return fault.New(fault.Conflict, "%s has revision %d, not %d", name, have, expected)
	}
	return nil
}
