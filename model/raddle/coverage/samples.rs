//! Runs of a scenario that end well, so that one sees that something happens in it.

use super::explored;
use super::slots::SlotMap;
use crate::scenario::Scenario;
use raddle_checker::search::explore::{Explored, Moved};
use raddle_checker::search::reference::Limits;
use raddle_checker::story::{Ending, Story, Turn, replay};
use raddle_driver_core::hand_model::DriverCore;

/// Sample runs of a scenario that end without a hazard: the shortest to the last states that are at
/// rest, so that they differ as much as that search order allows.
///
/// # Errors
///
/// What is wrong with the scenario.
pub fn samples(
    scenario: &Scenario,
    revision: &str,
    wanted: usize,
    limits: &Limits,
) -> Result<Vec<Story>, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let mut explored = explored(&program, limits)?;
    let mut moves = vec![false; explored.states.len()];
    explored.moves.iter().for_each(|moved| moves[moved.from] = true);
    let at_rest = (0..moves.len()).filter(|state| !moves[*state]);
    let ends: Vec<usize> =
        at_rest.filter(|state| explored.system.quiescent(&explored.states[*state])).collect();
    let chosen = ends.len().min(wanted);
    let mut stories = Vec::new();
    for number in 0..chosen {
        let way = explored.way_to(ends[number * ends.len() / chosen]);
        let schedule = unsorted(&mut explored, &way);
        stories.push(replay(&program, &schedule, Ending::Step).map_err(|error| error.to_string())?);
    }
    Ok(stories)
}

/// Steps between explored states as a schedule.
fn unsorted(explored: &mut Explored<'_, DriverCore>, way: &[usize]) -> Vec<Turn> {
    let mut slots = SlotMap::new(&explored.system);
    let mut schedule = Vec::new();
    for number in way {
        let Moved { from, choice, .. } = explored.moves[*number];
        let state = explored.states[from].clone();
        schedule.push(Turn { slot: slots.of_schedule(choice.slot), outcome: choice.outcome });
        if slots.step(&mut explored.system, &state, choice).is_none() {
            break;
        }
    }
    schedule
}
