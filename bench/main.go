// Package main measures the published figures: what Redoubt costs, how fast it
// is and what it never lets through, always beside the same machine without it
// and in the same run. It drives the real binary from outside, as a user would,
// and leaves nothing behind. See docs/BENCHMARKS.md for what it shows and what
// it does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// A measure gives the rows of one part of the table.
type measure struct {
	name string
	run  func(ctx context.Context, l *lab) ([]row, error)
}

var measures = []measure{
	{"exec", measureExec},
	{"nginx", measureNginx},
	{"sustained", measureSustained},
	{"alert", measureAlert},
	{"denied", measureDenied},
	{"policy", measurePolicy},
	{"start", measureStart},
	{"list", measureList},
	{"cold", measureCold},
	{"stem", measureStem},
	{"warm", measureWarm},
	{"front", measureFront},
	{"decide", measureDecide},
	{"sign", measureSign},
	{"fleet", measureFleet},
	{"kill", measureKill},
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == withoutGate {
		fmt.Fprintln(os.Stderr, execWithoutGate(os.Args[2:]))
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var names []string
	for _, m := range measures {
		names = append(names, m.name)
	}
	binary := flag.String("redoubt", "bin/redoubt", "the binary to measure")
	only := flag.String("only", "", "measure only these, with commas between: "+strings.Join(names, ", "))
	quick := flag.Bool("quick", false, "few rounds and short ones: shows that the harness works, not what Redoubt costs")
	write := flag.String("write", "", "put the figures into this file, between the markers; rows of what was not measured stay")
	storm := flag.Duration("storm", 0, "how long kill calls and kills; 10m, or 20s with -quick")
	verbose := flag.Bool("v", false, "show what redoubt says")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := newLab(ctx, *binary, *quick, *verbose)
	if err != nil {
		return err
	}
	defer l.close()
	l.storm = *storm

	t := table{head: l.machine()}
	var errs []error
	for _, m := range chosen {
		if ctx.Err() != nil {
			break
		}
		l.say("%s …", m.name)
		rows, err := m.run(ctx, l)
		l.clean()
		for i := range rows {
			rows[i].measure, rows[i].when = m.name, l.when()
			l.say("%s", rows[i].line())
		}
		t.rows = append(t.rows, rows...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	t.head += l.aftermath()
	fmt.Println(t.markdown())
	if *write != "" && len(t.rows) > 0 {
		errs = append(errs, t.update(*write))
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func choose(only string) ([]measure, error) {
	if only == "" {
		return measures, nil
	}
	var chosen []measure
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, m := range measures {
			if m.name == name {
				chosen, found = append(chosen, m), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no measure %q", name)
		}
	}
	return chosen, nil
}
