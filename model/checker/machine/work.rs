//! Work items, after kernel/workqueue.c (docs/kernel/primitives.md#workqueue): PENDING is cleared before the function
//! runs, an item never runs twice at once, and `flush_work` waits for one run only.
//!
//! One cell is a whole item: its state, then for each slot which run it waits for. Left out: the
//! queue that an item is on, its concurrency limits and delayed work; any worker may start any
//! pending item at any time.

/// Queued, and not taken by a worker.
pub const PENDING: u8 = 1;
/// Its function runs.
pub const RUNNING: u8 = 2;

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

/// `queue_work`: false if it was pending.
pub(super) fn queue(work: &mut [u8]) -> bool {
    let was_pending = work[0] & PENDING != 0;
    work[0] |= PENDING;
    !was_pending
}

/// A worker takes the item.
pub(super) fn start(work: &mut [u8]) {
    work[0] = RUNNING;
    replace(work, WAITS_FOR_PENDING, WAITS_FOR_RUNNING);
}

/// The function has returned.
pub(super) fn end(work: &mut [u8]) {
    work[0] &= !RUNNING;
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

/// `cancel_work_sync`, first half: true if it was pending.
pub(super) fn cancel(work: &mut [u8], slot: usize) -> bool {
    let was_pending = work[0] & PENDING != 0;
    work[0] &= !PENDING;
    replace(work, WAITS_FOR_PENDING, WAITS_FOR_NOTHING);
    work[1 + slot] = if work[0] & RUNNING != 0 { WAITS_FOR_RUNNING } else { WAITS_FOR_NOTHING };
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
        end(&mut work);
        assert_eq!(work, [0; 3]);
    }
}
