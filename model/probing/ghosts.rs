//! The ghosts of probing: what the checks keep in memory and model code never reads.
//!
//! One row a ghost: its owner, its meaning, its number among the owner's fields, its type, and what its name in
//! layouts adds to the owner's. A new ghost is a row here; `raddle list ghosts` shows them all.

use super::ids::{Device, Driver, Module, Work};
use super::objects::{Core, Count, DEVICE, DRIVER, PerTask, TICKETS};
use raddle_checker::machine::layout::{Cell, Field, Kind, Layout};
use raddle_checker::machine::value::Object;

/// A ghost, for a reader.
#[derive(Clone, Copy, Debug)]
pub struct Ghost {
    /// What has one: `device`, or `device, driver` for a ghost a pair.
    pub of: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it keeps.
    pub meaning: &'static str,
}

/// What the type of a ghost is in memory.
trait Kept {
    /// `slots`: the number of places for tasks.
    fn kind(slots: u8) -> Kind;
}

macro_rules! kept {
    ($($type:ty: |$slots:pat_param| $kind:expr,)*) => {$(
        impl Kept for $type {
            fn kind($slots: u8) -> Kind {
                $kind
            }
        }
    )*};
}

kept! {
    bool: |_| Kind::Bool,
    u8: |_| Kind::Int,
    Count: |_| Kind::Count,
    PerTask: |slots| Kind::PerTask(slots),
    Option<Device>: |_| Kind::Pointer(vec![DEVICE]),
    Option<Driver>: |_| Kind::Pointer(vec![DRIVER]),
}

macro_rules! ghosts {
    (
        $($lay_out:ident: $owner:ty = $of:literal {
            $(#[doc = $doc:literal] $name:ident($number:expr): $type:ty = $label:literal,)*
        })*
        ;pairs {
            $(#[doc = $meaning:literal] $pair:ident($one:ident: $first:ty, $other:ident: $second:ty): $value:ty
                = $field:expr, $owners:literal;)*
        }
    ) => {
        $(impl $owner {
            $(
                #[doc = concat!("Ghost:", $doc)]
                #[must_use]
                pub fn $name(self) -> Cell<$type> {
                    Cell::new(self.object(), Field($number))
                }
            )*

            /// Lays out these ghosts; `slots`: the number of places for tasks.
            pub(super) fn $lay_out(self, layout: &mut Layout, name: &str, slots: u8) {
                $(layout.ghost(self.$name(), format!("{name}{}", $label), <$type as Kept>::kind(slots));)*
            }
        })*

        $(
            #[doc = concat!("Ghost:", $meaning)]
            #[must_use]
            pub fn $pair($one: $first, $other: $second) -> Cell<$value> {
                Cell::new($one.object(), Field($field))
            }
        )*

        /// All ghosts.
        pub const GHOSTS: &[Ghost] = &[
            $($(Ghost { of: $of, name: stringify!($name), meaning: $doc.trim_ascii() },)*)*
            $(Ghost { of: $owners, name: stringify!($pair), meaning: $meaning.trim_ascii() },)*
        ];
    };
}

ghosts! {
    ghosts: Device = "device" {
        /// `device_del` has passed its `device_release_driver`.
        release_passed(15): bool = ": release passed",
        /// `device_del` has passed its `driver_deferred_probe_del`.
        deferred_passed(16): bool = ": deferred del passed",
        /// Probe has succeeded for this driver and remove has not been called.
        probed_by(17): Option<Driver> = ": probed by",
        /// Its creator still has its reference.
        created(18): bool = ": creator's reference",
        /// References that calls of tasks hold.
        extra_refs(19): Count = ": calls' references",
        /// A probe callback runs.
        probing(20): bool = ": probe runs",
        /// The barriers under way that must see its running probe end.
        covered_probe(21): u8 = ": covered probe",
        /// The barriers under way that must see it done that was on the active list.
        covered_active(23): u8 = ": covered on the active list",
    }
    contract_ghosts: Device = "device" {
        /// `device_del` has begun since it was put on its bus; kept against the contract only.
        deleted(27): bool = " has been deleted",
    }
    ghosts: Driver = "driver" {
        /// The barriers that must see the run of its attach_work end.
        covered_attach(COVERED_RUN): u8 = ": covered attach_work",
    }
    contract_ghosts: Driver = "driver" {
        /// `driver_unregister` has begun since it was put on its bus; kept against the contract only.
        unregistered(7): bool = " has been unregistered",
    }
    ghosts: Core = "" {
        /// `device_block_probing` has returned and probing has not been unblocked.
        probing_blocked(11): bool = "probing is blocked",
        /// By task: the barrier that it is in; 0 for none that covers anything.
        barrier(12): PerTask = "barriers",
        /// By task: whether it runs an async entry, and the barriers that must see it end.
        entries(13): PerTask = "entries",
        /// The device that the deferred-probe work deals with.
        deferred_current(14): Option<Device> = "deferred device at hand",
    }
    ghosts: Module = "module" {
        /// Unfinished async entries that were scheduled on behalf of its init.
        unfinished(1 + TICKETS): Count = ": unfinished entries",
    }
    ghosts: Work = "work" {
        /// Unfinished async entries that its runs have scheduled.
        unfinished(1): Count = ": unfinished entries",
    }
    ;pairs {
        /// Whether a probe of this device by this driver is owed, perhaps once a resource is present.
        owed(dev: Device, drv: Driver): u8 = 64 + drv.0, "device, driver";
        /// Whether the init of this module has queued this work item.
        started(work: Work, module: Module): bool = 64 + module.0, "work, module";
        /// Whether the init of this module has flushed this work item.
        awaited(work: Work, module: Module): bool = 128 + module.0, "work, module";
    }
}

/// The number of [`covered_run`] among the fields of any object.
const COVERED_RUN: u8 = 31;

/// Ghost: the barriers that must see the run of a work item end that probes devices; `of` is what the item is named
/// by: a driver, or what it is in.
#[must_use]
pub fn covered_run(of: Object) -> Cell<u8> {
    Cell::new(of, Field(COVERED_RUN))
}

/// No probe is owed.
pub const NOT_OWED: u8 = 0;
/// A probe is owed.
pub const OWED: u8 = 1;
/// A probe is owed once a resource is present: the first of those that the driver requires. Each further one has the next
/// bit, or the next number if there are too many for that.
pub const OWED_WITH: u8 = 2;
/// So many resources have a bit each.
pub const OWED_BITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_owner_has_two_ghosts_of_one_name() {
        for (place, ghost) in GHOSTS.iter().enumerate() {
            let twice = |other: &&Ghost| (other.of, other.name) == (ghost.of, ghost.name);
            assert_eq!(GHOSTS.iter().filter(twice).count(), 1, "{place}: {ghost:?}");
            assert!(!ghost.meaning.is_empty());
        }
    }
}
