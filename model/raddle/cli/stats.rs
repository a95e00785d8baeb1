//! `--stats json`: what the searches of a command did, as one line on standard error. It holds clock
//! readings, so it is no part of the output.

use std::time::Duration;

use raddle::Report;
use serde_json::{Value, json};

use super::out::complain;

/// The sums over all rows.
#[derive(Default)]
pub struct Stats {
    rows: usize,
    inconclusive: usize,
    states: usize,
    transitions: usize,
    most_bytes: usize,
    time: Duration,
}

impl Stats {
    /// Adds a row that took so long.
    pub fn row(&mut self, report: &Report, time: Duration) {
        self.rows += 1;
        self.inconclusive += usize::from(report.cut);
        self.states += report.states;
        self.transitions += report.transitions;
        self.most_bytes = self.most_bytes.max(report.bytes);
        self.time += time;
    }

    /// Prints the line. `processes`: what each had to do, if there were several.
    pub fn print(&self, processes: Option<Value>) {
        let seconds = self.time.as_secs_f64();
        let speed = if seconds > 0.0 { (self.states as f64 / seconds).round() } else { 0.0 };
        let mut line = json!({
            "rows": self.rows,
            "cut": self.inconclusive,
            "states": self.states,
            "transitions": self.transitions,
            "peak_memory_bytes": self.most_bytes,
            "seconds": seconds,
            "states_per_second": speed,
        });
        if let Some(processes) = processes {
            line["processes"] = processes;
        }
        complain(line);
    }
}
