//! The README and the book say what is: samples of output are what raddle prints, to the letter, and
//! whatever is cited exists.
//!
//! A sample is a comment `<!-- $ raddle ARGS -->` and the block of text after it. With
//! `RADDLE_BLESS=1` the blocks are written anew; read the difference before you commit it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BEGIN: &str = "<!-- $ raddle";
const OPEN: &str = "```text\n";
const CLOSE: &str = "```\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory of the repository whose names end so, sorted.
fn files(below: &str, endings: &[&str]) -> Vec<PathBuf> {
    let has = |path: &Path, ending: &&str| path.extension().is_some_and(|of| of == *ending);
    let mut found = Vec::new();
    let mut left = vec![root().join(below)];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            // What the tests in a browser are installed with is not ours.
            if path.ends_with("node_modules") {
                continue;
            }
            if path.is_dir() {
                left.push(path);
            } else if endings.iter().any(|ending| has(&path, ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    pages.extend(files("docs", &["md"]));
    pages
}

/// What a command prints on standard output.
fn printed(args: &str) -> String {
    let words: Vec<&str> = args.split_whitespace().collect();
    let output = Command::new(env!("CARGO_BIN_EXE_raddle")).args(words).current_dir(root()).output();
    let output = output.expect("raddle starts");
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    let kept: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", kept.join("\n").trim_end())
}

/// The page with every sample as it is printed now.
fn refreshed(page: &str) -> String {
    let mut fresh = String::new();
    let mut rest = page;
    while let Some(at) = rest.find(BEGIN) {
        let args_from = at + BEGIN.len();
        let args_to = args_from + rest[args_from..].find("-->").expect("a sample's comment ends");
        let open = args_to + rest[args_to..].find(OPEN).expect("a sample has a block of text") + OPEN.len();
        let close = open + rest[open..].find(CLOSE).expect("a sample's block ends");
        fresh.push_str(&rest[..open]);
        fresh.push_str(&printed(&rest[args_from..args_to]));
        rest = &rest[close..];
    }
    fresh.push_str(rest);
    fresh
}

#[test]
fn samples_are_what_raddle_prints() {
    let mut samples = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).expect("it can be read");
        samples += page.matches(BEGIN).count();
        let fresh = refreshed(&page);
        if std::env::var_os("RADDLE_BLESS").is_some() {
            fs::write(&path, fresh).expect("it can be written");
        } else {
            let name = path.display();
            assert!(
                page == fresh,
                "{name} shows other output than raddle prints; RADDLE_BLESS=1 refreshes it"
            );
        }
    }
    assert!(samples > 0, "the samples are found");
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn headings_have_the_anchors_that_github_gives_them() {
    assert_eq!(slug(" __driver_attach"), "__driver_attach");
    assert_eq!(slug(" `bus_add_driver`: error path"), "bus_add_driver-error-path");
    assert_eq!(slug(" B. The synchronous core"), "b-the-synchronous-core");
}

/// The anchors of a page, each of which must be its only one of that name.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).expect("it can be read");
    let mut anchors = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        if !in_block && line.starts_with('#') {
            let anchor = slug(line.trim_start_matches('#'));
            assert!(anchors.insert(anchor), "{}: two headings are called {line}", page.display());
        }
    }
    anchors
}

/// The paths in a text: its longest words of these characters that have a slash or a dot in them.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && !"_-./#".contains(c));
    words.map(|word| word.trim_end_matches('.')).filter(|word| word.contains(['/', '.']))
}

/// Every mention of a page of the book, with its anchor, and in the book every mention of a source, a
/// scenario or a test.
#[test]
fn what_is_cited_exists() {
    let mut texts = pages();
    texts.push(root().join("CHANGELOG.md"));
    for directory in ["model", "scenarios", "tests", "benches"] {
        texts.extend(files(directory, &["md", "rs", "toml"]));
    }
    let is_page = |name: &Path| name.extension().is_some_and(|ending| ending == "md");
    let is_source =
        |name: &str| ["model/", "scenarios/", "tests/", "benches/"].iter().any(|of| name.starts_with(of));
    let mut resolved = 0;
    let mut missing = Vec::new();
    for path in &texts {
        let text = fs::read_to_string(path).expect("it can be read");
        let text = text.replace("](#", &format!("]({}#", path.file_name().unwrap().to_str().unwrap()));
        for cited in paths(&text) {
            let (file, anchor) = cited.split_once('#').map_or((cited, None), |(file, of)| (file, Some(of)));
            let checked = is_page(Path::new(file)) || is_page(path) && is_source(file);
            if !checked {
                continue;
            }
            // From the citing file, from the root, or, as rules do, from docs/kernel.
            let bases =
                [path.parent().expect("a file is in a directory"), root(), &root().join("docs/kernel")];
            let target = bases.iter().map(|base| base.join(file)).find(|target| target.exists());
            if target.is_some_and(|target| anchor.is_none_or(|of| anchors(&target).contains(of))) {
                resolved += 1;
            } else {
                missing.push(format!("{}: {cited}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "cited, and not there:\n{}", missing.join("\n"));
    assert!(resolved > 100, "citations are found");
}

/// What a scenario's bodies and calls are named in stacks: no functions of the kernel.
const NOT_OF_THE_KERNEL: [&str; 8] =
    ["probe", "remove", "work_func", "use", "device_alloc", "call", "release", "ioctl"];

#[test]
fn every_modelled_function_has_its_steps_in_the_book() {
    let documented: BTreeSet<String> =
        files("docs/kernel", &["md"]).iter().flat_map(|page| anchors(page)).collect();
    let mut modelled = 0;
    for path in ["model/driver_core", "model/probing"].iter().flat_map(|of| files(of, &["rs"])) {
        let text = fs::read_to_string(&path).expect("it can be read");
        for call in text.split("cpu.call(\"").skip(1) {
            let name = call.split(['"', ':']).next().expect("a call has a name");
            let known = documented.contains(name) || NOT_OF_THE_KERNEL.contains(&name);
            assert!(known, "{}: {name} has no heading in docs/kernel", path.display());
            modelled += 1;
        }
    }
    assert!(modelled > 50, "the functions are found");
}

/// The crates that a crate depends on, among ours.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).expect("it can be read");
    let of_all = text.split("\n[").find_map(|section| section.strip_prefix("dependencies]"));
    let names = of_all.unwrap_or_default().lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("raddle-")).map(str::to_owned).collect()
}

#[test]
fn the_architecture_has_the_arrows_of_the_crates() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("it can be read");
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| `raddle-")) {
        let named: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let [_, place, others @ ..] = named.as_slice() else { panic!("{row}: name, place, dependencies") };
        let drawn = others.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(dependencies(&root().join(place).join("Cargo.toml")), drawn, "{place}");
        rows += 1;
    }
    assert_eq!(rows, dependencies(&root().join("Cargo.toml")).len(), "raddle depends on all of them");
}

/// Every page of the book is in its table of contents, once.
#[test]
fn the_table_of_contents_has_every_page() {
    let contents = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("it can be read");
    let listed: Vec<&str> = contents.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let mut pages: Vec<String> = files("docs", &["md"])
        .iter()
        .map(|page| page.strip_prefix(root().join("docs")).unwrap().display().to_string())
        .filter(|page| !page.starts_with("SUMMARY"))
        .collect();
    let mut listed: Vec<String> = listed.into_iter().map(str::to_owned).collect();
    listed.sort();
    pages.sort();
    assert_eq!(listed, pages);
}

/// The directory of the crate that a file belongs to.
fn crate_of(file: &Path) -> &Path {
    file.ancestors().skip(1).find(|above| above.join("Cargo.toml").is_file()).expect("a crate's directory")
}

/// A package has only its own crate's files: what a crate includes when it is compiled is among them.
#[test]
fn no_crate_includes_files_of_another() {
    let mut seen = 0;
    for source in ["model", "tests", "benches"].iter().flat_map(|below| files(below, &["rs"])) {
        let text = fs::read_to_string(&source).expect("it can be read");
        for (at, name) in
            ["include_str!(\"", "include_dir!(\""].iter().flat_map(|name| text.match_indices(name))
        {
            let rest = &text[at + name.len()..];
            let Some((path, _)) = rest.split_once('"').filter(|(path, _)| !path.contains('\\')) else {
                continue;
            };
            let own = crate_of(&source);
            let included = match path.strip_prefix("$CARGO_MANIFEST_DIR") {
                Some(below) => own.join(below.trim_start_matches('/')),
                None => source.with_file_name(path),
            };
            let included = included.canonicalize().unwrap_or_else(|error| panic!("{path}: {error}"));
            let other = if included.is_dir() {
                crate_of(&included.join("lib.rs")).to_owned()
            } else {
                crate_of(&included).to_owned()
            };
            assert_eq!(own.canonicalize().unwrap(), other, "{} includes {path}", source.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} are found");
}

/// A link of the book to a file outside of it leads nowhere once the book is built: such files are named only.
#[test]
fn the_book_links_to_the_book() {
    let book = root().join("docs");
    for page in files("docs", &["md"]) {
        let text = fs::read_to_string(&page).expect("it can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if link.is_empty() || link.contains(':') {
                continue;
            }
            let file = page.with_file_name(link).canonicalize().unwrap_or_default();
            assert!(file.starts_with(&book) && file.is_file(), "{} links to {link}", page.display());
        }
    }
}
