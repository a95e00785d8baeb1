//! How fast the searches are, on the yardstick. A search that visits less is a bug, not faster: the
//! counts are compared before anything is measured.

mod yardstick;

use divan::counter::ItemsCount;
use raddle::search::reference::{Limits, search};
use yardstick::{ROWS, Yardstick};

fn main() {
    divan::main();
}

#[divan::bench(args = ["2,2", "4,1"], sample_count = 3, sample_size = 1)]
fn reference(bencher: divan::Bencher<'_, '_>, size: &str) {
    let row = ROWS.into_iter().find(|row| format!("{},{}", row.devices, row.drivers) == size);
    let row = row.expect("a row of the yardstick");
    let program = Yardstick::program(row.devices, row.drivers, false);
    let run = || search(&program, &program.memory(), Limits::default(), |_| {});
    let outcome = run();
    assert_eq!((outcome.states, outcome.transitions + 1), (row.states, row.transitions));
    assert_eq!(program.subject().hits(), row.hazards);
    bencher.counter(ItemsCount::new(row.states)).bench(run);
}
