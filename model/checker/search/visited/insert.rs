//! Adding batches to the shards of a set, each shard on its own.

use std::io;

use rayon::prelude::*;

use super::batch::Batch;
use super::exact::Exact;
use super::route::{Chosen, Route, gather};
use super::shard::{Shard, shard_of};
use super::spill::Spill;

/// Fewer states than these are not worth a second thread.
const FEW: usize = 2048;

/// Adds all states of some batches; for each batch the places of those that were new.
pub(super) fn insert<S: Shard>(shards: &mut [S], batches: &[Batch]) -> Vec<Vec<u32>> {
    if batches.iter().map(Batch::len).sum::<usize>() < FEW {
        return batches.iter().map(|batch| insert_few(shards, batch)).collect();
    }
    let routes: Vec<Route> = batches.par_iter().map(Route::of).collect();
    let insert = |(shard, states): (usize, &mut S)| {
        let mut new = Chosen::default();
        for (batch, route) in batches.iter().zip(&routes) {
            states.insert_all(batch, route.places(shard), &mut new.places);
            new.end_batch();
        }
        new
    };
    let new: Vec<Chosen> = shards.par_iter_mut().enumerate().map(insert).collect();
    batches.par_iter().enumerate().map(|(at, batch)| gather(&new, at, batch.len())).collect()
}

/// The same for one batch, on this thread.
fn insert_few<S: Shard>(shards: &mut [S], batch: &Batch) -> Vec<u32> {
    let new = |place: &u32| {
        let (state, hash) = (batch.at(*place as usize), batch.hash_at(*place as usize));
        shards[shard_of(hash)].insert(state, hash)
    };
    (0..batch.len() as u32).filter(new).collect()
}

/// A state of some batches, by its place.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    hash: u64,
    batch: u32,
    place: u32,
}

/// What states of a shard that were found are, if a part of the set is on disk.
struct Sifted {
    /// Those that were not known, the first of equal ones.
    new: Chosen,
    /// Those that are not on disk, if they have facts.
    in_memory: Option<Chosen>,
    /// Those that are on disk and have got facts; of equal ones the last has all.
    grown: Vec<Vec<u8>>,
}

/// The states that were new, by batch, and those on disk that have got facts.
pub(super) type Inserted = (Vec<Vec<u32>>, Vec<Vec<u8>>);

/// The same for a set of which a part is on disk.
pub(super) fn behind(shards: &mut [Exact], spill: &Spill, batches: &[Batch]) -> io::Result<Inserted> {
    let routes: Vec<Route> = batches.par_iter().map(Route::of).collect();
    let sift = |(number, shard): (usize, &Exact)| sift(number, shard, spill, batches, &routes);
    let sifted: Vec<Sifted> = shards.par_iter().enumerate().map(sift).collect::<io::Result<_>>()?;
    shards.par_iter_mut().zip(&sifted).for_each(|(shard, sifted)| {
        let inserted = sifted.in_memory.as_ref().unwrap_or(&sifted.new);
        for (at, batch) in batches.iter().enumerate() {
            for place in inserted.of(at) {
                shard.insert(batch.at(*place as usize), batch.hash_at(*place as usize));
            }
        }
    });
    let (new, grown): (Vec<Chosen>, Vec<_>) =
        sifted.into_iter().map(|sifted| (sifted.new, sifted.grown)).unzip();
    let new = batches.par_iter().enumerate().map(|(at, batch)| gather(&new, at, batch.len())).collect();
    Ok((new, grown.into_iter().flatten().collect()))
}

/// The places of some states of batches.
fn chosen(mut candidates: Vec<Candidate>, batches: usize) -> Chosen {
    candidates.sort_unstable_by_key(|candidate| (candidate.batch, candidate.place));
    let mut chosen = Chosen::default();
    let mut candidates = candidates.into_iter().peekable();
    for at in 0..batches {
        while let Some(candidate) = candidates.next_if(|candidate| candidate.batch as usize == at) {
            chosen.places.push(candidate.place);
        }
        chosen.end_batch();
    }
    chosen
}

/// Looks for the states of a shard in memory and on disk.
fn sift(
    number: usize,
    shard: &Exact,
    spill: &Spill,
    batches: &[Batch],
    routes: &[Route],
) -> io::Result<Sifted> {
    let state = |of: &Candidate| batches[of.batch as usize].at(of.place as usize);
    let key = |of: &Candidate| &state(of)[..spill.size().key];
    let facts = spill.size().has_facts();
    let (mut candidates, mut known, mut grown) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (batch, route)) in batches.iter().zip(routes).enumerate() {
        for place in route.places(number) {
            let candidate =
                Candidate { hash: batch.hash_at(*place as usize), batch: at as u32, place: *place };
            match shard.find(state(&candidate), candidate.hash) {
                None => candidates.push(candidate),
                Some(_) if facts => known.push(candidate),
                Some(_) => {}
            }
        }
    }
    // The sort keeps the order of equal states.
    candidates.sort_by(|a, b| a.hash.cmp(&b.hash).then_with(|| key(a).cmp(key(b))));
    let same =
        |next: &mut Candidate, first: &mut Candidate| next.hash == first.hash && key(next) == key(first);
    if !facts {
        candidates.dedup_by(same);
    }
    for run in spill.runs() {
        if candidates.is_empty() {
            break;
        }
        let mut finder = run.finder()?;
        let mut failed = None;
        candidates.retain(|candidate| {
            let found = finder.join(state(candidate), candidate.hash, |state| grown.push(state.to_vec()));
            !found.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                false
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    let in_memory = facts.then(|| {
        known.extend(&candidates);
        candidates.dedup_by(same);
        chosen(known, batches.len())
    });
    Ok(Sifted { new: chosen(candidates, batches.len()), in_memory, grown })
}
