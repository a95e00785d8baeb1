//! `contracts.toml`: what in the kernel's C tells the checks of which event.

use rustc_hash::FxHashSet;
use toml::{Table, Value};

const OURS: &str = include_str!("contracts.toml");

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// A driver is on its bus.
    DriverPublished,
    /// It is taken off.
    DriverUnpublished,
    /// A device is on its bus.
    DevicePublished,
    /// It is taken off.
    DeviceUnpublished,
    /// A device is bound.
    Bound,
    /// A probe has failed.
    ProbeFailed,
    /// A device is unbound.
    Released,
    /// `device_release_driver` is over.
    ReleasePassed,
    /// A device is put on the deferred lists.
    DeferredAdd,
    /// It is taken off.
    DeferredDel,
    /// The work takes a device.
    DeferredTaken,
    /// It has dealt with it.
    DeferredDone,
    /// A wait for probing begins.
    BarrierBegins,
    /// It ends.
    BarrierEnds,
    /// Probing is blocked.
    ProbingBlocked,
    /// Probing is to go on.
    ProbingUnblocked,
    /// A device is being deleted.
    Deleting,
    /// A probe is on behalf of `bind`.
    Bind,
    /// A function knows which driver was named.
    Named,
    /// A function takes or drops the reference on a parent.
    HoldsParent,
    /// The creator's reference is put.
    CreatorPuts,
    /// A driver's registration ends.
    Unregistered,
}

const TELLS: &[(&str, Tell)] = &[
    ("driver published", Tell::DriverPublished),
    ("driver unpublished", Tell::DriverUnpublished),
    ("device published", Tell::DevicePublished),
    ("device unpublished", Tell::DeviceUnpublished),
    ("bound", Tell::Bound),
    ("probe failed", Tell::ProbeFailed),
    ("released", Tell::Released),
    ("release passed", Tell::ReleasePassed),
    ("deferred add", Tell::DeferredAdd),
    ("deferred del", Tell::DeferredDel),
    ("deferred taken", Tell::DeferredTaken),
    ("deferred done", Tell::DeferredDone),
    ("barrier begins", Tell::BarrierBegins),
    ("barrier ends", Tell::BarrierEnds),
    ("probing blocked", Tell::ProbingBlocked),
    ("probing unblocked", Tell::ProbingUnblocked),
    ("deleting", Tell::Deleting),
    ("bind", Tell::Bind),
    ("named", Tell::Named),
    ("holds parent", Tell::HoldsParent),
    ("creator puts", Tell::CreatorPuts),
    ("unregistered", Tell::Unregistered),
];

/// What a contract hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Primitive(String, Option<String>),
    Store(String),
    Enter(String),
    Leave(String),
    Stack,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contract {
    on: On,
    top: Option<String>,
    within: Option<String>,
    unless: Option<String>,
    tell: Tell,
}

/// The contracts.
#[derive(Clone, Debug)]
pub struct Contracts {
    all: Vec<Contract>,
    /// The primitives, functions and fields that some hang on.
    names: FxHashSet<String>,
}

impl Contracts {
    /// Our own.
    #[must_use]
    pub fn ours() -> Self {
        let table: Table = OURS.parse().expect("internal: our own contracts");
        let rows = table["on"].as_array().expect("internal: rows");
        let all: Vec<Contract> = rows.iter().map(contract).collect();
        let names = all.iter().filter_map(|contract| contract.on.name().map(str::to_owned)).collect();
        Contracts { all, names }
    }

    /// Whether some contract hangs on a primitive, a function or a field of this name.
    #[must_use]
    pub fn tells(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// What a primitive on a field tells, with the frame that counts. `stack`: functions, outermost first.
    #[must_use]
    pub fn primitive(&self, name: &str, field: &str, stack: &[&str]) -> Option<(Tell, usize)> {
        self.find(name, stack, |on| match on {
            On::Primitive(_, of) => of.as_deref().is_none_or(|of| of == field),
            _ => false,
        })
    }

    /// What storing NULL in a field tells.
    #[must_use]
    pub fn store(&self, field: &str, stack: &[&str]) -> Option<(Tell, usize)> {
        self.find(field, stack, |on| matches!(on, On::Store(_)))
    }

    /// What entering a function tells.
    #[must_use]
    pub fn enter(&self, function: &str) -> Option<Tell> {
        self.find(function, &[], |on| matches!(on, On::Enter(_))).map(|(tell, _)| tell)
    }

    /// What a function's return tells.
    #[must_use]
    pub fn leave(&self, function: &str) -> Option<Tell> {
        self.find(function, &[], |on| matches!(on, On::Leave(_))).map(|(tell, _)| tell)
    }

    /// The innermost frame that makes this so, if one does.
    #[must_use]
    pub fn stack(&self, tell: Tell, stack: &[&str]) -> Option<usize> {
        let of = |contract: &&Contract| contract.on == On::Stack && contract.tell == tell;
        self.all.iter().filter(of).filter_map(|contract| contract.fits(stack)).max()
    }

    /// The functions that probe a device.
    pub fn probing(&self) -> impl Iterator<Item = &str> {
        let of = self.all.iter().filter(|contract| contract.tell == Tell::ProbeFailed);
        of.filter_map(|contract| contract.within.as_deref())
    }

    /// The functions of a tree that contracts name.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.all.iter().flat_map(|contract| {
            let on = match &contract.on {
                On::Enter(name) | On::Leave(name) => Some(name),
                _ => None,
            };
            on.into_iter().chain(&contract.top).chain(&contract.within).map(String::as_str)
        })
    }

    fn find(&self, name: &str, stack: &[&str], on: impl Fn(&On) -> bool) -> Option<(Tell, usize)> {
        if !self.tells(name) {
            return None;
        }
        let rows = self.all.iter().filter(|contract| contract.on.name() == Some(name) && on(&contract.on));
        rows.filter_map(|contract| Some((contract.tell, contract.fits(stack)?)))
            .max_by_key(|(_, frame)| *frame)
    }
}

impl On {
    fn name(&self) -> Option<&str> {
        match self {
            On::Primitive(name, _) | On::Store(name) | On::Enter(name) | On::Leave(name) => Some(name),
            On::Stack => None,
        }
    }
}

impl Contract {
    /// The frame that counts, if the stack is as it says.
    fn fits(&self, stack: &[&str]) -> Option<usize> {
        let top = stack.len().saturating_sub(1);
        if self.unless.as_deref().is_some_and(|unless| stack.contains(&unless))
            || self.top.as_deref().is_some_and(|own| stack.last() != Some(&own))
        {
            return None;
        }
        match &self.within {
            Some(within) => stack.iter().rposition(|function| function == within),
            None => Some(top),
        }
    }
}

fn contract(row: &Value) -> Contract {
    let text = |key: &str| row.get(key).map(|value| value.as_str().expect("internal: a text").to_owned());
    let on = match (text("primitive"), text("store"), text("enter"), text("leave")) {
        (Some(name), ..) => On::Primitive(name, text("field")),
        (_, Some(field), ..) => On::Store(field),
        (_, _, Some(function), _) => On::Enter(function),
        (.., Some(function)) => On::Leave(function),
        _ => On::Stack,
    };
    let told = text("tell").expect("internal: a contract tells something");
    let tell = TELLS.iter().find(|(name, _)| *name == told).map(|(_, tell)| *tell);
    let tell = tell.unwrap_or_else(|| unreachable!("internal: nothing is told by {told}"));
    Contract { on, top: text("top"), within: text("within"), unless: text("unless"), tell }
}

#[cfg(test)]
mod tests {
    use super::{Contracts, Tell};

    #[test]
    fn the_innermost_function_counts() {
        let contracts = Contracts::ours();
        let failed = ["driver_attach", "really_probe"];
        assert_eq!(contracts.store("device.driver", &failed), Some((Tell::ProbeFailed, 1)));
        let released = ["really_probe", "probe", "__device_release_driver", "helper"];
        assert_eq!(contracts.store("device.driver", &released), Some((Tell::Released, 2)));
        assert_eq!(contracts.store("device.driver", &["device_add"]), None);
        let unlock =
            |stack: &[&str]| contracts.primitive("mutex_unlock", "global.deferred_probe_mutex", stack);
        assert_eq!(unlock(&["driver_deferred_probe_add"]), Some((Tell::DeferredAdd, 0)));
        assert_eq!(unlock(&["driver_deferred_probe_add", "other"]), None);
        assert_eq!(contracts.stack(Tell::Bind, &["bind_store", "driver_probe_device"]), None);
        assert_eq!(contracts.stack(Tell::Bind, &["bind_store", "x"]), Some(1));
        assert_eq!(contracts.enter("wait_for_device_probe"), Some(Tell::BarrierBegins));
    }
}
