// Leaves a mark first thing: one byte more in /tmp/marks for every time that a
// denied exec ran after all.
#include <fcntl.h>
#include <unistd.h>
int main(void) {
	int f = open("/tmp/marks", O_CREAT | O_WRONLY | O_APPEND, 0644);
	return f < 0 ? 1 : (write(f, "x", 1) == 1 ? 0 : 1);
}
