//! What tasks wait for, who can bring it about, and the sets of tasks that wait for each other.

use super::layout::{CellId, Layout};
use super::op::{Action, Entry, Op, enabled};
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

/// A task that has not ended, as far as waiting is concerned.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    /// Its next step.
    pub op: &'a Op,
    /// What it holds.
    pub holds: &'a [Hold],
    /// What it was started with.
    pub entry: &'a Entry,
}

/// A task in a deadlock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter {
    /// Its slot.
    pub slot: usize,
    /// What it waits for.
    pub on: BlockedOn,
    /// The tasks that alone can bring it about; none if nobody can.
    pub by: Vec<usize>,
}

/// What a step that is not enabled waits for.
#[must_use]
pub fn blocked_on(op: &Op) -> BlockedOn {
    if let Some(lock) = op.under {
        return BlockedOn::Lock(lock);
    }
    match &op.actions[0] {
        Action::Lock(cell) => BlockedOn::Lock(*cell),
        Action::AwaitZero(cell) | Action::AwaitNot(cell, _) | Action::Claim(cell) => BlockedOn::Value(*cell),
        Action::KlistAwait(cell, member) => BlockedOn::Node(*cell, *member),
        Action::AsyncAwait(_, domain) => BlockedOn::Async(*domain),
        Action::FlushAwait(cell) | Action::WorkStart(cell) => BlockedOn::Run(*cell),
        Action::AwaitEnded(_, entry) => BlockedOn::Ended(entry.clone()),
        other => unreachable!("internal: {other:?} never waits"),
    }
}

/// The slots that can bring about what a task waits for: all of them must act, or none can.
/// `None` if somebody outside can (an item that may still start).
fn bringers<P: Program>(
    program: &P,
    memory: &[u8],
    tasks: &[Option<TaskView<'_>>],
    slot: usize,
    on: &BlockedOn,
) -> Option<Vec<usize>> {
    let layout: &Layout = program.layout();
    let slots_with = |test: &dyn Fn(&TaskView<'_>) -> bool| {
        let all = tasks.iter().enumerate();
        all.filter(|(_, task)| task.as_ref().is_some_and(test)).map(|(i, _)| i).collect::<Vec<_>>()
    };
    Some(match on {
        BlockedOn::Lock(cell) => vec![usize::from(memory[layout.info(*cell).offset]) - 1],
        BlockedOn::Value(cell) => slots_with(&|task| task.holds.contains(&Hold::Cell(*cell))),
        BlockedOn::Node(cell, member) => {
            slots_with(&|task| task.holds.contains(&Hold::Node(*cell, member.index)))
        }
        BlockedOn::Async(domain) => slots_with(&|task| {
            let of = program.domain(task.entry);
            of.is_some() && (domain.is_none() || of == *domain)
        }),
        BlockedOn::Run(cell) => {
            if !work::waits_for_running(&memory[layout.info(*cell).range()], slot) {
                return None;
            }
            let item = |kind: &SlotKind| matches!(kind, SlotKind::Item { work, .. } if work == cell);
            program.slots().iter().position(|decl| item(&decl.kind)).into_iter().collect()
        }
        BlockedOn::Ended(entry) => slots_with(&|task| task.entry == entry),
    })
}

/// The largest set of tasks, none idle, each waiting only for what only members of the set can bring
/// about; or all that wait, if nobody at all can go on (one that idles may hold what they wait for).
/// Empty if there is no deadlock.
#[must_use]
pub fn deadlocked<P: Program>(program: &P, memory: &[u8], tasks: &[Option<TaskView<'_>>]) -> Vec<Waiter> {
    let layout = program.layout();
    let mut waiters = Vec::new();
    // Those that somebody who is no task now can help: a worker that has not taken an item.
    let mut outsiders = Vec::new();
    let mut nobody_goes_on = true;
    for (slot, task) in tasks.iter().enumerate() {
        let Some(task) = task else { continue };
        if enabled(layout, memory, slot, task.op) {
            nobody_goes_on = false;
            continue;
        }
        if task.op.idles() {
            continue;
        }
        let on = blocked_on(task.op);
        if let Some(by) = bringers(program, memory, tasks, slot, &on) {
            waiters.push(Waiter { slot, on, by });
        } else {
            outsiders.push(Waiter { slot, on, by: Vec::new() });
        }
    }
    let all: Vec<Waiter> =
        if nobody_goes_on { waiters.iter().cloned().chain(outsiders).collect() } else { Vec::new() };
    // A task leaves the set when everybody it waits for can go on: then its wait can end.
    loop {
        let members: Vec<usize> = waiters.iter().map(|waiter| waiter.slot).collect();
        let ended = |slot: &usize| tasks[*slot].is_none();
        let before = waiters.len();
        waiters.retain(|waiter| {
            waiter.by.is_empty() || waiter.by.iter().any(|slot| members.contains(slot) || ended(slot))
        });
        if waiters.len() == before {
            break;
        }
    }
    if waiters.is_empty() {
        waiters = all;
        waiters.sort_unstable_by_key(|waiter| waiter.slot);
    }
    for waiter in &mut waiters {
        waiter.by.sort_unstable();
    }
    waiters
}
