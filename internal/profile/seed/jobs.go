package seed

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/profile"
)

// jobs adds what job tables promise, if the image starts something that reads
// them.
func (s *seeder) jobs() {
	var reader string
	for _, e := range s.entries {
		if e.Exec != nil && slices.Contains(profile.Schedulers(), path.Base(e.Exec.Path)) {
			reader = e.Exec.Path
		}
		// busybox reads tables as its applet crond
		if e.Exec != nil && path.Base(e.Exec.Path) == "busybox" && len(e.Exec.Args) > 0 && path.Base(e.Exec.Args[0]) == "crond" {
			reader = e.Exec.Path
		}
	}
	if reader == "" {
		return
	}
	tables := []struct {
		pattern string
		user    bool // lines name a user before the command
	}{
		{"/etc/crontab", true}, {"/etc/cron.d/*", true},
		{"/var/spool/cron/crontabs/*", false}, {"/etc/crontabs/*", false},
	}
	for _, t := range tables {
		for _, name := range s.glob(t.pattern) {
			for i, line := range strings.SplitN(string(s.text(name)), "\n", maxJobs) {
				if i < maxJobs-1 {
					s.job(line, t.user, reader, name)
				}
			}
		}
	}
}

const maxJobs = 200 // lines of one table

// job adds one line of a table: five fields of time or an @word, then perhaps
// a user, then a command up to the first bare percent sign.
func (s *seeder) job(line string, user bool, reader, table string) {
	line = strings.TrimSpace(line)
	fields := strings.Fields(line)
	n := 5
	if strings.HasPrefix(line, "@") {
		n = 1
	}
	skip := n
	if user {
		skip++
	}
	if line == "" || line[0] == '#' || len(fields) <= skip || n == 5 && !strings.ContainsAny(fields[0][:1], "0123456789*") || len(line) > 4096 {
		return
	}
	command := line
	for range skip {
		command = strings.TrimLeftFunc(command[strings.IndexFunc(command, unicode.IsSpace):], unicode.IsSpace)
	}
	command, _, _ = strings.Cut(command, "%")
	when := strings.Join(fields[:n], " ")
	if when == "@reboot" {
		when = ""
	}
	st := start{argv: []string{"/bin/sh", "-c", command}, parent: reader, cwd: "/", note: "scheduled in " + table}
	if when != "" {
		st.expect = when + ": " + short(command)
	}
	s.run(st)
}
