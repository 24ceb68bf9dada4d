// A container that is there and does nothing.
#include <unistd.h>
int main(void) {
	for (;;) pause();
}
