package store

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/redoubt"
)

// A search finds events by the words of their shape. A word is letters, digits,
// dots and underscores; each word of the search must begin one of them,
// whatever its case.

// words is the text a search looks in.
func words(e *redoubt.Event) string {
	var b strings.Builder
	add := func(s string) {
		if b.Len() < maxWords {
			b.WriteString(clip(s, maxWords-b.Len()))
			b.WriteByte(' ')
		}
	}
	add(string(e.Workload.ID))
	for p := e.Process; p != nil; p = p.Parent {
		add(p.Path)
		if p == e.Process {
			for _, a := range p.Args[min(1, len(p.Args)):] {
				add(a)
			}
			add(p.Cwd)
		}
	}
	if n := e.Network; n != nil {
		local, remote, _ := steady(e.Kind, n)
		for _, a := range []netip.AddrPort{local, remote} {
			if a.IsValid() {
				add(a.Addr().String())
				add(fmt.Sprint(a.Port()))
			}
		}
		add(string(n.Peer))
	}
	add(e.Verdict.Rule)
	add(e.Verdict.Technique)
	add(e.Verdict.Reason)
	add(e.Note)
	return b.String()
}

// searchWords splits as the index does.
func searchWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
}

// match writes text as a query of the index. ok is false when there is nothing
// to look for.
func match(text string) (query string, ok bool) {
	list := searchWords(text)
	for i, w := range list {
		list[i] = `"` + w + `"*`
	}
	return strings.Join(list, " "), len(list) > 0
}

// holdsWords answers as the index would.
func holdsWords(text string, sought []string) bool {
	have := searchWords(text)
	for _, w := range sought {
		found := false
		for _, h := range have {
			found = found || strings.HasPrefix(h, w)
		}
		if !found {
			return false
		}
	}
	return true
}
