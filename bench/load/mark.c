// Writes a file first thing: if it is ever found, a denied exec ran.
#include <fcntl.h>
#include <unistd.h>
int main(void) {
	int f = open("/tmp/it-ran", O_CREAT | O_WRONLY, 0644);
	return f < 0 ? 1 : (write(f, "x", 1) == 1 ? 0 : 1);
}
