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
    /// The lock under which a match reads `driver_override`.
    OverrideLock {
        /// None.
        None = "none",
        /// The device's, around every match (dc23806a7c47, 7.0-rc1 and -rc2 only).
        Device = "device",
        /// A spinlock of its own.
        Spinlock = "spinlock",
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

/// A change of a rule's value by a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first release with the commit.
    pub version: (u16, u16),
    /// The commit; empty if only the release is known.
    pub commit: &'static str,
    /// The value from then on.
    pub value: &'static str,
}

impl Change {
    /// The commit and its release: `ef0ff68351be, v5.1`.
    #[must_use]
    pub fn named(&self) -> String {
        let (major, minor) = self.version;
        let comma = if self.commit.is_empty() { "" } else { ", " };
        format!("{}{comma}v{major}.{minor}", self.commit)
    }
}

/// What is known of a rule.
#[derive(Clone, Copy)]
pub struct RuleInfo {
    /// Its name in scenario files.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub about: &'static str,
    /// Where docs/kernel tells what it decides: page and heading.
    pub page: &'static str,
    /// Its values.
    pub words: &'static [&'static str],
    /// Its value before all changes.
    pub first: &'static str,
    /// The changes by released kernels, oldest first.
    pub changes: &'static [Change],
    /// Its values in posted series, where they differ from the release that these count as.
    pub series: &'static [(Series, &'static str)],
    /// Why no verdict and no count of states depends on it, if that is so.
    pub inert: Option<&'static str>,
    /// Its value in a set of rules.
    pub get: fn(&Rules) -> &'static str,
    /// Changes its value; false if the word is none of its values.
    pub set: fn(&mut Rules, &str) -> bool,
}

impl RuleInfo {
    /// Its value on a revision.
    #[must_use]
    pub fn on(&self, revision: &Revision) -> &'static str {
        if let Some((_, value)) = self.series.iter().find(|(series, _)| *series == revision.series) {
            return value;
        }
        let change = self.changes.iter().rfind(|change| change.version <= revision.version);
        change.map_or(self.first, |change| change.value)
    }

    /// What a value of it says of a kernel, without a full stop.
    #[must_use]
    pub fn says(&self, value: &str) -> String {
        match value {
            "true" => self.about.to_owned(),
            "false" => format!("Not so: {}", self.about),
            word => format!("{}: {word}", self.about),
        }
    }

    /// The commits and the page that it follows, in one line.
    #[must_use]
    pub fn source(&self) -> String {
        let commits: String = self.changes.iter().map(|change| format!("{}; ", change.named())).collect();
        format!("{commits}docs/kernel/{}", self.page)
    }
}

macro_rules! rules {
    ($(
        $field:ident $name:literal: $type:ty = $first:literal
        $(, v $major:literal $minor:literal $commit:literal = $value:literal)*
        $(, in $series:ident = $changed:literal)*;
        $page:literal, $about:literal $(, inert $why:literal)?;
    )*) => {
        /// A value for every rule.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct Rules {
            $(#[doc = $about] pub $field: $type,)*
        }

        impl Rules {
            /// The rules of a revision.
            #[must_use]
            pub fn of(revision: &Revision) -> Self {
                let value = |name: &str| rule(name).expect("internal: it is in the table").on(revision);
                Rules { $($field: <$type>::from_word(value($name)).expect("internal: a value of the rule"),)* }
            }
        }

        /// All rules.
        pub const RULES: &[RuleInfo] = &[$(RuleInfo {
            name: $name,
            about: $about,
            page: $page,
            words: <$type as RuleType>::WORDS,
            first: $first,
            changes: &[$(Change { version: ($major, $minor), commit: $commit, value: $value }),*],
            series: &[$((Series::$series, $changed)),*],
            inert: [$(Some($why),)? None][0],
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

/// The rule of a name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static RuleInfo> {
    RULES.iter().find(|rule| rule.name == name)
}

rules! {
    attach_strategy "attach-strategy": AttachStrategy = "synchronous",
        v 4 2 "765230b5f084" = "async-per-driver", v 5 1 "ef0ff68351be" = "async-per-device",
        in Luis = "workqueue", in DuyckV4 = "async-per-device", in DuyckV6 = "async-per-device";
        "register.md#bus_add_driver", "Who walks the devices when a driver that wants async probing is registered";
    async_stash "async-stash": AsyncStash = "none",
        v 5 1 "ef0ff68351be" = "device-private", in DuyckV4 = "drvdata", in DuyckV6 = "drvdata-and-bit";
        "attach.md#__driver_attach", "Where __driver_attach leaves the driver for its async helper";
    getters_hide_stash "getters-hide-stash": bool = "false";
        "races.md#d9a", "With drvdata-and-bit, dev_get_drvdata returns NULL while the bit is set (the header hunk is missing from the thread)";
    setters_clear_bit "setters-clear-bit": bool = "false", in DuyckV6 = "true";
        "races.md#d9", "With drvdata-and-bit, dev_set_drvdata clears the bit";
    shared_async_bit "shared-async-bit": bool = "false";
        "races.md#d9d", "The async_probe bit shares a word with other bits: each use(d) changes one of them, in a read and a write of the word";
    failed_bind_clears_drvdata "failed-bind-clears-drvdata": bool = "false", in DuyckV6 = "true";
        "device.md#__device_attach", "A failed device_bind_driver in __device_attach clears drvdata",
        inert "device_bind_driver is for devices whose dev->driver is set before device_add, which no call of a scenario does";
    one_async_driver "one-async-driver": bool = "false", v 5 19 "84e7c6786aad" = "true";
        "attach.md#__driver_attach", "At most one asynchronous probe is pending for a device: an occupied stash is not overwritten, and the helper empties it";
    driver_attach_schedules_unlocked "driver-attach-schedules-unlocked": bool = "false", v 6 0 "70fe758352ca" = "true", in Stable515 = "true";
        "attach.md#__driver_attach", "__driver_attach calls async_schedule after it has released the device lock";
    device_attach_schedules_unlocked "device-attach-schedules-unlocked": bool = "false", v 5 19 "b232b02bf3c2" = "true", in Stable515 = "true";
        "device.md#__device_attach", "__device_attach calls async_schedule after it has released the device lock";
    device_side_async "device-side-async": bool = "false", v 4 2 "765230b5f084" = "true";
        "device.md#__device_attach", "A new device is probed by asynchronous drivers in an async entry";
    detach_waits_for_async "detach-waits-for-async": bool = "false", v 5 0 "c37d721c68ad" = "true", in DuyckV6 = "true";
        "release.md#driver_detach", "driver_detach waits for all async work before it looks for bound devices";
    release_waits_for_async "release-waits-for-async": bool = "false",
        v 4 2 "765230b5f084" = "true", v 5 0 "c37d721c68ad" = "false", in DuyckV6 = "false";
        "release.md#__device_release_driver", "__device_release_driver waits for all async work, with the device lock held";
    release_flushes_attach_work "release-flushes-attach-work": bool = "false", in Luis = "true";
        "release.md#__device_release_driver", "__device_release_driver flushes the driver's attach_work, with the device lock held";
    unregister_cancels_attach_work "unregister-cancels-attach-work": bool = "false";
        "races.md#a1", "bus_remove_driver cancels attach_work before driver_detach (a repair that the series did not have)";
    force_mod_async_probe "force-mod-async-probe": bool = "false";
        "register.md#bus_add_driver", "bus.__DEBUG__module_force_mod_async_probe: every module's drivers are attached asynchronously";
    attach_may_fail "attach-may-fail": bool = "false";
        "register.md#driver_attach_workfn", "driver_attach in the work function may return an error (a vanished bus), and attach_work may not be allocated";
    dead_flag "dead-flag": bool = "false", v 5 1 "3451a495ef24" = "true";
        "device.md#device_del", "device_del sets dead under the device lock; the async helpers and device_driver_attach look at it";
    device_attach_checks_dead "device-attach-checks-dead": bool = "false", v 5 9 "654888327e9f" = "true";
        "device.md#__device_attach", "__device_attach looks at dead";
    device_helper_rechecks "device-helper-rechecks": bool = "false", v 5 1 "3451a495ef24" = "true";
        "device.md#__device_attach_async_helper", "__device_attach_async_helper looks whether the device is dead or bound before it walks the drivers";
    walk_stops_when_bound "walk-stops-when-bound": bool = "false", v 4 2 "765230b5f084" = "true", v 5 1 "3451a495ef24" = "false";
        "device.md#__device_attach", "__device_attach_driver stops with -EBUSY when the device is bound";
    split_driver_probe_device "split-driver-probe-device": bool = "false", v 5 14 "204db60c8357" = "true";
        "probe.md#driver_probe_device", "driver_probe_device counts and defers, __driver_probe_device tests dead, registered and bound; sysfs bind calls the latter";
    bind_rechecks "bind-rechecks": bool = "false", v 5 1 "ef0ff68351be" = "true";
        "attach.md#bind_store", "sysfs bind looks again whether the device is bound once it holds the lock";
    match_results "match-results": bool = "false", v 4 6 "656b8035b0ee" = "true";
        "attach.md#driver_match_device", "A match function may return -EPROBE_DEFER or another error; before, anything but zero is a match";
    match_defer_returns "match-defer-returns": bool = "false", v 6 0 "25e9fbf0fd38" = "true", in Stable515 = "true";
        "attach.md#__driver_attach", "After a match that defers the driver is not probed";
    match_error_goes_on "match-error-goes-on": bool = "false", v 6 2 "27c0d217340e" = "true", in Stable515 = "true";
        "attach.md#__driver_attach", "A match error does not end driver_attach's walk";
    can_match "can-match": bool = "false", v 5 13 "f2db85b64f0a" = "true";
        "deferred.md#driver_deferred_probe_add", "Only a device that some driver can match is put on the deferred list";
    publish_before_attach "publish-before-attach": bool = "false", v 3 9 "190888ac01d0" = "true";
        "races.md#b2", "bus_add_driver puts the driver on the bus' klist before it walks the devices";
    unwind_unpublishes "unwind-unpublishes": bool = "false", v 5 19 "310862e57400" = "true", in Stable515 = "true";
        "register.md#bus_add_driver-error-path", "bus_add_driver's error path takes the driver off the bus' klist";
    unwind_frees_once "unwind-frees-once": bool = "false", v 4 14 "0f9b011d3321" = "true";
        "register.md#bus_add_driver-error-path", "remove_driver_private, the error path of bus_add_driver and of Luis' work function, leaves the freeing to driver_private's kobject";
    add_failure_clears_driver "add-failure-clears-driver": bool = "false", v 6 3 "f6837f34a349" = "true", in Stable515 = "true";
        "device.md#device_add-error-path", "A failing device_add sets dev->driver to NULL, without the device lock";
    ready_flag "ready-flag": bool = "false", v 7 1 "a2225b6e834a" = "true";
        "probe.md#__driver_probe_device", "A device is not probed before device_add has set ready";
    parent_lock "parent-lock": ParentLock = "always", v 4 18 "8c97a46af04b" = "by-flag";
        "attach.md#__driver_attach", "When the parent's device lock is taken together with the device's own";
    deferred_retry "deferred-retry": DeferredRetry = "never", v 3 15 "58b116bce136" = "trigger-count";
        "races.md#c1", "How a deferral finds out that a trigger fired while its probe ran";
    defer_all_probes "defer-all-probes": bool = "false", v 4 5 "013c074f8642" = "true";
        "deferred.md#device_block_probing", "device_block_probing defers every probe";
    barrier_flushes_deferred "barrier-flushes-deferred": bool = "false", v 4 5 "" = "true";
        "primitives.md#wait_for_device_probe", "wait_for_device_probe flushes the deferred-probe work first";
    barrier_waits_for_timeout "barrier-waits-for-timeout": bool = "false";
        "races.md#c8", "wait_for_device_probe waits until the deferred-probe timeout is over (35a672363ab3, v5.7, to 5ee76c256e92, v5.19; the timeout is 0 unless the command line sets it)";
    shutdown_waits "shutdown-waits": bool = "false", v 4 19 "3297c8fc65af" = "true";
        "release.md#device_shutdown", "device_shutdown waits for probing and blocks it";
    deferred_timeout "deferred-timeout": bool = "false", v 4 19 "25b4e70dcce9" = "true";
        "deferred.md#deferred_probe_initcall", "deferred_probe_initcall triggers twice and arms a timeout, which triggers once more";
    timeout_walk_locked "timeout-walk-locked": bool = "false", v 5 12 "eed6e41813de" = "true";
        "deferred.md#deferred_probe_timeout_work_func", "The timeout walks the pending list with deferred_probe_mutex held";
    init_waits "init-waits": InitWaits = "if-async-used", v 5 17 "67d6212afda2" = "always", in Stable515 = "always";
        "module.md#load_module", "When load_module waits for async work after init (774a1221e862, v3.8)";
    async_probe_skips_wait "async-probe-skips-wait": bool = "false", v 4 2 "f2411da74698" = "true";
        "module.md#load_module", "A module loaded with async_probe is not waited for";
    override_lock "override-lock": OverrideLock = "none", v 7 0 "d723091c8c3e" = "spinlock";
        "attach.md#driver_match_device", "The lock under which match reads driver_override, which is written under that lock, or else under the device's";
    device_links "device-links": bool = "false", v 4 10 "9ed9895370ae" = "true";
        "links.md#device_links_check_suppliers", "Devices have links to their suppliers: a probe is deferred while one is not bound, and unbinding one unbinds its consumers first";
    fw_devlink "fw-devlink": bool = "false", v 5 13 "ea718c699055" = "true";
        "links.md#device_link_add", "Firmware makes the links, as soon as both devices are there, and until then the consumer's probe is deferred; a supplier that is bound has its consumers probed again";
    links_look_at_supplier "links-look-at-supplier": bool = "false", v 5 8 "8c3e315d4296" = "true";
        "links.md#device_links_no_driver", "A consumer that lets go of a supplier that is not bound is a warning";
    links_unlock_parent "links-unlock-parent": bool = "false", v 4 18 "8c97a46af04b" = "true", v 5 0 "e121a833745b" = "false",
        in DuyckV4 = "false", in DuyckV6 = "false";
        "release.md#__device_release_driver", "To unbind consumers __device_release_driver unlocks the parent whether it was locked or not";
    unbind_hands_on_parent "unbind-hands-on-parent": bool = "false", v 5 1 "ed88747c6c4a" = "true";
        "release.md#device_driver_detach", "unbind and a reprobe hand the parent on to __device_release_driver, so that its lock is released while consumers are unbound";
    links_updated_last "links-updated-last": bool = "false", v 6 7 "2e84dc379200" = "true";
        "release.md#__device_release_driver", "Device links are updated after devres, not before";
    core_owns_links "core-owns-links": bool = "false", v 5 1 "72175d4ea4c4" = "true", in DuyckV4 = "false", in DuyckV6 = "false";
        "links.md#device_link_del", "Managed device links are the driver core's: device_link_add of one that is there counts no reference, device_link_del is a warning; AUTOPROBE_CONSUMER is known";
    link_del_of_orphans "link-del-of-orphans": bool = "false", v 5 14 "e64daad660a0" = "true";
        "links.md#device_link_del", "device_link_del of a managed device link whose consumer is not registered deletes it";
    pm_resumes_parent "pm-resumes-parent": bool = "false", v 4 3 "" = "true";
        "power.md#where-the-core-meets-it", "A device is probed with its parent resumed";
    pm_reinit "pm-reinit": bool = "false", v 4 5 "5de85b9d57ab" = "true";
        "power.md#pm_runtime_reinit", "After a remove, and after a probe that failed, a device that is active and disabled becomes suspended";
    pm_resumes_before_links "pm-resumes-before-links": bool = "false", v 5 10 "9226c504e364" = "true";
        "release.md#__device_release_driver", "__device_release_driver resumes the device before it unbinds its consumers, not after";
    pm_remove_flushes "pm-remove-flushes": bool = "false", v 7 0 "" = "true";
        "power.md#pm_runtime_remove", "device_del waits for the run of the runtime PM work item (Bart Van Assche, 7.0-rc5)";
    nd_register_gets_parent "nd-register-gets-parent": bool = "false", v 4 20 "b6eae0f61db2" = "true";
        "nvdimm.md#nd_device_register", "nd_device_register takes a reference on the parent until the registration is done";
    nd_reads_parent_late "nd-reads-parent-late": bool = "true", v 7 1 "a8aec1423032" = "false";
        "nvdimm.md#nd_async_device_register", "With nd-register-gets-parent, the entry reads dev->parent after its last put of the device (CVE-2026-31399; 7.1 is the first release read that has the commit)";
    nd_unregister_kills "nd-unregister-kills": bool = "false", v 5 3 "8aac0e233891" = "true";
        "nvdimm.md#nd_device_unregister", "nd_device_unregister sets dead first, which is in a private part that device_add allocates, and goes on only if it was not set";
    uevent_reads_once "uevent-reads-once": bool = "false", v 6 15 "18daa52418e7" = "true";
        "uevent.md#uevent_show", "Reading uevent loads dev->driver once, under the drivers klist's spinlock";
}

impl Rules {
    /// Changes a rule by name; false if there is no such rule or value.
    pub fn set(&mut self, name: &str, word: &str) -> bool {
        rule(name).is_some_and(|rule| (rule.set)(self, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::REVISIONS;

    #[test]
    fn words_and_values_agree() {
        for rule in RULES {
            let all = rule.changes.iter().map(|change| change.value).chain([rule.first]);
            for word in all.chain(rule.series.iter().map(|(_, word)| *word)) {
                assert!(rule.words.contains(&word), "{}: {word}", rule.name);
            }
            let order = rule.changes.windows(2).all(|two| two[0].version < two[1].version);
            assert!(order, "{}: its changes are in the order of releases", rule.name);
            for revision in REVISIONS {
                let rules = Rules::of(revision);
                assert_eq!((rule.get)(&rules), rule.on(revision), "{} on {}", rule.name, revision.name);
                let mut other = rules.clone();
                assert!(other.set(rule.name, rule.on(revision)) && other == rules);
                assert!(!other.set(rule.name, "nonsense"));
            }
        }
    }

    /// The page of a rule exists and has the heading, and tells of each of its commits.
    #[test]
    fn the_pages_of_rules_are_there() {
        let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kernel");
        let all: String = std::fs::read_dir(&book)
            .expect("docs/kernel is there")
            .map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap())
            .collect();
        for rule in RULES {
            let (page, heading) = rule.page.split_once('#').expect("a page and a heading");
            let text = std::fs::read_to_string(book.join(page)).expect("the page is there");
            let slug = |line: &str| {
                line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace(':', "")
            };
            let found = text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading);
            assert!(found, "{}: docs/kernel/{} has no such heading", rule.name, rule.page);
            for change in rule.changes {
                assert!(
                    all.contains(change.commit),
                    "{}: docs/kernel tells nothing of {}",
                    rule.name,
                    change.commit
                );
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
