//! Every scenario file is a test of its own name: each of its revisions must be as expected, each
//! counterexample must show its hazard again when it is replayed, and two runs must agree, and so must
//! the reference search.
//!
//! `RADDLE_SLOW=1` also runs the scenarios that are marked slow.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use raddle::dumped::DumpedTrace;
use raddle::{Engine, Options, Report, Scenario};
use raddle_checker::search::reference::Limits;
use raddle_probing::scenario::scenario_files;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = scenario_files(&root.join("scenarios")).expect("there are scenarios");
    let slow_too = std::env::var_os("RADDLE_SLOW").is_some();
    let mut trials = Vec::new();
    for file in files {
        let name = file.strip_prefix(root.join("scenarios")).expect("it is below").display().to_string();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let slow =
            text.lines().any(|line| line.split('#').next().unwrap_or("").replace(' ', "") == "slow=true");
        let shown = name.trim_end_matches(".toml").to_owned();
        trials.push(Trial::test(shown, move || check(&name, &text)).with_ignored_flag(slow && !slow_too));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(name: &str, text: &str) -> Result<(), Failed> {
    let scenario = Scenario::parse(name, text).map_err(|errors| errors[0].to_string())?;
    let options = Options::default();
    for revision in scenario.revisions(&options) {
        let report = scenario.check_on(revision, &options, |_| {}).map_err(|error| error.to_string())?;
        if report.expected.is_none() {
            return Err(format!("{name}: no expectation for {revision}").into());
        }
        if !report.as_expected() {
            let (found, expected) = (report.hazards(), report.expected);
            return Err(format!("{name} on {revision}: found {found:?}, expected {expected:?}").into());
        }
        let with = |all_orders, no_symmetry| {
            let limits = Limits { all_orders, no_symmetry, ..Limits::default() };
            Options::default().limits(limits)
        };
        let run = |options: &Options| {
            scenario.check_on(revision, options, |_| {}).map_err(|error| error.to_string())
        };
        let compare = |what, one: &Report, other: &Report, counts| {
            let (one, other) = (show(one, counts), show(other, counts));
            if one == other {
                Ok(())
            } else {
                Err(format!("{name} on {revision}: {what} differ:\n{one}\n{other}"))
            }
        };
        let plain = run(&Options::default().engine(Engine::Reference))?;
        for threads in [1, 2] {
            let again = run(&Options::default().threads(threads))?;
            compare("two runs on other numbers of threads", &report, &again, true)?;
        }
        compare("the engines", &run(&with(true, true))?, &plain, true)?;
        compare("the results with all reductions and with none", &report, &plain, false)?;
        compare("the results of fewer orders alone and of none", &run(&with(false, true))?, &plain, false)?;
        compare("the results of symmetry alone and of none", &run(&with(true, false))?, &plain, false)?;
        replays(&scenario, &report)?;
    }
    Ok(())
}

/// All that is printed of a report, or all but what it counted.
fn show(report: &Report, counts: bool) -> String {
    let mut shown = format!("{:?}", report.verdict);
    let mut report = report.clone();
    if counts {
        shown.push_str(&format!("{} {}", report.states, report.transitions));
    } else {
        report.guarantee.clear();
    }
    for violation in &report.violations {
        shown.push_str(&report.text(violation, true));
    }
    shown.push_str(&report.guarantee);
    shown
}

fn replays(scenario: &Scenario, report: &Report) -> Result<(), Failed> {
    for violation in &report.violations {
        let trace = DumpedTrace::new(scenario, report, violation);
        let json = serde_json::to_string(&trace).map_err(|error| error.to_string())?;
        let replayed = DumpedTrace::parse(&json)?.replay()?;
        if !replayed.shows || replayed.story != violation.story {
            let what = format!("{} on {}: the trace of {}", report.scenario, report.revision, violation.id);
            return Err(format!("{what} shows something else when it is replayed").into());
        }
    }
    Ok(())
}
