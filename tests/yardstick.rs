//! raddle and the other checkers agree on the yardstick.

#[path = "../benches/yardstick.rs"]
mod bench;

use bench::{HAZARDS, ROWS, Yardstick};
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::{Limits, Outcome, search};
use raddle_checker::search::{exhaustive, reduced};
use raddle_checker::story::{Ending, Turn, replay};

fn run(devices: u8, drivers: u8, stop: bool) -> (Outcome, [usize; 2]) {
    let (program, hits) = Yardstick::program(devices, drivers, stop);
    let outcome = search(&program, &program.memory(), Limits::default(), |_| {});
    (outcome, hits.get())
}

#[test]
fn counts_are_those_of_the_other_checkers() {
    for row in ROWS {
        let (outcome, hits) = run(row.devices, row.drivers, false);
        let found = (outcome.states, outcome.transitions + 1, hits);
        assert_eq!(found, (row.states, row.transitions, row.hazards), "{row:?}");
        assert!(outcome.found.is_empty() && outcome.cut.is_none());
        let (program, hits) = Yardstick::program(row.devices, row.drivers, false);
        let packed = exhaustive::search(&program, &program.memory(), Limits::default(), |_| {});
        assert_eq!((packed.states, packed.transitions + 1, hits.get()), found, "{row:?}");
    }
}

#[test]
fn shortest_traces_are_as_long_as_those_of_the_other_checkers() {
    for (devices, drivers, steps) in [(1, 1, 17), (1, 2, 17), (2, 1, 26), (3, 1, 35)] {
        let (outcome, _) = run(devices, drivers, true);
        let (program, _) = Yardstick::program(devices, drivers, true);
        assert_eq!(outcome.found.len(), 2);
        let packed = exhaustive::search(&program, &program.memory(), Limits::default(), |_| {});
        assert_eq!(format!("{:?}", packed.found), format!("{:?}", outcome.found));
        for (id, steps) in HAZARDS.into_iter().zip([steps, 13]) {
            let found = outcome.found.iter().find(|found| found.id == id).expect("both hazards are found");
            // The others count the steps to the state before the hazard, we the step that is it too.
            assert_eq!(found.schedule.len(), steps + 1, "{id} with {devices} devices, {drivers} drivers");
            let turns: Vec<Turn> = found
                .schedule
                .iter()
                .map(|choice| Turn { slot: choice.slot, outcome: choice.outcome })
                .collect();
            let story = replay(&program, &turns, Ending::Step).expect("a trace can be replayed");
            assert_eq!(story.hazard.map(|hazard| hazard.id).as_deref(), Some(id));
        }
    }
}

#[test]
fn drivers_that_nobody_unregisters_are_alike() {
    // The drivers other than the first take each other's places in so many ways.
    for (devices, drivers, ways) in [(1, 2, 1), (2, 2, 1), (1, 3, 2), (2, 3, 2), (1, 4, 6)] {
        for stop in [true, false] {
            let (program, _) = Yardstick::program(devices, drivers, stop);
            let run = |no_symmetry| {
                let limits = Limits { no_symmetry, ..Limits::default() };
                let resources = Resources { threads: 1, ..Resources::default() };
                let found = reduced::search(&program, &program.memory(), limits, &resources, |_| {});
                let found = found.expect("nothing is on disk").expect("no state comes back");
                (found.outcome.states, found.hazards)
            };
            let ((with, hazards), (without, same)) = (run(false), run(true));
            assert_eq!(hazards, same);
            assert!(with * ways >= without, "{devices},{drivers}: {with} stand for {without}");
            // Some states are their own images.
            assert!(with * (1 + ways) <= without * 2, "{devices},{drivers}: {with} stand for {without}");
        }
    }
}

/// States stored and steps taken by the default search: pinned, for devices and drivers.
const REDUCED: [(u8, u8, usize, usize); 6] = [
    (1, 1, 6, 58),
    (2, 1, 23, 214),
    (1, 2, 46, 669),
    (2, 2, 620, 9_207),
    (3, 2, 5_856, 88_746),
    (2, 3, 10_412, 151_562),
];

#[test]
fn the_default_search_finds_the_hazards_in_fewer_states_on_any_number_of_threads() {
    for (devices, drivers, states, steps) in REDUCED {
        for threads in [1, 2] {
            let resources = Resources { threads, ..Resources::default() };
            let run = |stop| {
                let (program, _) = Yardstick::program(devices, drivers, stop);
                let found =
                    reduced::search(&program, &program.memory(), Limits::default(), &resources, |_| {});
                let found = found.expect("nothing is on disk").expect("no state comes back");
                let mut ids: Vec<&str> = found.hazards.keys().copied().collect();
                ids.sort_unstable();
                (ids, found.outcome.states, found.outcome.transitions)
            };
            assert_eq!(run(false), (vec![], states, steps), "{devices},{drivers}");
            let mut hazards = HAZARDS;
            hazards.sort_unstable();
            assert_eq!(run(true).0, hazards);
        }
    }
}
