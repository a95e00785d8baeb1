//! Graphs as DOT: a function's automaton, a scenario's lock order, its states.

use indexmap::{IndexMap, IndexSet};
use petgraph::algo::tarjan_scc;
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};

use super::explored;
use super::slots::SlotMap;
use crate::guarantee::why_cut;
use crate::scenario::Scenario;
use raddle_checker::Violation;
use raddle_checker::machine::blocked::{Tasks, is_awaited};
use raddle_checker::machine::op::{Op, Wait};
use raddle_checker::machine::program::Program;
use raddle_checker::render::{awaited_words, does_words};
use raddle_checker::search::explore::{Explored, call_words};
use raddle_checker::search::reference::{Cut, Limits};
use raddle_checker::search::system::Choice;
use raddle_checker::story::{Does, Turn, op_does};
use raddle_driver_core::cpu::DEFAULT_DOMAIN;
use raddle_driver_core::hand_model::DriverCore;

/// A node or an edge of a graph to draw: its label, and whether it is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Drawn {
    label: String,
    marked: bool,
}

fn drawn(label: impl Into<String>, marked: bool) -> Drawn {
    Drawn { label: label.into(), marked }
}

/// A graph as DOT.
fn dot(graph: &DiGraph<Drawn, Drawn>) -> String {
    let attributes = |drawn: &Drawn| {
        let label = drawn.label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\l");
        let mark = if drawn.marked { ", color=red, fontcolor=red, penwidth=2" } else { "" };
        format!("label=\"{label}\"{mark}")
    };
    let edge = |_, edge: <&DiGraph<Drawn, Drawn> as IntoEdgeReferences>::EdgeRef| attributes(edge.weight());
    let node = |_, (_, drawn): (NodeIndex, &Drawn)| format!("shape=box, {}", attributes(drawn));
    let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
    format!("{:?}", Dot::with_attr_getters(graph, &config, &edge, &node))
}

/// A graph that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// As DOT.
    pub dot: String,
    /// Why it may lack something, if so: not all states were visited.
    pub cut: Option<String>,
}

impl Drawing {
    fn new(
        graph: &DiGraph<Drawn, Drawn>,
        scenario: &Scenario,
        program: &DriverCore,
        cut: Option<Cut>,
    ) -> Self {
        Drawing { dot: dot(graph), cut: cut.map(|cut| why_cut(scenario, program, cut)) }
    }
}

/// The automaton of a modelled function as DOT, as far as the scenario's tasks take it; `None` if none
/// of them calls it. Of several sets of arguments the first that is met is shown.
///
/// # Errors
///
/// What is wrong with the scenario.
pub fn function_graph(
    scenario: &Scenario,
    revision: &str,
    function: &str,
    limits: &Limits,
) -> Result<Option<Drawing>, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let explored = explored(&program, limits)?;
    let automaton = explored.system.automaton().graph();
    let mut shown = None;
    let mut graph = DiGraph::new();
    let mut places: IndexMap<String, NodeIndex> = IndexMap::new();
    let mut of_node: IndexMap<NodeIndex, NodeIndex> = IndexMap::new();
    for node in automaton.node_indices() {
        let stack = program.stack(&automaton[node].control);
        let (Some(depth), Some((op, at))) =
            (stack.iter().position(|call| call.name == function), &automaton[node].next)
        else {
            continue;
        };
        if *shown.get_or_insert_with(|| stack[depth].clone()) != stack[depth] {
            continue;
        }
        let inner = stack[depth + 1..].iter().map(|call| call_words(&program, call.name, &call.args));
        let lines: Vec<String> = inner
            .chain([
                does_words(&op_does(&program, op)),
                format!("{}:{}", program.source_file(*at), at.line()),
            ])
            .collect();
        let label = format!("{}\n", lines.join("\n"));
        let place = *places.entry(label).or_insert_with_key(|label| graph.add_node(drawn(label, false)));
        of_node.insert(node, place);
    }
    let Some(call) = shown else { return Ok(None) };
    let enter = graph.add_node(drawn(call_words(&program, call.name, &call.args), false));
    let leave = graph.add_node(drawn("return", false));
    let mut edges: IndexSet<(NodeIndex, NodeIndex, String)> = IndexSet::new();
    for edge in automaton.edge_references() {
        let seen = call_words(&program, "", &[*edge.weight()]);
        let seen = seen.trim_matches(['(', ')']).to_owned();
        match (of_node.get(&edge.source()), of_node.get(&edge.target())) {
            (Some(from), Some(to)) => edges.insert((*from, *to, seen)),
            (Some(from), None) => edges.insert((*from, leave, seen)),
            (None, Some(to)) => edges.insert((enter, *to, String::new())),
            (None, None) => false,
        };
    }
    for node in of_node.keys() {
        if automaton.edges_directed(*node, petgraph::Incoming).next().is_none() {
            edges.insert((enter, of_node[node], String::new()));
        }
    }
    for (from, to, label) in edges {
        graph.add_edge(from, to, drawn(label, false));
    }
    Ok(Some(Drawing::new(&graph, scenario, &program, explored.cut)))
}

/// The order in which a scenario's tasks wait, as DOT: an edge from each thing that others may wait for until a
/// task acts (a mutex that it holds, the run of a work item or the async entry that it is) to each thing that it
/// wants meanwhile. What is on a cycle is marked: if each of its edges is another task's, they may wait for each
/// other for ever.
///
/// # Errors
///
/// What is wrong with the scenario.
pub fn lock_graph(scenario: &Scenario, revision: &str, limits: &Limits) -> Result<Drawing, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let explored = explored(&program, limits)?;
    let slots = program.slots().len();
    // Who has nothing to do waits for nothing.
    let wants = |op: &Op| !op.idles();
    let mut wanted: IndexMap<Wait<'_>, String> = IndexMap::new();
    for (op, _) in explored.system.automaton().graph().node_weights().filter_map(|node| node.next.as_ref()) {
        if let Some(wait) = op.wait().filter(|_| wants(op)) {
            wanted.entry(wait).or_insert_with(|| wait_words(&program, op, wait));
        }
    }
    wanted.sort_unstable_keys();
    let mut edges: IndexMap<(usize, usize), IndexSet<String>> = IndexMap::new();
    for state in explored.states.iter().chain(&explored.dead) {
        let tasks = explored.system.tasks(state);
        for slot in 0..slots {
            let Some(task) = tasks.task(slot).filter(|task| wants(task.op)) else { continue };
            let Some(to) = task.op.wait().and_then(|wait| wanted.get_index_of(&wait)) else { continue };
            for (from, held) in wanted.keys().enumerate() {
                if is_awaited(&program, state.memory(), slot, task, *held) {
                    let node = state.node(slot).expect("internal: there is a task");
                    let stack = program.stack(&explored.system.automaton().node(node).control);
                    let inside = stack.last().map_or("", |call| call.name);
                    edges.entry((from, to)).or_default().insert(inside.to_owned());
                }
            }
        }
    }
    edges.sort_unstable_keys();
    let mut graph = DiGraph::new();
    let nodes: Vec<NodeIndex> = wanted.values().map(|words| graph.add_node(drawn(words, false))).collect();
    for ((from, to), inside) in edges {
        let inside: Vec<String> = inside.into_iter().collect();
        graph.add_edge(nodes[from], nodes[to], drawn(inside.join(", "), false));
    }
    for cycle in tarjan_scc(&graph) {
        let on_it: Vec<_> = graph
            .edge_references()
            .filter(|edge| [edge.source(), edge.target()].iter().all(|end| cycle.contains(end)))
            .map(|edge| edge.id())
            .collect();
        on_it.into_iter().for_each(|edge| graph[edge].marked = true);
    }
    Ok(Drawing::new(&graph, scenario, &program, explored.cut))
}

/// What a step waits for.
fn wait_words(program: &DriverCore, op: &Op, wait: Wait<'_>) -> String {
    if let Wait::Lock(mutex) = wait {
        return program.layout().info(mutex).name.clone();
    }
    let all = match op_does(program, op).0 {
        Does::Wait(wait) => awaited_words(&wait),
        does => unreachable!("internal: {does:?} never waits"),
    };
    match wait {
        Wait::Async(_, Some(DEFAULT_DOMAIN)) => format!("{all} of the default domain"),
        Wait::Async(_, Some(_)) => format!("{all} of nvdimm's domain"),
        _ => all,
    }
}

/// All states of a small scenario as DOT, with the run of a violation marked.
///
/// # Errors
///
/// What is wrong with the scenario, or that it has more states than the limit.
pub fn state_graph(
    scenario: &Scenario,
    revision: &str,
    violation: Option<&Violation>,
    limits: &Limits,
) -> Result<String, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let mut explored = explored(&program, limits)?;
    if let Some(cut) = explored.cut {
        let why = why_cut(scenario, &program, cut);
        return Err(format!("a part of the states would be drawn only: {why}; see --max-states"));
    }
    let schedule = violation.map_or(&[][..], |violation| &violation.schedule);
    let marked = marked(&mut explored, schedule);
    let mut graph = DiGraph::new();
    let nodes: Vec<NodeIndex> = (0..explored.states.len())
        .map(|number| {
            graph.add_node(drawn(number.to_string(), marked.iter().any(|(from, ..)| *from == number)))
        })
        .collect();
    let end = explored.moves.iter().any(|moved| moved.to.is_none());
    let bad = end.then(|| {
        let id = violation.map_or("hazard", |violation| violation.id.as_str());
        graph.add_node(drawn(id, violation.is_some()))
    });
    for moved in &explored.moves {
        let Some(to) = moved.to.map(|to| nodes[to]).or(bad) else { continue };
        let state = &explored.states[moved.from];
        let words =
            explored.system.next(state, moved.choice.slot).map(|op| does_words(&op_does(&program, op)));
        let task = &program.slots()[moved.choice.slot].name;
        let label = format!("{task}: {}", words.unwrap_or_default());
        let mark = marked.contains(&(moved.from, moved.choice.slot, moved.choice.outcome));
        graph.add_edge(nodes[moved.from], to, drawn(label, mark));
    }
    Ok(dot(&graph))
}

/// The steps of a schedule as steps between explored states.
fn marked(explored: &mut Explored<'_, DriverCore>, schedule: &[Turn]) -> IndexSet<(usize, usize, u8)> {
    let mut marked = IndexSet::new();
    let mut slots = SlotMap::new(&explored.system);
    let mut state = explored.states[0].clone();
    for turn in schedule {
        let choice = Choice { slot: slots.of_state(turn.slot), outcome: turn.outcome };
        let Some(from) = explored.states.get_index_of(&state) else { break };
        marked.insert((from, choice.slot, choice.outcome));
        let Some(next) = slots.step(&mut explored.system, &state, choice) else { break };
        state = next;
    }
    marked
}
