//! Saved and read again, and what is refused.

use std::fs;
use std::path::Path;

use super::super::checkpoint::{Checkpoint, Fingerprint, Refused, load, read};
use super::*;

const FINGERPRINT: Fingerprint = [7; 32];

/// A set of a kind and a queue with some states each.
fn search(kind: &Storage, states: u64) -> (Visited, Frontier) {
    let mut visited = Visited::new(12, kind).expect("a set");
    visited.insert(&[batch(12, 0..states)]).expect("inserts");
    let mut frontier = Frontier::in_blocks(12, 16);
    (0..states / 2).for_each(|seed| frontier.push(&state(12, seed)).expect("pushes"));
    frontier.take(5).expect("takes");
    (visited, frontier)
}

/// What is written of a search.
fn written(visited: &Visited, frontier: &Frontier) -> Vec<u8> {
    let mut bytes = Vec::new();
    let checkpoint = Checkpoint { fingerprint: &FINGERPRINT, note: b"a note", visited, frontier };
    checkpoint.write(&mut bytes).expect("writes");
    bytes
}

/// Reads a search of a kind.
fn reread(bytes: &[u8], kind: &Storage) -> Result<(Visited, Frontier, Vec<u8>), Refused> {
    let (mut visited, mut frontier) = (Visited::new(12, kind)?, Frontier::in_blocks(12, 16));
    let note = read(bytes, &FINGERPRINT, &mut visited, &mut frontier)?;
    Ok((visited, frontier, note))
}

/// Every kind, those that spill in a directory.
fn kinds(dir: &Path) -> [Storage; 4] {
    let spill = |memory_limit| Storage::Spill { dir: dir.to_owned(), memory_limit };
    [Storage::Exact, spill(0), spill(30_000), Storage::Compact]
}

#[test]
fn a_search_is_read_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let kinds = kinds(dir.path());
    for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1), (3, 3)] {
        let (saved, mut waiting) = search(&kinds[from], 10_000);
        let bytes = written(&saved, &waiting);
        let (mut visited, mut frontier, note) = reread(&bytes, &kinds[to]).expect("reads");
        assert_eq!((visited.len(), frontier.len(), &note[..]), (10_000, 4995, &b"a note"[..]));
        let new = visited.insert(&[batch(12, 5_000..15_000)]).expect("inserts");
        assert_eq!(new, [(5_000..10_000).collect::<Vec<u32>>()], "{from} to {to}");
        assert_eq!(frontier.take(5_000).expect("takes"), waiting.take(5_000).expect("takes"));
    }
}

#[test]
fn an_empty_search_is_read_as_it_was() {
    let (visited, frontier) = search(&Storage::Exact, 0);
    let (visited, frontier, _) = reread(&written(&visited, &frontier), &Storage::Exact).expect("reads");
    assert!(visited.is_empty() && frontier.is_empty());
}

#[test]
fn a_frontier_on_disk_is_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    let (visited, mut waiting) = search(&Storage::Exact, 1_000);
    let mut spilled = Frontier::in_blocks(12, 16).spill_to(dir.path(), 0).expect("a queue");
    let states = waiting.take(1_000).expect("takes");
    states.chunks(12).for_each(|state| spilled.push(state).expect("pushes"));
    assert!(spilled.on_disk() > 0);
    let (_, mut frontier, _) = reread(&written(&visited, &spilled), &Storage::Exact).expect("reads");
    assert_eq!(frontier.take(1_000).expect("takes"), states);
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    for kind in [Storage::Exact, Storage::Compact] {
        let (visited, frontier) = search(&kind, 20);
        let whole = written(&visited, &frontier);
        reread(&whole, &kind).expect("the whole is read");
        for end in 0..whole.len() {
            let refused = reread(&whole[..end], &kind).expect_err("cut off");
            assert!(matches!(refused, Refused::Damaged(_)) || end < 8, "{end}: {refused}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let right = match reread(&flipped, &kind).expect_err("flipped") {
                    Refused::NotACheckpoint => at < 8,
                    Refused::OtherVersion { .. } => (8..12).contains(&at),
                    Refused::Damaged(_) => at >= 12,
                    Refused::Io(_) | Refused::OtherSearch(_) | Refused::OtherLength => false,
                };
                assert!(right, "bit {bit} of byte {at}");
            }
        }
        let longer = [&whole[..], &[0]].concat();
        assert!(matches!(reread(&longer, &kind), Err(Refused::Damaged(_))), "something follows");
    }
}

#[test]
fn damage_far_into_a_large_one_is_refused() {
    let (visited, frontier) = search(&Storage::Exact, 200_000);
    let whole = written(&visited, &frontier);
    assert!(whole.len() > 3 << 20, "several frames");
    for part in 1..7 {
        let at = whole.len() / 7 * part;
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        assert!(matches!(reread(&flipped, &Storage::Exact), Err(Refused::Damaged(_))), "byte {at}");
        assert!(matches!(reread(&whole[..at], &Storage::Exact), Err(Refused::Damaged(_))), "cut at {at}");
    }
    // Two frames of one length, in the other order.
    let frame = 8 + (1 << 20);
    let [head, first, second, rest] =
        [0..12, 12..12 + frame, 12 + frame..12 + 2 * frame, 12 + 2 * frame..whole.len()];
    let swapped = [&whole[head], &whole[second], &whole[first], &whole[rest]].concat();
    assert!(matches!(reread(&swapped, &Storage::Exact), Err(Refused::Damaged(_))));
}

#[test]
fn another_search_is_refused() {
    let (visited, frontier) = search(&Storage::Exact, 20);
    let bytes = written(&visited, &frontier);
    let refused = |fingerprint: &Fingerprint, mut visited: Visited, mut frontier: Frontier| {
        read(&bytes[..], fingerprint, &mut visited, &mut frontier).expect_err("another search").to_string()
    };
    let set = |stride, kind| Visited::new(stride, kind).expect("a set");
    assert_eq!(
        refused(&[8; 32], set(12, &Storage::Exact), Frontier::new(12)),
        "it is of another search: another scenario, revision or option"
    );
    assert_eq!(
        refused(&FINGERPRINT, set(12, &Storage::Compact), Frontier::new(12)),
        "it is of another search: one of the two keeps only hashes of states"
    );
    assert_eq!(
        refused(&FINGERPRINT, set(13, &Storage::Exact), Frontier::new(12)),
        "it is of another search: its states have another length"
    );
    assert_eq!(
        refused(&FINGERPRINT, set(12, &Storage::Exact), Frontier::new(13)),
        "it is of another search: its states have another length"
    );
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("search.checkpoint");
    for states in [100, 50] {
        let (visited, frontier) = search(&Storage::Exact, states);
        let note = b"a note";
        Checkpoint { fingerprint: &FINGERPRINT, note, visited: &visited, frontier: &frontier }
            .save(&path)
            .expect("saves");
        let (mut visited, mut frontier) =
            (Visited::new(12, &Storage::Exact).expect("a set"), Frontier::new(12));
        load(&path, &FINGERPRINT, &mut visited, &mut frontier).expect("loads");
        assert_eq!(visited.len() as u64, states);
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1, "nothing else is left");
    }
    // Killed while it wrote: the one before is there, and the half one is in nobody's way.
    let whole = fs::read(&path).expect("the file");
    fs::write(dir.path().join("search.checkpoint.part"), &whole[..100]).expect("half of one");
    let (visited, frontier) = search(&Storage::Exact, 70);
    Checkpoint { fingerprint: &FINGERPRINT, note: b"", visited: &visited, frontier: &frontier }
        .save(&path)
        .expect("saves");
    assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    // A directory stands in the way of the name under which it is written.
    let whole = fs::read(&path).expect("the file");
    fs::create_dir(dir.path().join("search.checkpoint.part")).expect("a directory");
    let checkpoint =
        Checkpoint { fingerprint: &FINGERPRINT, note: b"", visited: &visited, frontier: &frontier };
    let error = checkpoint.save(&path).expect_err("cannot write").to_string();
    assert!(error.contains("search.checkpoint.part"), "{error}");
    assert_eq!(fs::read(&path).expect("the file"), whole);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (mut visited, mut frontier) = (Visited::new(12, &Storage::Exact).expect("a set"), Frontier::new(12));
    let missing = load(Path::new("no/such/file"), &FINGERPRINT, &mut visited, &mut frontier);
    let error = missing.expect_err("no file").to_string();
    assert!(error.starts_with("no/such/file: "), "{error}");
}
