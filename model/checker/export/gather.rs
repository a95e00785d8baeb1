//! What is written out of a program: gathered by the reference search's loop.

use std::collections::BTreeMap;

use indexmap::{IndexMap, IndexSet};
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::actions::{NO_ROOM, Step, enabled, number};
use super::code::{Code, Expr, FALSE, Place, Statement, TRUE, all, any, byte};
use super::{Choice, Model, NoExport};
use crate::machine::action::{Action, Wait};
use crate::machine::effect::apply;
use crate::machine::hazard::id;
use crate::machine::layout::{CellId, Layout};
use crate::machine::op::Op;
use crate::machine::program::{Program, SlotKind};
use crate::machine::step::{Bound, Stop};
use crate::search::bfs::{self, Here, Led, States, Visitor};
use crate::search::system::{self, System};

/// What a peer meets that the reference search has not.
const UNFORESEEN: &str = "unforeseen";

/// What the checks of an event said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// Nothing; the bytes that they look at are these now.
    Fine(Vec<u8>),
    /// A warning, and the task goes on.
    Warned(Vec<u8>, &'static str),
    /// The task does not go on.
    Stopped(&'static str),
}

/// What the checks of an event said: for what was observed and what the bytes were that they look at.
type Table = IndexMap<(usize, Vec<u8>), Said>;

struct Gather {
    most: usize,
    /// By slot and node.
    events: BTreeMap<(usize, NodeIndex), Table>,
    /// The nodes that have been met in each slot.
    met: Vec<IndexSet<NodeIndex>>,
    /// For each state at rest, what its checks look at, and the hazards.
    at_rest: IndexMap<Vec<u8>, Vec<&'static str>>,
    looked_at: Vec<usize>,
    hazards: IndexSet<&'static str>,
    dead: bool,
    most_spawned: usize,
    too_large: bool,
}

fn bytes(layout: &Layout, cells: impl IntoIterator<Item = CellId>) -> Vec<usize> {
    let mut all: Vec<usize> = cells.into_iter().flat_map(|cell| layout.info(cell).range()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The bytes of memory that an event's checks look at.
fn looked_at<P: Program>(program: &P, op: &Op) -> Vec<usize> {
    let touched = op.event.iter().flat_map(|event| program.event_touches(event));
    bytes(program.layout(), touched.map(|(cell, _, _)| cell))
}

fn values(memory: &[u8], at: &[usize]) -> Vec<u8> {
    at.iter().map(|at| memory[*at]).collect()
}

impl<P: Program> Visitor<P> for Gather {
    fn begins_dead(&mut self, _: crate::machine::hazard::Hazard) {
        self.dead = true;
    }

    fn state(&mut self, system: &System<'_, P>, here: Here<'_>) {
        let Here { state, choices, .. } = here;
        self.most_spawned = self.most_spawned.max(system.spawned(state));
        for (slot, met) in self.met.iter_mut().enumerate() {
            met.extend(state.node(slot));
        }
        if choices.is_empty() && system.quiescent(state) {
            let mut found: Vec<&'static str> =
                system.program().at_quiescence(state.memory()).into_iter().map(|hazard| hazard.id).collect();
            found.sort_unstable();
            found.dedup();
            self.hazards.extend(&found);
            self.at_rest.insert(values(state.memory(), &self.looked_at), found);
        }
    }

    fn step(&mut self, system: &System<'_, P>, here: Here<'_>, choice: system::Choice, led: Led<'_>) {
        if let Led::Deadlock(_, state) = &led {
            self.most_spawned = self.most_spawned.max(system.spawned(state));
        }
        match led {
            Led::To { warning: Some(hazard), .. }
            | Led::Deadlock(hazard, _)
            | Led::Nowhere(Stop::Hazard(hazard)) => {
                self.hazards.insert(hazard.id);
            }
            Led::Nowhere(Stop::Bound(_)) => {
                self.hazards.insert(NO_ROOM);
            }
            Led::To { .. } => {}
        }
        let (program, slot) = (system.program(), choice.slot);
        let node = here.state.node(slot).expect("internal: a task took a step");
        let op = system.next(here.state, slot).expect("internal: a task took a step");
        let Some(event) = &op.event else { return };
        let mut memory = here.state.memory().to_vec();
        let Ok(applied) = apply(program.layout(), &mut memory, slot, op, choice.outcome) else { return };
        let at = looked_at(program, op);
        let before = (number(program.layout(), op, applied.observed), values(&memory, &at));
        let said = match program.event(event, slot, applied.observed, &mut memory) {
            Ok(()) => Said::Fine(values(&memory, &at)),
            Err(Stop::Hazard(hazard)) if hazard.goes_on() => Said::Warned(values(&memory, &at), hazard.id),
            Err(Stop::Hazard(hazard)) => Said::Stopped(hazard.id),
            Err(Stop::Bound(Bound::Workers | Bound::Cell(_))) => Said::Stopped(NO_ROOM),
        };
        let known = self.events.entry((slot, node)).or_default().insert(before, said.clone());
        assert!(known.is_none_or(|known| known == said), "internal: checks look at more than they say");
    }

    fn goes_on(&mut self, found: &States, _: usize) -> bool {
        self.too_large = found.len() > self.most;
        !self.too_large
    }
}

/// Writes a program out that has at most so many states from this memory.
///
/// # Errors
///
/// Why it cannot be written out.
pub fn export<P: Program>(program: &P, memory: &[u8], title: &str, most: usize) -> Result<Model, NoExport> {
    if !program.expectations().is_empty() {
        return Err(NoExport::Expectations);
    }
    let layout = program.layout();
    let mut system = System::new(program);
    let initial = system.initial(memory);
    let looked_at = match program.seen_at_rest() {
        Some(parts) => bytes(layout, parts.into_iter().map(|(cell, _)| cell)),
        None => (0..layout.bytes()).collect(),
    };
    let mut gather = Gather {
        most,
        events: BTreeMap::new(),
        met: vec![IndexSet::new(); program.slots().len()],
        at_rest: IndexMap::new(),
        looked_at,
        hazards: IndexSet::new(),
        dead: false,
        most_spawned: 0,
        too_large: false,
    };
    let (states, _) = bfs::search(&mut system, memory, &mut gather);
    if gather.too_large {
        return Err(NoExport::TooLarge(most));
    }
    if gather.dead {
        return Err(NoExport::BeginsDead);
    }
    // Where spawned tasks start, of steps too that nobody took to their end.
    let entries: Vec<_> =
        system.automaton().graph().node_weights().filter_map(|node| node.next.clone()).collect();
    for (op, _) in entries {
        for action in &op.actions {
            if let Action::AsyncSchedule { entry, .. } | Action::Spawn(_, entry) = action {
                system.automaton_mut().start(entry);
            }
        }
    }
    Ok(Writer::new(&mut system, gather).model(&initial, title, states.len()))
}

struct Writer<'s, 'p, P: Program> {
    system: &'s mut System<'p, P>,
    gather: Gather,
    /// The nodes in the order of what they are, which is that in which spawned tasks are sorted.
    order: Vec<NodeIndex>,
    hazards: IndexSet<&'static str>,
    temps: usize,
    /// The slots of spawned tasks that are used.
    workers: std::ops::Range<usize>,
}

impl<'s, 'p, P: Program> Writer<'s, 'p, P> {
    fn new(system: &'s mut System<'p, P>, mut gather: Gather) -> Self {
        let graph = system.automaton().graph();
        let mut order: Vec<NodeIndex> = graph.node_indices().collect();
        order.sort_by(|one, other| graph[*one].control.cmp(&graph[*other].control));
        let workers = system.workers();
        // Spawned tasks are in any of their slots.
        let all: IndexSet<NodeIndex> =
            workers.clone().flat_map(|slot| gather.met[slot].iter().copied().collect::<Vec<_>>()).collect();
        workers.clone().for_each(|slot| gather.met[slot] = all.clone());
        let used = workers.start..workers.end.min(workers.start + gather.most_spawned);
        Writer { system, gather, order, hazards: IndexSet::new(), temps: 0, workers: used }
    }

    /// A node's number; 0 is no node.
    fn number(&self, node: NodeIndex) -> usize {
        1 + self.order.iter().position(|other| *other == node).expect("internal: every node has a number")
    }

    /// The slots that are written out.
    fn slots(&self) -> Vec<usize> {
        (0..self.system.workers().start).chain(self.workers.clone()).collect()
    }

    fn is_at(&self, slot: usize, node: NodeIndex) -> Expr {
        Expr::Node(slot).equals(self.number(node))
    }

    fn next(&self, node: NodeIndex) -> Option<std::sync::Arc<Op>> {
        self.system.automaton().node(node).next.as_ref().map(|(op, _)| op.clone())
    }

    fn ended(&self, slot: usize) -> Expr {
        let ends = self.gather.met[slot].iter().filter(|node| self.next(**node).is_none());
        Expr::Node(slot).equals(0usize) | any(ends.map(|node| self.is_at(slot, *node)))
    }

    /// Whether a task may begin.
    fn started(&self, slot: usize) -> Expr {
        match &self.system.program().slots()[slot].kind {
            SlotKind::Task { after, .. } => all(after.iter().map(|before| self.ended(*before))),
            SlotKind::Item { .. } | SlotKind::Worker => TRUE,
        }
    }

    /// The nodes of a slot that wait as `of` says, where they do not go on.
    fn waiting(&self, slot: usize, of: impl Fn(&Op) -> bool) -> Expr {
        let layout = self.system.program().layout();
        let there = self.gather.met[slot].iter().filter_map(|node| {
            let op = self.next(*node).filter(|op| op.wait().is_some() && of(op))?;
            Some(self.is_at(slot, *node) & !enabled(layout, slot, &op))
        });
        any(there.collect::<Vec<_>>())
    }

    fn hazard(&mut self, id: &'static str) -> usize {
        self.hazards.insert_full(id).0 + 1
    }

    fn model(mut self, initial: &system::State, title: &str, states: usize) -> Model {
        let mut steps = Vec::new();
        for slot in self.slots() {
            for node in self.gather.met[slot].clone() {
                let Some(op) = self.next(node) else { continue };
                let warns = |said: &Said| matches!(said, Said::Warned(..));
                let table = self.gather.events.get(&(slot, node)).cloned();
                let warns = table.as_ref().is_some_and(|table| table.values().any(warns));
                for outcome in 0..op.outcomes() {
                    for stops in if warns { vec![false, true] } else { vec![false] } {
                        steps.push(self.step(slot, node, &op, outcome, table.as_ref(), stops));
                    }
                }
            }
        }
        steps.extend(self.at_rest());
        steps.push(self.deadlock());
        let layout = self.system.program().layout();
        let names = layout.cells().iter().flat_map(|info| {
            let many = info.range().len() > 1;
            info.range().enumerate().map(move |(i, _)| match many {
                true => format!("{} [{i}]", info.name),
                false => info.name.clone(),
            })
        });
        let slots = self.slots();
        let node = |slot: &usize| initial.node(*slot).map_or(0, |node| self.number(node));
        let (nodes, memory) = (slots.iter().map(node).collect(), initial.memory().to_vec());
        let sort = self.sort();
        // Slots are numbered as they are written out.
        let Writer { system, mut gather, hazards, temps, .. } = self;
        gather.hazards.sort_unstable();
        Model {
            states,
            hazards: gather.hazards.into_iter().collect(),
            title: title.to_owned(),
            names: hazards.into_iter().collect(),
            bytes: names.collect(),
            slots: slots.iter().map(|slot| system.program().slots()[*slot].name.clone()).collect(),
            memory,
            nodes,
            temps,
            sort,
            steps,
        }
    }

    /// A step of a task. `stops`: a warning ends the run, so that it is told.
    fn step(
        &mut self,
        slot: usize,
        node: NodeIndex,
        op: &Op,
        outcome: u8,
        table: Option<&Table>,
        stops: bool,
    ) -> Choice {
        let program = self.system.program();
        let layout = program.layout();
        let (unforeseen, no_room) = (self.hazard(UNFORESEEN), self.hazard(NO_ROOM));
        let guard = self.is_at(slot, node) & self.started(slot) & enabled(layout, slot, op);
        let mut step = Step {
            layout,
            slot,
            code: Code::default(),
            hazards: &mut self.hazards,
            spawned: None,
            marked: None,
            ended: false,
        };
        if let Some(lock) = op.under {
            step.alive(lock);
        }
        for action in &op.actions {
            step.act(action, outcome);
        }
        if step.ended {
            step.leave();
        }
        let Step { mut code, spawned, marked, ended, .. } = step;
        if op.event.is_some() {
            let empty = Table::new();
            let at = looked_at(program, op);
            self.rows(&mut code, &at, table.unwrap_or(&empty), stops);
        }
        if ended {
            code.set(Place::Node(slot), 0usize);
        } else {
            let edges: Vec<(usize, usize)> = self
                .system
                .automaton()
                .graph()
                .edges(node)
                .map(|edge| (number(layout, op, *edge.weight()), self.number(edge.target())))
                .collect();
            code.check(any(edges.iter().map(|(observed, _)| Expr::Observed.equals(*observed))), unforeseen);
            for (observed, target) in edges {
                code.when(Expr::Observed.equals(observed), |code| code.set(Place::Node(slot), target));
            }
        }
        if let Some(entry) = spawned {
            let target = self.system.automaton_mut().start(&entry);
            let target = self.number(target);
            let chosen = code.temp(0usize);
            for free in self.workers.clone() {
                let first = Expr::Node(free).equals(0usize) & Expr::Temp(chosen).equals(0usize);
                code.when(first, |code| {
                    code.set(Place::Temp(chosen), 1usize);
                    code.set(Place::Node(free), target);
                    if let Some(mark) = marked {
                        code.store(layout.info(mark).offset + free, 1usize);
                    }
                });
            }
            code.check(Expr::Temp(chosen).equals(1usize), no_room);
        }
        if self.workers.len() > 1 {
            code.push(Statement::Sort);
        }
        self.temps = self.temps.max(code.temps());
        let program = self.system.program();
        let control = &self.system.automaton().node(node).control;
        let call = program.stack(control).last().map(|call| format!(" in {}", call.name)).unwrap_or_default();
        let comment = format!("{}{call}", program.slots()[slot].name);
        Choice { comment, guard, effect: code.done() }
    }

    /// What the checks of an event say, and store.
    fn rows(&mut self, code: &mut Code, at: &[usize], table: &Table, stops: bool) {
        let unforeseen = self.hazard(UNFORESEEN);
        // Which row it is, before anything is stored.
        let row = code.temp(0usize);
        for (place, (observed, before)) in table.keys().enumerate() {
            let here = Expr::Observed.equals(*observed)
                & all(at.iter().zip(before).map(|(at, value)| byte(*at).equals(*value)));
            code.when(here, |code| code.set(Place::Temp(row), place + 1));
        }
        code.check(Expr::Temp(row).differs(0usize), unforeseen);
        for (place, ((_, before), said)) in table.iter().enumerate() {
            let here = Expr::Temp(row).equals(place + 1);
            let (after, hazard) = match said {
                Said::Fine(after) => (after, None),
                Said::Warned(after, _) if !stops => (after, None),
                Said::Warned(after, id) => (after, Some(*id)),
                Said::Stopped(id) => (before, Some(*id)),
            };
            let changes: Vec<(usize, u8)> = at
                .iter()
                .zip(before.iter().zip(after))
                .filter(|(_, (before, after))| before != after)
                .map(|(at, (_, after))| (*at, *after))
                .collect();
            if let Some(id) = hazard {
                let hazard = self.hazard(id);
                code.check(!here, hazard);
            } else if !changes.is_empty() {
                code.when(here, |code| changes.into_iter().for_each(|(at, value)| code.store(at, value)));
            }
        }
    }

    /// The checks of states at rest: one step for each hazard that a state can have.
    fn at_rest(&mut self) -> Vec<Choice> {
        let unforeseen = self.hazard(UNFORESEEN);
        let at_rest = |slot: usize| {
            let kind = &self.system.program().slots()[slot].kind;
            self.ended(slot) | self.waiting(slot, |op| kind.rests(op)) | !self.started(slot)
        };
        let guard = all(self.slots().into_iter().map(at_rest));
        let most = self.gather.at_rest.values().map(Vec::len).max().unwrap_or(0);
        let looked_at = self.gather.looked_at.clone();
        let table = self.gather.at_rest.clone();
        let is =
            |values: &Vec<u8>| all(looked_at.iter().zip(values).map(|(at, value)| byte(*at).equals(*value)));
        let mut choices = Vec::new();
        for place in 0..most.max(1) {
            let mut code = Code::default();
            code.check(any(table.keys().map(&is)), unforeseen);
            for (values, hazards) in &table {
                if let Some(id) = hazards.get(place) {
                    let hazard = self.hazard(id);
                    code.check(!is(values), hazard);
                }
            }
            choices.push(Choice { comment: "at rest".to_owned(), guard: guard.clone(), effect: code.done() });
        }
        choices
    }

    /// Nobody can go on, and somebody waits, and nobody for leave to make a call.
    fn deadlock(&mut self) -> Choice {
        let stuck = |slot: usize| self.ended(slot) | self.waiting(slot, |_| true) | !self.started(slot);
        let nobody = all(self.slots().into_iter().map(stuck));
        let waits = |slot: usize| self.waiting(slot, |op| !op.idles()) & self.started(slot);
        let somebody = any(self.slots().into_iter().map(waits));
        let held_back = |slot: usize| {
            let kind = &self.system.program().slots()[slot].kind;
            self.waiting(slot, |op| matches!(op.wait(), Some(Wait::Claim(_))) && !kind.rests(op))
        };
        let held_back = any(self.slots().into_iter().map(held_back));
        let hazard = self.hazard(id::DEADLOCK);
        let mut code = Code::default();
        code.check(FALSE, hazard);
        Choice {
            comment: "nobody can go on".to_owned(),
            guard: nobody & somebody & !held_back,
            effect: code.done(),
        }
    }

    /// Sorts the spawned tasks: empty slots last, then by node, then by what memory says of the slots.
    fn sort(&mut self) -> Vec<Statement> {
        let layout = self.system.program().layout();
        let mut code = Code::default();
        let count = self.workers.len();
        for pass in 0..count.saturating_sub(1) {
            for first in self.workers.start..self.workers.end - 1 - pass {
                let (one, other) = (first, first + 1);
                let owns = |lock: &CellId, slot: usize| byte(layout.info(*lock).offset).equals(slot + 1);
                let mut later = FALSE;
                for cell in layout.by_slot().iter().rev() {
                    let of =
                        |slot| byte(layout.of_slot(*cell, slot).expect("internal: a byte for each slot"));
                    later = of(other).below(of(one)) | (of(one).equals(of(other)) & later);
                }
                for lock in layout.locks().iter().rev() {
                    later = owns(lock, one) | (!owns(lock, other) & later);
                }
                let (left, right) = (Expr::Node(one), Expr::Node(other));
                let gap = left.clone().equals(0usize) & right.clone().differs(0usize);
                let after = right.clone().differs(0usize) & right.clone().below(left.clone());
                let swaps =
                    gap | after | (left.clone().differs(0usize) & left.clone().equals(right.clone()) & later);
                code.when(swaps, |code| {
                    let temp = code.temp(left);
                    code.set(Place::Node(one), right);
                    code.set(Place::Node(other), Expr::Temp(temp));
                    for lock in layout.locks() {
                        let at = layout.info(*lock).offset;
                        code.choose(
                            byte(at).equals(one + 1),
                            |code| code.store(at, other + 1),
                            |code| code.when(byte(at).equals(other + 1), |code| code.store(at, one + 1)),
                        );
                    }
                    for cell in layout.by_slot() {
                        let at = |slot| layout.of_slot(*cell, slot).expect("internal: a byte for each slot");
                        code.set(Place::Temp(temp), byte(at(one)));
                        code.store(at(one), byte(at(other)));
                        code.store(at(other), Expr::Temp(temp));
                    }
                });
            }
        }
        self.temps = self.temps.max(code.temps());
        code.done()
    }
}
