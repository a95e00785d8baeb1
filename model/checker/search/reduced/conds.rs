//! In which states two steps do not commute: *conditional independence* (Katz and Peled 1992).
//!
//! A condition is asked of the state in which a step may be put first. It must then stay false until the step is
//! taken, whatever others do that commutes with it; docs/reduction.md has for each why.

use super::pieces::Piece;
use super::quiet::undoes;
use super::remedies::Remedy;
use super::tables::{Seeds, Tables, View, has};
use crate::machine::action::Touch;
use crate::machine::klist;
use crate::machine::layout::{CellId, Kind, Layout, Part};
use crate::machine::op::{Action, Op};
use crate::machine::work::{CANCELLED, PENDING};

/// What must be so in a state for two steps not to commute there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cond {
    /// Nothing.
    Always,
    /// The cell does not have this byte yet.
    Unless(CellId, u8),
    /// The item is not pending yet, and what it does may be seen.
    Unmarked(CellId),
    /// Somebody waits for the item's run to cancel it, and what the item does may be seen.
    Cancelled(CellId),
    /// What the item does may be seen.
    Item(CellId),
    /// Somebody may still see this.
    Live(Piece),
    /// Lists may have members.
    Members,
    /// The same, and the step changes something on them.
    Lists,
    /// Lists may have members, and the step changes nothing on them.
    Nothing,
    /// The klist has a dead node.
    Dirty(CellId),
    /// The step looks at the node of this member.
    Looks(CellId, u8),
    /// The step pins or unpins the node of this member.
    Pins(CellId, u8),
    /// The step looks for more nodes than there are.
    Ends(CellId),
    /// A walk from the second member's node may come to the first one's.
    Ahead(CellId, u8, u8),
}

/// Which node of a klist a step looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    /// The next one.
    Next(Option<u8>),
    /// The last one.
    Last,
}

/// The only action of a step that names a cell.
fn only(op: &Op, cell: CellId) -> Option<&Action> {
    let mut all = op.actions.iter().filter(|action| action.names(cell));
    all.next().filter(|_| all.next().is_none())
}

/// The only thing that a step does to a klist, if it is to look for a node.
fn walk(op: &Op, klist: CellId) -> Option<Walk> {
    match only(op, klist)? {
        Action::KlistNext(_, from) => Some(Walk::Next(*from)),
        Action::KlistLast(..) => Some(Walk::Last),
        _ => None,
    }
}

/// The same, if no check of the step may look at the klist too.
fn unchecked_walk(op: &Op, klist: CellId) -> Option<Walk> {
    walk(op, klist).filter(|_| op.event.is_none())
}

/// In which states a step that looks for a node of a klist touches a part of it.
fn looks(op: &Op, klist: CellId, part: Part) -> Option<Cond> {
    unchecked_walk(op, klist)?;
    Some(match part {
        Part::Node(member) => Cond::Looks(klist, member),
        Part::Pins(member) => Cond::Pins(klist, member),
        Part::Order => Cond::Ends(klist),
        _ => return None,
    })
}

/// All that a step does to a work item is to end its run.
fn ends(op: &Op, work: CellId) -> bool {
    matches!(op.actions[..], [Action::WorkEnd(cell)] if cell == work)
}

/// All that a step does to a work item is to queue it.
fn queues(op: &Op, work: CellId) -> bool {
    let mut all = op.actions.iter().filter(|action| action.names(work)).peekable();
    all.peek().is_some() && all.all(|action| matches!(action, Action::QueueWork(_)))
}

/// The member that a step deletes from a klist, if it does nothing else to it.
fn deletes(op: &Op, klist: CellId) -> Option<u8> {
    match only(op, klist)? {
        Action::KlistDel(_, member) => Some(member.index),
        _ => None,
    }
}

impl Tables {
    /// In which states the step at a node does not commute with that at another one because of what both touch.
    pub(super) fn cond(
        &self,
        layout: &Layout,
        (node, view): (usize, View),
        (one, against): (&Op, Option<&Op>),
        piece: Piece,
        touch: Touch,
        other: Touch,
    ) -> Cond {
        let (cell, part) = self.pieces.at(piece);
        let here = self.remedies.has(Remedy::Here);
        match layout.info(cell).kind {
            // Checks see what is on a list even if the step changes nothing there.
            Kind::List(..) if self.checks_lists[node] => return Cond::Members,
            Kind::List(..) => return Cond::Lists,
            Kind::Work(_) if part == Part::Pending && here => {
                let marks = |touch: Touch| matches!(touch, Touch::Mark | Touch::Same(1));
                let keeps = |touch: Touch| marks(touch) || touch == Touch::Read;
                if (marks(touch) || marks(other)) && keeps(touch) && keeps(other) {
                    return Cond::Unmarked(cell);
                }
            }
            // The end of a run lets those queue the item again whom a cancel has kept from it.
            Kind::Work(_) if part == Part::Barred && here => {
                let ends = |op: Option<&Op>| op.is_some_and(|op| ends(op, cell));
                let queues = |op: Option<&Op>| op.is_some_and(|op| queues(op, cell));
                let one = Some(one);
                if (ends(one) && queues(against)) || (queues(one) && ends(against)) {
                    return Cond::Cancelled(cell);
                }
            }
            Kind::Klist(..) if here => {
                if matches!(touch, Touch::Read | Touch::Count)
                    && let Some(cond) = looks(one, cell, part)
                {
                    return cond;
                }
                if view == View::Step
                    && let Some(member) = deletes(one, cell)
                    && matches!(part, Part::Node(own) | Part::Pins(own) if own == member)
                    && let Some(Walk::Next(Some(from))) =
                        against.and_then(|other| unchecked_walk(other, cell))
                {
                    return Cond::Ahead(cell, member, from);
                }
            }
            Kind::Bool | Kind::Int | Kind::Pointer(_) if here => match (touch, other) {
                (Touch::Same(byte), Touch::Read) | (Touch::Read, Touch::Same(byte)) => {
                    return Cond::Unless(cell, byte);
                }
                _ => {}
            },
            _ => {}
        }
        if self.quiet.items.contains_key(&cell) {
            return Cond::Item(cell);
        }
        if !touch.sees() && self.seen.contains_key(&piece) {
            return Cond::Live(piece);
        }
        Cond::Always
    }

    /// As long as nobody changes anything for it, a step that changes nothing on lists changes nothing.
    pub(super) fn quiet_seeds<'o>(
        &self,
        view: View,
        op: &Op,
        ops: impl Iterator<Item = Option<&'o Op>>,
        seeds: &mut Seeds,
    ) {
        if view != View::Guard && self.remedies.has(Remedy::Here) && seeds.contains_key(&Cond::Lists) {
            let undo = ops.enumerate().filter(|(_, other)| other.is_some_and(|other| undoes(op, other)));
            seeds.insert(Cond::Nothing, undo.map(|(at, _)| at).collect());
        }
    }
}

/// Whether what a step does to lists changes nothing in a state.
pub(super) fn changes_nothing(layout: &Layout, memory: &[u8], op: &Op) -> bool {
    let list = |cell: &CellId| {
        let bytes = &memory[layout.info(*cell).range()];
        &bytes[1..=usize::from(bytes[0])]
    };
    op.actions.iter().all(|action| match action {
        Action::ListDel(one, other, member) => {
            !list(one).contains(&member.index) && !list(other).contains(&member.index)
        }
        Action::ListSplice(from, _) | Action::ListPop(from) => list(from).is_empty(),
        Action::ListAdd { list: one, unless_on, member, .. } => {
            list(one).contains(&member.index) || list(unless_on).contains(&member.index)
        }
        Action::ListFirst(_) | Action::ListNext(..) | Action::ListPrev(..) | Action::ListHas(..) => false,
        _ => true,
    })
}

/// Whether a condition holds of the bytes of memory alone, if they say so. `op`: the step that may be put first.
pub(super) fn of_memory(layout: &Layout, memory: &[u8], cond: Cond, op: &Op) -> Option<bool> {
    let bytes = |cell: CellId| &memory[layout.info(cell).range()];
    let found = |klist: CellId| match walk(op, klist) {
        Some(Walk::Next(from)) => {
            let passed = klist::passed(bytes(klist), from);
            let next = passed.last().copied().filter(|last| klist::contains(bytes(klist), *last));
            (passed, next)
        }
        _ => {
            let last = klist::members(bytes(klist)).last().copied();
            (last.into_iter().collect(), last)
        }
    };
    let from = |klist: CellId| match walk(op, klist) {
        Some(Walk::Next(from)) => from,
        _ => None,
    };
    // The klist may have been freed under it.
    if let Cond::Looks(klist, _) | Cond::Pins(klist, _) | Cond::Ends(klist) = cond
        && from(klist).is_some_and(|from| !klist::linked(bytes(klist), from))
    {
        return Some(true);
    }
    Some(match cond {
        Cond::Always => true,
        Cond::Unless(cell, byte) => bytes(cell)[0] != byte,
        Cond::Dirty(klist) => klist::is_dirty(bytes(klist)),
        Cond::Looks(klist, member) => from(klist) == Some(member) || found(klist).0.contains(&member),
        Cond::Pins(klist, member) => from(klist) == Some(member) || found(klist).1 == Some(member),
        // What is added comes last.
        Cond::Ends(klist) => matches!(walk(op, klist), Some(Walk::Last)) || found(klist).1.is_none(),
        Cond::Ahead(klist, member, from) => {
            let linked = klist::linked(bytes(klist), member);
            let passed = from != member && !klist::is_before(bytes(klist), from, member);
            !(linked && passed)
        }
        Cond::Unmarked(work) if bytes(work)[0] & PENDING != 0 => false,
        Cond::Cancelled(work) if bytes(work)[0] & CANCELLED == 0 => false,
        Cond::Unmarked(_)
        | Cond::Cancelled(_)
        | Cond::Item(_)
        | Cond::Live(_)
        | Cond::Members
        | Cond::Lists
        | Cond::Nothing => return None,
    })
}

/// Whether some task may still come to see a piece.
pub(super) fn is_seen(tables: &Tables, piece: Piece, mut nodes: impl Iterator<Item = usize>) -> bool {
    let seen = &tables.seen[&piece];
    nodes.any(|node| node >= tables.known || has(seen, node))
}
