package web

import (
	"io/fs"
	"strings"
	"testing"
)

func TestD19_UIAlwaysHasAPage(t *testing.T) {
	files, built := UI()
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !built && !strings.Contains(string(page), "make ui") {
		t.Errorf("the page of a binary without UI does not say how to build it:\n%s", page)
	}
	if built && !strings.Contains(string(page), `<div id="root">`) {
		t.Errorf("the built page has no place for the application:\n%s", page)
	}
}

// The content security policy allows nothing from elsewhere and nothing
// inline, so a page that needed either would stay blank.
func TestD19_UINeedsNothingFromElsewhere(t *testing.T) {
	files, built := UI()
	if !built {
		t.Skip("the UI is not built: run make ui")
	}
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http://", "https://", "<script>", "<style", " style=", " onload="} {
		if strings.Contains(string(page), bad) {
			t.Errorf("index.html contains %q", bad)
		}
	}
}
