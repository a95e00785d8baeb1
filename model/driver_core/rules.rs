//! Rules: the decisions that patches and commits changed. A revision is a set of values for them.

use super::revision::{Revision, Series};

/// The type of a rule's value: a truth value, or one of several words.
pub trait RuleType: Copy + PartialEq + 'static {
    /// All values, as words of a scenario file.
    const WORDS: &'static [&'static str];

    /// The value of a word; `true` and `false` for truth values.
    fn from_word(word: &str) -> Option<Self>;

    /// The word of a value.
    fn word(self) -> &'static str;
}

impl RuleType for bool {
    const WORDS: &'static [&'static str] = &["false", "true"];

    fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    fn word(self) -> &'static str {
        if self { "true" } else { "false" }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl RuleType for $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }

            fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// Who walks the devices when a driver is registered.
    AttachStrategy {
        /// The registering task, probing in place.
        Synchronous = "synchronous",
        /// A kernel thread that nobody waits for (the kthread row of Luis' table).
        Kthread = "kthread",
        /// A work item on `system_unbound_wq` (Luis v2).
        Workqueue = "workqueue",
        /// One async entry that walks all devices (765230b5f084).
        AsyncPerDriver = "async-per-driver",
        /// The registering task, which schedules one async entry a device (Duyck).
        AsyncPerDevice = "async-per-device",
    }
}

words! {
    /// Where `__driver_attach` leaves the driver for its async helper.
    AsyncStash {
        /// Nowhere: there is no such helper.
        None = "none",
        /// `dev->driver_data` (Duyck v4).
        Drvdata = "drvdata",
        /// `dev->driver_data`, with the bit `dev->async_probe` (Duyck v6).
        DrvdataAndBit = "drvdata-and-bit",
        /// `dev->p->async_driver` (ef0ff68351be).
        DevicePrivate = "device-private",
    }
}

words! {
    /// When the lock of a device's parent is taken together with the device's own.
    ParentLock {
        /// Always, if there is a parent.
        Always = "always",
        /// Never.
        Never = "never",
        /// If the bus has `need_parent_lock` (8c97a46af04b).
        ByFlag = "by-flag",
    }
}

words! {
    /// When `load_module` waits for async work after a module's init.
    InitWaits {
        /// If the loading task has scheduled some itself (`PF_USED_ASYNC`, 774a1221e862).
        IfAsyncUsed = "if-async-used",
        /// Always (67d6212afda2).
        Always = "always",
    }
}

words! {
    /// How a deferral finds out that a trigger fired while its probe ran.
    DeferredRetry {
        /// It does not.
        Never = "never",
        /// By `deferred_trigger_count` (58b116bce136).
        TriggerCount = "trigger-count",
        /// By the number of bound devices, unbinding counted off (Andy Shevchenko, 2020).
        NetBinds = "net-binds",
        /// By triggers that do not come from its own children (Sean Anderson, 2025).
        ForeignTriggers = "foreign-triggers",
    }
}

/// What is known of a rule.
#[derive(Clone, Copy)]
pub struct RuleInfo {
    /// Its name in scenario files.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub about: &'static str,
    /// The commit or mail that it follows.
    pub source: &'static str,
    /// Its values.
    pub words: &'static [&'static str],
    /// Its value in a set of rules.
    pub get: fn(&Rules) -> &'static str,
    /// Changes its value; false if the word is none of its values.
    pub set: fn(&mut Rules, &str) -> bool,
}

macro_rules! rules {
    ($($field:ident $name:literal : $type:ty = $value:expr, $about:literal, $source:literal;)*) => {
        /// A value for every rule.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct Rules {
            $(#[doc = concat!($about, " (", $source, ")")] pub $field: $type,)*
        }

        impl Rules {
            /// The rules of a revision.
            #[must_use]
            pub fn of(revision: &Revision) -> Self {
                Rules { $($field: { let value: fn(&Revision) -> $type = $value; value(revision) },)* }
            }
        }

        /// All rules.
        pub const RULES: &[RuleInfo] = &[$(RuleInfo {
            name: $name,
            about: $about,
            source: $source,
            words: <$type as RuleType>::WORDS,
            get: |rules| rules.$field.word(),
            set: |rules, word| match <$type as RuleType>::from_word(word) {
                Some(value) => {
                    rules.$field = value;
                    true
                }
                None => false,
            },
        },)*];
    };
}

rules! {
    attach_strategy "attach-strategy": AttachStrategy = |r| match (r.series, r.since(4, 2), r.since(5, 1) || r.duyck()) {
        (Series::Luis, ..) => AttachStrategy::Workqueue,
        (_, false, _) => AttachStrategy::Synchronous,
        (_, _, false) => AttachStrategy::AsyncPerDriver,
        _ => AttachStrategy::AsyncPerDevice,
    }, "Who walks the devices when a driver that wants async probing is registered", "Luis v2; 765230b5f084, v4.2; ef0ff68351be, v5.1";
    async_stash "async-stash": AsyncStash = |r| match r.series {
        Series::DuyckV4 => AsyncStash::Drvdata,
        Series::DuyckV6 => AsyncStash::DrvdataAndBit,
        _ if r.since(5, 1) => AsyncStash::DevicePrivate,
        _ => AsyncStash::None,
    }, "Where __driver_attach leaves the driver for its async helper", "Duyck v4, v6; ef0ff68351be, v5.1";
    getters_hide_stash "getters-hide-stash": bool = |_| false,
        "With drvdata-and-bit, dev_get_drvdata returns NULL while the bit is set (the header hunk is missing from the thread)", "Duyck v6";
    setters_clear_bit "setters-clear-bit": bool = |r| r.series == Series::DuyckV6,
        "With drvdata-and-bit, dev_set_drvdata clears the bit", "Duyck v6";
    shared_async_bit "shared-async-bit": bool = |_| false,
        "The async_probe bit shares a word with other bits: each use(d) changes one of them, in a read and a write of the word", "Duyck v6";
    failed_bind_clears_drvdata "failed-bind-clears-drvdata": bool = |r| r.series == Series::DuyckV6,
        "A failed device_bind_driver in __device_attach clears drvdata", "Duyck v6";
    one_async_driver "one-async-driver": bool = |r| r.since(5, 19),
        "At most one asynchronous probe is pending for a device: an occupied stash is not overwritten, and the helper empties it", "84e7c6786aad, v5.19";
    driver_side_unlocked "driver-attach-schedules-unlocked": bool = |r| r.since(6, 0),
        "__driver_attach calls async_schedule after it has released the device lock", "70fe758352ca, v6.0";
    device_side_unlocked "device-attach-schedules-unlocked": bool = |r| r.since(5, 19),
        "__device_attach calls async_schedule after it has released the device lock", "b232b02bf3c2, v5.19";
    device_side_async "device-side-async": bool = |r| r.since(4, 2),
        "A new device is probed by asynchronous drivers in an async entry", "765230b5f084, v4.2";
    detach_waits_for_async "detach-waits-for-async": bool = |r| r.since(5, 0) || r.duyck(),
        "driver_detach waits for all async work before it looks for bound devices", "Duyck's series; c37d721c68ad, v5.0";
    release_waits_for_async "release-waits-for-async": bool = |r| r.since(4, 2) && !r.since(5, 0) && !r.duyck(),
        "__device_release_driver waits for all async work, with the device lock held", "765230b5f084, v4.2";
    release_flushes_attach_work "release-flushes-attach-work": bool = |r| r.series == Series::Luis,
        "__device_release_driver flushes the driver's attach_work, with the device lock held", "Luis v2";
    unregister_cancels_attach_work "unregister-cancels-attach-work": bool = |_| false,
        "bus_remove_driver cancels attach_work before driver_detach (a repair that the series did not have)", "docs/kernel/races.md#a1";
    force_async_probe "force-mod-async-probe": bool = |_| false,
        "bus.__DEBUG__module_force_mod_async_probe: every module's drivers are attached asynchronously", "Luis v2";
    attach_work_fails "attach-may-fail": bool = |_| false,
        "driver_attach in the work function may return an error (a vanished bus), and attach_work may not be allocated", "Luis v2";
    dead_flag "dead-flag": bool = |r| r.since(5, 1),
        "device_del sets dead under the device lock; the async helpers and device_driver_attach look at it", "3451a495ef24, v5.1";
    dead_in_device_attach "device-attach-checks-dead": bool = |r| r.since(5, 9),
        "__device_attach looks at dead", "654888327e9f, v5.9";
    helper_rechecks_driver "device-helper-rechecks": bool = |r| r.since(5, 1),
        "__device_attach_async_helper looks whether the device is dead or bound before it walks the drivers", "3451a495ef24, v5.1";
    walk_stops_when_bound "walk-stops-when-bound": bool = |r| r.since(4, 2) && !r.since(5, 1),
        "__device_attach_driver stops with -EBUSY when the device is bound", "765230b5f084, v4.2";
    split_driver_probe_device "split-driver-probe-device": bool = |r| r.since(5, 14),
        "driver_probe_device counts and defers, __driver_probe_device tests dead, registered and bound; sysfs bind calls the latter", "204db60c8357, v5.14";
    bind_rechecks_driver "bind-rechecks": bool = |r| r.since(5, 1),
        "sysfs bind looks again whether the device is bound once it holds the lock", "ef0ff68351be, v5.1";
    match_results "match-results": bool = |r| r.since(4, 6),
        "A match function may return -EPROBE_DEFER or another error; before, anything but zero is a match", "656b8035b0ee, v4.6";
    match_defer_returns "match-defer-returns": bool = |r| r.since(6, 0),
        "After a match that defers the driver is not probed", "25e9fbf0fd38, v6.0";
    match_error_goes_on "match-error-goes-on": bool = |r| r.since(6, 2),
        "A match error does not end driver_attach's walk", "27c0d217340e, v6.2";
    can_match "can-match": bool = |r| r.since(5, 13),
        "Only a device that some driver can match is put on the deferred list", "f2db85b64f0a, v5.13";
    publish_before_attach "publish-before-attach": bool = |_| true,
        "bus_add_driver puts the driver on the bus' klist before it walks the devices", "190888ac01d0, v3.9";
    unwind_unpublishes "unwind-unpublishes": bool = |r| r.since(5, 19),
        "bus_add_driver's error path takes the driver off the bus' klist", "310862e57400, v5.19";
    unwind_frees_once "unwind-frees-once": bool = |r| r.since(4, 14),
        "remove_driver_private, the error path of bus_add_driver and of Luis' work function, leaves the freeing to driver_private's kobject", "0f9b011d3321, v4.14";
    add_failure_clears_driver "add-failure-clears-driver": bool = |r| r.since(6, 3),
        "A failing device_add sets dev->driver to NULL, without the device lock", "f6837f34a349, v6.3";
    ready_flag "ready-flag": bool = |r| r.since(7, 1),
        "A device is not probed before device_add has set ready", "a2225b6e834a, v7.1-rc";
    parent_lock "parent-lock": ParentLock = |r| if r.since(4, 18) { ParentLock::ByFlag } else { ParentLock::Always },
        "When the parent's device lock is taken together with the device's own", "8c97a46af04b, v4.18";
    deferred_retry "deferred-retry": DeferredRetry = |r| if r.since(3, 15) { DeferredRetry::TriggerCount } else { DeferredRetry::Never },
        "How a deferral finds out that a trigger fired while its probe ran", "58b116bce136, v3.15; Shevchenko 2020; Anderson 2025";
    defer_all_probes "defer-all-probes": bool = |r| r.since(4, 5),
        "device_block_probing defers every probe", "013c074f8642, v4.5";
    barrier_flushes_deferred "barrier-flushes-deferred": bool = |r| r.since(4, 5),
        "wait_for_device_probe flushes the deferred-probe work first", "docs/kernel/primitives.md#wait_for_device_probe, v4.5";
    barrier_waits_for_timeout "barrier-waits-for-timeout": bool = |_| false,
        "wait_for_device_probe waits until the deferred-probe timeout is over (5.7 to 5.18)", "35a672363ab3, v5.7; reverted by 5ee76c256e92";
    shutdown_waits "shutdown-waits": bool = |r| r.since(4, 19),
        "device_shutdown waits for probing and blocks it", "3297c8fc65af, v4.19";
    deferred_timeout "deferred-timeout": bool = |r| r.since(4, 19),
        "deferred_probe_initcall triggers twice and arms a timeout, which triggers once more", "25b4e70dcce9, v4.19";
    init_waits "init-waits": InitWaits = |r| if r.since(5, 17) { InitWaits::Always } else { InitWaits::IfAsyncUsed },
        "When load_module waits for async work after init", "774a1221e862, v3.8; 67d6212afda2, v5.17";
    async_probe_skips_wait "async-probe-skips-wait": bool = |r| r.since(4, 2),
        "A module loaded with async_probe is not waited for", "f2411da74698, v4.2";
    nd_register_gets_parent "nd-register-gets-parent": bool = |r| r.since(4, 20),
        "nd_device_register takes a reference on the parent until the registration is done", "b6eae0f61db2, v4.20";
    uevent_reads_once "uevent-reads-once": bool = |r| r.since(7, 1),
        "Reading uevent loads dev->driver once, under the drivers klist's spinlock", "18daa52418e7, v6.15";
}

impl Rules {
    /// Changes a rule by name; false if there is no such rule or value.
    pub fn set(&mut self, name: &str, word: &str) -> bool {
        RULES.iter().find(|rule| rule.name == name).is_some_and(|rule| (rule.set)(self, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::REVISIONS;

    #[test]
    fn words_and_values_agree() {
        for revision in REVISIONS {
            let rules = Rules::of(revision);
            for rule in RULES {
                let word = (rule.get)(&rules);
                assert!(rule.words.contains(&word), "{}: {word}", rule.name);
                let mut other = rules.clone();
                assert!(other.set(rule.name, word));
                assert_eq!(other, rules);
                assert!(!other.set(rule.name, "nonsense"));
            }
        }
    }

    #[test]
    fn the_stash_is_what_the_threads_are_about() {
        let stash = |name| Rules::of(Revision::find(name).unwrap()).async_stash;
        assert_eq!(stash("v3.18"), AsyncStash::None);
        assert_eq!(stash("duyck-v4"), AsyncStash::Drvdata);
        assert_eq!(stash("duyck-v6"), AsyncStash::DrvdataAndBit);
        assert_eq!(stash("v5.1"), AsyncStash::DevicePrivate);
    }
}
