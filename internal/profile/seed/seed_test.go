package seed

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

const binary = "\x7fELF\x00not really"

// image builds a root: values beginning with -> are links, those ending in
// .conf, .cnf or below /etc/cron are plain files, everything else may run.
func image(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if to, ok := strings.CutPrefix(text, "->"); ok {
			if err := os.Symlink(to, full); err != nil {
				t.Fatal(err)
			}
			continue
		}
		mode := os.FileMode(0o755)
		if strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".envsh") || strings.HasPrefix(name, "etc/cron") {
			mode = 0o644
		}
		if err := os.WriteFile(full, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func told(entries []profile.Entry) []string {
	var out []string
	for _, e := range entries {
		s := e.String()
		if e.Expect != "" {
			s += " at " + e.Expect
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func TestR5_EntrypointsAreFollowed(t *testing.T) {
	base := map[string]string{
		"usr/bin/dash": binary + "dash", "bin": "->usr/bin", "usr/bin/sh": "->dash", "usr/bin/bash": binary + "bash",
		"usr/bin/find": binary, "usr/bin/sort": binary, "usr/sbin/nginx": binary, "usr/bin/env": binary,
		"usr/bin/chown": binary, "usr/bin/mkdir": binary, "usr/bin/curl": binary,
		"usr/local/bin/gosu": binary, "usr/bin/postgres": binary, "usr/bin/tini": binary, "usr/bin/python3": binary,
		"usr/sbin/cron": binary, "usr/bin/backup": binary,
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		img   Image
		want  []string
	}{
		{
			"nginx, as the official image starts it",
			map[string]string{
				"docker-entrypoint.sh": `#!/bin/sh
set -e
entrypoint_log() { echo "$@"; }
if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
  find "/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
    case "$f" in
      *.envsh) . "$f";;
      *.sh) "$f";;
    esac
  done
fi
exec "$@"
`,
				"docker-entrypoint.d/10-own.sh":      "#!/bin/sh\nchown -R nginx \"$DIR\"\nmkdir -p $MORE\n",
				"docker-entrypoint.d/15-local.envsh": "mkdir /run/x\n",
				"etc/nginx/conf.d/default.conf":      "server {\n  listen 80;\n  listen [::]:8081 ssl;\n  # listen 99;\n}\n",
			},
			Image{Entrypoint: []string{"/docker-entrypoint.sh"}, Command: []string{"nginx", "-g", "daemon off;"}, Health: []string{"/bin/sh", "-c", "curl -f http://localhost/"}, Exposes: []redoubt.Port{{Proto: redoubt.TCP, Port: 80}, {Proto: redoubt.TCP, Port: 443}}},
			[]string{
				`/docker-entrypoint.d/10-own.sh with [/bin/sh /docker-entrypoint.d/10-own.sh] started by /docker-entrypoint.sh`,
				`/docker-entrypoint.sh with [/bin/sh /docker-entrypoint.sh nginx -g "daemon off;"]`,
				`/usr/bin/chown with [chown -R nginx *] started by /docker-entrypoint.d/10-own.sh`,
				`/usr/bin/chown with [chown -R nginx *] started by /docker-entrypoint.sh`, // scripts may be sourced instead
				`/usr/bin/curl with [curl -f http://localhost/] started by /usr/bin/dash`,
				`/usr/bin/curl with [curl -f http://localhost/] started by somebody outside the workload`,
				`/usr/bin/dash with [/bin/sh -c "curl -f http://localhost/"] started by somebody outside the workload`,
				`/usr/bin/find with [/usr/bin/find /docker-entrypoint.d/ -mindepth <n> -maxdepth <n> -type f -print -quit] started by /docker-entrypoint.sh`,
				`/usr/bin/find with [find /docker-entrypoint.d/ -follow -type f -print] started by /docker-entrypoint.sh`,
				`/usr/bin/mkdir with [mkdir -p **] started by /docker-entrypoint.d/10-own.sh`,
				`/usr/bin/mkdir with [mkdir -p **] started by /docker-entrypoint.sh`,
				`/usr/bin/mkdir with [mkdir /run/x] started by /docker-entrypoint.sh`,
				`/usr/bin/sort with [sort -V] started by /docker-entrypoint.sh`,
				`/usr/sbin/nginx with [nginx -g "daemon off;"]`,
				`listen on tcp port 443`,
				`listen on tcp port 80 by /usr/sbin/nginx`,
				`listen on tcp port 8081 by /usr/sbin/nginx`,
			},
		},
		{
			"postgres, which starts itself again as another user",
			map[string]string{"usr/local/bin/docker-entrypoint.sh": `#!/usr/bin/env bash
set -Eeo pipefail
docker_setup() { local u; u="$(id -u)"; mkdir -p "$PGDATA"; }
_main() {
  if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
  if [ "$1" = 'postgres' ]; then
    docker_setup
    if [ "$(id -u)" = '0' ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
  fi
  exec "$@"
}
_main "$@"
`},
			Image{Entrypoint: []string{"docker-entrypoint.sh"}, Command: []string{"postgres"}},
			[]string{
				`/usr/bin/bash with [bash /usr/local/bin/docker-entrypoint.sh postgres]`,
				`/usr/bin/mkdir with [mkdir -p *] started by /usr/bin/bash`,
				`/usr/bin/postgres with [postgres]`,
				`/usr/local/bin/docker-entrypoint.sh with [/usr/bin/env bash /usr/local/bin/docker-entrypoint.sh postgres]`,
			},
		},
		{
			"redis, through $0",
			map[string]string{"entry.sh": "#!/bin/sh\nif id; then\n  exec gosu redis \"$0\" \"$@\"\nfi\nexec \"$@\"\n"},
			Image{Entrypoint: []string{"/entry.sh"}, Command: []string{"postgres", "-p", "1"}},
			[]string{
				`/entry.sh with [/bin/sh /entry.sh postgres -p <n>]`,
				`/usr/bin/postgres with [postgres -p <n>]`,
				`/usr/local/bin/gosu with [gosu redis /entry.sh postgres -p <n>]`,
			},
		},
		{
			"tini and python",
			map[string]string{"app/job.py": "#!/usr/bin/env python3\n"},
			Image{Entrypoint: []string{"tini", "--"}, Command: []string{"python3", "job.py"}, Cwd: "/app"},
			[]string{`/usr/bin/python3 with [python3 job.py] started by /usr/bin/tini`, `/usr/bin/tini with [tini -- python3 job.py]`},
		},
		{
			"cron and its table",
			map[string]string{"etc/cron.d/app": "# m h\nMAILTO=root\n0 3 * * * root /usr/bin/backup --all > /dev/null\n@reboot root mkdir /x\n"},
			Image{Command: []string{"cron", "-f"}},
			[]string{
				`/usr/bin/backup with [/usr/bin/backup --all] started by /usr/bin/dash`,
				`/usr/bin/backup with [/usr/bin/backup --all] started by /usr/sbin/cron`,
				`/usr/bin/dash with [/bin/sh -c "/usr/bin/backup --all > /dev/null"] started by /usr/sbin/cron at 0 3 * * *: /usr/bin/backup --all > /dev/null`,
				`/usr/bin/dash with [/bin/sh -c "mkdir /x"] started by /usr/sbin/cron`,
				`/usr/bin/mkdir with [mkdir /x] started by /usr/bin/dash`,
				`/usr/bin/mkdir with [mkdir /x] started by /usr/sbin/cron`,
				`/usr/sbin/cron with [cron -f]`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			for _, m := range []map[string]string{base, c.files} {
				for k, v := range m {
					files[k] = v
				}
			}
			c.img.Root = image(t, files).FS()
			entries, notes := Look(c.img)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, told(entries)); diff != "" {
				t.Errorf("(-want +got)\n%s\nnotes %q", diff, notes)
			}
			for _, e := range entries {
				if e.Exec != nil && len(e.Exec.Digests) != 1 {
					t.Errorf("%s has no content", &e)
				}
			}
		})
	}
}

// A whole shell started with unknown text would allow everything.
func TestR5_UnknownCodeIsNeverForetold(t *testing.T) {
	root := image(t, map[string]string{"bin/sh": binary, "bin/python3": binary, "e.sh": "#!/bin/sh\nsh -c \"$1\"\npython3 $X\nsh \"$Y\"\nenv \"$@\" sh\n$CMD a\n", "bin/env": binary})
	entries, _ := Look(Image{Root: root.FS(), Entrypoint: []string{"/e.sh"}})
	for _, e := range entries {
		if e.Exec != nil && e.Exec.Path != "/e.sh" && (e.Exec.Args == nil || slices.Contains(e.Exec.Args, "*") || slices.Contains(e.Exec.Args, "**")) {
			t.Errorf("foretells %s", &e)
		}
	}
}

func TestRealProgramsSayWhatTheyAreLinkedWith(t *testing.T) {
	root, err := os.OpenRoot("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	entries, notes := Look(Image{Root: root.FS(), Command: []string{"sh", "-c", "ls /"}})
	if len(entries) < 2 {
		t.Skipf("this machine has no sh and ls: %q", notes)
	}
	real, _ := filepath.EvalSymlinks("/bin/sh")
	if entries[0].Exec.Path != real || !strings.Contains(entries[0].Note, "linked") {
		t.Errorf("%s: %s; the shell is %s", &entries[0], entries[0].Note, real)
	}
}

func TestHostileImagesAreBounded(t *testing.T) {
	many := map[string]string{"bin/sh": binary, "bin/x": binary}
	for i := range 200 {
		many["entrypoint.d/"+strings.Repeat("a", i%50)+string(rune('a'+i%26))+".sh"] = "#!/bin/sh\n/entry.sh\n. /entry.sh\nx " + strings.Repeat("y ", i) + "\n"
	}
	many["entry.sh"] = "#!/bin/sh\n/entry.sh x\nfor i in /entrypoint.d/*; do $i; done\n" + strings.Repeat("x \"$a\" b c d e\n", 5000)
	for name, c := range map[string]struct {
		files map[string]string
		argv  []string
	}{
		"links in a circle":     {map[string]string{"a": "->b", "b": "->a"}, []string{"/a"}},
		"link out of the image": {map[string]string{"bin/sh": "->../../../../../../../../bin/ls"}, []string{"/bin/sh"}},
		"script of itself":      {map[string]string{"a": "#!/a\n"}, []string{"/a"}},
		"calls in a circle":     {map[string]string{"bin/sh": binary, "a": "#!/bin/sh\n/b x$1\n/b\n. /b", "b": "#!/bin/sh\n/a\n. /a"}, []string{"/a"}},
		"drop-ins without end":  {many, []string{"/entry.sh"}},
		"deep nesting":          {map[string]string{"bin/sh": binary, "a": "#!/bin/sh\n" + strings.Repeat("( ", 20000)}, []string{"/a"}},
		"device":                {nil, []string{"/dev/zero"}},
		"long name":             {nil, []string{strings.Repeat("/x", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			entries, _ := Look(Image{Root: image(t, c.files).FS(), Entrypoint: c.argv})
			if took := time.Since(begun); took > 10*time.Second || len(entries) > maxEntries {
				t.Errorf("took %s, gave %d entries", took, len(entries))
			}
			for _, e := range entries {
				if e.Exec != nil && strings.Contains(e.Exec.Path, "..") {
					t.Errorf("leads out: %s", &e)
				}
			}
		})
	}
}

func FuzzLook(f *testing.F) {
	f.Add("#!/bin/sh\nexec \"$@\"\n", "listen 80;", "0 3 * * * x")
	f.Add("#!/usr/bin/env -S sh -x\n. /e.sh\ngosu a \"$0\" \"$@\" $b 'c' \"d$e\"\n", "listen [::]:99999", "@daily %")
	f.Fuzz(func(t *testing.T, script, config, table string) {
		file := func(s string, mode os.FileMode) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: mode} }
		root := fstest.MapFS{
			"e.sh": file(script, 0o755), "bin/sh": file(binary, 0o755), "bin/nginx": file(script, 0o755), "bin/gosu": file(binary, 0o755),
			"bin/cron": file(binary, 0o755), "usr/bin/env": file(binary, 0o755), "etc/nginx/nginx.conf": file(config, 0o644), "etc/crontabs/root": file(table, 0o644),
		}
		entries, _ := Look(Image{Root: root, Entrypoint: []string{"/e.sh"}, Command: []string{"nginx"}, Health: []string{"sh", "-c", script}})
		more, _ := Look(Image{Root: root, Entrypoint: []string{"cron"}})
		for _, e := range append(entries, more...) {
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
