// A miniature driver core of our own, for tests: no line of any kernel.
#include "base.h"

struct device *get_device(struct device *dev)
{
	kobject_get(&dev->kobj);
	return dev;
}

void put_device(struct device *dev)
{
	kobject_put(&dev->kobj);
}

int device_add(struct device *dev)
{
	get_device(dev);
	if (!dev->p) {
		dev->p = kzalloc(sizeof(*dev->p), GFP_KERNEL);
		dev->p->device = dev;
	}
	kobject_add(&dev->kobj, NULL, NULL);
	klist_add_tail(&dev->p->knode_bus, &dev->bus->p->klist_devices);
	bus_probe_device(dev);
	put_device(dev);
	return 0;
}

void device_del(struct device *dev)
{
	klist_del(&dev->p->knode_bus);
	mutex_lock(&dev->mutex);
	__device_release_driver(dev);
	mutex_unlock(&dev->mutex);
	kobject_del(&dev->kobj);
}

void device_unregister(struct device *dev)
{
	device_del(dev);
	put_device(dev);
}
