//! What loom must know of a program before it starts, from a plain enumeration of its states: which
//! tasks ever run, which cells ever change, and which steps touch which cells. Also the memories in which nothing can happen any
//! more, which all complete engines must reach.

use std::time::Instant;

use indexmap::IndexSet;
use petgraph::graph::NodeIndex;
use rustc_hash::FxBuildHasher;

use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::Op;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::step::Stop;
use raddle_checker::search::bfs::{self, Here, Led, States, Visitor};
use raddle_checker::search::system::{Choice, State, System};

/// What an enumeration of all states saw.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The slots whose tasks ever take a step: named ones, then as many workers as were in use at once.
    pub slots: Vec<usize>,
    /// For each cell whether a step ever changes it.
    pub changes: Vec<bool>,
    /// The cells that are enough to tell which steps depend on each other: no step ever changes any other, or
    /// one task alone touches it, or all steps that touch it touch one of these too.
    pub enough: Vec<bool>,
    /// The memories in which nothing can happen any more, sorted.
    pub terminal: Vec<Vec<u8>>,
    /// States.
    pub states: usize,
}

/// Enumerates all states; `None` if there are more than so many, or the time is up, or the model has no room
/// for some.
#[must_use]
pub fn survey<P: Program>(
    program: &P,
    memory: &[u8],
    state_limit: usize,
    deadline: Option<Instant>,
) -> Option<Survey> {
    let cells = program.layout().cells().len();
    let mut surveyor = Surveyor {
        survey: Survey { changes: vec![false; cells], ..Survey::default() },
        slots: IndexSet::new(),
        terminal: IndexSet::new(),
        most_spawned: 0,
        touches: Touches::new(cells),
        state_limit,
        deadline,
        too_large: false,
    };
    let mut system = System::new(program);
    let (states, _) = bfs::search(&mut system, memory, &mut surveyor);
    let Surveyor { mut survey, mut slots, terminal, most_spawned, touches, too_large, .. } = surveyor;
    if too_large {
        return None;
    }
    slots.sort_unstable();
    slots.extend(system.workers().take(most_spawned));
    survey.enough = touches.enough(&survey.changes, most_spawned > 1);
    survey.slots = slots.into_iter().collect();
    survey.terminal = terminal.into_iter().collect();
    survey.terminal.sort_unstable();
    survey.states = states.len();
    Some(survey)
}

/// Surveys the states of a search.
struct Surveyor {
    survey: Survey,
    slots: IndexSet<usize>,
    terminal: IndexSet<Vec<u8>>,
    most_spawned: usize,
    touches: Touches,
    state_limit: usize,
    deadline: Option<Instant>,
    too_large: bool,
}

impl<P: Program> Visitor<P> for Surveyor {
    fn state(&mut self, system: &System<'_, P>, here: Here<'_>) {
        self.most_spawned = self.most_spawned.max(system.spawned(here.state));
        self.touches.note(system, here.state);
        if here.choices.is_empty() && system.quiescent(here.state) {
            self.terminal.insert(here.state.memory().to_vec());
        }
    }

    fn step(&mut self, system: &System<'_, P>, here: Here<'_>, choice: Choice, led: Led<'_>) {
        if !system.is_worker(choice.slot) {
            self.slots.insert(choice.slot);
        }
        let after = match led {
            Led::To { state, .. } | Led::Deadlock(_, state) => state.memory(),
            Led::Nowhere(stop) => {
                self.too_large |= matches!(stop, Stop::Bound(_));
                return;
            }
        };
        let layout = system.program().layout();
        for (cell, changes) in layout.ids().zip(&mut self.survey.changes) {
            let range = layout.info(cell).range();
            *changes |= here.state.memory()[range.clone()] != after[range];
        }
    }

    fn goes_on(&mut self, found: &States, _expanded: usize) -> bool {
        self.too_large |= found.len() > self.state_limit
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        !self.too_large
    }
}

/// Which steps touch which cells. A step is a node of an automaton, in a slot of its own or in a worker's.
struct Touches {
    known: IndexSet<(usize, NodeIndex), FxBuildHasher>,
    /// By cell: the numbers of the steps, ascending.
    steps: Vec<Vec<usize>>,
    /// The slot of workers: their tasks change places.
    workers: usize,
}

impl Touches {
    fn new(cells: usize) -> Self {
        Touches { known: IndexSet::default(), steps: vec![Vec::new(); cells], workers: usize::MAX }
    }

    /// Notes the next steps of a state, also of tasks that wait.
    fn note<P: Program>(&mut self, system: &System<'_, P>, state: &State) {
        let program = system.program();
        for slot in 0..program.slots().len() {
            let Some((node, op)) = state.node(slot).zip(system.next(state, slot)) else { continue };
            let owner = if system.is_worker(slot) { self.workers } else { slot };
            let (step, new) = self.known.insert_full((owner, node));
            if new {
                touched(program, op).iter().for_each(|cell| self.steps[usize::from(cell.0)].push(step));
            }
        }
    }

    /// See [`Survey::enough`]; `many`: there are several spawned tasks at once. (If there is one at most, the
    /// end of one comes before the start of the next.)
    fn enough(&self, changes: &[bool], many: bool) -> Vec<bool> {
        let owner = |step: &usize| self.known[*step].0;
        let alone = |steps: &[usize]| {
            let first = steps.first().map(owner);
            steps.iter().all(|step| Some(owner(step)) == first) && (first != Some(self.workers) || !many)
        };
        let mut order: Vec<usize> = (0..changes.len()).filter(|cell| changes[*cell]).collect();
        order.retain(|cell| !alone(&self.steps[*cell]));
        order.sort_by_key(|cell| (std::cmp::Reverse(self.steps[*cell].len()), *cell));
        let mut kept: Vec<usize> = Vec::new();
        for cell in order {
            let steps = &self.steps[cell];
            let within =
                |other: &usize| steps.iter().all(|step| self.steps[*other].binary_search(step).is_ok());
            if !kept.iter().any(within) {
                kept.push(cell);
            }
        }
        (0..changes.len()).map(|cell| kept.contains(&cell)).collect()
    }
}

/// The cells that a step may touch, those of its event included.
pub(super) fn touched<P: Program>(program: &P, op: &Op) -> Vec<CellId> {
    let mut cells: Vec<CellId> = op.footprint(program.layout()).iter().map(|(cell, _)| *cell).collect();
    if let Some(event) = &op.event {
        cells.extend(program.event_touches(event).iter().map(|(cell, ..)| *cell));
    }
    cells.sort_unstable();
    cells.dedup();
    cells
}

impl Survey {
    /// Whether a step ever changes a cell.
    #[must_use]
    pub fn changes(&self, cell: CellId) -> bool {
        self.changes[usize::from(cell.0)]
    }
}
