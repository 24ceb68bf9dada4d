// probe is the program that the tests run in containers: small, static, and
// willing to do what an attacker would.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what) { perror(what); return 1; }

// storm PREFIX FROM COUNT [MICROSECONDS]: runs itself COUNT times, each with
// its own number, one after the other, and prints each number when it is done.
static int storm(const char *prefix, int from, int count, int pause)
{
	char number[128];
	char *args[] = {"/probe", "mark", number, 0};
	for (int i = from; i < from + count; i++) {
		pid_t pid;
		int status;
		snprintf(number, sizeof number, "%s-%06d", prefix, i);
		if (posix_spawn(&pid, "/proc/self/exe", 0, 0, args, environ))
			return fail("spawn");
		waitpid(pid, &status, 0);
		dprintf(1, "%d\n", i);
		if (pause)
			usleep(pause);
	}
	return 0;
}

// frommemory FILE ARGS…: executes a copy of FILE that has no name.
static int frommemory(char **args)
{
	struct stat st;
	int in = open(args[0], O_RDONLY), fd = memfd_create("x", MFD_CLOEXEC);
	if (in < 0 || fd < 0 || fstat(in, &st))
		return fail("open");
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(fd, in, &at, st.st_size - at) <= 0)
			return fail("copy");
	fexecve(fd, args, environ);
	return fail("fexecve");
}

// byfd FILE ARGS…: executes FILE through a descriptor.
static int byfd(char **args, int flags)
{
	char path[64];
	int fd = open(args[0], flags);
	if (fd < 0)
		return fail("open");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	execv(path, args);
	return fail("execv");
}

static int copy(const char *from, const char *to)
{
	struct stat st;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	if (in < 0 || out < 0 || fstat(in, &st))
		return fail("copy");
	fchmod(out, 0755);
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(out, in, &at, st.st_size - at) <= 0)
			return fail("copy");
	close(in);
	close(out);
	return 0;
}

// exploit does what code injected into a server could, without a shell.
static int exploit(char **w)
{
	const char *how = w[0];
	if (!strcmp(how, "run"))
		return execv(w[1], w + 1), fail("execv");
	if (!strcmp(how, "memory"))
		return frommemory(w + 1);
	if (!strcmp(how, "fd"))
		return byfd(w + 1, O_RDONLY);
	if (!strcmp(how, "path"))
		return byfd(w + 1, O_PATH);
	if (!strcmp(how, "copy")) // copy FILE TO ARGS…
		return copy(w[1], w[2]) || (execv(w[2], w + 2), fail("execv"));
	if (!strcmp(how, "link"))
		return link(w[1], w[2]) ? fail("link") : (execv(w[2], w + 2), fail("execv"));
	if (!strcmp(how, "bind"))
		return mount(w[1], w[2], 0, MS_BIND, 0) ? fail("mount") : (execv(w[2], w + 2), fail("execv"));
	if (!strcmp(how, "unbind"))
		return umount2(w[1], MNT_DETACH) ? fail("umount") : 0;
	if (!strcmp(how, "mount") || !strcmp(how, "hidden")) { // mount FILE DIR TO ARGS…
		if (!strcmp(how, "hidden") && unshare(CLONE_NEWNS))
			return fail("unshare");
		if (mount("none", w[2], "tmpfs", 0, 0))
			return fail("mount");
		return copy(w[1], w[3]) || (execv(w[3], w + 3), fail("execv"));
	}
	fprintf(stderr, "probe: exploit how?\n");
	return 2;
}

// serve PORT: a server with a hole. "list" is what it is for; other lines it
// runs in a shell, or, after an exclamation mark, by itself.
static int serve(int port)
{
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, (void *)&a, sizeof a) || listen(s, 16))
		return fail("listen");
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	for (;;) {
		char line[4096], *words[64] = {0};
		int c = accept(s, 0, 0), n;
		if (c < 0)
			continue;
		n = read(c, line, sizeof line - 1);
		line[n > 0 ? n : 0] = 0;
		line[strcspn(line, "\r\n")] = 0;
		if (line[0] && !fork()) {
			dup2(c, 1), dup2(c, 2);
			if (!strcmp(line, "list")) {
				execl("/bin/ls", "ls", "-d", "/etc", (char *)0);
				_exit(fail("list"));
			}
			if (line[0] != '!') {
				execl("/bin/sh", "sh", "-c", line, (char *)0);
				_exit(fail("shell"));
			}
			n = 0;
			for (char *w = strtok(line + 1, " "); w && n < 63; w = strtok(0, " "))
				words[n++] = w;
			_exit(n ? exploit(words) : 2);
		}
		close(c);
	}
}

// large BYTES: hands itself an argument list of that size, in strings of the
// largest size the kernel takes.
static int large(long bytes)
{
	enum { one = 128 << 10 };
	long n = bytes / one + 1;
	char **args = calloc(n + 4, sizeof *args);
	args[0] = "/probe", args[1] = "mark", args[2] = "large";
	for (long i = 0; i < n; i++) {
		args[3 + i] = malloc(one);
		memset(args[3 + i], 'A' + i % 26, one - 1);
		args[3 + i][one - 1] = 0;
	}
	execv("/proc/self/exe", args);
	return fail("execv");
}

// bomb SECONDS: forks and executes itself as fast as it can, in every child.
static int bomb(int seconds)
{
	alarm(seconds);
	char left[16];
	snprintf(left, sizeof left, "%d", seconds);
	for (;;) {
		if (!fork()) {
			execl("/proc/self/exe", "/probe", "bomb", left, (char *)0);
			_exit(1);
		}
		while (waitpid(-1, 0, WNOHANG) > 0)
			;
	}
}

int main(int n, char **args)
{
	const char *mode = n > 1 ? args[1] : "nap";
	if (!strcmp(mode, "mark"))
		return 0;
	if (!strcmp(mode, "nap"))
		return usleep((n > 2 ? atoi(args[2]) : 200) * 1000);
	if (!strcmp(mode, "storm") && n > 4)
		return storm(args[2], atoi(args[3]), atoi(args[4]), n > 5 ? atoi(args[5]) : 0);
	if (!strcmp(mode, "memory") && n > 2)
		return frommemory(args + 2);
	if (!strcmp(mode, "fd") && n > 2)
		return byfd(args + 2, O_RDONLY);
	if (!strcmp(mode, "path") && n > 2)
		return byfd(args + 2, O_PATH);
	if (!strcmp(mode, "serve") && n > 2)
		return serve(atoi(args[2]));
	if (!strcmp(mode, "large") && n > 2)
		return large(atol(args[2]));
	if (!strcmp(mode, "bomb") && n > 2)
		return bomb(atoi(args[2]));
	fprintf(stderr, "probe: what?\n");
	return 2;
}
