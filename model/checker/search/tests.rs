//! Tests of the searches, and of what the machine can do, on programs that know no subject.

mod among;
pub(super) mod brute;
mod facts;
mod finer;
mod orders;
mod random;
mod wild;

use std::ops::ControlFlow::{Break, Continue};

use super::reduced::resources::Resources;
use super::reference::{Cut, Found, Limits, Outcome, search};
use super::system::System;
use super::{exhaustive, reduced};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::automaton::tests::repeatable;
use crate::machine::cpu::{Cpu, Step};
use crate::machine::effect::apply;
use crate::machine::hazard::{About, Hazard, id};
use crate::machine::klist;
use crate::machine::layout::{Cell, CellId, Field, Kind, Layout, Part};
use crate::machine::op::{Access, Action, Entry, Event, Op, Touch};
use crate::machine::program::Program;
use crate::machine::step::Bound;
use crate::machine::value::{Object, Obs, Sort};
use crate::render::{DiagramOptions, diagram};
use crate::story::{Ending, Story, Turn, WaitFor, replay};

/// Replays what was found; it must show its hazard again.
pub(super) fn replayed(program: &Functions<'_>, found: &Found) -> Story {
    let turn = |choice: &super::system::Choice| Turn { slot: choice.slot, outcome: choice.outcome };
    let schedule: Vec<Turn> = found.schedule.iter().map(turn).collect();
    let at_rest = found.at_rest.as_ref().map(|hazard| hazard.id);
    let story = replay(program, &schedule, at_rest.map_or(Ending::Step, Ending::AtRest))
        .expect("a trace can be replayed");
    assert_eq!(story.hazard.as_ref().map(|hazard| hazard.id.as_str()), Some(found.id), "{story:?}");
    story
}

/// The hazards of a reduced search, and how many things each is about.
pub(super) fn counted<P: Program>(found: &reduced::Reduced<'_, P>) -> Vec<(&'static str, usize)> {
    let mut ids: Vec<_> = found.hazards.iter().map(|(id, abouts)| (*id, abouts.len())).collect();
    ids.sort_unstable();
    ids
}

/// Those of a search of all states.
pub(super) fn found(outcome: &Outcome) -> Vec<(&'static str, usize)> {
    outcome.found.iter().map(|found| (found.id, found.others + 1)).collect()
}

/// The packed search does what the reference search does, to the last step of each run.
pub(super) fn agree(program: &Functions<'_>, outcome: &Outcome) {
    let mut packed = exhaustive::search(program, &program.memory(), Limits::default(), |_| {});
    packed.bytes = outcome.bytes;
    assert_eq!(format!("{packed:?}"), format!("{outcome:?}"));
    let resources = Resources { threads: 1, ..Resources::default() };
    let reduced = reduced::search(program, &program.memory(), Limits::default(), &resources, |_| {});
    let Some(reduced) = reduced.expect("nothing is on disk") else { return };
    assert_eq!(counted(&reduced), found(outcome), "with and without reduction");
    // After a deadlock only the reduced search goes on.
    assert!(reduced.outcome.states <= outcome.states || reduced.hazards.contains_key(id::DEADLOCK));
    among::among(program, &program.memory());
}

/// Walks all states: no step writes outside its footprint, and all functions can be run again.
pub(super) fn walk(program: &Functions<'_>) {
    let layout = program.layout();
    let mut system = System::new(program);
    let mut states = indexmap::IndexSet::from([system.initial(&program.memory())]);
    let mut choices = Vec::new();
    let mut index = 0;
    while let Some(state) = states.get_index(index).cloned() {
        index += 1;
        system.enabled(&state, &mut choices);
        for choice in &choices {
            let op = system.next(&state, choice.slot).expect("an enabled step");
            let footprint = op.footprint(layout);
            assert!(op.guards().all(|guard| footprint.iter().any(|(cell, _)| *cell == guard)));
            let mut memory = state.memory().to_vec();
            if apply(layout, &mut memory, choice.slot, op, choice.outcome).is_ok() {
                for (cell, info) in layout.ids().zip(layout.cells()) {
                    let own = layout.of_slot(cell, choice.slot);
                    let changed = info.range().any(|i| memory[i] != state.memory()[i] && Some(i) != own);
                    assert!(!changed || footprint.contains(&(cell, Access::Write)), "{op:?}: {}", info.name);
                }
            }
            if let Ok(moved) = system.step(&state, *choice)
                && system.deadlocked(&moved.state).is_empty()
            {
                states.insert(moved.state);
            }
        }
    }
    repeatable(system.automaton());
}

/// Searches twice, replays what was found, and compares the hazards and their steps.
pub(super) fn check(program: &Functions<'_>, expected: &[(&str, usize)]) -> Outcome {
    let run = || search(program, &program.memory(), Limits::default(), |_| {});
    let outcome = run();
    assert_eq!(format!("{outcome:?}"), format!("{:?}", run()), "two searches of one program");
    let found: Vec<(&str, usize)> =
        outcome.found.iter().map(|found| (found.id, found.schedule.len())).collect();
    assert_eq!(found, expected, "{outcome:?}");
    for found in &outcome.found {
        replayed(program, found);
    }
    assert_eq!(outcome.cut, None);
    walk(program);
    agree(program, &outcome);
    outcome
}

pub(super) const ROOT: Object = Object { sort: Sort(0), index: 0 };
pub(super) const A: Cell<()> = Cell::new(ROOT, Field(0));
pub(super) const B: Cell<()> = Cell::new(ROOT, Field(1));
pub(super) const N: Cell<u8> = Cell::new(ROOT, Field(2));
pub(super) const FLAG: Cell<bool> = Cell::new(ROOT, Field(3));
pub(super) const PTR: Cell<Option<Object>> = Cell::new(ROOT, Field(4));
pub(super) const COUNT: Cell<u8> = Cell::new(ROOT, Field(5));
pub(super) const LIST: Cell<()> = Cell::new(ROOT, Field(6));
pub(super) const ASYNC: Cell<()> = Cell::new(ROOT, Field(7));
pub(super) const WORK: Cell<()> = Cell::new(ROOT, Field(8));
pub(super) const OWN: Cell<bool> = Cell::new(ROOT, Field(9));
/// Two `list_head`s for the things.
pub(super) const HEADS: [Cell<()>; 2] = [Cell::new(ROOT, Field(10)), Cell::new(ROOT, Field(11))];

/// Two things that can be freed, each with a reference count, and on `LIST` each with a node.
pub(super) const fn thing(index: u8) -> Object {
    Object { sort: Sort(1), index }
}

pub(super) const fn refs(index: u8) -> Cell<u8> {
    Cell::new(thing(index), Field(0))
}

/// A mutex inside the first thing.
pub(super) const INSIDE: Cell<()> = Cell::new(thing(0), Field(1));

/// The hazard that checks find.
pub(super) const CHECKED: &str = "checked";

/// A klist inside the first thing.
pub(super) const NODES: Cell<()> = Cell::new(thing(0), Field(2));

/// Functions of spawned tasks, which are async entries, begin here.
pub(super) const ENTRIES: u8 = 10;
/// What a worker of `WORK` runs.
pub(super) const ITEM: u8 = 9;

/// What tasks do, each told which of them it is. One type for all, so that the searches are compiled once.
type Body<'a> = Box<dyn Fn(&Cpu<'_>, u8) -> Step<()> + Send + Sync + 'a>;

/// What checks do when they are told of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Marks all flags of `OWN`.
    Mark,
    /// No flag may be marked.
    Unmarked,
    /// Counts `N` up if it is not zero.
    Grow,
    /// Nothing may be on the first of `HEADS`.
    Empty,
    /// The second thing may not be on `LIST`.
    Unlinked,
    /// A warning, whatever is.
    Warn,
}

impl Check {
    const ALL: [Check; 6] =
        [Check::Mark, Check::Unmarked, Check::Grow, Check::Empty, Check::Unlinked, Check::Warn];

    /// What it looks at, and how.
    fn touches(self) -> (usize, Touch) {
        match self {
            Check::Mark => (0, Touch::Write),
            Check::Unmarked => (0, Touch::Read),
            Check::Grow => (1, Touch::Write),
            Check::Empty => (2, Touch::Read),
            Check::Unlinked => (3, Touch::Read),
            Check::Warn => (0, Touch::Read),
        }
    }
}

/// A step that tells a check.
pub(super) fn telling(action: Action, check: Check) -> Op {
    Op::from(action).telling(Event { kind: check as u8, args: [Obs::None; 3] })
}

const MARKED: u8 = 2;

pub(super) struct Toy<'a> {
    body: Body<'a>,
    /// What checks look at (`OWN`, `N`, the first of `HEADS`, `LIST`), and where it is.
    checked: [(CellId, std::ops::Range<usize>); 4],
    /// What `N` must be at rest.
    at_rest: Option<u8>,
}

impl Subject for Toy<'_> {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        match task.function {
            ITEM => cpu.repeat((), |()| {
                cpu.step(Action::WorkStart(cpu.cell(WORK)))?;
                cpu.call("work", &[], || (self.body)(cpu, ITEM))?;
                cpu.step(Action::WorkEnd(cpu.cell(WORK)))?;
                Ok(Continue(()))
            }),
            ENTRIES.. => {
                cpu.call("entry", &[], || (self.body)(cpu, task.function))?;
                cpu.observe(Action::AsyncEnd(cpu.cell(ASYNC), 0))
            }
            other => (self.body)(cpu, other),
        }
    }

    fn domain(&self, task: &Entry) -> Option<u8> {
        (task.function >= ENTRIES).then_some(0)
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        let (place, touch) = Check::ALL[usize::from(event.kind)].touches();
        vec![(self.checked[place].0, Part::Whole, touch)]
    }

    fn event(&self, event: &Event, _observed: Obs, memory: &mut [u8]) -> Result<(), Hazard> {
        let check = Check::ALL[usize::from(event.kind)];
        let bytes = &mut memory[self.checked[check.touches().0].1.clone()];
        let fine = match check {
            Check::Mark => {
                bytes.iter_mut().filter(|flag| **flag != 0).for_each(|flag| *flag |= MARKED);
                true
            }
            Check::Unmarked => bytes.iter().all(|flag| flag & MARKED == 0),
            Check::Grow => {
                bytes[0] += u8::from(bytes[0] != 0);
                true
            }
            Check::Empty => bytes[0] == 0,
            Check::Unlinked => !klist::linked(bytes, 1),
            Check::Warn => false,
        };
        let hazard = if check == Check::Warn { id::WARNING } else { CHECKED };
        fine.then_some(()).ok_or_else(|| Hazard::new(hazard, About::Program, "what a check has found"))
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let n = &self.checked[Check::Grow.touches().0].1;
        let wrong = self.at_rest.is_some_and(|wanted| memory[n.start] != wanted);
        wrong.then(|| Hazard::new(id::WARNING, About::Program, "n is wrong")).into_iter().collect()
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        let n = self.checked[Check::Grow.touches().0].0;
        Some(self.at_rest.iter().map(|_| (n, Part::Whole)).collect())
    }
}

/// What tasks run, each told what it was started with.
pub(in crate::search) type Boxed<'a> = Box<dyn Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'a>;

/// Tasks that run a closure, in a layout of the test's own.
pub(super) struct Bare {
    body: Boxed<'static>,
    at_rest: Vec<Hazard>,
}

impl Bare {
    pub(super) fn new(body: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'static) -> Self {
        Bare { body: Box::new(body), at_rest: Vec::new() }
    }
}

impl Subject for Bare {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        (self.body)(cpu, task)
    }

    fn at_quiescence(&self, _memory: &[u8]) -> Vec<Hazard> {
        self.at_rest.clone()
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        Some(Vec::new())
    }
}

/// So many tasks of one body, which is told which of them it is; then the worker of `WORK`, then
/// workers.
pub(super) fn toy<'a>(
    tasks: u8,
    workers: u8,
    body: impl Fn(&Cpu<'_>, u8) -> Step<()> + Send + Sync + 'a,
) -> Functions<'a> {
    ending(tasks, workers, None, body)
}

pub(super) fn ending<'a>(
    tasks: u8,
    workers: u8,
    at_rest: Option<u8>,
    body: impl Fn(&Cpu<'_>, u8) -> Step<()> + Send + Sync + 'a,
) -> Functions<'a> {
    let slots = tasks + 1 + workers;
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    for (i, name) in ["thing0", "thing1"].into_iter().enumerate() {
        layout.mortal(thing(i as u8), name, id::USE_AFTER_FREE);
        layout.cell(refs(i as u8), format!("{name}.refs"), Kind::Count);
    }
    layout.cell(INSIDE, "thing0.mutex", Kind::Lock);
    layout.cell(A, "a", Kind::Lock);
    layout.cell(B, "b", Kind::Lock);
    layout.cell(N, "n", Kind::Int);
    layout.cell(FLAG, "flag", Kind::Bool);
    layout.cell(PTR, "ptr", Kind::Pointer(vec![Sort(1)]));
    layout.cell(COUNT, "count", Kind::Count);
    layout.cell(LIST, "list", Kind::Klist(Sort(1), vec![Some(thing(0)), Some(thing(1))]));
    layout.cell(NODES, "thing0.klist", Kind::Klist(Sort(1), vec![None, None]));
    layout.cell(ASYNC, "async", Kind::Async(1));
    layout.cell(WORK, "work", Kind::Work(slots));
    // A ghost, so that it has room for marks.
    layout.ghost(OWN, "own", Kind::PerTask(slots));
    for (head, name) in HEADS.into_iter().zip(["head", "other head"]) {
        layout.cell(head, name, Kind::List(Sort(1), 2));
    }
    let checked = [layout.find(OWN), layout.find(N), layout.find(HEADS[0]), layout.find(LIST)];
    let checked = checked.map(|cell| (cell, layout.info(cell).range()));
    let toy = Toy { body: Box::new(body), checked, at_rest };
    let mut program = Functions::new(layout, toy);
    for task in 0..tasks {
        program = program.task(&format!("t{task}"), entry(task));
    }
    program = program.item("work", entry(ITEM), WORK).workers(usize::from(workers));
    program.alive(thing(0)).alive(thing(1)).with(refs(0), 1).with(refs(1), 1)
}

pub(super) fn do_(cpu: &Cpu<'_>, action: Action) -> Step<()> {
    cpu.step(action).map(|_| ())
}

/// Fails a test from inside: NULL is followed.
pub(super) fn must(cpu: &Cpu<'_>, ok: bool) -> Step<()> {
    if ok { Ok(()) } else { cpu.follow::<Object>(PTR).map(|_| ()) }
}

pub(super) fn schedule(cpu: &Cpu<'_>, function: u8) -> Step<()> {
    do_(cpu, Action::AsyncSchedule { lists: cpu.cell(ASYNC), domain: 0, entry: entry(function), mark: None })
}

pub(super) fn synchronize(cpu: &Cpu<'_>) -> Step<()> {
    do_(cpu, Action::AsyncAwait(cpu.cell(ASYNC), None))
}

#[test]
fn increments_under_a_mutex_add_up() {
    let program = ending(2, 0, Some(2), |cpu, _| {
        cpu.lock(A)?;
        let n = cpu.load(N)?;
        cpu.store(N, n + 1)?;
        cpu.unlock(A)
    });
    let outcome = check(&program, &[]);
    // Each task is before, after, or at one of three places inside, but not both inside.
    assert_eq!((outcome.states, outcome.transitions, outcome.depth), (5 * 5 - 3 * 3, 16, 8));
}

#[test]
fn increments_without_one_do_not() {
    let program = ending(2, 0, Some(2), |cpu, _| {
        let n = cpu.load(N)?;
        cpu.store(N, n + 1)
    });
    check(&program, &[(id::WARNING, 4)]);
}

#[test]
fn two_mutexes_in_two_orders_are_a_deadlock() {
    let program = toy(2, 0, |cpu, me| {
        let (first, second) = if me == 0 { (A, B) } else { (B, A) };
        cpu.lock(first)?;
        cpu.lock(second)?;
        cpu.unlock(second)?;
        cpu.unlock(first)
    });
    let outcome = check(&program, &[(id::DEADLOCK, 2)]);
    let story = replayed(&program, &outcome.found[0]);
    assert_eq!(story.held.len(), 2);
    let on: Vec<(WaitFor, &[usize], bool)> =
        story.waiting.iter().map(|wait| (wait.on.clone(), wait.by.as_slice(), wait.deadlocked)).collect();
    let lock = |name: &str| WaitFor::Lock(name.to_owned());
    assert_eq!(on, [(lock("b"), [1].as_slice(), true), (lock("a"), &[0], true)]);
}

#[test]
fn steps_that_are_hazards() {
    type Body = fn(&Cpu<'_>, u8) -> Step<()>;
    let bodies: [(&str, usize, Body); 9] = [
        (id::DEADLOCK, 2, |cpu, _| cpu.lock(A).and_then(|()| cpu.lock(A))),
        (id::UNLOCK_IMBALANCE, 1, |cpu, _| cpu.unlock(A)),
        (id::REFCOUNT_UNDERFLOW, 1, |cpu, _| do_(cpu, Action::Dec(cpu.cell(COUNT)))),
        (id::USE_AFTER_FREE, 2, |cpu, _| {
            do_(cpu, Action::Free(thing(0)))?;
            cpu.touch(thing(0))
        }),
        (id::USE_AFTER_FREE, 2, |cpu, _| {
            do_(cpu, Action::Put(cpu.cell(refs(0))))?;
            do_(cpu, Action::Get(cpu.cell(refs(0))))
        }),
        (id::USE_AFTER_FREE, 3, |cpu, _| {
            do_(cpu, Action::KlistAdd(cpu.cell(LIST), thing(0)))?;
            do_(cpu, Action::Free(thing(0)))?;
            cpu.klist_next(cpu.klist_iter_init(LIST)).map(|_| ())
        }),
        (id::DOUBLE_FREE, 2, |cpu, _| {
            do_(cpu, Action::Free(thing(0)))?;
            do_(cpu, Action::Free(thing(0)))
        }),
        (id::NULL_DEREFERENCE, 1, |cpu, _| cpu.follow::<Object>(PTR).map(|_| ())),
        // Nobody will ever count it down; the second step is never reached.
        (id::DEADLOCK, 1, |cpu, _| {
            do_(cpu, Action::Get(cpu.cell(COUNT)))?;
            do_(cpu, Action::AwaitZero(cpu.cell(COUNT)))
        }),
    ];
    for (id, steps, body) in bodies {
        check(&toy(1, 0, body), &[(id, steps)]);
    }
}

#[test]
fn a_use_races_with_a_free() {
    let program =
        toy(
            2,
            0,
            |cpu, me| {
                if me == 0 { do_(cpu, Action::Put(cpu.cell(refs(0)))) } else { cpu.touch(thing(0)) }
            },
        );
    check(&program, &[(id::USE_AFTER_FREE, 2)]);
}

#[test]
fn a_program_that_cannot_begin_is_a_deadlock_in_no_steps() {
    let program = toy(1, 0, |cpu, _| do_(cpu, Action::AwaitZero(cpu.cell(COUNT)))).with(COUNT, 1);
    check(&program, &[(id::DEADLOCK, 0)]);
}

#[test]
fn a_task_that_idles_for_ever_may_hold_what_others_wait_for() {
    let program = toy(2, 0, |cpu, me| {
        cpu.lock(A)?;
        if me == 0 {
            do_(cpu, Action::Claim(cpu.cell(FLAG)))?;
        }
        cpu.unlock(A)
    });
    check(&program, &[(id::DEADLOCK, 1)]);
    let woken = toy(2, 0, |cpu, me| {
        if me == 0 {
            cpu.lock(A)?;
            do_(cpu, Action::Claim(cpu.cell(FLAG)))?;
        } else {
            cpu.store(FLAG, true)?;
            cpu.lock(A)?;
        }
        cpu.unlock(A)
    });
    check(&woken, &[]);
}

#[test]
fn the_nearest_hazard_of_an_id_may_be_one_at_rest() {
    // Outcome 0: a hazard at step 3. Outcome 1: at rest after 2 steps, with the wrong number.
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(A, "a", Kind::Lock);
    layout.cell(B, "b", Kind::Lock);
    let mut bare = Bare::new(|cpu, _| {
        let last = cpu.choose(2)? == 1;
        cpu.lock(A)?;
        if last { Ok(()) } else { cpu.unlock(B) }
    });
    bare.at_rest = vec![Hazard::new(id::UNLOCK_IMBALANCE, About::Program, "never unlocked")];
    let program = Functions::new(layout, bare).task("t", entry(0));
    let outcome = check(&program, &[(id::UNLOCK_IMBALANCE, 2)]);
    assert!(outcome.found[0].at_rest.is_some());
}

#[test]
fn choose_has_all_outcomes() {
    let program = toy(1, 0, |cpu, _| {
        let n = cpu.choose(5)?;
        assert_eq!(cpu.choose(1)?, 0, "no step");
        cpu.store(N, n as u8)
    });
    assert_eq!(check(&program, &[]).states, 1 + 5 + 5);
}

fn add_both(cpu: &Cpu<'_>) -> Step<()> {
    do_(cpu, Action::KlistAdd(cpu.cell(LIST), thing(0)))?;
    do_(cpu, Action::KlistAdd(cpu.cell(LIST), thing(1)))
}

/// Visits all nodes and uses each while it stands on it.
fn visit_all(cpu: &Cpu<'_>) -> Step<()> {
    cpu.repeat(cpu.klist_iter_init(LIST), |iter| {
        let iter = cpu.klist_next(iter)?;
        match iter.node() {
            None => Ok(Break(())),
            Some(node) => {
                cpu.touch(thing(node))?;
                Ok(Continue(iter))
            }
        }
    })
}

#[test]
fn klist_remove_waits_for_iterators_and_klist_del_does_not() {
    let remover = |wait: bool| {
        toy(2, 0, move |cpu, me| {
            if me == 0 {
                add_both(cpu)?;
                do_(cpu, Action::KlistDel(cpu.cell(LIST), thing(0)))?;
                if wait {
                    do_(cpu, Action::KlistAwait(cpu.cell(LIST), thing(0)))?;
                }
                do_(cpu, Action::Free(thing(0)))
            } else {
                visit_all(cpu)
            }
        })
    };
    check(&remover(true), &[]);
    // add, add, next, del, free, use.
    check(&remover(false), &[(id::USE_AFTER_FREE, 6)]);
}

#[test]
fn klist_remove_under_ones_own_iterator_waits_for_itself() {
    let program = toy(1, 0, |cpu, _| {
        add_both(cpu)?;
        let iter = cpu.klist_next(cpu.klist_iter_init(LIST))?;
        do_(cpu, Action::KlistDel(cpu.cell(LIST), thing(0)))?;
        do_(cpu, Action::KlistAwait(cpu.cell(LIST), thing(0)))?;
        cpu.klist_iter_exit(iter).map(|_| ())
    });
    let outcome = check(&program, &[(id::DEADLOCK, 4)]);
    let story = replayed(&program, &outcome.found[0]);
    let let_go = WaitFor::LetGo { member: "thing0".to_owned(), list: "list".to_owned() };
    assert_eq!(story.waiting[0].on, let_go);
    assert_eq!(story.waiting[0].by, [0]);
}

#[test]
fn what_is_read_with_a_mutex_taken_is_told_by_its_name() {
    let program = toy(1, 0, |cpu, _| {
        cpu.step(vec![Action::Lock(cpu.cell(A)), Action::Load(cpu.cell(N))])?;
        must(cpu, false)
    });
    let outcome = check(&program, &[(id::NULL_DEREFERENCE, 2)]);
    let story = replayed(&program, &outcome.found[0]);
    let text = diagram(&story, &DiagramOptions { full: true, ..DiagramOptions::default() });
    assert!(text.contains("lock a, then read n: 0\n"), "{text}");
}

#[test]
fn async_synchronize_full_waits_for_all_entries() {
    let program = toy(1, 2, |cpu, me| match me {
        0 => {
            schedule(cpu, ENTRIES)?;
            synchronize(cpu)?;
            must(cpu, cpu.load(N)? == 2)
        }
        // An entry that is added while somebody waits is waited for too.
        ENTRIES => {
            schedule(cpu, ENTRIES + 1)?;
            cpu.store(FLAG, true)
        }
        _ => cpu.store(N, 2),
    });
    let outcome = check(&program, &[]);
    assert_eq!(outcome.most_spawned, 2);
}

#[test]
fn an_async_entry_that_synchronizes_waits_for_itself() {
    let program = toy(1, 1, |cpu, me| if me == 0 { schedule(cpu, ENTRIES) } else { synchronize(cpu) });
    check(&program, &[(id::DEADLOCK, 1)]);
}

#[test]
fn an_async_entry_that_waits_for_a_mutex_of_the_synchronizer_is_a_deadlock() {
    let program = toy(1, 1, |cpu, _| {
        cpu.lock(A)?;
        if cpu.current().function == 0 {
            schedule(cpu, ENTRIES)?;
            synchronize(cpu)?;
        }
        cpu.unlock(A)
    });
    check(&program, &[(id::DEADLOCK, 2)]);
}

#[test]
fn spawned_tasks_have_no_order_of_start() {
    let program = toy(1, 2, |cpu, me| {
        if me == 0 {
            let first = cpu.choose(2)? as u8;
            schedule(cpu, ENTRIES + first)?;
            schedule(cpu, ENTRIES + 1 - first)?;
        }
        Ok(())
    });
    // Start, two outcomes, for each whether the first has ended, then whether each has: 4, not 8.
    assert_eq!(check(&program, &[]).states, 1 + 2 + 2 * 2 + 4);
}

#[test]
fn equal_spawned_tasks_are_told_apart_by_what_they_hold() {
    // Both are at one node, and one of them holds the mutex: whichever it is, it is one state.
    let program = toy(1, 2, |cpu, me| match me {
        0 => schedule(cpu, ENTRIES).and_then(|()| schedule(cpu, ENTRIES)),
        _ => {
            let own = || Action::SetOwn(cpu.cell(OWN), true);
            cpu.call("may_set", &[], || if cpu.choose(2)? == 1 { do_(cpu, own()) } else { Ok(()) })?;
            cpu.step(Action::TestOwn(cpu.cell(OWN))).map(|_| ())
        }
    });
    // A worker is before the choice, at SetOwn, at TestOwn with or without the flag, at the end with or
    // without it, or gone: two of them, unordered, are 28 states, those with one alone counted once.
    let outcome = check(&program, &[]);
    assert_eq!(outcome.states, 1 + 7 + 7 * 8 / 2);
}

#[test]
fn a_trace_names_the_slots_of_a_run_that_never_sorts_its_workers() {
    // Three workers for five entries: the first two must end, and then the last is put where the
    // second was, although the search keeps the third in front of it.
    let program = toy(1, 3, |cpu, me| match me {
        0 => (0..5).try_for_each(|n| schedule(cpu, ENTRIES + n)),
        12 | 13 => (0..3).try_for_each(|n| cpu.store(N, n)),
        14 => must(cpu, false),
        _ => Ok(()),
    });
    let outcome = search(&program, &program.memory(), Limits::default(), |_| {});
    assert_eq!(outcome.cut, Some(Cut::Bound(Bound::Workers)), "in other runs");
    agree(&program, &outcome);
    replayed(&program, &outcome.found[0]);
    let slots: Vec<usize> = outcome.found[0].schedule.iter().map(|choice| choice.slot).collect();
    // Slot 1 is that of the work item.
    assert_eq!(slots, [0, 0, 0, 2, 3, 0, 0, 3]);
}

#[test]
fn a_spawned_task_leaves_nothing_in_its_slot() {
    let flag = toy(1, 1, |cpu, me| match me {
        0 => {
            schedule(cpu, ENTRIES)?;
            synchronize(cpu)?;
            schedule(cpu, ENTRIES + 1)
        }
        ENTRIES => do_(cpu, Action::SetOwn(cpu.cell(OWN), true)),
        _ => must(cpu, !cpu.observe::<bool>(Action::TestOwn(cpu.cell(OWN)))?),
    });
    check(&flag, &[]);
    let mutex = toy(1, 1, |cpu, me| if me == 0 { schedule(cpu, ENTRIES) } else { cpu.lock(A) });
    check(&mutex, &[(id::UNLOCK_IMBALANCE, 3)]);
}

#[test]
fn flush_work_waits_for_the_run() {
    let program = toy(1, 0, |cpu, me| {
        if me == ITEM {
            return cpu.store(N, 1);
        }
        cpu.queue_work(WORK)?;
        cpu.flush_work(WORK)?;
        must(cpu, cpu.load(N)? == 1)
    });
    check(&program, &[]);
    let without = toy(1, 0, |cpu, me| {
        if me == ITEM {
            return cpu.store(N, 1);
        }
        cpu.queue_work(WORK)?;
        must(cpu, cpu.load(N)? == 1)
    });
    check(&without, &[(id::NULL_DEREFERENCE, 3)]);
}

#[test]
fn cancel_work_sync_leaves_no_run_under_way() {
    let program = toy(1, 0, |cpu, me| {
        if me == ITEM {
            cpu.store(FLAG, true)?;
            return cpu.store(FLAG, false);
        }
        cpu.queue_work(WORK)?;
        let pending = cpu.cancel_work_sync(WORK)?;
        let runs = cpu.load(FLAG)?;
        must(cpu, !runs)?;
        // It may have been taken off the queue: then it never runs.
        cpu.store(N, u8::from(pending))
    });
    check(&program, &[]);
}

#[test]
fn flush_work_from_inside_the_item_waits_for_itself() {
    let program = toy(1, 0, |cpu, me| {
        if me == ITEM { cpu.flush_work(WORK).map(|_| ()) } else { cpu.queue_work(WORK).map(|_| ()) }
    });
    // queue, start, flush.
    check(&program, &[(id::DEADLOCK, 3)]);
}

#[test]
fn flush_work_under_a_mutex_that_the_item_takes_is_a_deadlock() {
    let program = toy(1, 0, |cpu, me| {
        cpu.lock(A)?;
        if me != ITEM {
            cpu.queue_work(WORK)?;
            cpu.flush_work(WORK)?;
        }
        cpu.unlock(A)
    });
    // lock, queue, flush, start.
    check(&program, &[(id::DEADLOCK, 4)]);
}

#[test]
fn an_item_queued_while_it_runs_runs_again() {
    let program = ending(1, 0, Some(2), |cpu, me| {
        if me != ITEM {
            return cpu.queue_work(WORK).map(|_| ());
        }
        let n = cpu.load(N)?;
        cpu.store(N, n + 1)?;
        if n == 0 { cpu.queue_work(WORK).map(|_| ()) } else { Ok(()) }
    });
    let outcome = check(&program, &[]);
    assert_eq!(outcome.states, outcome.transitions + 1, "one run");
}

#[test]
fn a_search_stops_at_its_limits() {
    let program = toy(2, 0, |cpu, _| (0..6).try_for_each(|n| cpu.store(N, n)));
    let all = check(&program, &[]).states;
    let run = |limits| search(&program, &program.memory(), limits, |_| {});
    let states =
        run(Limits { state_limit: Some(20), memory_limit: None, data_races: false, ..Limits::default() });
    assert_eq!(states.cut, Some(Cut::States(20)));
    assert!((20..20 + 2).contains(&states.states), "{states:?}");
    let memory =
        run(Limits { state_limit: None, memory_limit: Some(4096), data_races: false, ..Limits::default() });
    assert_eq!(memory.cut, Some(Cut::Memory(4096)));
    assert!(memory.states < all);
    assert_eq!(
        run(Limits {
            state_limit: Some(all + 1),
            memory_limit: Some(1 << 30),
            data_races: false,
            ..Limits::default()
        })
        .cut,
        None
    );
    let crowd = toy(1, 1, |cpu, me| {
        if me == 0 { schedule(cpu, ENTRIES).and_then(|()| schedule(cpu, ENTRIES)) } else { Ok(()) }
    });
    let outcome = search(&crowd, &crowd.memory(), Limits::default(), |_| {});
    assert_eq!(outcome.cut, Some(Cut::Bound(Bound::Workers)));
}

#[test]
fn a_trace_may_end_before_a_task_starts() {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(A, "a", Kind::Lock);
    let bare = Bare::new(|cpu, _| cpu.unlock(A));
    let program = Functions::new(layout, bare).task("first", entry(0)).task_after("second", entry(1), &[0]);
    let outcome = check(&program, &[(id::UNLOCK_IMBALANCE, 1)]);
    assert!(replayed(&program, &outcome.found[0]).waiting.is_empty());
}

#[test]
fn a_shortest_trace_stays_with_a_task_and_then_takes_the_least() {
    // Whoever goes second fails: one switch is enough, and the first in order goes first.
    let program = toy(2, 0, |cpu, _| {
        cpu.lock(A)?;
        let n = cpu.load(N)?;
        cpu.store(N, n + 1)?;
        cpu.unlock(A)?;
        must(cpu, n == 0)
    });
    let outcome = check(&program, &[(id::NULL_DEREFERENCE, 9)]);
    let slots: Vec<usize> = outcome.found[0].schedule.iter().map(|choice| choice.slot).collect();
    assert_eq!(slots, [0, 0, 0, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn the_packed_search_stops_where_the_reference_search_does() {
    let program = toy(2, 0, |cpu, _| (0..6).try_for_each(|n| cpu.store(N, n)));
    let limits = Limits { state_limit: Some(20), ..Limits::default() };
    let mut packed = exhaustive::search(&program, &program.memory(), limits, |_| {});
    let outcome = search(&program, &program.memory(), limits, |_| {});
    packed.bytes = outcome.bytes;
    assert_eq!(format!("{packed:?}"), format!("{outcome:?}"));
    let now = Limits { time_limit: Some(std::time::Duration::ZERO), ..Limits::default() };
    let large = toy(3, 0, |cpu, _| (0..9).try_for_each(|n| cpu.store(N, n)));
    let cut = exhaustive::search(&large, &large.memory(), now, |_| {}).cut;
    assert_eq!(cut, Some(Cut::Time(std::time::Duration::ZERO)));
}
