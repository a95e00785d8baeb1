//! Random small scenarios, searched with and without reduction, on one thread and on two: verdict,
//! hazards and runs must be those of the reference search.
//!
//! `RADDLE_REDUCTION=2000 cargo test --test it reduction -- --nocapture` tries that many instead of a few
//! hundred. A scenario with more than 100,000 states is drawn again.

use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use raddle::{Engine, Options, Report, Scenario};
use raddle_checker::machine::set_up::set_up;
use raddle_checker::search::reduced::remedies::{REMEDIES, Remedies};
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reduced::{audit_orders, audit_symmetry};
use raddle_checker::search::reference::Limits;
use raddle_probing::scenario::scenario_files;

const MOST_STATES: usize = 100_000;

const REVISIONS: [&str; 8] = ["v3.18", "v4.2", "duyck-v4", "duyck-v6", "v5.1", "v5.19", "v6.0", "v7.1-rc"];

const CALLS: [&str; 22] = [
    "driver_register(v)",
    "driver_register(w)",
    "driver_unregister(v)",
    "driver_unregister(w)",
    "device_add(d)",
    "device_add(e)",
    "device_del(d)",
    "device_del(e)",
    "get_device(d)",
    "put_device(d)",
    "use(d)",
    "bind(v, d)",
    "bind(w, e)",
    "unbind(v, d)",
    "dev_get_drvdata(d)",
    "dev_set_drvdata(d)",
    "queue_work(k)",
    "flush_work(k)",
    "cancel_work_sync(k)",
    "lock(m)",
    "async_synchronize_full()",
    "wait_for_device_probe()",
];

const WORK: [&str; 4] = ["use(d)", "put_device(d)", "flush_work(k)", "dev_set_drvdata(d)"];
const PROBE: [&str; 6] = [
    r#""return(0)""#,
    r#""return(-ENODEV, 0)""#,
    r#""return(-EPROBE_DEFER, 0)""#,
    r#""use(d)""#,
    r#""queue_work(k)""#,
    r#""dev_set_drvdata(d)""#,
];

fn device(name: &str, added: bool) -> String {
    format!("[device.{name}]\ninitially = \"{}\"\n", if added { "added" } else { "absent" })
}

fn driver(name: &str, registered: bool, slow: bool, probe: &str) -> String {
    let initially = if registered { "registered" } else { "absent" };
    let kind = if slow { "prefer-asynchronous" } else { "default" };
    format!("[driver.{name}]\ninitially = \"{initially}\"\nprobe-type = \"{kind}\"\nprobe = [{probe}]\n")
}

/// A call with the other driver or the other device.
fn swapped(call: &str, drivers: bool, devices: bool) -> String {
    let swap = |name: &str| match name {
        "v" | "w" if drivers => if name == "v" { "w" } else { "v" }.to_owned(),
        "d" | "e" if devices => if name == "d" { "e" } else { "d" }.to_owned(),
        _ => name.to_owned(),
    };
    let Some((function, names)) = call.trim_end_matches(')').split_once('(') else { return call.to_owned() };
    let names: Vec<String> = names.split(", ").map(swap).collect();
    format!("{function}({})", names.join(", "))
}

prop_compose! {
    /// A scenario with two devices, two drivers, a work item and two or three tasks; and a revision.
    fn scenarios()(
        revision in prop::sample::select(&REVISIONS[..]),
        tasks in prop::collection::vec(prop::collection::vec(prop::sample::select(&CALLS[..]), 1..3), 2..4),
        work in prop::sample::select(&WORK[..]),
        probes in (prop::sample::select(&PROBE[..]), prop::sample::select(&PROBE[..])),
        slow in any::<(bool, bool)>(),
        added in any::<(bool, bool)>(),
        registered in any::<(bool, bool)>(),
        contract in prop::sample::select(&["kept", "violated"][..]),
        // Half of them have two tasks that do the same, with other drivers or other devices.
        alike in any::<bool>(),
        other in any::<(bool, bool)>(),
        left_out in any::<u16>(),
    ) -> (String, String, Remedies) {
        let tasks: Vec<Vec<String>> =
            tasks.into_iter().map(|calls| calls.into_iter().map(str::to_owned).collect()).collect();
        let mirror = |calls: &[String]| calls.iter().map(|call| swapped(call, other.0, other.1)).collect();
        let (tasks, probes, slow, added, registered) = if alike {
            let (own, added) = (mirror(&tasks[0]), added.0 && !other.1);
            let tasks = vec![tasks[0].clone(), own];
            (tasks, (probes.0, probes.0), (slow.0, slow.0), (added, added), (false, false))
        } else {
            (tasks, probes, slow, added, registered)
        };
        let mut text = format!("title = \"random\"\nrevisions = [\"{revision}\"]\n");
        text.push_str(&device("d", added.0));
        text.push_str(&device("e", added.1));
        text.push_str(&driver("v", registered.0, slow.0, probes.0));
        text.push_str(&driver("w", registered.1, slow.1, probes.1));
        text.push_str(&format!("[mutex.m]\n[work.k]\nrun = [\"{work}\"]\n[environment]\ncontract = \"{contract}\"\n"));
        for (i, calls) in tasks.iter().enumerate() {
            let calls: Vec<&str> = calls.iter().flat_map(|call| match call.as_str() {
                "lock(m)" => vec!["lock(m)", "use(d)", "unlock(m)"],
                call => vec![call],
            }).collect();
            text.push_str(&format!("[task.t{i}]\nrun = {calls:?}\n"));
        }
        (text, revision.to_owned(), some(left_out))
    }
}

/// The remedies of which the bit is set.
fn some(bits: u16) -> Remedies {
    let those = (0..REMEDIES.len()).filter(|place| bits >> place & 1 != 0);
    those.fold(Remedies::NONE, |all, place| all.with(REMEDIES[place].0))
}

/// All that is printed of a report but what it counted.
fn show(report: &Report) -> String {
    let mut report = report.clone();
    report.guarantee.clear();
    let texts =
        report.violations.iter().map(|violation| report.text(violation, &raddle::DiagramOptions::full()));
    format!("{:?} {}", report.verdict, texts.collect::<String>())
}

#[test]
fn random_scenarios() {
    let cases = std::env::var("RADDLE_REDUCTION").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let config =
        Config { cases, failure_persistence: None, max_global_rejects: 100 * cases, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (with_hazards, states, stored) = (Cell::new(0), Cell::new(0), Cell::new([0, 0]));
    let result = runner.run(&scenarios(), |(text, revision, without)| {
        let scenario = Scenario::parse("random.toml", &text);
        let scenario = scenario.map_err(|errors| TestCaseError::fail(format!("{}\n{text}", errors[0])))?;
        let state_limit = Some(MOST_STATES);
        let limits = Limits { state_limit, ..Limits::default() };
        let options = Options::default().engine(Engine::Reference).limits(limits);
        let Ok(reference) = scenario.check_on(&revision, &options, |_| {}) else {
            return Err(TestCaseError::reject("a mistake in the set-up"));
        };
        if reference.cut {
            return Err(TestCaseError::reject("too large, or too few workers"));
        }
        with_hazards.set(with_hazards.get() + usize::from(!reference.violations.is_empty()));
        states.set(states.get() + reference.states);
        for (all_orders, no_symmetry) in [(false, false), (false, true), (true, false), (true, true)] {
            for threads in [1, 2] {
                let limits = Limits { all_orders, no_symmetry, ..Limits::default() };
                let resources = Resources { threads, ..Resources::default() };
                let mut options = Options::default().limits(limits);
                options.resources = resources;
                let report = scenario.check_on(&revision, &options, |_| {});
                let report = report.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
                prop_assert_eq!(show(&report), show(&reference), "{:?}\n{}", limits, text);
                if !all_orders && threads == 1 {
                    let mut both = stored.get();
                    both[usize::from(no_symmetry)] += report.states;
                    stored.set(both);
                }
            }
        }
        // And with some remedies only.
        let options = Options::default().limits(Limits { without, ..Limits::default() }).threads(1);
        let report = scenario.check_on(&revision, &options, |_| {});
        let report = report.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(show(&report), show(&reference), "without {:?}\n{}", without, text);
        Ok(())
    });
    let (with_hazards, states, [symmetric, stored]) = (with_hazards.get(), states.get(), stored.get());
    println!(
        "{cases} scenarios, {with_hazards} with hazards; {states} states, {stored} with reduction, \
         {symmetric} with symmetry too"
    );
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(with_hazards > 0 && stored < states && symmetric < stored);
}

/// All searches say of a scenario what the reference search says, or where that has too few workers, what it says with
/// more of them. Returns its report.
fn same(scenario: &Scenario, revision: &str) -> Report {
    let check = |scenario: &Scenario, options: &Options| {
        let report = scenario.check_on(revision, options, |_| {});
        report.unwrap_or_else(|error| panic!("{error}"))
    };
    let plain = Options::default().engine(Engine::Reference);
    let reference = check(scenario, &plain);
    if reference.cut {
        assert!(reference.guarantee.contains("workers = 2 is too small"), "{}", reference.guarantee);
        let with_more = scenario.text().replace("workers = 2", "workers = 16");
        let with_more =
            Scenario::parse("more.toml", &with_more).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let (cut, all) = (reference, check(&with_more, &plain));
        for all_orders in [true, false] {
            let limits = Limits { all_orders, ..Limits::default() };
            let report = check(scenario, &Options::default().limits(limits));
            let expected = if all_orders { &cut } else { &all };
            assert_eq!(show(&report), show(expected), "{limits:?}\n{}", scenario.text());
        }
        return all;
    }
    for (all_orders, no_symmetry) in [(false, false), (false, true), (true, false), (true, true)] {
        for threads in [1, 2] {
            let mut options = Options::default();
            options.limits = Limits { all_orders, no_symmetry, ..Limits::default() };
            options.resources.threads = threads;
            let report = check(scenario, &options);
            assert_eq!(show(&report), show(&reference), "{:?}\n{}", options.limits, scenario.text());
        }
    }
    reference
}

/// Small scenarios of the library have the same hazards whichever one remedy is left out, or all but one, and the
/// more remedies the fewer states.
#[test]
fn every_remedy_can_be_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut states = [0; REMEDIES.len() + 2];
    for name in [
        "bart/unregister-pending-v4-waits",
        "deferred/lost-trigger",
        "deferred/wait-with-deferred",
        "duyck/v4-overwrite",
        "drvdata/two-async-drivers",
        "merged/async-after-device-del",
    ] {
        let scenario = Scenario::load(root.join(format!("{name}.toml")))
            .unwrap_or_else(|errors| panic!("{}", errors[0]));
        for revision in scenario.revisions(&Options::default()) {
            let check = |without: Remedies| {
                let limits = Limits { without, ..Limits::default() };
                let report =
                    scenario.check_on(revision, &Options::default().limits(limits).threads(1), |_| {});
                report.unwrap_or_else(|error| panic!("{error}"))
            };
            let all = check(Remedies::NONE);
            let sets = REMEDIES.map(|(remedy, _)| Remedies::NONE.with(remedy));
            let sets = [Remedies::NONE, Remedies::ALL].into_iter().chain(sets);
            for (states, without) in states.iter_mut().zip(sets) {
                let report = check(without);
                assert_eq!(show(&report), show(&all), "{name} on {revision} without {without:?}");
                *states += report.states;
            }
        }
    }
    println!("{states:?}");
    assert!(states[0] < states[1]);
}

/// What was once found to be wrong.
#[test]
fn corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soundness");
    for file in scenario_files(&root).expect("a corpus") {
        let scenario = Scenario::load(&file).unwrap_or_else(|errors| panic!("{}", errors[0]));
        for revision in scenario.revisions(&Options::default()) {
            let report = same(&scenario, revision);
            let expected = &scenario.file().expect[revision];
            assert_eq!(report.hazards(), *expected, "{} on {revision}", file.display());
        }
    }
}

/// What the model has no room for is inconclusive in all searches, and no panic.
#[test]
fn what_there_is_no_room_for_is_inconclusive() {
    let get = "\"get_device(d)\", ".repeat(256);
    let wait = |task: usize| format!("[task.t{task}]\nrun = [\"wait_for_device_probe()\"]\n");
    let references = format!("[device.d]\n[task.t]\nrun = [{get}\"use(d)\"]\n");
    let barriers = format!(
        "[device.d]\ninitially = \"added\"\n[driver.v]\nprobe-type = \"prefer-asynchronous\"\n\
         [task.load]\nrun = [\"driver_register(v)\"]\n{}",
        (0..8).map(wait).collect::<String>()
    );
    // The first schedule that shuttle tries begins all barriers before the entry that they wait for runs.
    let all = [Engine::Reference, Engine::Exhaustive, Engine::Shuttle];
    for (text, engines) in [(references, &all[..]), (barriers, &all[2..])] {
        let text = format!("title = \"too much\"\nrevisions = [\"v5.1\"]\n{text}");
        let scenario =
            Scenario::parse("too-much.toml", &text).unwrap_or_else(|errors| panic!("{}", errors[0]));
        for engine in engines {
            let mut options = Options::default().engine(*engine);
            options.native.iterations = 10;
            let report = scenario.check_on("v5.1", &options, |_| {});
            let report = report.unwrap_or_else(|error| panic!("{error}"));
            assert!(report.guarantee.contains("has no room for more"), "{engine:?}: {}", report.guarantee);
            assert_eq!(report.hazards(), [""; 0], "{engine:?}");
        }
    }
}

/// In all scenarios, as far as so many states reach: steps that are said to commute do.
#[test]
fn steps_that_are_said_to_commute_do() {
    const MOST: usize = 200;
    let mut pairs = 0;
    for directory in ["scenarios", "tests/soundness"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        for file in scenario_files(&root).expect("there are scenarios") {
            let scenario = Scenario::load(&file).unwrap_or_else(|errors| panic!("{}", errors[0]));
            for revision in scenario.revisions(&Options::default()) {
                let program = scenario.program(revision).expect("the revision is known");
                let Ok(memory) = set_up(&program, |_, _, _, _| {}) else { continue };
                pairs += audit_orders(&program, &memory, MOST);
            }
        }
    }
    println!("{pairs} pairs of steps");
    assert!(pairs > 10_000);
}

/// In all scenarios, as far as so many states reach: what is renamed leads to what is renamed.
#[test]
fn renamed_states_lead_to_renamed_states() {
    const MOST: usize = 1_000;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut alike = Vec::new();
    for file in scenario_files(&root).expect("there are scenarios") {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let name = file.strip_prefix(&root).expect("it is below").display().to_string();
        let scenario = Scenario::parse(&name, &text).expect("it is right");
        for revision in scenario.revisions(&Options::default()) {
            let program = scenario.program(revision).expect("the revision is known");
            let Ok(memory) = set_up(&program, |_, _, _, _| {}) else { continue };
            let renamings = audit_symmetry(&program, &memory, MOST);
            if renamings > 0 {
                alike.push(format!("{name} on {revision}: {renamings}"));
            }
        }
    }
    for file in ["drvdata/two-async-drivers", "duyck/v4-overwrite", "merged/one-async-driver"] {
        let has = |name: &String| name.starts_with(file) && name.ends_with(": 1");
        assert!(alike.iter().any(has), "the two drivers of {file} are alike: {alike:#?}");
    }
}
