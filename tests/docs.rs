//! Samples of output in the README and the book are what raddle prints, to the letter.
//!
//! A sample is a comment `<!-- $ raddle ARGS -->` and the block of text after it. With
//! `RADDLE_BLESS=1` the blocks are written anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BEGIN: &str = "<!-- $ raddle";
const OPEN: &str = "```text\n";
const CLOSE: &str = "```\n";

fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs")).expect("there is a book") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// What a command prints on standard output.
fn printed(root: &Path, args: &str) -> String {
    let words: Vec<&str> = args.split_whitespace().collect();
    let output = Command::new(env!("CARGO_BIN_EXE_raddle")).args(words).current_dir(root).output();
    let output = output.expect("raddle starts");
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    let kept: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", kept.join("\n").trim_end())
}

/// The page with every sample as it is printed now.
fn refreshed(root: &Path, page: &str) -> String {
    let mut fresh = String::new();
    let mut rest = page;
    while let Some(at) = rest.find(BEGIN) {
        let args_from = at + BEGIN.len();
        let args_to = args_from + rest[args_from..].find("-->").expect("a sample's comment ends");
        let open = args_to + rest[args_to..].find(OPEN).expect("a sample has a block of text") + OPEN.len();
        let close = open + rest[open..].find(CLOSE).expect("a sample's block ends");
        fresh.push_str(&rest[..open]);
        fresh.push_str(&printed(root, &rest[args_from..args_to]));
        rest = &rest[close..];
    }
    fresh.push_str(rest);
    fresh
}

#[test]
fn samples_are_what_raddle_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut samples = 0;
    for path in pages(root) {
        let page = fs::read_to_string(&path).expect("it can be read");
        samples += page.matches(BEGIN).count();
        let fresh = refreshed(root, &page);
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
