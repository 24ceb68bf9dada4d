package main

import (
	"github.com/spf13/cobra"
)

// newRootCommand lists every command there is.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "redoubt",
		Short: "See what every workload does, learn what is normal, stop what is not",
		Long: `Redoubt watches the containers, services and processes of a machine, learns what
they normally do, alerts on the rest and, where you say so, makes it fail.

  redoubt up                              protect this machine: all roles in one process
  redoubt get alerts                      what needs attention
  redoubt why a12                         why that is an alert, and what would allow it
  redoubt profile enforce docker/shop/web from now on only what was learned may run

Commands that talk to a console find it through REDOUBT_URL, REDOUBT_TOKEN and
REDOUBT_CACERT, or through what redoubt login has saved.

Exit codes: 0 done, 1 refused by policy or not found, 2 could not run.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "act", Title: "Decide and act:"},
		&cobra.Group{ID: "manage", Title: "Manage:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("run", newUpCommand(), newConsoleCommand(), newDefenderCommand())
	group("look", newGetCommand(), newDescribeCommand(), newWhyCommand(), newWatchCommand())
	group("act",
		newApplyCommand(), newDeleteCommand(), newProfileCommand(),
		newFunctionCommand(), newRouteCommand(), newAccessCommand(), newPrincipalCommand(),
		newIsolateCommand(), newReleaseCommand(), newStopCommand())
	group("manage",
		newLoginCommand(), newLogoutCommand(), newUserCommand(), newTokenCommand(),
		newNodeCommand(), newAuditCommand(), newUninstallCommand(), newVersionCommand())
	return root
}
