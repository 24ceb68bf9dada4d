package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/fault"
)

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Check the audit trail",
		Long:    "Every change anyone makes is kept with what was before and after, each entry chained to the\none before by its hash. List the trail with redoubt get audit.",
		Example: "  redoubt audit verify\n  redoubt get audit --since 24h --actor ann",
	}
	cmd.AddCommand(verifyAudit())
	return cmd
}

func verifyAudit() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Check that no entry was changed or removed; exits 1 if one was",
		Example: "  redoubt audit verify || page-someone",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			s, err := c.VerifyAudit(cmd.Context())
			if err != nil {
				return err
			}
			err = show(cmd, *output, s, func(w io.Writer, _ bool) error {
				if !s.Intact {
					return nil
				}
				_, err := fmt.Fprintf(w, "%d entries, the chain is intact\n", s.Entries)
				return err
			})
			if err == nil && !s.Intact {
				return fault.New(fault.Denied, "the audit trail does not hold: entry %s was changed, or one before it removed", plain(s.Broken))
			}
			return err
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}
