//! Rows on all processors: most are small, and one thread for each costs less than all threads for one after the
//! other. Results come in the order of the rows, whatever the number of threads.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use raddle::Options;
use rayon::ThreadPoolBuilder;

/// A row with more states is checked on all threads.
const SMALL: usize = 100_000;

/// How one thread checks a row: it stops where that is [`SMALL`] no longer. `None`: rows are limited, and then they go one
/// after the other.
fn few(options: &Options) -> Option<Options> {
    let limits = &options.limits;
    let limited =
        limits.state_limit.is_some() || limits.memory_limit.is_some() || limits.time_limit.is_some();
    let mut few = options.clone().threads(1);
    few.limits.state_limit = Some(SMALL);
    (!limited).then_some(few)
}

/// Checks rows on a thread each while `use_them` takes the results. `small` is a row's, with these options, if they were
/// enough for it. Nobody works ahead where rows are limited, and on the only row: all threads are for that.
pub fn check_ahead<T: Sync, R: Send, U>(
    rows: &[T],
    options: &Options,
    small: impl Fn(&T, &Options) -> Option<R> + Sync,
    use_them: impl FnOnce(Results<'_, Option<R>>) -> U,
) -> U {
    let few = few(options).filter(|_| rows.len() > 1);
    let rows = if few.is_some() { rows } else { &[] };
    work_ahead(rows, options.resources.threads, |row| small(row, few.as_ref()?), use_them)
}

/// The results of rows, in their order.
pub struct Results<'w, R> {
    rows: usize,
    next: &'w AtomicUsize,
    given: usize,
    early: BTreeMap<usize, thread::Result<R>>,
    from: Receiver<(usize, thread::Result<R>)>,
}

impl<R> Results<'_, R> {
    /// The result of the next row, or its panic; `None` if nobody works ahead.
    fn take(&mut self) -> Option<thread::Result<R>> {
        let row = self.given;
        self.given += 1;
        while row < self.rows && !self.early.contains_key(&row) {
            let (row, result) = self.from.recv().ok()?;
            self.early.insert(row, result);
        }
        self.early.remove(&row)
    }
}

impl<R> Results<'_, Option<R>> {
    /// What was found out ahead about the next row, or what `now` finds out; whoever has panicked does so here.
    pub fn take_or(&mut self, now: impl FnOnce() -> R) -> R {
        match self.take() {
            Some(Ok(Some(found))) => found,
            Some(Err(panic)) => resume_unwind(panic),
            Some(Ok(None)) | None => now(),
        }
    }
}

impl<R> Drop for Results<'_, R> {
    /// What is left is not begun.
    fn drop(&mut self) {
        self.next.store(self.rows, Ordering::Relaxed);
    }
}

/// Works on rows on so many threads (0: on all processors) while `use_them` takes the results.
fn work_ahead<T: Sync, R: Send, U>(
    rows: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    use_them: impl FnOnce(Results<'_, R>) -> U,
) -> U {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    let (next, work) = (AtomicUsize::new(0), &work);
    let (to, from) = channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(rows.len()) {
            let (to, next) = (to.clone(), &next);
            let all_rows = move || {
                loop {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = rows.get(row) else { break };
                    let result = catch_unwind(AssertUnwindSafe(|| work(item)));
                    if to.send((row, result)).is_err() {
                        break;
                    }
                }
            };
            // The one thread of all its searches: to start one for each takes as long as a small search.
            let alone = ThreadPoolBuilder::new().num_threads(1).build();
            scope.spawn(|| match alone {
                Ok(alone) => alone.install(all_rows),
                Err(_) => all_rows(),
            });
        }
        drop(to);
        use_them(Results { rows: rows.len(), next: &next, given: 0, early: BTreeMap::new(), from })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_a_panic_is_one_of_them() {
        let rows: Vec<u64> = (0..50).collect();
        for threads in [1, 3] {
            let slow_first = |row: &u64| {
                thread::sleep(std::time::Duration::from_micros(50 - row));
                assert!(*row != 7, "seven");
                *row
            };
            let all = work_ahead(&rows, threads, slow_first, |mut results| {
                (0..51).map(|_| results.take()).collect::<Vec<_>>()
            });
            for (row, result) in all.iter().enumerate() {
                match (row, result) {
                    (7, Some(Err(_))) | (50, None) => {}
                    (row, Some(Ok(found))) => assert_eq!(row as u64, *found),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_not_asked_for_is_not_begun() {
        let rows = vec![(); 1_000];
        let begun = AtomicUsize::new(0);
        let count = |(): &()| {
            thread::sleep(std::time::Duration::from_millis(1));
            begun.fetch_add(1, Ordering::Relaxed)
        };
        work_ahead(&rows, 2, count, |mut results| drop(results.take()));
        assert!(begun.load(Ordering::Relaxed) < 1_000);
        work_ahead(&[(); 0], 2, count, |mut results| assert!(results.take().is_none()));
    }
}
