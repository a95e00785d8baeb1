//! Which steps of a run its hazard needs: a slice, computed backwards from what went wrong.
//!
//! A step is needed if it changed a cell whose value matters to a later needed step or to the hazard
//! itself; if it started a task that has a needed step; if its task had from it the pointer that the bad
//! step uses; or, within a task that has a later needed step, if it chose an outcome, looked at what
//! another task had changed, or took or released a mutex that more than one task wants. Where something
//! was to happen and did not, looking too early is as bad: at what another task changes later, or on a
//! list with nothing on it yet; so is an early look of the task of the bad step at what the hazard is
//! about, and whoever cancels or flushes a work item that matters, also if there is nothing to cancel yet. So the order of critical sections always stays visible. What is left out concerns one task
//! alone: its steps before and after are still there, in their order.
//!
//! Counts matter only to a step that saw them at zero, and liveness only to the hazard: else every
//! reference and every dereference would be needed.

use indexmap::IndexSet;

use crate::machine::hazard::About;
use crate::machine::layout::{CellId, Kind, Layout};
use crate::machine::op::{Action, Op};
use crate::machine::value::Object;

/// A step as it was taken.
#[derive(Clone)]
pub(super) struct Footprint {
    /// Who took it.
    pub(super) actor: usize,
    /// What it did.
    pub(super) op: Op,
    /// The cells whose bytes it changed, ghosts included.
    pub(super) changed: Vec<CellId>,
    /// Of these, the cells that a reader would say had changed.
    pub(super) visible: Vec<CellId>,
    /// The actor that it started.
    pub(super) started: Option<usize>,
    /// Whether it was to take something off a list, or wait for entries, and there were none.
    pub(super) found_none: bool,
    /// Whether it was to wait, and there was nothing to wait for.
    pub(super) waited_for_none: bool,
}

/// What went wrong at the end.
#[derive(Clone)]
pub(super) struct End {
    /// Cells that it is about.
    pub(super) cells: Vec<CellId>,
    /// Actors that it is about; all of them if nothing more could happen.
    pub(super) actors: Vec<usize>,
    /// Steps that it needs whatever they changed.
    pub(super) steps: Vec<usize>,
    /// Whether the last step is the hazard.
    pub(super) at_last_step: bool,
    /// Changes that do not count, by step: how an object comes to be is of no interest.
    pub(super) trivial: Vec<(usize, CellId)>,
    /// Whether it is that something never happened, so that looking too early counts.
    pub(super) missed: bool,
    /// The step from which on the task of the bad step waited for too little.
    pub(super) waited_from: Option<usize>,
    /// Whether changes that no reader sees count, as those of an iterator on a klist's node.
    pub(super) bytes: bool,
}

impl End {
    /// The same, for the steps from this one on.
    pub(super) fn from(&self, first: usize) -> Self {
        let shifted = |(step, cell): &(usize, CellId)| Some((step.checked_sub(first)?, *cell));
        End { trivial: self.trivial.iter().filter_map(shifted).collect(), ..self.clone() }
    }
}

/// The cells that a hazard is about. Of an object, its references and its mutex are not.
pub(super) fn cells_about(layout: &Layout, about: About) -> Vec<CellId> {
    let of = |object: Object| {
        let all = layout.cells().iter().enumerate().filter(move |(_, info)| info.object == object);
        let matters = all.filter(|(_, info)| !matches!(info.kind, Kind::Count | Kind::Lock));
        matters.map(|(number, _)| CellId(number as u16)).collect::<Vec<_>>()
    };
    match about {
        About::Object(object) => of(object),
        About::Pair(one, other) => [of(one), of(other)].concat(),
        About::Cell(cell) => vec![cell],
        About::Program => Vec::new(),
    }
}

/// The pointers of one object of a pair that may hold the other.
pub(super) fn pointers_between(layout: &Layout, about: About) -> Vec<CellId> {
    let About::Pair(one, other) = about else { return Vec::new() };
    let all = layout.cells().iter().enumerate();
    let between = all.filter(|(_, info)| match &info.kind {
        Kind::Pointer(sorts) => info.object == one && !info.ghost && sorts.contains(&other.sort),
        _ => false,
    });
    between.map(|(number, _)| CellId(number as u16)).collect()
}

/// For each step that the hazard needs, the cells that it changed and that matter.
pub(super) fn needed(layout: &Layout, steps: &[Footprint], end: &End) -> Vec<Option<Vec<CellId>>> {
    let mut needed = vec![None; steps.len()];
    let mut matters: IndexSet<CellId> = end.cells.iter().copied().collect();
    let mut active: IndexSet<usize> = end.actors.iter().copied().collect();
    let wanted = wanted(steps, &matters);
    let bad_actor = steps.last().filter(|_| end.at_last_step).map(|step| step.actor);
    // Somebody is left behind on a list that nobody looks at again.
    let left_on_list =
        end.missed && end.cells.iter().any(|cell| matches!(layout.info(*cell).kind, Kind::List(..)));
    // Mutexes of later needed steps: who had them before matters to their order.
    let mut taken: IndexSet<CellId> = IndexSet::new();
    for (number, step) in steps.iter().enumerate().rev() {
        let bad = end.at_last_step && number + 1 == steps.len();
        let changed = if end.bytes { &step.changed } else { &step.visible };
        let counted = |cell: &CellId| matters.contains(cell) && !end.trivial.contains(&(number, *cell));
        let mattering: Vec<CellId> = changed.iter().copied().filter(counted).collect();
        let counts = step.op.actions.iter().any(|action| match action {
            Action::Bump(cell, _) => matters.contains(cell),
            // Who cancels or flushes an item that is queued later has come too early.
            Action::CancelBegin(cell) | Action::DequeueWork(cell) | Action::FlushBegin(cell) => {
                matters.contains(cell)
            }
            _ => false,
        });
        let told = end.steps.contains(&number);
        let starts = step.started.is_some_and(|actor| active.contains(&actor));
        let reads = reads(layout, step);
        let takes = mutexes(&step.op).any(|mutex| {
            let order = active.contains(&step.actor) || taken.contains(&mutex);
            order && wanted.contains(&mutex)
        });
        let looks = || {
            active.contains(&step.actor)
                && (step.op.outcomes() > 1
                    || step.waited_for_none
                        && bad_actor == Some(step.actor)
                        && end.waited_from.is_some_and(|from| from <= number)
                    || left_on_list && step.found_none
                    || reads.iter().any(|cell| {
                        let early = bad_actor == Some(step.actor) && end.cells.contains(cell);
                        changed_by_another(&steps[..number], step.actor, *cell)
                            || (end.missed || early)
                                && sees(layout, &step.op, *cell)
                                && changed_by_another(&steps[number..], step.actor, *cell)
                    }))
        };
        if bad || told || counts || !mattering.is_empty() || starts || takes || looks() {
            needed[number] = Some(mattering);
            active.insert(step.actor);
            taken.extend(mutexes(&step.op));
            matters.extend(reads);
            if bad {
                matters.extend(step.op.footprint(layout).into_iter().map(|(cell, _)| cell));
            }
        }
    }
    needed
}

/// The same of a cycle: what its end changes matters to its beginning, so two rounds are looked at.
pub(super) fn needed_again(layout: &Layout, round: &[Footprint], end: &End) -> Vec<Option<Vec<CellId>>> {
    let steps = round.len();
    let mut end = end.clone();
    end.trivial.extend(end.trivial.clone().into_iter().map(|(step, cell)| (step + steps, cell)));
    let mut first = needed(layout, &[round, round].concat(), &end);
    let second = first.split_off(steps);
    let both = |(first, second): (Option<Vec<CellId>>, Option<Vec<CellId>>)| match (first, second) {
        (Some(first), Some(second)) => Some([first, second].concat()),
        (first, second) => first.or(second),
    };
    first.into_iter().zip(second).map(both).collect()
}

/// The mutexes that more than one task takes, or that the hazard is about.
fn wanted(steps: &[Footprint], about: &IndexSet<CellId>) -> IndexSet<CellId> {
    let mut takers: IndexSet<(CellId, usize)> = IndexSet::new();
    for step in steps {
        takers.extend(mutexes(&step.op).map(|mutex| (mutex, step.actor)));
    }
    let contended = |mutex: &CellId| takers.iter().filter(|(other, _)| other == mutex).count() > 1;
    takers.iter().map(|(mutex, _)| *mutex).filter(|mutex| contended(mutex) || about.contains(mutex)).collect()
}

/// The mutexes that a step takes or releases and keeps so.
fn mutexes(op: &Op) -> impl Iterator<Item = CellId> {
    op.actions.iter().filter_map(|action| match action {
        Action::Lock(mutex) | Action::Unlock(mutex) => Some(*mutex),
        _ => None,
    })
}

/// Whether a step looks at a cell, so that what it saw decides what the task does.
fn sees(layout: &Layout, op: &Op, cell: CellId) -> bool {
    let looks = |action: &Action| {
        matches!(
            action,
            Action::Load(_)
                | Action::Follow(_)
                | Action::KlistNext(..)
                | Action::KlistLast(..)
                | Action::KlistFind(..)
                | Action::KlistPeek(_)
                | Action::KlistHas(..)
                | Action::ListPop(_)
                | Action::ListFirst(_)
                | Action::ListNext(..)
                | Action::ListPrev(..)
                | Action::ListHas(..)
                | Action::ListSplice(..)
                | Action::Moved(..)
                | Action::EnterIf(..)
        )
    };
    let at =
        |action: &Action| Op::from(action.clone()).footprint(layout).iter().any(|(other, _)| *other == cell);
    op.actions.iter().any(|action| looks(action) && at(action))
}

fn changed_by_another(steps: &[Footprint], actor: usize, cell: CellId) -> bool {
    steps.iter().any(|step| step.actor != actor && step.visible.contains(&cell))
}

/// The cells whose values decide what a step does or sees.
fn reads(layout: &Layout, step: &Footprint) -> Vec<CellId> {
    let mut cells = Vec::new();
    for action in &step.op.actions {
        match action {
            Action::Get(_)
            | Action::Dec(_)
            | Action::Store(..)
            | Action::Touch(_)
            | Action::Alloc(_)
            | Action::AllocFirst(_)
            | Action::Free(_)
            | Action::Retire(_)
            | Action::Revive(_)
            | Action::Lock(_)
            | Action::Unlock(_)
            | Action::Hold(_)
            | Action::Release(_)
            | Action::SetOwn(..)
            | Action::KlistAdd(..)
            | Action::KlistExit(..)
            | Action::AsyncSchedule { .. }
            | Action::AsyncEnd(..)
            | Action::Spawn(..)
            | Action::SpawnEnd(_)
            | Action::WorkEnd(_)
            | Action::DisableWork(..)
            | Action::Bump(..)
            | Action::Net(..)
            | Action::Sample(..)
            | Action::DropSample(..)
            | Action::Choose(_) => {}
            Action::Put(count) => {
                // A put that frees saw the count at one.
                let liveness = layout.info(*count).liveness;
                cells.extend(liveness.filter(|cell| step.changed.contains(cell)).map(|_| *count));
            }
            Action::EnterIf(flag, _) => cells.push(*flag),
            action => {
                let footprint = Op::from(action.clone()).footprint(layout);
                let value = footprint.into_iter().map(|(cell, _)| cell);
                cells.extend(value.filter(|cell| layout.info(*cell).kind != Kind::Liveness));
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::layout::{Cell, Field};
    use crate::machine::value::{Obs, Sort};

    const THING: Object = Object { sort: Sort(0), index: 0 };
    const MUTEX: Cell<()> = Cell::new(THING, Field(0));
    const SHARED: Cell<bool> = Cell::new(THING, Field(1));
    const OTHER: Cell<bool> = Cell::new(THING, Field(2));
    const WORK: Cell<()> = Cell::new(THING, Field(3));

    fn layout() -> Layout {
        let mut layout = Layout::new();
        layout.immortal(THING, "thing");
        layout.cell(MUTEX, "mutex", Kind::Lock);
        layout.cell(SHARED, "shared", Kind::Bool);
        layout.cell(OTHER, "other", Kind::Bool);
        layout
    }

    fn step(actor: usize, action: Action, changed: &[CellId]) -> Footprint {
        let changed = changed.to_vec();
        Footprint {
            actor,
            op: action.into(),
            visible: changed.clone(),
            changed,
            started: None,
            found_none: false,
            waited_for_none: false,
        }
    }

    #[test]
    fn critical_sections_and_what_flows_between_tasks_stay() {
        let layout = layout();
        let (mutex, shared, other) = (layout.find(MUTEX), layout.find(SHARED), layout.find(OTHER));
        let yes = Obs::Bool(true);
        let steps = [
            step(0, Action::Lock(mutex), &[mutex]),
            step(0, Action::Store(other, yes), &[other]),
            step(0, Action::Store(shared, yes), &[shared]),
            step(0, Action::Unlock(mutex), &[mutex]),
            step(0, Action::Store(other, yes), &[other]),
            step(1, Action::Load(other), &[]),
            step(1, Action::Lock(mutex), &[mutex]),
            step(1, Action::Load(shared), &[]),
        ];
        let (cells, none) = (Vec::new(), Vec::new());
        let end = End {
            cells,
            actors: vec![],
            steps: none,
            at_last_step: true,
            trivial: vec![],
            missed: false,
            waited_from: None,
            bytes: false,
        };
        let needed = |steps: &[Footprint]| {
            needed(&layout, steps, &end).iter().map(Option::is_some).collect::<Vec<_>>()
        };
        assert_eq!(needed(&steps), [true, true, true, true, true, true, true, true]);
        // Nobody looks at `other`: its writes go, the mutex stays although nothing flows through it.
        let mut steps = Vec::from(steps);
        steps.remove(5);
        assert_eq!(needed(&steps), [true, false, true, true, false, true, true]);
    }

    #[test]
    fn a_work_item_is_cancelled_too_early() {
        let mut layout = layout();
        let work = layout.cell(WORK, "work", Kind::Work(2));
        let shared = layout.find(SHARED);
        let steps = [
            step(0, Action::CancelBegin(work), &[]),
            step(0, Action::Load(shared), &[]),
            step(1, Action::QueueWork(work), &[work]),
            step(2, Action::WorkStart(work), &[work]),
        ];
        let end = End {
            cells: vec![],
            actors: vec![],
            steps: vec![],
            at_last_step: true,
            trivial: vec![],
            missed: false,
            waited_from: None,
            bytes: false,
        };
        let needed: Vec<bool> = needed(&layout, &steps, &end).iter().map(Option::is_some).collect();
        assert_eq!(needed, [true, false, true, true]);
    }

    #[test]
    fn looking_too_early_is_a_chance_that_was_missed() {
        let layout = layout();
        let (shared, other) = (layout.find(SHARED), layout.find(OTHER));
        let steps = [
            step(0, Action::Load(shared), &[]),
            step(0, Action::Load(other), &[]),
            step(1, Action::Store(shared, Obs::Bool(true)), &[shared]),
        ];
        let end = |missed| End {
            cells: vec![shared],
            actors: vec![0, 1],
            steps: vec![],
            at_last_step: false,
            trivial: vec![],
            missed,
            waited_from: None,
            bytes: false,
        };
        assert_eq!(needed(&layout, &steps, &end(true)), [Some(vec![]), None, Some(vec![shared])]);
        assert_eq!(needed(&layout, &steps, &end(false)), [None, None, Some(vec![shared])]);
    }
}
