//! Graphs as DOT: a function's automaton, a scenario's lock order, its states.

use indexmap::{IndexMap, IndexSet};
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};

use super::explored;
use super::slots::SlotMap;
use crate::scenario::Scenario;
use raddle_checker::Violation;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::program::Program;
use raddle_checker::render::does_words;
use raddle_checker::search::explore::{Explored, call_words};
use raddle_checker::search::system::Choice;
use raddle_checker::story::{Turn, op_does};
use raddle_driver_core::hand_model::DriverCore;

/// A node or an edge of a graph to draw: its label, and whether it is one of the counterexample's.
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
    state_limit: usize,
) -> Result<Option<String>, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let explored = explored(&program, state_limit)?;
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
    Ok(Some(dot(&graph)))
}

/// The order in which a scenario's tasks take mutexes, as DOT: an edge from each mutex that is held to
/// each that is wanted meanwhile.
///
/// # Errors
///
/// What is wrong with the scenario.
pub fn lock_graph(scenario: &Scenario, revision: &str, state_limit: usize) -> Result<String, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let explored = explored(&program, state_limit)?;
    let layout = program.layout();
    let mut edges: IndexMap<(u16, u16), IndexSet<String>> = IndexMap::new();
    let mut mutexes: IndexSet<u16> = IndexSet::new();
    for state in &explored.states {
        for slot in 0..program.slots().len() {
            let Some(node) = state.node(slot) else { continue };
            let node = explored.system.automaton().node(node);
            let Some((op, _)) = &node.next else { continue };
            let wanted = op.actions.iter().find_map(|action| match action {
                Action::Lock(mutex) => Some(*mutex),
                _ => None,
            });
            let Some(wanted) = wanted.or(op.under) else { continue };
            mutexes.insert(wanted.0);
            let mine = |byte: u8| usize::from(byte) == slot + 1;
            for held in layout.locks().iter().filter(|lock| mine(state.memory()[layout.info(**lock).offset]))
            {
                let stack = program.stack(&node.control);
                let inside = stack.last().map_or("", |call| call.name);
                edges.entry((held.0, wanted.0)).or_default().insert(inside.to_owned());
            }
        }
    }
    mutexes.sort_unstable();
    edges.sort_unstable_keys();
    let mut graph = DiGraph::new();
    let name = |cell: u16| layout.cells()[usize::from(cell)].name.clone();
    let nodes: IndexMap<u16, NodeIndex> =
        mutexes.iter().map(|cell| (*cell, graph.add_node(drawn(name(*cell), false)))).collect();
    for ((held, wanted), inside) in edges {
        let inside: Vec<String> = inside.into_iter().collect();
        graph.add_edge(nodes[&held], nodes[&wanted], drawn(inside.join(", "), held == wanted));
    }
    Ok(dot(&graph))
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
    state_limit: usize,
) -> Result<String, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let mut explored = explored(&program, state_limit)?;
    if !explored.complete {
        return Err(format!("there are more than {state_limit} states, too many to draw; see --max-states"));
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
