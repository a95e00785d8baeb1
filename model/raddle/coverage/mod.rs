//! What a scenario's tasks do, beside the verdict: the functions they enter, the steps they take,
//! graphs and sample runs. All of it is read off the unreduced states.

pub mod graph;
pub mod samples;
pub(crate) mod slots;

use indexmap::{IndexMap, IndexSet};

use crate::guarantee::why_cut;
use crate::scenario::Scenario;
use raddle_checker::machine::program::Program;
use raddle_checker::search::explore::{Explored, explore};
use raddle_checker::search::reference::{Limits, NoStart, start};
use raddle_driver_core::hand_model::DriverCore;

/// A scenario on a revision, with all its states.
///
/// # Errors
///
/// What is wrong with the scenario, or that its set-up goes wrong.
pub(crate) fn explored<'p>(
    program: &'p DriverCore,
    limits: &Limits,
) -> Result<Explored<'p, DriverCore>, String> {
    match start(program, limits) {
        Ok(memory) => Ok(explore(program, &memory, limits)),
        Err(NoStart::Cut(cut)) => Ok(Explored::nothing(program, cut)),
        Err(NoStart::Hazard(_) | NoStart::Mistake(_)) => {
            Err("the set-up of this scenario goes wrong".to_owned())
        }
    }
}

/// What a scenario's tasks did on a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Each modelled function that was entered, with the source places of the steps that were reached
    /// in it, as `file:line`.
    pub functions: IndexMap<String, IndexSet<String>>,
    /// Calls of tasks during which no other task's next step ever conflicted with theirs.
    pub uncontended: Vec<String>,
    /// Why not all states were visited, if so.
    pub cut: Option<String>,
}

/// Finds out what a scenario's tasks do on a revision.
///
/// # Errors
///
/// What is wrong with the scenario.
pub fn coverage(scenario: &Scenario, revision: &str, limits: &Limits) -> Result<Coverage, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let explored = explored(&program, limits)?;
    let mut functions: IndexMap<String, IndexSet<String>> = IndexMap::new();
    for node in explored.system.automaton().graph().node_weights() {
        let stack = program.stack(&node.control);
        let (Some(call), Some((_, at))) = (stack.last(), &node.next) else { continue };
        functions.entry(call.name.to_owned()).or_default().insert(format!(
            "{}:{}",
            program.source_file(*at),
            at.line()
        ));
    }
    functions.sort_unstable_keys();
    functions.values_mut().for_each(IndexSet::sort_unstable);
    let mut uncontended: Vec<String> = explored
        .uncontended()
        .into_iter()
        .map(|(slot, call)| format!("{}: {call}", program.slots()[slot].name))
        .collect();
    uncontended.sort_unstable();
    Ok(Coverage { functions, uncontended, cut: explored.cut.map(|cut| why_cut(scenario, &program, cut)) })
}
