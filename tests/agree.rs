//! All engines on the same small scenarios: those below `tests/agree`, and random ones.
//!
//! `RADDLE_AGREE=N cargo test --test it agree -- --nocapture` tries N random scenarios instead of a few. What it
//! finds becomes a file below `tests/agree`.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use raddle::agree::{Agreement, agree};
use raddle::{Options, Scenario};
use raddle_engines::agree::Covered;
use raddle_probing::scenario::scenario_files;

fn engines(scenario: &Scenario, revision: &str, time: Duration) -> Agreement {
    // Each engine in its own process, as the command runs them.
    let process = Some(env!("CARGO_BIN_EXE_raddle").into());
    let mut options = Options::default();
    options.process = process;
    options.native.time = Some(time);
    options.native.iterations = 200;
    options.limits.state_limit = Some(200_000);
    agree(scenario, revision, &options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn corpus() {
    let files = scenario_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree")).expect("a corpus");
    for file in files {
        let scenario = Scenario::load(&file).unwrap_or_else(|errors| panic!("{}", errors[0]));
        for revision in scenario.revisions(&Options::default()) {
            let agreement = engines(&scenario, revision, Duration::from_secs(60));
            let name = format!("{} on {revision}", file.display());
            assert_eq!(agreement.differences, Vec::<String>::new(), "{name}");
            let expected = &scenario.file().expect[revision];
            for (i, witness) in agreement.witnesses.iter().enumerate() {
                println!("{name}: {} {:?} {}", witness.engine, witness.hazards, witness.work);
                // Reference, exhaustive, loom and shuttle's DFS; the others draw samples.
                if i < 4 {
                    assert_eq!(witness.covered, Covered::All, "{name}: {}", witness.engine);
                    assert_eq!(witness.hazards, *expected, "{name}: {}", witness.engine);
                }
            }
            assert!(agreement.witnesses[0].terminal.is_some(), "{name}: the ends are compared");
        }
    }
}

const REVISIONS: [&str; 6] = ["v3.18", "v4.2", "duyck-v4", "v5.1", "v6.0", "v7.1-rc"];

const CALLS: [&str; 14] = [
    "driver_register(v)",
    "driver_unregister(v)",
    "device_add(d)",
    "device_del(d)",
    "get_device(d)",
    "put_device(d)",
    "use(d)",
    "bind(v, d)",
    "unbind(v, d)",
    "dev_get_drvdata(d)",
    "dev_set_drvdata(d)",
    "queue_work(w)",
    "flush_work(w)",
    "cancel_work_sync(w)",
];

const WORK: [&str; 4] = ["use(d)", "put_device(d)", "flush_work(w)", "dev_set_drvdata(d)"];
const PROBE: [&str; 4] = [r#""return(0)""#, r#""return(-ENODEV, 0)""#, r#""use(d)""#, r#""queue_work(w)""#];
const TYPES: [&str; 2] = ["default", "prefer-asynchronous"];
const DEVICE: [&str; 2] = ["absent", "added"];
const DRIVER: [&str; 2] = ["absent", "registered"];

prop_compose! {
    /// A scenario with one device, one driver, one work item and two tasks; and a revision.
    fn scenarios()(
        revision in prop::sample::select(&REVISIONS[..]),
        tasks in prop::collection::vec(prop::collection::vec(prop::sample::select(&CALLS[..]), 1..3), 2..3),
        work in prop::sample::select(&WORK[..]),
        probe in prop::sample::select(&PROBE[..]),
        kind in prop::sample::select(&TYPES[..]),
        device in prop::sample::select(&DEVICE[..]),
        driver in prop::sample::select(&DRIVER[..]),
        contract in prop::sample::select(&["kept", "violated"][..]),
    ) -> (String, String) {
        let mut text = format!(
            "title = \"random\"\nrevisions = [\"{revision}\"]\n[device.d]\ninitially = \"{device}\"\n\
             [driver.v]\ninitially = \"{driver}\"\nprobe-type = \"{kind}\"\nprobe = [{probe}]\n\
             [work.w]\nrun = [\"{work}\"]\n[environment]\ncontract = \"{contract}\"\n"
        );
        for (i, calls) in tasks.iter().enumerate() {
            text.push_str(&format!("[task.t{i}]\nrun = {calls:?}\n"));
        }
        (text, revision.to_owned())
    }
}

#[test]
fn random_scenarios() {
    let cases = std::env::var("RADDLE_AGREE").ok().and_then(|cases| cases.parse().ok());
    let config = Config { cases: cases.unwrap_or(24), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (whole, parts, with_hazards) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let result = runner.run(&scenarios(), |(text, revision)| {
        let scenario = Scenario::parse("random.toml", &text)
            .map_err(|errors| TestCaseError::fail(format!("{}\n{text}", errors[0])))?;
        let agreement = engines(&scenario, &revision, Duration::from_millis(400));
        if agreement.inconclusive {
            return Ok(());
        }
        with_hazards.set(with_hazards.get() + usize::from(!agreement.witnesses[0].hazards.is_empty()));
        for witness in agreement.witnesses.iter().skip(2).take(2) {
            let counter = if witness.covered == Covered::All { &whole } else { &parts };
            counter.set(counter.get() + 1);
        }
        prop_assert!(agreement.differences.is_empty(), "{:?}\n{text}", agreement.differences);
        Ok(())
    });
    let (whole, parts, with_hazards) = (whole.get(), parts.get(), with_hazards.get());
    println!("loom and dfs: {whole} compared wholly, {parts} partly; {with_hazards} scenarios with hazards");
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(whole > 0 && with_hazards > 0, "the random scenarios are small and some go wrong");
}
