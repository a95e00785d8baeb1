//! The default search against the reference search, on random programs that use every action of the machine.
//! Whatever the rules of what commutes, what waits and what a step touches say wrongly shows here: hazards
//! differ, two orders of two steps differ ([`audit_orders`]), or an effect is not within its footprint.

use std::ops::ControlFlow::{Break, Continue};

use proptest::prelude::*;

use super::among::among;
use super::brute::config;
use super::{A, ASYNC, B, COUNT, Check, ENTRIES, FLAG, INSIDE, ITEM, LIST, N, OWN, PTR, WORK};
use super::{do_, must, refs, schedule, synchronize, telling, thing, toy};
use crate::automaton::functions::Functions;
use crate::certificate::tests::certified;
use crate::export::tests::exported;
use crate::machine::cpu::{Cpu, Held, KlistIter, Step};
use crate::machine::layout::Cell;
use crate::machine::op::{Action, Op};
use crate::machine::value::{Datum, Obs};
use crate::search::reduced::{self, audit_orders, resources::Resources};
use crate::search::reference::{Limits, search};

/// What a random task does.
#[derive(Clone, Copy, Debug)]
enum Instr {
    Lock(u8),
    Unlock(u8),
    /// Skips the next one if the mutex is not free; unlocks after it otherwise.
    Try(u8),
    /// Stores under a mutex.
    Under(u8),
    Store(u8),
    /// Must not find this number.
    Check(u8),
    Flag(bool),
    /// Goes on if the flag is set.
    If,
    Get(u8),
    Put(u8),
    Up,
    Down,
    /// If the flag is set, counts up and down again.
    Enter,
    AwaitZero,
    AwaitFlag,
    AwaitAny,
    Swap,
    Point(u8),
    Follow,
    Add(u8),
    Del(u8),
    Walk,
    Last,
    Find(u8),
    Touch(u8),
    Free(u8),
    /// Frees it and makes it anew.
    Renew(u8),
    /// With a flag for the task that is started.
    Schedule(bool),
    Synchronize,
    Queue,
    Flush,
    Cancel,
    Own(bool),
    NeedOwn,
    MayEnd,
    /// Tells the checks: all flags are marked, or none may be marked.
    Mark,
    Look,
}

fn mutex(which: u8) -> Cell<()> {
    [A, B, INSIDE][usize::from(which)]
}

fn put(cpu: &Cpu<'_>, which: u8) -> Step<()> {
    cpu.observe::<bool>(Action::Put(cpu.cell(refs(which)))).map(|_| ())
}

/// Passes a node: what it left may have died.
fn walk(cpu: &Cpu<'_>) -> Step<()> {
    cpu.repeat(cpu.klist_iter_init(LIST), |iter: KlistIter| {
        let iter = cpu.klist_next(iter)?;
        Ok(if iter.node().is_none() { Break(()) } else { Continue(iter) })
    })
}

fn run(cpu: &Cpu<'_>, instrs: &[Instr]) -> Step<()> {
    let mut skip = false;
    for (at, instr) in instrs.iter().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        match *instr {
            Instr::Lock(which) => cpu.lock(mutex(which))?,
            Instr::Unlock(which) => cpu.unlock(mutex(which))?,
            Instr::Try(which) => {
                let lock = cpu.cell(mutex(which));
                if cpu.observe(Action::TryLock(lock))? {
                    run(cpu, instrs.get(at + 1..at + 2).unwrap_or_default())?;
                    cpu.unlock(mutex(which))?;
                }
                skip = true;
            }
            Instr::Under(which) => {
                let store = cpu.storing(N, which);
                cpu.step(Op::from(store).under(cpu.cell(mutex(which))))?;
            }
            Instr::Store(n) => cpu.store(N, n)?,
            Instr::Check(n) => must(cpu, cpu.load(N)? != n)?,
            Instr::Flag(flag) => cpu.store(FLAG, flag)?,
            Instr::If if !cpu.load(FLAG)? => return Ok(()),
            Instr::If => {}
            Instr::Get(which) => do_(cpu, Action::Get(cpu.cell(refs(which))))?,
            Instr::Put(which) => put(cpu, which)?,
            Instr::Up => do_(cpu, Action::Get(cpu.cell(COUNT)))?,
            Instr::Down => {
                let last: bool = cpu.observe(Action::Dec(cpu.cell(COUNT)))?;
                if last {
                    cpu.store(N, 3)?;
                }
            }
            Instr::Enter => {
                let entered = cpu.step(Action::EnterIf(cpu.cell(FLAG), cpu.cell(COUNT)))?;
                if Held::from_obs(entered).is_some() {
                    let leave = vec![Action::Dec(cpu.cell(COUNT)), Action::Release(cpu.cell(COUNT))];
                    cpu.step(leave)?;
                }
            }
            Instr::AwaitZero => do_(cpu, Action::AwaitZero(cpu.cell(COUNT)))?,
            Instr::AwaitFlag => do_(cpu, Action::AwaitNot(cpu.cell(FLAG), false.to_obs()))?,
            Instr::AwaitAny => {
                let all = vec![(cpu.cell(FLAG), false.to_obs()), (cpu.cell(N), Obs::Int(0))];
                do_(cpu, Action::AwaitAny(all))?;
            }
            Instr::Swap => {
                let swapped = cpu.step(Action::Swap(cpu.cell(N), Obs::Int(0), Obs::Int(2)))?;
                if Held::from_obs(swapped).is_some() {
                    let back = vec![cpu.storing(N, 0), Action::Release(cpu.cell(N))];
                    cpu.step(back)?;
                }
            }
            Instr::Point(which) => cpu.store(PTR, Some(thing(which)))?,
            Instr::Follow => cpu.follow(PTR).map(|_| ())?,
            Instr::Add(which) => do_(cpu, Action::KlistAdd(cpu.cell(LIST), thing(which)))?,
            Instr::Del(which) => {
                cpu.observe::<bool>(Action::KlistDel(cpu.cell(LIST), thing(which)))?;
            }
            Instr::Walk => walk(cpu)?,
            Instr::Last => {
                let last = cpu.step(Action::KlistLast(cpu.cell(LIST), refs(0).field))?;
                if let Obs::Id(found) = last {
                    put(cpu, found.index)?;
                }
            }
            Instr::Find(which) => {
                let find = Action::KlistFind(cpu.cell(LIST), thing(which), refs(0).field);
                if cpu.observe(find)? {
                    put(cpu, which)?;
                }
            }
            Instr::Touch(which) => cpu.touch(thing(which))?,
            Instr::Free(which) => do_(cpu, Action::Free(thing(which)))?,
            Instr::Renew(which) => {
                do_(cpu, Action::Free(thing(which)))?;
                do_(cpu, Action::Alloc(thing(which)))?;
                do_(cpu, Action::Get(cpu.cell(refs(which))))?;
            }
            Instr::Schedule(false) => schedule(cpu, ENTRIES)?,
            Instr::Schedule(true) => {
                let (lists, mark) = (cpu.cell(ASYNC), Some(cpu.cell(OWN)));
                let entry = crate::automaton::functions::entry(ENTRIES);
                do_(cpu, Action::AsyncSchedule { lists, domain: 0, entry, mark })?;
            }
            Instr::Synchronize => synchronize(cpu)?,
            Instr::Queue => cpu.queue_work(WORK).map(|_| ())?,
            Instr::Flush => cpu.flush_work(WORK).map(|_| ())?,
            Instr::Cancel => cpu.cancel_work_sync(WORK).map(|_| ())?,
            Instr::Own(flag) => do_(cpu, Action::SetOwn(cpu.cell(OWN), flag))?,
            Instr::NeedOwn => must(cpu, cpu.observe(Action::TestOwn(cpu.cell(OWN)))?)?,
            Instr::MayEnd if cpu.choose(2)? == 1 => return Ok(()),
            Instr::MayEnd => {}
            Instr::Mark | Instr::Look => {
                let check = if matches!(instr, Instr::Mark) { Check::Mark } else { Check::Unmarked };
                cpu.step(telling(Action::Load(cpu.cell(N)), check))?;
            }
        }
    }
    Ok(())
}

fn instr() -> impl Strategy<Value = Instr> {
    let which = || 0..2u8;
    let flag = any::<bool>;
    prop_oneof![
        3 => (0..3u8).prop_map(Instr::Lock),
        3 => (0..3u8).prop_map(Instr::Unlock),
        2 => (0..3u8).prop_map(Instr::Try),
        1 => (0..3u8).prop_map(Instr::Under),
        2 => (0..4u8).prop_map(Instr::Store),
        2 => (1..4u8).prop_map(Instr::Check),
        2 => flag().prop_map(Instr::Flag),
        1 => Just(Instr::If),
        3 => which().prop_map(Instr::Get),
        3 => which().prop_map(Instr::Put),
        3 => Just(Instr::Up),
        3 => Just(Instr::Down),
        2 => Just(Instr::Enter),
        1 => Just(Instr::AwaitZero),
        1 => Just(Instr::AwaitFlag),
        1 => Just(Instr::AwaitAny),
        1 => Just(Instr::Swap),
        1 => which().prop_map(Instr::Point),
        1 => Just(Instr::Follow),
        2 => which().prop_map(Instr::Add),
        1 => which().prop_map(Instr::Del),
        1 => Just(Instr::Walk),
        1 => Just(Instr::Last),
        1 => which().prop_map(Instr::Find),
        1 => which().prop_map(Instr::Touch),
        1 => which().prop_map(Instr::Free),
        1 => which().prop_map(Instr::Renew),
        3 => flag().prop_map(Instr::Schedule),
        1 => Just(Instr::Synchronize),
        1 => Just(Instr::Queue),
        1 => Just(Instr::Flush),
        1 => Just(Instr::Cancel),
        1 => flag().prop_map(Instr::Own),
        1 => Just(Instr::NeedOwn),
        1 => Just(Instr::MayEnd),
        2 => Just(Instr::Mark),
        2 => Just(Instr::Look),
    ]
}

/// The default search finds what the reference search finds, and what commutes does so.
fn compare(program: &Functions<'_>) -> Result<(), TestCaseError> {
    let limits = Limits { state_limit: Some(20_000), ..Limits::default() };
    let reference = search(program, &program.memory(), limits, |_| {});
    if reference.cut.is_some() {
        return Ok(());
    }
    let expected = super::found(&reference);
    let resources = Resources { threads: 1, ..Resources::default() };
    let found = reduced::search(program, &program.memory(), Limits::default(), &resources, |_| {});
    if let Some(found) = found.expect("nothing is on disk") {
        prop_assert_eq!(super::counted(&found), expected);
    }
    among(program, &program.memory());
    audit_orders(program, &program.memory(), 300);
    certified(program, &program.memory());
    exported(program, &program.memory());
    Ok(())
}

/// Tasks, what a task that they start does, and the work item. `starts`: a flag and a count.
fn random<'a>(
    tasks: &'a [Vec<Instr>],
    entry: &'a [Instr],
    item: &'a [Instr],
    starts: (bool, u8),
) -> Functions<'a> {
    let program = toy(tasks.len() as u8, 2, |cpu, me| match me {
        ITEM => run(cpu, item),
        ENTRIES.. => run(cpu, entry),
        task => run(cpu, &tasks[usize::from(task)]),
    });
    program.with(FLAG, starts.0).with(COUNT, starts.1).with(refs(1), 2)
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_programs_of_all_actions_have_the_same_hazards(
        tasks in prop::collection::vec(prop::collection::vec(instr(), 1..=4), 2..=3),
        entry in prop::collection::vec(instr(), 0..=2),
        item in prop::collection::vec(instr(), 0..=2),
        flag in any::<bool>(),
        count in 0..3u8,
    ) {
        compare(&random(&tasks, &entry, &item, (flag, count)))?;
    }
}

/// Instructions that have to do with each other: few kinds, so that they meet often.
fn families() -> Vec<Vec<Instr>> {
    use Instr::{
        Add, AwaitAny, AwaitFlag, AwaitZero, Cancel, Check, Del, Down, Enter, Find, Flag, Flush, Follow,
        Free, Get, If, Last, Lock, Look, Mark, MayEnd, NeedOwn, Own, Point, Put, Queue, Renew, Schedule,
        Store, Swap, Synchronize, Touch, Try, Under, Unlock, Up, Walk,
    };
    let tell = [Store(0), Store(1), Check(1), Flag(true), If];
    let objects =
        [Get(0), Put(0), Touch(0), Free(0), Renew(0), Point(0), Follow, Add(0), Del(0), Last, Find(0)];
    let neighbours = [Add(0), Add(1), Del(0), Del(1), Free(0), Free(1), Walk, Last, Find(0), Find(1), MayEnd];
    let mutexes =
        [Lock(2), Unlock(2), Try(2), Lock(0), Unlock(0), Under(0), Under(2), Free(0), Renew(0), Put(0)];
    let counts = [Up, Up, Down, Down, Enter, AwaitZero, AwaitAny, AwaitFlag, Flag(false), Swap];
    let references = [Get(0), Get(0), Put(0), Put(0), Get(1), Put(1), Touch(0), Last, Find(0), Add(0)];
    let work = [Queue, Flush, Cancel, AwaitFlag, Flag(false), Lock(0), Unlock(0), MayEnd];
    let tasks =
        [Schedule(false), Schedule(true), Synchronize, Own(true), Own(false), NeedOwn, Mark, Look, MayEnd];
    let kinds: [&[Instr]; 7] = [&objects, &neighbours, &mutexes, &counts, &references, &work, &tasks];
    kinds.iter().map(|kind| [kind, &tell[..]].concat()).collect()
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_programs_of_few_actions_have_the_same_hazards(
        (tasks, entry, item) in prop::sample::select(families()).prop_flat_map(|family| {
            let some = |sizes: std::ops::RangeInclusive<usize>| {
                prop::collection::vec(prop::sample::select(family.clone()), sizes)
            };
            (prop::collection::vec(some(1..=4), 2..=3), some(0..=2), some(0..=2))
        }),
        flag in any::<bool>(),
        count in 0..3u8,
    ) {
        compare(&random(&tasks, &entry, &item, (flag, count)))?;
    }
}
