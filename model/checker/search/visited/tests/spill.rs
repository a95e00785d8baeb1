//! What is on disk.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::super::scratch::LOCK;
use super::*;

/// A set that keeps at most so many bytes in memory.
fn spilling(dir: &Path, stride: usize, memory_limit: usize) -> Visited {
    Visited::new(stride, &Storage::Spill { dir: dir.to_owned(), memory_limit }).expect("a set")
}

/// All files below a directory, locks left out.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let inner = fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("an entry").path());
    let all = inner.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    all.filter(|path| !path.ends_with(LOCK)).collect()
}

#[test]
fn runs_are_merged_and_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut visited = spilling(dir.path(), 30, 0);
    for round in 0..100 {
        // Half of each batch is of the one before.
        let new = visited.insert(&[batch(30, round * 100..round * 100 + 200)]).expect("inserts");
        assert_eq!(new[0].len(), if round == 0 { 200 } else { 100 });
        assert!(files(dir.path()).len() <= 14, "seven runs of a level at most, and of 100 two levels");
        let sizes: u64 = files(dir.path()).iter().map(|path| fs::metadata(path).expect("a file").len()).sum();
        assert_eq!(sizes, visited.on_disk());
        assert_eq!(visited.on_disk(), 30 * visited.len() as u64, "each state is once on disk");
    }
    let all = visited.insert(&[batch(30, 0..10_100)]).expect("inserts");
    assert_eq!(all, [Vec::<u32>::new()]);
}

#[test]
fn a_large_set_goes_to_disk_in_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut visited = spilling(dir.path(), 60, 1 << 20);
    for round in 0..5 {
        let new = visited.insert(&[batch(60, round * 15_000..round * 15_000 + 30_000)]).expect("inserts");
        let first = if round == 0 { 0 } else { 15_000 };
        assert_eq!(new, [(first..30_000).collect::<Vec<u32>>()]);
        assert!(visited.bytes() < 1_200_000, "{} bytes", visited.bytes());
    }
    assert!(visited.on_disk() > 60 * 50_000);
}

#[test]
fn files_are_removed_after_a_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut visited = spilling(dir.path(), 8, 0);
        visited.insert(&[batch(8, 0..100)]).expect("inserts");
        let mut frontier = Frontier::in_blocks(8, 4).spill_to(dir.path(), 0).expect("a queue");
        (0..20).for_each(|seed| frontier.push(&state(8, seed)).expect("pushes"));
        assert_eq!(files(dir.path()).len(), 1 + 3, "a run and all blocks but the first and the last");
        panic!("as a test");
    }));
    assert!(panicked.is_err());
    assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 0);
}

#[test]
fn an_error_names_the_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let nowhere = dir.path().join("nowhere");
    let kind = Storage::Spill { dir: nowhere.clone(), memory_limit: 0 };
    let error = Visited::new(8, &kind).expect_err("no directory").to_string();
    assert!(error.contains(nowhere.to_str().expect("a name")), "{error}");

    let mut visited = spilling(dir.path(), 8, 0);
    visited.insert(&[batch(8, 0..100)]).expect("inserts");
    let [run] = &files(dir.path())[..] else { panic!("one run") };
    fs::write(run, [0; 99]).expect("cuts it off");
    let error = visited.insert(&[batch(8, 100..200)]).expect_err("the run is too short").to_string();
    assert!(error.contains(run.to_str().expect("a name")), "{error}");
    fs::remove_file(run).expect("removes it");
    let error = visited.insert(&[batch(8, 100..200)]).expect_err("there is no run").to_string();
    assert!(error.contains(run.to_str().expect("a name")), "{error}");
}
