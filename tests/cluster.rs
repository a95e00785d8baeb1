//! Searches by several processes: what they print, and what they say when one of them is gone or does something else.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use raddle_cluster::Hosts;
use tempfile::TempDir;

/// A search with enough states to be killed in.
const LARGE: &str = include_str!("../scenarios/deferred/late-resource-registration-triggers.toml");

/// Leaves out what would make them few.
const COARSE: [&str; 2] = ["--without", "fine,same,here,dead,canon,frozen,nes,zero"];

/// Verified and violated rows, among them deadlocks, and a livelock, which only a search of all states finds.
const KINDS: [&str; 5] = [
    "bart/unregister-pending",
    "bart/module-unload-pending-no-flush",
    "luis-v2/flush-under-lock",
    "merged/request-module-used-async",
    "drivers/idioms/workqueue-ordered-deadlock",
];

fn command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    command.arg("check").args(args).current_dir(dir);
    command
}

fn raddle(args: &[&str], dir: &Path) -> Output {
    command(args, dir).output().expect("raddle starts")
}

/// The exit code, the output and the messages, but for how far a search is after ten seconds.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is UTF-8");
    let messages = text(&output.stderr);
    let messages = messages.lines().filter(|line| !line.contains(" states/s, "));
    (output.status.code(), text(&output.stdout), messages.map(|line| format!("{line}\n")).collect())
}

/// A directory with a large scenario.
fn large() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("case.toml"), LARGE).expect("it can be written");
    dir
}

const CASE: [&str; 5] = ["case.toml", "--revision", "v7.1-rc", "--format", "json"];

/// Processes that are told where they all are.
struct Running(Vec<Child>);

impl Running {
    /// Starts them, each with its arguments.
    fn start(dir: &Path, each: &[Vec<&str>]) -> Self {
        let commands = each.iter().map(|args| command(args, dir)).collect();
        Running::start_each(dir, commands)
    }

    fn start_each(dir: &Path, commands: Vec<Command>) -> Self {
        let hosts = Hosts::here(commands.len()).expect("there are free ports");
        let file = tempfile::NamedTempFile::new_in(dir).expect("a file");
        let (_, path) = file.keep().expect("it stays");
        fs::write(&path, hosts.addresses().join("\n")).expect("it can be written");
        let start = |(index, mut command): (usize, Command)| {
            command.arg("--hosts").arg(&path).arg("--process").arg(index.to_string());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("raddle starts")
        };
        Running(commands.into_iter().enumerate().map(start).collect())
    }

    fn ended(self) -> Vec<(Option<i32>, String, String)> {
        self.0.into_iter().map(|child| said(&child.wait_with_output().expect("it ends"))).collect()
    }
}

#[test]
fn the_number_of_processes_changes_nothing_that_is_printed() {
    let alone = raddle(&KINDS, Path::new("."));
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    for processes in ["2", "4"] {
        let together = raddle(&[&KINDS[..], &["--processes", processes]].concat(), Path::new("."));
        assert_eq!(said(&together), said(&alone), "{processes} processes");
    }
}

#[test]
fn nor_does_it_in_a_search_of_many_states() {
    let dir = large();
    for how in [&[][..], &["--no-symmetry", "--compact"], &COARSE] {
        let how = [&CASE[..], how].concat();
        let alone = said(&raddle(&how, dir.path()));
        assert_eq!(alone.0, Some(0), "{}", alone.2);
        assert_eq!(said(&raddle(&[&how[..], &["--processes", "3"]].concat(), dir.path())), alone, "{how:?}");
    }
}

/// Of two drivers' asynchronous probes one has no worker.
const CROWDED: &str = r#"
title = "too few workers"
revisions = ["v6.2"]
[device.d]
initially = "added"
[device.e]
initially = "added"
[driver.one]
probe-type = "prefer-asynchronous"
[driver.two]
probe-type = "prefer-asynchronous"
[task.one]
run = ["driver_register(one)"]
[task.two]
run = ["driver_register(two)"]
[environment]
workers = 1
"#;

#[test]
fn nor_does_it_in_a_search_of_all_states() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("crowded.toml"), CROWDED).expect("it can be written");
    for (how, code) in [
        (&["bart/unregister-pending", "--no-reduction"][..], 0),
        (&["luis-v2/flush-under-lock", "--no-reduction"], 0),
        (&["uevent/uevent-race"], 0),
        (&["crowded.toml", "--all-orders"], 3),
    ] {
        let alone = said(&raddle(how, dir.path()));
        assert_eq!(alone.0, Some(code), "{alone:?}");
        assert_eq!(said(&raddle(&[how, &["--processes", "3"]].concat(), dir.path())), alone, "{how:?}");
    }
}

#[test]
fn each_process_has_a_part_of_the_states() {
    let dir = large();
    let how = [&CASE[..], &COARSE, &["--stats", "json", "--processes", "2"]].concat();
    let (code, _, messages) = said(&raddle(&how, dir.path()));
    assert_eq!(code, Some(0), "{messages}");
    let stats: serde_json::Value = serde_json::from_str(&messages).expect("one line of JSON");
    let states = stats["states"].as_u64().expect("a number");
    for process in stats["processes"].as_array().expect("a list") {
        let sent = process["states_sent"].as_u64().expect("a number");
        let each = process["bytes_per_state_sent"].as_f64().expect("a number");
        assert!(sent > states / 4 && each > 8.0, "{process}");
    }
}

#[test]
fn when_a_process_is_killed_the_others_say_so_and_all_can_go_on() {
    let dir = large();
    let how = [&CASE[..], &COARSE].concat();
    let alone = said(&raddle(&how, dir.path()));
    let saving = [&how[..], &["--checkpoint", "saved", "--checkpoint-every", "0"]].concat();
    let mut running = Running::start(dir.path(), &[saving.clone(), saving]);
    while !has_saved(dir.path()) {
        assert!(running.0[1].try_wait().expect("it can be asked").is_none(), "it ends too early");
        std::thread::yield_now();
    }
    running.0[1].kill().expect("it can be killed");
    let (code, out, messages) = running.ended().swap_remove(0);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{messages}");
    assert!(messages.contains("process 1 of 2 is gone"), "{messages}");
    assert!(messages.contains(" levels of the search"), "{messages}");
    assert!(messages.contains("--resume saved"), "{messages}");
    let resuming = [&how[..], &["--resume", "saved"]].concat();
    let ended = Running::start(dir.path(), &[resuming.clone(), resuming.clone()]).ended();
    assert_eq!(ended[0], alone);
    assert_eq!(ended[1], (Some(0), String::new(), String::new()));
    // Three processes cannot go on with what two have saved.
    let (code, _, messages) = said(&raddle(&[&resuming[..], &["--processes", "3"]].concat(), dir.path()));
    assert_eq!(code, Some(2), "{messages}");
    assert!(messages.contains("saved: process 0 has nothing there"), "{messages}");
}

/// Whether process 1 of two has saved a level, not the first one.
fn has_saved(dir: &Path) -> bool {
    let files = fs::read_dir(dir).expect("a directory").flatten();
    let number = |name: String| name.strip_prefix("saved.1-of-2.")?.parse().ok();
    files.filter_map(|file| number(file.file_name().into_string().ok()?)).any(|number: usize| number > 2)
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_of_this_machine_that_is_killed_is_named() {
    let dir = large();
    for victim in [0, 1] {
        let how = [&CASE[..], &COARSE, &["--checkpoint", "saved", "--checkpoint-every", "0"]].concat();
        let mut starter = command(&[&how[..], &["--processes", "2"]].concat(), dir.path());
        let starter = starter.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("raddle starts");
        while !has_saved(dir.path()) {
            std::thread::yield_now();
        }
        let started = fs::read_to_string(format!("/proc/{0}/task/{0}/children", starter.id()));
        let started = started.expect("its children are listed");
        let process = started.split_whitespace().nth(victim).expect("it has started two");
        let killed = Command::new("kill").args(["-9", process]).status().expect("kill is there");
        assert!(killed.success());
        let (code, out, messages) = said(&starter.wait_with_output().expect("it ends"));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{messages}");
        assert!(messages.contains(&format!("process {victim} of 2 is gone")), "{messages}");
        assert!(messages.contains(&format!("process {victim} of 2 has ended: signal: 9")), "{messages}");
        for file in fs::read_dir(dir.path()).expect("a directory").flatten() {
            if file.file_name().to_string_lossy().starts_with("saved") {
                fs::remove_file(file.path()).expect("it can be removed");
            }
        }
    }
}

#[test]
fn processes_that_do_something_else_are_refused() {
    let (dir, other) = (large(), large());
    fs::write(other.path().join("case.toml"), format!("{LARGE}# the same, said otherwise\n"))
        .expect("it can be written");
    let changed = dir.path().join("raddle");
    let mut program = fs::read(env!("CARGO_BIN_EXE_raddle")).expect("it can be read");
    program.push(0);
    fs::copy(env!("CARGO_BIN_EXE_raddle"), &changed).expect("it can be copied");
    fs::write(&changed, program).expect("it can be written");
    let another_raddle = || {
        let mut command = Command::new(&changed);
        command.arg("check").args(CASE).current_dir(dir.path());
        command
    };
    let options = [&CASE[..], &["--all-orders"]].concat();
    for (second, expected) in [
        (command(&CASE, other.path()), "process 1 has another text of case.toml on v7.1-rc than process 0"),
        (command(&options, dir.path()), "process 1 was started with other options than process 0"),
        (
            command(&["case.toml", "--revision", "v6.2"], dir.path()),
            "process 1 is about to check case.toml on v6.2; process 0 has case.toml on v7.1-rc",
        ),
        (another_raddle(), "process 1 is another raddle than process 0"),
    ] {
        let running = Running::start_each(dir.path(), vec![command(&CASE, dir.path()), second]);
        for (code, out, messages) in running.ended() {
            assert_eq!((code, out.as_str()), (Some(2), ""), "{messages}");
            assert!(messages.contains(expected), "{expected}: {messages}");
        }
    }
}

#[test]
fn wrong_hosts_are_told_with_their_place() {
    let dir = large();
    fs::write(dir.path().join("good"), "127.0.0.1:1\n127.0.0.1:2\n").expect("it can be written");
    fs::write(dir.path().join("bad"), "127.0.0.1:1\nnowhere\n").expect("it can be written");
    fs::write(dir.path().join("few"), "127.0.0.1:1\n").expect("it can be written");
    for (options, expected) in [
        (&["--hosts", "bad", "--process", "0"][..], "bad:2: \"nowhere\" is no HOST:PORT"),
        (
            &["--hosts", "few", "--process", "0"],
            "few: one address a line is needed, of two processes or more",
        ),
        (&["--hosts", "gone", "--process", "0"], "gone: No such file or directory"),
        (&["--hosts", "good", "--process", "2"], "there is no process 2: the last is process 1"),
        (&["--hosts", "good"], "--process <I>"),
        (&["--process", "1"], "--process: say with --hosts where the processes are"),
        (&["--processes", "2", "--engine", "loom"], "--processes: only the default search is shared"),
        (&["--processes", "0"], "at least 1 is needed"),
    ] {
        let (code, out, messages) = said(&raddle(&[&CASE[..], options].concat(), dir.path()));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{messages}");
        assert!(messages.contains(expected), "{expected}: {messages}");
    }
    // The last process waits for those before it.
    let hosts = Hosts::here(2).expect("there are free ports");
    fs::write(dir.path().join("alone"), hosts.addresses().join("\n")).expect("it can be written");
    let options = ["--hosts", "alone", "--process", "1", "--patience", "0.1"];
    let (code, out, messages) = said(&raddle(&[&CASE[..], &options].concat(), dir.path()));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{messages}");
    assert!(messages.contains("not all processes were there after 0.1 s"), "{messages}");
}
