// A miniature driver core of our own, for tests: no line of any kernel.
#include "base.h"

struct devres {
	struct devres_node node;
	char data[];
};

void *devres_alloc(void (*release)(struct device *, void *), size_t size, gfp_t gfp)
{
	struct devres *new = kmalloc(sizeof(*new) + size, gfp);

	new->node.release = release;
	return new->data;
}

void devres_add(struct device *dev, void *data)
{
	struct devres *new = container_of(data, struct devres, data);
	unsigned long flags;

	spin_lock_irqsave(&dev->devres_lock, flags);
	BUG_ON(!list_empty(&new->node.entry));
	list_add_tail(&new->node.entry, &dev->devres_head);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
}

int devres_release(struct device *dev, void (*release)(struct device *, void *),
		   void *match, void *data)
{
	struct devres *found = NULL;
	struct devres_node *node;

	scoped_guard(spinlock_irqsave, &dev->devres_lock) {
		list_for_each_entry_reverse(node, &dev->devres_head, entry) {
			if (node->release != release)
				continue;
			found = container_of(node, struct devres, node);
			list_del_init(&node->entry);
			break;
		}
	}
	if (!found)
		return -ENOENT;
	(*release)(dev, found->data);
	kfree(found);
	return 0;
}

/* From here on the nodes are on a list of this call's own. */
static void take_all(struct list_head *first, struct list_head *end, struct list_head *todo)
{
	while (first != end) {
		struct devres_node *node = list_entry(first, struct devres_node, entry);

		first = first->next;
		list_move_tail(&node->entry, todo);
	}
}

void devres_release_all(struct device *dev)
{
	struct devres *one, *next;
	unsigned long flags;
	LIST_HEAD(todo);

	WARN_ON(dev->devres_head.next == NULL);
	spin_lock_irqsave(&dev->devres_lock, flags);
	take_all(dev->devres_head.next, &dev->devres_head, &todo);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
	list_for_each_entry_safe_reverse(one, next, &todo, node.entry) {
		BUG_ON(list_empty(&one->node.entry));
		one->node.release(dev, one->data);
		kfree(one);
	}
}
