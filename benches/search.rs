//! How fast the searches are, on the yardstick. A search that visits less is a bug, not faster: the
//! counts are compared before anything is measured.

mod yardstick;

use divan::counter::ItemsCount;
use raddle_checker::automaton::functions::Functions;
use raddle_checker::search::exhaustive;
use raddle_checker::search::reduced::{self, resources::Resources};
use raddle_checker::search::reference::{self, Limits, Outcome};
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

fn measure(bencher: divan::Bencher<'_, '_>, size: &str, search: fn(&Functions<'_>) -> Outcome) {
    let row = ROWS.into_iter().chain([LARGE]).find(|row| format!("{},{}", row.devices, row.drivers) == size);
    let row = row.expect("a row of the yardstick");
    let (program, hits) = Yardstick::program(row.devices, row.drivers, false);
    let outcome = search(&program);
    assert_eq!((outcome.states, outcome.transitions + 1), (row.states, row.transitions));
    assert_eq!(hits.get(), row.hazards);
    bencher.counter(ItemsCount::new(row.states)).bench(|| search(&program));
}

#[divan::bench(args = ["2,2", "4,1"], sample_count = 3, sample_size = 1)]
fn reference(bencher: divan::Bencher<'_, '_>, size: &str) {
    let run =
        |program: &Functions<'_>| reference::search(program, &program.memory(), Limits::default(), |_| {});
    measure(bencher, size, run);
}

#[divan::bench(args = ["2,2", "4,1"], sample_count = 3, sample_size = 1)]
fn exhaustive(bencher: divan::Bencher<'_, '_>, size: &str) {
    let run =
        |program: &Functions<'_>| exhaustive::search(program, &program.memory(), Limits::default(), |_| {});
    measure(bencher, size, run);
}

/// What the default search stores, for devices and drivers: the counts that are asserted.
const REDUCED: [(&str, u8, u8, usize, usize); 4] = [
    ("2,3", 2, 3, 10_412, 151_562),
    ("3,3", 3, 3, 326_691, 4_970_554),
    ("4,3", 4, 3, 9_228_785, 144_116_585),
    ("3,4", 3, 4, 10_584_103, 165_381_639),
];

/// The default search's own part; one thread, so that it is comparable.
#[divan::bench(args = ["2,3", "3,3"], sample_count = 5, sample_size = 1)]
fn reduced(bencher: divan::Bencher<'_, '_>, size: &str) {
    answer(bencher, size, 1);
}

/// The same on all processors.
#[divan::bench(args = ["2,3", "3,3"], sample_count = 5, sample_size = 1)]
fn reduced_on_all_threads(bencher: divan::Bencher<'_, '_>, size: &str) {
    answer(bencher, size, 0);
}

/// Minutes: `cargo bench --bench search -- --ignored reduced_large`.
#[divan::bench(args = ["4,3", "3,4"], sample_count = 1, sample_size = 1, ignore)]
fn reduced_large(bencher: divan::Bencher<'_, '_>, size: &str) {
    answer(bencher, size, 0);
}

fn answer(bencher: divan::Bencher<'_, '_>, size: &str, threads: usize) {
    let row = REDUCED.into_iter().find(|row| row.0 == size).expect("a size");
    let (_, devices, drivers, states, steps) = row;
    let (program, _) = Yardstick::program(devices, drivers, false);
    let resources = Resources { threads, ..Resources::default() };
    bencher.counter(ItemsCount::new(states)).bench(|| {
        let found = reduced::search(&program, &program.memory(), Limits::default(), &resources, |_| {});
        let found = found.expect("nothing is on disk").expect("no state comes back");
        assert_eq!((found.outcome.states, found.outcome.transitions), (states, steps));
    });
}

#[divan::bench(args = ["2,3"], sample_count = 1, sample_size = 1, ignore)]
fn exhaustive_large(bencher: divan::Bencher<'_, '_>, size: &str) {
    exhaustive(bencher, size);
}
