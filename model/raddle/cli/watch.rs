//! How far a search is: a line that is always there on a terminal, else one now and then.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use raddle_checker::search::reference::Progress;

use super::out::complain;

/// Without a terminal a line is written as often as this.
const BEAT: Duration = Duration::from_secs(10);

/// Tells how far one search is.
pub struct Watch {
    what: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    next: Duration,
}

impl Watch {
    /// The watch of a search that begins now.
    pub fn new(what: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(what.to_owned());
            bar
        });
        Watch { what: what.to_owned(), bar, begun: Instant::now(), next: BEAT }
    }

    /// The search has come so far.
    pub fn show(&mut self, progress: &Progress) {
        let elapsed = self.begun.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_message(words(progress, elapsed));
            bar.tick();
        } else if elapsed >= self.next {
            complain(format_args!(
                "raddle: {}: after {} s {}",
                self.what,
                elapsed.as_secs(),
                words(progress, elapsed)
            ));
            self.next = elapsed + BEAT;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Nobody knows how many states there are: what is told is how many of those that were found are still to expand.
fn words(progress: &Progress, elapsed: Duration) -> String {
    let count = |n: usize| HumanCount(n as u64);
    let rate = progress.states as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let depth = match progress.depth {
        0 => String::new(),
        depth => format!("depth {depth}, "),
    };
    format!(
        "{} states, {} states/s, {} of them ({} %) to expand, {depth}{}",
        count(progress.states),
        count(rate as usize),
        count(progress.frontier),
        100 * progress.frontier / progress.states.max(1),
        HumanBytes(progress.bytes as u64),
    )
}
