//! How the default search grows with devices and drivers, small sizes: the counts of docs/performance.md.

#[path = "../benches/families.rs"]
mod families;

use families::{SMALL, states};
use raddle::{Engine, Options, Scenario};

#[test]
fn the_search_grows_gently() {
    for (family, devices, drivers, expected) in SMALL {
        for threads in [1, 2] {
            let found = states(family, *devices, *drivers, threads);
            assert_eq!(found, *expected, "{family} with {devices} devices and {drivers} drivers");
        }
    }
}

/// What a driver is owed has a bit for each of the resources that it requires, as long as they are few enough for that.
#[test]
fn a_driver_may_require_many_resources() {
    for many in [6, 7, 8] {
        let mut text =
            "title = \"many resources\"\nrevisions = [\"v6.2\"]\n[device.d]\ninitially = \"added\"\n"
                .to_owned();
        let all = |call: &str| (0..many).map(|r| format!("\"{call}(r{r})\"")).collect::<Vec<_>>().join(", ");
        (0..many).for_each(|r| text += &format!("[resource.r{r}]\n"));
        text += &format!("[driver.v]\nprobe = [{}]\n", all("require"));
        text += "[task.insmod]\nrun = [\"driver_register(v)\"]\n";
        text += &format!("[task.late]\nrun = [{}]\n", all("provide"));
        let scenario = Scenario::parse("many.toml", &text).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let seen = [Engine::Exhaustive, Engine::Reference].map(|engine| {
            let report = scenario.check_on("v6.2", &Options::default().engine(engine), |_| {});
            let report = report.unwrap_or_else(|error| panic!("{error}"));
            let violations = report.violations.iter().map(|violation| format!("{violation:?}"));
            violations.collect::<Vec<_>>()
        });
        assert_eq!(seen[0], seen[1], "{many} resources");
        assert_eq!(seen[0].len(), 1, "{seen:?}");
        assert!(seen[0][0].contains("lost-probe"), "{seen:?}");
    }
}
