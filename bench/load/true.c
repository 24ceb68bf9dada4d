// The smallest honest program: it does nothing and says so.
int main(void) { return 0; }
