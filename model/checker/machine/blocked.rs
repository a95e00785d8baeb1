//! What tasks wait for, who can bring it about, and the sets of tasks that wait for each other.

use super::layout::CellId;
use super::op::{Entry, Op, Wait, enabled};
use super::program::{Program, SlotKind};
use super::value::{Object, Obs};
use super::work;

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockedOn {
    /// A mutex.
    Lock(CellId),
    /// A counter that must drop to zero, or a value that must change.
    Value(CellId),
    /// A klist node that must be unlinked.
    Node(CellId, Object),
    /// The async lists (of one domain) to be empty.
    Async(Option<u8>),
    /// A run of a work item.
    Run(CellId),
    /// The end of a spawned task.
    Ended(Entry),
}

/// What a task holds that others wait for, besides mutexes (those are in memory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hold {
    /// It has counted up a cell, or set it to a value that others wait to see change.
    Cell(CellId),
    /// An iterator of it stands on a klist's node.
    Node(CellId, u8),
}

/// What a task holds, from the atoms of its frames: in each frame, every [`Obs::Holds`] that was not
/// released, and where the newest iterator of each klist stands.
#[must_use]
pub fn holds(frames: &[Vec<Obs>]) -> Vec<Hold> {
    let mut all = Vec::new();
    for frame in frames {
        let mut own: Vec<Hold> = Vec::new();
        for atom in frame {
            match atom {
                Obs::Holds(cell) => own.push(Hold::Cell(*cell)),
                Obs::Released(cell) => {
                    if let Some(i) = own.iter().rposition(|hold| *hold == Hold::Cell(*cell)) {
                        own.remove(i);
                    }
                }
                Obs::Iter(klist, node, _) => {
                    own.retain(|hold| !matches!(hold, Hold::Node(other, _) if other == klist));
                    own.extend(node.map(|node| Hold::Node(*klist, node)));
                }
                _ => {}
            }
        }
        all.extend(own);
    }
    all
}

/// The tasks of a state that have started and not ended.
pub trait Tasks {
    /// The one in a slot, as far as waiting is concerned.
    fn task(&self, slot: usize) -> Option<TaskView<'_>>;
}

/// A task, as far as waiting is concerned.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    /// Its next step.
    pub op: &'a Op,
    /// Whether that ever waits.
    pub waits: bool,
    /// What it holds.
    pub holds: &'a [Hold],
    /// What it was started with.
    pub entry: &'a Entry,
}

impl<'a> TaskView<'a> {
    /// That of a task with this next step.
    #[must_use]
    pub fn new(op: &'a Op, holds: &'a [Hold], entry: &'a Entry) -> Self {
        TaskView { op, waits: op.wait().is_some(), holds, entry }
    }
}

/// A task in a deadlock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter {
    /// Its slot.
    pub slot: usize,
    /// What it waits for.
    pub on: BlockedOn,
    /// Its wakers: the tasks of which one must act first; none if nobody is known for it.
    pub by: Vec<usize>,
}

/// What a step that is not enabled waits for.
#[must_use]
pub fn blocked_on(op: &Op) -> BlockedOn {
    match op.wait() {
        Some(Wait::Lock(cell)) => BlockedOn::Lock(cell),
        Some(Wait::Zero(cell) | Wait::Not(cell, _) | Wait::Claim(cell)) => BlockedOn::Value(cell),
        Some(Wait::Any(all)) => BlockedOn::Value(all[0].0),
        Some(Wait::Unlinked(cell, member)) => BlockedOn::Node(cell, member),
        Some(Wait::Async(_, domain)) => BlockedOn::Async(domain),
        Some(Wait::Run(cell) | Wait::Start(cell)) => BlockedOn::Run(cell),
        Some(Wait::Ended(_, entry)) => BlockedOn::Ended(entry.clone()),
        None => unreachable!("internal: {op:?} never waits"),
    }
}

/// A set of slots.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    fn insert(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    fn contains(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 != 0
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Whether some slot is in this set and in the first of two others or not in the second.
    fn has_any(&self, of: &Set, or_not_of: &Set) -> bool {
        self.0.iter().zip(of.0.iter().zip(&or_not_of.0)).any(|(own, (of, not))| own & (of | !not) != 0)
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let word = rest.iter().position(|word| *word != 0)?;
            let slot = 64 * word + rest[word].trailing_zeros() as usize;
            rest[word] &= rest[word] - 1;
            Some(slot)
        })
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<I: IntoIterator<Item = usize>>(slots: I) -> Self {
        slots.into_iter().fold(Set::default(), |mut set, slot| {
            set.insert(slot);
            set
        })
    }
}

/// Whether others wait for this task, the one in this slot, if they wait for this.
#[must_use]
pub fn is_awaited<P: Program>(
    program: &P,
    memory: &[u8],
    slot: usize,
    task: TaskView<'_>,
    wait: Wait<'_>,
) -> bool {
    match wait {
        Wait::Lock(cell) => usize::from(memory[program.layout().info(cell).offset]) == slot + 1,
        Wait::Zero(cell) | Wait::Not(cell, _) | Wait::Claim(cell) => task.holds.contains(&Hold::Cell(cell)),
        Wait::Any(all) => all.iter().any(|(cell, _)| task.holds.contains(&Hold::Cell(*cell))),
        Wait::Unlinked(cell, member) => task.holds.contains(&Hold::Node(cell, member.index)),
        Wait::Async(_, domain) => {
            let of = program.domain(task.entry);
            of.is_some() && (domain.is_none() || of == domain)
        }
        Wait::Run(cell) | Wait::Start(cell) => {
            let is_item = matches!(&program.slots()[slot].kind, SlotKind::Item { work, .. } if *work == cell);
            is_item && !task.op.idles() || task.holds.contains(&Hold::Cell(cell))
        }
        Wait::Ended(_, entry) => task.entry == entry,
    }
}

/// A task's wakers: the slots of which one must act before what it waits for comes about. `None` if nobody is
/// known for it, so that anybody may be who can still take a step: one who is going to set a flag holds
/// nothing before, and a worker that has not taken its item is no task yet.
fn wakers<P: Program>(
    program: &P,
    memory: &[u8],
    tasks: &impl Tasks,
    there: Set,
    slot: usize,
    op: &Op,
) -> Option<Set> {
    let mut wakers = Set::default();
    let wait = op.wait().expect("internal: a step that is not enabled waits");
    let info = program.layout().info(wait.cell());
    match wait {
        Wait::Lock(_) => wakers.insert(usize::from(memory[info.offset]) - 1),
        Wait::Run(cell) | Wait::Start(cell) => {
            if !work::waits_for_running(&memory[info.range()], slot) {
                return None;
            }
            // A worker of its own, or one that has taken it.
            let item = |kind: &SlotKind| matches!(kind, SlotKind::Item { work, .. } if *work == cell);
            let holds =
                |slot: &usize| tasks.task(*slot).is_some_and(|task| task.holds.contains(&Hold::Cell(cell)));
            let runs = |slot: &usize| item(&program.slots()[*slot].kind) || holds(slot);
            (0..program.slots().len()).filter(runs).for_each(|worker| wakers.insert(worker));
        }
        _ => {
            let is_waker = |other: &usize| {
                let task = tasks.task(*other).filter(|_| there.contains(*other));
                task.is_some_and(|task| is_awaited(program, memory, *other, task, wait))
            };
            (0..program.slots().len()).filter(is_waker).for_each(|other| wakers.insert(other));
        }
    }
    (!wakers.is_empty()).then_some(wakers)
}

/// The largest set of tasks, none idle, each waiting only for what only members of the set can bring
/// about; or all that wait, if nobody at all can go on (one that has no work may hold what they wait for, or
/// nobody is going to bring it about), but those that wait for one that has no leave to go on. Empty if there is no
/// deadlock.
#[must_use]
pub fn deadlocked<P: Program>(program: &P, memory: &[u8], tasks: &impl Tasks) -> Vec<Waiter> {
    let layout = program.layout();
    let (mut there, mut waiting) = (Set::default(), Set::default());
    let mut nobody_goes_on = true;
    for slot in 0..program.slots().len() {
        let Some(TaskView { op, waits, .. }) = tasks.task(slot) else { continue };
        there.insert(slot);
        if !waits || enabled(layout, memory, slot, op) {
            nobody_goes_on = false;
        } else if !op.idles() {
            waiting.insert(slot);
        }
    }
    if waiting.is_empty() {
        return Vec::new();
    }
    let by = |slot: usize| {
        let TaskView { op, .. } = tasks.task(slot)?;
        wakers(program, memory, tasks, there, slot, op)
    };
    // A task leaves the set when everybody it waits for can go on: then its wait can end.
    let mut members = waiting;
    loop {
        let stays = |slot: &usize| by(*slot).is_some_and(|by| by.has_any(&members, &there));
        let rest: Set = members.iter().filter(stays).collect();
        if rest == members {
            break;
        }
        members = rest;
    }
    if members.is_empty() && nobody_goes_on {
        members = waiting;
        // Who waits for a task that has no leave to go on waits for something that is not to be, which is no deadlock.
        let slots = program.slots();
        let has_no_leave = |slot: &usize| {
            let waits = |op: &Op| matches!(op.wait(), Some(Wait::Claim(_))) && !slots[*slot].kind.rests(op);
            tasks.task(*slot).is_some_and(|task| waits(task.op))
        };
        let mut held_back: Set = there.iter().filter(has_no_leave).collect();
        loop {
            let waits = |slot: &usize| by(*slot).is_some_and(|by| by.iter().any(|by| held_back.contains(by)));
            let Some(slot) = members.iter().find(waits) else { break };
            members.remove(slot);
            held_back.insert(slot);
        }
    }
    let waiter = |slot: usize| {
        let TaskView { op, .. } = tasks.task(slot)?;
        let by = by(slot).unwrap_or_default().iter().collect();
        Some(Waiter { slot, on: blocked_on(op), by })
    };
    members.iter().filter_map(waiter).collect()
}
