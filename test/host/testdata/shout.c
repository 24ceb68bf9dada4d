// shout says first thing that it runs.
#include <unistd.h>

int main(int n, char **args)
{
	write(1, "SHOUT\n", 6);
	return 0;
}
