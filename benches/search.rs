//! How fast the searches are, on the yardstick. A search that visits less is a bug, not faster: the
//! counts are compared before anything is measured.

mod yardstick;

use divan::counter::ItemsCount;
use raddle::automaton::functions::Functions;
use raddle::search::exhaustive;
use raddle::search::reference::{self, Limits, Outcome};
use yardstick::{ROWS, Row, Yardstick};

/// What takes over half a minute and two gigabytes: `cargo bench --bench search -- --ignored`.
const LARGE: Row = Row {
    devices: 2,
    drivers: 3,
    states: 33_859_960,
    transitions: 158_284_495,
    hazards: [157_926, 3_012_484],
};

fn main() {
    divan::main();
}

fn measure(bencher: divan::Bencher<'_, '_>, size: &str, search: fn(&Functions<Yardstick>) -> Outcome) {
    let row = ROWS.into_iter().chain([LARGE]).find(|row| format!("{},{}", row.devices, row.drivers) == size);
    let row = row.expect("a row of the yardstick");
    let program = Yardstick::program(row.devices, row.drivers, false);
    let outcome = search(&program);
    assert_eq!((outcome.states, outcome.transitions + 1), (row.states, row.transitions));
    assert_eq!(program.subject().hits(), row.hazards);
    bencher.counter(ItemsCount::new(row.states)).bench(|| search(&program));
}

#[divan::bench(args = ["2,2", "4,1"], sample_count = 3, sample_size = 1)]
fn reference(bencher: divan::Bencher<'_, '_>, size: &str) {
    let run = |program: &Functions<Yardstick>| {
        reference::search(program, &program.memory(), Limits::default(), |_| {})
    };
    measure(bencher, size, run);
}

#[divan::bench(args = ["2,2", "4,1"], sample_count = 3, sample_size = 1)]
fn exhaustive(bencher: divan::Bencher<'_, '_>, size: &str) {
    let run = |program: &Functions<Yardstick>| {
        exhaustive::search(program, &program.memory(), Limits::default(), |_| {})
    };
    measure(bencher, size, run);
}

#[divan::bench(args = ["2,3"], sample_count = 1, sample_size = 1, ignore)]
fn exhaustive_large(bencher: divan::Bencher<'_, '_>, size: &str) {
    exhaustive(bencher, size);
}
