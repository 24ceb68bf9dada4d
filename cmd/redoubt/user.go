package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, list, change and delete local accounts",
		Long: `Accounts of this console. An auditor reads; an operator also triages, responds and edits
profiles and policies; an admin also manages users, tokens and nodes.

Passwords are asked for, or read from standard input; never given as an argument.`,
		Example: `  redoubt user add bob --role operator
  redoubt user passwd          # your own
  redoubt user delete bob`,
	}
	cmd.AddCommand(addUser(), listCommand("users", "List accounts", listUsers), passwdUser(), deleteUser())
	return cmd
}

func addUser() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make an account, or give one another role and password",
		Example: "  redoubt user add bob --role operator",
		Args:    exactArgs(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return putUser(cmd, args[0], func(*api.Client) (string, error) { return role, nil })
		},
	}
	cmd.Flags().StringVar(&role, "role", "auditor", "admin, operator or auditor")
	return cmd
}

func passwdUser() *cobra.Command {
	return &cobra.Command{
		Use:   "passwd [NAME]",
		Short: "Set a new password: your own, or as an administrator somebody's",
		Long: `Without a name, or with your own, it asks for your current password and then for the new one
twice; without a terminal both are read from standard input, a line each. Your sessions in
browsers end, API tokens stay. With another name, an administrator sets that account's.`,
		Example: `  redoubt user passwd
  redoubt user passwd bob`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			me, err := c.Session(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 || args[0] == me.User {
				return ownPassword(cmd, c, me.User)
			}
			return putUser(cmd, args[0], func(c *api.Client) (string, error) {
				u, err := c.User(cmd.Context(), args[0])
				return u.Role, err
			})
		},
	}
}

func ownPassword(cmd *cobra.Command, c *api.Client, name string) error {
	ask := newPrompt(cmd)
	current, err := ask.secret("Current password of " + plain(name) + ": ")
	if err != nil {
		return err
	}
	password, err := newPassword(ask)
	if err != nil {
		return err
	}
	if err := c.ChangePassword(cmd.Context(), current, password); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "password of %s changed\n", plain(name))
	return err
}

// newPassword asks for a password, twice where a person may mistype it.
func newPassword(ask *prompt) (string, error) {
	password, err := ask.secret("New password: ")
	if err != nil || !ask.terminal() {
		return password, err
	}
	again, err := ask.secret("Once more: ")
	if err == nil && again != password {
		err = fault.New(fault.Invalid, "the two passwords differ; nothing was changed")
	}
	return password, err
}

// putUser asks for a password and writes the account.
func putUser(cmd *cobra.Command, name string, role func(*api.Client) (string, error)) error {
	c, err := connect()
	if err != nil {
		return err
	}
	r := api.UserRequest{}
	if r.Role, err = role(c); err != nil {
		return err
	}
	if r.Password, err = newPassword(newPrompt(cmd)); err != nil {
		return err
	}
	u, err := c.PutUser(cmd.Context(), name, r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "user %s saved with role %s\n", plain(u.Name), plain(u.Role))
	return err
}

func deleteUser() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete an account with its sessions and tokens",
		Example: "  redoubt user delete bob",
		Args:    exactArgs(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if err := c.DeleteUser(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "user %s deleted\n", plain(args[0]))
			return err
		},
	}
}
