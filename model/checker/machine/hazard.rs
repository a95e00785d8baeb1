//! What can go wrong, as data.

use serde::{Deserialize, Serialize};

use super::layout::{CellId, Layout};
use super::value::Object;

/// Hazards that any program can have. A program adds its own ids.
pub mod id {
    /// A cycle of tasks that wait for each other.
    pub const DEADLOCK: &str = "deadlock";
    /// An object is used after it was freed.
    pub const USE_AFTER_FREE: &str = "use-after-free";
    /// An object is freed twice.
    pub const DOUBLE_FREE: &str = "double-free";
    /// A count that is never dropped.
    pub const REFCOUNT_LEAK: &str = "refcount-leak";
    /// A count dropped below zero.
    pub const REFCOUNT_UNDERFLOW: &str = "refcount-underflow";
    /// A lock released by a task that does not hold it, or never released.
    pub const UNLOCK_IMBALANCE: &str = "unlock-imbalance";
    /// NULL is dereferenced.
    pub const NULL_DEREFERENCE: &str = "null-dereference";
    /// Conflicting accesses, one of them plain.
    pub const DATA_RACE: &str = "data-race";
    /// A warning of the program, after which it goes on.
    pub const WARNING: &str = "warning";
    /// A cycle of retries without progress.
    pub const LIVELOCK: &str = "livelock";
}

/// A property that was broken, at one step or in one state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hazard {
    /// Which property.
    pub id: &'static str,
    /// The object or cell it is about: reports under one id are told apart by it.
    pub about: About,
    /// One sentence that says what happened, without a full stop.
    pub text: String,
}

/// What a hazard is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum About {
    /// An object.
    Object(Object),
    /// A pair of objects.
    Pair(Object, Object),
    /// A cell.
    Cell(CellId),
    /// The whole program.
    Program,
}

impl Hazard {
    /// A hazard.
    #[must_use]
    pub fn new(id: &'static str, about: About, text: impl Into<String>) -> Self {
        Hazard { id, about, text: text.into() }
    }

    /// Whether the step that raised it is taken all the same: a warning does not stop a task.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.id == id::WARNING
    }

    /// What counts as another hazard of the same id. A deadlock is one whoever waits in it: the longer a
    /// run goes on, the more tasks come to wait.
    #[must_use]
    pub fn counts_as(&self) -> About {
        if self.id == id::DEADLOCK { About::Program } else { self.about }
    }

    pub(super) fn stale(layout: &Layout, object: Object, freed: bool) -> Self {
        let info = layout.object(object);
        let why = if freed { "has been freed" } else { "has been unregistered, and may be gone" };
        Hazard::new(info.stale, About::Object(object), format!("{} is used after it {why}", info.name))
    }
}
