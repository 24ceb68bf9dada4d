// Redoubt: one binary that plays every role. main picks the command, runs it
// and turns its error into an exit code; each command family is a file.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "redoubt:", plainLines(err.Error()))
	}
	os.Exit(exitCode(err))
}
