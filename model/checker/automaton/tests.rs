//! Tests of the automaton on programs that know no subject.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};

use petgraph::visit::EdgeRef;

use super::Automaton;
use super::functions::{Functions, entry};
use crate::machine::cpu::{Cpu, Step};
use crate::machine::layout::{Cell, Field, Kind, Layout};
use crate::machine::op::{Entry, Op};
use crate::machine::program::{Next, Program};
use crate::machine::value::{Object, Obs, Sort};

const ROOT: Object = Object { sort: Sort(0), index: 0 };
const N: Cell<u8> = Cell::new(ROOT, Field(0));
const M: Cell<u8> = Cell::new(ROOT, Field(1));

/// One task over two numbers.
fn program<'s>(body: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 's) -> Functions<'s> {
    let mut layout = Layout::new();
    layout.immortal(ROOT, "root");
    layout.cell(N, "n", Kind::Int);
    layout.cell(M, "m", Kind::Int);
    Functions::new(layout, body).task("t", entry(0))
}

/// Feeds 0 to 3 to every step that reads, and returns how many nodes there are.
fn nodes(program: &Functions<'_>) -> usize {
    let mut automaton = Automaton::new(program);
    let mut todo = vec![automaton.start(&entry(0))];
    let mut seen = BTreeSet::new();
    while let Some(node) = todo.pop() {
        if seen.insert(node) && automaton.node(node).next.is_some() {
            todo.extend((0..4).map(|n| automaton.resume(node, Obs::Int(n))));
        }
    }
    repeatable(&automaton);
    seen.len()
}

/// Every history, run again, has the same next step and leads to the same histories.
pub(crate) fn repeatable<P: Program>(automaton: &Automaton<'_, P>) {
    let program = automaton.program();
    for node in automaton.graph().node_indices() {
        let this = automaton.node(node);
        let next = this.next.clone().map_or(Next::Done, |(op, at)| Next::Step(Op::clone(&op), at));
        assert_eq!(program.next(&this.control), next);
        for edge in automaton.graph().edges(node) {
            let (control, next) = program.resume(&this.control, *edge.weight());
            assert_eq!(control, automaton.node(edge.target()).control);
            assert_eq!(next, program.next(&control), "learned at once");
        }
    }
}

#[test]
fn an_endless_loop_is_a_cycle() {
    let poll = |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
        cpu.repeat((), |()| {
            let found = cpu.load(N)? == 3;
            Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    };
    assert_eq!(nodes(&program(poll)), 2, "the loop, and the end");
    let count = |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
        cpu.repeat(0u8, |turn| {
            cpu.load(N)?;
            cpu.load(M)?;
            Ok(ControlFlow::Continue((turn + 1) % 3))
        })
    };
    assert_eq!(nodes(&program(count)), 3 * (1 + 4), "each turn remembers its own first load only");
}

#[test]
fn a_function_that_has_returned_leaves_only_its_result() {
    let positive = |cpu: &Cpu<'_>| -> Step<bool> { Ok(cpu.load(N)? > 0) };
    let in_a_frame = move |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
        cpu.call("positive", &[], || positive(cpu))?;
        cpu.load(M)?;
        Ok(())
    };
    let inline = move |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
        positive(cpu)?;
        cpu.load(M)?;
        Ok(())
    };
    assert_eq!(nodes(&program(in_a_frame)), 1 + 2 + 1);
    assert_eq!(nodes(&program(inline)), 1 + 4 + 1);
}

#[test]
fn a_task_that_has_ended_is_not_one_that_has_not_begun() {
    let program = program(|cpu: &Cpu<'_>, _: &Entry| cpu.store(N, 1));
    let mut automaton = Automaton::new(&program);
    let start = automaton.start(&entry(0));
    let end = automaton.resume(start, Obs::Unit);
    assert_ne!(start, end);
    assert!(automaton.node(end).next.is_none());
    assert_eq!(program.next(&automaton.node(end).control), Next::Done);
}

#[test]
fn the_stack_holds_the_functions_that_have_not_returned() {
    let program = program(|cpu: &Cpu<'_>, _: &Entry| {
        cpu.call("outer", &[Obs::Int(7)], || {
            cpu.call("inner", &[], || cpu.load(N))?;
            cpu.repeat((), |()| Ok(ControlFlow::Break(cpu.store(M, 1)?)))
        })
    });
    let mut automaton = Automaton::new(&program);
    let start = automaton.start(&entry(0));
    let after = automaton.resume(start, Obs::Int(2));
    let names = |node| -> Vec<&str> {
        program.stack(&automaton.node(node).control).iter().map(|call| call.name).collect()
    };
    assert_eq!(names(start), ["outer", "inner"]);
    assert_eq!(names(after), ["outer"]);
}

#[test]
#[should_panic(expected = "internal: a replayed function did something else")]
fn a_step_that_depends_on_anything_else_is_found() {
    let runs = AtomicU8::new(0);
    nodes(&program(move |cpu: &Cpu<'_>, _: &Entry| {
        cpu.store(N, runs.fetch_add(1, Ordering::Relaxed))?;
        cpu.store(M, 0)
    }));
}

#[test]
#[should_panic(expected = "internal: a replayed function did something else")]
fn an_argument_that_depends_on_anything_else_is_found() {
    let runs = AtomicU8::new(0);
    nodes(&program(move |cpu: &Cpu<'_>, _: &Entry| {
        cpu.call("one", &[], || cpu.load(N))?;
        // The next run finds this call returned.
        let args = [Obs::Int(runs.fetch_add(1, Ordering::Relaxed) / 8)];
        cpu.call("two", &args, || Ok(()))?;
        cpu.store(M, 0)?;
        cpu.store(M, 1)
    }));
}

#[test]
#[should_panic(expected = "internal: a loop that takes no step")]
fn a_loop_without_a_step_is_found() {
    nodes(&program(|cpu: &Cpu<'_>, _: &Entry| cpu.repeat(0u8, |n| Ok(ControlFlow::<(), u8>::Continue(n)))));
}
