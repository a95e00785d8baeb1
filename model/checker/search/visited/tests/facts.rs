//! States that have facts, against a plain map of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::batch::Size;
use super::super::checkpoint::{Checkpoint, Fingerprint, read};
use super::*;

/// A byte that tells states apart, two bytes of facts, and the mark.
const SIZE: Size = Size { whole: 4, key: 1 };

const FINGERPRINT: Fingerprint = [7; 32];

/// The facts of each state, and the states that have got some since they were last taken.
#[derive(Default)]
struct Plain {
    facts: BTreeMap<u8, [u8; 2]>,
    grown: BTreeSet<u8>,
}

impl Plain {
    /// Whether a state is new.
    fn insert(&mut self, state: u8, facts: [u8; 2]) -> bool {
        let Some(there) = self.facts.get_mut(&state) else {
            self.facts.insert(state, facts);
            return true;
        };
        let all = [0, 1].map(|at| there[at] | facts[at]);
        if all != *there {
            self.grown.insert(state);
        }
        *there = all;
        false
    }

    /// The states that have got facts, with all that they have.
    fn take_grown(&mut self) -> BTreeSet<[u8; 4]> {
        let marked = |state: u8| {
            let facts = self.facts[&state];
            [state, facts[0], facts[1], 1]
        };
        std::mem::take(&mut self.grown).into_iter().map(marked).collect()
    }
}

fn grown(visited: &mut Visited) -> BTreeSet<[u8; 4]> {
    let count = visited.grown();
    let mut states = visited.take_grown(3);
    states.extend(visited.take_grown(usize::MAX));
    let all: BTreeSet<[u8; 4]> =
        states.chunks(4).map(|state| state.try_into().expect("four bytes")).collect();
    assert_eq!(all.len() * 4, states.len(), "none is taken twice");
    assert_eq!(all.len(), count);
    all
}

/// Saved and read again, into a set of some kind.
fn reread(visited: &Visited, kind: &Storage) -> Visited {
    let mut bytes = Vec::new();
    let frontier = Frontier::new(SIZE.whole);
    let checkpoint = Checkpoint { fingerprint: &FINGERPRINT, note: b"", visited, frontier: &frontier };
    checkpoint.write(&mut bytes).expect("writes");
    let (mut again, mut queue) = (Visited::new(SIZE, kind).expect("a set"), Frontier::new(SIZE.whole));
    read(&bytes[..], &FINGERPRINT, &mut again, &mut queue).expect("reads");
    again
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_state_that_is_found_again_has_the_facts_of_both(
        rounds in prop::collection::vec((
            prop::collection::vec(prop::collection::vec((0..40_u8, 0..4_u8, 0..8_u8), 0..60), 0..4),
            any::<bool>(), prop::option::of(0..3_usize)), 1..6),
        many in any::<bool>(),
        kind in 0..3_usize,
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let spill = |memory_limit| Storage::Spill { dir: dir.path().to_owned(), memory_limit };
        let kinds = [Storage::Exact, spill(0), spill(20_000)];
        let mut plain = Plain::default();
        let mut visited = Visited::new(SIZE, &kinds[kind]).expect("a set");
        for (batches, take, save) in rounds {
            // More than enough for several threads.
            let times = if many { 60 } else { 1 };
            let mut batch_of = |states: &[(u8, u8, u8)]| {
                let mut batch = Batch::new(SIZE);
                let mut new = Vec::new();
                for (state, one, two) in std::iter::repeat_n(states, times).flatten() {
                    if plain.insert(*state, [*one, *two]) {
                        new.push(batch.len() as u32);
                    }
                    batch.push(&[*state, *one, *two, 0]);
                }
                (batch, new)
            };
            let (batches, new): (Vec<Batch>, Vec<Vec<u32>>) =
                batches.iter().map(|states| batch_of(states)).unzip();
            prop_assert_eq!(threads(2, || visited.insert(&batches)).expect("inserts"), new);
            prop_assert_eq!(visited.len(), plain.facts.len());
            if let Some(kind) = save {
                visited = reread(&visited, &kinds[kind]);
                prop_assert_eq!(visited.len(), plain.facts.len());
            }
            if take {
                prop_assert_eq!(grown(&mut visited), plain.take_grown());
            }
        }
        prop_assert_eq!(grown(&mut visited), plain.take_grown());
    }
}
