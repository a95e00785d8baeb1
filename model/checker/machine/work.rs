//! Work items, after kernel/workqueue.c (docs/kernel/primitives.md#workqueue): PENDING is cleared before the function
//! runs, an item never runs twice at once, and `flush_work` waits for one run only.
//!
//! One cell is a whole item: its state, then for each slot which run it waits for. Left out: the
//! queue that an item is on and its concurrency limits; any worker may start any pending item at any
//! time, so delayed work, timers and interrupts are items too. Simplified: who cancels a running item and
//! waits lets go of it at the moment when the run ends.

/// Queued, and not taken by a worker.
pub const PENDING: u8 = 1;
/// Its function runs.
pub const RUNNING: u8 = 2;
/// Somebody waits for the end of the run to cancel it: until then it cannot be queued.
pub const CANCELLED: u8 = 4;
/// It cannot be queued.
pub const DISABLED: u8 = 8;

/// The slot waits for nothing, or its run has ended.
pub(super) const WAITS_FOR_NOTHING: u8 = 0;
const WAITS_FOR_PENDING: u8 = 1;
const WAITS_FOR_RUNNING: u8 = 2;

fn replace(work: &mut [u8], from: u8, to: u8) {
    for waiter in &mut work[1..] {
        if *waiter == from {
            *waiter = to;
        }
    }
}

/// `queue_work`: false if it was pending, or cannot be queued.
pub(super) fn queue(work: &mut [u8]) -> bool {
    let queued = work[0] & (PENDING | CANCELLED | DISABLED) == 0;
    if queued {
        work[0] |= PENDING;
    }
    queued
}

/// It can no longer be queued, or again. An item that is pending stays so.
pub(super) fn disable(work: &mut [u8], disabled: bool) {
    work[0] &= !DISABLED;
    work[0] |= if disabled { DISABLED } else { 0 };
}

/// A worker takes the item.
pub(super) fn start(work: &mut [u8]) {
    work[0] = work[0] & DISABLED | RUNNING;
    replace(work, WAITS_FOR_PENDING, WAITS_FOR_RUNNING);
}

/// The function has returned.
pub(super) fn end(work: &mut [u8]) {
    work[0] &= !(RUNNING | CANCELLED);
    replace(work, WAITS_FOR_RUNNING, WAITS_FOR_NOTHING);
}

/// `flush_work`, first half: true if there is a run to wait for.
pub(super) fn flush(work: &mut [u8], slot: usize) -> bool {
    work[1 + slot] = match work[0] {
        state if state & PENDING != 0 => WAITS_FOR_PENDING,
        state if state & RUNNING != 0 => WAITS_FOR_RUNNING,
        _ => WAITS_FOR_NOTHING,
    };
    work[1 + slot] != WAITS_FOR_NOTHING
}

/// Waits for the run under way, not for one that is pending: true if there is one.
pub(super) fn flush_running(work: &mut [u8], slot: usize) -> bool {
    let running = work[0] & RUNNING != 0;
    work[1 + slot] = if running { WAITS_FOR_RUNNING } else { WAITS_FOR_NOTHING };
    running
}

/// `cancel_work`: true if it was pending.
pub(super) fn dequeue(work: &mut [u8]) -> bool {
    let was_pending = work[0] & PENDING != 0;
    work[0] &= !PENDING;
    replace(work, WAITS_FOR_PENDING, WAITS_FOR_NOTHING);
    was_pending
}

/// `cancel_work_sync`, first half: true if it was pending.
pub(super) fn cancel(work: &mut [u8], slot: usize) -> bool {
    let was_pending = dequeue(work);
    let running = work[0] & RUNNING != 0;
    work[0] |= if running { CANCELLED } else { 0 };
    work[1 + slot] = if running { WAITS_FOR_RUNNING } else { WAITS_FOR_NOTHING };
    was_pending
}

/// Whether the run that a slot waits for can end only if the run that is under way ends.
#[must_use]
pub fn waits_for_running(work: &[u8], slot: usize) -> bool {
    work[1 + slot] != WAITS_FOR_NOTHING && work[0] & RUNNING != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flush_waits_for_one_run_only() {
        let mut work = [0; 3];
        assert!(!flush(&mut work, 0), "an idle item has no run");
        assert!(queue(&mut work));
        assert!(!queue(&mut work), "pending already");
        assert!(flush(&mut work, 0));
        start(&mut work);
        assert!(queue(&mut work), "PENDING is cleared before the function runs");
        assert!(flush(&mut work, 1), "waits for the second run");
        assert!(waits_for_running(&work, 0) && waits_for_running(&work, 1));
        end(&mut work);
        assert_eq!(work[1..], [WAITS_FOR_NOTHING, WAITS_FOR_PENDING]);
    }

    #[test]
    fn who_waits_for_the_run_under_way_does_not_wait_for_the_next() {
        let mut work = [0; 2];
        queue(&mut work);
        assert!(!flush_running(&mut work, 0), "it has not been taken");
        start(&mut work);
        queue(&mut work);
        assert!(flush_running(&mut work, 0));
        end(&mut work);
        assert_eq!(work, [PENDING, WAITS_FOR_NOTHING]);
    }

    #[test]
    fn cancel_takes_a_pending_item_off_and_waits_for_the_running_one() {
        let mut work = [0; 3];
        queue(&mut work);
        assert!(flush(&mut work, 1));
        assert!(cancel(&mut work, 0));
        assert_eq!(work, [0; 3], "the flusher is let go too");
        queue(&mut work);
        start(&mut work);
        assert!(!cancel(&mut work, 0));
        assert!(waits_for_running(&work, 0));
        assert!(!queue(&mut work), "it is being cancelled, so its own run cannot queue it again");
        end(&mut work);
        assert_eq!(work, [0; 3]);
        assert!(queue(&mut work), "but afterwards anybody may");
    }

    #[test]
    fn a_disabled_item_is_not_queued_but_one_that_is_pending_runs() {
        let mut work = [0; 3];
        queue(&mut work);
        disable(&mut work, true);
        start(&mut work);
        assert!(!queue(&mut work));
        end(&mut work);
        assert_eq!(work[0], DISABLED);
        disable(&mut work, false);
        assert!(queue(&mut work));
    }

    #[test]
    fn taking_an_item_off_the_queue_does_not_wait_for_its_run() {
        let mut work = [0; 3];
        queue(&mut work);
        start(&mut work);
        queue(&mut work);
        assert!(dequeue(&mut work));
        assert_eq!(work, [RUNNING, 0, 0]);
        assert!(queue(&mut work), "nobody waits to cancel it");
    }
}
