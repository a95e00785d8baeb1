//! Certificates of random programs (those of `search::tests`): there is one only if the reference search finds nothing,
//! and what is changed in one is noticed. Renamings: of programs whose tasks are alike, and of some where they only seem so.

use super::{Certificate, NoProof, Record, produce, verify};
use crate::automaton::functions::{Functions, Subject};
use crate::machine::cpu::{Cpu, Step};
use crate::machine::hazard::{About, Hazard};
use crate::machine::layout::{Cell, Field, Kind, Layout};
use crate::machine::op::{Action, Entry, Event, Op};
use crate::machine::program::Program;
use crate::machine::value::{Object, Obs, Sort};
use crate::search::reference::{Limits, search};
use crate::search::system::System;

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const N: Cell<u8> = Cell::new(ROOT, Field(0));
const LEFT: Cell<u8> = Cell::new(ROOT, Field(1));
const THING: Sort = Sort(1);

/// Tasks that each count up twice.
struct Counting {
    /// This task counts once.
    lazy: Option<u8>,
}

fn own(entry: &Entry) -> Object {
    let [Obs::Id(own)] = entry.args[..] else { unreachable!("a task is told of a thing") };
    own
}

impl Subject for Counting {
    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()> {
        for turn in 0..2 {
            if turn == 0 || self.lazy != Some(own(entry).index) {
                let n: u8 = cpu.load(N)?;
                cpu.store(N, n + 1)?;
            }
        }
        Ok(())
    }
}

/// Tasks that each count down. The last of them tells a check who it is, and that has something against one of them.
struct Last {
    never: u8,
}

impl Subject for Last {
    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()> {
        if cpu.step(Action::Dec(cpu.cell(LEFT)))? == Obs::Bool(true) {
            let told = Op::from(Action::Load(cpu.cell(N)));
            cpu.step(told.telling(Event { kind: 0, args: [Obs::Id(own(entry)), Obs::Unit, Obs::Unit] }))?;
        }
        Ok(())
    }

    fn event(&self, event: &Event, _: Obs, _: &mut [u8]) -> Result<(), Hazard> {
        let never = Obs::Id(Object { sort: THING, index: self.never });
        if event.args[0] == never {
            return Err(Hazard::new("last", About::Program, "it is the last".to_owned()));
        }
        Ok(())
    }
}

/// So many tasks, each with a thing of its own.
fn alike(tasks: u8, subject: impl Subject + 'static) -> Functions<'static> {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(N, "n", Kind::Int);
    layout.cell(LEFT, "left", Kind::Count);
    (0..tasks).for_each(|index| layout.immortal(Object { sort: THING, index }, format!("thing {index}")));
    let program = Functions::new(layout, subject).with(LEFT, tasks);
    let entry = |index| Entry { function: 0, args: vec![Obs::Id(Object { sort: THING, index })] };
    (0..tasks).fold(program, |program, index| program.task(&format!("task {index}"), entry(index)))
}

#[test]
fn states_that_renamings_make_of_each_other_have_one_record() {
    let program = alike(3, Counting { lazy: None });
    let memory = program.memory();
    let certificate = certified(&program, &memory).expect("there is no hazard");
    assert_eq!(certificate.renamings.len(), 5);
    let plain = search(&program, &memory, Limits::default(), |_| {}).states;
    let few = certificate.records.len();
    assert!(few * 6 >= plain && few * 4 < plain, "{few} records stand for {plain} states");

    // What can be made of the renamings must be among them, and each must move all slots.
    let mut changed = certificate.clone();
    changed.renamings.pop();
    assert_eq!(verify(&program, &memory, &changed), Err(NoProof::NoGroup));
    changed.renamings[1].slots = vec![0, 0, 1];
    assert_eq!(verify(&program, &memory, &changed), Err(NoProof::Renaming(1)));

    // The same is claimed of a program in which one task goes on differently.
    let unlike = alike(3, Counting { lazy: Some(2) });
    assert!(matches!(verify(&unlike, &memory, &certificate), Err(NoProof::Renaming(_))));
    // There, no renaming is used.
    assert_eq!(certified(&unlike, &memory).expect("there is no hazard").renamings, []);
}

#[test]
fn checks_that_are_not_the_same_after_a_renaming_are_noticed() {
    let outcomes = [0, 1].map(|never| {
        let program = alike(2, Last { never });
        let made = produce(&program, &program.memory(), 1_000);
        made.and_then(|certificate| verify(&program, &program.memory(), &certificate))
    });
    // Of one task the search has met no run in which it is the last: another one stands for those.
    assert!(outcomes.contains(&Err(NoProof::Hazard("last"))), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(NoProof::Unlike(..)))), "{outcomes:?}");
}

/// A certificate of a program, if the reference search finds nothing in it.
pub(crate) fn certified<P: Program>(program: &P, memory: &[u8]) -> Option<Certificate> {
    let limits = Limits { state_limit: Some(20_000), ..Limits::default() };
    let reference = search(program, memory, limits, |_| {});
    let expected: Vec<&str> = reference.found.iter().map(|found| found.id).collect();
    match produce(program, memory, 20_000) {
        Ok(certificate) => {
            assert!(reference.cut.is_some() || expected.is_empty(), "{expected:?} are missed");
            let proved = verify(program, memory, &certificate);
            assert_eq!(proved.map(|proved| proved.states), Ok(certificate.records.len()));
            tamper(program, memory, &certificate);
            Some(certificate)
        }
        Err(NoProof::Hazard(id)) => {
            assert!(reference.cut.is_some() || expected.contains(&id), "{id} is none of {expected:?}");
            None
        }
        Err(NoProof::Bound(_) | NoProof::Cycle | NoProof::TooLarge(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Changes a certificate in many ways, none of which may prove anything.
fn tamper<P: Program>(program: &P, memory: &[u8], certificate: &Certificate) {
    let Certificate { renamings, records } = certificate;
    let refused = |records: &[Record]| {
        let changed = Certificate { renamings: renamings.clone(), records: records.to_vec() };
        verify(program, memory, &changed).expect_err("it was changed")
    };
    let first = if records.len() == 1 { NoProof::Missing(0) } else { NoProof::OtherState(0) };
    assert_eq!(refused(&records[1..]), first);
    let last = records.len() - 1;
    assert_eq!(refused(&records[..last]), NoProof::Missing(last));
    let longer: Vec<Record> = records.iter().chain(&records[..1]).cloned().collect();
    assert_eq!(refused(&longer), NoProof::Left(1));
    let changed = |at: usize, change: &dyn Fn(&mut Record)| {
        let mut changed = records.to_vec();
        change(&mut changed[at]);
        changed
    };
    assert_eq!(refused(&changed(last, &|record| record.state ^= 1)), NoProof::OtherState(last));
    if records.len() == 1 {
        // Nothing happens.
        return;
    }
    assert_eq!(refused(&changed(0, &|record| record.set = 0)), NoProof::Nobody(0));
    let many = u8::try_from(renamings.len() + 1).expect("a small group");
    let none = NoProof::Renaming(renamings.len());
    assert_eq!(refused(&changed(0, &|record| record.renamed = vec![many])), none);
    if let Some(at) = records.iter().position(|record| !record.renamed.is_empty()) {
        // The state itself has no record, or it is another one's turn.
        refused(&changed(at, &|record| record.renamed.clear()));
        let without = Certificate { renamings: Vec::new(), records: records.clone() };
        assert!(matches!(verify(program, memory, &without), Err(NoProof::Renaming(_))));
    }
    // Somebody who can go on is said to stand still.
    let mut system = System::new(program);
    let initial = system.initial(memory);
    let mut choices = Vec::new();
    system.enabled(&initial, &mut choices);
    if let Some(choice) = choices.iter().find(|choice| records[0].set >> choice.slot & 1 == 0) {
        let said = changed(0, &|record| record.still |= 1 << choice.slot);
        assert_eq!(refused(&said), NoProof::Moves(0, choice.slot));
    }
}

/// Who does not trust the search can read all of the checker.
#[test]
fn the_checker_is_small() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let files = [include_str!("verify.rs"), include_str!("relations.rs"), include_str!("renamings.rs")];
    let lines: usize = files.iter().map(|file| file.lines().filter(is_code).count()).sum();
    assert!(lines < 500, "{lines} lines");
}
