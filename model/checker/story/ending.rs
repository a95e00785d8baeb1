//! What a story ends with: the steps that race, and which steps and changes its hazard needs.

use indexmap::IndexSet;

use super::needed::{End, cells_about, needed, needed_again, pointers_between};
use super::show::Teller;
use super::{Racing, ToldHazard, Waiting};
use crate::machine::hazard::{About, id};
use crate::machine::klist;
use crate::machine::layout::{CellId, Kind};
use crate::machine::op::{Access, Action};
use crate::machine::program::Program;
use crate::machine::run::Run;
use crate::machine::value::Object;

impl<P: Program> Teller<'_, P> {
    /// The two steps of a data race.
    pub(super) fn racing(&mut self, run: &Run<'_, P>) -> Vec<Racing> {
        let (Some(About::Cell(cell)), Some(true)) =
            (self.about, self.hazard.as_ref().map(|hazard| hazard.id == id::DATA_RACE))
        else {
            return Vec::new();
        };
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
            let how = if plain { "plainly" } else { "atomically" };
            let does = format!("{}, {how}", self.does(op, None, Some(About::Cell(cell))).0);
            let stack = self.program.stack(&task.control).iter().map(|call| self.call(call)).collect();
            let actor = self.actor(run, slot);
            racing.push((Racing { actor, stack, does }, access == Access::Write));
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
            bytes: false,
        };
        if deadlock {
            end.cells = guards;
            end.actors = waiting.iter().filter(|wait| wait.deadlocked).map(|wait| wait.actor).collect();
            end.bytes = true;
        } else if hazard.at_last_step {
            let event = self.footprints.last().and_then(|step| step.op.event);
            let cells = event.map_or(Vec::new(), |event| self.program.event_cells(&event));
            end.cells = cells.into_iter().map(|(cell, _)| cell).collect();
            end.cells.extend(pointers_between(layout, about));
            end.steps.extend(self.pointer(hazard));
            end.at_last_step = true;
        } else if let Some(begins) = cycle {
            end.cells = self.feeds(begins);
        } else {
            end.cells = cells_about(layout, about);
            end.cells.extend(self.cells_at_rest(run, hazard, about));
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
                step.changes.iter().any(|change| change.cell == *name && change.to == "alive")
            };
            let born = |cell: &&CellId| layout.info(**cell).kind == Kind::Liveness && alive(cell);
            let born: Vec<Object> =
                footprint.changed.iter().filter(born).map(|cell| layout.info(*cell).object).collect();
            for cell in &footprint.changed {
                let info = layout.info(*cell);
                let own = find(cell).is_some_and(|change| {
                    let owner = |to: &str| {
                        info.name == to
                            || info.name.strip_prefix(to).is_some_and(|rest| rest.starts_with('.'))
                    };
                    change.from == "NULL" && owner(&change.to)
                });
                let named = info.kind == Kind::Liveness && words(&hazard.text).any(|word| word == info.name);
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
            let observed = step.observed.as_deref().filter(|observed| *observed != "NULL").unwrap_or("");
            let is = |word: &str| {
                word.strip_prefix(observed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let named = |text: &str| !observed.is_empty() && words(text).any(is);
            step.actor == bad.actor && (named(&bad.does) || named(&hazard.text))
        })
    }

    /// What a hazard of a state at rest is about besides: cells that its sentence names, and lists that
    /// hold its objects.
    fn cells_at_rest(&self, run: &Run<'_, P>, hazard: &ToldHazard, about: About) -> Vec<CellId> {
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
        let all = layout.cells().iter().enumerate().filter(|(_, info)| {
            !info.ghost
                && (words(&hazard.text).any(|word| word == info.name)
                    || holds(&info.kind, &run.memory()[info.range()]))
        });
        all.map(|(number, _)| CellId(number as u16)).collect()
    }
}

/// The words of a text, names with their dots whole: `a.b` is one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || "_-.#/".contains(c);
    text.split(move |c| !inside(c)).map(|word| word.trim_end_matches('.'))
}
