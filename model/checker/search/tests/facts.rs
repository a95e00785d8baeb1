//! Facts about the run: states that differ in them alone are joined, and no hazard is lost or made up.

use proptest::prelude::*;

use super::brute::config;
use super::finer::{gone_on_with, saved, summary};
use super::{Boxed, agree, among, counted, do_, found};
use crate::automaton::functions::{Functions, Subject, entry};
use crate::machine::cpu::{Cpu, Step};
use crate::machine::hazard::{About, Hazard, id};
use crate::machine::layout::{Cell, CellId, Field, Kind, Layout, Part};
use crate::machine::op::{Action, Entry, Event, Op, Touch};
use crate::machine::value::{Object, Obs, Sort};
use crate::search::reduced::remedies::{Remedies, Remedy};
use crate::search::reduced::{self, resources::Resources};
use crate::search::reference::{Limits, search};

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const N: Cell<u8> = Cell::new(ROOT, Field(0));
const M: Cell<u8> = Cell::new(ROOT, Field(1));
const LOCK: Cell<()> = Cell::new(ROOT, Field(2));
const FACTS: [Cell<u8>; 2] = [Cell::new(ROOT, Field(3)), Cell::new(ROOT, Field(4))];

/// What an event sets a cell of facts to: none, or one of so many.
const VALUES: [u8; 4] = [0, 1, 2, 4];

/// Tasks that run a closure, and events that record facts. At rest there is a hazard for each fact that is so while
/// `N` is the number of the cell and the bit, modulo 3.
struct Recorded<'a> {
    body: Boxed<'a>,
    facts: [CellId; 2],
    at: [usize; 2],
    n: (CellId, usize),
}

impl Subject for Recorded<'_> {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        (self.body)(cpu, task)
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        let (cell, value) = told(event.kind);
        vec![(self.facts[cell], Part::Whole, Touch::Same(value))]
    }

    fn event(&self, event: &Event, _observed: Obs, memory: &mut [u8]) -> Result<(), Hazard> {
        let (cell, value) = told(event.kind);
        memory[self.at[cell]] = value;
        Ok(())
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let hazard = |cell: usize, bit: u8| {
            let about = |index: usize| Object { sort: Sort(0), index: index as u8 };
            let about = About::Pair(about(cell), about(usize::from(bit)));
            Hazard::new(id::WARNING, about, format!("fact {bit} of {cell}"))
        };
        let bits = (0..2).flat_map(|cell| (0..3).map(move |bit| (cell, bit)));
        let holds = |(cell, bit): &(usize, u8)| {
            memory[self.at[*cell]] >> bit & 1 != 0 && memory[self.n.1] == (*cell as u8 + bit) % 3
        };
        bits.filter(holds).map(|(cell, bit)| hazard(cell, bit)).collect()
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        Some(self.facts.into_iter().chain([self.n.0]).map(|cell| (cell, Part::Whole)).collect())
    }

    fn facts(&self) -> Vec<CellId> {
        self.facts.to_vec()
    }
}

/// Which cell of facts an event sets to what.
fn told(kind: u8) -> (usize, u8) {
    (usize::from(kind) / VALUES.len(), VALUES[usize::from(kind) % VALUES.len()])
}

/// So many tasks of one body, which is told which of them it is.
fn recording<'a>(tasks: u8, body: impl Fn(&Cpu<'_>, u8) -> Step<()> + Send + Sync + 'a) -> Functions<'a> {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(N, "n", Kind::Int);
    layout.ghost(FACTS[0], "facts", Kind::Int);
    layout.cell(M, "m", Kind::Int);
    layout.cell(LOCK, "lock", Kind::Lock);
    layout.ghost(FACTS[1], "more facts", Kind::Int);
    let facts = FACTS.map(|cell| layout.find(cell));
    let n = layout.find(N);
    let body = move |cpu: &Cpu<'_>, task: &Entry| body(cpu, task.function);
    let subject = Recorded {
        body: Box::new(body),
        facts,
        at: facts.map(|cell| layout.info(cell).offset),
        n: (n, layout.info(n).offset),
    };
    (0..tasks)
        .fold(Functions::new(layout, subject), |program, task| program.task(&format!("t{task}"), entry(task)))
}

fn tell(cpu: &Cpu<'_>, kind: u8, by: Action) -> Step<()> {
    cpu.step(Op::from(by).telling(Event { kind, args: [Obs::None; 3] })).map(|_| ())
}

/// The states that the default search stores, without some remedies. It finds what the reference search finds.
fn stored(program: &Functions<'_>, without: Remedies) -> usize {
    let memory = program.memory();
    let reference = search(program, &memory, Limits::default(), |_| {});
    let dir = tempfile::tempdir().expect("a directory");
    let spill = |spill| if spill { (Some(dir.path().to_owned()), Some(0)) } else { (None, None) };
    let states = [(1, false), (2, false), (1, true)].map(|(threads, on_disk)| {
        let (spill, memory_limit) = spill(on_disk);
        let limits = Limits { without, memory_limit, ..Limits::default() };
        let resources = Resources { threads, spill, ..Resources::default() };
        let reduced = reduced::search(program, &memory, limits, &resources, |_| {});
        let reduced = reduced.expect("the disk works").expect("nothing comes back");
        assert_eq!(counted(&reduced), found(&reference), "without {without:?}");
        (reduced.outcome.states, reduced.outcome.transitions)
    });
    assert_eq!(states[0], states[1], "one and two threads");
    assert_eq!(states[0], states[2], "in memory and on disk");
    states[0].0
}

/// Two tasks record facts in one order or the other, long before it matters; a third does something else in four
/// orders meanwhile.
#[test]
fn states_with_other_facts_are_one() {
    let program = recording(3, |cpu, task| match task {
        0 => {
            tell(cpu, 1, Action::Load(cpu.cell(M)))?;
            cpu.store(N, 1)
        }
        1 => {
            tell(cpu, 2, Action::Load(cpu.cell(M)))?;
            cpu.store(N, 0)
        }
        _ => cpu.store(M, 1),
    });
    let outcome = search(&program, &program.memory(), Limits::default(), |_| {});
    assert_eq!(found(&outcome), [(id::WARNING, 2)]);
    agree(&program, &outcome);
    let (all, apart) =
        (stored(&program, Remedies::NONE), stored(&program, Remedies::NONE.with(Remedy::Facts)));
    assert!(all < apart, "{all} and {apart} states");
}

/// A fact that comes to a state only after what follows it was explored: the way to it is longer.
#[test]
fn facts_that_come_late_are_passed_on() {
    let program = recording(2, |cpu, task| match task {
        0 => {
            for _ in 0..3 {
                cpu.lock(LOCK)?;
                let n = cpu.load(M)?;
                cpu.store(M, n + 1)?;
                cpu.unlock(LOCK)?;
            }
            // Only if the other one came between.
            if cpu.load(N)? == 1 {
                tell(cpu, 2, Action::Store(cpu.cell(N), Obs::Int(1)))
            } else {
                cpu.store(N, 1)
            }
        }
        _ => {
            cpu.lock(LOCK)?;
            cpu.store(N, 1)?;
            cpu.unlock(LOCK)?;
            cpu.lock(LOCK)?;
            cpu.load(M)?;
            cpu.unlock(LOCK)
        }
    });
    let outcome = search(&program, &program.memory(), Limits::default(), |_| {});
    agree(&program, &outcome);
    stored(&program, Remedies::NONE);
    assert_eq!(found(&outcome), [(id::WARNING, 1)]);
}

/// Many states get facts at once, and the search is killed while they are expanded again.
#[test]
fn a_search_that_is_killed_is_gone_on_with() {
    let program = recording(3, |cpu, task| {
        for round in 0..2 {
            tell(cpu, (task + round) % 8, Action::Load(cpu.cell(M)))?;
            cpu.store(N, (task + round) % 3)?;
        }
        cpu.store(M, task)
    });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("saved");
    let copy = |number: usize| dir.path().join(format!("saved-{number}"));
    let mut copies = 0;
    // A search that is killed leaves what was saved last.
    let kill = || copies += usize::from(std::fs::copy(&file, copy(copies)).is_ok());
    let whole = saved(&program, None, (&file, None), kill);
    assert!(copies > 8, "{copies} times");
    for number in (0..copies).step_by(1 + copies / 40) {
        let found = saved(&program, None, (&file, Some(&copy(number))), || {});
        assert_eq!(summary(&found), summary(&whole), "killed after {number} of {copies} batches");
    }
}

/// What a random task does.
#[derive(Clone, Copy, Debug)]
enum Instr {
    /// Stores in `N` or in `M`.
    Store(bool, u8),
    /// Records a fact, while it looks at `N` or `M`.
    Tell(u8, bool),
    /// Goes on if `N` or `M` is this.
    If(bool, u8),
    /// Does the next under the mutex.
    Lock,
}

fn instr() -> impl Strategy<Value = Instr> {
    prop_oneof![
        3 => (any::<bool>(), 0..3u8).prop_map(|(m, value)| Instr::Store(m, value)),
        4 => (0..8u8, any::<bool>()).prop_map(|(kind, m)| Instr::Tell(kind, m)),
        1 => (any::<bool>(), 0..3u8).prop_map(|(m, value)| Instr::If(m, value)),
        1 => Just(Instr::Lock),
    ]
}

fn does(cpu: &Cpu<'_>, all: &[Instr]) -> Step<()> {
    let of = |m: bool| if m { M } else { N };
    let mut locked = false;
    for instr in all {
        let unlocks = locked;
        match *instr {
            Instr::Store(m, value) => cpu.store(of(m), value)?,
            Instr::Tell(kind, m) => tell(cpu, kind, Action::Load(cpu.cell(of(m))))?,
            Instr::If(m, value) => {
                if cpu.load(of(m))? != value {
                    break;
                }
            }
            Instr::Lock if !locked => {
                cpu.lock(LOCK)?;
                locked = true;
                continue;
            }
            Instr::Lock => {}
        }
        if unlocks {
            cpu.unlock(LOCK)?;
            locked = false;
        }
    }
    if locked { do_(cpu, Action::Unlock(cpu.cell(LOCK))) } else { Ok(()) }
}

/// A task for each list.
fn doing(tasks: &[Vec<Instr>]) -> Functions<'_> {
    recording(tasks.len() as u8, |cpu, task| does(cpu, &tasks[usize::from(task)]))
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn random_programs_that_record_facts_have_the_same_hazards(
        tasks in prop::collection::vec(prop::collection::vec(instr(), 1..=5), 2..=4),
    ) {
        let program = doing(&tasks);
        for without in [Remedies::NONE, Remedies::NONE.with(Remedy::Facts), Remedies::NONE.with(Remedy::Sleep)] {
            stored(&program, without);
        }
        among::among(&program, &program.memory());
    }
}

proptest! {
    #![proptest_config(config(30))]

    #[test]
    fn random_programs_that_record_facts_are_gone_on_with(
        tasks in prop::collection::vec(prop::collection::vec(instr(), 3..=5), 3..=4),
    ) {
        let program = doing(&tasks);
        gone_on_with(&program);
    }
}
