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

/// The same for a set of which a part is on disk.
pub(super) fn behind(shards: &mut [Exact], spill: &Spill, batches: &[Batch]) -> io::Result<Vec<Vec<u32>>> {
    let routes: Vec<Route> = batches.par_iter().map(Route::of).collect();
    let unknown = |(number, shard): (usize, &Exact)| unknown(number, shard, spill, batches, &routes);
    let new: Vec<Chosen> = shards.par_iter().enumerate().map(unknown).collect::<io::Result<_>>()?;
    shards.par_iter_mut().zip(&new).for_each(|(shard, new)| {
        for (at, batch) in batches.iter().enumerate() {
            for place in new.of(at) {
                shard.insert(batch.at(*place as usize), batch.hash_at(*place as usize));
            }
        }
    });
    Ok(batches.par_iter().enumerate().map(|(at, batch)| gather(&new, at, batch.len())).collect())
}

/// The states of a shard that are neither in memory nor on disk, the first of equal ones.
fn unknown(
    number: usize,
    shard: &Exact,
    spill: &Spill,
    batches: &[Batch],
    routes: &[Route],
) -> io::Result<Chosen> {
    let state = |of: &Candidate| batches[of.batch as usize].at(of.place as usize);
    let mut candidates = Vec::new();
    for (at, (batch, route)) in batches.iter().zip(routes).enumerate() {
        for place in route.places(number) {
            let candidate =
                Candidate { hash: batch.hash_at(*place as usize), batch: at as u32, place: *place };
            if shard.find(state(&candidate), candidate.hash).is_none() {
                candidates.push(candidate);
            }
        }
    }
    // The sort keeps the order of equal states.
    candidates.sort_by(|a, b| a.hash.cmp(&b.hash).then_with(|| state(a).cmp(state(b))));
    candidates.dedup_by(|next, first| next.hash == first.hash && state(next) == state(first));
    for run in spill.runs() {
        if candidates.is_empty() {
            break;
        }
        let mut finder = run.finder()?;
        let mut failed = None;
        candidates.retain(|candidate| {
            let found = finder.has(state(candidate), candidate.hash);
            !found.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                false
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    candidates.sort_unstable_by_key(|candidate| (candidate.batch, candidate.place));
    let mut new = Chosen::default();
    let mut candidates = candidates.into_iter().peekable();
    for at in 0..batches.len() {
        while let Some(candidate) = candidates.next_if(|candidate| candidate.batch as usize == at) {
            new.places.push(candidate.place);
        }
        new.end_batch();
    }
    Ok(new)
}
