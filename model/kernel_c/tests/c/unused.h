/* Small C of our own, for tests: no line of any kernel. */
static inline int small_unused(void)
{
	return 1;
}
