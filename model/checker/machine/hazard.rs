//! What can go wrong, as data: which property is broken, how, and by what.
//!
//! The sentences are made by `render`, but for those of a program's own properties: those it brings with
//! it, for people only. Nothing is ever read back from a sentence.

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
    /// Something is done twice that may be done once, such as linking a list node.
    pub const DOUBLE_OPERATION: &str = "double-operation";
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

/// A row of a table of hazards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// The hazard's id.
    pub id: &'static str,
    /// What the hazard is, in a sentence without its full stop.
    pub meaning: &'static str,
    /// Whether it is looked for if nobody asks for it.
    pub by_default: bool,
}

/// A row that is looked for by default.
#[must_use]
pub const fn property(id: &'static str, meaning: &'static str) -> Property {
    Property { id, meaning, by_default: true }
}

/// The hazards that the machine finds in any program, by id. What each carries is in [`Breach`].
pub const PROPERTIES: &[Property] = &[
    Property {
        by_default: false,
        ..property(
            id::DATA_RACE,
            "two tasks whose next steps conflict, one of them a write, one of them plain",
        )
    },
    property(
        id::DEADLOCK,
        "a set of tasks, each waiting only for what only members of the set can bring about",
    ),
    property(id::DOUBLE_FREE, "an object is freed twice"),
    property(id::DOUBLE_OPERATION, "a list node is added that is still linked"),
    property(id::LIVELOCK, "a reachable cycle of retries without progress under weak fairness"),
    property(id::NULL_DEREFERENCE, "NULL is dereferenced"),
    property(id::REFCOUNT_LEAK, "at quiescence a count is above the number of its holders"),
    property(id::REFCOUNT_UNDERFLOW, "a count drops below zero"),
    property(
        id::UNLOCK_IMBALANCE,
        "a lock is released by a task that does not hold it, or held at quiescence",
    ),
    property(id::USE_AFTER_FREE, "an object is used after it was freed"),
    property(id::WARNING, "a warning of the program, after which it goes on"),
];

/// A property that was broken, at one step or in one state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hazard {
    /// Which property.
    pub id: &'static str,
    /// The object or cell it is about: reports under one id are told apart by it.
    pub about: About,
    /// How it was broken.
    pub breach: Breach,
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

/// How a property was broken. A story has names in place of objects and cells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach<O = Object, C = CellId> {
    /// An object is used before it is allocated.
    UsedTooEarly(O),
    /// An object is used after it has been freed.
    UsedAfterFree(O),
    /// An object is used after it has been retired.
    UsedAfterRetire(O),
    /// An object is freed twice.
    FreedTwice(O),
    /// A count drops below zero.
    BelowZero(C),
    /// A NULL pointer is dereferenced.
    NullFollowed(C),
    /// A mutex is released by a task that does not hold it.
    NotHeld(C),
    /// A task that holds a mutex acquires it again.
    LockedAgain(C),
    /// A task ends while it holds these mutexes.
    EndsHolding(Vec<C>),
    /// A node is added to a list on which it still is.
    LinkedTwice(O, C),
    /// Two tasks access a cell at once, one of them plainly.
    Race(C),
    /// Tasks wait for each other, for these cells.
    Deadlock(Vec<C>),
    /// The set-up waits, and nobody is there who could act.
    SetUpWaits,
    /// The last steps, so many, can be repeated for ever.
    Cycle(usize),
    /// One of the program's own.
    Program(Box<Told<O, C>>),
}

/// How a property of the program's own was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Told<O = Object, C = CellId> {
    /// One sentence, without a full stop, for people only.
    pub sentence: String,
    /// The objects that it speaks of.
    pub objects: Vec<O>,
    /// The cells that it speaks of.
    pub cells: Vec<C>,
    /// The object that stays as it must not for ever, and the word for that.
    pub stays: Option<(O, String)>,
    /// The bad step is the end of a wait that was for too little: what its task looked for since the
    /// function of the bad step began, and what was not there, is part of it.
    pub waited: bool,
    /// What is to blame, if the steps show it.
    pub blame: Blame<O>,
}

/// What is to blame for a hazard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame<O = Object> {
    /// The program does not say.
    Unknown,
    /// Tasks that were started and took no step.
    NotRun,
    /// A pointer to this object was overwritten; the words say what it no longer does.
    Overwritten(O, String),
}

impl<O, C> Told<O, C> {
    /// A sentence that speaks of nothing that has a name.
    pub fn new(sentence: impl Into<String>) -> Self {
        Told {
            sentence: sentence.into(),
            objects: Vec::new(),
            cells: Vec::new(),
            stays: None,
            waited: false,
            blame: Blame::Unknown,
        }
    }

    /// It speaks of these objects.
    #[must_use]
    pub fn of(mut self, objects: impl IntoIterator<Item = O>) -> Self {
        self.objects.extend(objects);
        self
    }
}

impl<O: Clone, C: Clone> Breach<O, C> {
    /// The objects that it speaks of.
    #[must_use]
    pub fn objects(&self) -> Vec<O> {
        match self {
            Breach::UsedTooEarly(object)
            | Breach::UsedAfterFree(object)
            | Breach::UsedAfterRetire(object)
            | Breach::FreedTwice(object)
            | Breach::LinkedTwice(object, _) => vec![object.clone()],
            Breach::Program(told) => told.objects.clone(),
            Breach::BelowZero(_)
            | Breach::NullFollowed(_)
            | Breach::NotHeld(_)
            | Breach::LockedAgain(_)
            | Breach::EndsHolding(_)
            | Breach::Race(_)
            | Breach::Deadlock(_)
            | Breach::SetUpWaits
            | Breach::Cycle(_) => Vec::new(),
        }
    }

    /// The cells that it speaks of.
    #[must_use]
    pub fn cells(&self) -> Vec<C> {
        match self {
            Breach::BelowZero(cell)
            | Breach::NullFollowed(cell)
            | Breach::NotHeld(cell)
            | Breach::LockedAgain(cell)
            | Breach::LinkedTwice(_, cell)
            | Breach::Race(cell) => vec![cell.clone()],
            Breach::EndsHolding(cells) | Breach::Deadlock(cells) => cells.clone(),
            Breach::Program(told) => told.cells.clone(),
            Breach::UsedTooEarly(_)
            | Breach::UsedAfterFree(_)
            | Breach::UsedAfterRetire(_)
            | Breach::FreedTwice(_)
            | Breach::SetUpWaits
            | Breach::Cycle(_) => Vec::new(),
        }
    }

    /// The same with other names for objects and cells.
    pub fn renamed<P, D>(&self, object: impl Fn(&O) -> P, cell: impl Fn(&C) -> D) -> Breach<P, D> {
        match self {
            Breach::UsedTooEarly(of) => Breach::UsedTooEarly(object(of)),
            Breach::UsedAfterFree(of) => Breach::UsedAfterFree(object(of)),
            Breach::UsedAfterRetire(of) => Breach::UsedAfterRetire(object(of)),
            Breach::FreedTwice(of) => Breach::FreedTwice(object(of)),
            Breach::BelowZero(of) => Breach::BelowZero(cell(of)),
            Breach::NullFollowed(of) => Breach::NullFollowed(cell(of)),
            Breach::NotHeld(of) => Breach::NotHeld(cell(of)),
            Breach::LockedAgain(of) => Breach::LockedAgain(cell(of)),
            Breach::EndsHolding(of) => Breach::EndsHolding(of.iter().map(cell).collect()),
            Breach::LinkedTwice(of, list) => Breach::LinkedTwice(object(of), cell(list)),
            Breach::Race(of) => Breach::Race(cell(of)),
            Breach::Deadlock(of) => Breach::Deadlock(of.iter().map(cell).collect()),
            Breach::SetUpWaits => Breach::SetUpWaits,
            Breach::Cycle(steps) => Breach::Cycle(*steps),
            Breach::Program(told) => Breach::Program(Box::new(Told {
                sentence: told.sentence.clone(),
                objects: told.objects.iter().map(&object).collect(),
                cells: told.cells.iter().map(cell).collect(),
                stays: told.stays.as_ref().map(|(of, how)| (object(of), how.clone())),
                waited: told.waited,
                blame: match &told.blame {
                    Blame::Unknown => Blame::Unknown,
                    Blame::NotRun => Blame::NotRun,
                    Blame::Overwritten(of, words) => Blame::Overwritten(object(of), words.clone()),
                },
            })),
        }
    }
}

impl Hazard {
    /// A hazard of the program's own whose sentence speaks of nothing that has a name.
    #[must_use]
    pub fn new(id: &'static str, about: About, sentence: impl Into<String>) -> Self {
        Hazard::told(id, about, Told::new(sentence))
    }

    /// A hazard of the program's own.
    #[must_use]
    pub fn told(id: &'static str, about: About, told: Told) -> Self {
        Hazard { id, about, breach: Breach::Program(Box::new(told)) }
    }

    /// The hazard of a machine step.
    pub(super) fn of(layout: &Layout, breach: Breach) -> Self {
        let (id, about) = match &breach {
            Breach::UsedTooEarly(object) => (id::NULL_DEREFERENCE, About::Object(*object)),
            Breach::UsedAfterFree(object) | Breach::UsedAfterRetire(object) => {
                (layout.object(*object).stale, About::Object(*object))
            }
            Breach::FreedTwice(object) => (id::DOUBLE_FREE, About::Object(*object)),
            Breach::LinkedTwice(object, _) => (id::DOUBLE_OPERATION, About::Object(*object)),
            Breach::BelowZero(cell) => (id::REFCOUNT_UNDERFLOW, About::Cell(*cell)),
            Breach::NullFollowed(cell) => (id::NULL_DEREFERENCE, About::Cell(*cell)),
            Breach::NotHeld(cell) => (id::UNLOCK_IMBALANCE, About::Cell(*cell)),
            Breach::LockedAgain(cell) => (id::DEADLOCK, About::Cell(*cell)),
            // Of several mutexes none is the one that it is about.
            Breach::EndsHolding(cells) => match cells[..] {
                [cell] => (id::UNLOCK_IMBALANCE, About::Cell(cell)),
                _ => (id::UNLOCK_IMBALANCE, About::Program),
            },
            Breach::Race(cell) => (id::DATA_RACE, About::Cell(*cell)),
            Breach::Deadlock(_) | Breach::SetUpWaits => (id::DEADLOCK, About::Program),
            Breach::Cycle(_) => (id::LIVELOCK, About::Program),
            Breach::Program(_) => unreachable!("internal: the machine knows no property of the program's"),
        };
        Hazard { id, about, breach }
    }

    /// A livelock whose last steps, so many, can be repeated for ever.
    #[must_use]
    pub fn cycle(steps: usize) -> Self {
        Hazard { id: id::LIVELOCK, about: About::Program, breach: Breach::Cycle(steps) }
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
}
