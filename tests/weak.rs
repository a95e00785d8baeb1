//! The experiment `--weak-memory`: what loom shows of marked fields, and what stays as it is.

use std::sync::Arc;

use raddle_checker::automaton::functions::{Functions, entry};
use raddle_checker::machine::cpu::{Cpu, Step};
use raddle_checker::machine::layout::{Cell, Field, Kind, Layout};
use raddle_checker::machine::op::{Action, Entry};
use raddle_checker::machine::value::{Object, Sort};
use raddle_checker::search::reference::{Limits, search};
use raddle_engines::survey::survey;
use raddle_engines::{NativeOptions, Result, loom, shuttle};

const THING: Object = Object { sort: Sort(0), index: 0 };
const X: Cell<u8> = Cell::new(THING, Field(0));
const Y: Cell<u8> = Cell::new(THING, Field(1));
const LEFT: Cell<u8> = Cell::new(THING, Field(2));
const RIGHT: Cell<u8> = Cell::new(THING, Field(3));
const LOCK: Cell<()> = Cell::new(THING, Field(4));
const COUNT: Cell<u8> = Cell::new(THING, Field(5));
const DUG: Object = Object { sort: Sort(1), index: 0 };

fn layout(marked: &[Cell<u8>]) -> Layout {
    let mut layout = Layout::new();
    layout.immortal(THING, "thing");
    for (cell, name) in [(X, "x"), (Y, "y"), (LEFT, "left"), (RIGHT, "right")] {
        let cell_id = layout.cell(cell, name, Kind::Int);
        if marked.contains(&cell) {
            layout.mark(cell_id);
        }
    }
    layout.cell(LOCK, "lock", Kind::Lock);
    layout.cell(COUNT, "count", Kind::Count);
    layout.mortal(DUG, "dug", "use-after-free");
    layout
}

/// What the sequentially consistent engines say, which must be the same, and what loom says of weak memory.
struct Both {
    ends: Vec<Vec<u8>>,
    weak: Result,
}

fn both(layout: Layout, run: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'static) -> Both {
    both_of(Functions::new(layout, run))
}

fn both_of(program: Functions<'static>) -> Both {
    let program = program.alive(DUG).task("one", entry(0)).task("two", entry(1));
    let memory = program.memory();
    let outcome = search(&program, &memory, Limits::default(), |_| {});
    assert!(outcome.found.is_empty(), "the reference search finds nothing");
    let ends = survey(&program, &memory, 100_000, None).expect("it is small").terminal;
    let program = Arc::new(program);
    let options = NativeOptions::default();
    for result in [shuttle::explore(&program, &memory, &options), loom::explore(&program, &memory, &options)]
    {
        assert_eq!(result.cut, None);
        assert_eq!(result.hazards(), Vec::<&str>::new());
        assert_eq!(result.weak_only, []);
        assert_eq!(result.terminal, ends);
    }
    let weak = loom::explore(&program, &memory, &NativeOptions { weak_memory: true, ..options });
    assert_eq!(weak.cut, None);
    println!("{} executions, {:?}", weak.executions, weak.weak_only);
    Both { ends, weak }
}

/// Store buffering: each task writes its own field and reads the other's.
fn store_buffering(cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
    let (own, other, result) = if task.function == 0 { (X, Y, LEFT) } else { (Y, X, RIGHT) };
    cpu.store(own, 1)?;
    let seen = cpu.load(other)?;
    cpu.store(result, 10 + seen)
}

#[test]
fn store_buffering_shows_with_marked_fields() {
    let marked = layout(&[X, Y]);
    let at = |cell| marked.info(marked.find(cell)).offset;
    let (left, right) = (at(LEFT), at(RIGHT));
    let Both { ends, weak } = both(marked, store_buffering);
    let neither = |end: &&Vec<u8>| (end[left], end[right]) == (10, 10);
    assert_eq!(ends.iter().filter(neither).count(), 0, "not under sequential consistency");
    assert_eq!(weak.terminal.iter().filter(neither).count(), 1, "but here neither sees the other");
    assert!(ends.iter().all(|end| weak.terminal.contains(end)), "whatever else can be is there too");
}

#[test]
fn plain_fields_stay_as_they_are() {
    let Both { ends, weak } = both(layout(&[]), store_buffering);
    assert_eq!(weak.terminal, ends);
}

/// Message passing: who sees the flag and not the data goes wrong.
fn message_passing(cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
    if task.function == 0 {
        cpu.store(X, 1)?;
        return cpu.store(Y, 1);
    }
    let flag = cpu.load(Y)?;
    let data = cpu.load(X)?;
    if flag == 1 && data == 0 {
        cpu.step(Action::Free(DUG))?;
        cpu.step(Action::Free(DUG))?;
    }
    Ok(())
}

#[test]
fn message_passing_goes_wrong_by_a_stale_value() {
    let Both { weak, .. } = both(layout(&[X, Y]), message_passing);
    assert_eq!(weak.hazards(), Vec::<&str>::new(), "no schedule shows it on the machine");
    let [only] = &weak.weak_only[..] else { panic!("{:?}", weak.weak_only) };
    assert_eq!(only.id, "double-free");
    assert_eq!(only.stale, ["two reads 0 from x, which is 1"]);
}

#[test]
fn plain_data_behind_a_marked_flag_is_not_stale() {
    let Both { weak, .. } = both(layout(&[Y]), message_passing);
    assert_eq!(weak.weak_only, []);
}

#[test]
fn a_lock_orders_marked_fields() {
    let Both { weak, ends } = both(layout(&[X, Y]), |cpu: &Cpu<'_>, task: &Entry| {
        cpu.lock(LOCK)?;
        message_passing(cpu, task)?;
        cpu.unlock(LOCK)
    });
    assert_eq!(weak.weak_only, []);
    assert_eq!(weak.terminal, ends);
}

#[test]
fn no_count_is_lost() {
    let Both { weak, ends } = both(layout(&[]), |cpu: &Cpu<'_>, _: &Entry| {
        for _ in 0..2 {
            let count = cpu.cell(COUNT);
            cpu.step(Action::Get(count))?;
        }
        Ok(())
    });
    assert_eq!(ends.len(), 1);
    assert_eq!(weak.terminal, ends);
}
