//! Re-execution: a task's control state is its history of observations, kept per frame.
//!
//! To learn a task's next step its function runs again from the start with the recorded
//! observations; the first step past the end of the record is the next step. A function that has
//! returned keeps only its result, a turn of a loop only the carried value, so that histories stay
//! small and finite.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::cpu::{Atoms, Backend, Cpu, Entered, Frame, Pause, Step};
use super::layout::Layout;
use super::op::{Entry, Op};
use super::place::Place;
use super::program::{Call, Next};
use super::value::Obs;

/// Something a function did and what it learned by that: a step, or a call that has returned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Item {
    values: Atoms,
    /// Of the step or call, to find a function that is not deterministic.
    signature: u64,
}

/// A function that has not returned, or a loop that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Record {
    name: &'static str,
    /// The arguments, or the carried value.
    args: Vec<Obs>,
    items: Vec<Item>,
}

/// A task's history: where it is and all that it remembers. A task that has ended has no record at
/// all, so that it is never taken for one that has not begun. Histories share what is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History {
    entry: Arc<Entry>,
    records: Vec<Arc<Record>>,
}

impl History {
    /// The history of a task that has done nothing.
    #[must_use]
    pub fn new(entry: &Entry) -> Self {
        let root = Record { name: "", args: Vec::new(), items: Vec::new() };
        History { entry: Arc::new(entry.clone()), records: vec![Arc::new(root)] }
    }

    /// What the task was started with.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The functions that the task is in, outermost first.
    #[must_use]
    pub fn stack(&self) -> Vec<Call> {
        let functions = self.records.iter().filter(|record| !record.name.is_empty());
        functions.map(|record| Call { name: record.name, args: record.args.clone() }).collect()
    }

    /// The atoms of each frame: carried values, then observations, in order.
    #[must_use]
    pub fn atoms(&self) -> Vec<Vec<Obs>> {
        let atoms = |record: &Arc<Record>| {
            let carried = if record.name.is_empty() { record.args.as_slice() } else { &[] };
            carried.iter().chain(record.items.iter().flat_map(|item| &item.values)).copied().collect()
        };
        self.records.iter().map(atoms).collect()
    }
}

/// Runs a task's function with its history, and one more observation if there is one.
///
/// Returns the history at the next step (functions that have returned by then are folded into their
/// callers) and that step.
///
/// # Panics
///
/// If the function does other than its history says, or loops without a step: our own mistakes.
pub fn rerun(
    layout: &Layout,
    history: &History,
    observed: Option<Obs>,
    body: impl FnOnce(&Cpu<'_>) -> Step<()>,
) -> (History, Next) {
    let entry = Arc::clone(&history.entry);
    if history.records.is_empty() {
        assert!(observed.is_none(), "internal: a task that has ended observes something");
        return (history.clone(), Next::Done);
    }
    let records = history.records.clone();
    let state = Rerun { records, at: vec![0], observed, next: None, turns: 0, made: 0 };
    let backend = Recorded(RefCell::new(state));
    let result = body(&Cpu::new(&backend, layout, &entry));
    let mut state = backend.0.into_inner();
    assert!(state.observed.is_none(), "internal: nobody took the observation");
    match result {
        Err(Pause) => {
            let (op, at) = state.next.expect("internal: a task paused without a step");
            (History { entry, records: state.records }, Next::Step(op, at))
        }
        Ok(()) => {
            state.records.clear();
            (History { entry, records: state.records }, Next::Done)
        }
    }
}

struct Rerun {
    records: Vec<Arc<Record>>,
    /// How far each entered frame has been replayed.
    at: Vec<usize>,
    observed: Option<Obs>,
    next: Option<(Op, Place)>,
    turns: u32,
    /// Steps.
    made: u64,
}

struct Recorded(RefCell<Rerun>);

fn signature(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Of a call; for a loop its carried value is left out, since it changes.
fn call_signature(name: &'static str, args: &[Obs]) -> u64 {
    signature(&(name, if name.is_empty() { &[] } else { args }))
}

impl Rerun {
    fn depth(&self) -> usize {
        self.at.len() - 1
    }

    /// What was recorded next in the current frame, which must be of this step or call.
    fn recorded(&mut self, signature: u64, what: &dyn std::fmt::Debug) -> Option<&Atoms> {
        let depth = self.depth();
        let item = self.records[depth].items.get(self.at[depth])?;
        assert!(item.signature == signature, "internal: a replayed function did something else: {what:?}");
        self.at[depth] += 1;
        Some(&item.values)
    }

    fn add(&mut self, signature: u64, values: &[Obs]) {
        let depth = self.depth();
        let values = Atoms::from_slice(values);
        Arc::make_mut(&mut self.records[depth]).items.push(Item { values, signature });
        self.at[depth] += 1;
    }
}

impl Backend for Recorded {
    fn step(&self, op: Op, at: Place) -> Step<Obs> {
        let mut state = self.0.borrow_mut();
        state.made += 1;
        let signature = signature(&op);
        if let Some(values) = state.recorded(signature, &op) {
            return Ok(values[0]);
        }
        assert!(
            state.depth() + 1 == state.records.len(),
            "internal: a step where a call was recorded: {op:?}"
        );
        if let Some(observed) = state.observed.take() {
            state.add(signature, &[observed]);
            return Ok(observed);
        }
        state.next = Some((op, at));
        Err(Pause)
    }

    fn enter(&self, frame: Frame<'_>) -> Entered {
        let mut state = self.0.borrow_mut();
        if let Some(values) = state.recorded(call_signature(frame.name, frame.args), &frame) {
            return Entered::Returned(values.clone());
        }
        let depth = state.depth() + 1;
        if depth < state.records.len() {
            let open = &state.records[depth];
            let same = open.name == frame.name && (frame.name.is_empty() || open.args == frame.args);
            assert!(same, "internal: {frame:?} is called where {open:?} was open");
        } else {
            let record = Record { name: frame.name, args: frame.args.to_vec(), items: Vec::new() };
            state.records.push(Arc::new(record));
        }
        state.at.push(0);
        Entered::Run(match frame.name {
            "" => Atoms::from_slice(&state.records[depth].args),
            _ => Atoms::new(),
        })
    }

    fn turn(&self, carried: Vec<Obs>) {
        let mut state = self.0.borrow_mut();
        let depth = state.depth();
        assert!(depth + 1 == state.records.len(), "internal: a loop turns while a call is open");
        state.turns += 1;
        assert!(state.turns < 100_000, "internal: a loop that takes no step");
        state.records[depth] = Arc::new(Record { name: "", args: carried, items: Vec::new() });
        state.at[depth] = 0;
    }

    fn leave(&self, result: Vec<Obs>) {
        let mut state = self.0.borrow_mut();
        let left = state.records.pop().expect("internal: a frame is open");
        state.at.pop();
        state.add(call_signature(left.name, &left.args), &result);
    }

    fn made(&self) -> Option<u64> {
        Some(self.0.borrow().made)
    }
}
