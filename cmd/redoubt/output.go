package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"redoubt.dev/redoubt/internal/fault"
)

// addOutput gives cmd the -o flag.
func addOutput(cmd *cobra.Command, first string, formats ...string) *string {
	all := append([]string{first}, formats...)
	o := cmd.Flags().StringP("output", "o", first, strings.Join(all, ", "))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

// show writes v as JSON or YAML, or calls text for any other format.
func show(cmd *cobra.Command, format string, v any, text func(w io.Writer, colour bool) error) error {
	w := cmd.OutOrStdout()
	switch format {
	case "json":
		return writeJSON(w, v)
	case "yaml":
		return writeYAML(w, v)
	case cmd.Flag("output").DefValue:
		return text(w, colourful(w))
	}
	return fault.New(fault.Invalid, "%q is no output format of %s; use -o %s", format, cmd.CommandPath(), strings.ReplaceAll(cmd.Flag("output").Usage, ", ", ", -o "))
}

func writeJSON(w io.Writer, v any) error {
	raw, err := marshal(v, "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// marshal is JSON that also escapes what a terminal might obey and JSON would
// let through: DEL, C1 controls and text direction marks.
func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	raw := bytes.TrimRight(b.Bytes(), "\n")
	if !bytes.ContainsFunc(raw, hiding) {
		return raw, nil
	}
	var out bytes.Buffer
	for _, r := range string(raw) {
		if hiding(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes(), nil
}

// hiding runes stay within four hex digits, which \u can say.
func hiding(r rune) bool {
	return r >= 0x7f && r < 0xa0 || r < 0x10000 && unicode.Is(unicode.Cf, r)
}

// writeYAML keeps the order of v's JSON fields.
func writeYAML(w io.Writer, v any) error {
	raw, err := marshal(v, "")
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	block(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return enc.Close()
}

// block turns the flow style that JSON has into YAML's own, but keeps quotes
// where the plain form would mean something else.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.SetString(n.Value)
	}
	if len(n.Content) == 0 && (n.Kind == yaml.SequenceNode || n.Kind == yaml.MappingNode) {
		n.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		block(c)
	}
}

// colourful says whether w is a terminal whose owner has nothing against
// colour (https://no-color.org).
func colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Colours by what they mean.
const (
	plainly = ""
	good    = "32"
	warning = "33"
	bad     = "31"
	faint   = "2"
)

func paint(s, colour string, colourful bool) string {
	if !colourful || colour == plainly || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}
