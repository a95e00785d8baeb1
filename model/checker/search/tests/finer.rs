//! Tests of what makes the reduction finer than "both touch the same cell" (docs/reduction.md): for each condition a
//! small program on which the search misses a hazard if the condition is not asked for.

use std::path::Path;
use std::time::Duration;

use super::orders::check;
use super::{
    A, B, Bare, CHECKED, COUNT, Check, ENTRIES, FLAG, HEADS, ITEM, LIST, N, NODES, PTR, ROOT, WORK, do_,
    ending, must, refs, schedule, telling, thing, toy,
};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::machine::cpu::{Cpu, Step};
use crate::machine::hazard::{About, Hazard, id};
use crate::machine::layout::{CellId, Kind, Layout, Part};
use crate::machine::op::{Action, End, Entry, Event, Op, Touch};
use crate::machine::program::Program;
use crate::machine::value::{Object, Obs, Sort};
use crate::machine::work::PENDING;
use crate::search::reduced::{self, Reduced, resources::Resources, resources::Saving};
use crate::search::reference::{Limits, search};

const FIRST: u8 = ENTRIES + 1;
const SECOND: u8 = ENTRIES + 2;

/// Waits until `N` is not zero.
fn await_n(cpu: &Cpu<'_>) -> Step<()> {
    do_(cpu, Action::AwaitNot(cpu.cell(N), Obs::Int(0)))
}

/// Waits until `FLAG` is set.
fn await_flag(cpu: &Cpu<'_>) -> Step<()> {
    do_(cpu, Action::AwaitNot(cpu.cell(FLAG), Obs::Bool(false)))
}

/// Waits until `COUNT` is not zero.
fn await_count(cpu: &Cpu<'_>) -> Step<()> {
    do_(cpu, Action::AwaitNot(cpu.cell(COUNT), Obs::Int(0)))
}

/// One hazard or another one, as the answer is.
fn tell(cpu: &Cpu<'_>, yes: bool) -> Step<()> {
    if yes { cpu.unlock(B) } else { must(cpu, false) }
}

/// Takes the first of a list.
fn pop_of(cpu: &Cpu<'_>, list: usize) -> Step<bool> {
    let first: Option<Object> = cpu.observe(Action::ListPop(cpu.cell(HEADS[list])))?;
    Ok(first.is_some())
}

fn pop(cpu: &Cpu<'_>) -> Step<bool> {
    pop_of(cpu, 0)
}

fn link(cpu: &Cpu<'_>, member: u8) -> Step<()> {
    do_(cpu, Action::KlistAdd(cpu.cell(LIST), thing(member)))
}

fn unlink(cpu: &Cpu<'_>, member: u8) -> Step<()> {
    do_(cpu, Action::KlistDel(cpu.cell(LIST), thing(member)))
}

/// The last that is linked.
fn last(cpu: &Cpu<'_>) -> Step<Option<Object>> {
    cpu.observe(Action::KlistLast(cpu.cell(LIST), refs(0).field))
}

fn add(cpu: &Cpu<'_>) -> Step<()> {
    let [list, unless_on] = HEADS.map(|head| cpu.cell(head));
    do_(cpu, Action::ListAdd { list, unless_on, member: thing(0), at: End::Last })
}

/// Queues the item. Whether it was pending is seen.
fn queue(cpu: &Cpu<'_>) -> Step<bool> {
    cpu.observe(Action::QueueWork(cpu.cell(WORK)))
}

/// `Dirty`: who steps off a dead node unlinks it, so that others do not find it any more.
#[test]
fn who_steps_off_a_dead_node() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            let iter = cpu.klist_next(cpu.klist_iter_init(LIST))?;
            cpu.store(FLAG, true)?;
            await_n(cpu)?;
            cpu.klist_iter_exit(iter).map(|_| ())
        }
        1 => {
            await_flag(cpu)?;
            unlink(cpu, 0)?;
            cpu.store(N, 1)
        }
        _ => {
            await_n(cpu)?;
            let has = cpu.observe(Action::KlistHas(cpu.cell(LIST), thing(0)))?;
            tell(cpu, has)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 11), (id::UNLOCK_IMBALANCE, 9)]);
}

/// Tokens: somebody may step off a node for who stands on it, so that standing on it keeps nobody.
#[test]
fn another_one_steps_off_the_node() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            cpu.klist_next(cpu.klist_iter_init(LIST))?;
            cpu.store(FLAG, true)?;
            if cpu.load(N)? == 1 { cpu.unlock(B) } else { Ok(()) }
        }
        1 => {
            await_flag(cpu)?;
            unlink(cpu, 0)?;
            do_(cpu, Action::KlistAwait(cpu.cell(LIST), thing(0)))?;
            cpu.store(N, 1)
        }
        _ => {
            await_flag(cpu)?;
            do_(cpu, Action::KlistExit(cpu.cell(LIST), Some(0)))
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 11)]);
}

/// Tokens: a mutex that a task holds on some ways only to where it is.
#[test]
fn a_mutex_that_is_held_perhaps() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            cpu.call("perhaps", &[], || if cpu.choose(2)? == 0 { cpu.lock(A) } else { Ok(()) })?;
            cpu.store(FLAG, true)?;
            if cpu.load(N)? == 1 { cpu.unlock(B) } else { Ok(()) }
        }
        _ => {
            await_flag(cpu)?;
            cpu.lock(A)?;
            cpu.store(N, 1)?;
            cpu.unlock(A)
        }
    });
    check(&program, &[(id::DEADLOCK, 5), (id::UNLOCK_IMBALANCE, 7)]);
}

/// `Nothing`: who finds nothing on a list may find something later.
#[test]
fn an_empty_list_that_somebody_fills() {
    let program = toy(2, 0, |cpu, task| match task {
        0 if pop(cpu)? => cpu.unlock(B),
        0 => Ok(()),
        _ => add(cpu),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 3)]);
}

/// `Cancelled`: while somebody waits to cancel a run, the item cannot be queued; its end changes that.
#[test]
fn the_end_of_a_run_that_is_cancelled() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => queue(cpu).map(|_| ()),
        ITEM => cpu.store(N, 1),
        1 => {
            await_n(cpu)?;
            cpu.cancel_work_sync(WORK).map(|_| ())
        }
        _ => {
            await_n(cpu)?;
            if queue(cpu)? { Ok(()) } else { cpu.unlock(B) }
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 8)]);
}

/// A worker that finds nothing on a list is as good as idle only if nobody sees that its item is pending, ...
#[test]
fn an_item_that_does_nothing_is_seen() {
    let program = toy(1, 0, |cpu, task| match task {
        ITEM => pop(cpu).map(|_| ()),
        _ => {
            queue(cpu)?;
            if queue(cpu)? { Ok(()) } else { cpu.unlock(B) }
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 3)]);
}

/// ... and if the checks of its run leave all as it is.
#[test]
fn an_item_whose_check_does_something() {
    let program = ending(1, 0, Some(1), |cpu, task| match task {
        ITEM => {
            let pop = Action::ListPop(cpu.cell(HEADS[0]));
            cpu.step(telling(pop, Check::Grow)).map(|_| ())
        }
        _ => {
            cpu.store(N, 1)?;
            queue(cpu).map(|_| ())
        }
    });
    check(&program, &[(id::WARNING, 5)]);
}

/// A count that is lowered below what others have raised.
#[test]
fn a_count_that_others_lower() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            do_(cpu, Action::Get(cpu.cell(COUNT)))?;
            cpu.store(FLAG, true)?;
            if cpu.load(N)? == 1 { cpu.unlock(B) } else { Ok(()) }
        }
        1 => {
            await_flag(cpu)?;
            do_(cpu, Action::AwaitZero(cpu.cell(COUNT)))?;
            cpu.store(N, 1)
        }
        _ => {
            await_flag(cpu)?;
            do_(cpu, Action::Dec(cpu.cell(COUNT)))
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 9)]);
}

/// A count that is zero: a task that raises it and lowers it again sees zero, unless another task raises it first.
#[test]
fn a_count_that_one_raises_and_lowers() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => do_(cpu, Action::Get(cpu.cell(COUNT))),
        ITEM => Ok(()),
        _ => {
            do_(cpu, Action::Get(cpu.cell(COUNT)))?;
            let last: bool = cpu.observe(Action::Dec(cpu.cell(COUNT)))?;
            tell(cpu, last)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 4), (id::UNLOCK_IMBALANCE, 3)]);
}

/// ... and so does a step that does both, even if it raises the count last.
#[test]
fn a_reference_that_is_put_before_it_is_taken() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => do_(cpu, Action::Get(cpu.cell(refs(0)))),
        ITEM => Ok(()),
        _ => {
            let both = vec![Action::Put(cpu.cell(refs(0))), Action::Get(cpu.cell(refs(0)))];
            cpu.step(both).map(|_| ())
        }
    });
    check(&program, &[(id::USE_AFTER_FREE, 1)]);
}

/// A step may lower a count more than once.
#[test]
fn a_count_that_a_step_lowers_twice() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            let twice = vec![Action::Dec(cpu.cell(COUNT)), Action::Dec(cpu.cell(COUNT))];
            let last: bool = cpu.observe(twice)?;
            tell(cpu, last)
        }
        ITEM => Ok(()),
        _ => do_(cpu, Action::Get(cpu.cell(COUNT))),
    });
    let program = program.with(COUNT, 2);
    check(&program, &[(id::NULL_DEREFERENCE, 3), (id::UNLOCK_IMBALANCE, 2)]);
}

/// ... and leave what others bring to zero.
#[test]
fn a_count_that_others_lower_after_that() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => cpu.step(vec![Action::Dec(cpu.cell(COUNT)), Action::Dec(cpu.cell(COUNT))]).map(|_| ()),
        ITEM => Ok(()),
        _ => {
            let last: bool = cpu.observe(Action::Dec(cpu.cell(COUNT)))?;
            tell(cpu, last)
        }
    });
    let program = program.with(COUNT, 3);
    check(&program, &[(id::NULL_DEREFERENCE, 2), (id::UNLOCK_IMBALANCE, 3)]);
}

/// `Lists`: who puts something on a list, and who takes it.
#[test]
fn a_list_that_somebody_fills() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => add(cpu),
        ITEM => Ok(()),
        _ => {
            let found = pop(cpu)?;
            tell(cpu, found)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 2), (id::UNLOCK_IMBALANCE, 3)]);
}

/// `Members`: a check may look at a list.
#[test]
fn a_check_that_looks_at_a_list() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => cpu.step(telling(Action::Load(cpu.cell(N)), Check::Empty)).map(|_| ()),
        ITEM => Ok(()),
        _ => add(cpu),
    });
    check(&program, &[(CHECKED, 2)]);
}

/// A splice of an empty list does nothing until somebody puts something there.
#[test]
fn a_splice_of_what_is_empty() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            do_(cpu, Action::ListSplice(cpu.cell(HEADS[0]), cpu.cell(HEADS[1])))?;
            let found = pop_of(cpu, 1)?;
            tell(cpu, found)
        }
        ITEM => Ok(()),
        _ => add(cpu),
    });
    check(&program, &[(id::NULL_DEREFERENCE, 3), (id::UNLOCK_IMBALANCE, 4)]);
}

/// So does a delete of what is on no list, ...
#[test]
fn a_delete_of_what_is_nowhere() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            let [one, other] = HEADS.map(|head| cpu.cell(head));
            do_(cpu, Action::ListDel(one, other, thing(0)))?;
            await_flag(cpu)?;
            let found = pop(cpu)?;
            tell(cpu, found)
        }
        ITEM => Ok(()),
        _ => {
            add(cpu)?;
            cpu.store(FLAG, true)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 6), (id::UNLOCK_IMBALANCE, 6)]);
}

/// ... and who adds what is there already, until somebody takes it.
#[test]
fn an_add_of_what_is_there() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            add(cpu)?;
            cpu.store(FLAG, true)?;
            add(cpu)?;
            await_n(cpu)?;
            let found = pop(cpu)?;
            tell(cpu, found)
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            pop(cpu)?;
            cpu.store(N, 1)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 9), (id::UNLOCK_IMBALANCE, 9)]);
}

/// Frozen: lists that nobody fills any more have members still.
#[test]
fn two_who_take_the_last() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            add(cpu)?;
            cpu.store(FLAG, true)
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            if pop(cpu)? { tell(cpu, task == 1) } else { Ok(()) }
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 5), (id::UNLOCK_IMBALANCE, 5)]);
}

/// An item that would do nothing does something as long as somebody fills its list: whether it is pending is seen.
#[test]
fn an_item_whose_list_may_be_filled() {
    let program = toy(2, 0, |cpu, task| match task {
        ITEM => pop(cpu).map(|_| ()),
        0 => {
            queue(cpu)?;
            let again = queue(cpu)?;
            must(cpu, !again)?;
            cpu.store(COUNT, 1)
        }
        _ => {
            await_count(cpu)?;
            add(cpu)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 4)]);
}

/// A worker that becomes as good as idle while it holds a mutex does not keep others from it.
#[test]
fn a_worker_that_becomes_idle_with_a_mutex() {
    let program = toy(3, 0, |cpu, task| match task {
        ITEM => {
            cpu.lock(A)?;
            pop(cpu)?;
            cpu.unlock(A)
        }
        0 => queue(cpu).map(|_| ()),
        1 => {
            cpu.step(Op::from(Action::Store(cpu.cell(N), Obs::Int(1))).under(cpu.cell(A)))?;
            cpu.store(FLAG, true)
        }
        // Whoever has found the flag clear fills no list any more.
        _ if cpu.load(FLAG)? => add(cpu),
        _ => Ok(()),
    });
    check(&program, &[]);
}

/// An item that is pending from the start and does nothing: nobody else can go on, which is a deadlock.
#[test]
fn a_worker_that_is_idle_from_the_start() {
    let program = toy(1, 0, |cpu, task| if task == ITEM { pop(cpu).map(|_| ()) } else { await_flag(cpu) });
    let mut memory = program.memory();
    let layout = program.layout();
    memory[layout.info(layout.find(WORK)).offset] = PENDING;
    let reference = search(&program, &memory, Limits::default(), |_| {});
    let resources = Resources { threads: 1, ..Resources::default() };
    let found = reduced::search(&program, &memory, Limits::default(), &resources, |_| {});
    let found = found.expect("nothing is on disk").expect("the reduced search decides");
    let expected: Vec<&str> = reference.found.iter().map(|found| found.id).collect();
    assert_eq!(found.hazards.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(expected, [id::DEADLOCK]);
}

/// What is written is seen at rest, ...
#[test]
fn two_who_store_what_is_seen_at_rest() {
    let program =
        ending(2, 0, Some(2), |cpu, task| if task == ITEM { Ok(()) } else { cpu.store(N, task + 1) });
    check(&program, &[(id::WARNING, 2)]);
}

/// ... or by somebody who cannot come before both have written (`Live`).
#[test]
fn two_who_store_what_is_seen_later() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            cpu.store(N, 1)?;
            cpu.store(FLAG, true)
        }
        1 => {
            cpu.store(N, 2)?;
            cpu.store(COUNT, 1)
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            await_count(cpu)?;
            let first_was_last = cpu.load(N)? == 1;
            tell(cpu, first_was_last)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 8), (id::UNLOCK_IMBALANCE, 8)]);
}

/// Sleep sets: a step that was explored is taken again after one that does not commute with it.
#[test]
fn a_step_that_was_explored_comes_later_too() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => cpu.store(N, 1),
        1 => {
            cpu.store(N, 2)?;
            let second_was_last = cpu.load(N)? == 2;
            tell(cpu, second_was_last)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::NULL_DEREFERENCE, 4), (id::UNLOCK_IMBALANCE, 3)]);
}

/// The same, if that keeps the other task waiting.
#[test]
fn a_step_that_was_explored_is_kept_from_happening() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            cpu.lock(A)?;
            let first = cpu.load(N)? == 0;
            cpu.unlock(A)?;
            if first { Ok(()) } else { cpu.unlock(B) }
        }
        1 => {
            cpu.lock(A)?;
            cpu.store(N, 1)?;
            cpu.unlock(A)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 7)]);
}

/// Tasks that run a closure; an event warns if `N` is one.
struct Warned(Bare, (CellId, usize));

impl Subject for Warned {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        self.0.run(cpu, task)
    }

    fn event_touches(&self, _event: &Event) -> Vec<(CellId, Part, Touch)> {
        vec![(self.1.0, Part::Whole, Touch::Read)]
    }

    fn event(&self, _event: &Event, _observed: Obs, memory: &mut [u8]) -> Result<(), Hazard> {
        let warns = memory[self.1.1] == 1;
        warns.then(|| Hazard::new(id::WARNING, About::Program, "n is one")).map_or(Ok(()), Err)
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        Some(Vec::new())
    }
}

/// The same of a step that only warns in one of the two orders.
#[test]
fn a_step_that_was_explored_warns_later() {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(N, "n", Kind::Int);
    layout.cell(FLAG, "flag", Kind::Bool);
    let n = layout.find(N);
    let at = layout.info(n).offset;
    let bare = Bare::new(|cpu, task| match task.function {
        0 => {
            let event = Event { kind: 0, args: [Obs::None; 3] };
            cpu.step(Op::from(Action::Load(cpu.cell(FLAG))).telling(event)).map(|_| ())
        }
        _ => cpu.store(N, 1),
    });
    let program = Functions::new(layout, Warned(bare, (n, at))).task("t", entry(0)).task("u", entry(1));
    check(&program, &[(id::WARNING, 2)]);
}

/// The same of an entry that comes to another slot, since one in a slot before it ends.
#[test]
fn an_entry_that_was_explored_is_in_another_slot() {
    let program = toy(1, 3, |cpu, task| match task {
        0 => (0..3).try_for_each(|more| schedule(cpu, ENTRIES + more)),
        ENTRIES => await_flag(cpu),
        FIRST => {
            let between = cpu.load(N)? == 5;
            cpu.store(COUNT, 1)?;
            if between { cpu.unlock(B) } else { Ok(()) }
        }
        SECOND => {
            cpu.load(COUNT)?;
            cpu.store(FLAG, true)?;
            cpu.store(N, 5)?;
            cpu.store(N, 1)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 9)]);
}

/// `Looks`: the last node of a klist, and who deletes it.
#[test]
fn the_last_node_goes() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            cpu.store(FLAG, true)?;
            let last = last(cpu)?;
            tell(cpu, last.is_some())
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            unlink(cpu, 0)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 6), (id::UNLOCK_IMBALANCE, 4)]);
}

/// `Ends`: the last node of a klist, and who adds one, ...
#[test]
fn another_node_comes_last() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            cpu.store(FLAG, true)?;
            let last = last(cpu)?;
            tell(cpu, last == Some(thing(0)))
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            link(cpu, 1)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 6), (id::UNLOCK_IMBALANCE, 4)]);
}

/// ... and a walk that comes to the end.
#[test]
fn a_node_comes_behind_a_walk() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            let iter = cpu.klist_next(cpu.klist_iter_init(LIST))?;
            tell(cpu, iter.node().is_some())
        }
        ITEM => Ok(()),
        _ => link(cpu, 0),
    });
    check(&program, &[(id::NULL_DEREFERENCE, 2), (id::UNLOCK_IMBALANCE, 3)]);
}

/// `Ahead`: a node is deleted to which a walk may come.
#[test]
fn the_node_ahead_of_a_walk_goes() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            link(cpu, 1)?;
            let iter = cpu.klist_next(cpu.klist_iter_init(LIST))?;
            cpu.store(FLAG, true)?;
            let iter = cpu.klist_next(iter)?;
            tell(cpu, iter.node().is_some())
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            unlink(cpu, 1)
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 8), (id::UNLOCK_IMBALANCE, 6)]);
}

/// A check may look at more of a klist than the walk that it is told of.
#[test]
fn a_check_that_looks_at_a_klist() {
    let program = toy(2, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            cpu.store(FLAG, true)?;
            cpu.step(telling(Action::KlistNext(cpu.cell(LIST), None), Check::Unlinked)).map(|_| ())
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            link(cpu, 1)
        }
    });
    check(&program, &[(CHECKED, 5)]);
}

/// The order of two nodes is the order in which they came.
#[test]
fn two_who_add_nodes() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            link(cpu, 0)?;
            cpu.store(FLAG, true)
        }
        1 => {
            link(cpu, 1)?;
            cpu.store(COUNT, 1)
        }
        ITEM => Ok(()),
        _ => {
            await_flag(cpu)?;
            await_count(cpu)?;
            let last = last(cpu)?;
            tell(cpu, last == Some(thing(0)))
        }
    });
    check(&program, &[(id::NULL_DEREFERENCE, 8), (id::UNLOCK_IMBALANCE, 8)]);
}

/// Who waits for a node of a klist in an object is let go when the object is freed and made anew, whoever stands on
/// the node, ...
#[test]
fn the_free_of_a_klist_enables_who_waits_for_a_node() {
    let program = toy(4, 0, |cpu, task| match task {
        0 => {
            do_(cpu, Action::KlistAdd(cpu.cell(NODES), thing(1)))?;
            cpu.klist_next(cpu.klist_iter_init(NODES))?;
            cpu.store(COUNT, 1)?;
            await_flag(cpu)
        }
        1 => {
            await_count(cpu)?;
            do_(cpu, Action::KlistAwait(cpu.cell(NODES), thing(1)))?;
            cpu.store(N, 1)
        }
        2 => {
            await_count(cpu)?;
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Alloc(thing(0)))
        }
        3 => {
            if cpu.load(N)? == 1 {
                cpu.unlock(B)?;
            }
            cpu.store(FLAG, true)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 11), (id::USE_AFTER_FREE, 7)]);
}

/// ... and whoever stood there does no longer.
#[test]
fn a_klist_that_is_made_anew() {
    let program = toy(3, 0, |cpu, task| match task {
        0 => {
            do_(cpu, Action::KlistAdd(cpu.cell(NODES), thing(1)))?;
            cpu.klist_next(cpu.klist_iter_init(NODES))?;
            cpu.store(FLAG, true)?;
            if cpu.load(N)? == 1 { cpu.unlock(B) } else { Ok(()) }
        }
        1 => {
            await_count(cpu)?;
            do_(cpu, Action::KlistAwait(cpu.cell(NODES), thing(1)))?;
            cpu.store(N, 1)
        }
        2 => {
            await_flag(cpu)?;
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Alloc(thing(0)))?;
            cpu.store(COUNT, 1)
        }
        _ => Ok(()),
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 12)]);
}

/// `cancel_work` lets those go on who flush the pending run.
#[test]
fn who_flushes_what_is_taken_off_the_queue() {
    let program = toy(4, 0, |cpu, task| match task {
        0 => {
            queue(cpu)?;
            await_count(cpu)?;
            queue(cpu)?;
            cpu.store(PTR, Some(thing(1)))
        }
        ITEM => {
            cpu.store(COUNT, 1)?;
            await_flag(cpu)
        }
        1 => {
            do_(cpu, Action::AwaitNot(cpu.cell(PTR), Obs::None))?;
            cpu.flush_work(WORK)?;
            cpu.store(N, 1)
        }
        2 => {
            do_(cpu, Action::AwaitNot(cpu.cell(PTR), Obs::None))?;
            do_(cpu, Action::DequeueWork(cpu.cell(WORK)))
        }
        _ => {
            if cpu.load(N)? == 1 {
                cpu.unlock(B)?;
            }
            cpu.store(FLAG, true)
        }
    });
    check(&program, &[(id::UNLOCK_IMBALANCE, 14)]);
}

/// Three things that can be freed, and a klist of them.
fn three_on_a_klist() -> Layout {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    for (i, name) in ["thing0", "thing1", "thing2"].into_iter().enumerate() {
        layout.mortal(thing(i as u8), name, id::USE_AFTER_FREE);
    }
    layout.cell(LIST, "list", Kind::Klist(Sort(1), (0..3).map(|i| Some(thing(i))).collect()));
    layout
}

/// Who unlinks a node writes into its neighbours: if one of them has been freed, the order is seen, though nobody walks
/// along it.
#[test]
fn the_neighbour_of_a_node_has_been_freed() {
    let bare = Bare::new(|cpu, _| {
        link(cpu, 1)?;
        link(cpu, 2)?;
        link(cpu, 0)?;
        // The state before a choice is stored.
        let which = cpu.choose(2)?;
        do_(cpu, Action::Free(thing(2)))?;
        if which == 0 { unlink(cpu, 0) } else { Ok(()) }
    });
    let program = Functions::new(three_on_a_klist(), bare).task("t", entry(0));
    check(&program.alive(thing(0)).alive(thing(1)).alive(thing(2)), &[(id::USE_AFTER_FREE, 6)]);
}

/// What a search comes to that saves what it has in a file, up to a limit of states, and goes on from what was saved.
/// `tell` is called before each time that it saves.
pub(super) fn saved<'p>(
    program: &'p Functions<'p>,
    limit: Option<usize>,
    (file, from): (&Path, Option<&Path>),
    mut tell: impl FnMut() + Send,
) -> Reduced<'p, Functions<'p>> {
    let (file, from) = (file.to_owned(), from.map(Path::to_owned));
    let saving = Saving { file, every: Duration::ZERO, from, fingerprint: [7; 32] };
    let limits = Limits { state_limit: limit, ..Limits::default() };
    let resources = Resources { threads: 1, saving: Some(saving), ..Resources::default() };
    let found = reduced::search(program, &program.memory(), limits, &resources, |_| tell());
    found.expect("it can be saved").expect("the reduced search decides")
}

/// What must be the same.
pub(super) fn summary(found: &Reduced<'_, Functions<'_>>) -> (Vec<(&'static str, usize)>, usize, usize) {
    (super::counted(found), found.outcome.states, found.outcome.transitions)
}

/// A search that is stopped at each state and gone on with finds what one does that is not, which is returned, and how
/// often it was stopped.
pub(super) fn gone_on_with<'p>(program: &'p Functions<'p>) -> (Reduced<'p, Functions<'p>>, usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("saved");
    let whole = saved(program, None, (&file, None), || {});
    let mut stops = 0;
    loop {
        let from = (stops > 0).then_some(&*file);
        let found = saved(program, Some(stops + 1), (&file, from), || {});
        if found.outcome.cut.is_none() {
            assert_eq!(summary(&found), summary(&whole));
            return (whole, stops);
        }
        stops += 1;
    }
}

/// The same if the search is stopped at each state, and gone on with.
#[test]
fn the_neighbour_of_a_node_has_been_freed_and_the_search_is_gone_on_with() {
    let bare = Bare::new(|cpu, task| {
        if task.function == 1 {
            (0..3).try_for_each(|_| cpu.choose(2).map(|_| ()))?;
            return unlink(cpu, 0);
        }
        link(cpu, 1)?;
        link(cpu, 2)?;
        link(cpu, 0)?;
        cpu.choose(2)?;
        do_(cpu, Action::Free(thing(2)))?;
        (0..2).try_for_each(|_| cpu.choose(2).map(|_| ()))
    });
    let program = Functions::new(three_on_a_klist(), bare).task("t", entry(0)).task("u", entry(1));
    let program = program.alive(thing(0)).alive(thing(1)).alive(thing(2));
    let (whole, stops) = gone_on_with(&program);
    assert!(whole.hazards.contains_key(id::USE_AFTER_FREE) && stops > 9, "{stops}");
}

/// The same if it is so from the start.
#[test]
fn the_neighbour_of_a_node_is_not_there_from_the_start() {
    let bare = Bare::new(|cpu, _| {
        // An order that nobody changes is the same in all states; the state before a choice is stored.
        link(cpu, 1)?;
        if cpu.choose(2)? == 0 { unlink(cpu, 0) } else { Ok(()) }
    });
    let program = Functions::new(three_on_a_klist(), bare).task("t", entry(0));
    let program = program.alive(thing(0)).alive(thing(1));
    let mut memory = program.memory();
    let klist = program.layout().info(program.layout().find(LIST)).range();
    memory[klist].copy_from_slice(&[2, 2, 1, 0, 1, 0, 0]);
    let limits = Limits::default();
    let found = reduced::search(&program, &memory, limits, &Resources::default(), |_| {});
    let found = found.expect("nothing is on disk").expect("the reduced search decides");
    let reference = search(&program, &memory, limits, |_| {});
    assert_eq!(reference.found.iter().map(|found| found.id).collect::<Vec<_>>(), [id::NULL_DEREFERENCE]);
    assert_eq!(found.hazards.keys().copied().collect::<Vec<_>>(), [id::NULL_DEREFERENCE]);
}
