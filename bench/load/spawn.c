// The load, as the first process of a container: what it starts is what the
// container does by itself, not what a person does from outside. It reads one
// order per line and answers each with lines of key=value, the last of which
// begins with "done".
//   full PROGRAM COUNT          posix_spawn at full speed
//   rate PROGRAM COUNT RATE     RATE a second; "args" instead of "rate" gives
//                               each an argument nobody used before
//   keep PROGRAM                holds its content, for when it may not be read
//   copy PROGRAM COUNT          of a fresh copy under a fresh name each time
//   novel PROGRAM COUNT RATE    of a copy with fresh content each time; says
//                               when it was started
//   until PROGRAM runs|fails    until that is so; says when
//   size PATH                   bytes in a file, 0 where there is none
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long clock_ns(clockid_t c) {
	struct timespec t;
	clock_gettime(c, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long used_ns(int who) {
	struct rusage u;
	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static long long cpu_ns(void) { return used_ns(RUSAGE_SELF) + used_ns(RUSAGE_CHILDREN); }

static int run(const char *program, char *argument) {
	char *child[] = {(char *)program, argument, NULL}, *env[] = {NULL};
	pid_t pid;
	int status;
	return posix_spawn(&pid, program, NULL, NULL, child, env) == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static void pace(long long start, long i, long rate) {
	if (!rate) return;
	long long due = start + i * 1000000000LL / rate;
	struct timespec t = {due / 1000000000LL, due % 1000000000LL};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int ascending(const void *a, const void *b) {
	long long x = *(const long long *)a, y = *(const long long *)b;
	return x < y ? -1 : x > y;
}

static void spawn(const char *program, long count, long rate, int unique) {
	static long serial;
	long long *took = calloc(count + 1, sizeof *took), sum = 0, cpu = cpu_ns(), start = clock_ns(CLOCK_MONOTONIC);
	long ran = 0;
	for (long i = 0; i < count; i++) {
		char text[32], *argument = NULL;
		if (unique) {
			snprintf(text, sizeof text, "order-%ld", ++serial);
			argument = text;
		}
		pace(start, i, rate);
		long long before = clock_ns(CLOCK_MONOTONIC);
		ran += run(program, argument);
		took[i] = clock_ns(CLOCK_MONOTONIC) - before;
		sum += took[i];
	}
	long long wall = clock_ns(CLOCK_MONOTONIC) - start;
	cpu = cpu_ns() - cpu;
	qsort(took, count, sizeof *took, ascending);
	printf("done ran=%ld mean=%lld p50=%lld cpu=%lld wall=%lld\n", ran, count ? sum / count : 0, took[count / 2], count ? cpu / count : 0, wall);
	free(took);
}

static char content[4 << 20], content_of[128];
static ssize_t content_size;

static void keep(const char *program) {
	if (!strcmp(content_of, program)) return;
	int f = open(program, O_RDONLY);
	content_size = f < 0 ? 0 : read(f, content, sizeof content);
	if (f >= 0) close(f);
	strcpy(content_of, program);
}

// copies starts copies of program; those with fresh content carry their number
// behind the end, where no loader looks.
static void copies(const char *program, long count, long rate, int fresh) {
	static long serial;
	keep(program);
	ssize_t n = content_size;
	long ran = 0, made = 0;
	long long start = clock_ns(CLOCK_MONOTONIC);
	for (long i = 0; i < count && n > 0; i++) {
		char name[64];
		snprintf(name, sizeof name, "/tmp/copy-%ld", ++serial);
		int g = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0755);
		if (g < 0) continue;
		made += write(g, content, n) == n && (!fresh || write(g, name, strlen(name)) > 0);
		close(g);
		pace(start, i, rate);
		long long at = clock_ns(CLOCK_REALTIME);
		ran += run(name, NULL);
		if (fresh) printf("path=%s at=%lld\n", name, at);
		fflush(stdout);
		unlink(name);
	}
	printf("done ran=%ld made=%ld\n", ran, made);
}

static void until(const char *program, int runs) {
	long tries = 0;
	long long give_up = clock_ns(CLOCK_MONOTONIC) + 15000000000LL;
	for (;;) {
		tries++;
		if (run(program, NULL) == runs) {
			printf("done at=%lld tries=%ld\n", clock_ns(CLOCK_REALTIME), tries);
			return;
		}
		if (clock_ns(CLOCK_MONOTONIC) > give_up) {
			printf("done at=0 tries=%ld\n", tries);
			return;
		}
		usleep(1000);
	}
}

int main(void) {
	char line[256], what[16], program[128], word[32];
	while (fgets(line, sizeof line, stdin)) {
		long count = 0, rate = 0;
		int n = sscanf(line, "%15s %127s %ld %ld", what, program, &count, &rate);
		if (n >= 3 && !strcmp(what, "full")) spawn(program, count, 0, 0);
		else if (n == 4 && !strcmp(what, "rate")) spawn(program, count, rate, 0);
		else if (n == 4 && !strcmp(what, "args")) spawn(program, count, rate, 1);
		else if (n >= 3 && !strcmp(what, "copy")) copies(program, count, 0, 0);
		else if (n == 4 && !strcmp(what, "novel")) copies(program, count, rate, 1);
		else if (sscanf(line, "until %127s %31s", program, word) == 2) until(program, !strcmp(word, "runs"));
		else if (sscanf(line, "keep %127s", program) == 1) {
			keep(program);
			printf("done size=%zd\n", content_size);
		} else if (sscanf(line, "size %127s", program) == 1) {
			struct stat s;
			printf("done size=%lld\n", stat(program, &s) ? 0LL : (long long)s.st_size);
		} else printf("done error=not-understood\n");
		fflush(stdout);
	}
	return 0;
}
