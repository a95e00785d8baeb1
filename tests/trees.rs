//! The C of real kernels against the hand model of their version, on every scenario without rules of its own.
//!
//! `RADDLE_TREES` is a directory with one tree per version. Without it nothing is compared, which is said, and
//! which fails where `CI` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tree of a version, if there are trees.
fn tree(version: &str) -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("RADDLE_TREES").filter(|dir| !dir.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "RADDLE_TREES must name a directory of kernel trees in CI");
        eprintln!("RADDLE_TREES is not set: no kernel's C was run");
        return None;
    };
    Some(Path::new(&dir).join(version))
}

/// The rows of a table of docs/trees.md, by its first heading; cells without their backquotes.
fn table(first: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/trees.md")).expect("docs/trees.md is there");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("| {first} |"))).skip(2);
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What a cell lists; `–` lists nothing.
fn listed(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|one| *one != "–").map(str::to_owned).collect()
}

/// Runs `raddle agree`, and compares it with the reviewed tables of docs/trees.md: which revision stands for the
/// tree, which calls it does not have, on which scenarios the two differ.
fn agrees(version: &str) {
    let Some(tree) = tree(version) else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_raddle"))
        .current_dir(root())
        .args(["agree", "scenarios", "--tree"])
        .arg(tree)
        .output()
        .expect("raddle starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines = |word: &str| -> Vec<&str> {
        text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix("  scenarios/")).collect()
    };
    let row = table("tree").into_iter().find(|row| row[0] == version).expect("docs/trees.md has the tree");
    assert!(text.contains(&format!("the same on {} and in Linux {version}", row[1])), "{text}{errors}");
    let absent: BTreeSet<String> =
        lines("absent").iter().filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned())).collect();
    assert_eq!(absent, listed(&row[2]), "{version}: {text}{errors}");

    let found: BTreeMap<String, String> = lines("DIFFERENT")
        .iter()
        .map(|line| {
            let (path, rest) = line.split_once(".toml: ").expect("the path, and what was found");
            let (_, c) = rest.split_once("; C: ").expect("what the C says");
            (path.to_owned(), c.split(';').next().unwrap_or(c).to_owned())
        })
        .collect();
    let reviewed =
        table("scenario").into_iter().filter(|row| row[1] == "all" || listed(&row[1]).contains(version));
    let reviewed: BTreeMap<String, String> = reviewed.map(|row| (row[0].clone(), row[2].clone())).collect();
    assert_eq!(found, reviewed, "{version}: {text}{errors}");
    assert!(lines("same").len() >= 99, "{version}: {text}{errors}");
}

macro_rules! agree {
    ($($test:ident $version:literal,)*) => { $(
        #[test]
        fn $test() {
            agrees($version);
        }
    )* };
}

agree! {
    c_and_model_agree_on_3_18_20 "3.18.20",
    c_and_model_agree_on_4_2_8 "4.2.8",
    c_and_model_agree_on_4_20_0 "4.20.0",
    c_and_model_agree_on_5_2_1 "5.2.1",
    c_and_model_agree_on_5_15_100 "5.15.100",
    c_and_model_agree_on_6_0_1 "6.0.1",
    c_and_model_agree_on_6_2_1 "6.2.1",
    c_and_model_agree_on_7_1_5 "7.1.5",
}

/// Every difference that the table has says which of the two is right.
#[test]
fn the_table_of_differences_is_reviewed() {
    let trees: BTreeSet<String> = table("tree").into_iter().map(|row| row[0].clone()).collect();
    for row in table("scenario") {
        assert!(root().join(format!("scenarios/{}.toml", row[0])).is_file(), "{row:?}");
        assert!(row[1] == "all" || listed(&row[1]).is_subset(&trees), "{row:?}");
        let which = row[3].split(':').next().unwrap_or_default();
        assert!(["the C", "the model", "neither"].contains(&which), "{row:?}");
    }
    assert_eq!(trees.len(), 8);
}
