//! What a story ends with: the steps that race, and which steps and changes its hazard needs.

use indexmap::IndexSet;

use super::needed::{End, cells_about, needed, needed_again, pointers_between};
use super::teller::Teller;
use super::told::{Life, Saw, Value, is_part_of};
use super::{Racing, ToldHazard, Waiting};
use crate::machine::hazard::{About, Breach, id};
use crate::machine::klist;
use crate::machine::layout::{CellId, Kind};
use crate::machine::op::{Access, Action};
use crate::machine::program::Program;
use crate::machine::run::Run;
use crate::machine::value::Object;

impl<P: Program> Teller<'_, P> {
    /// The two steps of a data race.
    pub(super) fn racing(&mut self, run: &Run<'_, P>) -> Vec<Racing> {
        let Some(Breach::Race(cell)) = self.breach else { return Vec::new() };
        let layout = self.program.layout();
        let mut racing: Vec<(Racing, bool)> = Vec::new();
        for slot in (0..run.tasks().len()).filter(|slot| run.enabled(*slot)) {
            let Some(task) = &run.tasks()[slot] else { continue };
            let Some((op, _)) = &task.next else { continue };
            let Some((_, access)) = op.footprint(layout).into_iter().find(|(other, _)| *other == cell) else {
                continue;
            };
            let plain = op.actions.iter().any(|action| match action {
                Action::Load(other) | Action::Follow(other) | Action::Store(other, _) => *other == cell,
                _ => false,
            });
            let Some(does) = self.does(op, false, Some(About::Cell(cell))) else { continue };
            let (stack, under, actor) = (self.stack(&task.control), self.under(op), self.actor(run, slot));
            racing.push((Racing { actor, stack, does, under, plain }, access == Access::Write));
        }
        // One that writes, and another one.
        let writer = racing.iter().position(|(_, writes)| *writes).unwrap_or(0);
        let keep = [writer, usize::from(writer == 0)];
        let chosen = racing.into_iter().enumerate().filter(|(n, _)| keep.contains(n));
        chosen.map(|(_, (racing, _))| racing).collect()
    }

    /// Marks the steps that the hazard needs; without a hazard all are.
    pub(super) fn mark_needed(
        &mut self,
        run: &Run<'_, P>,
        waiting: &[Waiting],
        guards: Vec<CellId>,
        cycle: Option<usize>,
    ) {
        let (Some(hazard), Some(about)) = (&self.hazard, self.about) else { return };
        let layout = self.program.layout();
        let deadlock = hazard.id == id::DEADLOCK && !guards.is_empty();
        let all = (0..self.actors.len()).collect();
        let mut end = End {
            cells: Vec::new(),
            actors: Vec::new(),
            steps: Vec::new(),
            at_last_step: false,
            trivial: self.trivial(hazard),
            missed: false,
            waited_from: None,
            bytes: false,
        };
        if deadlock {
            end.cells = guards;
            end.actors = waiting.iter().filter(|wait| wait.deadlocked).map(|wait| wait.actor).collect();
            end.bytes = true;
        } else if hazard.at_last_step {
            let event = self.footprints.last().and_then(|step| step.op.event);
            let cells = event.map_or(Vec::new(), |event| self.program.event_touches(&event));
            end.cells = cells.into_iter().map(|(cell, ..)| cell).collect();
            end.cells.extend(pointers_between(layout, about));
            end.steps.extend(self.pointer(hazard));
            end.at_last_step = true;
            end.waited_from = self.waited_from(hazard);
        } else if let Some(begins) = cycle {
            end.cells = self.feeds(begins);
        } else {
            end.cells = cells_about(layout, about);
            end.cells.extend(self.cells_at_rest(run, about));
            end.actors = all;
            end.missed = true;
        }
        // The way into a cycle and the cycle are told apart.
        let begins = cycle.unwrap_or(self.footprints.len());
        let mut needed = needed(layout, &self.footprints[..begins], &end);
        needed.extend(needed_again(layout, &self.footprints[begins..], &end.from(begins)));
        for (step, needed) in self.steps.iter_mut().zip(needed) {
            step.needed = needed.is_some();
            for change in &mut step.changes {
                let is = |cell: &CellId| layout.info(*cell).name == change.cell;
                change.needed = needed.iter().flatten().any(is);
            }
        }
    }

    /// What makes a cycle go on: counts, lists and work items that it changes, else all that it changes.
    fn feeds(&self, begins: usize) -> Vec<CellId> {
        let layout = self.program.layout();
        let changed: IndexSet<CellId> =
            self.footprints[begins..].iter().flat_map(|step| &step.visible).copied().collect();
        let feeds = |cell: &CellId| {
            matches!(layout.info(*cell).kind, Kind::Generation(..) | Kind::List(..) | Kind::Work(_))
        };
        let some: Vec<CellId> = changed.iter().copied().filter(feeds).collect();
        if some.is_empty() { changed.into_iter().collect() } else { some }
    }

    /// Changes by which objects come to be: that one is allocated, unless the hazard names it, its first
    /// count, and the pointer by which its owner has it.
    fn trivial(&self, hazard: &ToldHazard) -> Vec<(usize, CellId)> {
        let layout = self.program.layout();
        let mut trivial = Vec::new();
        for (number, (step, footprint)) in self.steps.iter().zip(&self.footprints).enumerate() {
            let find = |cell: &CellId| {
                let name = &layout.info(*cell).name;
                step.changes.iter().find(|change| change.cell == *name)
            };
            let alive = |cell: &CellId| {
                let name = &layout.info(*cell).name;
                let alive = Value::Life(Life::Alive);
                step.changes.iter().any(|change| change.cell == *name && change.to == alive)
            };
            let born = |cell: &&CellId| layout.info(**cell).kind == Kind::Liveness && alive(cell);
            let born: Vec<Object> =
                footprint.changed.iter().filter(born).map(|cell| layout.info(*cell).object).collect();
            for cell in &footprint.changed {
                let info = layout.info(*cell);
                let own = find(cell).is_some_and(|change| match &change.to {
                    Value::Object(owner) => change.from == Value::Null && is_part_of(owner, &info.name),
                    _ => false,
                });
                let named = info.kind == Kind::Liveness && hazard.names().contains(&info.name);
                if own || (born.contains(&info.object) && !named) {
                    trivial.push((number, *cell));
                }
            }
        }
        trivial
    }

    /// The step from which the task of the bad step has its pointer to what the hazard names.
    fn pointer(&self, hazard: &ToldHazard) -> Option<usize> {
        let (bad, before) = self.steps.split_last()?;
        before.iter().rposition(|step| {
            let Some(Value::Object(object)) = step.observed.as_ref().and_then(Saw::value) else {
                return false;
            };
            let about_it = bad.names().into_iter().any(|name| is_part_of(object, name))
                || hazard.names().iter().any(|name| is_part_of(object, name));
            step.actor == bad.actor && about_it
        })
    }

    /// Where the function of the bad step began, if that is the end of a wait.
    fn waited_from(&self, hazard: &ToldHazard) -> Option<usize> {
        let waited = matches!(&hazard.breach, Breach::Program(told) if told.waited);
        let bad = self.steps.last().filter(|_| waited)?;
        let mine = self.steps.iter().enumerate().rev().filter(|(_, step)| step.actor == bad.actor);
        mine.take_while(|(_, step)| step.stack.starts_with(&bad.stack)).map(|(number, _)| number).last()
    }

    /// What a hazard of a state at rest is about besides: cells that it speaks of, and lists that hold
    /// its objects.
    fn cells_at_rest(&self, run: &Run<'_, P>, about: About) -> Vec<CellId> {
        let layout = self.program.layout();
        let objects = match about {
            About::Object(one) => vec![one],
            About::Pair(one, other) => vec![one, other],
            About::Cell(_) | About::Program => Vec::new(),
        };
        let holds = |kind: &Kind, bytes: &[u8]| {
            objects.iter().any(|object| match kind {
                Kind::List(sort, _) => {
                    *sort == object.sort && bytes[1..=usize::from(bytes[0])].contains(&object.index)
                }
                Kind::Klist(sort, _) => *sort == object.sort && klist::contains(bytes, object.index),
                _ => false,
            })
        };
        let (of, cells) =
            self.breach.as_ref().map_or_else(Default::default, |breach| (breach.objects(), breach.cells()));
        let spoken_of = |cell: CellId| {
            let info = layout.info(cell);
            cells.contains(&cell) || info.kind == Kind::Liveness && of.contains(&info.object)
        };
        let matters = |cell: &CellId| {
            let info = layout.info(*cell);
            !info.ghost && (spoken_of(*cell) || holds(&info.kind, &run.memory()[info.range()]))
        };
        layout.ids().filter(matters).collect()
    }
}
