//! What waits for probing and loads of modules cover (docs/hazards.md#missed-barrier).
//!
//! A wait for probing covers the probe callbacks that were running, the async entries, the work items that
//! attach, and the devices on the active list, all as they were when it was called. It has a number from 1 to 7,
//! in a ghost of its task; whatever it covers has the bit of that number. One that finds nothing to cover needs
//! no number.
//!
//! The load of a module covers the async entries that were scheduled since its init began, by its loader or on
//! its behalf: by such an entry, or by a work item or modprobe that one of them started and waited for. They are
//! counted by the module or the work item on whose behalf they were scheduled. Simplified: entries of an
//! earlier load of the module that failed count too.

use super::ghosts::{awaited, covered_run, started};
use super::hazards::Breach;
use super::ids::{Module, Work};
use super::objects::{Core, WorkItem};
use super::properties::{Checks, View};
use raddle_checker::machine::layout::{Cell, CellId};
use raddle_checker::machine::op::Touch;
use raddle_checker::machine::step::{Bound, Stop};
use raddle_checker::machine::value::Object;
use raddle_checker::machine::work::{PENDING, RUNNING};

/// The flag of an async entry in its slot, beside the bits of barriers.
const ENTRY: u8 = 1;

/// What [`begin`] and [`end`] touch.
pub fn touches(checks: &Checks<'_>, add: &mut impl FnMut(CellId, Touch)) {
    use Touch::{Read, Write};
    let layout = checks.layout;
    add(layout.find(Core.barrier()), Write);
    add(layout.find(Core.entries()), Write);
    add(layout.find(Core.deferred_current()), Read);
    add(layout.find(Core.active_list()), Read);
    for dev in checks.devices() {
        add(layout.find(dev.probing()), Read);
        add(layout.find(dev.covered_probe()), Write);
        add(layout.find(dev.covered_active()), Write);
    }
    for (work, of) in attaching(checks) {
        add(layout.find(work), Read);
        add(layout.find(covered_run(of)), Write);
    }
}

/// The work items that probe devices, with what each is named by.
fn attaching(checks: &Checks<'_>) -> impl Iterator<Item = (Cell<WorkItem>, Object)> {
    checks.items.iter().filter_map(|item| Some((item.work, item.attaches?)))
}

/// What [`load_begins`] touches.
pub fn load_begin_touches(checks: &Checks<'_>, module: Module, add: &mut impl FnMut(CellId, Touch)) {
    for work in checks.works() {
        add(checks.layout.find(started(work, module)), Touch::Same(0));
        add(checks.layout.find(awaited(work, module)), Touch::Same(0));
    }
}

/// What [`load_ends`] touches.
pub fn load_end_touches(checks: &Checks<'_>, module: Module, add: &mut impl FnMut(CellId, Touch)) {
    let layout = checks.layout;
    add(layout.find(module.unfinished()), Touch::Read);
    for work in checks.works() {
        add(layout.find(started(work, module)), Touch::Read);
        add(layout.find(awaited(work, module)), Touch::Read);
        add(layout.find(work.unfinished()), Touch::Read);
    }
}

/// The load of a module begins.
pub fn load_begins(checks: &Checks<'_>, view: &mut View<'_>, module: Module) {
    for work in checks.works() {
        view.set(started(work, module), 0);
        view.set(awaited(work, module), 0);
    }
}

/// The load of a module returns: what it covers must have ended.
pub fn load_ends(checks: &Checks<'_>, view: &View<'_>, module: Module) -> Result<(), Stop> {
    if view.byte(module.unfinished()) != 0 {
        return checks.broken(Breach::InitUnfinished(module, None));
    }
    let on_its_behalf = |work: &Work| {
        view.byte(started(*work, module)) != 0
            && view.byte(awaited(*work, module)) != 0
            && view.byte(work.unfinished()) != 0
    };
    match checks.works().find(on_its_behalf) {
        Some(work) => checks.broken(Breach::InitUnfinished(module, Some(work))),
        None => Ok(()),
    }
}

/// A wait for probing begins in the task of this slot.
///
/// # Errors
///
/// Seven are under way already.
pub fn begin(checks: &Checks<'_>, view: &mut View<'_>, slot: usize) -> Result<(), Bound> {
    let taken = view.read(Core.barrier()).to_vec();
    let number = (1..=7).find(|number| !taken.contains(number));
    let number = number.ok_or(Bound::Cell(checks.layout.find(Core.barrier())))?;
    let bit = 1 << number;
    let mut covers = false;
    let active = view.read(Core.active_list()).to_vec();
    let active = &active[1..=usize::from(active[0])];
    let current = view.byte(Core.deferred_current());
    for dev in checks.devices() {
        if view.byte(dev.probing()) != 0 {
            view.set(dev.covered_probe(), view.byte(dev.covered_probe()) | bit);
            covers = true;
        }
        // The one that the work has just taken off the list is still to be dealt with.
        if active.contains(&dev.0) || current == 1 + dev.0 {
            view.set(dev.covered_active(), view.byte(dev.covered_active()) | bit);
            covers = true;
        }
    }
    for entry in view.bytes(Core.entries()).iter_mut().filter(|entry| **entry & ENTRY != 0) {
        *entry |= bit;
        covers = true;
    }
    for (work, of) in attaching(checks) {
        if view.byte(work) & (PENDING | RUNNING) != 0 {
            view.set(covered_run(of), view.byte(covered_run(of)) | bit);
            covers = true;
        }
    }
    if covers {
        view.bytes(Core.barrier())[slot] = number;
    }
    Ok(())
}

/// The wait for probing of the task in this slot returns: what it covers must have ended.
pub fn end(checks: &Checks<'_>, view: &mut View<'_>, slot: usize) -> Result<(), Stop> {
    let number = std::mem::take(&mut view.bytes(Core.barrier())[slot]);
    if number == 0 {
        return Ok(());
    }
    let bit = 1 << number;
    for dev in checks.devices() {
        if view.byte(dev.covered_probe()) & bit != 0 {
            return checks.broken(Breach::ProbeStillRuns(dev));
        }
        if view.byte(dev.covered_active()) & bit != 0 {
            return checks.broken(Breach::StillActive(dev));
        }
    }
    if view.read(Core.entries()).iter().any(|entry| entry & bit != 0) {
        return checks.broken(Breach::EntryUnfinished);
    }
    let missed = |(_, of): &(Cell<WorkItem>, Object)| view.byte(covered_run(*of)) & bit != 0;
    if let Some((_, of)) = attaching(checks).find(missed) {
        return checks.broken(Breach::AttachUnfinished(of));
    }
    Ok(())
}
