// Small C of our own, for tests: no line of any kernel.
#include "base.h"

static DEFINE_MUTEX(small_mutex);
static atomic_t small_count = ATOMIC_INIT(0);
static bool small_enable = false;
static int small_work_func(struct work_struct *work);
static DECLARE_WORK(small_work, small_work_func);
EXPORT_SYMBOL_GPL(small_probe);

static void small_helper(struct small *dev) { }
static int small_callback(struct small *dev, void *data) { return 0; }
static void __maybe_unused small_twice_helper(int x) { }

/* Every kind of statement. */
int __init small_probe(struct small *dev)
{
	int i, n = 0;
	if (!dev)
		return -19;
	else if (dev->count > 0x10)
		goto out;
	list_for_each_entry(dev, &small_list, node) {
		struct small *other __free(put_small) = small_find(dev, small_callback);
		n++;
	}
	while (n-- > 0)
		small_helper(dev);
	do {
		small_twice(n);
	} while (n);
	for (i = 0; i < 3; i++) {
		if (i == 1)
			continue;
		break;
	}
	switch (dev->count) {
	case 1:
	case SMALL_ON:
		mutex_lock(&small_mutex);
		break;
	default:
		small_notify(dev);
	}
out:
	small_mystery(dev);
	return dev->dead ? n : ({ int two = 2; two; });
}

struct small *small_find(struct small *dev, int (*fn)(struct small *, void *))
{
	return fn(dev, NULL) ? dev : NULL;
}

static int small_cleanup(struct small *dev)
{
	struct small *held __free(put_small) = dev;
	guard(small)(held);
	return small_is_ready(held);
}

static int small_configured(void)
{
#if defined(CONFIG_SMALL) || IS_ENABLED(CONFIG_SMALL)
	return 1;
#elif CONFIG_SMALL_SIZE >= 2 + 3
	return 2;
#else
	return 0;
#endif
}

static int small_odd(struct small *dev)
{
	dev->count = @ 3;
	return 0;
}

static int small_after(struct small *dev)
{
	small_helper(dev);
	return 0;
}
