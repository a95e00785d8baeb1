//! The reader, on real kernels: `RADDLE_TREES` is a directory with one tree per version.

use std::path::PathBuf;

use raddle_kernel_c::patch::Mail;
use raddle_kernel_c::table::Tables;
use raddle_kernel_c::tree::{Tree, TreeOptions};

/// The trees. Without `RADDLE_TREES` there are none, which a run in CI must not overlook.
fn trees() -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os("RADDLE_TREES").filter(|dir| !dir.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "RADDLE_TREES must name a directory of kernel trees in CI");
        eprintln!("RADDLE_TREES is not set: no kernel was read");
        return Vec::new();
    };
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut trees: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    trees.sort();
    assert!(!trees.is_empty(), "{} has no trees", dir.display());
    trees
}

/// The tree of this version, if it is there.
fn tree(version: &str) -> Option<PathBuf> {
    trees().into_iter().find(|path| path.ends_with(version))
}

#[test]
fn what_scenarios_reach_is_understood() {
    let mut unknown = Vec::new();
    for path in trees() {
        let tree = Tree::open(&path, TreeOptions::default()).unwrap();
        assert_eq!(Some(tree.version()), path.file_name().and_then(|name| name.to_str()));
        let reach = tree.reached(&Tables::ours());
        unknown.extend(reach.unknown.iter().map(|one| format!("{}: {one:?}", path.display())));
        // docs/trees.md says so.
        let of_classes = reach.functions.keys().any(|(_, file)| *file == "drivers/base/class.c");
        assert!(!of_classes, "{}", path.display());
        assert!(reach.functions.len() > 50, "{}: {}", path.display(), reach.functions.len());
        // What is not reached is not read: neither most headers nor other drivers.
        assert!(tree.read().len() < 130, "{}: {:?}", path.display(), tree.read());
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn accessors_that_a_macro_makes_are_found() {
    let Some(path) = tree("7.1.5") else { return };
    let tree = Tree::open(&path, TreeOptions::default()).unwrap();
    let made = tree.function("dev_ready_to_probe", "drivers/base/dd.c").unwrap();
    assert!(made.made_by.is_some());
    assert!(tree.line(made.file, made.line).unwrap().contains("ready_to_probe"));
}

/// A patch of one line, made from the tree itself.
#[test]
fn a_patch_applies_to_each_tree() {
    for path in trees() {
        let plain = Tree::open(&path, TreeOptions::default()).unwrap();
        let function = plain.function("driver_attach", "drivers/base/dd.c").unwrap();
        let line = |number| plain.line(function.file, number).unwrap();
        let (before, after) = (line(function.line), line(function.line + 1));
        let at = function.line;
        let patch = format!(
            "--- a/{0}\n+++ b/{0}\n@@ -{at},2 +{at},3 @@\n {before}\n {after}\n+\tmight_sleep();\n",
            function.file
        );
        let mut options = TreeOptions::default();
        options.patches = Mail::all("a.patch", patch.as_bytes()).unwrap();
        let patched = Tree::open(&path, options).unwrap();
        let after = patched.function("driver_attach", "drivers/base/dd.c").unwrap();
        assert_eq!(after.last, function.last + 1, "{}", path.display());
        assert!(patched.is_added(after.file, at + 2) && !patched.is_added(after.file, at + 1));
    }
}
