/* Small C of our own, for tests: no line of any kernel. */
#ifndef SMALL_H
#define SMALL_H

#define SMALL_MASK	(3 << 4)
#define SMALL_BIT	BIT(3)
#define SMALL_NEG	(-3)

enum small_flag {
	SMALL_READY,
	SMALL_ON = 1 + 3,	/* after a gap */
	SMALL_LAST,
};

typedef struct small *small_t;

struct small {
	u16 count;
	struct small *parent;
	unsigned int dead:1;
	struct {
		bool inner_of_nameless;
	};
	char names[8];
	int (*match)(struct small *one, struct small *other);
	DECLARE_BITMAP(flags, 8);
	struct list_head node;
#ifdef CONFIG_NOT_SET
	int not_configured;
#endif
};

#define to_small(ptr) container_of(ptr, struct small, node)

#define small_twice(x)		\
	do {			\
		small_twice_helper(x); \
		small_twice_helper(x); \
	} while (0)

#define small_accessors(name, flag)				\
static inline bool small_is_##name(struct small *dev)		\
{								\
	return test_bit(flag, dev->flags);			\
}								\
static inline void small_set_##name(struct small *dev)		\
{								\
	set_bit(flag, dev->flags);				\
}

small_accessors(ready, SMALL_READY)

static inline __must_check bool small_is_on(struct small *dev)
{
	return dev->count & SMALL_ON;
}

DEFINE_FREE(put_small, struct small *, if (_T) small_put(_T))
DEFINE_GUARD(small, struct small *, small_lock(_T), small_unlock(_T))

#endif
