//! An audit of the reduction for any program: what the tables say commutes is carried out in both orders.

use indexmap::IndexSet;

use super::choose::{Chooser, Order, Room, SLOTS, members};
use super::remedies::Remedies;
use super::tables::Tables;
use crate::machine::hazard::About;
use crate::machine::program::Program;
use crate::machine::step::Stop;
use crate::search::packed::expand::Expander;
use crate::search::system::{Choice, State, System};

/// What two steps come to: the state after them and what was warned of, or how they ended.
type Came = Result<(State, Vec<(&'static str, About)>), String>;

/// Chooses by partial order reduction alone.
fn plain_chooser<'a, 'p, P: Program>(
    expander: &'a Expander<'p, P>,
    tables: &'a Tables,
    order: &'a Order,
) -> Chooser<'a, 'p, P> {
    Chooser { expander, tables, order, all: false, every_state: false, data_races: false, settles: false }
}

/// Takes the steps of two tasks in order; workers may change their slots in between. `None` if the model has
/// no room for one of them, which ends the search whatever else it finds.
fn both<P: Program>(
    system: &mut System<'_, P>,
    state: &State,
    first: Choice,
    second: Choice,
) -> Option<Came> {
    let end = |stop: Stop, by: Choice| match stop {
        Stop::Hazard(hazard) => Some(Err(format!("{by:?}: {} {:?}", hazard.id, hazard.about))),
        Stop::Bound(_) => None,
    };
    let one = match system.step(state, first) {
        Ok(moved) => moved,
        Err(stop) => return end(stop, first),
    };
    let slot = one.came_from.iter().position(|slot| *slot == second.slot).unwrap_or(second.slot);
    if !system.is_enabled(&one.state, slot) {
        return Some(Err(format!("{second:?} is not enabled any more")));
    }
    let two = match system.step(&one.state, Choice { slot, ..second }) {
        Ok(moved) => moved,
        Err(stop) => return end(stop, second),
    };
    let warnings = [one.warning, two.warning].into_iter().flatten();
    let mut warnings: Vec<_> = warnings.map(|hazard| (hazard.id, hazard.about)).collect();
    warnings.sort_unstable();
    Some(Ok((two.state, warnings)))
}

/// Visits up to `most` states; of each two tasks that can go on there, and of which the tables say that the
/// second does not clash with the first, the steps are taken in both orders. Returns how many pairs there were.
///
/// # Panics
///
/// If some steps do not commute.
pub fn audit<P: Program>(program: &P, memory: &[u8], most: usize) -> usize {
    if program.slots().len() > SLOTS {
        return 0;
    }
    let mut expander = Expander::new(program, true);
    let mut states = IndexSet::from([expander.initial(memory)]);
    let (mut choices, mut next) = (Vec::new(), states[0].clone());
    let mut at = 0;
    while at < states.len().min(most) {
        let state = states[at].clone();
        at += 1;
        expander.enabled(&state, &mut choices);
        for choice in &choices {
            if expander.step(&state, *choice, &mut next).is_ok() && expander.deadlock(&next).is_none() {
                states.insert(next.clone());
            }
        }
    }
    let (tables, order) = (Tables::new(&expander, Remedies::ALL, false), Order::of(&expander));
    let mut pairs = 0;
    for state in states.iter().take(at) {
        let commuting = {
            let chooser = plain_chooser(&expander, &tables, &order);
            let mut room = Room::default();
            let enabled = chooser.enabled(&mut room, state);
            let others = |slot: usize| {
                let clash = chooser.clashers_of(&mut Room::default(), state, slot);
                members(enabled & !(1 << slot) & !clash).map(move |other| (slot, other))
            };
            members(enabled).flat_map(others).collect::<Vec<_>>()
        };
        let plain = expander.unpack(state);
        expander.enabled(state, &mut choices);
        for (one, other) in commuting {
            let of = |slot: usize| choices.iter().copied().filter(move |choice| choice.slot == slot);
            for (one, other) in of(one).flat_map(|one| of(other).map(move |other| (one, other))) {
                let system = &mut expander.system;
                let stops = |system: &mut System<'_, P>, choice| system.step(&plain, choice).is_err();
                if stops(system, one) && stops(system, other) {
                    continue;
                }
                let (there, back) = (both(system, &plain, one, other), both(system, &plain, other, one));
                let Some((there, back)) = there.zip(back) else { continue };
                pairs += 1;
                let op = |choice: Choice| system.next(&plain, choice.slot);
                let ops = (op(one).cloned(), op(other).cloned());
                let chooser = plain_chooser(&expander, &tables, &order);
                // What nobody can see any more may differ.
                let faded = |came: Came| {
                    came.map(|(state, warnings)| {
                        let mut state = expander.shape.pack(&state);
                        chooser.fade(&mut state);
                        (state, warnings)
                    })
                };
                let (there, back) = (faded(there), faded(back));
                assert!(there == back, "{ops:?}: {there:?}, {back:?}");
            }
        }
    }
    pairs
}
