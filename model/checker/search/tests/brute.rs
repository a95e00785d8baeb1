//! The searches against an enumeration of all runs of small random programs, by an interpreter that
//! shares nothing with the machine.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::{agree, replayed, walk};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::certificate::tests::certified;
use crate::export::tests::exported;
use crate::machine::cpu::{Cpu, Step};
use crate::machine::hazard::{About, Hazard, id};
use crate::machine::layout::{Cell, Field, Kind, Layout};
use crate::machine::op::{Action, Entry, Event, Op};
use crate::machine::value::{Object, Obs, Sort};
use crate::search::reference::{Limits, search};

const BAD: &str = "bad";
/// What the second cell must not hold at rest.
const BAD_AT_REST: u8 = 2;
const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Instr {
    Lock(u8),
    Unlock(u8),
    Store(u8, u8),
    /// Must not find this value.
    Check(u8, u8),
    /// Skips the next instruction unless the cell is zero.
    SkipIf(u8),
    /// May skip the next instruction.
    MaySkip,
    /// Starts a task that runs the last program.
    Spawn,
}
use Instr::{Check, Lock, MaySkip, SkipIf, Spawn, Store, Unlock};

/// Static tasks, and last what spawned tasks run.
type Tasks = Vec<Vec<Instr>>;

// The interpreter.

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Thread {
    program: usize,
    pc: usize,
    holds: [bool; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    cells: [u8; 2],
    /// Set when a task is spawned, cleared when one ends.
    flag: bool,
    tasks: Vec<Thread>,
    /// By the number of their start; `None` when they have ended.
    spawned: Vec<Option<Thread>>,
}

impl World {
    fn new(tasks: &Tasks) -> World {
        let start = |program| Thread { program, pc: 0, holds: [false; 2] };
        let statics = (0..tasks.len() - 1).map(start).collect();
        World { cells: [0; 2], flag: false, tasks: statics, spawned: Vec::new() }
    }

    fn thread(&self, who: usize) -> Option<&Thread> {
        let statics = self.tasks.len();
        if who < statics { Some(&self.tasks[who]) } else { self.spawned[who - statics].as_ref() }
    }

    fn thread_mut(&mut self, who: usize) -> &mut Thread {
        let statics = self.tasks.len();
        if who < statics {
            &mut self.tasks[who]
        } else {
            self.spawned[who - statics].as_mut().expect("a live thread")
        }
    }

    fn everybody(&self) -> std::ops::Range<usize> {
        0..self.tasks.len() + self.spawned.len()
    }

    /// `None` at the end; a spawned task has one more step, which ends it.
    fn next(&self, tasks: &Tasks, who: usize) -> Option<Option<Instr>> {
        let thread = self.thread(who)?;
        match tasks[thread.program].get(thread.pc) {
            Some(instr) => Some(Some(*instr)),
            None if who < self.tasks.len() => None,
            None => Some(None),
        }
    }

    fn owner(&self, lock: u8) -> Option<usize> {
        self.everybody().find(|who| self.thread(*who).is_some_and(|thread| thread.holds[usize::from(lock)]))
    }

    /// Whom a thread waits for.
    fn waits_for(&self, tasks: &Tasks, who: usize) -> Option<usize> {
        match self.next(tasks, who) {
            Some(Some(Lock(lock))) => self.owner(lock).filter(|owner| *owner != who),
            _ => None,
        }
    }

    fn choices(&self, tasks: &Tasks) -> Vec<(usize, u8)> {
        let mut choices = Vec::new();
        for who in self.everybody() {
            let Some(instr) = self.next(tasks, who) else { continue };
            if self.waits_for(tasks, who).is_none() {
                let outcomes = if matches!(instr, Some(MaySkip)) { 2 } else { 1 };
                choices.extend((0..outcomes).map(|outcome| (who, outcome)));
            }
        }
        choices
    }

    /// The hazard of a step, if it is one.
    fn step(&mut self, tasks: &Tasks, (who, outcome): (usize, u8)) -> Option<&'static str> {
        let instr = self.next(tasks, who).expect("a live thread");
        self.thread_mut(who).pc += 1;
        match instr {
            Some(Lock(lock)) => {
                if self.owner(lock).is_some() {
                    return Some(id::DEADLOCK);
                }
                self.thread_mut(who).holds[usize::from(lock)] = true;
            }
            Some(Unlock(lock)) => {
                if self.owner(lock) != Some(who) {
                    return Some(id::UNLOCK_IMBALANCE);
                }
                self.thread_mut(who).holds[usize::from(lock)] = false;
            }
            Some(Store(cell, value)) => self.cells[usize::from(cell)] = value,
            Some(Check(cell, value)) if self.cells[usize::from(cell)] == value => return Some(BAD),
            Some(SkipIf(cell)) if self.cells[usize::from(cell)] != 0 => self.thread_mut(who).pc += 1,
            Some(MaySkip) if outcome == 1 => self.thread_mut(who).pc += 1,
            Some(Spawn) => {
                self.flag = true;
                self.spawned.push(Some(Thread { program: tasks.len() - 1, pc: 0, holds: [false; 2] }));
            }
            None => {
                if self.thread(who).is_some_and(|thread| thread.holds != [false; 2]) {
                    return Some(id::UNLOCK_IMBALANCE);
                }
                let statics = self.tasks.len();
                self.spawned[who - statics] = None;
                self.flag = false;
            }
            _ => {}
        }
        if instr.is_some() {
            let thread = self.thread_mut(who);
            // Past the end is the end.
            thread.pc = thread.pc.min(tasks[thread.program].len());
        }
        // A task is stuck if the chain of those it waits for does not end at one that can go on.
        let stuck = |who: usize| {
            let mut last = who;
            for _ in self.everybody() {
                match self.waits_for(tasks, last) {
                    Some(owner) => last = owner,
                    None => return last != who && self.next(tasks, last).is_none(),
                }
            }
            true
        };
        self.everybody().any(stuck).then_some(id::DEADLOCK)
    }

    fn bad_at_rest(&self, tasks: &Tasks) -> bool {
        self.cells[1] == BAD_AT_REST && self.everybody().all(|who| self.next(tasks, who).is_none())
    }

    /// The same state for all orders in which tasks were spawned.
    fn canonical(&self) -> World {
        let mut world = self.clone();
        world.spawned.retain(Option::is_some);
        world.spawned.sort();
        world
    }
}

/// The best run to each hazard: steps, switches, then the sequence itself.
type Best = std::collections::BTreeMap<&'static str, (usize, usize, Vec<(usize, u8)>)>;

fn note(best: &mut Best, id: &'static str, run: &[(usize, u8)]) {
    let switches = run.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    let this = (run.len(), switches, run.to_vec());
    let best = best.entry(id).or_insert_with(|| this.clone());
    if this < *best {
        *best = this;
    }
}

fn all_runs(tasks: &Tasks, world: &World, run: &mut Vec<(usize, u8)>, best: &mut Best) {
    if world.bad_at_rest(tasks) {
        note(best, BAD, run);
    }
    for choice in world.choices(tasks) {
        run.push(choice);
        let mut next = world.clone();
        match next.step(tasks, choice) {
            Some(id) => note(best, id, run),
            None => all_runs(tasks, &next, run, best),
        }
        run.pop();
    }
}

/// How many states there are, and how many steps.
fn count(tasks: &Tasks) -> (usize, usize) {
    let mut seen = BTreeSet::from([World::new(tasks).canonical()]);
    let mut todo: Vec<World> = seen.iter().cloned().collect();
    let mut steps = 0;
    while let Some(world) = todo.pop() {
        for choice in world.choices(tasks) {
            steps += 1;
            let mut next = world.clone();
            if next.step(tasks, choice).is_none() {
                let next = next.canonical();
                if seen.insert(next.clone()) {
                    todo.push(next);
                }
            }
        }
    }
    (seen.len(), steps)
}

// The same on the machine.

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const SPAWNED: Cell<bool> = Cell::new(ROOT, Field(4));

const fn lock(n: u8) -> Cell<()> {
    Cell::new(ROOT, Field(n))
}

const fn cell(n: u8) -> Cell<u8> {
    Cell::new(ROOT, Field(2 + n))
}

struct Machine {
    tasks: Tasks,
    rest: usize,
}

impl Subject for Machine {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        let program = usize::from(task.function);
        let code = &self.tasks[program];
        cpu.repeat(0u8, |pc| {
            let mut to = pc + 1;
            match code.get(usize::from(pc)) {
                None => return Ok(ControlFlow::Break(())),
                Some(Lock(n)) => cpu.lock(lock(*n))?,
                Some(Unlock(n)) => cpu.unlock(lock(*n))?,
                Some(Store(n, value)) => cpu.store(cell(*n), *value)?,
                Some(Check(n, value)) => {
                    let load = Op::from(Action::Load(cpu.cell(cell(*n))));
                    cpu.step(
                        load.telling(Event { kind: 0, args: [Obs::Int(*value), Obs::Unit, Obs::Unit] }),
                    )?;
                }
                Some(SkipIf(n)) => to += u8::from(cpu.load(cell(*n))? != 0),
                Some(MaySkip) => to += u8::from(cpu.choose(2)? == 1),
                Some(Spawn) => {
                    let child = entry(u8::try_from(self.tasks.len() - 1).expect("few programs"));
                    cpu.step(Action::Spawn(cpu.cell(SPAWNED), child))?;
                }
            }
            Ok(ControlFlow::Continue(to))
        })?;
        if program + 1 == self.tasks.len() {
            cpu.step(Action::SpawnEnd(cpu.cell(SPAWNED)))?;
        }
        Ok(())
    }

    fn event(&self, event: &Event, observed: Obs, _memory: &mut [u8]) -> Result<(), Hazard> {
        if observed == event.args[0] { Err(Hazard::new(BAD, About::Program, "bad")) } else { Ok(()) }
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let bad = memory[self.rest] == BAD_AT_REST;
        bad.then(|| Hazard::new(BAD, About::Program, "bad at rest")).into_iter().collect()
    }
}

fn machine(tasks: &Tasks) -> Functions<'static> {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    for n in 0..2 {
        layout.cell(lock(n), format!("lock{n}"), Kind::Lock);
    }
    let cells = [0, 1].map(|n| layout.cell(cell(n), format!("cell{n}"), Kind::Int));
    layout.cell(SPAWNED, "spawned", Kind::Bool);
    let rest = layout.info(cells[1]).offset;
    let mut program = Functions::new(layout, Machine { tasks: tasks.clone(), rest });
    for task in 0..tasks.len() - 1 {
        program = program.task(&format!("t{task}"), entry(u8::try_from(task).expect("few tasks")));
    }
    program.workers(WORKERS)
}

fn check(tasks: &Tasks) {
    let spawns = tasks.iter().flatten().any(|instr| matches!(instr, Spawn));
    let mut best = Best::new();
    all_runs(tasks, &World::new(tasks), &mut Vec::new(), &mut best);
    let program = machine(tasks);
    let outcome = search(&program, &program.memory(), Limits::default(), |_| {});
    let ids: Vec<&str> = outcome.found.iter().map(|found| found.id).collect();
    assert_eq!(ids, best.keys().copied().collect::<Vec<_>>(), "{tasks:?}");
    for found in &outcome.found {
        let (steps, switches, run) = &best[found.id];
        assert_eq!(found.schedule.len(), *steps, "{} of {tasks:?}", found.id);
        let story = replayed(&program, found);
        let mine = story.steps.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count();
        assert_eq!(mine, *switches, "{} of {tasks:?}: {:?}, not {run:?}", found.id, found.schedule);
        if !spawns {
            let schedule: Vec<(usize, u8)> =
                found.schedule.iter().map(|choice| (choice.slot, choice.outcome)).collect();
            assert_eq!(schedule, *run, "{} of {tasks:?}", found.id);
        }
    }
    assert!(outcome.cut.is_none());
    walk(&program);
    agree(&program, &outcome);
    certified(&program, &program.memory());
    exported(&program, &program.memory());
    let counted = (outcome.states, outcome.transitions);
    assert_eq!(counted, count(tasks), "{tasks:?}");
}

fn instr() -> impl Strategy<Value = Instr> {
    prop_oneof![
        3 => (0..2u8).prop_map(Lock),
        3 => (0..2u8).prop_map(Unlock),
        2 => (0..2u8, 0..3u8).prop_map(|(cell, value)| Store(cell, value)),
        1 => (0..2u8, 1..3u8).prop_map(|(cell, value)| Check(cell, value)),
        1 => (0..2u8).prop_map(SkipIf),
        1 => Just(MaySkip),
    ]
}

fn program(most: usize) -> impl Strategy<Value = Vec<Instr>> {
    prop::collection::vec(instr(), 1..=most)
}

/// How many programs are tried: as many as `PROPTEST_CASES` has, or so many.
pub(in crate::search) fn config(otherwise: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(otherwise),
        failure_persistence: None,
        max_global_rejects: 1_000_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn two_tasks(mut tasks in prop::collection::vec(program(5), 2)) {
        tasks.push(Vec::new());
        check(&tasks);
    }

    #[test]
    fn three_tasks(mut tasks in prop::collection::vec(program(3), 3)) {
        tasks.push(Vec::new());
        check(&tasks);
    }

    #[test]
    fn spawned_tasks(
        first in program(2),
        second in program(2),
        child in program(2),
        places in prop::collection::vec((0..2usize, 0..3usize), 1..=3),
    ) {
        let mut tasks = vec![first, second, child];
        // At most one at each place, so that none is skipped past another's count.
        for (task, at) in places {
            let at = at.min(tasks[task].len());
            tasks[task].insert(at, Spawn);
        }
        check(&tasks);
    }
}
