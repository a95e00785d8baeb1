//! The programs of tests: one type for all of them, so that the engines are compiled once for all.

use raddle_checker::automaton::functions::Subject;
use raddle_checker::machine::cpu::{Cpu, Step};
use raddle_checker::machine::op::Entry;

/// What tasks do.
type Run = dyn Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync;

/// What the tasks of a program do, and which of them are async entries.
pub struct Body {
    run: Box<Run>,
    domain: fn(&Entry) -> Option<u8>,
}

impl Body {
    /// None of them is an async entry.
    pub fn new(run: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'static) -> Self {
        Body { run: Box::new(run), domain: |_| None }
    }

    /// Says which of them are async entries, by their domains.
    pub fn with_domain(self, domain: fn(&Entry) -> Option<u8>) -> Self {
        Body { domain, ..self }
    }
}

impl Subject for Body {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        (self.run)(cpu, task)
    }

    fn domain(&self, task: &Entry) -> Option<u8> {
        (self.domain)(task)
    }
}
