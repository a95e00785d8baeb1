// A miniature driver core of our own, for tests: no line of any kernel.
#include "base.h"

int driver_register(struct device_driver *drv)
{
	return bus_add_driver(drv);
}

void driver_unregister(struct device_driver *drv)
{
	bus_remove_driver(drv);
}
