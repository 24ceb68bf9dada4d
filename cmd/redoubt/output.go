package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"

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
	raw, err := marshal(v, "  ", pair)
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// marshal is JSON that also escapes what a terminal might obey and JSON would
// let through: DEL, C1 controls and text direction marks.
func marshal(v any, indent string, supplementary func(rune) string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return escape(bytes.TrimRight(b.Bytes(), "\n"), func(r rune) string {
		if r < 0x10000 {
			return fmt.Sprintf(`\u%04x`, r)
		}
		return supplementary(r)
	}), nil
}

// pair is how JSON says a rune beyond four hex digits.
func pair(r rune) string {
	high, low := utf16.EncodeRune(r)
	return fmt.Sprintf(`\u%04x\u%04x`, high, low)
}

func escape(text []byte, as func(rune) string) []byte {
	if !bytes.ContainsFunc(text, hiding) {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		if hiding(r) {
			out.WriteString(as(r))
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func hiding(r rune) bool { return r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Cf, r) }

// writeYAML keeps the order of v's JSON fields.
func writeYAML(w io.Writer, v any) error {
	raw, err := marshal(v, "", func(r rune) string { return string(r) }) // the YAML reader knows no pairs
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	block(&doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err = w.Write(escape(b.Bytes(), func(r rune) string { return fmt.Sprintf(`\U%08X`, r) }))
	return err
}

// block turns the flow style that JSON has into YAML's own, but keeps quotes
// where the plain form would mean something else, or could not be escaped.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.SetString(n.Value)
		if strings.ContainsFunc(n.Value, hiding) {
			n.Style = yaml.DoubleQuotedStyle
		}
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
