package console

import (
	"encoding/base64"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

// paged turns what a store found into a page; an empty list is written as one.
func paged[T any](items []T, next string) *out[api.Page[T]] {
	if items == nil {
		items = []T{}
	}
	return answer(api.Page[T]{Items: items, Next: next})
}

// mark is where an item of a list held in memory stands: newest first, then by
// key. The cursor is the mark of the last item shown, so that what comes and
// goes between two pages neither repeats nor hides the others.
type mark struct {
	time time.Time
	key  string
}

func (m mark) before(o mark) bool {
	if !m.time.Equal(o.time) {
		return m.time.After(o.time)
	}
	return m.key < o.key
}

func (m mark) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(m.time.UTC().Format(time.RFC3339Nano) + " " + m.key))
}

func readMark(cursor string) (mark, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	stamp, key, ok := strings.Cut(string(raw), " ")
	t, bad := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || !ok || bad != nil {
		return mark{}, fault.New(fault.Invalid, "cursor: %q is not one of this list; ask for the first page again", clip(cursor, 64))
	}
	return mark{t, key}, nil
}

// cut shows the page of a sorted list that s asks for. where says where an item
// stands.
func cut[T any](all []T, s Slice, where func(T) mark) (*out[api.Page[T]], error) {
	total := len(all)
	if s.Cursor != "" {
		from, err := readMark(s.Cursor)
		if err != nil {
			return nil, err
		}
		i := 0
		for i < len(all) && !from.before(where(all[i])) {
			i++
		}
		all = all[i:]
	}
	next := ""
	if limit := max(1, s.Limit); len(all) > limit {
		all = all[:limit]
		next = where(all[limit-1]).cursor()
	}
	o := paged(all, next)
	o.Body.Total = total
	return o, nil
}

// cutAs is cut for lists whose items are shown as something else.
func cutAs[T, S any](all []T, s Slice, where func(T) mark, show func(T) S) (*out[api.Page[S]], error) {
	page, err := cut(all, s, where)
	if err != nil {
		return nil, err
	}
	shown := make([]S, 0, len(page.Body.Items))
	for _, item := range page.Body.Items {
		shown = append(shown, show(item))
	}
	return answer(api.Page[S]{Items: shown, Next: page.Body.Next, Total: page.Body.Total}), nil
}
