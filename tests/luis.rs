//! Luis Rodriguez' patch 6/7 of 2014, from the mail archive, on the kernel of its time: its C against the hand model's
//! `luis-v2`.
//!
//! The patches before it are not in the archive's page. `--rebuild` takes what they made from the hunks of this one. The
//! page is `seeds` beside the trees of `RADDLE_TREES`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use raddle::{Options, Scenario};

/// The tree and the mail, if they are there.
fn at_hand() -> Option<(PathBuf, PathBuf)> {
    let dir = std::env::var_os("RADDLE_TREES").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let found = dir.and_then(|dir| {
        let seeds = std::fs::read_dir(dir.join("../seeds")).ok()?;
        let mut mails = seeds.filter_map(|entry| Some(entry.ok()?.path()));
        let mail = mails
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("001_")))?;
        Some((dir.join("3.18.20"), mail))
    });
    if found.is_none() {
        eprintln!("RADDLE_TREES has no mails beside it: Luis' patch was not read");
    }
    found
}

fn raddle(args: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args).args(paths);
    command.output().expect("raddle starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_the_patches_before_it_nothing_is_checked_and_that_is_said() {
    let Some((tree, mail)) = at_hand() else { return };
    let output = raddle(&["tree"], &[&tree, Path::new("--patch"), &mail]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("drivers/base/bus.c does not apply"), "{error}");
    assert!(error.contains("has no remove_driver_private: is a patch before this one missing?"), "{error}");
}

#[test]
fn its_c_has_the_hazards_of_the_hand_model() {
    let Some((tree, mail)) = at_hand() else { return };
    let mut compared = 0;
    for entry in std::fs::read_dir("scenarios/luis-v2").expect("the scenarios are there") {
        let path = entry.expect("a file").path();
        let scenario = Scenario::load(&path).unwrap_or_else(|errors| panic!("{errors:?}"));
        if !scenario.file().rules.is_empty() {
            continue;
        }
        compared += 1;
        let model = scenario.check_on("luis-v2", &Options::default(), |_| {}).unwrap();
        let args = ["check", "--format", "json", "--rebuild", "--tree"];
        let output = raddle(&args, &[&tree, Path::new("--patch"), &mail, &path]);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}: {}", path.display(), text(&output.stderr)));
        let found: Vec<&str> =
            row["hazards"].as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
        assert_eq!(found, model.hazards(), "{}: {row}", path.display());
    }
    assert_eq!(compared, 8);
}

#[test]
fn a_review_shows_the_lines_of_the_patch_in_its_diagrams() {
    let Some((tree, mail)) = at_hand() else { return };
    let scenario = Path::new("scenarios/luis-v2/unregister-pending.toml");
    let output = raddle(&["review", "--rebuild", "--tree"], &[&tree, &mail, scenario]);
    let said = text(&output.stdout);
    assert!(said.contains("new  stale-driver-pointer, use-after-free"), "{said}{}", text(&output.stderr));
    assert!(said.contains("remove_driver_private is taken from what the hunk shows of it"), "{said}");
    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("+ drivers/base/bus.c:702: queue_work(system_unbound_wq,"), "{said}");
}
