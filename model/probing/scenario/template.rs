//! The scenario file that `raddle new NAME` writes: runnable as it is, every key explained.

/// What a new scenario is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// The driver core.
    #[default]
    Core,
    /// A driver's own probe and remove.
    Driver,
}

/// The text of a new scenario file called `name`.
///
/// ```
/// use raddle_probing::scenario::{Template, template};
///
/// let text = template("my-race", Template::Core);
/// assert!(text.starts_with("title     = \"my-race\"\n"));
/// ```
#[must_use]
pub fn template(name: &str, of: Template) -> String {
    let title: String = name.chars().filter(|c| !c.is_control()).collect();
    let title = match title.trim() {
        "" => "scenario",
        title => title,
    };
    let title = title.replace('\\', "\\\\").replace('"', "\\\"");
    let text = match of {
        Template::Core => TEXT,
        Template::Driver => DRIVER,
    };
    text.replacen("NAME", &title, 1)
}

const TEXT: &str = r#"title     = "NAME"
# source  = "who described the race, where and when"
# about   = """Why it matters, in a few sentences."""
revisions = ["v6.0"]                # "raddle list revisions" shows them all

# What if a decision of these revisions were different? "raddle list rules" shows them all.
[rules]
# detach-waits-for-async = false

# The hardware. A device is on the platform bus unless "bus" names another one, and is not there
# before a task adds it unless "initially" says so.
[device.disk0]
# bus       = "platform"
# parent    = "controller0"         # another device
# initially = "absent"              # or "added", or "bound:disk"
# add       = ["ok"]                # also "fails-before-klist", "fails-after-klist"

# A driver is in a module of its own name, and matches every device of its bus.
[driver.disk]
probe-type  = "prefer-asynchronous" # or "force-synchronous", "default"
# initially = "absent"              # or "registered"
# matches   = { disk0 = "yes" }     # or "no", "defer", "error"
probe       = ["dev_set_drvdata()", "return(0, -ENODEV)"]
remove      = ["dev_set_drvdata(NULL)"]

# Tasks run at once, in every order that their steps allow; each makes its calls one after the
# other. "raddle list calls" shows them all.
[task.insmod]
run = ["load_module(disk)"]

[task.hotplug]
run = ["device_register(disk0)"]

# A task that starts when others have ended:
# [task.rmmod]
# after = ["insmod"]
# run   = ["delete_module(disk)"]

[environment]
# async-schedule = ["queued"]       # also "inline": no memory for an entry
# booted         = true             # deferred_probe_initcall() has run
# contract       = "kept"           # or "violated"
# workers        = 4                # async entries that may be unfinished at once

# Per revision: the hazards that must be found, and no others; none at all is "verified".
[expect]
"v6.0" = []
"#;

const DRIVER: &str = r#"title     = "NAME"
revisions = ["v6.12"]                # "raddle list revisions" shows them all

[device.dev0]

# What may race, and in which body it stands. Values and registers are left out; "use(priv)" is any use of the memory.
[driver.mine]
initially = "registered"
fails-at  = "each"                  # each call of probe that acquires something may fail
probe     = ["devm-alloc(priv)", "devm-add_action(stop)", "devm-request_irq(rx)", "device_create_file(go)"]
unwind    = []                      # the error path: of it as many calls from the end as were acquired without devm-
remove    = ["device_remove_file(go)"]

# One allocation for each device that is probed ("per = once": one for all). What lies in it is freed with it.
[memory.priv]

[flag.removed]                      # set(removed), clear(removed), return-if(removed), wait_event(removed)
in = "priv"

[mutex.lock]                        # lock(lock), unlock(lock), trylock(lock); a spinlock is one too
in = "priv"

[work.job]                          # delayed or not; [timer.NAME] is alike: mod_timer(NAME), timer_delete_sync(NAME)
in  = "priv"
run = ["return-if(removed)", "lock(lock)", "use(priv)", "unlock(lock)"]

[function.stop]                     # what devm- undoes runs after remove, the last that was acquired first
given = "priv"
run   = ["cancel_work_sync(job)"]

[irq.rx]                            # the handler runs at any time between request_irq and free_irq
given = "priv"
runs  = 2                           # so often at the most
run   = ["queue_work(job)"]

[attribute.go]                      # or group = "device", "bound": the driver core creates and removes it
show  = ["use(priv)"]
store = ["queue_work(job)"]

# Also: [workqueue.*], [pointer.*], [list.*], [notifier.*], [cdev.*]. "raddle list calls" shows all calls.

# What happens at once, in every order:
[task.hotplug]
run = ["device_add(dev0)", "unbind(mine, dev0)"]

[task.user]
run = ["read(go, dev0)", "write(go, dev0)"]

# The hazards that must be found, and no others; none at all is "verified".
[expect]
"v6.12" = []
"#;
