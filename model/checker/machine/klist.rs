//! klist, after lib/klist.c (docs/kernel/primitives.md#klist): nodes with a dead flag and a count, and iterators that
//! pin the node they stand on.
//!
//! One cell is a whole klist, since every operation holds its spinlock: its length, then for each
//! node its member and its count, with the dead flag in the top bit. Simplified: the last drop
//! (unlink, wake, clear `n_klist`) is one step, and a waiter of `klist_remove` waits until the node
//! is unlinked, not for a wake-up; no modelled code links a node again while its remover waits. Linking
//! and unlinking a node writes into its neighbours, whose memory must be there.

/// The node was deleted; iterators skip it.
const DEAD: u8 = 0x80;

fn position(klist: &[u8], member: u8) -> Option<usize> {
    (0..usize::from(klist[0])).find(|i| klist[1 + 2 * i] == member)
}

/// Whether a node is dead and linked still.
#[must_use]
pub fn is_dirty(klist: &[u8]) -> bool {
    nodes(klist).any(|(_, dead)| dead)
}

/// Whether a node is linked, dead or not.
#[must_use]
pub fn linked(klist: &[u8], member: u8) -> bool {
    position(klist, member).is_some()
}

/// Puts the nodes in the order of their members.
pub fn sort(klist: &mut [u8]) {
    let count = usize::from(klist[0]);
    let (nodes, _) = klist[1..].as_chunks_mut::<2>();
    nodes[..count].sort_unstable();
}

/// How many iterators stand on a node.
#[must_use]
pub fn pins(klist: &[u8], member: u8) -> u8 {
    position(klist, member).map_or(0, |i| {
        let count = klist[2 + 2 * i];
        if count & DEAD == 0 { count - 1 } else { count & !DEAD }
    })
}

/// Whether a node is linked before another one.
#[must_use]
pub fn is_before(klist: &[u8], member: u8, other: u8) -> bool {
    position(klist, member).is_some_and(|at| position(klist, other).is_some_and(|then| at < then))
}

/// Whether a node is linked and not dead.
#[must_use]
pub fn contains(klist: &[u8], member: u8) -> bool {
    position(klist, member).is_some_and(|i| klist[2 + 2 * i] & DEAD == 0)
}

/// The members that are linked and not dead, in order.
#[must_use]
pub fn members(klist: &[u8]) -> Vec<u8> {
    nodes(klist).filter(|(_, dead)| !dead).map(|(member, _)| member).collect()
}

/// The last member that is linked, dead or not.
#[must_use]
pub fn last(klist: &[u8]) -> Option<u8> {
    let last = usize::from(klist[0]).checked_sub(1)?;
    Some(klist[1 + 2 * last])
}

/// The members that are linked, in order, and whether each is dead.
pub fn nodes(klist: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    (0..usize::from(klist[0])).map(|i| (klist[1 + 2 * i], klist[2 + 2 * i] & DEAD != 0))
}

/// Appends a node with count 1. False if it is linked already.
pub(super) fn add(klist: &mut [u8], member: u8) -> bool {
    if linked(klist, member) {
        return false;
    }
    let end = usize::from(klist[0]);
    klist[1 + 2 * end] = member;
    klist[2 + 2 * end] = 1;
    klist[0] += 1;
    true
}

/// Drops one count of a node; unlinks it and returns true if that was the last.
fn drop_node(klist: &mut [u8], member: u8) -> bool {
    let i = position(klist, member).expect("internal: a pinned node is linked");
    klist[2 + 2 * i] -= 1;
    if klist[2 + 2 * i] & !DEAD != 0 {
        return false;
    }
    let len = 1 + 2 * usize::from(klist[0]);
    klist.copy_within(3 + 2 * i..len, 1 + 2 * i);
    klist[len - 2..len].fill(0);
    klist[0] -= 1;
    true
}

/// Marks a node dead and drops its own count. True if it was unlinked by that; `None` if it is not
/// linked or dead already.
pub(super) fn del(klist: &mut [u8], member: u8) -> Option<bool> {
    let i = position(klist, member)?;
    if klist[2 + 2 * i] & DEAD != 0 {
        return None;
    }
    klist[2 + 2 * i] |= DEAD;
    Some(drop_node(klist, member))
}

/// Where an iterator goes from `current`: the nodes it passes, the last of which it will stand on
/// unless it is dead.
#[must_use]
pub fn passed(klist: &[u8], current: Option<u8>) -> Vec<u8> {
    let start = match current {
        None => 0,
        Some(member) => position(klist, member).expect("internal: a pinned node is linked") + 1,
    };
    let mut nodes = Vec::new();
    for i in start..usize::from(klist[0]) {
        nodes.push(klist[1 + 2 * i]);
        if klist[2 + 2 * i] & DEAD == 0 {
            break;
        }
    }
    nodes
}

/// The nodes before and after one: unlinking it writes into them.
pub(super) fn neighbours(klist: &[u8], member: u8) -> Vec<u8> {
    let Some(i) = position(klist, member) else {
        return Vec::new();
    };
    let after = (i + 1 < usize::from(klist[0])).then(|| i + 1);
    i.checked_sub(1).into_iter().chain(after).map(|i| klist[1 + 2 * i]).collect()
}

/// The neighbours of a node if dropping one count unlinks it.
pub(super) fn neighbours_of_last_drop(klist: &[u8], member: u8) -> Vec<u8> {
    match position(klist, member) {
        Some(i) if klist[2 + 2 * i] & !DEAD == 1 => neighbours(klist, member),
        _ => Vec::new(),
    }
}

/// The last node that is linked, dead or not: a new one is linked behind it.
pub(super) fn end(klist: &[u8]) -> Option<u8> {
    usize::from(klist[0]).checked_sub(1).map(|i| klist[1 + 2 * i])
}

/// `klist_next`: the next node that is not dead, pinned, and whether the node left was unlinked. `None` if
/// there is no room for one more iterator.
pub(super) fn next(klist: &mut [u8], current: Option<u8>) -> Option<(Option<u8>, bool)> {
    let next = passed(klist, current).last().copied().filter(|member| contains(klist, *member));
    if let Some(member) = next {
        let i = position(klist, member).expect("internal: the node was just met");
        if klist[2 + 2 * i] + 1 == DEAD {
            return None;
        }
        klist[2 + 2 * i] += 1;
    }
    let died = current.is_some_and(|member| drop_node(klist, member));
    Some((next, died))
}

/// `klist_iter_exit`: whether the node left was unlinked.
pub(super) fn exit(klist: &mut [u8], current: u8) -> bool {
    drop_node(klist, current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_on_a_dead_node_continues_to_its_successor() {
        let mut klist = [0; 7];
        assert!(add(&mut klist, 2) && add(&mut klist, 0) && add(&mut klist, 1));
        let (current, _) = next(&mut klist, None).expect("there is room");
        assert_eq!(current, Some(2));
        assert_eq!(del(&mut klist, 2), Some(false), "the iterator keeps it linked");
        assert_eq!(del(&mut klist, 0), Some(true), "nobody stands on it");
        assert!(linked(&klist, 2) && !contains(&klist, 2));
        assert_eq!(last(&klist), Some(1));
        assert_eq!(last(&[0; 7]), None);
        assert_eq!(next(&mut klist, current), Some((Some(1), true)));
        assert_eq!(members(&klist), [1]);
        assert!(!exit(&mut klist, 1));
        assert_eq!(klist, [1, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_new_iterator_skips_dead_nodes() {
        let mut klist = [0; 5];
        assert!(add(&mut klist, 0) && add(&mut klist, 1) && !add(&mut klist, 1));
        let (first, _) = next(&mut klist, None).expect("there is room");
        assert_eq!(del(&mut klist, 0), Some(false));
        assert_eq!(del(&mut klist, 0), None, "deleted twice");
        assert_eq!(passed(&klist, None), [0, 1]);
        assert_eq!(next(&mut klist, None), Some((Some(1), false)));
        assert!(exit(&mut klist, first.expect("it stands on the first")));
    }
}
