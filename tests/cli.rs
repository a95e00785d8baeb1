//! The command line, as a user meets it: exit codes, messages, output that goes away.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use raddle::whatif::why::{Origin, Protector, origin, why};
use raddle::{Engine, Options, Report, Scenario, Verdict};
use raddle_checker::search::reference::Limits;
use raddle_driver_core::rules::RULES;
use raddle_engines::Scheduler;
use tempfile::TempDir;

fn raddle(args: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    command.args(args).current_dir(dir).output().expect("raddle starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("raddle was not killed")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

const GOOD: &str = r#"
title = "one driver, one device"
revisions = ["v3.18"]
[device.pmem0]
initially = "added"
[driver.nd_pmem]
[task.insmod]
run = ["driver_register(nd_pmem)"]
[expect]
"v3.18" = []
"#;

fn with(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("case.toml");
    fs::write(&path, text).expect("it can be written");
    (dir, path)
}

/// The exit code, and what is said on standard error.
fn check(text: &str) -> (i32, String) {
    let (dir, _) = with(text);
    let output = raddle(&["check", "case.toml"], dir.path());
    (code(&output), stderr(&output))
}

#[test]
fn a_scenario_as_expected_is_exit_0() {
    assert_eq!(check(GOOD), (0, String::new()));
}

#[test]
fn a_scenario_that_is_not_as_expected_is_exit_1() {
    let (code, stderr) = check(&GOOD.replace("\"v3.18\" = []", "\"v3.18\" = [\"deadlock\"]"));
    assert_eq!((code, stderr.as_str()), (1, ""));
}

#[test]
fn typos_point_at_their_place_and_suggest() {
    for (from, to, place) in [
        ("initially", "initialy", "case.toml:5:1: "),
        ("driver_register(nd_pmem)", "driver_register(nd_pmen)", "case.toml:8:25: "),
        ("driver_register(nd_pmem)", "driver_regster(nd_pmem)", "case.toml:8:9: "),
        ("revisions = [\"v3.18\"]", "revisions = [\"v3.81\"]", "case.toml:3:15: "),
    ] {
        let (code, stderr) = check(&GOOD.replace(from, to));
        assert_eq!(code, 2, "{to}: {stderr}");
        assert!(stderr.starts_with(place), "{to}: {stderr}");
        assert!(stderr.contains("did you mean"), "{to}: {stderr}");
    }
}

#[test]
fn an_unknown_revision_on_the_command_line_is_exit_2() {
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--revision", "v9.9"], dir.path());
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("v9.9"), "{}", stderr(&output));
}

#[test]
fn garbage_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    let garbage: Vec<u8> = (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let ascii: String = garbage.iter().map(|byte| char::from(b' ' + byte % 95)).collect();
    let cases: [(&str, &[u8]); 5] = [
        ("binary.toml", &garbage),
        ("ascii.toml", ascii.as_bytes()),
        ("empty.toml", b""),
        ("latin1.toml", b"title = \"caf\xe9\"\n"),
        ("large.toml", &vec![b'#'; 2 << 20]),
    ];
    for (name, bytes) in cases {
        fs::write(dir.path().join(name), bytes).expect("it can be written");
        let output = raddle(&["check", name], dir.path());
        assert_eq!(code(&output), 2, "{name}");
        let said = stderr(&output);
        assert!(said.starts_with(name) && !said.contains("panicked"), "{name}: {said}");
    }
    fs::create_dir(dir.path().join("none")).expect("a directory");
    for path in ["none", "missing.toml"] {
        let output = raddle(&["check", path], dir.path());
        assert_eq!(code(&output), 2, "{path}");
        assert!(stderr(&output).contains(path), "{}", stderr(&output));
    }
}

#[test]
fn other_files_are_still_checked_after_an_input_error() {
    let (dir, _) = with(GOOD);
    fs::write(dir.path().join("a.toml"), "nonsense").expect("it can be written");
    let output = raddle(&["check", ".", "--format", "json"], dir.path());
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn json_has_its_keys_in_order() {
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--format", "json"], dir.path());
    let line = stdout(&output);
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).expect("JSON");
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let expected = [
        "scenario",
        "revision",
        "engine",
        "verdict",
        "hazards",
        "expected",
        "as_expected",
        "states",
        "transitions",
        "guarantee",
        "warnings",
    ];
    assert_eq!(keys, expected);
    assert_eq!(object["verdict"], "verified");
    assert_eq!(object["scenario"], "case.toml");
}

#[test]
fn a_limit_is_inconclusive() {
    let (dir, _) = with(LARGE);
    for limit in [["--max-states", "5"], ["--max-memory", "1K"]] {
        let output = raddle(&["check", "case.toml", "--revision", "v7.1-rc", limit[0], limit[1]], dir.path());
        assert_eq!(code(&output), 3, "{limit:?}");
        assert!(stdout(&output).contains("inconclusive: the limit of"), "{}", stdout(&output));
    }
}

const BAD: &str = r#"
title = "a probe reads drvdata first"
revisions = ["duyck-v4"]
[device.pmem0]
initially = "added"
[driver.nd_pmem]
probe-type = "prefer-asynchronous"
probe = ["dev_get_drvdata()"]
[task.insmod]
run = ["driver_register(nd_pmem)"]
[expect]
duyck-v4 = ["drvdata-stash"]
"#;

#[test]
fn a_dumped_trace_replays() {
    let (dir, _) = with(BAD);
    let output = raddle(&["check", "case.toml", "--dump", "traces"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = fs::read_to_string(dir.path().join("traces/case.duyck-v4.drvdata-stash.txt")).expect("txt");
    assert!(text.contains("__driver_attach_async_helper"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    for ending in ["sarif", "junit.xml", "ktap", "mmd", "itf.json"] {
        let path = dir.path().join(format!("traces/case.duyck-v4.drvdata-stash.{ending}"));
        assert!(fs::metadata(path).is_ok_and(|file| file.len() > 0), "{ending}");
    }
    let trace = "traces/case.duyck-v4.drvdata-stash.json";
    let output = raddle(&["replay", trace], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("still shows drvdata-stash") && !stdout(&output).contains("own words"));
    let json = fs::read_to_string(dir.path().join(trace)).expect("json");
    fs::write(dir.path().join("cut.json"), &json[..json.len() / 2]).expect("it can be written");
    fs::write(dir.path().join("foreign.json"), "{}").expect("it can be written");
    for broken in ["cut.json", "foreign.json", "missing.json"] {
        let output = raddle(&["replay", broken], dir.path());
        assert_eq!(code(&output), 2, "{broken}");
        assert!(stderr(&output).starts_with(broken), "{}", stderr(&output));
    }
}

/// `replay --step` with commands on its standard input.
fn step(dir: &Path, trace: &str, commands: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    command.args(["replay", "--step", trace]).current_dir(dir);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("raddle starts");
    child.stdin.take().expect("it reads").write_all(commands.as_bytes()).expect("it can be written");
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_trace_is_stepped_through_by_lines_of_input() {
    let (dir, _) = with(BAD);
    raddle(&["check", "case.toml", "--dump", "traces"], dir.path());
    let commands = "n\n\nb\ng 999\nnonsense\nh\nm\nl\nt\ns\ng 9\nl\nq\n";
    let output = step(dir.path(), "traces/case.duyck-v4.drvdata-stash.json", commands);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    for part in [
        "At the start",
        "1/",
        "2/",
        "There are ",
        "\"nonsense\" is no command",
        "one step forward",
        "pmem0.driver = NULL",
        "could ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let path = dir.path().join("traces/case.duyck-v4.drvdata-stash.json");
    let json = fs::read_to_string(&path).expect("json");
    fs::write(&path, json.replace("driver_register(nd_pmem)\\\"]", "driver_unregister(nd_pmem)\\\"]"))
        .expect("written");
    let output = raddle(&["replay", "--step", "traces/case.duyck-v4.drvdata-stash.json"], dir.path());
    assert_eq!(code(&output), 2, "{}", stdout(&output));
    assert!(stderr(&output).contains("has changed since"), "{}", stderr(&output));
}

/// The set-up itself raises the hazard.
const BAD_SET_UP: &str = include_str!("texts/bad-set-up.toml");

#[test]
fn a_set_up_is_stepped_through_like_any_run() {
    let (dir, _) = with(BAD_SET_UP);
    let output = raddle(&["check", "case.toml", "--dump", "traces"], dir.path());
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let trace = "traces/case.v3.18.wrong-driver.json";
    assert_eq!(code(&raddle(&["replay", trace], dir.path())), 0);
    let output = step(dir.path(), trace, "n\ng 20\nm\nl\nt\ns\n");
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    for part in [
        "At the start of the set-up.",
        "1/",
        "[set-up]",
        "20/20",
        "pmem0.registered = true",
        "wrong-driver: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    for (args, sign) in [
        (&["completions", "bash"][..], "_raddle"),
        (&["completions", "zsh"], "#compdef raddle"),
        (&["man"], ".TH raddle"),
    ] {
        let output = raddle(args, dir.path());
        assert_eq!(code(&output), 0, "{args:?}");
        assert!(stdout(&output).contains(sign), "{args:?}");
    }
}

#[test]
fn colours_are_as_they_are_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    for (when, coloured) in [("always", true), ("never", false), ("auto", false)] {
        let output = raddle(&["--color", when, "--help"], dir.path());
        assert_eq!(code(&output), 0, "{when}");
        assert_eq!(stdout(&output).contains('\u{1b}'), coloured, "{when}");
    }
    // Here CLICOLOR_FORCE stands for a terminal.
    for (no_color, args, coloured) in [
        (None, &["--help"][..], true),
        (Some("1"), &["--help"], false),
        (Some("1"), &["--color", "always", "--help"], true),
        (None, &["--color", "never", "--help"], false),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.args(args).env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR");
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let output = command.output().expect("raddle starts");
        assert_eq!(stdout(&output).contains('\u{1b}'), coloured, "NO_COLOR {no_color:?}, {args:?}");
    }
}

#[test]
fn the_rule_that_prevents_a_hazard_is_named() {
    let (dir, _) = with(BAD);
    let output = raddle(&["check", "case.toml", "--why", "--format", "lkml"], dir.path());
    let text = stdout(&output);
    let rules = text.split("\n* ").skip(1).map(|rule| rule.replace("\n  ", " ")).collect::<Vec<_>>();
    let first = "Where __driver_attach leaves the driver for its async helper: device-private. Then there is no \
                 drvdata-stash. So it is in v5.1 (ef0ff68351be, v5.1). [async-stash = device-private, here drvdata]";
    assert_eq!(rules.first().map(String::as_str), Some(first), "the kernel was mended so: {text}");
    let last = rules
        .last()
        .is_some_and(|rule| rule.contains("Then there is no drvdata-stash, but there is lost-probe"));
    assert!(last, "what brings another hazard comes last: {text}");
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
}

#[test]
fn every_format_is_printed() {
    let (dir, _) = with(BAD);
    for (format, sign) in [
        ("lkml", "Reproduce with:"),
        ("sarif", "\"codeFlows\""),
        ("junit", "<testsuites"),
        ("ktap", "KTAP version 1"),
        ("mermaid", "sequenceDiagram"),
        ("itf", "\"ITF\""),
    ] {
        let output = raddle(&["check", "case.toml", "--format", format], dir.path());
        assert_eq!(code(&output), 0, "{format}");
        assert!(stdout(&output).contains(sign), "{format}: {}", stdout(&output));
    }
}

/// Two violations in one run.
const TWO: &str = r#"
title = "two revisions, each with a stale pointer"
revisions = ["duyck-v4", "v5.1"]
[rules]
detach-waits-for-async = false
[device.pmem0]
initially = "added"
[driver.nd_pmem]
probe-type = "prefer-asynchronous"
[task.insmod]
run = ["driver_register(nd_pmem)"]
[task.rmmod]
after = ["insmod"]
run = ["driver_unregister(nd_pmem)"]
"#;

#[test]
fn a_format_of_single_documents_prints_the_first_and_says_so() {
    let (dir, _) = with(TWO);
    for (format, dumped) in [
        ("itf", "case.duyck-v4.stale-driver-pointer.itf.json"),
        ("mermaid", "case.duyck-v4.stale-driver-pointer.mmd"),
    ] {
        let args = ["check", "case.toml", "--format", format, "--dump", "traces"];
        let output = raddle(&args, dir.path());
        let first = fs::read_to_string(dir.path().join("traces").join(dumped)).expect("it is dumped");
        assert_eq!(stdout(&output), first, "{format}");
        let said = "raddle: this is the first of 2 violations; --dump DIR writes a file for each\n";
        assert_eq!(stderr(&output), said, "{format}");
        let output = raddle(&["check", "case.toml", "--format", format, "--revision", "v5.1"], dir.path());
        assert_eq!(stderr(&output), "", "{format}: one is all");
    }
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--format", "itf"], dir.path());
    assert_eq!((code(&output), stdout(&output).as_str()), (0, ""));
    assert!(stderr(&output).contains("nothing is violated"), "{}", stderr(&output));
}

#[test]
fn dumps_of_scenarios_of_one_name_are_told_apart_by_their_directories() {
    let (dir, _) = with(BAD);
    for path in ["one", "two", "deep/one"] {
        fs::create_dir_all(dir.path().join(path)).expect("a directory");
        fs::write(dir.path().join(path).join("same.toml"), BAD).expect("it can be written");
    }
    let dumped = |paths: &[&str], to: &str| {
        let output = raddle(&[&["check", "--dump", to], paths].concat(), dir.path());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let names = fs::read_dir(dir.path().join(to)).expect("it is there");
        let mut names: Vec<String> =
            names.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name.ends_with(".txt"));
        names.sort();
        names.iter().map(|name| name.replace(".duyck-v4.drvdata-stash.txt", "")).collect::<Vec<_>>()
    };
    assert_eq!(dumped(&["case.toml", "one"], "a"), ["case", "same"]);
    assert_eq!(dumped(&["case.toml", "one", "two"], "b"), ["case", "one-same", "two-same"]);
    assert_eq!(dumped(&["one/same.toml", "./one", "case.toml"], "c"), ["case", "same"], "it is one file");
    let deep = dumped(&["one", "two", "deep"], "d");
    let has = |name: &str| deep.iter().any(|other| other == name);
    assert!(deep.len() == 3 && has("deep-one-same") && has("two-same"), "{deep:?}");
}

#[test]
fn new_writes_a_scenario_that_is_as_expected() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = raddle(&["new", "mine"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = raddle(&["check", "mine.toml"], dir.path());
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let output = raddle(&["new", "mine"], dir.path());
    assert_eq!(code(&output), 2, "it does not overwrite");
    let output = raddle(&["new", "driver", "--template", "driver"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = raddle(&["check", "driver.toml"], dir.path());
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn lists_are_there() {
    let dir = tempfile::tempdir().expect("a directory");
    for what in ["revisions", "rules", "hazards", "calls", "scenarios"] {
        let output = raddle(&["list", what], dir.path());
        assert_eq!(code(&output), 0, "{what}");
        assert!(stdout(&output).lines().count() > 5, "{what}");
    }
}

#[test]
fn a_closed_pipe_and_a_full_disk_do_not_panic() {
    let (dir, _) = with(BAD);
    // The reader is gone; the code of a check is still that of its verdict.
    for args in [&["man"][..], &["list", "rules"], &["check", "case.toml", "--full"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.args(args).current_dir(dir.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("raddle starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{args:?}");
    }
    if let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.args(["check", "case.toml"]).current_dir(dir.path());
        let output = command.stdout(full).stderr(Stdio::piped()).output().expect("raddle starts");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        assert_eq!(code(&output), 2);
    }
}

const STASH: &str = r#"
title = "probe reads drvdata"
revisions = ["duyck-v6"]
[device.pmem0]
initially = "added"
[driver.nd_pmem]
probe-type = "prefer-asynchronous"
probe = ["dev_get_drvdata()"]
[task.insmod]
run = ["driver_register(nd_pmem)"]
[task.rmmod]
run = ["driver_unregister(nd_pmem)"]
"#;

#[test]
fn compare_says_what_is_gone() {
    let (dir, _) = with(STASH);
    let args = ["compare", "case.toml", "--from", "duyck-v6", "--to", "v5.1"];
    let output = raddle(&args, dir.path());
    assert_eq!(code(&output), 0);
    assert_eq!(
        stdout(&output),
        "case.toml\n    gone drvdata-stash\nduyck-v6 -> v5.1: 1 scenarios, 1 of them differ\n"
    );
    let output = raddle(&[&args[..], &["--format", "json"]].concat(), dir.path());
    let json = r#"{"scenario":"case.toml","from":"duyck-v6","to":"v5.1","gone":["drvdata-stash"],"kept":[],"new":[],"complete":true}"#;
    assert_eq!(stdout(&output).trim_end(), json);
}

#[test]
fn ablate_names_the_rule_that_prevents_a_hazard() {
    let (dir, _) = with(STASH);
    let output = raddle(&["ablate", "case.toml", "--revision", "v6.0"], dir.path());
    assert_eq!(code(&output), 0);
    let text = stdout(&output);
    let prevents = "driver_detach waits for all async work before it looks for bound devices. Without that \
                    (detach-waits-for-async = false), there is:\n    case.toml: stale-driver-pointer\n";
    assert!(text.contains(prevents), "{text}");
    assert!(text.contains("No new hazard in these scenarios with:\n"), "{text}");
    let output = raddle(&["ablate", "case.toml", "--revision", "v6.0", "--format", "json"], dir.path());
    let all = stdout(&output);
    let line = all.lines().find(|line| line.contains("detach-waits")).map(str::to_owned);
    let json = r#"{"revision":"v6.0","rule":"detach-waits-for-async","value":"true","instead":"false","prevents":[{"scenario":"case.toml","hazards":["stale-driver-pointer"]}],"complete":true}"#;
    assert_eq!(line.as_deref(), Some(json));
    let one = ["ablate", "case.toml", "--revision", "v6.0", "--format", "json", "--rule"];
    let output = raddle(&[&one[..], &["detach-waits-for-async"]].concat(), dir.path());
    assert_eq!((stdout(&output).trim(), all.lines().count() > 1), (json, true));
    let output = raddle(&[&one[..], &["no-such-rule"]].concat(), dir.path());
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("rule \"no-such-rule\" is not known"), "{}", stderr(&output));
}

#[test]
fn compare_and_ablate_want_known_revisions() {
    let (dir, _) = with(STASH);
    let output = raddle(&["compare", "case.toml", "--from", "v5.1", "--to", "v9"], dir.path());
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("revision \"v9\" is not known"));
    let output = raddle(&["ablate", "case.toml", "--revision", "v9"], dir.path());
    assert_eq!(code(&output), 2);
    assert_eq!(code(&raddle(&["ablate", "none.toml", "--revision", "v6.0"], dir.path())), 2);
}

#[test]
fn stats_are_one_line_on_standard_error() {
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--stats", "json", "--timeout", "600"], dir.path());
    assert_eq!(code(&output), 0);
    let stats: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one JSON object");
    assert_eq!((&stats["rows"], &stats["cut"]), (&1.into(), &0.into()));
    assert!(stats["states"].as_u64() > Some(0) && stats["states_per_second"].is_number(), "{stats}");
    for bad in ["-1", "soon"] {
        assert_eq!(code(&raddle(&["check", "case.toml", "--timeout", bad], dir.path())), 2);
    }
}

const RACE: &str = r#"
title = "a device is used while its creator drops it"
revisions = ["v5.1"]
[device.pmem0]
[task.user]
run = ["use(pmem0)"]
[task.owner]
run = ["put_device(pmem0)"]
[expect]
"v5.1" = ["use-after-free"]
"#;

#[test]
fn loom_and_shuttle_say_what_they_covered() {
    let (dir, _) = with(RACE);
    let check = |more: &[&str]| {
        let args = [&["check", "case.toml", "--engine"], more].concat();
        let output = raddle(&args, dir.path());
        (code(&output), stdout(&output))
    };
    for (engine, covers) in [
        (&["loom"][..], "exhaustive, "),
        (&["loom", "--preemptions", "2"], "bounded by 2 preemptions"),
        (&["shuttle"], "10,000 schedules (pct depth 3, seed 1)"),
        (
            &["shuttle", "--scheduler", "urw", "--iterations", "50", "--seed", "7"],
            "50 schedules (urw, seed 7)",
        ),
        (&["shuttle", "--scheduler", "dfs"], "schedules (dfs)"),
    ] {
        let (code, text) = check(engine);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("violated: use-after-free"), "{text}");
        assert!(text.replace("\n  ", " ").contains(covers), "{engine:?}: {text}");
    }
    let (code, text) = check(&["loom", "--iterations", "1"]);
    assert!(text.contains("cut off"), "{text}");
    assert!(code == 0 || code == 3, "{text}");
}

#[test]
fn a_sampling_engine_never_says_verified() {
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--engine", "shuttle", "--format", "json"], dir.path());
    let row: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    assert_eq!(row["verdict"], "inconclusive");
    assert_eq!(row["as_expected"], true);
    assert_eq!(code(&output), 0, "a sampling row that is as expected is no reason for exit 3");
}

#[test]
fn a_trace_of_any_engine_replays_everywhere() {
    let (dir, _) = with(RACE);
    for engine in ["exhaustive", "loom", "shuttle"] {
        raddle(&["check", "case.toml", "--engine", engine, "--dump", engine], dir.path());
        let trace = format!("{engine}/case.v5.1.use-after-free.json");
        for args in [&["replay", &trace][..], &["replay", &trace, "--engine", "shuttle"]] {
            let output = raddle(args, dir.path());
            assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
            assert!(stdout(&output).contains("shows use-after-free"), "{}", stdout(&output));
        }
    }
}

#[test]
fn engines_agree() {
    let (dir, path) = with(RACE);
    let output = raddle(&["agree", "case.toml", "--iterations", "50"], dir.path());
    assert_eq!(code(&output), 0);
    let text = stdout(&output);
    assert!(text.contains("case.toml on v5.1: the engines agree"), "{text}");
    assert_eq!(text.matches("use-after-free").count(), 7, "{text}");
    let cut = raddle(&["agree", "case.toml", "--max-states", "2"], dir.path());
    assert_eq!(code(&cut), 3, "{}", stdout(&cut));
    let five: String = ('a'..='c').map(|name| format!("[task.{name}]\nrun = [\"use(pmem0)\"]\n")).collect();
    fs::write(&path, RACE.replace("[expect]", &format!("{five}[expect]"))).expect("it can be written");
    let many = raddle(&["agree", "case.toml", "--iterations", "50"], dir.path());
    assert_eq!(code(&many), 0);
    assert!(stdout(&many).contains("not compared: loom has 4 threads"), "{}", stdout(&many));
    // More schedules than any machine tries in this time: what was found must be a subset, and is.
    let long = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bart/unregister-pending.toml");
    let long = long.to_string_lossy();
    let args = ["agree", &long, "--revision", "v5.1", "--engine-time", "0.5", "--iterations", "20"];
    let partly = raddle(&args, dir.path());
    assert_eq!(code(&partly), 0, "{}", stdout(&partly));
    assert!(stdout(&partly).contains("partly compared: the time limit was hit"), "{}", stdout(&partly));
}

/// What needs the library and the program: an engine's process as it is, and as it should not be.
fn under_shuttle(process: &str, overrides: &[(&str, &str)]) -> Report {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenario = Scenario::load(root.join("scenarios/bart/unregister-pending.toml"));
    let scenario = scenario.unwrap_or_else(|errors| panic!("{}", errors[0]));
    let mut options = Options::default().engine(Engine::Shuttle);
    options.process = Some(process.into());
    options.native.scheduler = Scheduler::Random;
    options.native.iterations = 500;
    let program = scenario.program_with("v5.1", overrides).unwrap_or_else(|error| panic!("{error}"));
    scenario.check_program(&program, "v5.1", &options, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_engine_in_its_own_process_knows_of_overridden_rules() {
    let program = env!("CARGO_BIN_EXE_raddle");
    assert_eq!(under_shuttle(program, &[]).hazards(), Vec::<String>::new());
    let report = under_shuttle(program, &[("detach-waits-for-async", "false")]);
    assert_eq!(report.hazards(), ["stale-driver-pointer"]);
}

#[cfg(unix)]
#[test]
fn an_engine_that_aborts_makes_the_row_inconclusive() {
    let report = under_shuttle("/bin/false", &[]);
    assert!(report.cut && report.verdict == Verdict::Inconclusive);
    assert!(
        report.guarantee.contains("the engine's process ended with exit status: 1"),
        "{}",
        report.guarantee
    );
}

#[test]
fn weak_memory_is_an_experiment_of_loom() {
    let (dir, _) = with(RACE);
    let output = raddle(&["check", "case.toml", "--weak-memory"], dir.path());
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("use --engine loom"), "{}", stderr(&output));
    let help = stdout(&raddle(&["check", "--help"], dir.path()));
    assert!(help.contains("An experiment, with loom only"), "{help}");
    for (text, verdict) in [(RACE, "violated"), (GOOD, "inconclusive")] {
        let (dir, _) = with(text);
        let args = ["check", "case.toml", "--engine", "loom", "--weak-memory", "--format", "json"];
        let output = raddle(&args, dir.path());
        let row: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
        assert_eq!(row["verdict"], verdict);
        assert_eq!((&row["as_expected"], code(&output)), (&true.into(), 0));
        let guarantee = row["guarantee"].as_str().expect("a sentence");
        assert!(guarantee.starts_with("experiment: "), "{guarantee}");
        assert!(guarantee.contains("loom may miss and may invent outcomes"), "{guarantee}");
        assert!(!guarantee.contains("sequential consistency"), "{guarantee}");
    }
}

#[test]
fn every_engine_names_the_locks_of_a_deadlock_with_holders_and_waiters() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("scenarios/luis-v2/flush-under-lock.toml");
    let (dir, _) = with(&fs::read_to_string(path).expect("it is there"));
    let tell = |engine: &str| {
        let args = ["check", "case.toml", "--engine", engine, "--revision", "luis-v2", "--dump", engine];
        // loom takes long to try everything.
        let limit: &[&str] = if engine == "loom" { &["--iterations", "3000"] } else { &[] };
        let output = raddle(&[&args[..], limit].concat(), dir.path());
        assert_eq!(code(&output), 0, "{engine}: {}", stdout(&output));
        let path = dir.path().join(engine).join("case.luis-v2.deadlock.json");
        let trace: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(path).expect("it was dumped")).expect("it is JSON");
        let actor = |index: &serde_json::Value| {
            let index = index.as_u64().expect("an index") as usize;
            trace["story"]["actors"][index]["name"].as_str().expect("a name").to_owned()
        };
        let list = |key: &str| trace["story"][key].as_array().expect("a list").clone();
        let members: Vec<_> = list("waiting").into_iter().filter(|one| one["deadlocked"] == true).collect();
        let is_member = |held: &&serde_json::Value| members.iter().any(|one| one["actor"] == held["actor"]);
        let mut told: Vec<String> = (list("held").iter().filter(is_member))
            .map(|held| format!("{} holds {}", actor(&held["actor"]), held["lock"]))
            .chain(members.iter().map(|waiting| {
                let by: Vec<String> = waiting["by"].as_array().expect("a list").iter().map(actor).collect();
                format!("{} waits on {} by {by:?}", actor(&waiting["actor"]), waiting["on"])
            }))
            .collect();
        told.sort_unstable();
        told
    };
    let reference = tell("reference");
    assert!(reference.iter().any(|line| line.contains(" holds ")), "{reference:?}");
    assert!(reference.iter().any(|line| line.contains(" waits on ")), "{reference:?}");
    for engine in ["exhaustive", "loom", "shuttle"] {
        assert_eq!(tell(engine), reference, "{engine}");
    }
}

/// Its search stores some hundred states, and some thousand without all that makes it finer.
const LARGE: &str = include_str!("../scenarios/deferred/late-resource-registration-triggers.toml");

/// Leaves that out: there is more to save and to go on with.
const COARSE: [&str; 2] = ["--without", "fine,same,here,dead,canon,frozen,nes,zero"];

/// Checks it on one revision; the code, the line of JSON without what it counted, and the messages.
fn search(dir: &Path, options: &[&str]) -> (i32, String, String) {
    let output = raddle(
        &[&["check", "case.toml", "--revision", "v7.1-rc", "--format", "json"], &COARSE[..], options]
            .concat(),
        dir,
    );
    (code(&output), stdout(&output), stderr(&output))
}

#[test]
fn a_search_goes_on_from_where_it_was_cut_or_killed() {
    let (dir, _) = with(LARGE);
    let whole = search(dir.path(), &[]);
    assert_eq!(whole.0, 0, "{}", whole.2);
    let cut = search(dir.path(), &["--max-states", "2000", "--checkpoint", "saved"]);
    assert_eq!(cut.0, 3, "{}", cut.2);
    assert_eq!(search(dir.path(), &["--resume", "saved", "--threads", "2"]), whole);
    // It is whole now, and still of use.
    assert_eq!(search(dir.path(), &["--resume", "saved"]), whole);
    let mut killed = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .args(["check", "case.toml", "--revision", "v7.1-rc", "--checkpoint", "killed"])
        .args(["--checkpoint-every", "0"])
        .args(COARSE)
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("raddle starts");
    while !dir.path().join("killed").exists() {
        std::thread::yield_now();
    }
    killed.kill().expect("it can be killed");
    killed.wait().expect("it has ended");
    assert_eq!(search(dir.path(), &["--resume", "killed"]), whole);
}

#[test]
fn what_was_not_saved_by_this_search_is_refused() {
    let (dir, _) = with(LARGE);
    search(dir.path(), &["--max-states", "2000", "--checkpoint", "saved"]);
    let saved = fs::read(dir.path().join("saved")).expect("it was saved");
    let refused = |bytes: &[u8], options: &[&str]| {
        fs::write(dir.path().join("other"), bytes).expect("it can be written");
        let (code, out, message) = search(dir.path(), &[&["--resume", "other"], options].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{message}");
        message
    };
    let mut flipped = saved.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(refused(&flipped, &[]).contains("damaged"));
    assert!(refused(&saved[..saved.len() - 1], &[]).contains("damaged"));
    assert!(refused(b"once upon a time there was a search", &[]).contains("not"));
    assert!(refused(&saved, &["--compact"]).contains("another search"));
    assert!(search(dir.path(), &["--resume", "nowhere"]).2.contains("nowhere"));
}

#[test]
fn a_search_that_is_too_large_for_memory_goes_on_on_disk() {
    let (dir, _) = with(LARGE);
    let whole = search(dir.path(), &[]);
    assert_eq!(search(dir.path(), &["--spill", "disk", "--max-memory", "64K"]), whole);
    let left = fs::read_dir(dir.path().join("disk")).expect("the directory").count();
    assert_eq!(left, 0, "nothing is left behind");
    let (code, _, message) = search(dir.path(), &["--spill", "disk"]);
    assert!(code == 2 && message.contains("--max-memory"), "{message}");
}

#[test]
fn hash_compaction_says_how_probable_it_is_that_a_state_was_missed() {
    let (dir, _) = with(LARGE);
    let whole: serde_json::Value = serde_json::from_str(&search(dir.path(), &[]).1).expect("JSON");
    let (code, line, _) = search(dir.path(), &["--compact"]);
    let compact: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((code, &compact["states"], &compact["hazards"]), (0, &whole["states"], &whole["hazards"]));
    let guarantee = compact["guarantee"].as_str().expect("a sentence");
    assert!(guarantee.contains("a state missed with a probability below"), "{guarantee}");
}

#[test]
fn a_run_is_shown_even_if_the_shortest_one_is_out_of_reach() {
    let (dir, _) = with(include_str!("../scenarios/duyck/v4-overwrite.toml"));
    let run = |options: &[&str]| {
        let base = ["check", "case.toml", "--revision", "v5.19", "--format", "json"];
        let output = raddle(&[&base, options].concat(), dir.path());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let row: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        (row["hazards"].clone(), row["guarantee"].as_str().expect("a sentence").to_owned())
    };
    let (hazards, guarantee) = run(&[]);
    assert!(!guarantee.contains("shorter run"), "{guarantee}");
    // Enough to find the hazards, not enough to find the nearest way to them.
    let (same, guarantee) = run(&["--max-states", "20", "--dump", "traces"]);
    assert_eq!(hazards, same);
    assert!(guarantee.contains("a shorter run may show"), "{guarantee}");
    let traces = fs::read_dir(dir.path().join("traces")).expect("traces");
    let json = traces.map(|entry| entry.expect("an entry").path());
    for trace in json.filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let name = trace.display().to_string();
        if name.contains("itf") || name.contains("sarif") {
            continue;
        }
        let output = raddle(&["replay", &name], dir.path());
        assert_eq!(code(&output), 0, "{name}: {}", stderr(&output));
    }
}

#[test]
fn an_ablation_overrides_the_rules_of_a_scenario() {
    // Its own rule is what would be ablated: it is put right before, and set wrong after.
    let own = STASH.replace("[device.pmem0]", "[rules]\ndetach-waits-for-async = false\n[device.pmem0]");
    let (dir, _) = with(&own.replace("duyck-v6", "v6.0"));
    let output = raddle(&["ablate", "case.toml", "--revision", "v6.0"], dir.path());
    let text = stdout(&output);
    let prevents = "driver_detach waits for all async work before it looks for bound devices. Without that \
                    (detach-waits-for-async = false), there is:\n    case.toml: stale-driver-pointer\n";
    assert!(text.contains(prevents), "{text}");
    // No table where a path is not there.
    for args in [
        &["ablate", "case.toml", "none.toml", "--revision", "v6.0"][..],
        &["compare", "case.toml", "none.toml", "--from", "v5.1", "--to", "v6.0"],
    ] {
        let output = raddle(args, dir.path());
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{args:?}");
        assert!(stderr(&output).contains("none.toml"), "{}", stderr(&output));
    }
}

#[test]
fn why_a_scenario_is_verified() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("scenarios/bart/unregister-pending.toml");
    let (dir, _) = with(&fs::read_to_string(path).expect("it is there"));
    let output = raddle(&["check", "case.toml", "--revision", "v5.1", "--why"], dir.path());
    let text = stdout(&output).replace("\n  ", " ");
    assert!(text.contains("What protects it, each alone on this revision:"), "{text}");
    let wait = "* driver_detach waits for all async work before it looks for bound devices. Without that, there is \
                stale-driver-pointer (c37d721c68ad, v5.0; docs/kernel/release.md#driver_detach). \
                [detach-waits-for-async = true]";
    assert!(text.contains(wait), "{text}");
    let (dir, _) = with(LARGE);
    let output =
        raddle(&["check", "case.toml", "--revision", "v7.1-rc", "--why", "--timeout", "0"], dir.path());
    assert_eq!(code(&output), 3, "no time is no verdict: {}", stdout(&output));
}

/// Warnings of a scenario, and whether `--strict` minds.
fn warnings(text: &str) -> (Vec<String>, bool) {
    let (dir, _) = with(text);
    let output = raddle(&["check", "case.toml", "--format", "json"], dir.path());
    let row: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one row");
    let warnings: Vec<String> = serde_json::from_value(row["warnings"].clone()).expect("a list");
    let shown = stdout(&raddle(&["check", "case.toml"], dir.path()));
    for warning in &warnings {
        assert!(shown.contains(&format!("warning: {warning}")), "{shown}");
    }
    let strict = raddle(&["check", "case.toml", "--strict"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    (warnings, code(&strict) == 1)
}

#[test]
fn a_verdict_that_says_little_comes_with_a_warning() {
    assert_eq!(warnings(GOOD), (Vec::new(), false));
    let idle = "[task.idle]\nrun = []\n[expect]";
    // Two are against the contract, and only one is made.
    let twice = "[task.twice]\nafter = [\"insmod\"]\n\
        run = [\"driver_unregister(nd_pmem)\", \"driver_unregister(nd_pmem)\"]\n\
        [task.late]\nafter = [\"twice\"]\nrun = [\"device_unregister(pmem0)\"]\n[expect]";
    let unqueued = "[work.job]\nrun = [\"use(pmem0)\"]\n[expect]";
    let both = "[task.one]\nafter = [\"insmod\"]\nrun = [\"driver_unregister(nd_pmem)\"]\n\
        [task.two]\nafter = [\"insmod\"]\nrun = [\"driver_unregister(nd_pmem)\"]\n[expect]";
    let inert = "[rules]\ngetters-hide-stash = true\n[device.";
    let unlisted = "[expect]\n\"v6.0\" = []";
    let rule = "[rules]\ncan-match = false\n[device.";
    for (text, warning) in [
        (GOOD.replace("[expect]", unlisted), "[expect] names v6.0, which is not among the revisions"),
        (GOOD.replace("[device.", rule), "can-match = false changes nothing: so it is on v3.18"),
        (GOOD.replace("[expect]", idle), "task idle makes no calls"),
        (GOOD.replace("\"added\"", "\"absent\""), "pmem0 and nd_pmem never meet"),
        (
            GOOD.replace("[expect]", twice),
            "task twice never ends: it makes no call after driver_unregister(nd_pmem)",
        ),
        (GOOD.replace("[expect]", twice), "task late never starts"),
        (GOOD.replace("[expect]", unqueued), "kworker (job) never runs"),
        (GOOD.replace("[device.", inert), "getters-hide-stash = true changes nothing here on v3.18"),
        (
            GOOD.replace("[expect]", both),
            "in some runs two makes no call after driver_unregister(nd_pmem): the contract holds it back",
        ),
    ] {
        let (warnings, strict) = warnings(&text);
        assert!(warnings.iter().any(|one| one == warning) && strict, "{warning}: {warnings:?}");
    }
}

/// A binary counter of flags in a work item that queues itself: the set-up comes back to no state for a long time.
fn counts_in_the_set_up() -> String {
    let mut text =
        "title = \"a counter\"\nrevisions = [\"v5.1\"]\n[device.d]\ninitially = \"added\"\n[driver.v]\n\
        initially = \"registered\"\nprobe = [\"queue_work(k)\"]\n[flag.done]\n[work.k]\n\
        run = [\"clear(done)\", \"call(inc0)\", \"queue_work(k)\"]\n[task.a]\nrun = [\"use(d)\"]\n"
            .to_owned();
    for n in 0..20 {
        let next = if n < 19 { format!(", \"call(inc{})\"", n + 1) } else { String::new() };
        text.push_str(&format!(
            "[flag.f{n}]\n[function.set{n}]\nrun = [\"return-if(f{n})\", \"set(f{n})\", \"set(done)\"]\n\
             [function.inc{n}]\nrun = [\"call(set{n})\", \"return-if(done)\", \"clear(f{n})\"{next}]\n"
        ));
    }
    text
}

#[test]
fn limits_hold_in_the_set_up() {
    let (dir, _) = with(&counts_in_the_set_up());
    for limit in [["--max-states", "1000"], ["--timeout", "0.5"]] {
        let output = raddle(&["check", "case.toml", limit[0], limit[1]], dir.path());
        assert!(stdout(&output).contains("(in the set-up)"), "{}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).contains("inconclusive"), "{}", stdout(&output));
    }
}

#[test]
fn options_of_trees_need_one() {
    let (dir, _) = with(GOOD);
    for option in [&["--patch", "none"][..], &["--config", "none"], &["--rebuild"], &["--assumptions"]] {
        let args = [&["check", "case.toml", "--revision", "v5.1"], option].concat();
        let output = raddle(&args, dir.path());
        assert!(
            code(&output) == 2 && stderr(&output).contains("--tree DIR"),
            "{option:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_wrong_in_a_trace_is_shown_as_text() {
    let (dir, _) = with(BAD);
    raddle(&["check", "case.toml", "--dump", "."], dir.path());
    let path = dir.path().join("case.duyck-v4.drvdata-stash.json");
    let text = fs::read_to_string(&path).expect("it was dumped");
    let mut trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    trace["story"]["steps"][0]["kind"] = "read\n::error::\u{1b}[31m".into();
    fs::write(&path, trace.to_string()).expect("written");
    let said = stderr(&raddle(&["replay", "case.duyck-v4.drvdata-stash.json"], dir.path()));
    assert!(said.contains("damaged") && !said.contains("\n::error") && !said.contains('\u{1b}'), "{said:?}");
}

/// A probe that makes a call which the contract holds back does not go on: nothing is checked at the end of that.
#[test]
fn a_call_that_is_held_back_in_a_probe_is_no_hazard() {
    let (dir, _) = with(
        "title = \"held back\"\nrevisions = [\"v5.1\"]\n[device.d]\ninitially = \"added\"\n[bus.z]\n[driver.u]\n\
         bus = \"z\"\ninitially = \"registered\"\n[driver.v]\nprobe-type = \"prefer-asynchronous\"\n\
         probe = [\"driver_unregister(u)\", \"driver_unregister(u)\"]\n[task.a]\nrun = [\"driver_register(v)\"]\n",
    );
    for engine in ["exhaustive", "reference"] {
        let output = raddle(&["check", "case.toml", "--engine", engine], dir.path());
        assert!(stdout(&output).contains("on v5.1: verified"), "{}{}", stdout(&output), stderr(&output));
    }
}

#[test]
fn a_certificate_proves_a_row_and_a_changed_one_does_not() {
    let (dir, _) = with(GOOD);
    let path = dir.path().join("row.cert");
    let written = raddle(&["check", "case.toml", "--certificate", "row.cert"], dir.path());
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    let verify = || raddle(&["verify-certificate", "row.cert"], dir.path());
    assert!(code(&verify()) == 0 && stdout(&verify()).contains("verified, proved by its certificate"));
    let text = fs::read_to_string(&path).expect("it was written");
    let mut lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 2, "{text}");
    let last = lines.pop().expect("there are lines");
    fs::write(&path, lines.join("\n")).expect("written");
    assert!(code(&verify()) == 1 && stdout(&verify()).contains("has no record"), "{}", stdout(&verify()));
    fs::write(&path, text.replacen("driver_register", "driver_unregister", 1)).expect("written");
    assert_eq!(code(&verify()), 1, "the scenario in it is another one");
    fs::write(&path, text.replace(last, "{\"state\":\"\\u001b\"}")).expect("written");
    let refused = verify();
    assert!(code(&refused) == 2 && stderr(&refused).contains("line "), "{}", stderr(&refused));
    assert!(!stderr(&refused).contains('\u{1b}'));
}

#[test]
fn a_run_passes_or_avoids_what_is_asked() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = |more: &[&str]| {
        let base = ["check", "scenarios/merged/driver-attach-window.toml", "--revision", "v6.0"];
        let output = raddle(&[&base, more].concat(), dir);
        (code(&output), stdout(&output), stderr(&output))
    };
    // The scenario asks for the window of its title. The shortest run misses it: the driver goes before it is
    // attached to anything.
    let window = "schedule __driver_attach_async_helper(pmem0)";
    let (code, own, _) = check(&[]);
    let entered = |line: &str| line.trim() == "__driver_attach_async_helper(pmem0)";
    assert!(code == 0 && own.contains(window) && own.lines().any(entered), "what is passed is shown: {own}");
    assert!(!own.contains("--passing"), "{own}");
    assert!(!check(&["--avoiding", "__driver_attach_async_helper"]).1.contains(window));
    let (code, text, _) = check(&["--passing", "__driver_attach_async_helper"]);
    assert!(code == 0 && text.contains(window), "{text}");
    assert!(text.contains("--passing __driver_attach_async_helper"), "it can be reproduced: {text}");
    let (code, text, _) =
        check(&["--full", "--passing", "pmem0.mutex", "--avoiding", "__driver_attach_async_helper"]);
    assert!(code == 0 && text.contains("lock pmem0.mutex") && !text.contains("warning"), "{text}");
    let older = raddle(&["check", "scenarios/merged/driver-attach-window.toml", "--revision", "v3.18"], dir);
    assert!(
        older.status.code() < Some(2) && stdout(&older).contains("no task calls it on v3.18"),
        "{older:?}"
    );
    for avoided in ["driver_register", "stale-driver-pointer"] {
        let (code, text, _) = check(&["--avoiding", avoided]);
        assert!(code == 0 && text.contains("no run to stale-driver-pointer takes the route"), "{text}");
    }
    for (option, word, said) in [
        ("--passing", "no_such_function", "no task calls it"),
        ("--passing", "deadlock", "is a hazard"),
        ("--avoiding", "pmem0.mutex", "is a cell"),
    ] {
        let (code, _, errors) = check(&[option, word]);
        assert!(code == 2 && errors.contains(word) && errors.contains(said), "{errors}");
    }
}

#[test]
fn options_that_cannot_be_honoured_are_refused() {
    let (dir, _) = with(GOOD);
    for (options, named) in [
        (&["--engine", "loom", "--max-states", "5"][..], "--max-states"),
        (&["--engine", "shuttle", "--threads", "2"], "--threads"),
        (&["--engine", "reference", "--compact"], "--compact"),
        (&["--seed", "3"], "--seed"),
        (&["--why", "--format", "sarif"], "--why"),
    ] {
        let output = raddle(&[&["check", "case.toml"], options].concat(), dir.path());
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{options:?}");
        assert!(stderr(&output).starts_with(&format!("raddle: {named}: ")), "{}", stderr(&output));
    }
}

#[test]
fn limits_mean_the_same_everywhere() {
    let (dir, _) = with(LARGE);
    for command in [
        &["check", "case.toml", "--revision", "v7.1-rc"][..],
        &["check", "case.toml", "--revision", "v7.1-rc", "--engine", "reference"],
        &["check", "case.toml", "--revision", "v7.1-rc", "--engine", "loom"],
        &["compare", "case.toml", "--from", "v5.1", "--to", "v7.1-rc"],
        &["ablate", "case.toml", "--revision", "v7.1-rc"],
        &["report", "case.toml", "--revision", "v7.1-rc", "--out", "page"],
    ] {
        let output = raddle(&[command, &["--timeout", "0"]].concat(), dir.path());
        assert_eq!(code(&output), 3, "{command:?}: {}{}", stdout(&output), stderr(&output));
    }
    let (dir, _) = with(GOOD);
    let output = raddle(&["check", "case.toml", "--threads", "100000"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = raddle(&["check", "case.toml", "--engine", "loom", "--engine-time", "1e19"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_an_argument() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, path) = with(GOOD);
    let name = std::ffi::OsStr::from_bytes(b"not-utf8-\xff.toml");
    fs::rename(path, dir.path().join(name)).expect("it can be renamed");
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    let output = command.arg("check").arg(name).current_dir(dir.path()).output().expect("raddle starts");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn what_is_dumped_replaces_files_only() {
    let (dir, _) = with(BAD);
    fs::create_dir(dir.path().join("traces")).expect("a directory");
    fs::write(dir.path().join("precious"), "precious").expect("written");
    let link = dir.path().join("traces/case.duyck-v4.drvdata-stash.txt");
    std::os::unix::fs::symlink(dir.path().join("precious"), &link).expect("a link");
    let output = raddle(&["check", "case.toml", "--dump", "traces"], dir.path());
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("no regular file"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(dir.path().join("precious")).expect("it is there"), "precious");
    // Two files that no directory tells apart.
    let bytes = |byte: u8| {
        use std::os::unix::ffi::OsStringExt;
        std::ffi::OsString::from_vec(vec![byte, b'.', b't', b'o', b'm', b'l'])
    };
    fs::create_dir(dir.path().join("same")).expect("a directory");
    for byte in [0xfe, 0xff] {
        fs::write(dir.path().join("same").join(bytes(byte)), BAD).expect("written");
    }
    let output = raddle(&["check", "same", "--dump", "both"], dir.path());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mails = fs::read_dir(dir.path().join("both")).expect("it is there").filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|ending| ending == "txt"))
    });
    assert_eq!(mails.count(), 2);
}

#[cfg(unix)]
#[test]
fn a_checkpoint_replaces_checkpoints_only() {
    let (dir, _) = with(LARGE);
    fs::write(dir.path().join("precious"), "precious").expect("written");
    std::os::unix::fs::symlink("precious", dir.path().join("link")).expect("a link");
    for file in ["link", "/dev/null", "precious"] {
        let (code, _, said) = search(dir.path(), &["--checkpoint", file, "--max-states", "100"]);
        assert!(code == 2 && said.contains(file), "{said}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("precious")).expect("it is there"), "precious");
    let is_link = fs::symlink_metadata(dir.path().join("link")).is_ok_and(|link| link.is_symlink());
    assert!(is_link, "the link is still one");
}

/// A check that takes for ever, and the engine's process that it has started.
#[cfg(target_os = "linux")]
fn endless() -> (std::process::Child, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bart/unregister-pending.toml");
    let mut parent = Command::new(env!("CARGO_BIN_EXE_raddle"));
    let engine = ["--engine", "shuttle", "--scheduler", "dfs", "--iterations", "1000000000"];
    let parent = parent.arg("check").arg(path).args(["--revision", "v5.1"]).args(engine);
    let parent = parent.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("raddle starts");
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    let first = || {
        let text = fs::read_to_string(&children).expect("this kernel tells");
        text.split_whitespace().next().map(str::to_owned)
    };
    let child = std::iter::repeat_with(first).flatten().next();
    (parent, child.expect("it is asked until there is one"))
}

/// Waits until a process is gone. Whoever reaps it may take a moment: what has ended has no command line.
#[cfg(target_os = "linux")]
fn ends(process: &str) -> bool {
    let begun = std::time::Instant::now();
    while fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        if begun.elapsed().as_secs() > 60 {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    true
}

#[cfg(target_os = "linux")]
#[test]
fn an_engine_ends_with_its_parent() {
    let (mut parent, child) = endless();
    parent.kill().expect("it can be killed");
    parent.wait().expect("it has ended");
    assert!(ends(&child), "the engine's process outlives its parent");
}

#[cfg(target_os = "linux")]
#[test]
fn an_engine_stops_on_an_interrupt() {
    let (parent, child) = endless();
    let killed = Command::new("kill").args(["-INT", &parent.id().to_string()]).status();
    assert!(killed.expect("kill starts").success());
    let output = parent.wait_with_output().expect("it ends");
    assert_eq!(code(&output), 3, "{}", stdout(&output));
    assert!(stdout(&output).contains("inconclusive: it was interrupted"), "{}", stdout(&output));
    assert!(ends(&child), "the engine's process outlives the interrupt");
}

/// A device, for tasks to follow.
#[cfg(target_os = "linux")]
const MANY: &str = r#"
title = "many tasks"
revisions = ["v5.1"]
[device.pmem0]
initially = "added"
"#;

#[cfg(target_os = "linux")]
#[test]
fn out_of_memory_is_inconclusive() {
    let task = |name| format!("[task.{name}]\nrun = [\"get_device(pmem0)\", \"put_device(pmem0)\"]\n");
    let many: String = ('a'..='j').map(task).collect();
    let (dir, _) = with(&format!("{MANY}{many}"));
    let raddle = env!("CARGO_BIN_EXE_raddle");
    let script = format!("ulimit -v 200000; exec {raddle} check case.toml --engine reference");
    let mut shell = Command::new("/bin/sh");
    let output = shell.args(["-c", &script]).current_dir(dir.path()).output().expect("a shell");
    assert_eq!(code(&output), 3, "{}{}", stdout(&output), stderr(&output));
    assert!(stderr(&output).contains("out of memory"), "{}", stderr(&output));
}

#[test]
fn the_wait_in_driver_detach_prevents_the_stale_pointer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bart/unregister-pending-no-flush.toml");
    let scenario = Scenario::load(path).expect("it is a scenario");
    let report = scenario.check_on("duyck-v4", &Options::default(), |_| {}).expect("it is checked");
    let found = why(&scenario, &report, &Options::default(), 100_000).expect("it is checked");
    assert_eq!((found.protectors.len(), found.untried), (0, 0));
    let wait =
        found.preventers.iter().find(|one| one.rule == "detach-waits-for-async").expect("it prevents it");
    assert_eq!((wait.from, wait.to), ("false", "true"));
    assert_eq!(wait.prevents, ["stale-driver-pointer"]);
    assert_eq!((wait.origin, wait.revision), (Origin::Later, Some("v5.1")));
    assert_eq!(wait.source, "c37d721c68ad, v5.0");
}

#[test]
fn the_wait_in_driver_detach_protects_its_twin() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bart/unregister-pending.toml");
    let scenario = Scenario::load(path).expect("it is a scenario");
    let report = scenario.check_on("v5.1", &Options::default(), |_| {}).expect("it is checked");
    let found = why(&scenario, &report, &Options::default(), 100_000).expect("it is checked");
    assert_eq!((found.preventers.len(), found.untried), (0, 0));
    let is_wait = |one: &&Protector| one.change.rule == "detach-waits-for-async";
    let wait = found.protectors.iter().find(is_wait).expect("it protects it");
    assert_eq!((wait.change.value, wait.change.instead), ("true", "false"));
    assert_eq!(wait.from, ["stale-driver-pointer"]);
    let none = Options::default().limits(Limits { time_limit: Some(Duration::ZERO), ..Limits::default() });
    let cut = why(&scenario, &report, &none, 100_000).expect("it is checked");
    assert!(cut.protectors.is_empty() && cut.untried > 0, "no time, no answer");
}

#[test]
fn a_value_comes_from_the_nearest_revision_that_has_it() {
    let of = |name: &str, value: &str, here: &str| {
        let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule");
        origin(rule, value, here)
    };
    let later = (Origin::Later, Some("v5.1"), "ef0ff68351be, v5.1".to_owned());
    assert_eq!(of("async-stash", "device-private", "duyck-v4"), later);
    let posted = (Origin::Posted, Some("duyck-v6"), "docs/kernel/attach.md#__driver_attach".to_owned());
    assert_eq!(of("async-stash", "drvdata-and-bit", "v5.1"), posted);
    let earlier = (Origin::Earlier, Some("v5.15"), "b232b02bf3c2, v5.19".to_owned());
    assert_eq!(of("device-attach-schedules-unlocked", "false", "v6.0"), earlier);
    let nowhere = (Origin::Nowhere, None, "docs/kernel/races.md#a1".to_owned());
    assert_eq!(of("unregister-cancels-attach-work", "true", "luis-v2"), nowhere);
}

/// What a terminal acts on, and a line feed that begins a line of its own.
const HOSTILE: &str = "evil\u{1b}[2J\u{9b}31m\n::error::forged.toml";

/// Whether an output has no control character but line feeds, and none of them was forged.
fn is_harmless(output: &Output) -> bool {
    let text = stdout(output) + &stderr(output);
    let lines = text.lines().all(|line| !line.trim_start().starts_with("::error"));
    lines && text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
}

#[cfg(unix)]
#[test]
fn foreign_text_does_nothing_to_terminals_and_logs() {
    let dir = tempfile::tempdir().expect("a directory");
    let bad = BAD.replace("title = \"", "title = \"\\u001b[2J");
    fs::write(dir.path().join(HOSTILE), BAD).expect("it can be written");
    fs::write(dir.path().join("title.toml"), &bad).expect("it can be written");
    fs::write(dir.path().join("plain.toml"), BAD).expect("it can be written");
    for args in [
        &["check", HOSTILE][..],
        &["check", "title.toml"],
        &["check", HOSTILE, "--format", "lkml"],
        &["check", HOSTILE, "--format", "ktap"],
        &["check", HOSTILE, "--revision", "no\u{1b}[2J"],
        &["coverage", HOSTILE],
        &["compare", "--from", "v3.18", "--to", "duyck-v4", HOSTILE],
        &["check", "gone\n::error::\u{1b}[2J.toml"],
        &["replay", HOSTILE],
        &["replay", "--step", HOSTILE],
    ] {
        let output = raddle(args, dir.path());
        assert!(is_harmless(&output), "{args:?}: {}{}", stdout(&output), stderr(&output));
    }
    raddle(&["check", "plain.toml", "--dump", "traces"], dir.path());
    let traces = fs::read_dir(dir.path().join("traces")).expect("it was dumped");
    let json: Vec<PathBuf> = traces.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let is_trace = |path: &PathBuf| path.to_string_lossy().ends_with("stash.json");
    let trace = json.into_iter().find(is_trace).expect("a trace");
    let text = fs::read_to_string(&trace).expect("it can be read");
    let hostile = serde_json::to_string(HOSTILE).expect("it is JSON");
    let hostile =
        text.replace("\"plain.toml\"", &hostile).replace("\"revision\": \"", "\"revision\": \"\\u001b[2J");
    for text in [text.replace("\"plain.toml\"", &serde_json::to_string(HOSTILE).expect("JSON")), hostile] {
        fs::write(dir.path().join("trace.json"), text).expect("it can be written");
        for args in [&["replay", "trace.json"][..], &["replay", "--step", "trace.json"]] {
            let output = raddle(args, dir.path());
            assert!(is_harmless(&output), "{args:?}: {}{}", stdout(&output), stderr(&output));
        }
    }
}

#[test]
fn a_trace_is_read_with_a_limit() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = fs::File::create(dir.path().join("huge.json")).expect("it can be made");
    file.set_len(1 << 40).expect("it can be sparse");
    for args in [&["replay", "huge.json"][..], &["replay", "--step", "huge.json"]] {
        let output = raddle(args, dir.path());
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("larger than 64 MiB"), "{}", stderr(&output));
    }
}

#[test]
fn built_in_scenarios_are_known_by_name_everywhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let rows = |args: &[&str]| {
        let output = raddle(&[&["check"], args, &["--format", "json"]].concat(), dir.path());
        (code(&output), stdout(&output).lines().count(), stderr(&output))
    };
    for name in
        ["bart/unregister-pending", "scenarios/bart/unregister-pending.toml", "unregister-pending-no-flush"]
    {
        assert_eq!(rows(&[name, "--revision", "v5.1"]), (0, 1, String::new()), "{name}");
    }
    let (code, many, _) = rows(&["bart"]);
    assert!(code == 0 && many > 5, "a directory of them: {many}");
    let (code, none, said) = rows(&["bart/unregister"]);
    assert_eq!((code, none), (2, 0), "part of a name is no name: {said}");
    // A file comes before what is built in.
    fs::create_dir(dir.path().join("bart")).expect("a directory");
    fs::write(dir.path().join("bart/mine.toml"), GOOD).expect("written");
    assert_eq!(rows(&["bart"]).1, 1);
    let graph = raddle(&["graph", "--locks", "bart/unregister-pending", "--revision", "v5.1"], dir.path());
    assert!(stdout(&graph).contains("pmem0.mutex"), "{}", stderr(&graph));
}

#[test]
fn scenarios_are_listed_by_hazard_and_revision() {
    let dir = tempfile::tempdir().expect("a directory");
    let list = |args: &[&str]| {
        let output = raddle(&[&["list"], args].concat(), dir.path());
        (code(&output), stdout(&output), stderr(&output))
    };
    let (code, deadlocks, _) = list(&["scenarios", "--hazard", "deadlock"]);
    let (_, some, _) = list(&["scenarios", "--hazard", "deadlock", "--revision", "v5.19"]);
    let (_, all, _) = list(&["scenarios"]);
    let count = |text: &str| text.lines().count();
    assert!(code == 0 && 0 < count(&some) && count(&some) < count(&deadlocks), "{some}{deadlocks}");
    assert!(count(&deadlocks) < count(&all));
    assert!(some.lines().all(|line| deadlocks.contains(line)));
    for (args, said) in [
        (["scenarios", "--hazard", "no-such"], "hazard \"no-such\" is not known"),
        (["scenarios", "--revision", "v9.9"], "revision \"v9.9\" is not known"),
        (["rules", "--hazard", "deadlock"], "raddle list scenarios"),
    ] {
        let (code, _, error) = list(&args);
        assert!(code == 2 && error.contains(said), "{args:?}: {error}");
    }
}

#[test]
fn only_what_was_expected_can_be_unexpected() {
    let (dir, _) = with(BAD);
    let said = |text: &str| {
        fs::write(dir.path().join("case.toml"), text).expect("written");
        let output = raddle(&["check", "case.toml"], dir.path());
        (code(&output), stdout(&output).lines().next().unwrap_or_default().to_owned())
    };
    let expect = BAD.find("[expect]").expect("it expects something");
    let (code, line) = said(&BAD[..expect]);
    assert!(code == 1 && line.contains("violated") && !line.contains("UNEXPECTED"), "{code}: {line}");
    let (code, line) = said(&format!("{}[expect]\nduyck-v4 = []\n", &BAD[..expect]));
    assert!(code == 1 && line.contains("UNEXPECTED, should be verified"), "{code}: {line}");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_the_test_run() {
    let (dir, _) = with(BAD);
    fs::write(dir.path().join("wrong.toml"), "title = 1").expect("written");
    let run = |format: &str| {
        let output = raddle(&["check", ".", "--format", format], dir.path());
        assert_eq!(code(&output), 2);
        stdout(&output)
    };
    let junit = run("junit");
    let document = roxmltree::Document::parse(&junit).expect("XML");
    assert_eq!(document.root_element().attribute("errors"), Some("1"), "{junit}");
    let error = document.descendants().find(|node| node.has_tag_name("error")).expect("an error");
    assert!(
        error
            .parent()
            .and_then(|case| case.attribute("name"))
            .is_some_and(|name| name.contains("wrong.toml"))
    );
    let sarif: serde_json::Value = serde_json::from_str(&run("sarif")).expect("JSON");
    let invocation = &sarif["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert!(
        invocation["toolExecutionNotifications"][0]["message"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("title"))
    );
    let result = &sarif["runs"][0]["results"][0];
    let line = result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().expect("a line");
    assert!(BAD.lines().nth(line as usize - 1).is_some_and(|line| line.contains("run = [")), "{line}");
    assert_eq!(result["level"], "note", "it is expected");
}

#[test]
fn a_command_that_is_told_is_one_that_a_shell_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = raddle(&["new", "bad name"], dir.path());
    assert!(stdout(&output).contains("raddle check 'bad name.toml'"), "{}", stdout(&output));
    let page = stdout(&raddle(&["man"], dir.path()));
    assert!(page.contains("EXIT STATUS") && page.contains("a row is inconclusive"), "exit codes");
}

#[test]
fn names_are_completed() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("base.toml"), GOOD).expect("written");
    let script = stdout(&raddle(&["completions", "bash"], dir.path()));
    assert!(script.contains("RADDLE_COMPLETE=\"bash\""), "the shell asks raddle: {script}");
    let completed = |words: &[&str]| -> Vec<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        command.env("RADDLE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        command.env("_CLAP_IFS", "\n").args(["--", "raddle"]).args(words).current_dir(dir.path());
        let output = command.output().expect("raddle starts");
        stdout(&output).lines().map(str::to_owned).collect()
    };
    assert_eq!(completed(&["check", "--revision", "duyck"]), ["duyck-v4", "duyck-v6"]);
    assert_eq!(completed(&["check", "--avoiding", "stale-d"]), ["stale-driver-pointer"]);
    assert_eq!(completed(&["ablate", "--rule", "dead"]), ["dead-flag"]);
    assert_eq!(completed(&["check", "ba"]), ["base.toml", "bart/"]);
    assert!(completed(&["check", "bart/unreg"]).contains(&"bart/unregister-pending".to_owned()));
    assert!(completed(&["graph", "--locks", "bart/unreg"]).contains(&"bart/unregister-pending".to_owned()));
}

#[test]
fn what_is_wrong_with_an_argument_is_said_without_its_control_characters() {
    let dir = tempfile::tempdir().expect("a directory");
    for args in [["check", "x", "--format", "\u{1b}[31mred"], ["check", "x", "--\u{1b}]0;title\u{7}", "y"]] {
        let output = raddle(&args, dir.path());
        assert_eq!(code(&output), 2);
        let said = stderr(&output);
        assert!(said.contains("error: ") && !said.contains(['\u{1b}', '\u{7}']), "{said:?}");
    }
}

#[test]
fn limits_hold_for_graphs_and_coverage() {
    let dir = tempfile::tempdir().expect("a directory");
    let scenario = "bart/unregister-pending";
    for limit in [&["--max-states", "2"][..], &["--timeout", "0"], &["--max-memory", "1"]] {
        let graph =
            |args: &[&str]| raddle(&[&["graph"], args, limit, &["--threads", "1"]].concat(), dir.path());
        let locks = graph(&["--locks", scenario]);
        assert_eq!(code(&locks), 3, "{limit:?}: {}", stderr(&locks));
        assert_eq!(code(&graph(&["--states", scenario])), 2, "{limit:?}: no part of the states is drawn");
        let args = [&["coverage", scenario, "--threads", "1"], limit].concat();
        let output = raddle(&args, dir.path());
        let said = stdout(&output);
        assert!(said.contains("(not all states were visited: the limit of "), "{limit:?}: {said}");
        assert_eq!(code(&output), 3, "{limit:?}: {said}");
    }
}
