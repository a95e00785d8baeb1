//! Graphs, coverage, sample runs and the HTML page, by the command line.
//!
//! The page is also tested in headless Chromium, at two window sizes, where one is installed (Debian:
//! `apt-get install chromium`); `RADDLE_CHROMIUM=PATH` names another one. Without it that test says so
//! and passes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[test]
fn the_page_needs_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    // The page is made in the same way for all; the whole library takes a minute.
    let some = ["scenarios/bart", "scenarios/drvdata", "scenarios/nvdimm", "scenarios/uevent"];
    let page = fs::read_to_string(report(dir.path(), &some)).expect("it is written");
    for part in ["<html lang=\"en\">", "prefers-color-scheme", "aria-live", "scope=\"col\"", "ArrowRight"] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["http:", "https:", " src=", "<link", "@import", "fetch("] {
        assert!(!page.contains(part), "{part}");
    }
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: serde_json::Value = serde_json::from_str(data.expect("data")).expect("JSON");
    for violation in data["violations"].as_array().expect("violations") {
        let (steps, scenes) = (violation["steps"].as_array(), violation["scenes"].as_array());
        assert_eq!(steps.map(|steps| steps.len() + 1), scenes.map(Vec::len));
        let without_source = |step: &&serde_json::Value| step["source"] == "";
        assert!(steps.expect("steps").iter().find(without_source).is_none(), "every step has its source");
    }
    let first = fs::read(report(dir.path(), &some)).expect("it is written");
    assert_eq!(first, page.as_bytes(), "two runs agree");
}

/// Run in the page: every violation is stepped to its end and back, nothing is wider than the window.
const DRIVE: &str = r#"<script>
const said = [];
window.addEventListener("error", event => said.push(event.message));
</script>"#;
const CHECK: &str = r#"<script>
document.querySelectorAll(".violation").forEach((section, number) => {
  const steps = data.violations[number].steps.length;
  const key = key => section.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const live = () => section.querySelector("[aria-live]").textContent;
  section.dispatchEvent(new FocusEvent("focusin"));
  // A run may have one step only.
  const expect = (number, what) => {
    const text = number ? `Step ${number} of ${steps}` : "At the start";
    if (!live().startsWith(text)) said.push(`${what}: ${live()}`);
  };
  expect(0, "the start");
  key("ArrowRight"); key("ArrowDown");
  const two = Math.min(2, steps);
  expect(two, "two steps");
  key("ArrowLeft");
  expect(two - 1, "one back");
  section.querySelector(".next").click();
  key("End");
  expect(steps, "the end");
  if (section.querySelectorAll("[aria-current=step]").length < 1) said.push("no step is marked");
  if (!section.querySelector(".source").textContent.includes("\n")) said.push("no source");
  section.querySelector(".back").click();
  expect(steps - 1, "the button");
});
const width = document.documentElement.scrollWidth;
if (width > window.innerWidth) said.push("wider than the window: " + width + " > " + window.innerWidth);
document.body.append(Object.assign(document.createElement("pre"), { id: "result", textContent: JSON.stringify(said) }));
</script>"#;

fn chromium() -> Option<String> {
    let named = std::env::var("RADDLE_CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let mut all = named.into_iter().chain(usual);
    all.find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
}

#[test]
fn the_page_works_in_chromium() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: there is no Chromium; apt-get install chromium, or RADDLE_CHROMIUM=PATH");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let page = fs::read_to_string(report(dir.path(), &["scenarios"])).expect("it is written");
    let page = page.replacen("<head>", &format!("<head>{DRIVE}"), 1).replacen(
        "</body>",
        &format!("{CHECK}</body>"),
        1,
    );
    let path = dir.path().join("driven.html");
    fs::write(&path, page).expect("it can be written");
    for size in ["1280,800", "500,900"] {
        let output = Command::new(&chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--dump-dom",
                "--virtual-time-budget=10000",
            ])
            .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
            .arg(format!("--window-size={size}"))
            .arg(format!("file://{}", path.display()))
            .output()
            .expect("Chromium starts");
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let result = dom.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next());
        assert_eq!(result, Some("[]"), "{size}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
