//! How the default search grows with devices and drivers of the real model: `cargo bench --bench growth`.

mod families;

use std::time::Instant;

use families::{LARGE, SMALL, states};

fn main() {
    println!("{:<8} {:>3} {:>3} {:>10} {:>9}", "family", "D", "R", "states", "seconds");
    for (family, devices, drivers, expected) in SMALL.iter().chain(LARGE) {
        let begun = Instant::now();
        let found = states(family, *devices, *drivers, 0);
        let seconds = begun.elapsed().as_secs_f64();
        println!("{family:<8} {devices:>3} {drivers:>3} {found:>10} {seconds:>9.2}");
        assert_eq!(found, *expected, "{family} with {devices} devices and {drivers} drivers");
    }
}
