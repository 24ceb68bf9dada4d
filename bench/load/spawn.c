// The load of the exec measurements: posix_spawn of a small static program, a
// fixed number of times at full speed, or at a rate for a time. Prints
// nanoseconds per spawn, and how many ran.
//   spawn PROGRAM COUNT            at full speed
//   spawn PROGRAM COUNT RATE      RATE a second
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fprintf(stderr, "usage: spawn PROGRAM COUNT [RATE]\n");
		return 2;
	}
	long count = atol(argv[2]), rate = argc > 3 ? atol(argv[3]) : 0;
	char *child[] = {argv[1], NULL}, *env[] = {NULL};
	long ran = 0;
	long long start = now(), busy = 0;
	for (long i = 0; i < count; i++) {
		if (rate) {
			long long due = start + i * 1000000000LL / rate;
			struct timespec t = {due / 1000000000LL, due % 1000000000LL};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		}
		long long before = now();
		pid_t pid;
		int status;
		if (posix_spawn(&pid, argv[1], NULL, NULL, child, env) == 0 && waitpid(pid, &status, 0) == pid &&
		    WIFEXITED(status) && WEXITSTATUS(status) == 0)
			ran++;
		busy += now() - before;
	}
	printf("%lld ns/spawn %ld ran %.1f s\n", count ? busy / count : 0, ran, (now() - start) / 1e9);
	return 0;
}
