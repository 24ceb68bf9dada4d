// Command imaged is a function that comes as a container image, written with
// the library AWS gives its users: nothing in it knows of us.
package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
)

type seen struct {
	Args   []string
	Dir    string
	File   string            // beside its working directory
	Env    map[string]string // what was asked for
	Host   bool              // whether it sees the host's programs
	Write  string            // why it could not write to its own root
	Tmp    string            // nor to /tmp
	Exec   string            // nor start itself anew
	Memory string
}

func main() {
	lambda.Start(func(_ context.Context, names []string) (seen, error) {
		s := seen{Args: os.Args, Env: map[string]string{}, Memory: os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")}
		var err error
		if s.Dir, err = os.Getwd(); err != nil {
			return s, err
		}
		b, err := os.ReadFile("note.txt")
		if err != nil {
			return s, err
		}
		s.File = string(b)
		for _, n := range names {
			s.Env[n] = os.Getenv(n)
		}
		_, err = os.Stat("/usr/bin/env")
		s.Host = err == nil
		s.Write = why(os.WriteFile("/srv/evil", nil, 0o600))
		s.Tmp = why(os.WriteFile("/tmp/fine", nil, 0o600))
		s.Exec = why(exec.Command("/srv/app/other").Run())
		return s, nil
	})
}

func why(err error) string {
	var no syscall.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &no):
		return no.Error()
	}
	return err.Error()
}
