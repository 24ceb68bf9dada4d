package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newLoginCommand() *cobra.Command {
	var user, ca string
	var withToken bool
	var days int
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to a console and remember it",
		Long: `Asks for name and password, makes an API token of its own at the console and keeps it,
readable for you alone, in ~/.config/redoubt/login.json. The password is kept nowhere.

A console with a certificate of its own authority needs --cacert (or REDOUBT_CACERT) once: the
ca.crt in its state directory.`,
		Example: `  redoubt login https://127.0.0.1:8443 --cacert /var/lib/redoubt/ca.crt --user ann
  redoubt login https://console:8443 --cacert ca.crt --with-token < token-file`,
		Args: exactArgs(1, "the console's address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg := api.Config{URL: strings.TrimRight(args[0], "/"), Version: version}
			if ca == "" {
				ca = os.Getenv("REDOUBT_CACERT")
			}
			if ca != "" {
				pem, err := os.ReadFile(ca)
				if err != nil {
					return fault.New(fault.Invalid, "read authority: %w", err)
				}
				cfg.CA = string(pem)
			}
			ask := newPrompt(cmd)
			saved, err := logIn(cmd.Context(), cfg, ask, user, withToken, days)
			if err != nil {
				return err
			}
			name, err := api.LoginFile(os.Getenv)
			if err != nil {
				return err
			}
			if err := api.WriteSaved(name, saved); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "logged in to %s as %s\n", saved.URL, plain(saved.User))
			return err
		},
	}
	cmd.Flags().StringVarP(&user, "user", "u", "", "name; asked for when not given")
	cmd.Flags().StringVar(&ca, "cacert", "", "certificate of the console's authority, PEM")
	cmd.Flags().BoolVar(&withToken, "with-token", false, "read an API token from standard input instead of name and password")
	cmd.Flags().IntVar(&days, "days", 30, "how long the login is good for")
	return cmd
}

// logIn returns what to keep. By password, it makes an API token and ends the
// session it needed for that.
func logIn(ctx context.Context, cfg api.Config, ask *prompt, user string, withToken bool, days int) (api.Saved, error) {
	if withToken {
		token, err := ask.line("")
		if err != nil {
			return api.Saved{}, err
		}
		cfg.Token = token
		c, err := api.NewClient(cfg)
		if err != nil {
			return api.Saved{}, err
		}
		s, err := c.Session(ctx)
		return api.Saved{Config: cfg, User: s.User}, err
	}
	c, err := api.NewClient(cfg)
	if err != nil {
		return api.Saved{}, err
	}
	if user == "" {
		if user, err = ask.line("Name: "); err != nil {
			return api.Saved{}, err
		}
	}
	password, err := ask.secret("Password: ")
	if err != nil {
		return api.Saved{}, err
	}
	s, err := c.Login(ctx, user, password)
	if err != nil {
		return api.Saved{}, err
	}
	host, _ := os.Hostname() // only a label
	t, err := c.CreateToken(ctx, api.TokenRequest{Name: "redoubt login on " + host, Role: s.Role, Days: days})
	if err != nil {
		return api.Saved{}, err
	}
	cfg.Token = t.Secret
	return api.Saved{Config: cfg, TokenID: t.ID, User: s.User}, c.Logout(ctx)
}

func newLogoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Revoke the login's token and forget it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := api.LoginFile(os.Getenv)
			if err != nil {
				return err
			}
			saved, err := api.ReadSaved(name)
			if errors.Is(err, fs.ErrNotExist) {
				return fault.New(fault.NotFound, "nobody is logged in")
			}
			if err != nil {
				return err
			}
			revoked := revoke(cmd.Context(), saved)
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("forget login: %w", err)
			}
			if revoked != nil {
				return fmt.Errorf("the login is forgotten here, but its token could not be revoked: %w", revoked)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "logged out of %s\n", saved.URL)
			return err
		},
	}
}

// revoke ends a token that login made; one that was brought along stays.
func revoke(ctx context.Context, s api.Saved) error {
	if s.TokenID == "" {
		return nil
	}
	c, err := api.NewClient(s.Config)
	if err != nil {
		return err
	}
	err = c.DeleteToken(ctx, s.TokenID)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unauthenticated) {
		return nil // it has ended already
	}
	return err
}

// prompt asks the person at the terminal, or reads lines where there is none.
type prompt struct {
	in  *bufio.Reader
	raw io.Reader
	out io.Writer
}

func newPrompt(cmd *cobra.Command) *prompt {
	return &prompt{in: bufio.NewReader(cmd.InOrStdin()), raw: cmd.InOrStdin(), out: cmd.ErrOrStderr()}
}

func (p *prompt) line(question string) (string, error) {
	if p.terminal() {
		fmt.Fprint(p.out, question)
	}
	s, err := p.in.ReadString('\n')
	s = strings.TrimRight(s, "\r\n")
	if err != nil && s == "" {
		return "", fault.New(fault.Invalid, "standard input ended before an answer")
	}
	return s, nil
}

// secret is line without an echo.
func (p *prompt) secret(question string) (string, error) {
	if !p.terminal() {
		return p.line(question)
	}
	fmt.Fprint(p.out, question)
	b, err := term.ReadPassword(int(p.raw.(*os.File).Fd()))
	fmt.Fprintln(p.out)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return string(b), nil
}

func (p *prompt) terminal() bool {
	f, ok := p.raw.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
