//! Random programs over nearly all that the machine has, searched with and without reduction, with some of the
//! remedies and with all: parts of klists, samples, counters that others wait for, values that are stored twice,
//! items that do nothing.
//!
//! `PROPTEST_CASES=20000 cargo test -p raddle-checker search::tests::wild -- --nocapture` tries that many.

use proptest::prelude::*;
use std::ops::ControlFlow;

use super::brute::config;
use super::{counted, found};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::certificate::tests::certified;
use crate::export::tests::exported;
use crate::machine::cpu::{Cpu, KlistIter, Step};
use crate::machine::hazard::{About, Hazard};
use crate::machine::layout::{Cell, CellId, Field, Kind, Layout, Part};
use crate::machine::op::{Action, End, Entry, Event, Op};
use crate::machine::value::{Object, Obs, Sort};
use crate::search::reduced::remedies::{REMEDIES, Remedies};
use crate::search::reduced::{self, resources::Resources};
use crate::search::reference::{Limits, search};

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const LOCK: Cell<()> = Cell::new(ROOT, Field(0));
const COUNT: Cell<u8> = Cell::new(ROOT, Field(1));
const KLIST: Cell<()> = Cell::new(ROOT, Field(2));
const GEN: Cell<()> = Cell::new(ROOT, Field(3));
const ASYNC: Cell<()> = Cell::new(ROOT, Field(4));
const WORK: Cell<()> = Cell::new(ROOT, Field(5));
const LIST: Cell<()> = Cell::new(ROOT, Field(6));
const OTHER: Cell<()> = Cell::new(ROOT, Field(7));
const BAD: [&str; 6] = ["bad0", "bad1", "bad2", "bad3", "bad4", "bad5"];

const fn number(n: u8) -> Cell<u8> {
    Cell::new(ROOT, Field(8 + n))
}

const fn thing(index: u8) -> Object {
    Object { sort: Sort(1), index }
}

const fn refs(index: u8) -> Cell<u8> {
    Cell::new(thing(index), Field(0))
}

#[derive(Clone, Debug)]
enum Instr {
    Section(Vec<Instr>),
    Under(u8, u8),
    Store(u8, u8),
    Check(u8, u8),
    SkipIf(u8),
    Add(u8),
    Del(u8),
    Remove(u8),
    Walk(u8),
    WalkOut(u8),
    Last(u8),
    Find(u8, u8),
    Sample(u8),
    Bump,
    Moved(u8, u8),
    Drop(u8),
    Up,
    Down,
    DownSee(u8),
    /// Looks whether a member is linked, dead or not.
    Has(u8, u8),
    /// Which is the last that is linked, dead or not.
    Peek(u8),
    Cancel,
    /// Counts what samplers see the difference of only.
    Net(bool),
    /// Whether a member is on one of the lists.
    OnList(u8, u8),
    AwaitZero,
    Spawn,
    Sync,
    Queue,
    Flush,
    ListAdd(u8),
    ListDel(u8),
    Pop(u8),
    Splice,
    Choose(u8),
}
use Instr::*;

struct Wild {
    tasks: Vec<Vec<Instr>>,
    one: CellId,
    rest: usize,
}

fn all(cpu: &Cpu<'_>, code: &[Instr], held: &mut u32) -> Step<()> {
    let mut at = 0;
    while at < code.len() {
        at += 1;
        match &code[at - 1] {
            Section(body) => {
                cpu.lock(LOCK)?;
                all(cpu, body, held)?;
                cpu.unlock(LOCK)?;
            }
            Under(n, v) => {
                let op = Op::from(Action::Store(cpu.cell(number(*n)), Obs::Int(*v))).under(cpu.cell(LOCK));
                cpu.step(op)?;
            }
            Store(n, v) => cpu.store(number(*n), *v)?,
            Check(n, v) => {
                let load = Op::from(Action::Load(cpu.cell(number(*n))));
                cpu.step(load.telling(Event { kind: 0, args: [Obs::Int(*v), Obs::Int(*n), Obs::Unit] }))?;
            }
            SkipIf(n) => at += usize::from(cpu.load(number(*n))? != 0),
            Add(i) => drop(cpu.step(Action::KlistAdd(cpu.cell(KLIST), thing(*i)))?),
            Del(i) => drop(cpu.step(Action::KlistDel(cpu.cell(KLIST), thing(*i)))?),
            Remove(i) => {
                cpu.step(Action::KlistDel(cpu.cell(KLIST), thing(*i)))?;
                cpu.step(Action::KlistAwait(cpu.cell(KLIST), thing(*i)))?;
            }
            Walk(n) => cpu.repeat(cpu.klist_iter_init(KLIST), |left: KlistIter| {
                let iter = cpu.klist_next(left)?;
                if iter.died() {
                    cpu.store(number(1), 2)?;
                }
                let Some(node) = iter.node() else { return Ok(ControlFlow::Break(())) };
                cpu.store(number(*n), node)?;
                Ok(ControlFlow::Continue(iter))
            })?,
            WalkOut(n) => {
                let iter = cpu.klist_next(cpu.klist_iter_init(KLIST))?;
                if let Some(node) = iter.node() {
                    cpu.store(number(*n), node)?;
                    let left = cpu.klist_iter_exit(iter)?;
                    if left.died() {
                        cpu.store(number(*n), 2)?;
                    }
                }
            }
            Last(n) => {
                let last: Option<Object> = cpu.observe(Action::KlistLast(cpu.cell(KLIST), Field(0)))?;
                if let Some(last) = last {
                    cpu.store(number(*n), last.index)?;
                    cpu.step(Action::Dec(cpu.cell(refs(last.index))))?;
                }
            }
            Find(n, i) => {
                if cpu.observe(Action::KlistFind(cpu.cell(KLIST), thing(*i), Field(0)))? {
                    cpu.store(number(*n), 1)?;
                    cpu.step(vec![Action::Dec(cpu.cell(refs(*i))), Action::Touch(ROOT)])?;
                }
            }
            Has(n, i) => {
                if cpu.observe(Action::KlistHas(cpu.cell(KLIST), thing(*i)))? {
                    cpu.store(number(*n), 2)?;
                }
            }
            Peek(n) => {
                let last: Option<Object> = cpu.observe(Action::KlistPeek(cpu.cell(KLIST)))?;
                if let Some(last) = last {
                    cpu.store(number(*n), last.index + 1)?;
                }
            }
            Cancel => drop(cpu.cancel_work_sync(WORK)?),
            Net(up) => drop(cpu.step(Action::Net(cpu.cell(GEN), *up))?),
            OnList(n, i) => {
                let [list, other] = [LIST, OTHER].map(|list| cpu.cell(list));
                if cpu.observe(Action::ListHas(list, other, thing(*i)))? {
                    cpu.store(number(*n), 1)?;
                }
            }
            Sample(i) => drop(cpu.step(Action::Sample(cpu.cell(GEN), *i))?),
            Bump => drop(cpu.step(Action::Bump(cpu.cell(GEN), vec![]))?),
            Moved(i, n) => {
                if cpu.observe(Action::Moved(cpu.cell(GEN), *i))? {
                    cpu.store(number(*n), 1)?;
                }
            }
            Drop(i) => drop(cpu.step(Action::DropSample(cpu.cell(GEN), *i))?),
            Up => {
                *held += 1;
                cpu.step(vec![Action::Get(cpu.cell(COUNT)), Action::Hold(cpu.cell(COUNT))])?;
            }
            Down | DownSee(_) if *held == 0 => {}
            Down => {
                *held -= 1;
                cpu.step(vec![Action::Dec(cpu.cell(COUNT)), Action::Release(cpu.cell(COUNT))])?;
            }
            DownSee(n) => {
                cpu.step(Action::Release(cpu.cell(COUNT)))?;
                if cpu.observe(Action::Dec(cpu.cell(COUNT)))? {
                    cpu.store(number(*n), 2)?;
                }
                *held -= 1;
            }
            AwaitZero => drop(cpu.step(Action::AwaitZero(cpu.cell(COUNT)))?),
            Spawn => {
                let (lists, entry) = (cpu.cell(ASYNC), entry(10));
                cpu.step(Action::AsyncSchedule { lists, domain: 0, entry, mark: None })?;
            }
            Sync => drop(cpu.step(Action::AsyncAwait(cpu.cell(ASYNC), None))?),
            Queue => drop(cpu.call("queue", &[], || cpu.queue_work(WORK).map(|_| ()))?),
            Flush => drop(cpu.flush_work(WORK)?),
            ListAdd(i) => {
                let [list, unless_on] = [LIST, OTHER].map(|list| cpu.cell(list));
                let at = if i % 2 == 0 { End::Last } else { End::First };
                let add = Action::ListAdd { list, unless_on, member: thing(*i), at };
                cpu.step(Op::from(add).under(cpu.cell(LOCK)))?;
            }
            ListDel(i) => {
                let [list, other] = [LIST, OTHER].map(|list| cpu.cell(list));
                cpu.step(Op::from(Action::ListDel(list, other, thing(*i))).under(cpu.cell(LOCK)))?;
            }
            Pop(n) => {
                let first: Option<Object> = cpu.observe(Action::ListPop(cpu.cell(OTHER)))?;
                if let Some(first) = first {
                    cpu.store(number(*n), first.index + 1)?;
                }
            }
            Splice => {
                let [list, other] = [LIST, OTHER].map(|list| cpu.cell(list));
                cpu.step(Op::from(Action::ListSplice(list, other)).under(cpu.cell(LOCK)))?;
            }
            Choose(skip) => {
                if cpu.choose(2)? == 1 {
                    at += usize::from(*skip);
                }
            }
        }
    }
    Ok(())
}

impl Subject for Wild {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        let code = |n: usize| &self.tasks[n];
        match task.function {
            10 => {
                all(cpu, code(3), &mut 0)?;
                cpu.step(Action::AsyncEnd(cpu.cell(ASYNC), 0)).map(|_| ())
            }
            11 => cpu.repeat((), |()| {
                cpu.step(Action::WorkStart(cpu.cell(WORK)))?;
                cpu.call("work", &[], || all(cpu, code(4), &mut 0))?;
                cpu.step(Action::WorkEnd(cpu.cell(WORK)))?;
                Ok(ControlFlow::Continue(()))
            }),
            n => all(cpu, code(usize::from(n)), &mut 0),
        }
    }

    fn domain(&self, task: &Entry) -> Option<u8> {
        (task.function == 10).then_some(0)
    }

    fn event(&self, event: &Event, observed: Obs, _memory: &mut [u8]) -> Result<(), Hazard> {
        if observed == event.args[0] {
            let (Obs::Int(v), Obs::Int(n)) = (event.args[0], event.args[1]) else {
                unreachable!("internal: numbers")
            };
            let id = BAD[usize::from(v + 3 * n)];
            return Err(Hazard::new(id, About::Program, ""));
        }
        Ok(())
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let mut all = Vec::new();
        if memory[self.rest] == 1 {
            all.push(Hazard::new("bad at rest", About::Program, ""));
        }
        all
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        Some(vec![(self.one, Part::Whole)])
    }
}

/// Room for all that most programs start.
const ENOUGH: usize = 3;

fn program(tasks: Vec<Vec<Instr>>, workers: usize) -> Functions<'static> {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.immortal(thing(0), "thing 0");
    layout.immortal(thing(1), "thing 1");
    layout.cell(LOCK, "lock", Kind::Lock);
    layout.cell(COUNT, "count", Kind::Count);
    layout.cell(KLIST, "klist", Kind::Klist(Sort(1), vec![None, None]));
    layout.cell(GEN, "generation", Kind::Generation(Sort(1), 2));
    layout.cell(ASYNC, "async", Kind::Async(1));
    layout.cell(WORK, "work", Kind::Work(7));
    layout.cell(LIST, "list", Kind::List(Sort(1), 2));
    layout.cell(OTHER, "other list", Kind::List(Sort(1), 2));
    layout.cell(number(0), "number 0", Kind::Int);
    let one = layout.cell(number(1), "number 1", Kind::Int);
    layout.cell(refs(0), "refs 0", Kind::Count);
    layout.cell(refs(1), "refs 1", Kind::Count);
    let rest = layout.info(one).offset;
    let wild = Wild { tasks, one, rest };
    Functions::new(layout, wild)
        .task("one", entry(0))
        .task("two", entry(1))
        .task("three", entry(2))
        .item("item", entry(11), WORK)
        .workers(workers)
}

fn basic() -> impl Strategy<Value = Instr> {
    let n = || 0..2u8;
    let v = || 0..3u8;
    prop_oneof![
        2 => (n(), v()).prop_map(|(n, v)| Store(n, v)),
        2 => (n(), v()).prop_map(|(n, v)| Check(n, v)),
        1 => n().prop_map(SkipIf),
        1 => n().prop_map(Add),
        1 => n().prop_map(Del),
        1 => n().prop_map(Sample),
        2 => Just(Bump),
        1 => (n(), n()).prop_map(|(i, n)| Moved(i, n)),
        1 => n().prop_map(Drop),
        2 => Just(Up),
        2 => Just(Down),
        1 => n().prop_map(DownSee),
        1 => n().prop_map(Pop),
        1 => Just(Queue),
        1 => n().prop_map(Last),
        1 => (n(), n()).prop_map(|(n, i)| Find(n, i)),
        1 => (n(), n()).prop_map(|(n, i)| Has(n, i)),
        1 => n().prop_map(Peek),
        1 => any::<bool>().prop_map(Net),
        1 => (n(), n()).prop_map(|(n, i)| OnList(n, i)),
        1 => (1..3u8).prop_map(Choose),
    ]
}

fn instr() -> impl Strategy<Value = Instr> {
    let n = || 0..2u8;
    let v = || 0..3u8;
    prop_oneof![
        16 => basic(),
        2 => prop::collection::vec(basic(), 0..3).prop_map(Section),
        1 => (n(), v()).prop_map(|(n, v)| Under(n, v)),
        2 => n().prop_map(Remove),
        2 => n().prop_map(Walk),
        1 => n().prop_map(WalkOut),
        1 => Just(AwaitZero),
        2 => Just(Spawn),
        1 => Just(Sync),
        2 => Just(Queue),
        1 => Just(Flush),
        1 => Just(Cancel),
        1 => n().prop_map(ListAdd),
        2 => n().prop_map(ListDel),
        2 => Just(Splice),
    ]
}

/// What counts, and what sees it.
fn counting() -> impl Strategy<Value = Instr> {
    let n = || 0..2u8;
    let v = || 0..3u8;
    prop_oneof![
        4 => Just(Up),
        2 => Just(Down),
        3 => n().prop_map(DownSee),
        1 => Just(AwaitZero),
        2 => (n(), v()).prop_map(|(n, v)| Check(n, v)),
        1 => n().prop_map(SkipIf),
        1 => (n(), v()).prop_map(|(n, v)| Store(n, v)),
        1 => (1..3u8).prop_map(Choose),
        1 => Just(Spawn),
    ]
}

/// What starts tasks and waits for them.
fn spawning() -> impl Strategy<Value = Instr> {
    prop_oneof![
        3 => (1..2u8, 0..3u8).prop_map(|(n, v)| Store(n, v)),
        2 => Just(SkipIf(1)),
        3 => Just(Spawn),
        1 => Just(Sync),
        1 => (1..3u8).prop_map(Choose),
    ]
}

/// All searches find the hazards that the reference search finds. `left_out`: remedies, a bit each. `few`: workers.
fn have_the_same_hazards(tasks: Vec<Vec<Instr>>, left_out: u16, few: usize) -> Result<(), TestCaseError> {
    let crowded = program(tasks.clone(), few);
    let program = program(tasks, ENOUGH);
    let limits = Limits { state_limit: Some(30_000), ..Limits::default() };
    let reference = search(&program, &program.memory(), limits, |_| {});
    prop_assume!(reference.cut.is_none());
    let expected = found(&reference);
    certified(&program, &program.memory());
    exported(&program, &program.memory());
    let some = (0..REMEDIES.len()).filter(|place| left_out >> place & 1 != 0);
    let some = some.fold(Remedies::NONE, |all, place| all.with(REMEDIES[place].0));
    for (no_symmetry, without) in [(true, Remedies::NONE), (false, Remedies::NONE), (true, some)] {
        let limits = Limits { no_symmetry, without, ..Limits::default() };
        let resources = Resources { threads: 1, ..Resources::default() };
        let found = reduced::search(&program, &program.memory(), limits, &resources, |_| {});
        let Some(mut found) = found.expect("nothing is on disk") else { continue };
        for shown in &reference.found {
            let run = found.shortest_to_rest(shown.id, &limits).expect("nothing limits it");
            prop_assert!(run.is_none_or(|run| run.schedule == shown.schedule), "{}", shown.id);
        }
        prop_assert_eq!(&counted(&found), &expected, "without {:?}", without);
    }
    // With fewer workers it decides if no order that it explores needs more.
    let resources = Resources { threads: 1, ..Resources::default() };
    let found = reduced::search(&crowded, &crowded.memory(), Limits::default(), &resources, |_| {});
    if let Some(found) = found.expect("nothing is on disk") {
        prop_assert_eq!(&counted(&found), &expected, "{} workers", few);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn wild_programs_have_the_same_hazards(
        one in prop::collection::vec(instr(), 1..=5),
        two in prop::collection::vec(instr(), 1..=5),
        three in prop::collection::vec(instr(), 0..=3),
        spawned in prop::collection::vec(basic(), 0..=3),
        item in prop_oneof![
            2 => prop::collection::vec(basic().prop_map(|instr| if matches!(instr, Up) { Bump } else { instr }), 0..=2),
            1 => Just(vec![Section(vec![Pop(0)])]),
        ],
        start in prop::collection::vec(any::<bool>(), 2),
        left_out in any::<u16>(),
        few in 1..ENOUGH,
    ) {
        let mut tasks = vec![one, two, three, spawned, item];
        for (i, there) in start.iter().enumerate() {
            if *there {
                tasks[0].insert(0, Add(i as u8));
            }
        }
        have_the_same_hazards(tasks, left_out, few)?;
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn counting_programs_have_the_same_hazards(
        one in prop::collection::vec(counting(), 1..=5),
        two in prop::collection::vec(counting(), 1..=5),
        three in prop::collection::vec(counting(), 0..=3),
        spawned in prop::collection::vec(counting(), 0..=3),
        left_out in any::<u16>(),
        few in 1..ENOUGH,
    ) {
        have_the_same_hazards(vec![one, two, three, spawned, vec![]], left_out, few)?;
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn spawning_programs_have_the_same_hazards(
        one in prop::collection::vec(spawning(), 1..=5),
        two in prop::collection::vec(spawning(), 0..=3),
        three in prop::collection::vec(spawning(), 0..=2),
        spawned in prop::collection::vec((1..2u8, 0..3u8).prop_map(|(n, v)| Store(n, v)), 0..=2),
        left_out in any::<u16>(),
        few in 1..ENOUGH,
    ) {
        have_the_same_hazards(vec![one, two, three, spawned, vec![]], left_out, few)?;
    }
}

/// A list that nobody looks at again fades, so that all lists are empty, and the worker of the item is as good as
/// idle from then on: the deadlock that its last step would complete is there at once.
#[test]
fn a_worker_that_becomes_idle_because_a_list_has_faded_hides_no_deadlock() {
    let tasks = vec![vec![Add(0), ListAdd(0), Queue], vec![Remove(0)], vec![], vec![], vec![]];
    let program = program(tasks, ENOUGH);
    let reference = search(&program, &program.memory(), Limits::default(), |_| {});
    let resources = Resources { threads: 1, ..Resources::default() };
    let found = reduced::search(&program, &program.memory(), Limits::default(), &resources, |_| {});
    let found = found.expect("nothing is on disk").expect("no state comes back");
    let expected: Vec<&str> = reference.found.iter().map(|found| found.id).collect();
    assert_eq!(found.hazards.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(expected, [crate::machine::hazard::id::DEADLOCK]);
}

/// A hazard of states at rest is shown by the run of the reference search, whoever has to be kept from going on.
#[test]
fn a_hazard_at_rest_is_shown_by_the_shortest_run() {
    let choice = vec![vec![Choose(1), Store(1, 0), Spawn], vec![Store(1, 1), Sync], vec![Store(1, 2)]];
    let item = vec![vec![Store(1, 2), Queue], vec![SkipIf(1), Queue, Queue], vec![Store(0, 1)]];
    // One of the spawned tasks takes the slot that another one has left.
    let left = vec![vec![Spawn, Sync, Spawn, Sync, Store(1, 0)], vec![], vec![Spawn, Store(1, 1)]];
    for (mut tasks, spawned, work) in [
        (left, vec![], vec![]),
        (choice, vec![Store(0, 1), SkipIf(0), Store(1, 1)], vec![]),
        (item, vec![], vec![SkipIf(0), Store(1, 1), Store(0, 0)]),
    ] {
        tasks.extend([spawned, work]);
        let program = program(tasks, ENOUGH);
        let reference = search(&program, &program.memory(), Limits::default(), |_| {});
        let resources = Resources { threads: 1, ..Resources::default() };
        let found = reduced::search(&program, &program.memory(), Limits::default(), &resources, |_| {});
        let mut found = found.expect("nothing is on disk").expect("no state comes back");
        let shown = reference.found.iter().find(|shown| shown.id == "bad at rest").expect("it is found");
        let run = found.shortest_to_rest(shown.id, &Limits::default()).expect("nothing limits it");
        let run = run.expect("no step raises it");
        assert_eq!((run.schedule, run.at_rest.is_some()), (shown.schedule.clone(), true));
    }
}
