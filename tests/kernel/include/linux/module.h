/* A miniature loader of modules of our own, for tests: no line of any kernel. */

enum module_state {
	MODULE_STATE_COMING,
	MODULE_STATE_GOING,
	MODULE_STATE_UNFORMED,
	MODULE_STATE_LIVE,
};

struct module_layout {
	void *base;
};

struct module {
	enum module_state state;
	char name[60];
	int (*init)(void);
	void (*exit)(void);
	struct module_layout core_layout;
	struct module_layout init_layout;
};

struct mod_initfree {
	void *memory;
};
