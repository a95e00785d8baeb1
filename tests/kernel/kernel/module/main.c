// A miniature loader of modules of our own, for tests: no line of any kernel.
#include <linux/module.h>

static void free_module(struct module *mod)
{
	mod->state = MODULE_STATE_UNFORMED;
	module_memfree(mod->core_layout.base);
}

int do_init_module(struct module *mod)
{
	struct mod_initfree *later = kmalloc(sizeof(*later), GFP_KERNEL);
	int error = 0;

	if (!later)
		return -ENOMEM;
	later->memory = mod->init_layout.base;
	current->flags &= ~PF_USED_ASYNC;
	if (mod->init)
		error = do_one_initcall(mod->init);
	if (error < 0) {
		mod->state = MODULE_STATE_GOING;
		module_put(mod);
		free_module(mod);
		return error;
	}
	mod->state = MODULE_STATE_LIVE;
	if (current->flags & PF_USED_ASYNC)
		async_synchronize_full();
	module_put(mod);
	return 0;
}

SYSCALL_DEFINE2(delete_module, const char __user *, user,
		unsigned int, flags)
{
	struct module *mod;
	int forced = 0;
	char name[60];

	if (strncpy_from_user(name, user, 60) < 0)
		return -EFAULT;
	mod = find_module(name);
	if (mod->state != MODULE_STATE_LIVE)
		return -EBUSY;
	if (try_stop_module(mod, flags, &forced))
		return -EWOULDBLOCK;
	if (mod->exit)
		mod->exit();
	free_module(mod);
	return 0;
}
