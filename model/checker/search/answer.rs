//! The search that users get: the reduced one says which hazards there are. The runs that are shown come from it too
//! if they end at rest; all others from a search of all states up to the depth of those. Where the reduced one cannot
//! decide, all states are searched.

use std::time::Instant;

use super::exhaustive;
use super::peers::{Alone, Peers};
use super::reduced;
use super::reduced::resources::{Resources, SearchError};
use super::reference::{Cut, Found, Limits, Outcome, Progress};
use crate::machine::program::Program;

/// Finds all hazards that the program can reach from this memory, and for each the run that is shown.
///
/// The states, steps and bytes of the outcome are those of the search that decided.
///
/// # Errors
///
/// The disk fails, or what was saved is refused.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    progress: impl FnMut(Progress) + Send,
) -> Result<Outcome, SearchError> {
    search_among(program, memory, limits, resources, &mut Alone::default(), progress)
}

/// The same with other processes, each of which has a part of the states. What they do not share, process 0 does alone:
/// it finds the runs that are shown, and livelocks. What the others return has no runs.
///
/// # Errors
///
/// The disk fails, or what was saved is refused, or a process is gone.
pub fn search_among<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    peers: &mut dyn Peers,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Outcome, SearchError> {
    let mut outcome = within(program, memory, limits, resources, peers, &mut progress)?;
    // What one of several searches had left is not what was asked for.
    if let (Some(Cut::Time(told)), Some(limit)) = (&mut outcome.cut, limits.time_limit) {
        *told = limit;
    }
    Ok(outcome)
}

fn within<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    peers: &mut dyn Peers,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Outcome, SearchError> {
    let begun = Instant::now();
    // All that is searched for one answer shares the time.
    let rest = || {
        let time_limit = limits.time_limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        Limits { time_limit, ..limits }
    };
    let every_state = !program.expectations().is_empty();
    let mut reduced = match every_state || (limits.all_orders && limits.no_symmetry) {
        true => None,
        false => reduced::search_among(program, memory, limits, resources, peers, &mut *progress)?,
    };
    if reduced.is_none() && peers.count() > 1 {
        reduced = reduced::every_state_among(program, memory, rest(), resources, peers, &mut *progress)?;
    }
    if peers.index() > 0 {
        return Ok(reduced.map_or_else(Outcome::nothing, |reduced| reduced.outcome));
    }
    let Some(mut reduced) = reduced else {
        return Ok(exhaustive::search(program, memory, rest(), progress));
    };
    if reduced.hazards.is_empty() {
        return Ok(reduced.outcome);
    }
    let mut ids: Vec<&'static str> = reduced.hazards.keys().copied().collect();
    ids.sort_unstable();
    if limits.no_runs {
        reduced.outcome.unshown = ids;
        return Ok(reduced.outcome);
    }
    // A hazard of states at rest needs no search of all states.
    let mut shown: Vec<Found> = Vec::new();
    let mut cut = reduced.outcome.cut;
    let mut others: Vec<&'static str> = Vec::new();
    for id in &ids {
        match if cut.is_some() { Ok(None) } else { reduced.shortest_to_rest(id, &rest()) } {
            Ok(Some(found)) => shown.push(found),
            Ok(None) => others.push(id),
            Err(limit) => cut = Some(limit),
        }
    }
    if !others.is_empty() {
        let all = exhaustive::runs(reduced.expander(), memory, rest(), &others, progress);
        reduced.outcome.most_spawned = reduced.outcome.most_spawned.max(all.most_spawned);
        cut = cut.or(all.cut);
        shown.extend(all.found);
    }
    // When the time is up, a run is looked for once more as long as it took to find the hazard.
    let limits = Limits { time_limit: limits.time_limit.map(|limit| limit.max(begun.elapsed())), ..limits };
    for id in ids {
        let shown = shown.iter().find(|found| found.id == id).cloned();
        let found = shown.map_or_else(
            || {
                assert!(cut.is_some(), "internal: {id} is not to be found among all states");
                reduced.some_run(id, &limits)
            },
            Ok,
        );
        match found {
            Ok(found) => {
                let others = reduced.hazards[id].len() - 1;
                reduced.outcome.found.push(Found { others, ..found });
            }
            Err(cut) => {
                reduced.outcome.unshown.push(id);
                reduced.outcome.cut = Some(cut);
            }
        }
    }
    Ok(reduced.outcome)
}
