//! The set and the queue against plain ones.

mod checkpoint;
mod facts;
mod spill;

use indexmap::IndexSet;
use proptest::prelude::*;

use super::batch::Batch;
use super::frontier::Frontier;
use super::packing::{Field, Packing};
use super::{Storage, Visited};

/// States of so many bytes, few enough that many are equal.
fn state(stride: usize, seed: u64) -> Vec<u8> {
    (0..stride).map(|at| (seed >> (at % 8 * 8)) as u8 ^ (at / 8) as u8).collect()
}

/// A batch of states made from numbers.
fn batch(stride: usize, seeds: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::new(stride);
    seeds.into_iter().for_each(|seed| batch.push(&state(stride, seed)));
    batch
}

/// What a plain set says was new.
fn plainly(known: &mut IndexSet<Vec<u8>>, batches: &[Batch]) -> Vec<Vec<u32>> {
    let of = |batch: &Batch| {
        (0..batch.len() as u32).filter(|place| known.insert(batch.at(*place as usize).to_vec())).collect()
    };
    batches.iter().map(of).collect()
}

/// Runs in a pool of so many threads.
fn threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(run)
}

/// Feeds the batches of each round to a set of each kind and to a plain one.
fn agree(stride: usize, rounds: &[Vec<Batch>]) {
    let dir = tempfile::tempdir().expect("a directory");
    let spill = |memory_limit| Storage::Spill { dir: dir.path().to_owned(), memory_limit };
    for kind in [Storage::Exact, Storage::Compact, spill(0), spill(50_000), spill(usize::MAX)] {
        for count in [1, 2] {
            let mut known = IndexSet::new();
            let mut visited = Visited::new(stride, &kind).expect("a set");
            for batches in rounds {
                let new = threads(count, || visited.insert(batches)).expect("inserts");
                assert_eq!(new, plainly(&mut known, batches), "{kind:?}, {count} threads");
                assert_eq!(visited.len(), known.len());
            }
        }
    }
    let left = std::fs::read_dir(dir.path()).expect("the directory").count();
    assert_eq!(left, 0, "files on disk go with their set");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_set_is_a_set(
        stride in 1_usize..70,
        rounds in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(0_u64..300, 0..200), 0..5), 1..5),
    ) {
        let rounds: Vec<Vec<Batch>> = rounds
            .into_iter()
            .map(|batches| batches.into_iter().map(|seeds| batch(stride, seeds)).collect())
            .collect();
        agree(stride, &rounds);
    }
}

#[test]
fn a_large_set_is_a_set() {
    // Many of each batch are equal, some are of an earlier batch or round.
    let round = |round: u64| {
        (0..3)
            .map(|part| batch(20, (0..20_000).map(|at| (at * at + part * 7) % (9_000 + 30_000 * round))))
            .collect()
    };
    agree(20, &(0..4).map(round).collect::<Vec<_>>());
}

#[test]
fn a_state_of_no_bytes_is_one_state() {
    agree(0, &[vec![batch(0, [1, 2])], vec![batch(0, 0..5000)]]);
}

#[test]
fn memory_is_counted() {
    let states = |round: u64| batch(60, round * 50_000..(round + 1) * 50_000);
    for (kind, least, most) in [(Storage::Exact, 65.0, 73.0), (Storage::Compact, 8.8, 12.0)] {
        let mut visited = Visited::new(60, &kind).expect("a set");
        assert!(visited.bytes() < 2048, "an empty one holds little");
        (0..20).for_each(|round| drop(visited.insert(&[states(round)]).expect("inserts")));
        let each = visited.bytes() as f64 / visited.len() as f64;
        assert!((least..most).contains(&each), "{kind:?}: {each}");
    }
}

#[test]
fn only_a_compact_set_may_leave_out_states() {
    for (kind, expected) in [(Storage::Exact, 0.0), (Storage::Compact, 1e8 / 2_f64.powi(65))] {
        let mut visited = Visited::new(8, &kind).expect("a set");
        visited.insert(&[batch(8, 0..10_000)]).expect("inserts");
        assert_eq!(visited.omission_probability(visited.len()), expected);
    }
}

#[test]
fn hashes_differ_in_every_part() {
    // Neighbouring states, as a search makes them: by pieces of 32 bits, the pairs with one hash are as
    // rare as those of random numbers, n^2 / 2^33 = 116 of a million, wherever the piece is taken.
    let n = 1_000_000;
    let batch = batch(40, (0..n).map(|at| ((at % 10) << 56) | ((at / 10 % 100) << 24) | (at / 1000)));
    for shift in [0, 16, 32] {
        let pieces: IndexSet<u32> = batch.hashes().iter().map(|hash| (hash >> shift) as u32).collect();
        let pairs = n as usize - pieces.len();
        assert!((60..180).contains(&pairs), "{pairs} pairs at bit {shift}");
    }
}

#[test]
fn the_hash_is_fixed() {
    // Files of states by hash outlive a run.
    assert_eq!(batch(5, [0x05_0403_0201]).hash_at(0), 855_637_937_726_267_687);
}

proptest! {
    #[test]
    fn a_queue_is_a_queue(
        stride in 1_usize..9,
        steps in prop::collection::vec((0_usize..40, 0_usize..40), 1..40),
    ) {
        let mut plain = std::collections::VecDeque::new();
        let dir = tempfile::tempdir().expect("a directory");
        let mut frontier = Frontier::in_blocks(stride, 7);
        let mut spilled = Frontier::in_blocks(stride, 7).spill_to(dir.path(), 10 * stride).expect("a queue");
        for (step, (pushed, taken)) in steps.into_iter().enumerate() {
            for at in 0..pushed {
                let state = state(stride, (step * 100 + at) as u64);
                frontier.push(&state).expect("pushes");
                spilled.push(&state).expect("pushes");
                plain.push_back(state);
            }
            let expected: Vec<u8> = plain.drain(..taken.min(plain.len())).flatten().collect();
            prop_assert_eq!(&frontier.take(taken).expect("takes"), &expected);
            prop_assert_eq!(&spilled.take(taken).expect("takes"), &expected);
            prop_assert_eq!(frontier.len(), plain.len());
            prop_assert!(frontier.bytes() <= (plain.len() + 21) * stride);
            prop_assert!(spilled.bytes() <= (10 + 21) * stride);
            // One is the lock.
            let files = std::fs::read_dir(dir.path().read_dir()?.next().expect("its own")?.path())?.count() - 1;
            prop_assert_eq!(spilled.on_disk(), (files * 7 * stride) as u64);
        }
    }
}

/// Fields of 1, 2 or 4 bytes, with their bits and gaps between them.
fn fields() -> impl Strategy<Value = (Vec<Field>, usize)> {
    let field = (prop::sample::select(vec![1_usize, 2, 4]), 0_u32..33, 0_usize..3);
    prop::collection::vec(field, 0..40).prop_map(|fields| {
        let mut end = 0;
        let place = |(bytes, bits, gap): (usize, u32, usize)| {
            let field = Field { offset: end + gap, bytes, bits: bits.min(8 * bytes as u32) };
            end += gap + bytes;
            field
        };
        let fields = fields.into_iter().map(place).collect();
        (fields, end + 1)
    })
}

proptest! {
    #[test]
    fn packing_loses_nothing((fields, length) in fields(), seed in any::<u64>(), values in any::<[u32; 40]>()) {
        let base: Vec<u8> = state(length, seed);
        let packing = Packing::new(&base, &fields);
        let bits: u32 = fields.iter().map(|field| field.bits).sum();
        prop_assert_eq!(packing.stride(), bits.div_ceil(8) as usize);
        let mut given = base.clone();
        for (field, value) in fields.iter().zip(values) {
            let bytes = &mut given[field.offset..][..field.bytes];
            let mut whole = [0; 4];
            whole[..field.bytes].copy_from_slice(bytes);
            let mask = if field.bits == 32 { u32::MAX } else { (1 << field.bits) - 1 };
            let mixed = (u32::from_le_bytes(whole) & !mask) | (value & mask);
            bytes.copy_from_slice(&mixed.to_le_bytes()[..field.bytes]);
        }
        let mut packed = vec![7];
        packing.pack(&given, &mut packed);
        prop_assert_eq!(packed.len(), 1 + packing.stride());
        let mut back = vec![0xaa; length];
        packing.unpack(&packed[1..], &mut back);
        prop_assert_eq!(back, given);
    }
}
