//! The set-up: one task that runs alone before all others, to the end of all that it started.
//!
//! Each choice takes its first outcome, and after each call everything that it started runs to its
//! end, oldest first; so there is exactly one set-up.

use std::ops::ControlFlow;

use super::hazard::{Breach, Hazard};
use super::program::Program;
use super::run::{Refused, Run, Taken};
use super::step::Bound;

/// The slot whose name the set-up goes by while it runs.
pub const SET_UP_SLOT: usize = 0;

/// A set-up that did not end well.
#[derive(Clone, Debug)]
pub enum SetUpError {
    /// It raised a hazard after this many steps.
    Hazard(Hazard, usize),
    /// It ended, but not as the scenario says: a mistake of its author.
    Mistake(String),
    /// The model has no room for what a step does.
    Bound(Bound),
    /// Whoever watches has stopped it.
    Stopped,
}

/// Carries out the set-up. `watch` sees each step: its slot, the run before it, the step, the run after it.
///
/// # Errors
///
/// What went wrong.
pub fn set_up<'p, P: Program>(
    program: &'p P,
    mut watch: impl FnMut(usize, &Run<'p, P>, &Taken, &Run<'p, P>),
) -> Result<Vec<u8>, SetUpError> {
    set_up_while(program, |slot, before, taken, after| {
        watch(slot, before, taken, after);
        ControlFlow::Continue(())
    })
}

/// The same, until `watch` stops it.
///
/// # Errors
///
/// What went wrong.
pub fn set_up_while<'p, P: Program>(
    program: &'p P,
    mut watch: impl FnMut(usize, &Run<'p, P>, &Taken, &Run<'p, P>) -> ControlFlow<()>,
) -> Result<Vec<u8>, SetUpError> {
    let mut run = Run::new(program);
    let mut steps = 0;
    for entry in program.set_up() {
        run.start(SET_UP_SLOT, &entry);
        // Brent's way to notice a cycle: what comes of a state is fixed here.
        let (mut mark, mut mark_at) = (run.clone(), steps);
        // The call first; what it started when it has to wait, and after it.
        while let Some(slot) = next_slot(&run) {
            let before = run.clone();
            let taken = match run.step(slot, 0) {
                Ok(taken) => taken,
                Err(Refused::Bound(bound)) => return Err(SetUpError::Bound(bound)),
                Err(other) => unreachable!("internal: the set-up took a step that is {other:?}"),
            };
            steps += 1;
            if watch(slot, &before, &taken, &run).is_break() {
                return Err(SetUpError::Stopped);
            }
            if let Some(hazard) = taken.hazard {
                return Err(SetUpError::Hazard(hazard, steps));
            }
            if run.goes_on_like(&mark) {
                let hazard = Hazard::cycle(steps - mark_at);
                return Err(SetUpError::Hazard(hazard, steps));
            }
            if steps == 2 * mark_at + 64 {
                (mark, mark_at) = (run.clone(), steps);
            }
        }
        if !run.ended(SET_UP_SLOT) {
            let hazard = Hazard::of(program.layout(), Breach::SetUpWaits);
            return Err(SetUpError::Hazard(hazard, steps));
        }
    }
    program.check_set_up(run.memory()).map_err(SetUpError::Mistake)?;
    Ok(run.memory().to_vec())
}

/// The set-up itself if it can go on, else the oldest task that can.
fn next_slot<P: Program>(run: &Run<'_, P>) -> Option<usize> {
    if run.enabled(SET_UP_SLOT) {
        return Some(SET_UP_SLOT);
    }
    let others = (0..run.tasks().len()).filter(|slot| run.enabled(*slot));
    others.min_by_key(|slot| run.tasks()[*slot].as_ref().map(|task| task.number))
}
