// A miniature driver core of our own, for tests: no line of any kernel.
#include "base.h"

static int really_probe(struct device *dev, struct device_driver *drv)
{
	int error;

	dev->driver = drv;
	error = drv->probe(dev);
	if (error) {
		devres_release_all(dev);
		dev->driver = NULL;
		return error;
	}
	klist_add_tail(&dev->p->knode_driver, &drv->p->klist_devices);
	return 0;
}

/* Probes a device by a driver, unless it is bound. */
void attach(struct device *dev, struct device_driver *drv)
{
	if (!drv->bus->match(dev, drv))
		return;
	mutex_lock(&dev->mutex);
	if (dev->driver)
		goto out;
	really_probe(dev, drv);
out:
	mutex_unlock(&dev->mutex);
}

int driver_attach(struct device_driver *drv)
{
	struct klist_node *at;
	struct klist_iter iter;

	klist_iter_init(&drv->bus->p->klist_devices, &iter);
	while ((at = klist_next(&iter))) {
		struct device_private *one = container_of(at, struct device_private, knode_bus);

		attach(one->device, drv);
	}
	klist_iter_exit(&iter);
	return 0;
}

void __device_release_driver(struct device *dev)
{
	struct device_driver *drv = dev->driver;

	if (!drv)
		return;
	drv->remove(dev);
	devres_release_all(dev);
	dev->driver = NULL;
	klist_remove(&dev->p->knode_driver);
}

void driver_detach(struct device_driver *drv)
{
	struct device_private *last;
	struct device *dev;

	for (;;) {
		spin_lock(&drv->p->klist_devices.k_lock);
		if (list_empty(&drv->p->klist_devices.k_list)) {
			spin_unlock(&drv->p->klist_devices.k_lock);
			break;
		}
		last = list_entry(drv->p->klist_devices.k_list.prev, struct device_private,
				  knode_driver.n_node);
		dev = last->device;
		get_device(dev);
		spin_unlock(&drv->p->klist_devices.k_lock);

		mutex_lock(&dev->mutex);
		if (dev->driver == drv)
			__device_release_driver(dev);
		mutex_unlock(&dev->mutex);
		put_device(dev);
	}
}
