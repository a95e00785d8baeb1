// A miniature driver core of our own, for tests: no line of any kernel.
#include "base.h"

int bus_add_driver(struct device_driver *drv)
{
	struct driver_private *priv = kzalloc(sizeof(*priv), GFP_KERNEL);

	priv->driver = drv;
	drv->p = priv;
	kobject_init_and_add(&priv->kobj, NULL, NULL, "%s", drv->name);
	klist_add_tail(&priv->knode_bus, &drv->bus->p->klist_drivers);
	return driver_attach(drv);
}

void bus_remove_driver(struct device_driver *drv)
{
	klist_remove(&drv->p->knode_bus);
	driver_detach(drv);
	kobject_put(&drv->p->kobj);
}

void bus_probe_device(struct device *dev)
{
	struct klist_node *at;
	struct klist_iter iter;

	klist_iter_init(&dev->bus->p->klist_drivers, &iter);
	while ((at = klist_next(&iter))) {
		struct driver_private *one = container_of(at, struct driver_private, knode_bus);

		attach(dev, one->driver);
	}
	klist_iter_exit(&iter);
}
