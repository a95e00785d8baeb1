/* A miniature driver core of our own, for tests: no line of any kernel. */

#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

struct klist_node {
	void *n_klist;
};

struct klist {
	spinlock_t k_lock;
	struct list_head k_list;
};

struct klist_iter {
	struct klist *i_klist;
	struct klist_node *i_cur;
};

struct bus_type {
	const char *name;
	struct subsys_private *p;
	int (*match)(struct device *dev, struct device_driver *drv);
};

struct device_driver {
	const char *name;
	struct bus_type *bus;
	struct driver_private *p;
	int (*probe)(struct device *dev);
	void (*remove)(struct device *dev);
};

struct device {
	struct kobject kobj;
	struct device *parent;
	struct bus_type *bus;
	struct device_driver *driver;
	struct device_private *p;
	struct mutex mutex;
	void *driver_data;
	spinlock_t devres_lock;
	struct list_head devres_head;
};

DEFINE_LOCK_GUARD_1(spinlock_irqsave, spinlock_t,
		    spin_lock_irqsave(_T->lock, _T->flags),
		    spin_unlock_irqrestore(_T->lock, _T->flags),
		    unsigned long flags)

static inline void dev_set_drvdata(struct device *dev, void *data)
{
	dev->driver_data = data;
}
