/* A miniature driver core of our own, for tests: no line of any kernel. */
#include <linux/device.h>

struct subsys_private {
	struct klist klist_devices;
	struct klist klist_drivers;
	struct bus_type *bus;
};

struct driver_private {
	struct kobject kobj;
	struct klist klist_devices;
	struct klist_node knode_bus;
	struct device_driver *driver;
};

struct device_private {
	struct klist_node knode_bus;
	struct klist_node knode_driver;
	struct device *device;
};

struct devres_node {
	struct list_head entry;
	void (*release)(struct device *dev, void *data);
};

void devres_release_all(struct device *dev);
int driver_attach(struct device_driver *drv);
void driver_detach(struct device_driver *drv);
void attach(struct device *dev, struct device_driver *drv);
void __device_release_driver(struct device *dev);
