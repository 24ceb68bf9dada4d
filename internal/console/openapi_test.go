package console

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated reference pages")

// golden compares got with the file at path, or rewrites it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run go test -run %s -update", err, t.Name())
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run go test ./internal/console -run %s -update", path, t.Name())
	}
}

func TestI1_ReferenceDocumentIsCurrent(t *testing.T) {
	api := newAPI(http.NewServeMux(), "1")
	(&Console{}).routes(api)
	raw, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/reference/openapi.json", append(raw, '\n'))
}
