//! What can be seen at each place of a run.

use super::naming::op_does;
use super::teller::Teller;
use super::told::{Call, Does, Value, WaitFor};
use super::{Blocked, Ready, ReplayError, Scene, Shown, Turn, follow, set_up_memory};
use crate::machine::layout::{ALIVE, CellId, Kind};
use crate::machine::program::Program;
use crate::machine::run::Run;
use crate::machine::set_up::{SetUpError, set_up};

/// What can be seen at each place of a run: before its first step, and after each step.
///
/// # Errors
///
/// Why the schedule is not one of this program.
pub fn scenes<P: Program>(program: &P, schedule: &[Turn]) -> Result<Vec<Scene>, ReplayError> {
    let mut teller = Teller::new(program, false);
    let mut drafts = Vec::new();
    follow(program, set_up_memory(program)?, schedule, |step, run| {
        if let Some((slot, before, taken)) = step {
            teller.tell(slot, before, taken, run);
        }
        drafts.push(teller.draft(run));
    })?;
    Ok(teller.scenes(drafts))
}

/// The same of a set-up that raises a hazard; `None` if it does not.
#[must_use]
pub fn set_up_scenes<P: Program>(program: &P) -> Option<Vec<Scene>> {
    let mut teller = Teller::new(program, true);
    let mut drafts = Vec::new();
    let result = set_up(program, |slot, before, taken, after| {
        if drafts.is_empty() {
            drafts.push(teller.draft(before));
        }
        teller.tell(slot, before, taken, after);
        drafts.push(teller.draft(after));
    });
    matches!(result, Err(SetUpError::Hazard(..))).then(|| teller.scenes(drafts))
}

/// A scene whose actors have no names yet.
struct Draft {
    memory: Vec<Shown>,
    locks: Vec<(usize, String)>,
    ready: Vec<(usize, Option<Call>, Does, Option<String>)>,
    waiting: Vec<(usize, Option<Call>, WaitFor)>,
}

impl<P: Program> Teller<'_, P> {
    /// Gives the actors of scenes their names.
    fn scenes(&self, drafts: Vec<Draft>) -> Vec<Scene> {
        let names = self.names();
        let name = |actor: usize| names[actor].clone();
        let scene = |draft: Draft| Scene {
            memory: draft.memory,
            locks: draft.locks.into_iter().map(|(actor, lock)| (lock, name(actor))).collect(),
            ready: (draft.ready.into_iter())
                .map(|(actor, inside, does, under)| Ready { actor: name(actor), inside, does, under })
                .collect(),
            waiting: (draft.waiting.into_iter())
                .map(|(actor, inside, on)| Blocked { actor: name(actor), inside, on })
                .collect(),
        };
        drafts.into_iter().map(scene).collect()
    }

    fn draft(&mut self, run: &Run<'_, P>) -> Draft {
        let layout = self.program.layout();
        let mut draft =
            Draft { memory: Vec::new(), locks: Vec::new(), ready: Vec::new(), waiting: Vec::new() };
        for (number, info) in layout.cells().iter().enumerate() {
            let bytes = &run.memory()[info.range()];
            let gone = info.liveness.is_some_and(|live| run.memory()[layout.info(live).offset] != ALIVE);
            let value = self.cell(CellId(number as u16), bytes);
            if info.kind == Kind::Lock && bytes[0] > 0 {
                let actor = self.actor(run, usize::from(bytes[0]) - 1);
                draft.locks.push((actor, info.name.clone()));
            } else if !info.ghost && !gone && info.kind != Kind::Lock && value != Value::Nothing {
                let object = self.program.object_name(info.object);
                draft.memory.push(Shown { object, cell: info.name.clone(), value });
            }
        }
        for slot in 0..run.tasks().len() {
            let Some(task) = &run.tasks()[slot] else { continue };
            let Some((op, _)) = &task.next else { continue };
            let enabled = run.enabled(slot);
            if !enabled && (op.idles() || !run.may_start(slot)) {
                continue;
            }
            let inside = self.program.stack(&task.control).last().map(|call| self.call(call));
            let actor = self.actor(run, slot);
            if enabled {
                let (does, under) = op_does(self.program, op);
                draft.ready.push((actor, inside, does, under));
            } else {
                draft.waiting.push((actor, inside, self.waits(op)));
            }
        }
        draft
    }
}
