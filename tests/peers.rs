//! Other checkers on the models that `raddle export` writes: SPIN (Debian's `spin`, with a C compiler) and TLC.
//!
//! Where SPIN is missing the test says so and passes, unless `RADDLE_SPIN=required`. TLC is tried where `RADDLE_TLC`
//! names its `tla2tools.jar`. `RADDLE_SLOW=1` tries all rows of up to 5,000 states instead of a few.

use std::path::Path;
use std::process::Command;

use raddle::Scenario;
use raddle::certified::export;
use raddle_checker::export::{Explored, Model};
use raddle_probing::scenario::scenario_files;

/// Rows with hazards at a step, at rest and by a warning, a deadlock, spawned tasks that are sorted, and none.
const ROWS: &[(&str, &str)] = &[
    ("bart/unregister-pending", "v4.20"),
    ("bart/unregister-pending", "v5.1"),
    ("torokhov/wait-for-device-probe", "v5.9"),
    ("hazards/refcount-leak", "v7.1"),
    ("drivers/acpi-power-meter", "v7.1-rc"),
    ("drivers/idioms/workqueue-delayed-without-cancel", "v6.12"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The number before a word of a peer's output.
fn number(text: &str, word: &str) -> usize {
    let before = text.split(word).next().expect("some text");
    let digits = before.trim_end().rsplit(|c: char| c.is_whitespace()).next().expect("some text");
    digits.replace(',', "").parse().unwrap_or_else(|_| panic!("no number before {word:?} in {text}"))
}

fn spin(model: &Model) -> Explored {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("model.pml"), model.promela()).expect("it can be written");
    let here =
        |program: &str, args: &[&str]| output(Command::new(program).args(args).current_dir(dir.path()));
    here("spin", &["-a", "model.pml"]);
    here("cc", &["-w", "-O0", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=4096", "-o", "pan", "pan.c"]);
    let text = here("./pan", &["-c0", "-m1000000"]);
    let met = |text: &str, at: usize| {
        let number = text[at..].split(')').next().expect("some text");
        model.hazard(number.parse().expect("the number of a hazard")).expect("a hazard")
    };
    const FAILED: &str = "assertion violated (hazard!=";
    let mut hazards: Vec<&str> =
        text.match_indices(FAILED).map(|(at, found)| met(&text, at + found.len())).collect();
    hazards.sort_unstable();
    hazards.dedup();
    Explored { states: number(&text, " states, stored") - hazards.len(), hazards }
}

fn tlc(model: &Model, jar: &str) -> Explored {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("Row.tla"), model.tla("Row")).expect("it can be written");
    std::fs::write(dir.path().join("Row.cfg"), model.tlc()).expect("it can be written");
    let args = ["-cp", jar, "tlc2.TLC", "-continue", "-workers", "1", "Row"];
    let run = Command::new("java").args(args).current_dir(dir.path()).output().expect("java runs");
    let text = String::from_utf8_lossy(&run.stdout);
    let invariants = (1..).map_while(|number| model.hazard(number)).collect::<Vec<_>>();
    let broken = |id: &&&'static str| {
        text.contains(&format!("Invariant {} is violated", raddle_checker::export::invariant(id)))
    };
    let mut hazards: Vec<&str> = invariants.iter().filter(broken).copied().collect();
    hazards.sort_unstable();
    Explored { states: number(&text, " distinct states found") - hazards.len(), hazards }
}

/// The models of some rows, or of all that are small.
fn models() -> Vec<(String, Model)> {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a scenario");
        Scenario::parse(&path.display().to_string(), &text).expect("a scenario")
    };
    let rows: Vec<(Scenario, Vec<String>)> = if std::env::var_os("RADDLE_SLOW").is_some() {
        let files = scenario_files(&root().join("scenarios")).expect("there are scenarios");
        let row = |path: &std::path::PathBuf| {
            let scenario = read(path);
            let revisions = scenario.file().revisions.clone();
            (scenario, revisions)
        };
        files.iter().map(row).collect()
    } else {
        let row = |(name, revision): &(&str, &str)| {
            (read(&root().join(format!("scenarios/{name}.toml"))), vec![(*revision).to_owned()])
        };
        ROWS.iter().map(row).collect()
    };
    let mut models = Vec::new();
    for (scenario, revisions) in rows {
        for revision in revisions {
            let what = format!("{} on {revision}", scenario.file().path);
            match export(&scenario, &revision, 5_000) {
                Ok(model) => models.push((what, model)),
                Err(why) => eprintln!("{what}: {why}"),
            }
        }
    }
    models
}

#[test]
fn spin_finds_the_same_states_and_hazards() {
    let is_there = |program: &str, arg: &str| Command::new(program).arg(arg).output().is_ok();
    if !is_there("spin", "-V") || !is_there("cc", "--version") {
        println!("SPIN or a C compiler is missing: nothing was tested");
        assert!(std::env::var_os("RADDLE_SPIN").is_none(), "spin and cc are required");
        return;
    }
    for (what, model) in models() {
        assert_eq!(model.contradiction(&spin(&model)), None, "{what}");
    }
}

#[test]
fn tlc_finds_the_same_states_and_hazards() {
    let Ok(jar) = std::env::var("RADDLE_TLC") else {
        println!("RADDLE_TLC does not name tla2tools.jar: TLC was not tried");
        return;
    };
    for (what, model) in models() {
        assert_eq!(model.contradiction(&tlc(&model, &jar)), None, "{what}");
    }
}
