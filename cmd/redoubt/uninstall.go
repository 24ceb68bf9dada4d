package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox"
)

func newUninstallCommand() *cobra.Command {
	var state, tokenFile string
	var all bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove what Redoubt left on this machine",
		Long: `Uninstall removes the state directory: record, keys, certificates, policies, profiles and events
not delivered yet, functions with their code and buckets. There is no way back.

Control groups and processes of functions that a killed redoubt left are ended and removed. Nothing
else needs removing. Kernel programs, rules and the file gate end with the process that loaded them,
which releases isolated containers; Redoubt pins nothing under /sys/fs/bpf and writes no firewall
rule. No container is stopped, restarted or signalled.

It refuses while a redoubt uses the directory: stop that one first. Of a directory that also holds
other files, only Redoubt's own are removed, and the files in functions/secrets, which people put there, stay.
The login file of redoubt login stays, unless --all.`,
		Example: `  redoubt uninstall
  redoubt uninstall --state ./state --token-file ./token
  redoubt uninstall --all        # the login file too`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u := &uninstall{out: cmd.OutOrStdout()}
			if err := u.state(state, tokenFile); err != nil {
				return err
			}
			if all {
				name, err := api.LoginFile(os.Getenv)
				if err != nil {
					return err
				}
				u.remove(name)
			}
			return u.end()
		},
	}
	cmd.Flags().StringVar(&state, "state", "/var/lib/redoubt", "state directory to remove")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "remove this file too: the one redoubt up --token-file wrote")
	cmd.Flags().BoolVar(&all, "all", false, "remove the login file of redoubt login too")
	return cmd
}

// ours are the names of what redoubt makes in a state directory.
var ours = []string{
	"redoubt.db*", "ca.crt", "ca.key", "api.crt", "api.key", "link.crt", "link.key", "gateway.crt", "gateway.key", ".new-*",
	"desired.json", "desired.json.new", "console",
	"spool/*.seg", "spool/acked", "spool/lock", "spool",
	"node/node.pem", "node/console-ca.crt", "node/.new-*", "node",
}

type uninstall struct {
	out     io.Writer
	removed int
	errs    []error
}

// state removes a state directory that nobody uses, and the token file, which
// may lie in it.
func (u *uninstall) state(dir, tokenFile string) error {
	for _, lock := range []string{"redoubt.db-lock", "spool/lock"} {
		held, err := claim(filepath.Join(dir, lock))
		if err != nil {
			return err
		}
		if held != nil {
			defer held.Close() // nobody starts meanwhile
		}
	}
	if tokenFile != "" {
		u.remove(tokenFile)
	}
	u.functions(filepath.Join(dir, "functions"))
	for _, pattern := range ours {
		names, err := filepath.Glob(filepath.Join(quoteGlob(dir), pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			u.remove(name)
		}
	}
	rest, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		u.errs = append(u.errs, err)
	case len(rest) == 0:
		u.remove(dir)
	default:
		var names []string
		for _, e := range rest {
			names = append(names, plain(e.Name()))
		}
		slices.Sort(names)
		fmt.Fprintf(u.out, "left alone in %s, not Redoubt's: %s\n", plain(dir), strings.Join(names, ", "))
	}
	return nil
}

// functions removes what functions left: first what a killed redoubt could not
// end, then the files.
func (u *uninstall) functions(dir string) {
	boxes := filepath.Join(dir, "sandbox")
	if _, err := os.Stat(boxes); err == nil {
		if init, err := sandbox.Init(); err == nil {
			host, err := sandbox.Open(sandbox.Config{Dir: boxes, Init: init})
			if err == nil {
				err = host.Close()
			}
			if err != nil && !fault.Is(err, fault.Unsupported) {
				u.errs = append(u.errs, err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there were none
	}
	u.unmount(dir)
	for _, e := range entries {
		if e.Name() == "secrets" {
			u.remove(filepath.Join(dir, "secrets")) // only where it is empty
			continue
		}
		name := filepath.Join(dir, e.Name())
		if err := os.RemoveAll(name); err != nil {
			u.errs = append(u.errs, err)
			continue
		}
		u.removed++
		fmt.Fprintf(u.out, "removed %s\n", plain(name))
	}
	u.remove(dir)
}

// unmount lets go of what a killed redoubt had mounted below dir, as the
// memory that secrets lie in.
func (u *uninstall) unmount(dir string) {
	whole, err := filepath.Abs(dir)
	if err == nil {
		whole, err = filepath.EvalSymlinks(whole)
	}
	mounts, err2 := os.ReadFile("/proc/self/mounts")
	if err := errors.Join(err, err2); err != nil {
		u.errs = append(u.errs, err)
		return
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[1])
		if !strings.HasPrefix(at, whole+"/") {
			continue
		}
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			u.errs = append(u.errs, fmt.Errorf("unmount %s: %w", at, err))
			continue
		}
		u.removed++
		fmt.Fprintf(u.out, "unmounted %s\n", plain(at))
	}
}

// claim takes the lock that a running redoubt would hold; nil where there is
// no lock file.
func claim(name string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for a running redoubt: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.New(fault.Conflict, "a redoubt is running with this state directory (it holds %s): stop it first; nothing was removed", name)
		}
		return nil, fmt.Errorf("look for a running redoubt: lock %s: %w", name, err)
	}
	return f, nil
}

func (u *uninstall) remove(name string) {
	err := os.Remove(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTEMPTY): // what a directory still holds is told at the end
	case err != nil:
		u.errs = append(u.errs, err)
	default:
		u.removed++
		fmt.Fprintf(u.out, "removed %s\n", plain(name))
	}
}

func (u *uninstall) end() error {
	if err := errors.Join(u.errs...); err != nil {
		return fmt.Errorf("not everything could be removed: %w", err)
	}
	if u.removed == 0 {
		fmt.Fprintln(u.out, "nothing of Redoubt is here")
		return nil
	}
	_, err := fmt.Fprintln(u.out, "done; the program itself is yours to delete")
	return err
}

// quoteGlob keeps a directory's name from being taken for a pattern.
func quoteGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
