//! The scenarios that are built into raddle.

use include_dir::{Dir, include_dir};

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// The path (below the repository's root) and the text of each built-in scenario, sorted by path.
#[must_use]
pub fn embedded() -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    collect(&SCENARIOS, &mut found);
    found.sort_unstable();
    found
}

fn collect(dir: &'static Dir<'static>, found: &mut Vec<(String, &'static str)>) {
    for file in dir.files().filter(|file| file.path().extension().is_some_and(|ending| ending == "toml")) {
        let text = file.contents_utf8().expect("internal: a built-in scenario is UTF-8");
        found.push((format!("scenarios/{}", file.path().display()), text));
    }
    dir.dirs().for_each(|dir| collect(dir, found));
}

/// A line of the model's source, by its place as stories give it: `model/driver_core/dd.rs:12`.
#[must_use]
pub fn source_line(at: &str) -> Option<&'static str> {
    [&raddle_driver_core::SOURCES, &raddle_probing::SOURCES].into_iter().find_map(|sources| sources.line(at))
}
