package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// load is a container whose first process does what it is told.
type load struct {
	l     *lab
	name  string
	id    string
	in    io.WriteCloser
	lines *bufio.Scanner
}

// answer holds the key=value pairs of one line.
type answer map[string]string

func (a answer) num(key string) float64 {
	n, _ := strconv.ParseFloat(a[key], 64)
	return n
}

// start runs a container of the load image; it goes with the measure.
func (l *lab) start(ctx context.Context, name string) (*load, error) {
	name = fmt.Sprintf("rdt-bench-%s-%d", name, os.Getpid())
	cmd := exec.CommandContext(ctx, "docker", "run", "-i", "--rm", "--name", name, l.image)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &load{l: l, name: name, in: in, lines: bufio.NewScanner(out)}
	l.atEnd(func() {
		command(context.Background(), "docker", "rm", "-f", name)
		in.Close()
		cmd.Wait()
	})
	if _, err := c.do("size /spawn"); err != nil {
		return nil, fmt.Errorf("start the load: %w", err)
	}
	c.id, err = command(ctx, "docker", "inspect", "-f", "{{.Id}}", name)
	return c, err
}

// do gives an order and returns the last line of its answer.
func (c *load) do(format string, args ...any) (answer, error) {
	_, a, err := c.ask(fmt.Sprintf(format, args...))
	return a, err
}

// ask gives an order and returns all lines of its answer, the last apart.
func (c *load) ask(order string) (lines []answer, done answer, err error) {
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		return nil, nil, fmt.Errorf("tell the load: %w", err)
	}
	for c.lines.Scan() {
		a := answer{}
		for f := range strings.FieldsSeq(c.lines.Text()) {
			k, v, _ := strings.Cut(f, "=")
			a[k] = v
		}
		if e, bad := a["error"]; bad {
			return lines, nil, fmt.Errorf("the load answered %q to %q", e, order)
		}
		if _, last := a["done"]; last {
			return lines, a, nil
		}
		lines = append(lines, a)
	}
	return lines, nil, fmt.Errorf("the load ended in the middle of %q", order)
}

// crowd starts n containers that do nothing.
func (l *lab) crowd(ctx context.Context, n int) error {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("rdt-bench-idle%d-%d", i, os.Getpid()))
	}
	l.atEnd(func() {
		for i := 0; i < len(names); i += 20 {
			command(context.Background(), "docker", append([]string{"rm", "-f"}, names[i:min(i+20, len(names))]...)...)
		}
	})
	var wg sync.WaitGroup
	errs := make(chan error, n)
	turns := make(chan bool, 4)
	for _, name := range names {
		turns <- true
		wg.Go(func() {
			_, err := command(ctx, "docker", "run", "-d", "--network", "none", "--name", name, l.image, "/idle")
			errs <- err
			<-turns
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
