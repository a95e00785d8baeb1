//! Programs with things that are alike, and programs with things that are nearly so.

use std::collections::BTreeSet;
use std::ops::ControlFlow::{Break, Continue};

use proptest::prelude::*;

use super::audit::{audit, closed};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::certificate::tests::certified;
use crate::machine::cpu::{Cpu, Step};
use crate::machine::hazard::{About, id};
use crate::machine::layout::{Cell, Field, Kind, Layout};
use crate::machine::op::{Action, End, Entry};
use crate::machine::program::Program;
use crate::machine::value::{Object, Obs, Sort};
use crate::search::reduced::remedies::{Remedies, Remedy};
use crate::search::reduced::{self, resources::Resources};
use crate::search::reference::{Limits, search};
use crate::search::tests::brute::config;
use crate::search::tests::{Boxed, agree, found};

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const THING: Sort = Sort(1);
const PTR: Cell<Option<Object>> = Cell::new(ROOT, Field(0));
const LIST: Cell<()> = Cell::new(ROOT, Field(1));
const OTHER_LIST: Cell<()> = Cell::new(ROOT, Field(2));
const KLIST: Cell<()> = Cell::new(ROOT, Field(3));
const GENERATION: Cell<()> = Cell::new(ROOT, Field(4));
const ASYNC: Cell<()> = Cell::new(ROOT, Field(5));
const OWN: Cell<()> = Cell::new(ROOT, Field(6));
const N: Cell<u8> = Cell::new(ROOT, Field(7));

const THINGS: u8 = 2;

const TASK: u8 = 0;
const LAST: u8 = 1;
const ITEM: u8 = 2;
const ASYNC_ENTRY: u8 = 3;

const fn thing(index: u8) -> Object {
    Object { sort: THING, index }
}

const fn refs(thing: Object) -> Cell<u8> {
    Cell::new(thing, Field(0))
}

const fn mutex(thing: Object) -> Cell<()> {
    Cell::new(thing, Field(1))
}

const fn flag(thing: Object) -> Cell<bool> {
    Cell::new(thing, Field(2))
}

const fn work(thing: Object) -> Cell<()> {
    Cell::new(thing, Field(3))
}

fn layout(slots: usize) -> Layout {
    let slots = slots as u8;
    let things = || (0..THINGS).map(thing);
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(PTR, "ptr", Kind::Pointer(vec![ROOT.sort, THING]));
    layout.cell(LIST, "list", Kind::List(THING, THINGS));
    layout.cell(OTHER_LIST, "other list", Kind::List(THING, THINGS));
    layout.cell(GENERATION, "generation", Kind::Generation(THING, THINGS));
    layout.cell(ASYNC, "async", Kind::Async(1));
    layout.cell(OWN, "own", Kind::PerTask(slots));
    layout.cell(N, "n", Kind::Int);
    for thing in things() {
        layout.mortal(thing, format!("thing{}", thing.index), id::USE_AFTER_FREE);
        layout.cell(refs(thing), "refs", Kind::Count);
        layout.cell(mutex(thing), format!("mutex{}", thing.index), Kind::Lock);
        layout.cell(flag(thing), "flag", Kind::Bool);
        layout.cell(work(thing), "work", Kind::Work(slots));
    }
    layout.cell(KLIST, "klist", Kind::Klist(THING, things().map(Some).collect()));
    layout
}

fn told(task: &Entry) -> Object {
    match task.args[..] {
        [Obs::Id(thing)] => thing,
        _ => unreachable!("a task is told of a thing"),
    }
}

fn of(function: u8, thing: Object) -> Entry {
    Entry { function, args: vec![Obs::Id(thing)] }
}

/// Tasks and what they spawn run a closure. It is boxed: the searches are compiled once for all tests.
struct Body<'a>(Boxed<'a>);

impl Subject for Body<'_> {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        let Body(body) = self;
        match task.function {
            ITEM => cpu.repeat((), |()| {
                cpu.step(Action::WorkStart(cpu.cell(work(told(task)))))?;
                cpu.call("work", &[], || body(cpu, task))?;
                cpu.step(Action::WorkEnd(cpu.cell(work(told(task)))))?;
                Ok(Continue(()))
            }),
            ASYNC_ENTRY => {
                cpu.call("entry", &[], || body(cpu, task))?;
                cpu.observe(Action::AsyncEnd(cpu.cell(ASYNC), 0))
            }
            _ => body(cpu, task),
        }
    }

    fn domain(&self, task: &Entry) -> Option<u8> {
        (task.function == ASYNC_ENTRY).then_some(0)
    }
}

/// Two tasks that do the same, each with its thing; then one with both.
fn program<'a>(body: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'a) -> Functions<'a> {
    program_with(body, &[])
}

/// The same with more tasks, each after others.
fn program_with<'a>(
    body: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'a,
    more: &[(Entry, &[usize])],
) -> Functions<'a> {
    let slots = 3 * usize::from(THINGS) + 1 + more.len();
    let mut program = Functions::new(layout(slots), Body(Box::new(body)));
    for index in 0..THINGS {
        program = program.task(&format!("task{index}"), of(TASK, thing(index)));
        program = program.with(refs(thing(index)), 2).alive(thing(index));
    }
    program = program.task_after("last", entry(LAST), &[0, 1]);
    for (entry, after) in more {
        program = program.task_after("more", entry.clone(), after);
    }
    for index in 0..THINGS {
        program = program.item("item", of(ITEM, thing(index)), work(thing(index)));
    }
    program.workers(usize::from(THINGS))
}

/// What is found with and without symmetry is what the reference search finds. Returns the number of
/// renamings, and of states with and without them.
fn compare(program: &Functions<'_>, memory: &[u8]) -> (usize, usize, usize) {
    let run = |no_symmetry| {
        // Which orders a sleep set leaves out depends on which representative was chosen.
        let limits = Limits { no_symmetry, without: Remedies::NONE.with(Remedy::Sleep), ..Limits::default() };
        let resources = Resources { threads: 1, ..Resources::default() };
        let found = reduced::search(program, memory, limits, &resources, |_| {});
        let found = found.expect("nothing is on disk")?;
        closed(&found.searched.expander, &found.searched.symmetry);
        let mut hazards: Vec<(&str, BTreeSet<About>)> =
            found.hazards.into_iter().map(|(id, abouts)| (id, abouts.into_iter().collect())).collect();
        hazards.sort_unstable();
        Some((found.outcome.states, hazards))
    };
    let (Some((with, hazards)), Some((without, same))) = (run(false), run(true)) else {
        assert!(run(false).is_none() && run(true).is_none());
        return (audit(program, memory, usize::MAX), 0, 0);
    };
    assert_eq!(hazards, same);
    let reference = search(program, memory, Limits::default(), |_| {});
    let counts: Vec<(&str, usize)> = hazards.iter().map(|(id, abouts)| (*id, abouts.len())).collect();
    assert_eq!(counts, found(&reference), "with symmetry and without reduction");
    (audit(program, memory, usize::MAX), with, without)
}

/// Two things that are alike: the hazards, and fewer states if any have to be stored.
fn alike(program: &Functions<'_>, expected: &[(&str, usize)]) {
    let outcome = search(program, &program.memory(), Limits::default(), |_| {});
    let found: Vec<(&str, usize)> = outcome.found.iter().map(|found| (found.id, found.others)).collect();
    assert_eq!(found, expected);
    agree(program, &outcome);
    let (renamings, with, without) = compare(program, &program.memory());
    assert_eq!(renamings, 1, "the two things take each other's places");
    certified(program, &program.memory());
    assert!(with < without || without < 4, "{with} states stand for {without}");
}

/// Things that are nearly alike: nothing is saved.
fn not_alike(program: &Functions<'_>, memory: &[u8]) {
    let (renamings, with, without) = compare(program, memory);
    assert_eq!((renamings, with), (0, without));
    if let Some(certificate) = certified(program, memory) {
        assert_eq!(certificate.renamings, []);
    }
}

fn set(cpu: &Cpu<'_>, object: Object) -> Step<()> {
    cpu.store(flag(object), true)
}

#[test]
fn pointers_and_mutexes() {
    let cross = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let own = told(task);
        cpu.lock(mutex(own))?;
        let other = cpu.load(PTR)?;
        cpu.store(PTR, Some(own))?;
        if let Some(other) = other {
            cpu.lock(mutex(other))?;
            set(cpu, other)?;
            cpu.unlock(mutex(other))?;
        }
        cpu.unlock(mutex(own))
    });
    alike(&cross, &[]);
    let cycle = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let own = told(task);
        cpu.lock(mutex(own))?;
        cpu.lock(mutex(thing(1 - own.index)))?;
        cpu.unlock(mutex(thing(1 - own.index)))?;
        cpu.unlock(mutex(own))
    });
    alike(&cycle, &[(id::DEADLOCK, 0)]);
}

#[test]
fn others_are_counted_as_without_symmetry() {
    let freed = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let own = told(task);
        cpu.observe::<bool>(Action::Put(cpu.cell(refs(own))))?;
        if let Some(other) = cpu.load(PTR)? {
            cpu.observe::<bool>(Action::Put(cpu.cell(refs(other))))?;
            cpu.touch(other)?;
        }
        cpu.store(PTR, Some(own))?;
        cpu.touch(own)
    });
    alike(&freed, &[(id::USE_AFTER_FREE, 1)]);
}

#[test]
fn lists() {
    let body = program(|cpu, task| {
        let [list, unless_on] = [LIST, OTHER_LIST].map(|list| cpu.cell(list));
        if task.function != TASK {
            return Ok(());
        }
        let own = told(task);
        cpu.observe::<bool>(Action::ListAdd { list, unless_on, member: own, at: End::First })?;
        cpu.observe::<Option<Object>>(Action::ListPrev(list, unless_on, None))?;
        let first: Option<Object> = cpu.observe(Action::ListPop(list))?;
        if let Some(first) = first {
            cpu.store(PTR, Some(first))?;
            let (list, unless_on) = (unless_on, list);
            cpu.observe::<bool>(Action::ListAdd { list, unless_on, member: first, at: End::Last })?;
        }
        cpu.step(Action::ListSplice(unless_on, list))?;
        cpu.observe::<bool>(Action::ListDel(list, unless_on, own)).map(|_| ())
    });
    alike(&body, &[]);
}

#[test]
fn klists() {
    let body = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let (klist, own) = (cpu.cell(KLIST), told(task));
        cpu.step(Action::KlistAdd(klist, own))?;
        let iter = cpu.klist_next(cpu.klist_iter_init(KLIST))?;
        if let Some(node) = iter.node() {
            cpu.store(PTR, Some(thing(node)))?;
        }
        let iter = cpu.klist_next(iter)?;
        cpu.klist_iter_exit(iter)?;
        cpu.observe::<bool>(Action::KlistDel(klist, own))?;
        cpu.step(Action::KlistAwait(klist, own)).map(|_| ())
    });
    alike(&body, &[]);
}

#[test]
fn generations() {
    let body = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let (generation, own) = (cpu.cell(GENERATION), told(task));
        cpu.step(Action::Sample(generation, own.index))?;
        cpu.step(Action::Bump(generation, vec![own.index]))?;
        if cpu.observe(Action::Moved(generation, own.index))? {
            cpu.store(PTR, Some(own))?;
        }
        cpu.step(Action::Sample(generation, own.index))?;
        cpu.step(Action::Net(generation, true)).map(|_| ())
    });
    alike(&body, &[]);
}

#[test]
fn work_items() {
    let body = program(|cpu, task| {
        let own = match task.function {
            LAST => return Ok(()),
            ITEM => return cpu.store(PTR, Some(told(task))),
            _ => told(task),
        };
        let first = cpu.load(PTR)?.unwrap_or(own);
        cpu.queue_work(work(first))?;
        cpu.flush_work(work(own))?;
        cpu.lock(mutex(first))?;
        cpu.cancel_work_sync(work(first))?;
        cpu.unlock(mutex(first))
    });
    alike(&body, &[]);
}

#[test]
fn spawned_tasks() {
    let body = program(|cpu, task| {
        let lists = cpu.cell(ASYNC);
        let own = match task.function {
            ASYNC_ENTRY => {
                cpu.lock(mutex(told(task)))?;
                if cpu.observe(Action::TestOwn(cpu.cell(OWN)))? {
                    cpu.store(PTR, Some(told(task)))?;
                }
                return cpu.unlock(mutex(told(task)));
            }
            TASK => told(task),
            _ => return cpu.step(Action::AsyncAwait(lists, None)).map(|_| ()),
        };
        // The task with the other thing decides whether the flag is set.
        let mark = cpu.load(PTR)?.is_none().then_some(cpu.cell(OWN));
        let entry = of(ASYNC_ENTRY, own);
        cpu.step(Action::AsyncSchedule { lists, domain: 0, entry, mark })?;
        cpu.step(Action::SetOwn(cpu.cell(OWN), true))?;
        let found = cpu.load(PTR)?;
        cpu.step(Action::AsyncAwait(lists, Some(0)))?;
        cpu.touch(found.unwrap_or(own))
    });
    alike(&body, &[]);
}

/// So many tasks that do the same.
fn equal(
    n: usize,
    body: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'static,
) -> Functions<'static> {
    let program = Functions::new(layout(n), Body(Box::new(body)));
    (0..n).fold(program, |program, i| program.task(&format!("t{i}"), entry(TASK)))
}

#[test]
fn equal_tasks_without_things_are_alike() {
    let tasks = |n: usize| {
        equal(n, |cpu, _| {
            cpu.repeat(0u8, |turn| {
                let n = cpu.load(N)?;
                cpu.store(N, n + 1)?;
                Ok(if turn == 1 { Break(()) } else { Continue(turn + 1) })
            })
        })
    };
    assert_eq!(compare(&tasks(1), &tasks(1).memory()).0, 0);
    let (renamings, with, without) = compare(&tasks(3), &tasks(3).memory());
    assert_eq!(renamings, 5);
    assert!(with * 6 >= without && with * 4 < without, "{with} states stand for {without}");
}

#[test]
fn many_alike_tasks_are_sorted_not_tried_in_all_orders() {
    let states = |n: usize, no_symmetry: bool| {
        let program = equal(n, |cpu, _| (1..=3).try_for_each(|n| cpu.store(N, n)));
        let limits = Limits { no_symmetry, all_orders: true, ..Limits::default() };
        let resources = Resources { threads: 1, ..Resources::default() };
        let found = reduced::search(&program, &program.memory(), limits, &resources, |_| {});
        let found = found.expect("nothing is on disk").expect("no state comes back");
        (found.searched.symmetry.elements.len(), found.outcome.states)
    };
    assert_eq!(states(3, false).0, 5, "all renamings");
    let (generators, with) = states(7, false);
    assert_eq!(generators, 21, "the swaps of two tasks");
    let (_, without) = states(7, true);
    assert!(with * 50 < without, "{with} states stand for {without}");
}

/// Tasks whose order matters.
fn racing(more: &[(Entry, &[usize])]) -> Functions<'static> {
    let body = |cpu: &Cpu<'_>, task: &Entry| {
        if task.function != TASK {
            return Ok(());
        }
        let found = cpu.load(PTR)?;
        set(cpu, found.unwrap_or(told(task)))?;
        cpu.store(PTR, Some(told(task)))?;
        cpu.load(N).map(|_| ())
    };
    program_with(body, more)
}

#[test]
fn what_differs_in_memory_tasks_or_code_is_not_alike() {
    let all = racing(&[]);
    alike(&all, &[]);
    let flagged = racing(&[]).with(flag(thing(1)), true);
    not_alike(&flagged, &flagged.memory());
    let mut ordered = all.memory();
    let list = all.layout().info(all.layout().find(LIST)).range();
    ordered[list].copy_from_slice(&[2, 1, 0]);
    not_alike(&all, &ordered);
    let pointing = racing(&[]).with(PTR, Some(thing(0)));
    not_alike(&pointing, &pointing.memory());
    // One more task, for one of them.
    let more = racing(&[(of(LAST, thing(0)), &[])]);
    not_alike(&more, &more.memory());
    // A task that only one of them precedes.
    let after = racing(&[(entry(LAST), &[0])]);
    not_alike(&after, &after.memory());
    // Code that tells them apart, some steps later.
    let told_apart = program(|cpu, task| {
        if task.function != TASK {
            return Ok(());
        }
        let n = cpu.load(N)?;
        cpu.store(N, n + 1)?;
        if n == 1 && told(task) == thing(1) {
            cpu.store(N, 5)?;
        }
        Ok(())
    });
    not_alike(&told_apart, &told_apart.memory());
    // ... and code that goes the same way and only writes something else.
    let writes = program(|cpu, task| match task.function {
        TASK => {
            cpu.load(PTR)?;
            cpu.store(N, 4 + told(task).index)
        }
        _ => Ok(()),
    });
    not_alike(&writes, &writes.memory());
}

/// What random tasks do.
#[derive(Clone, Copy, Debug)]
enum Instr {
    /// With the task's own thing, or the one that `PTR` points at, if any.
    Lock(bool),
    Unlock(bool),
    Put(bool),
    Touch(bool),
    Set(bool),
    /// Ends the task unless the flag is set.
    If(bool),
    Point,
    Clear,
    /// Appends the own thing to the list.
    Append,
    /// Points at the first of the list.
    Pop,
    Choose,
    Spawn,
    Synchronize,
    Queue(bool),
    Flush(bool),
}

fn run(cpu: &Cpu<'_>, own: Object, instrs: &[Instr]) -> Step<()> {
    let [list, unless_on] = [LIST, OTHER_LIST].map(|list| cpu.cell(list));
    for instr in instrs {
        let at = |mine: bool| if mine { Ok(Some(own)) } else { cpu.load(PTR) };
        match *instr {
            Instr::Point => cpu.store(PTR, Some(own))?,
            Instr::Clear => cpu.store(PTR, None)?,
            Instr::Append => {
                cpu.step(Action::ListAdd { list, unless_on, member: own, at: End::Last })?;
            }
            Instr::Pop => cpu.store(PTR, cpu.observe(Action::ListPop(list))?)?,
            Instr::Choose if cpu.choose(2)? == 1 => return Ok(()),
            Instr::Choose => {}
            Instr::Spawn => {
                let (lists, entry) = (cpu.cell(ASYNC), of(ASYNC_ENTRY, own));
                cpu.step(Action::AsyncSchedule { lists, domain: 0, entry, mark: None })?;
            }
            Instr::Synchronize => drop(cpu.step(Action::AsyncAwait(cpu.cell(ASYNC), None))?),
            Instr::Lock(mine)
            | Instr::Unlock(mine)
            | Instr::Put(mine)
            | Instr::Touch(mine)
            | Instr::Set(mine)
            | Instr::If(mine)
            | Instr::Queue(mine)
            | Instr::Flush(mine) => {
                let Some(thing) = at(mine)? else { continue };
                match instr {
                    Instr::Lock(_) => cpu.lock(mutex(thing))?,
                    Instr::Unlock(_) => cpu.unlock(mutex(thing))?,
                    Instr::Put(_) => drop(cpu.observe::<bool>(Action::Put(cpu.cell(refs(thing))))?),
                    Instr::Touch(_) => cpu.touch(thing)?,
                    Instr::Set(_) => set(cpu, thing)?,
                    Instr::Queue(_) => drop(cpu.queue_work(work(thing))?),
                    Instr::Flush(_) => drop(cpu.flush_work(work(thing))?),
                    _ if !cpu.load(flag(thing))? => return Ok(()),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

fn instr() -> impl Strategy<Value = Instr> {
    let any = any::<bool>;
    prop_oneof![
        3 => any().prop_map(Instr::Lock),
        3 => any().prop_map(Instr::Unlock),
        2 => any().prop_map(Instr::Put),
        1 => any().prop_map(Instr::Touch),
        1 => any().prop_map(Instr::Set),
        1 => any().prop_map(Instr::If),
        3 => Just(Instr::Point),
        1 => Just(Instr::Clear),
        1 => Just(Instr::Append),
        1 => Just(Instr::Pop),
        1 => Just(Instr::Choose),
        1 => any().prop_map(Instr::Queue),
    ]
}

fn waits() -> impl Strategy<Value = Instr> {
    prop_oneof![Just(Instr::Spawn), Just(Instr::Synchronize), any::<bool>().prop_map(Instr::Flush)]
}

proptest! {
    #![proptest_config(config(400))]

    /// Whatever two tasks with a thing each do, what they spawn and what their items do.
    #[test]
    fn random_programs_have_the_same_hazards(
        mut task in prop::collection::vec(instr(), 1..=5),
        wait in prop::collection::vec((waits(), 0..6usize), 0..=2),
        item in prop::collection::vec(instr(), 0..=2),
        spawned in prop::collection::vec(instr(), 0..=3),
    ) {
        for (wait, at) in wait {
            task.insert(at.min(task.len()), wait);
        }
        let body = |cpu: &Cpu<'_>, entry: &Entry| match entry.function {
            TASK => run(cpu, told(entry), &task),
            ITEM => run(cpu, told(entry), &item),
            ASYNC_ENTRY => run(cpu, told(entry), &spawned),
            _ => Ok(()),
        };
        let program = program(body);
        compare(&program, &program.memory());
    }
}
