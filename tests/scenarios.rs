//! Every scenario file is a test of its own name: each of its revisions must be as expected, each
//! counterexample must show its hazard again when it is replayed, and two runs must agree, and so must
//! the reference search. What is verified has a certificate, and small rows are
//! the same for a peer that knows their written model only. Beside them: every rule has an
//! effect somewhere, and random scenarios are accepted and searched alike.
//!
//! `RADDLE_DRAWN=5000` draws that many instead of a few hundred. `RADDLE_SLOW=1` also runs the scenarios that are
//! marked slow, compares rows of more than 60,000 states with the reference search, and makes larger certificates.

mod drawn;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use raddle::certified::{Certificate, export};
use raddle::dumped::DumpedTrace;
use raddle::{Engine, Options, Report, Scenario, Verdict};
use raddle_checker::search::reference::Limits;
use raddle_driver_core::revision::REVISIONS;
use raddle_driver_core::rules::RULES;
use raddle_probing::call::CALLS;
use raddle_probing::scenario::scenario_files;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = scenario_files(&root.join("scenarios")).expect("there are scenarios");
    let slow_too = is_slow_too();
    let mut trials = Vec::new();
    for file in files {
        let name = file.strip_prefix(root.join("scenarios")).expect("it is below").display().to_string();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let slow =
            text.lines().any(|line| line.split('#').next().unwrap_or("").replace(' ', "") == "slow=true");
        let shown = name.trim_end_matches(".toml").to_owned();
        trials.push(Trial::test(shown, move || check(&name, &text)).with_ignored_flag(slow && !slow_too));
    }
    for rule in RULES {
        trials.push(Trial::test(format!("rules/{}", rule.name), move || has_effect(rule.name)));
    }
    trials.push(Trial::test("drawn/cover-the-language", drawn_scenarios_cover_the_language));
    trials.push(Trial::test("drawn/searches-agree", drawn_scenarios_are_searched_alike));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn is_slow_too() -> bool {
    std::env::var_os("RADDLE_SLOW").is_some()
}

/// For each rule another value, and a scenario and revision on which that changes verdict, hazards or the number
/// of states.
const EFFECTS: &[(&str, &str, &str, &str)] = &[
    ("attach-strategy", "synchronous", "bart/unregister-pending", "v5.1"),
    ("async-stash", "drvdata", "drvdata/getter-first", "v5.1"),
    ("getters-hide-stash", "false", "duyck/v6-dirty-probe-hidden", "duyck-v6"),
    ("setters-clear-bit", "false", "drvdata/foreign-drvdata", "duyck-v6"),
    ("shared-async-bit", "false", "duyck/v6-bitfield", "duyck-v6"),
    ("one-async-driver", "false", "merged/one-async-driver", "v6.0"),
    ("driver-attach-schedules-unlocked", "false", "merged/driver-attach-AA", "v6.0"),
    ("device-attach-schedules-unlocked", "false", "merged/device-attach-AA", "v6.0"),
    ("device-side-async", "false", "merged/async-after-device-del", "v5.1"),
    ("detach-waits-for-async", "false", "bart/unregister-pending", "v5.1"),
    ("release-waits-for-async", "false", "torokhov/release-waits-under-lock", "v4.2"),
    ("release-flushes-attach-work", "false", "luis-v2/flush-under-lock", "luis-v2"),
    ("unregister-cancels-attach-work", "true", "luis-v2/unregister-pending", "luis-v2"),
    ("force-mod-async-probe", "false", "luis-v2/force-unflushed", "luis-v2"),
    ("attach-may-fail", "false", "luis-v2/enomem-dangling", "luis-v2"),
    ("dead-flag", "false", "merged/async-after-device-del", "v5.1"),
    ("device-attach-checks-dead", "false", "merged/device-attach-dead", "v6.0"),
    ("device-helper-rechecks", "false", "merged/async-after-device-del", "v5.1"),
    ("walk-stops-when-bound", "false", "luis-v2/enomem-dangling", "v4.2"),
    ("split-driver-probe-device", "false", "merged/driver-attach-after-device-del", "v6.0"),
    ("bind-rechecks", "false", "merged/bind-overwrites-again", "v5.1"),
    ("match-results", "false", "merged/match-error-ends-walk", "v5.1"),
    ("match-defer-returns", "false", "merged/match-defer-falls-through", "v6.0"),
    ("match-error-goes-on", "false", "merged/match-error-ends-walk", "v6.2"),
    ("can-match", "false", "merged/add-fails-after-klist", "v6.0"),
    ("publish-before-attach", "false", "merged/publish-before-attach", "v5.1"),
    ("unwind-unpublishes", "false", "merged/unwind-neighbour", "v5.19"),
    ("unwind-frees-once", "true", "luis-v2/error-double-free", "luis-v2"),
    ("add-failure-clears-driver", "false", "merged/add-failure-clears-driver", "v7.1-rc"),
    ("ready-flag", "false", "merged/add-failure-not-ready", "v7.1-rc"),
    ("parent-lock", "never", "merged/parent-lock-always", "v5.1"),
    ("deferred-retry", "never", "deferred/lost-trigger", "v5.1"),
    ("defer-all-probes", "false", "deferred/block-probing", "v5.1"),
    ("barrier-flushes-deferred", "false", "deferred/wait-with-deferred", "v5.1"),
    ("barrier-waits-for-timeout", "false", "deferred/wait-for-timeout", "v5.9"),
    ("shutdown-waits", "false", "deferred/shutdown", "v5.1"),
    ("deferred-timeout", "false", "deferred/timeout-walk", "v5.1"),
    ("timeout-walk-locked", "false", "deferred/timeout-walk", "v5.15"),
    ("init-waits", "if-async-used", "merged/module-init-async-missed", "v5.19"),
    ("async-probe-skips-wait", "false", "bart/module-unload-pending", "v5.1"),
    ("nd-register-gets-parent", "false", "nvdimm/parent-goes", "v5.1"),
    ("nd-reads-parent-late", "false", "nvdimm/use-before-register", "v5.1"),
    ("nd-unregister-kills", "false", "nvdimm/unregister-synchronizes", "v6.0"),
    ("override-lock", "none", "override/match-reads-freed-name", "v7.1"),
    ("device-links", "false", "links/unbind-supplier", "v5.1"),
    ("fw-devlink", "false", "findings/link-defers-deleted-consumer", "v6.12"),
    ("links-look-at-supplier", "false", "links/unbind-while-consumer-probes", "v6.12"),
    ("links-unlock-parent", "true", "links/parent-unlocked", "v5.1"),
    ("unbind-hands-on-parent", "false", "links/unbind-under-parent-lock", "v5.1"),
    ("links-updated-last", "false", "links/devres-after-links", "v6.12"),
    ("core-owns-links", "false", "links/managed-del", "v5.1"),
    ("link-del-of-orphans", "false", "links/add-then-del-of-orphan", "v6.12"),
    ("pm-resumes-parent", "false", "drivers/runtime-pm-child-goes", "v5.1"),
    ("pm-reinit", "false", "drivers/idioms/runtime-pm-rebind", "v5.1"),
    ("pm-resumes-before-links", "false", "links/runtime-pm-supplier", "v6.12"),
    ("pm-remove-flushes", "false", "drivers/runtime-pm-child-goes", "v7.1"),
    ("uevent-reads-once", "false", "uevent/uevent-null", "v7.1-rc"),
];

fn has_effect(rule: &str) -> Result<(), Failed> {
    let info = raddle_driver_core::rules::rule(rule).expect("it is in the table");
    let row = EFFECTS.iter().find(|(name, ..)| *name == rule);
    let (Some((_, value, path, revision)), None) = (row, info.inert) else {
        let told = row.is_none() && info.inert.is_some();
        return if told {
            Ok(())
        } else {
            Err(format!("{rule}: no effect is known, or one and why there is none").into())
        };
    };
    let path = format!("scenarios/{path}.toml");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenario = Scenario::load(root.join(&path)).map_err(|errors| errors[0].to_string())?;
    let found = |overrides: &[(&str, &str)]| -> Result<_, String> {
        let program = scenario.program_with(revision, overrides).map_err(|error| error.to_string())?;
        // All states: with reductions one state is often all that is stored.
        let options = Options::default().engine(Engine::Reference);
        let report = scenario.check_program(&program, revision, &options, &mut |_| {});
        let report = report.map_err(|error| error.to_string())?;
        Ok((report.verdict, report.hazards(), report.states))
    };
    let (as_is, other) = (found(&[])?, found(&[(rule, value)])?);
    if as_is == other {
        return Err(format!("{rule} = {value} changes nothing of {path} on {revision}: {as_is:?}").into());
    }
    Ok(())
}

fn drawn_scenarios_cover_the_language() -> Result<(), Failed> {
    let mut all = String::new();
    let mut revisions = BTreeSet::new();
    for number in 0..1000 {
        let drawn = drawn::scenario(number);
        if let Err(errors) = Scenario::parse("drawn.toml", &drawn.text) {
            return Err(format!("rejected: {}\n{}", errors[0], drawn.text).into());
        }
        revisions.insert(drawn.revision);
        all.push_str(&drawn.text);
    }
    let calls = CALLS.iter().map(|call| format!("{}(", call.name));
    let rules = RULES.iter().map(|rule| format!("\n{} = ", rule.name));
    let faults = ["fails-before-klist", "fails-after-klist", "inline", "-ENODEV", "-EPROBE_DEFER", "-EIO"];
    let words = [
        "defer",
        "error",
        "violated",
        "booted = false",
        "NULL",
        "parent = ",
        "softdep-pre",
        "after = ",
        "devm-",
        "fails-at",
        "runtime-suspend",
    ];
    let wanted = calls.chain(rules).chain(faults.into_iter().chain(words).map(str::to_owned));
    let missing: Vec<String> = wanted.filter(|text| !all.contains(text.as_str())).collect();
    if !missing.is_empty() || revisions.len() < REVISIONS.len() {
        return Err(format!("never drawn: {missing:?}; of the revisions only {revisions:?}").into());
    }
    Ok(())
}

fn drawn_scenarios_are_searched_alike() -> Result<(), Failed> {
    let cases = std::env::var("RADDLE_DRAWN").ok().and_then(|cases| cases.parse().ok()).unwrap_or(250);
    let (mut large, mut with_hazards) = (0, 0);
    for number in 0..cases {
        let drawn = drawn::scenario(number);
        let scenario = Scenario::parse("drawn.toml", &drawn.text).map_err(|errors| errors[0].to_string())?;
        let run = |engine| {
            let limits = Limits { state_limit: Some(20_000), ..Limits::default() };
            let options = Options::default().engine(engine).limits(limits);
            let report = scenario.check_on(drawn.revision, &options, |_| {});
            report.map_err(|error| format!("rejected: {error}\n{}", drawn.text))
        };
        let reference = run(Engine::Reference)?;
        if reference.cut {
            large += 1;
            continue;
        }
        let (reference, report) = (show(&reference, false), run(Engine::Exhaustive)?);
        with_hazards += u64::from(!report.violations.is_empty());
        if show(&report, false) != reference {
            return Err(format!(
                "the searches differ on\n{}\n{reference}\n{}",
                drawn.text,
                show(&report, false)
            )
            .into());
        }
    }
    if large * 2 > cases || with_hazards * 10 < cases {
        return Err(format!("of {cases} {large} are large, {with_hazards} have hazards").into());
    }
    Ok(())
}

fn check(name: &str, text: &str) -> Result<(), Failed> {
    let scenario = Scenario::parse(name, text).map_err(|errors| errors[0].to_string())?;
    let options = Options::default();
    for revision in scenario.revisions(&options) {
        let report = scenario.check_on(revision, &options.clone().threads(1), |_| {});
        let report = report.map_err(|error| error.to_string())?;
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
        compare("two runs on other numbers of threads", &report, &run(&options.clone().threads(2))?, true)?;
        replays(&scenario, &report)?;
        certified(&scenario, &report)?;
        written(&scenario, &report)?;
        let mut plain = Options::default().engine(Engine::Reference);
        plain.limits.state_limit = (!is_slow_too()).then_some(60_000);
        let plain = run(&plain)?;
        if plain.cut {
            continue;
        }
        compare("the engines", &run(&with(true, true))?, &plain, true)?;
        compare("the results with all reductions and with none", &report, &plain, false)?;
        compare("the results of fewer orders alone and of none", &run(&with(false, true))?, &plain, false)?;
        compare("the results of symmetry alone and of none", &run(&with(true, false))?, &plain, false)?;
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
        shown.push_str(&report.text(violation, &raddle::DiagramOptions::full()));
    }
    shown.push_str(&report.guarantee);
    shown
}

/// What is verified is proved again by its certificate; what is violated has none.
fn certified(scenario: &Scenario, report: &Report) -> Result<(), Failed> {
    let most = if is_slow_too() { 20_000 } else { 2_000 };
    let what = format!("{} on {}", report.scenario, report.revision);
    match Certificate::make(scenario, &report.revision, most) {
        Ok(certificate) if report.verdict == Verdict::Verified => {
            let read = Certificate::parse(&certificate.text())?;
            let proved = read.verify().map_err(|why| format!("{what}: not proved: {why}"))?;
            if proved.states != certificate.states() {
                return Err(format!("{what}: its certificate has other states").into());
            }
            Ok(())
        }
        Ok(_) => Err(format!("{what}: a certificate of what is not verified").into()),
        Err(why) if report.verdict == Verdict::Verified && !why.contains("more than") => {
            Err(format!("{what}: no certificate: {why}").into())
        }
        Err(_) => Ok(()),
    }
}

/// The model that is written for other checkers has the same states and hazards, by an interpreter of its own.
fn written(scenario: &Scenario, report: &Report) -> Result<(), Failed> {
    let most = if is_slow_too() { 20_000 } else { 1_000 };
    match export(scenario, &report.revision, most) {
        Ok(model) => match model.contradiction(&model.explore()) {
            None => Ok(()),
            Some(what) => {
                Err(format!("{} on {}: a peer finds {what}", report.scenario, report.revision).into())
            }
        },
        // The set-up may be a hazard already.
        Err(_) => Ok(()),
    }
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
