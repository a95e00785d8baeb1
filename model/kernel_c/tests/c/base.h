/* Small C of our own, for tests: no line of any kernel. */
#include <linux/small.h>
#include <linux/unused.h>
