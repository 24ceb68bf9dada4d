package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite docs/reference/cli.md")

const referenceFile = "../../docs/reference/cli.md"

// The reference is the help itself, so that it cannot say anything else.
func TestI3_ReferenceShowsEveryCommand(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nWritten from the program's own help by `go test ./cmd/redoubt -update`.\n")
	describeCommand(t, &b, newRootCommand())
	if *update {
		if err := os.WriteFile(referenceFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the program says: run go test ./cmd/redoubt -update", referenceFile)
	}
}

// hostName is a default that differs from machine to machine.
var hostName = regexp.MustCompile(`(name of this node;[^\n]*)\(default "[^"]*"\)`)

func describeCommand(t *testing.T, b *bytes.Buffer, c *cobra.Command) {
	t.Helper()
	if c.Name() == "help" || c.Name() == "completion" || c.Hidden {
		return
	}
	if c.Runnable() && c.Short == "" {
		t.Errorf("%s has no description", c.CommandPath())
	}
	fmt.Fprintf(b, "\n## %s\n\n```\n", c.CommandPath())
	c.InitDefaultHelpFlag()
	text := strings.TrimSpace(c.Long)
	if text == "" {
		text = c.Short
	}
	help := hostName.ReplaceAllString(text+"\n\n"+c.UsageString(), `$1(default this machine's)`)
	for line := range strings.Lines(help) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	b.WriteString("```\n")
	for _, sub := range c.Commands() {
		describeCommand(t, b, sub)
	}
}
