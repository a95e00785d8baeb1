//! Graphs, coverage, sample runs and the HTML page, by the command line.
//!
//! The page is also tested in headless Chromium (`tests/browser/page.mjs`), which takes Chromium (Debian:
//! `apt-get install chromium`; `RADDLE_CHROMIUM=PATH` names another one), node and `npm ci` in `tests/browser`.
//! Where one of them is missing the test says so and passes, unless `RADDLE_BROWSER=required`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use raddle::page::{Row, compare, page};
use raddle::{Report, Scenario};

const VIOLATED: &str = "scenarios/bart/unregister-pending-no-flush.toml";
const VERIFIED: &str = "scenarios/bart/unregister-pending.toml";

/// What raddle prints when all goes well, in the repository's root.
fn raddle(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("raddle starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// The lines of a DOT graph that are neither its first nor its last: nodes or edges, each checked.
fn dot(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (lines.first().copied(), lines.last().copied());
    assert_eq!((first, last), (Some("digraph {"), Some("}")), "{text}");
    let inner = &lines[1..lines.len() - 1];
    for line in inner {
        let (head, attributes) = line.trim().split_once(" [ ").expect("attributes");
        assert!(attributes.ends_with(']') && attributes.contains("label=\""), "{line}");
        assert!(head.split(" -> ").all(|node| node.parse::<usize>().is_ok()), "{line}");
    }
    inner.to_vec()
}

#[test]
fn the_automaton_of_a_function_is_dot() {
    let text = raddle(&["graph", "really_probe", "--revision", "duyck-v4"]);
    let lines = dot(&text);
    assert!(lines.iter().any(|line| line.contains("pmem0.driver = nd_pmem")), "{text}");
    assert!(lines.iter().any(|line| line.contains("return")), "{text}");
    assert_eq!(text, raddle(&["graph", "really_probe", "--revision", "duyck-v4"]), "two runs agree");
    let here = raddle(&["graph", "driver_detach", "--revision", "v5.1", "--scenario", VERIFIED]);
    assert!(here.contains("wait for all async entries"), "{here}");
}

#[test]
fn the_order_of_mutexes_is_dot() {
    let text = raddle(&["graph", "--locks", VERIFIED]);
    assert!(dot(&text).iter().any(|line| line.contains("->")), "{text}");
    assert!(text.contains("pmem0.mutex"), "{text}");
}

#[test]
fn what_is_waited_for_under_a_mutex_is_in_its_graph() {
    let edges = |args: &[&str]| -> Vec<(String, String, bool)> {
        let text = raddle(&[&["graph", "--locks"], args].concat());
        let lines = dot(&text);
        let name = |number: &str| {
            let node = lines.iter().find(|line| line.trim().starts_with(&format!("{number} [")));
            node.and_then(|line| line.split('"').nth(1)).expect("a node").to_owned()
        };
        let edges = lines.iter().filter_map(|line| line.trim().split_once(" -> "));
        let ends = edges.map(|(from, to)| {
            (name(from), name(to.split(' ').next().expect("a node")), to.contains("color=red"))
        });
        ends.collect()
    };
    let has = |edges: &[(String, String, bool)], from: &str, to: &str, on_a_cycle: bool| {
        let wanted = (from.to_owned(), to.to_owned(), on_a_cycle);
        assert!(edges.contains(&wanted), "{wanted:?}: {edges:?}");
    };
    let (lock, run) = ("pmem0.mutex", "the run of nd_pmem.p.attach_work");
    let flush = edges(&["luis-v2/flush-under-lock", "--revision", "luis-v2"]);
    has(&flush, lock, run, true);
    has(&flush, run, lock, true);
    has(&flush, lock, "deferred_probe_mutex", false);
    let before = edges(&["luis-v2/flush-under-lock", "--revision", "v3.18"]);
    assert!(before.iter().all(|(.., on_a_cycle)| !on_a_cycle), "{before:?}");
    let entries = "all async entries of the default domain";
    let release = edges(&["torokhov/release-waits-under-lock", "--revision", "v4.20"]);
    has(&release, lock, entries, true);
    has(&release, entries, lock, true);
    // A wait that never ends at all is an edge too: nothing comes after it.
    has(&edges(&["merged/synchronize-inside-async"]), entries, entries, true);
}

#[test]
fn the_counterexample_is_marked_among_the_states() {
    let json = raddle(&["check", VIOLATED, "--revision", "duyck-v4", "--no-reduction", "--format", "json"]);
    let row: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let text = raddle(&["graph", "--states", VIOLATED, "--revision", "duyck-v4"]);
    let lines = dot(&text);
    let nodes = lines.iter().filter(|line| !line.contains("->")).count() as u64;
    // One node more: the hazard.
    assert_eq!(Some(nodes), row["states"].as_u64().map(|states| states + 1));
    let trace = raddle(&["check", VIOLATED, "--revision", "duyck-v4", "--format", "itf"]);
    let trace: serde_json::Value = serde_json::from_str(&trace).expect("JSON");
    let steps = trace["states"].as_array().expect("states").len() - 1;
    let marked = lines.iter().filter(|line| line.contains("->") && line.contains("color=red")).count();
    assert_eq!(marked, steps, "every step of the counterexample is marked");
}

/// driver_detach waits for async work here, by a rule.
const WAITS: &str = "scenarios/bart/unregister-pending-v4-waits.toml";

#[test]
fn coverage_tells_steps_that_only_others_take() {
    let text = raddle(&["coverage", "scenarios/bart", "--revision", "duyck-v4"]);
    let of = |path: &str| {
        let part = text.split(&format!("{path} on duyck-v4")).nth(1).expect("a row");
        part.split("\nscenarios/").next().unwrap_or(part).to_owned()
    };
    assert!(of(VIOLATED).contains("never taken in driver_detach"), "{text}");
    assert!(!of(WAITS).contains("never taken in driver_detach"), "{text}");
}

#[test]
fn a_verified_scenario_shows_sample_runs() {
    let text = raddle(&["check", VERIFIED, "--revision", "v5.1", "--samples", "2"]);
    assert!(text.contains("Sample run 2 of 2") || text.contains("Sample run 1 of 1"), "{text}");
    assert!(text.contains("driver_unregister(nd_pmem)"), "{text}");
}

/// The set-up itself raises the hazard.
const BAD_SET_UP: &str = include_str!("texts/bad-set-up.toml");

fn report(dir: &Path, scenarios: &[&str]) -> PathBuf {
    let out = dir.join("page");
    let set_up = dir.join("set-up.toml");
    fs::write(&set_up, BAD_SET_UP).expect("it can be written");
    let [set_up, to] = [&set_up, &out].map(|path| path.to_str().expect("a path in UTF-8"));
    raddle(&[&["report"], scenarios, &[set_up, "--out", to]].concat());
    out.join("index.html")
}

/// The JSON of a script element of a page, by its id.
fn script(page: &str, id: &str) -> Option<serde_json::Value> {
    let text = page.split(&format!("type=\"application/json\" id=\"{id}\">")).nth(1)?;
    Some(serde_json::from_str(text.split("</script>").next()?).expect("JSON"))
}

#[test]
fn the_page_needs_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    // The page is made in the same way for all; the whole library takes a minute.
    let some = ["scenarios/bart", "scenarios/drvdata", "scenarios/nvdimm", "scenarios/uevent"];
    let page = fs::read_to_string(report(dir.path(), &some)).expect("it is written");
    for part in ["<html lang=\"en\">", "prefers-color-scheme", "@media print", "aria-live", "ArrowRight"] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["http:", "https:", " src=", "<link", "@import", "fetch("] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(part), "{part}");
    }
    let data = script(&page, "data").expect("data");
    let rows = data["rows"].as_array().expect("rows");
    let runs = rows.iter().flat_map(|row| row["runs"].as_array().expect("runs"));
    let mut compared = 0;
    for run in runs {
        let number = run[2].as_u64().expect("the number of a run");
        let run = script(&page, &format!("run-{number}")).expect("a run");
        let story = &run["story"];
        let strings = data["strings"].as_array().expect("strings");
        let steps = story["actor"].as_array().expect("steps").len();
        assert_eq!(Some(steps + 1), run["memory"]["deltas"].as_array().map(Vec::len));
        for column in ["stack", "words", "file", "line"] {
            assert_eq!(Some(steps), story[column].as_array().map(Vec::len), "{column}");
        }
        for (file, line) in
            story["file"].as_array().into_iter().flatten().zip(story["line"].as_array().into_iter().flatten())
        {
            let file = strings[file.as_u64().expect("a number") as usize].as_str().expect("a file");
            assert!(data["sources"][file][line.to_string()].is_string(), "{file}:{line} has its source");
        }
        compared += usize::from(run["elsewhere"]["why"].is_string());
    }
    assert!(compared > 0, "some run is followed on another revision");
    assert!(page.contains("raddle check scenarios/bart/unregister-pending.toml"), "the text for a mail");
    let first = fs::read(report(dir.path(), &some)).expect("it is written");
    assert_eq!(first, page.as_bytes(), "two runs agree");
}

/// Where a program is that can be started, by the first of its names.
fn program(names: impl IntoIterator<Item = String>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let starts =
        |file: &PathBuf| Command::new(file).arg("--version").output().is_ok_and(|out| out.status.success());
    // One with a place in its name is where that is.
    names.into_iter().find_map(|name| places.iter().map(|place| place.join(&name)).find(starts))
}

/// Runs tests/browser/page.mjs on a page; what is missing for that.
fn drive(page: &Path, rows: &[&str]) -> Result<(), &'static str> {
    let named = std::env::var("RADDLE_CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let chromium = program(named.into_iter().chain(usual)).ok_or("Chromium: apt-get install chromium")?;
    let node = program(["node".to_owned()]).ok_or("node: apt-get install nodejs npm")?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    if !tests.join("node_modules").is_dir() {
        return Err("what it is driven by: npm ci in tests/browser");
    }
    let output = Command::new(node)
        .arg(tests.join("page.mjs"))
        .arg(chromium)
        .arg(page)
        .args(rows)
        .output()
        .expect("node starts");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", said.concat());
    Ok(())
}

/// Drives a page; without the means to do so, says which are missing.
fn driven(page: &Path, rows: &[&str]) {
    if let Err(missing) = drive(page, rows) {
        assert!(std::env::var_os("RADDLE_BROWSER").is_none(), "missing is {missing}");
        eprintln!("skipped: missing is {missing}");
    }
}

#[test]
fn the_page_works_in_chromium() {
    let dir = tempfile::tempdir().expect("a directory");
    driven(&report(dir.path(), &["scenarios/bart", "scenarios/drvdata", "scenarios/luis-v2"]), &[]);
}

/// Rows of the large page: the library has more.
const ROWS: usize = 600;

#[test]
fn a_page_of_hundreds_of_rows_loads_within_a_second() {
    let row = |(scenario, report): &(Scenario, Report)| Row::new(scenario, report.clone()).expect("a row");
    let mut rows: Vec<Row> = crate::forms::checked().iter().take(ROWS).map(row).collect();
    assert_eq!(rows.len(), ROWS, "the library has so many");
    compare(&mut rows).expect("they are compared");
    let sources = [&raddle_driver_core::SOURCES, &raddle_probing::SOURCES];
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("index.html");
    let text = page(&rows, &|at: &str| sources.iter().find_map(|sources| sources.line(at)));
    fs::write(&path, text).expect("it can be written");
    driven(&path, &["500"]);
}
