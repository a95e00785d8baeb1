//! All states and steps of a small program, kept: for graphs, coverage and sample runs.

use std::time::Instant;

use indexmap::IndexSet;

use super::bfs::{self, Here, Led, States, Visitor};
use super::reference::{Cut, Limits};
use super::system::{Choice, System};
use crate::machine::op::Access;
use crate::machine::program::Program;
use crate::machine::value::Obs;

/// A step from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The state before it.
    pub from: usize,
    /// Who took it, with which outcome.
    pub choice: Choice,
    /// The state after it; `None` if the step is a hazard or there is no worker for it.
    pub to: Option<usize>,
}

/// What was explored.
pub struct Explored<'p, P: Program> {
    /// The transition system, its automata as far as they were met.
    pub system: System<'p, P>,
    /// The states, in breadth-first order.
    pub states: States,
    /// States besides these in which tasks wait for each other for ever.
    pub dead: States,
    /// The steps, by the state before them.
    pub moves: Vec<Moved>,
    /// Why not all states are there, if so.
    pub cut: Option<Cut>,
}

/// Keeps all steps.
struct Moves {
    moves: Vec<Moved>,
    dead: States,
    limits: Limits,
    begun: Instant,
    cut: Option<Cut>,
}

impl<P: Program> Visitor<P> for Moves {
    fn step(&mut self, _system: &System<'_, P>, here: Here<'_>, choice: Choice, led: Led<'_>) {
        let to = if let Led::To { index, .. } = led { Some(index) } else { None };
        if let Led::Deadlock(_, state) = led {
            self.dead.insert(state.clone());
        }
        self.moves.push(Moved { from: here.index, choice, to });
    }

    fn goes_on(&mut self, found: &States, expanded: usize) -> bool {
        let bytes =
            (found.len() + self.dead.len()) * found[0].bytes() + self.moves.len() * size_of::<Moved>();
        self.cut = self.limits.cut(self.begun, expanded, found.len(), bytes);
        self.cut.is_none()
    }
}

/// Explores all states that can be reached from this memory, up to these limits.
pub fn explore<'p, P: Program>(program: &'p P, memory: &[u8], limits: &Limits) -> Explored<'p, P> {
    let mut system = System::new(program);
    let mut moves = Moves {
        moves: Vec::new(),
        dead: States::default(),
        limits: *limits,
        begun: Instant::now(),
        cut: None,
    };
    let (states, _) = bfs::search(&mut system, memory, &mut moves);
    let Moves { moves, dead, cut, .. } = moves;
    Explored { system, states, dead, moves, cut }
}

impl<'p, P: Program> Explored<'p, P> {
    /// What there is if there was no state to begin with.
    pub fn nothing(program: &'p P, cut: Cut) -> Self {
        let (system, states) = (System::new(program), States::default());
        Explored { system, dead: states.clone(), states, moves: Vec::new(), cut: Some(cut) }
    }

    /// The steps by which a run gets to a state, fewest first: as indices of [`Explored::moves`].
    #[must_use]
    pub fn way_to(&self, state: usize) -> Vec<usize> {
        let mut way = Vec::new();
        let mut at = state;
        while at != 0 {
            // Breadth-first: the first step that leads to a state is on a shortest way.
            let Some(number) = self.moves.iter().position(|moved| moved.to == Some(at)) else { break };
            way.push(number);
            at = self.moves[number].from;
        }
        way.reverse();
        way
    }

    /// The outermost functions of tasks, each with its slot, during which no other task's next step
    /// conflicted with theirs in any state.
    #[must_use]
    pub fn uncontended(&self) -> IndexSet<(usize, String)> {
        let program = self.system.program();
        let layout = program.layout();
        let mut met = IndexSet::new();
        let mut all = IndexSet::new();
        for state in &self.states {
            let tasks = (0..program.slots().len()).filter_map(|slot| {
                let node = self.system.automaton().node(state.node(slot)?);
                let (op, _) = node.next.as_ref()?;
                let stack = program.stack(&node.control);
                let call = stack.first().map(|call| call_words(program, call.name, &call.args));
                let mut cells = op.footprint(layout);
                cells.retain(|(cell, _)| !layout.info(*cell).ghost);
                Some((slot, op.idles(), call, cells))
            });
            let tasks: Vec<_> = tasks.collect();
            for (slot, _, call, cells) in &tasks {
                let Some(call) = call else { continue };
                all.insert((*slot, call.clone()));
                let conflicts = tasks.iter().any(|(other, idles, _, theirs)| {
                    other != slot
                        && !idles
                        && cells.iter().any(|(cell, mine)| {
                            theirs.iter().any(|(same, access)| {
                                cell == same && (*mine == Access::Write || *access == Access::Write)
                            })
                        })
                });
                if conflicts {
                    met.insert((*slot, call.clone()));
                }
            }
        }
        all.into_iter().filter(|call| !met.contains(call)).collect()
    }
}

/// A call with its arguments, as stories name it.
#[must_use]
pub fn call_words<P: Program>(program: &P, name: &str, args: &[Obs]) -> String {
    let word = |arg: &Obs| match arg {
        Obs::Id(object) => program.object_name(*object),
        Obs::None => "NULL".to_owned(),
        Obs::Bool(value) => value.to_string(),
        Obs::Int(value) => value.to_string(),
        _ => String::new(),
    };
    format!("{name}({})", args.iter().map(word).collect::<Vec<_>>().join(", "))
}
