//! Renderings of stories made by hand, against the files in `expected/`, and of any stories at all.
//!
//! `RADDLE_BLESS=1 cargo test` writes the files anew; read the diff.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::itf::itf;
use super::junit::junit;
use super::ktap::ktap;
use super::mermaid::mermaid;
use super::samples::{call, members, object};
use super::sarif::sarif;
use super::{DiagramOptions, Heading, Lines, Row, Unreadable, diagram, report, samples};
use crate::machine::hazard::{Breach, PROPERTIES, Told};
use crate::story::{
    Actor, Call, Change, Does, HeldMutex, Life, Note, Racing, Saw, Source, StepKind, Story, ToldHazard,
    ToldStep, Value, WaitFor, Waiting,
};

const FOLDED: DiagramOptions = DiagramOptions { width: 75, full: false, lines: Lines::None };
const FULL: DiagramOptions = DiagramOptions { width: 75, full: true, lines: Lines::None };

/// Compares a rendering with its file.
fn check(name: &str, rendered: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("render/expected").join(format!("{name}.txt"));
    if std::env::var_os("RADDLE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, rendered).expect("the expected text can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        rendered == expected,
        "{} is not what is rendered now; if that is right: RADDLE_BLESS=1 cargo test\n{rendered}",
        path.display()
    );
    assert!(rendered.is_ascii(), "{name} is not ASCII");
}

/// The same for what is pasted into mails.
fn check_mail(name: &str, rendered: &str) {
    check(name, rendered);
    fits(rendered, 75).unwrap();
}

fn fits(text: &str, width: usize) -> Result<(), String> {
    match text.lines().find(|line| line.chars().count() > width || !line.is_ascii()) {
        Some(line) => Err(format!("too long or not ASCII: {line:?}")),
        None => Ok(()),
    }
}

fn heading(hazard: &'static str) -> Heading<'static> {
    Heading {
        scenario: "scenarios/unregister.toml",
        title: "unregister races the queued async helper",
        revision: "duyck-v4",
        rules: "",
        hazard,
        expected: false,
        line: Some(7),
        others: 0,
        guarantee: "all interleavings of 2 tasks and up to 1 async entries, 41,063 states, sequential \
                    consistency, contract kept, set-up fixed",
        options: &[],
    }
}

fn rows() -> Vec<Row> {
    let row = |scenario: &str, revision: &str, verdict: &str, as_expected| Row {
        scenario: scenario.to_owned(),
        revision: revision.to_owned(),
        verdict: verdict.to_owned(),
        as_expected,
        hazards: vec![],
        expected: Some(vec![]),
        guarantee: "41 states & <more>".to_owned(),
        diagram: None,
    };
    let deadlock = vec!["deadlock".to_owned()];
    let text = diagram(&samples::deadlock(), &FOLDED);
    let mut bad = row("b\u{1}.toml", "v5.1", "violated", false);
    (bad.hazards, bad.diagram) = (deadlock.clone(), Some(text.clone()));
    let mut good = row("b\u{1}.toml", "duyck#4", "violated", true);
    (good.hazards, good.expected, good.diagram) = (deadlock.clone(), Some(deadlock.clone()), Some(text));
    let mut missed = row("a\"b.toml", "v6.1", "verified", false);
    missed.expected = Some(deadlock);
    let mut unknown = bad.clone();
    (unknown.scenario, unknown.expected, unknown.diagram) = ("c.toml".to_owned(), None, None);
    vec![
        row("a\"b.toml", "v5.1", "verified", true),
        bad,
        missed,
        good,
        unknown,
        row("d.toml", "v5.1", "inconclusive", false),
    ]
}

#[test]
fn diagrams() {
    for (name, story) in [
        ("use-after-free", samples::use_after_free()),
        ("stale", samples::stale()),
        ("deadlock", samples::deadlock()),
        ("flush-deadlock", samples::flush_deadlock()),
        ("five", samples::five()),
        ("single", samples::single()),
        ("deep", samples::deep()),
    ] {
        check_mail(&format!("{name}.diagram"), &diagram(&story, &FOLDED));
    }
    check_mail("single.full", &diagram(&samples::single(), &FULL));
    check_mail("stale.full", &diagram(&samples::stale(), &FULL));
}

#[test]
fn lines_of_source_stand_below_their_steps() {
    let mut story = samples::use_after_free();
    let last = story.steps.len() - 1;
    // Short ones: longer lines are wrapped.
    let line =
        |text: &str, added| Source { text: Some(text.to_owned()), added, ..Source::new("drivers/x.c", 7) };
    story.steps[0].at = line("k(p);", false);
    story.steps[last].at = line("f(&w);", true);
    let shown = |lines| diagram(&story, &DiagramOptions { lines, ..FULL });
    let (none, added, all) = (shown(Lines::None), shown(Lines::Added), shown(Lines::All));
    assert!(!none.contains("drivers/x.c"), "{none}");
    assert!(added.contains("+ drivers/x.c:7: f(&w);"), "{added}");
    assert!(!added.contains("k(p)"), "{added}");
    assert!(all.contains("  drivers/x.c:7: k(p);"), "{all}");
    // What is added stands below the mark of its step, which stays where it was.
    let position = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap();
    assert_eq!(position(&none, "^^^"), position(&added, "^^^"));
    assert_eq!(position(&added, "^^^") + 1, position(&added, "+ drivers"));
    let log: Json =
        serde_json::from_str(&sarif(&[(heading("use-after-free"), &story)], PROPERTIES, &[])).unwrap();
    let location = &log["runs"][0]["results"][0]["relatedLocations"][0];
    assert_eq!(location["physicalLocation"]["region"]["snippet"]["text"], "f(&w);");
    assert_eq!(location["properties"]["added"], true);
}

/// Hundreds of lines that nobody would read in a file: only their form is checked.
#[test]
fn long_stories_fit() {
    let text = diagram(&samples::long(), &FOLDED);
    fits(&text, 75).unwrap();
    assert!(text.lines().all(|line| line.trim_end() == line));
    assert!(text.contains("use-after-free: a_very_long_name"));
    for width in 0..80 {
        let options = DiagramOptions { width, ..FULL };
        fits(&diagram(&samples::deep(), &options), width.max(40)).unwrap();
    }
}

#[test]
fn a_story_that_goes_well_is_told_to_its_end() {
    let mut story = samples::use_after_free();
    story.hazard = None;
    let text = diagram(&story, &FOLDED);
    assert!(text.ends_with("use nd_pmem\n"), "{text}");
    story.steps.clear();
    assert_eq!(diagram(&story, &FOLDED), "(no step)\n");
    assert_eq!(super::explain(&story), "");
}

#[test]
fn reports() {
    check_mail("stale.report", &report(&heading("stale-pointer"), &samples::stale(), &FOLDED));
    let others = Heading { others: 2, ..heading("deadlock") };
    check_mail("deadlock.report", &report(&others, &samples::deadlock(), &FOLDED));
    let path = format!("scenarios/{}.toml", "deep/".repeat(30));
    let long = Heading { scenario: &path, title: &path, ..heading("use-after-free") };
    check_mail("five.report", &report(&long, &samples::five(), &FOLDED));
}

#[test]
fn folding_keeps_what_matters() {
    for story in [samples::stale(), samples::five(), samples::single(), samples::long()] {
        let (folded, full) = (super::lines::lines(&story, &FOLDED), super::lines::lines(&story, &FULL));
        for (number, step) in story.steps.iter().enumerate() {
            let decides = step.kind != StepKind::Read || number + 1 == story.steps.len();
            for words in super::words::words(&story, step, false).iter().filter(|_| decides) {
                assert!(folded.iter().any(|line| line.actor == step.actor && line.text == *words), "{words}");
            }
        }
        assert!(folded.len() <= full.len());
    }
}

#[test]
fn mermaid_diagrams() {
    check("use-after-free.mermaid", &mermaid(&samples::use_after_free()));
    check("five.mermaid", &mermaid(&samples::five()));
    let long = mermaid(&samples::long());
    assert_eq!(long.lines().filter(|line| line.contains("->>") || line.contains("-xA")).count(), 60);
    assert!(long.contains("140 earlier steps are left out"));
}

#[test]
fn itf_traces() {
    let text = itf(&samples::use_after_free(), "scenarios/unregister.toml");
    check("use-after-free.itf", &text);
    let trace: Json = serde_json::from_str(&text).unwrap();
    let variables = trace["vars"].as_array().unwrap();
    let states = trace["states"].as_array().unwrap();
    assert_eq!(states.len(), samples::use_after_free().steps.len() + 1);
    for state in states {
        assert_eq!(state.as_object().unwrap().len(), variables.len() + 1);
        assert!(variables.iter().all(|variable| state[variable.as_str().unwrap()].is_string()));
    }
}

#[test]
fn itf_identifiers_are_unique() {
    let mut story = samples::use_after_free();
    for (step, cell) in ["a.b", "a_b", "a-b", "1"].into_iter().enumerate() {
        let (from, to) = (Value::Number(0), Value::Number(step as u32));
        story.steps[step].changes = vec![Change { cell: cell.to_owned(), from, to, needed: true }];
    }
    let trace: Json = serde_json::from_str(&itf(&story, "")).unwrap();
    assert_eq!(trace["vars"], serde_json::json!(["a_b", "a_b_2", "a_b_3", "_1"]));
    assert_eq!(trace["#meta"]["cells"]["a_b_2"], "a_b");
}

#[test]
fn sarif_logs() {
    let (stale, deadlock) = (samples::stale(), samples::deadlock());
    let text =
        sarif(&[(heading("stale-pointer"), &stale), (heading("deadlock"), &deadlock)], PROPERTIES, &[]);
    check("two.sarif", &text);
    let log: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let tool = &run["tool"]["driver"];
    assert_eq!(tool["name"], "raddle");
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], true);
    for (result, story) in run["results"].as_array().unwrap().iter().zip([stale, deadlock]) {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(tool["rules"][rule]["id"], result["ruleId"]);
        assert!(result["message"]["text"].is_string());
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "scenarios/unregister.toml");
        assert_eq!(physical["region"]["startLine"], 7);
        assert!(result["partialFingerprints"]["raddleHazard/v1"].is_string());
        let flows = result["codeFlows"][0]["threadFlows"].as_array().unwrap();
        let locations = flows.iter().flat_map(|flow| flow["locations"].as_array().unwrap());
        let mut orders: Vec<u64> = locations
            .map(|location| {
                let physical = &location["location"]["physicalLocation"];
                assert_eq!(physical["artifactLocation"]["uri"], "model/program.rs");
                assert!(physical["region"]["startLine"].as_u64().unwrap() > 0);
                location["executionOrder"].as_u64().unwrap()
            })
            .collect();
        orders.sort_unstable();
        assert_eq!(orders, (1..=story.steps.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn test_runners() {
    let unreadable =
        Unreadable { path: "wrong.toml".to_owned(), why: "wrong.toml:1:1: <no>\nmore".to_owned() };
    check("rows.junit", &junit(&rows(), &[unreadable]));
    check("rows.ktap", &ktap(&rows()));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "[a-z_.() #;\u{e4}\n]{0,30}", "[a-z_]{0,120}", "\\PC{0,20}"]
}

fn stack() -> impl Strategy<Value = Vec<Call>> {
    let note = proptest::option::of(name());
    let call = (name(), proptest::collection::vec(name(), 0..3), note).prop_map(|(name, args, note)| Call {
        note,
        args: args.iter().map(|arg| object(arg)).collect(),
        ..call(&name)
    });
    proptest::collection::vec(call, 0..6)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u8>().prop_map(Value::References),
        name().prop_map(Value::Name),
        name().prop_map(Value::Object),
        name().prop_map(|name| members(&[&name])),
        proptest::sample::select(vec![Life::Alive, Life::Freed, Life::Retired]).prop_map(Value::Life),
    ]
}

fn wait() -> impl Strategy<Value = WaitFor> {
    prop_oneof![
        name().prop_map(WaitFor::Lock),
        (name(), value()).prop_map(|(cell, value)| WaitFor::Not(cell, value)),
        proptest::collection::vec((name(), value()), 2..4).prop_map(WaitFor::Any),
        (name(), name()).prop_map(|(member, list)| WaitFor::LetGo { member, list }),
        name().prop_map(WaitFor::End),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        name().prop_map(Does::Lock),
        name().prop_map(Does::Unlock),
        name().prop_map(Does::Read),
        name().prop_map(Does::Use),
        name().prop_map(Does::Free),
        name().prop_map(Does::Get),
        name().prop_map(Does::Put),
        name().prop_map(|name| Does::Schedule(call(&name))),
        Just(Does::Choose),
        (name(), value()).prop_map(|(cell, value)| Does::Write(cell, value)),
        (name(), name()).prop_map(|(member, list)| Does::Add { member, list }),
        (name(), name()).prop_map(|(from, to)| Does::Splice { from, to }),
        (name(), proptest::option::of(name())).prop_map(|(list, after)| Does::Next { list, after }),
        wait().prop_map(Does::Wait),
    ]
}

prop_compose! {
    fn step()(
        actor in 0usize..6,
        stack in stack(),
        kind in proptest::sample::select(vec![
            StepKind::Lock, StepKind::Unlock, StepKind::Choice, StepKind::Spawn, StepKind::Read, StepKind::Write,
        ]),
        does in proptest::option::of(does()),
        under in proptest::option::of(name()),
        note in proptest::option::of(name()),
        observed in proptest::option::of(prop_oneof![
            value().prop_map(Saw::Value),
            (name(), value()).prop_map(|(cell, value)| Saw::Besides(cell, value)),
            any::<bool>().prop_map(Saw::Moved),
            Just(Saw::EndOfList),
        ]),
        changes in proptest::collection::vec((name(), value(), value(), any::<bool>()), 0..3),
        started in proptest::option::of(0usize..6),
        (file, line, text, added) in (name(), 0u32..3, proptest::option::of(name()), any::<bool>()),
    ) -> ToldStep {
        let change = |(cell, from, to, needed)| Change { cell, from, to, needed };
        let changes = changes.into_iter().map(change).collect();
        let note = note.map(|text| Note { text, objects: vec![] });
        let at = Source { text, added, ..Source::new(&file, line) };
        ToldStep { actor, stack, kind, does, under, note, observed, changes, started, at, needed: true }
    }
}

fn breach() -> impl Strategy<Value = Breach<String, String>> {
    prop_oneof![
        name().prop_map(Breach::UsedAfterFree),
        name().prop_map(Breach::NullFollowed),
        name().prop_map(|name| Breach::Deadlock(vec![name])),
        (name(), name()).prop_map(|(sentence, of)| Breach::Program(Box::new(Told {
            stays: Some((of, "lost".to_owned())),
            ..Told::new(sentence)
        }))),
    ]
}

prop_compose! {
    /// Any story, also such as no replay tells: with actors that do not exist.
    fn story()(
        actors in proptest::collection::vec((name(), 1usize..3), 0..6),
        steps in proptest::collection::vec(step(), 0..12),
        hazard in proptest::option::of((prop_oneof![Just("deadlock".to_owned()), name()], breach(), any::<bool>())),
        waiting in proptest::collection::vec((0usize..6, stack(), wait(), any::<bool>()), 0..4),
        held in proptest::collection::vec((name(), 0usize..6), 0..4),
        racing in proptest::collection::vec((0usize..6, stack(), does(), any::<bool>()), 0..3),
    ) -> Story {
        let wait = |(actor, stack, on, deadlocked)| Waiting { actor, stack, on, by: vec![actor], deadlocked };
        let race = |(actor, stack, does, plain)| Racing { actor, stack, does, under: None, plain };
        Story {
            cycle: None,
            racing: racing.into_iter().map(race).collect(),
            actors: actors.into_iter().map(|(name, number)| Actor { name, number }).collect(),
            steps,
            hazard: hazard.map(|(id, breach, at_last_step)| ToldHazard { id, breach, at_last_step }),
            waiting: waiting.into_iter().map(wait).collect(),
            held: held.into_iter().map(|(lock, actor)| HeldMutex { lock, actor }).collect(),
        }
    }
}

proptest! {
    #[test]
    fn any_story_fits(story in story(), full in any::<bool>(), width in 0usize..120, scenario in name()) {
        let options = DiagramOptions { width, full, lines: Lines::All };
        let heading = Heading { scenario: &scenario, title: &scenario, ..heading("deadlock") };
        for options in [options, FOLDED] {
            fits(&report(&heading, &story, &options), options.width.max(40)).map_err(TestCaseError::fail)?;
        }
        prop_assert_eq!(diagram(&story, &options), diagram(&story, &options));
        for text in [mermaid(&story), itf(&story, &scenario), sarif(&[(heading, &story)], PROPERTIES, &[])] {
            prop_assert!(text.is_ascii());
        }
        serde_json::from_str::<Json>(&itf(&story, "")).unwrap();
        serde_json::from_str::<Json>(&sarif(&[(heading, &story)], PROPERTIES, &[])).unwrap();
    }
}
