//! Each rule of the reduced search is tested: the mutations of tests/mutations.toml make one wrong each, and some test
//! of `raddle-checker` must fail, or the list says why none can.
//!
//! `RADDLE_MUTATIONS=1 cargo test --test it mutations -- --nocapture` tries them, all in one build, in about half an
//! hour, any other value those whose description has it; what is always tested is that the list fits the code.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Mutation {
    what: String,
    file: PathBuf,
    line: String,
    by: String,
    /// Why no test can see it.
    unseen: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutations() -> Vec<Mutation> {
    let text = std::fs::read_to_string(root().join("tests/mutations.toml")).expect("the list is there");
    let table: toml::Table = text.parse().expect("it is TOML");
    let entry = |entry: &toml::Value| {
        let find = |key: &str| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let text = |key: &str| find(key).unwrap_or_else(|| panic!("{key} is missing in {entry}"));
        let file = Path::new("model/checker").join(text("file"));
        Mutation { what: text("what"), file, line: text("line"), by: text("by"), unseen: find("unseen") }
    };
    table["mutation"].as_array().expect("a list").iter().map(entry).collect()
}

/// The files of a directory with all mutations made.
fn mutate(dir: &Path, mutations: &[Mutation], mut write: impl FnMut(&Path, &str)) {
    let mut files: indexmap::IndexMap<&Path, String> = indexmap::IndexMap::new();
    for (number, Mutation { what, file, line, by, .. }) in mutations.iter().enumerate() {
        let read = || std::fs::read_to_string(dir.join(file)).expect("the file is there");
        let text = files.entry(file).or_insert_with(read);
        assert_eq!(text.matches(line.as_str()).count(), 1, "{what}: {line:?} in {}", file.display());
        let by = by.replace("MUTANT", &format!("crate::is_mutant({number})"));
        *text = text.replace(line.as_str(), &by);
    }
    files.iter().for_each(|(file, text)| write(file, text));
}

#[test]
fn the_list_fits_the_code() {
    let mutations = mutations();
    assert!(mutations.len() > 80, "{} mutations", mutations.len());
    mutate(root(), &mutations, |_, _| {});
}

/// Which is tried.
const SWITCH: &str = r#"
/// Whether this mutation is tried.
pub fn is_mutant(number: usize) -> bool {
    static TRIED: std::sync::OnceLock<Option<usize>> = std::sync::OnceLock::new();
    let tried = || std::env::var("MUTANT").ok().and_then(|tried| tried.parse().ok());
    *TRIED.get_or_init(tried) == Some(number)
}
"#;

/// Copies what git would.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a temporary directory");
    for entry in std::fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let (path, name) = (entry.path(), entry.file_name());
        if name == "target" || name == ".git" {
            continue;
        }
        let to = to.join(name);
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("it can be copied");
        }
    }
}

/// The first test that fails if this mutation is made.
fn caught(tests: &Path, dir: &Path, number: Option<usize>) -> Option<String> {
    let mut command = Command::new(tests);
    command.current_dir(dir.join("model/checker")).args(["search::", "certificate::", "--test-threads", "2"]);
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0").stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("MUTANT", number.map_or_else(String::new, |number| number.to_string()));
    let mut child = command.spawn().expect("the tests run");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let failed = lines.map_while(Result::ok).find(|line| line.ends_with("FAILED"));
    // What it would still find is of no interest; it may be that it is over.
    let _ = child.kill();
    let status = child.wait().expect("it ends");
    failed.or_else(|| (!status.success()).then(|| status.to_string()))
}

#[test]
fn every_mutation_is_caught() {
    let Ok(wanted) = std::env::var("RADDLE_MUTATIONS") else {
        eprintln!("RADDLE_MUTATIONS is not set: no mutation was tried");
        return;
    };
    let mutations = mutations();
    let dir = tempfile::tempdir().expect("a temporary directory");
    copy(root(), dir.path());
    mutate(dir.path(), &mutations, |file, text| {
        std::fs::write(dir.path().join(file), text).expect("it can be written");
    });
    let library = dir.path().join("model/checker/lib.rs");
    let text = std::fs::read_to_string(&library).expect("the library is there");
    std::fs::write(&library, text + SWITCH).expect("it can be written");
    let mut build = Command::new(env!("CARGO"));
    build.args(["test", "-p", "raddle-checker", "--lib", "--no-run", "--message-format=json"]);
    let built = build.current_dir(dir.path()).stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(built.status.success(), "the mutated code does not compile");
    let messages = String::from_utf8(built.stdout).expect("JSON");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut tests = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let tests = tests.next_back().expect("the tests are built");
    assert_eq!(caught(&tests, dir.path(), None), None, "without a mutation");
    let mut wrong = Vec::new();
    let is_wanted = |what: &str| wanted == "1" || what.contains(&wanted);
    for (number, Mutation { what, unseen, .. }) in
        mutations.iter().enumerate().filter(|(_, one)| is_wanted(&one.what))
    {
        let caught = caught(&tests, dir.path(), Some(number));
        println!("{what}: {}", caught.as_deref().unwrap_or("no test fails"));
        if caught.is_some() == unseen.is_some() {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "seen although the list says that they are not, or not seen: {wrong:#?}");
}
