//! Every violated scenario of the repository renders in every form, and each is valid for its reader:
//! SARIF against its schema (OASIS, tests/schemas/sarif-2.1.0.json as the crate serde-sarif 0.8.0 has
//! it), JUnit by an XML parser, ITF by the rules of its ADR, KTAP and Mermaid line by line, what goes
//! into mails by its width, DOT line by line. The dumped JSON is read back and replayed in
//! tests/scenarios.rs, the HTML page is stepped through in headless Chromium in tests/uses.rs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use raddle::DiagramOptions;
use raddle::coverage::graph::state_graph;
use raddle::dumped::DumpedTrace;
use raddle::formats::{Document, Extras, FORMATS, Format};
use raddle::mailed::mailed;
use raddle::{Options, Report, Scenario, Violation};
use raddle_checker::machine::cpu::{Cpu, Step};
use raddle_checker::machine::hazard::{Breach, Hazard};
use raddle_checker::machine::history::History;
use raddle_checker::machine::layout::{CellId, Layout, Part};
use raddle_checker::machine::op::{Entry, Event, Op, Touch};
use raddle_checker::machine::program::{Call, Meaning, Program, SlotDecl};
use raddle_checker::machine::step::Stop;
use raddle_checker::machine::value::{Object, Obs};
use raddle_checker::render::{explain, hazard_words, retraced_words, told};
use raddle_checker::search::reference::Limits;
use raddle_checker::story::links::links;
use raddle_checker::story::retrace::{End, retrace};
use raddle_checker::story::{Does, Ending, ReplayError, Saw, ToldHazard, ToldStep, WaitFor, replay};
use raddle_driver_core::hand_model::DriverCore;
use raddle_probing::scenario::scenario_files;
use serde_json::Value;

/// All reports on the repository's scenarios; the slow ones are left out unless `RADDLE_SLOW` is set.
pub fn checked() -> &'static [(Scenario, Report)] {
    static CHECKED: OnceLock<Vec<(Scenario, Report)>> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let slow_too = std::env::var_os("RADDLE_SLOW").is_some();
        let mut checked = Vec::new();
        for file in scenario_files(&root.join("scenarios")).expect("there are scenarios") {
            let text = std::fs::read_to_string(&file).expect("it can be read");
            let name = file.strip_prefix(root).expect("it is below").display().to_string();
            let scenario = Scenario::parse(&name, &text).expect("it is a scenario");
            if slow_too || !scenario.file().world.environment.slow {
                let reports = scenario.check(&Options::default()).expect("it can be checked");
                checked.extend(reports.into_iter().map(|report| (scenario.clone(), report)));
            }
        }
        // A set-up that goes wrong, which no scenario of the repository has, has a story too.
        let scenario = Scenario::parse("set-up.toml", BAD_SET_UP).expect("it is a scenario");
        let report = scenario.check_on("v3.18", &Options::default(), |_| {}).expect("it can be checked");
        assert!(report.violations.iter().all(|violation| violation.in_set_up));
        checked.push((scenario, report));
        let violated = checked.iter().filter(|(_, report)| !report.violations.is_empty()).count();
        assert!(violated > 100, "{violated} are violated");
        checked
    })
}

/// The set-up itself raises the hazard.
const BAD_SET_UP: &str = include_str!("texts/bad-set-up.toml");

/// The same without their scenarios.
fn reports() -> &'static [Report] {
    static REPORTS: OnceLock<Vec<Report>> = OnceLock::new();
    REPORTS.get_or_init(|| checked().iter().map(|(_, report)| report.clone()).collect())
}

/// A format by its name.
fn format(name: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.name == name).expect("a format")
}

/// Checks one format of every violation.
fn each(name: &str, check: impl Fn(&str) -> Result<(), String>) {
    for report in reports() {
        for violation in &report.violations {
            for shown in [DiagramOptions::default(), DiagramOptions::full()] {
                let text = format(name).violation(report, violation, shown);
                if let Err(error) = check(&text) {
                    panic!("{} on {}, {}: {error}\n{text}", report.scenario, report.revision, violation.id);
                }
            }
        }
    }
}

/// The same of a whole run.
fn run(name: &str, check: impl Fn(&str) -> Result<(), String>) {
    for reports in [reports(), &[]] {
        let Document::Run(write) = format(name).document else { panic!("{name} is no format of a run") };
        let text = write(reports, &Extras::default());
        if let Err(error) = check(&text) {
            panic!("a run of {} rows: {error}\n{text}", reports.len());
        }
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn mails_are_ascii_and_narrow() {
    each("lkml", |text| {
        for part in ["Reproduce with:\n", "Covered: "] {
            if !text.contains(part) {
                return Err(format!("no \"{part}\""));
            }
        }
        match text.lines().find(|line| line.len() > 75 || !line.bytes().all(|b| (b' '..=b'~').contains(&b))) {
            Some(line) => Err(format!("too long or not ASCII: {line}")),
            None => Ok(()),
        }
    });
}

#[test]
fn sarif_is_valid_against_its_schema() {
    let schema = json(include_str!("schemas/sarif-2.1.0.json")).expect("the schema is JSON");
    let check = |text: &str| valid(&schema, &schema, &json(text)?, "");
    each("sarif", check);
    run("sarif", check);
    for (wrong, place) in [
        ("{\"version\": \"2.1.0\"}", ": no runs"),
        ("{\"version\": \"2.1\", \"runs\": []}", "/version: not one of"),
        ("{\"version\": \"2.1.0\", \"runs\": [], \"rnus\": []}", ": rnus is not known"),
        ("{\"version\": \"2.1.0\", \"runs\": [{\"tool\": 1}]}", "/runs/0/tool: no object"),
    ] {
        let error = check(wrong).expect_err("the schema tells logs from other JSON");
        assert!(error.starts_with(place), "{error}");
    }
}

/// Whether a value is valid by a JSON schema, as far as schemas are written like that of SARIF: whatever
/// else one says is refused. The crate jsonschema takes half a minute to compile.
fn valid(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |what: String| Err(format!("{at}: {what}"));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let any_of =
        |rules: &Value| list(rules).iter().filter(|rule| valid(root, rule, value, at).is_ok()).count();
    let rules = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in rules {
        match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => {}
            "$ref" => {
                let pointer =
                    rule.as_str().and_then(|rule| rule.strip_prefix('#')).expect("it is in the schema");
                valid(root, root.pointer(pointer).expect("it is defined"), value, at)?;
            }
            "type" => {
                let is = match rule.as_str().expect("one type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    other => panic!("no rule for the type {other}"),
                };
                if !is {
                    return fail(format!("no {}", rule.as_str().unwrap_or_default()));
                }
            }
            "enum" if !list(rule).contains(value) => return fail(format!("not one of {rule}")),
            "required" => {
                for name in list(rule).iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        return fail(format!("no {name}"));
                    }
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("properties are an object") {
                    if let Some(value) = value.get(name) {
                        valid(root, rule, value, &format!("{at}/{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    match rule {
                        Value::Bool(true) => {}
                        Value::Bool(false) => return fail(format!("{name} is not known")),
                        rule => valid(root, rule, value, &format!("{at}/{name}"))?,
                    }
                }
            }
            "items" => {
                for (number, value) in list(value).iter().enumerate() {
                    valid(root, rule, value, &format!("{at}/{number}"))?;
                }
            }
            "minItems"
                if value
                    .as_array()
                    .is_some_and(|all| (all.len() as u64) < rule.as_u64().expect("a number")) =>
            {
                return fail(format!("fewer than {rule}"));
            }
            "uniqueItems" => {
                let all = list(value);
                if (1..all.len()).any(|number| all[..number].contains(&all[number])) {
                    return fail("an item comes twice".to_owned());
                }
            }
            "minimum" if value.as_f64() < rule.as_f64() => return fail(format!("less than {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => return fail(format!("more than {rule}")),
            "anyOf" if any_of(rule) == 0 => return fail(format!("none of {rule}")),
            "oneOf" if any_of(rule) != 1 => return fail(format!("not exactly one of {rule}")),
            "format" => {
                let text = value.as_str().unwrap_or_default();
                let is_plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
                assert!(
                    rule.as_str().is_some_and(|rule| rule.starts_with("uri")),
                    "no rule for {rule}: {text}"
                );
                if !text.chars().all(is_plain) {
                    return fail(format!("no {rule}: {text}"));
                }
            }
            "pattern" => panic!("{at}: no rule for the pattern {rule}"),
            "enum" | "minItems" | "minimum" | "maximum" | "anyOf" | "oneOf" => {}
            other => panic!("no rule for {other}"),
        }
    }
    Ok(())
}

/// The elements and attributes of JUnit that Jenkins knows (junit-10.xsd of its xunit plugin), as far as we use them.
const JUNIT: &[(&str, &[&str])] = &[
    ("testsuites", &["name", "tests", "failures", "errors"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped"]),
    ("testcase", &["classname", "name"]),
    ("failure", &["message"]),
    ("error", &["message"]),
    ("skipped", &["message"]),
];

#[test]
fn junit_is_xml_and_its_counts_are_right() {
    let check = |text: &str| {
        let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            let Some((_, known)) = JUNIT.iter().find(|(element, _)| *element == name) else {
                return Err(format!("<{name}> is not known"));
            };
            if let Some(other) = node.attributes().find(|one| !known.contains(&one.name())) {
                return Err(format!("<{name}> has no {}", other.name()));
            }
        }
        for suite in document.descendants().filter(|node| node.has_tag_name("testsuite")) {
            let cases = suite.children().filter(|node| node.has_tag_name("testcase")).count();
            if suite.attribute("tests") != Some(cases.to_string().as_str()) {
                return Err(format!("{cases} cases, but tests is {:?}", suite.attribute("tests")));
            }
        }
        match document.root_element().tag_name().name() {
            "testsuites" => Ok(()),
            other => Err(format!("the root is {other}")),
        }
    };
    each("junit", check);
    run("junit", check);
}

#[test]
fn ktap_has_its_plan_and_its_results() {
    let check = |text: &str| {
        let mut lines = text.lines().peekable();
        ktap(&mut lines, "")?;
        lines.next().map_or(Ok(()), |line| Err(format!("after the end: {line}")))
    };
    each("ktap", check);
    run("ktap", check);
}

/// One KTAP block (Documentation/dev-tools/ktap.rst): version, plan, results in order, subtests deeper.
fn ktap<'a>(
    lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    indent: &str,
) -> Result<(), String> {
    let mut next = || lines.next().ok_or("it ends early".to_owned());
    if next()? != format!("{indent}KTAP version 1") {
        return Err("no version line".to_owned());
    }
    let mut line = next()?;
    if line.strip_prefix(indent).is_some_and(|line| line.starts_with("# Subtest: ")) {
        line = next()?;
    }
    let plan = line.strip_prefix(indent).and_then(|line| line.strip_prefix("1.."));
    let planned: usize = plan.and_then(|n| n.parse().ok()).ok_or_else(|| format!("no plan: {line}"))?;
    let deeper = format!("{indent}  ");
    for number in 1..=planned {
        while let Some(line) = lines.peek() {
            if *line == format!("{deeper}KTAP version 1") {
                ktap(lines, &deeper)?;
            } else if line.strip_prefix(indent).is_some_and(|line| line.starts_with('#')) {
                lines.next();
            } else {
                break;
            }
        }
        let line = lines.next().ok_or("a result is missing")?;
        let result = line.strip_prefix(indent).unwrap_or("");
        let rest = result.strip_prefix("not ").unwrap_or(result).strip_prefix("ok ");
        if rest.and_then(|rest| rest.split(' ').next()) != Some(number.to_string().as_str()) {
            return Err(format!("not result {number}: {line}"));
        }
    }
    Ok(())
}

#[test]
fn mermaid_is_a_sequence_diagram() {
    each("mermaid", |text| {
        let mut lines = text.lines();
        if lines.next() != Some("sequenceDiagram") {
            return Err("no sequenceDiagram".to_owned());
        }
        let mut participants: Vec<&str> = Vec::new();
        for line in lines {
            mermaid_statement(line.trim_start(), &mut participants).ok_or_else(|| line.to_owned())?;
        }
        Ok(())
    });
}

/// A statement of the grammar's part that we use, with every participant declared before.
fn mermaid_statement<'a>(line: &'a str, participants: &mut Vec<&'a str>) -> Option<()> {
    if let Some(rest) = line.strip_prefix("participant ") {
        let (id, name) = rest.split_once(" as ")?;
        participants.push(id);
        return (!name.trim().is_empty()).then_some(());
    }
    let (head, text) = line.split_once(": ")?;
    // A semicolon ends a statement unless it is that of an entity such as `#35;`.
    let bare = text.match_indices(';').any(|(at, _)| {
        let entity = text[..at].rsplit('#').next().unwrap_or("");
        entity.is_empty() || !entity.bytes().all(|byte| byte.is_ascii_digit())
    });
    let mut known = |id: &str| participants.contains(&id);
    let ids = match head.strip_prefix("Note over ") {
        Some(ids) => ids.split(',').all(&mut known),
        None => {
            let (from, to) = head.split_once("->>").or_else(|| head.split_once("-x"))?;
            known(from) && known(to)
        }
    };
    (ids && !bare && !text.trim().is_empty()).then_some(())
}

#[test]
fn itf_states_have_every_variable() {
    each("itf", |text| {
        let trace = json(text)?;
        let names = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let vars = names(&trace["vars"]).ok_or("no vars")?;
        let states = trace["states"].as_array().ok_or("no states")?;
        if trace["#meta"]["format"] != "ITF" || states.is_empty() {
            return Err("no #meta or no state".to_owned());
        }
        for state in states {
            let mut keys: Vec<&String> = state.as_object().ok_or("a state is no object")?.keys().collect();
            keys.retain(|key| *key != "#meta");
            if keys.len() != vars.len() || !vars.iter().all(|name| state[name].is_string()) {
                return Err(format!("a state has other variables than {vars:?}"));
            }
        }
        Ok(())
    });
}

/// State spaces up to this size are drawn.
const DRAWN_STATES: usize = 500;

#[test]
fn small_state_spaces_are_dot_with_the_counterexample_marked() {
    let mut drawn = 0;
    let limits = Limits { state_limit: Some(2 * DRAWN_STATES), ..Limits::default() };
    for (scenario, report) in checked().iter().filter(|(_, report)| report.states <= DRAWN_STATES) {
        for violation in report.violations.iter().filter(|violation| !violation.in_set_up) {
            // The search is reduced, the graph is not: it may be too large.
            let Ok(text) = state_graph(scenario, &report.revision, Some(violation), &limits) else {
                continue;
            };
            let marked = dot(&text).unwrap_or_else(|line| panic!("{}: {line}", report.scenario));
            assert!(marked >= violation.schedule.len().min(1), "{}, {}", report.scenario, violation.id);
            drawn += 1;
        }
    }
    assert!(drawn > 50, "{drawn} are drawn");
}

/// How many edges are marked in a graph of nodes and edges; the first line that is neither.
fn dot(text: &str) -> Result<usize, String> {
    let inner = text.strip_prefix("digraph {\n").and_then(|text| text.strip_suffix("}\n"));
    let mut marked = 0;
    for line in inner.ok_or_else(|| text.to_owned())?.lines() {
        let (head, attributes) = line.trim().split_once(" [ ").ok_or_else(|| line.to_owned())?;
        let ends = head.split(" -> ").all(|node| node.parse::<usize>().is_ok());
        if !ends || !attributes.ends_with(']') || !attributes.contains("label=\"") {
            return Err(line.to_owned());
        }
        marked += usize::from(head.contains("->") && attributes.contains("color=red"));
    }
    Ok(marked)
}

/// All violations, with their scenarios.
fn violations() -> impl Iterator<Item = (&'static Scenario, &'static Report, &'static Violation)> {
    let each = |(scenario, report): &'static (Scenario, Report)| {
        report.violations.iter().map(move |violation| (scenario, report, violation))
    };
    checked().iter().flat_map(each)
}

fn which(report: &Report, violation: &Violation) -> String {
    format!("{} on {}, {}", report.scenario, report.revision, violation.id)
}

/// What a dumped trace of a violation says that it ends with.
fn ending(violation: &Violation) -> Ending<'_> {
    let at_rest = violation.story.hazard.as_ref().is_some_and(|hazard| !hazard.at_last_step);
    match violation.story.cycle {
        Some(begins) => Ending::Cycle(begins),
        None if at_rest => Ending::AtRest(&violation.id),
        None => Ending::Step,
    }
}

/// A program that says everything in other words.
struct Reworded(DriverCore);

impl Reworded {
    fn other_words(&self, mut hazard: Hazard) -> Hazard {
        if let Breach::Program(told) = &mut hazard.breach {
            told.sentence = "it went wrong".to_owned();
        }
        hazard
    }
}

impl Program for Reworded {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn slots(&self) -> &[SlotDecl] {
        self.0.slots()
    }

    fn initial_memory(&self) -> Vec<u8> {
        self.0.initial_memory()
    }

    fn set_up(&self) -> Vec<Entry> {
        self.0.set_up()
    }

    fn check_set_up(&self, memory: &[u8]) -> Result<(), String> {
        self.0.check_set_up(memory)
    }

    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()> {
        self.0.run(cpu, entry)
    }

    fn stack(&self, task: &History) -> Vec<Call> {
        self.0.stack(task)
    }

    fn domain(&self, entry: &Entry) -> Option<u8> {
        self.0.domain(entry)
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        self.0.event_touches(event)
    }

    fn event(&self, event: &Event, slot: usize, observed: Obs, memory: &mut [u8]) -> Result<(), Stop> {
        self.0.event(event, slot, observed, memory).map_err(|stop| match stop {
            Stop::Hazard(hazard) => Stop::Hazard(Box::new(self.other_words(*hazard))),
            bound @ Stop::Bound(_) => bound,
        })
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        self.0.at_quiescence(memory).into_iter().map(|hazard| self.other_words(hazard)).collect()
    }

    fn object_name(&self, object: Object) -> String {
        self.0.object_name(object)
    }

    fn meaning(&self, cell: CellId, number: u8) -> Option<Meaning> {
        self.0.meaning(cell, number)
    }

    fn call_note(&self, call: &Call) -> Option<String> {
        self.0.call_note(call).map(|_| "beware".to_owned())
    }

    fn note(&self, stack: &[Call], op: &Op, observed: Option<Obs>) -> Option<String> {
        self.0.note(stack, op, observed).map(|_| "something happens".to_owned())
    }

    fn role(&self, entry: &Entry) -> String {
        self.0.role(entry)
    }
}

#[test]
fn other_words_for_everything_show_the_same_steps() {
    let mut reworded = 0;
    for (scenario, report, violation) in violations().filter(|(.., violation)| !violation.in_set_up) {
        // Replayed: the steps of a route, which the hazard does not need, are left out of both.
        let program = scenario.program(&report.revision).expect("it is known");
        let plain = replay(&program, &violation.schedule, ending(violation)).expect("it replays");
        let story = replay(&Reworded(program), &violation.schedule, ending(violation)).expect("it replays");
        assert_eq!(told(&story), told(&plain), "{}", which(report, violation));
        reworded += usize::from(hazard_words(&story) != hazard_words(&violation.story));
    }
    assert!(reworded > 100, "{reworded} are said in other words");
}

/// Whoever sees the shown steps alone comes to the same explanation.
#[test]
fn the_fold_hides_no_step_that_is_spoken_of() {
    for (_, report, violation) in violations() {
        let (story, which) = (&violation.story, which(report, violation));
        let told = told(story);
        let mut seen = story.clone();
        let mut shown = told.iter();
        seen.steps.retain(|_| *shown.next().expect("one a step"));
        seen.cycle = story.cycle.map(|begins| told[..begins].iter().filter(|told| **told).count());
        assert_eq!(explain(&seen), explain(story), "{which}");
        for name in story.hazard.iter().flat_map(ToldHazard::names) {
            let changes = |step: &ToldStep| step.changes.iter().any(|change| change.cell == name);
            let last = story.steps.iter().rposition(changes);
            assert!(last.is_none_or(|last| told[last]), "{which}: the last change of {name} is folded");
        }
    }
}

#[test]
fn a_wait_for_too_little_shows_what_it_looked_for() {
    let scenario = "scenarios/deferred/wait-in-trigger.toml";
    let flushes = |step: &ToldStep| {
        matches!(step.does, Some(Does::Flush(_))) && step.observed == Some(Saw::NothingToWaitFor)
    };
    let mut found = 0;
    for (_, report, violation) in violations().filter(|(_, report, _)| report.scenario == scenario) {
        let story = &violation.story;
        let looked = story.steps.iter().zip(told(story)).filter(|(step, _)| flushes(step));
        for (_, told) in looked {
            assert!(told, "{}", which(report, violation));
            found += 1;
        }
    }
    assert!(found > 1, "{found} flushes find nothing to wait for");
}

#[test]
fn no_truncated_trace_is_confirmed() {
    for (scenario, report, violation) in violations().filter(|(.., violation)| !violation.in_set_up) {
        let whole = DumpedTrace::new(scenario, report, violation);
        let steps = whole.schedule.len();
        for cut in [0, steps / 4, steps / 2, 3 * steps / 4, steps.saturating_sub(2), steps.saturating_sub(1)]
        {
            if cut == steps {
                continue;
            }
            let mut trace = whole.clone();
            trace.schedule.truncate(cut);
            let text = |trace: &DumpedTrace| serde_json::to_string(trace).expect("it is JSON");
            let refused = DumpedTrace::parse(&text(&trace)).expect_err("its story is longer");
            assert!(refused.contains("damaged"), "{refused}");
            trace.story.steps.truncate(cut);
            let replayed = DumpedTrace::parse(&text(&trace)).expect("it is one").replay();
            let confirmed = replayed.is_ok_and(|replayed| replayed.shows);
            assert!(!confirmed, "{} after {cut} of {steps} steps", which(report, violation));
        }
    }
}

#[test]
fn traces_that_go_on_after_their_end_are_refused() {
    let stops = |violation: &Violation| {
        !violation.in_set_up && ending(violation) == Ending::Step && violation.id != "warning"
    };
    for (scenario, report, violation) in violations().filter(|(.., violation)| stops(violation)) {
        let program = scenario.program(&report.revision).expect("it is known");
        let mut schedule = violation.schedule.clone();
        schedule.extend(schedule.last().copied());
        let error = replay(&program, &schedule, Ending::Step);
        assert!(matches!(error, Err(ReplayError::Over(_))), "{}", which(report, violation));
    }
}

#[test]
fn traces_of_the_first_version_are_refused() {
    let (scenario, report, violation) = violations().next().expect("there are some");
    let mut trace = serde_json::to_value(DumpedTrace::new(scenario, report, violation)).expect("it is JSON");
    trace["version"] = 1.into();
    let error = DumpedTrace::parse(&trace.to_string()).expect_err("it is of another version");
    assert!(error.contains("has version 1") && error.contains("reads version 2"), "{error}");
}

#[test]
fn a_run_that_is_followed_on_its_own_program_is_that_run() {
    let (mut followed, mut other) = (0, Vec::new());
    for (scenario, report) in checked() {
        for violation in report.violations.iter().filter(|one| !one.in_set_up && one.story.cycle.is_none()) {
            let program = scenario.program(&report.revision).expect("a revision");
            let there = retrace(&program, &violation.schedule, &violation.story, &program).expect("a run");
            let same = there.end == End::Wrong(violation.id.clone())
                && there.pairs.iter().all(Option::is_some)
                && !there.extra.contains(&true);
            followed += 1;
            if !same {
                let (what, on) = (&report.scenario, &report.revision);
                other.push(format!("{what} on {on}, {}: {:?} {:?}", violation.id, there.end, there.pairs));
            }
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
    assert!(followed > 100, "{followed}");
}

#[test]
fn a_run_goes_no_further_where_a_patch_makes_it_wait() {
    let of = |name: &str| {
        let path = format!("{}/scenarios/bart/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        Scenario::load(path).expect("a scenario")
    };
    let bad = of("unregister-pending");
    let report = bad.check_on("duyck-v4", &Options::default(), |_| {}).expect("it can be checked");
    let violation = &report.violations[0];
    let [here, there] = ["duyck-v4", "v5.1"].map(|revision| bad.program(revision).expect("a revision"));
    let there = retrace(&here, &violation.schedule, &violation.story, &there).expect("a run");
    let End::Waits { step, on } = &there.end else { panic!("{:?}", there.end) };
    assert_eq!(*on, WaitFor::AsyncEntries);
    let inside = violation.story.steps[*step].stack.last().map(|call| call.name.as_str());
    assert_eq!(inside, Some("driver_detach"));
    assert!(retraced_words(&violation.story, &there).contains("rmmod has to wait for all async entries"));
}

#[test]
fn arrows_lead_from_an_earlier_step_to_a_later_one() {
    let mut kinds = BTreeSet::new();
    let mut at_rest = 0;
    for report in reports() {
        for violation in &report.violations {
            let story = &violation.story;
            let ends = story.hazard.as_ref().is_some_and(|hazard| !hazard.at_last_step);
            for link in links(story) {
                let last = if ends { story.steps.len() } else { story.steps.len() - 1 };
                assert!(link.from < link.to && link.to <= last, "{link:?}");
                at_rest += usize::from(link.to == story.steps.len());
                kinds.insert(link.kind.name());
            }
        }
    }
    assert!(at_rest > 10, "{at_rest} arrows lead to what goes wrong at the end");
    let all = ["carried", "changed", "ended", "queued", "started", "stored"];
    assert!(kinds.into_iter().eq(all), "every kind of arrow is drawn somewhere");
}

#[test]
fn a_scenario_in_a_mail_is_the_same_scenario() {
    for (scenario, _) in checked() {
        let lines = mailed(scenario.text());
        let text = lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
        let file = scenario.file();
        let read = Scenario::parse(&file.path, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let read = read.file();
        assert_eq!(
            (&read.world, &read.rules, &read.expect),
            (&file.world, &file.rules, &file.expect),
            "{text}"
        );
        assert_eq!((&read.title, &read.revisions, &read.also), (&file.title, &file.revisions, &file.also));
        if let Some(line) = text.lines().find(|line| line.len() > 75) {
            panic!("too long: {line}");
        }
    }
}
