//! The scenario file that `raddle new NAME` writes: runnable as it is, every key explained.

/// The text of a new scenario file called `name`.
///
/// ```
/// let text = raddle_probing::scenario::template("my-race");
/// assert!(text.starts_with("title     = \"my-race\"\n"));
/// ```
#[must_use]
pub fn template(name: &str) -> String {
    let title: String = name.chars().filter(|c| !c.is_control()).collect();
    let title = match title.trim() {
        "" => "scenario",
        title => title,
    };
    let title = title.replace('\\', "\\\\").replace('"', "\\\"");
    TEXT.replacen("NAME", &title, 1)
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
