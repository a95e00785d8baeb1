// Small C of our own, for tests: no line of any kernel.
#include "base.h"

void small_put(struct small *dev)
{
	kfree(dev);
}

void small_lock(struct small *dev)
{
	mutex_lock(&small_mutex);
}

void small_unlock(struct small *dev)
{
	mutex_unlock(&small_mutex);
}
