//! Data races: two tasks whose next steps touch one cell, one of them writes it, and one of them is a
//! plain load or store. (Locks, counts, lists and work items synchronise by themselves.)

use super::blocked::{TaskView, Tasks};
use super::hazard::{Breach, Hazard};
use super::layout::CellId;
use super::op::{Access, Action, enabled};
use super::program::Program;

/// The cells that a step loads or stores plainly.
fn plain(view: &TaskView<'_>) -> Vec<CellId> {
    let cell = |action: &Action| match action {
        Action::Load(cell) | Action::Follow(cell) | Action::Store(cell, _) => Some(*cell),
        _ => None,
    };
    view.op.actions.iter().filter_map(cell).collect()
}

/// The races between the next steps of tasks that can go on.
#[must_use]
pub fn races<P: Program>(program: &P, memory: &[u8], tasks: &impl Tasks) -> Vec<Hazard> {
    let layout = program.layout();
    let ready = (0..program.slots().len()).filter_map(|slot| {
        let task = tasks.task(slot)?;
        enabled(layout, memory, slot, task.op).then_some(task)
    });
    let ready: Vec<TaskView<'_>> = ready.collect();
    let mut found = Vec::new();
    for (i, one) in ready.iter().enumerate() {
        for other in &ready[i + 1..] {
            let (left, right) = (one.op.footprint(layout), other.op.footprint(layout));
            let (left_plain, right_plain) = (plain(one), plain(other));
            for (cell, access) in left {
                let Some((_, against)) = right.iter().find(|(same, _)| *same == cell) else { continue };
                let writes = access == Access::Write || *against == Access::Write;
                let is_plain = left_plain.contains(&cell) || right_plain.contains(&cell);
                if writes && is_plain && !layout.info(cell).ghost {
                    found.push(Hazard::of(layout, Breach::Race(cell)));
                }
            }
        }
    }
    found
}
