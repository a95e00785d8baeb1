//! The teller of a story: it watches a run step by step and notes what it saw.

use super::needed::Footprint;
use super::told::{Does, Saw, Source, Value, WaitFor};
use super::{Actor, Change, HeldMutex, Racing, StepKind, Story, ToldHazard, ToldStep, Waiting, named};
use crate::machine::hazard::{About, Breach, Hazard};
use crate::machine::layout::{ALIVE, CellId, Kind};
use crate::machine::op::{Action, Op};
use crate::machine::place::Place;
use crate::machine::program::Program;
use crate::machine::run::{Run, Taken};
use crate::machine::set_up::SET_UP_SLOT;
use crate::machine::value::Object;
use crate::machine::work;

/// Collects the steps of one story.
pub(super) struct Teller<'p, P: Program> {
    pub(super) program: &'p P,
    set_up: bool,
    /// For each actor its slot, the task's number in the run, and its name.
    pub(super) actors: Vec<(usize, usize, String)>,
    pub(super) steps: Vec<ToldStep>,
    pub(super) hazard: Option<ToldHazard>,
    pub(super) footprints: Vec<Footprint>,
    pub(super) about: Option<About>,
    /// The hazard's breach by numbers.
    pub(super) breach: Option<Breach>,
}

impl<'p, P: Program> Teller<'p, P> {
    pub(super) fn new(program: &'p P, set_up: bool) -> Self {
        Teller {
            program,
            set_up,
            actors: Vec::new(),
            steps: Vec::new(),
            hazard: None,
            footprints: Vec::new(),
            about: None,
            breach: None,
        }
    }

    /// The actor that is in a slot of a run.
    pub(super) fn actor(&mut self, run: &Run<'_, P>, slot: usize) -> usize {
        let decl = &self.program.slots()[slot];
        let task = run.tasks()[slot].as_ref();
        let number = task.map_or(0, |task| if named(&decl.kind) { 0 } else { task.number });
        if let Some(known) = self.actors.iter().position(|actor| (actor.0, actor.1) == (slot, number)) {
            return known;
        }
        let name = match task {
            _ if self.set_up && slot == SET_UP_SLOT => "set-up".to_owned(),
            Some(task) if !named(&decl.kind) => self.program.role(task.control.entry()),
            _ => decl.name.clone(),
        };
        self.actors.push((slot, number, name));
        self.actors.len() - 1
    }

    pub(super) fn tell(&mut self, slot: usize, before: &Run<'_, P>, taken: &Taken, after: &Run<'_, P>) {
        let actor = self.actor(before, slot);
        let started = taken.spawned.map(|slot| self.actor(after, slot));
        let changes = if taken.observed.is_some() { self.changes(before, after) } else { Vec::new() };
        let note = self.note(&taken.stack, &taken.op, taken.observed);
        // Of an effect that went wrong the bad action is told; the checks speak of the whole step.
        let wrong = taken.hazard.as_ref().filter(|_| taken.observed.is_none());
        let does = self.does(&taken.op, note.is_some(), wrong.map(|hazard| hazard.about));
        let none = || self.found_none(taken, before);
        let observed = match (&does, taken.hazard.as_ref().map(|hazard| &hazard.breach)) {
            // What is read before it is dereferenced.
            (Some(Does::Read(_)), Some(Breach::NullFollowed(_) | Breach::UsedTooEarly(_))) => {
                Some(Saw::Value(Value::Null))
            }
            (Some(Does::Wait(WaitFor::AsyncEntries)), Some(_)) if none() => Some(Saw::NoEntries),
            (Some(Does::Splice { .. }), _) if none() => Some(Saw::NothingToMove),
            _ => taken.observed.and_then(|observed| self.observed(&taken.op, observed)),
        };
        self.footprints.push(self.footprint(actor, taken, started, before, after));
        self.steps.push(ToldStep {
            actor,
            stack: taken.stack.iter().map(|call| self.call(call)).collect(),
            kind: kind(&taken.op, &changes),
            does,
            under: self.under(&taken.op),
            note,
            observed,
            changes,
            started,
            at: self.source(taken.at),
            needed: true,
        });
        // A warning on the way is not what a run ends with.
        (self.hazard, self.about, self.breach) = (None, None, None);
        if let Some(hazard) = &taken.hazard {
            self.wrong(hazard, true);
        }
    }

    fn source(&self, at: Place) -> Source {
        let line = self.program.source_line(at);
        let added = line.as_ref().is_some_and(|line| line.added);
        Source {
            text: line.map(|line| line.text),
            added,
            ..Source::new(&self.program.source_file(at), at.line())
        }
    }

    /// Notes what went wrong.
    fn wrong(&mut self, hazard: &Hazard, at_last_step: bool) {
        let layout = self.program.layout();
        let object = |object: &Object| self.program.object_name(*object);
        let breach = hazard.breach.renamed(object, |cell| layout.info(*cell).name.clone());
        self.hazard = Some(ToldHazard { id: hazard.id.to_owned(), breach, at_last_step });
        self.about = Some(hazard.about);
        self.breach = Some(hazard.breach.clone());
    }

    /// Ends the story. `cycle`: where the cycle begins that the rest of the steps are.
    pub(super) fn end(mut self, run: &Run<'_, P>, at_rest: Option<Hazard>, cycle: Option<usize>) -> Story {
        if let Some(hazard) = at_rest {
            self.wrong(&hazard, false);
        }
        let deadlocked = run.deadlocked();
        let mut waiting = Vec::new();
        let mut held = Vec::new();
        let mut guards = Vec::new();
        let layout = self.program.layout();
        for slot in 0..run.tasks().len() {
            let Some(task) = &run.tasks()[slot] else { continue };
            let Some((op, _)) = &task.next else { continue };
            if op.idles() || run.enabled(slot) || !run.may_start(slot) || (self.set_up && slot != SET_UP_SLOT)
            {
                continue;
            }
            let stack = self.stack(&task.control);
            let on = self.waits(op);
            let member = deadlocked.iter().find(|waiter| waiter.slot == slot);
            let by = member.map_or(Vec::new(), |waiter| waiter.by.clone());
            // Of several that must act, those that cannot are to blame.
            let stuck = |slot: &usize| deadlocked.iter().any(|waiter| waiter.slot == *slot);
            let by: Vec<usize> =
                if by.iter().any(stuck) { by.into_iter().filter(stuck).collect() } else { by };
            let by = by.into_iter().map(|slot| self.actor(run, slot)).collect();
            let actor = self.actor(run, slot);
            guards.extend(member.into_iter().flat_map(|_| op.guards()));
            waiting.push(Waiting { actor, stack, on, by, deadlocked: member.is_some() });
        }
        for lock in layout.locks() {
            let owner = usize::from(run.memory()[layout.info(*lock).offset]);
            if owner > 0 {
                let actor = self.actor(run, owner - 1);
                held.push(HeldMutex { lock: layout.info(*lock).name.clone(), actor });
            }
        }
        let racing = self.racing(run);
        self.mark_needed(run, &waiting, guards, cycle);
        self.finish(waiting, held, racing, cycle)
    }

    fn footprint(
        &self,
        actor: usize,
        taken: &Taken,
        started: Option<usize>,
        before: &Run<'_, P>,
        after: &Run<'_, P>,
    ) -> Footprint {
        let mut footprint = Footprint {
            actor,
            op: taken.op.clone(),
            changed: Vec::new(),
            visible: Vec::new(),
            started,
            found_none: self.found_none(taken, before),
            waited_for_none: self.waited_for_none(taken, before),
        };
        for (number, info) in self.program.layout().cells().iter().enumerate() {
            let (from, to) = (&before.memory()[info.range()], &after.memory()[info.range()]);
            if from == to {
                continue;
            }
            let cell = CellId(number as u16);
            footprint.changed.push(cell);
            // A generation and a flag a task have no words; everybody but their owners sees bytes.
            let wordless = matches!(info.kind, Kind::Generation(..) | Kind::PerTask(_));
            if wordless || self.cell(cell, from) != self.cell(cell, to) {
                footprint.visible.push(cell);
            }
        }
        footprint
    }

    /// Whether a step was to take something off a list or wait for entries, and there were none.
    fn found_none(&self, taken: &Taken, before: &Run<'_, P>) -> bool {
        let bytes = |cell: &CellId| &before.memory()[self.program.layout().info(*cell).range()];
        taken.op.actions.iter().any(|action| match action {
            Action::ListPop(list) | Action::ListSplice(list, _) => bytes(list)[0] == 0,
            Action::AsyncAwait(entries, None) => bytes(entries).iter().all(|entries| *entries == 0),
            Action::AsyncAwait(entries, Some(domain)) => bytes(entries)[usize::from(*domain)] == 0,
            _ => false,
        })
    }

    /// Whether a step was to wait, and there was nothing to wait for.
    fn waited_for_none(&self, taken: &Taken, before: &Run<'_, P>) -> bool {
        let bytes = |cell: &CellId| &before.memory()[self.program.layout().info(*cell).range()];
        taken.op.actions.iter().any(|action| match action {
            Action::AwaitZero(_) => true,
            Action::FlushBegin(work) => bytes(work)[0] == 0,
            Action::FlushRunning(work) => bytes(work)[0] & work::RUNNING == 0,
            Action::AsyncAwait(entries, _) => bytes(entries).iter().all(|entries| *entries == 0),
            _ => false,
        })
    }

    /// The actors by slot and then by start.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.actors.len()).collect();
        let workers = |slot: usize| !named(&self.program.slots()[slot].kind);
        order.sort_by_key(|actor| {
            let (slot, number, _) = self.actors[*actor];
            if workers(slot) { (usize::MAX, number) } else { (slot, number) }
        });
        order
    }

    /// The actors' names, by number.
    pub(super) fn names(&self) -> Vec<String> {
        let order = self.order();
        let actors = self.numbered(&order);
        let place = |actor: usize| order.iter().position(|other| *other == actor).unwrap_or(actor);
        (0..self.actors.len()).map(|actor| actors[place(actor)].name.clone()).collect()
    }

    /// The actors in an order, those of one name told apart: the second `kworker (async)` is
    /// `kworker (async) #2`.
    fn numbered(&self, order: &[usize]) -> Vec<Actor> {
        let names: Vec<&String> = order.iter().map(|actor| &self.actors[*actor].2).collect();
        let actor = |(place, name): (usize, &&String)| {
            let number = 1 + names[..place].iter().filter(|other| *other == name).count();
            let name = if number > 1 { format!("{name} #{number}") } else { (*name).clone() };
            Actor { name, number }
        };
        names.iter().enumerate().map(actor).collect()
    }

    /// Orders the actors, and renumbers what refers to them.
    fn finish(
        self,
        mut waiting: Vec<Waiting>,
        mut held: Vec<HeldMutex>,
        mut racing: Vec<Racing>,
        cycle: Option<usize>,
    ) -> Story {
        let order = self.order();
        let place = |actor: usize| order.iter().position(|other| *other == actor).unwrap_or(actor);
        let actors = self.numbered(&order);
        let mut steps = self.steps;
        for step in &mut steps {
            step.actor = place(step.actor);
            step.started = step.started.map(place);
        }
        for wait in &mut waiting {
            wait.actor = place(wait.actor);
            wait.by = wait.by.iter().map(|actor| place(*actor)).collect();
        }
        held.iter_mut().for_each(|held| held.actor = place(held.actor));
        racing.iter_mut().for_each(|racing| racing.actor = place(racing.actor));
        Story { actors, steps, hazard: self.hazard, waiting, held, cycle, racing }
    }

    fn changes(&self, before: &Run<'_, P>, after: &Run<'_, P>) -> Vec<Change> {
        let layout = self.program.layout();
        let mut changes = Vec::new();
        for (number, info) in layout.cells().iter().enumerate() {
            let (from, to) = (&before.memory()[info.range()], &after.memory()[info.range()]);
            // What happens to the cells of an object that is freed is no change anybody sees.
            let freed = info.liveness.is_some_and(|live| after.memory()[layout.info(live).offset] != ALIVE);
            // But for the count whose end frees it.
            let last = info.kind == Kind::Count && from[0] > 0;
            if from == to || info.ghost || (freed && !last) {
                continue;
            }
            let cell = CellId(number as u16);
            let (from, to) = (self.cell(cell, from), self.cell(cell, to));
            let change = Change { cell: info.name.clone(), from, to, needed: true };
            if change.from != change.to && !matches!(info.kind, Kind::Lock) {
                changes.push(change);
            }
        }
        changes
    }
}

fn kind(op: &Op, changes: &[Change]) -> StepKind {
    let has = |test: fn(&Action) -> bool| op.actions.iter().any(test);
    match () {
        () if has(|action| matches!(action, Action::Lock(_))) => StepKind::Lock,
        () if has(|action| matches!(action, Action::Unlock(_))) => StepKind::Unlock,
        () if has(|action| matches!(action, Action::Choose(_))) => StepKind::Choice,
        () if has(|action| matches!(action, Action::AsyncSchedule { .. } | Action::Spawn(..))) => {
            StepKind::Spawn
        }
        () if changes.is_empty() => StepKind::Read,
        () => StepKind::Write,
    }
}
