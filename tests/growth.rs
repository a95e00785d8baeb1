//! How the default search grows with devices and drivers, small sizes: the counts of docs/performance.md.

#[path = "../benches/families.rs"]
mod families;

use families::{SMALL, states};

#[test]
fn the_search_grows_gently() {
    for (family, devices, drivers, expected) in SMALL {
        for threads in [1, 2] {
            let found = states(family, *devices, *drivers, threads);
            assert_eq!(found, *expected, "{family} with {devices} devices and {drivers} drivers");
        }
    }
}
