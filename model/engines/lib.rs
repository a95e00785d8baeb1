//! The same model functions on loom's and shuttle's threads: independent witnesses of the searches.
//!
//! Neither knows of automata or states: model code runs natively, and loom or shuttle decides which
//! thread goes next. What an engine finds is a schedule like that of any other engine, and counts
//! only if [`confirm`] sees the hazard again when the schedule is repeated step by step.
//!
//! In a test of one's own, a program made of ordinary functions is explored like this:
//!
//! ```
//! use std::sync::Arc;
//! use raddle_checker::automaton::functions::{Functions, entry};
//! use raddle_engines::{NativeOptions, loom, shuttle};
//! use raddle_checker::machine::cpu::{Cpu, Step};
//! use raddle_checker::machine::layout::{Cell, Field, Kind, Layout};
//! use raddle_checker::machine::op::Entry;
//! use raddle_checker::machine::value::{Object, Sort};
//!
//! const TABLE: Object = Object { sort: Sort(0), index: 0 };
//! const FORK: Cell<()> = Cell::new(TABLE, Field(0));
//! const KNIFE: Cell<()> = Cell::new(TABLE, Field(1));
//!
//! let mut layout = Layout::new();
//! layout.immortal(TABLE, "table");
//! layout.cell(FORK, "fork", Kind::Lock);
//! layout.cell(KNIFE, "knife", Kind::Lock);
//! let dine = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
//!     let (first, second) = if task.function == 0 { (FORK, KNIFE) } else { (KNIFE, FORK) };
//!     cpu.lock(first)?;
//!     cpu.lock(second)?;
//!     cpu.unlock(second)?;
//!     cpu.unlock(first)
//! };
//! let program = Functions::new(layout, dine).task("ann", entry(0)).task("bob", entry(1));
//! let (program, memory) = (Arc::new(program.clone()), program.memory());
//! for result in [
//!     shuttle::explore(&program, &memory, &NativeOptions::default()),
//!     loom::explore(&program, &memory, &NativeOptions::default()),
//! ] {
//!     assert_eq!(result.hazards(), ["deadlock"]);
//!     assert_eq!(result.cut, None, "every schedule was tried");
//! }
//! ```

pub mod agree;
pub mod child;
pub mod lasso;
pub mod loom;
mod native;
pub mod shuttle;
pub mod survey;
mod weak;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::lasso::Lasso;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::run::Run;
use raddle_checker::story::Turn;

/// How shuttle chooses schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Each step is one of those possible, at random.
    Random,
    /// Random priorities that change at a few random points (Burckhardt et al., ASPLOS 2010).
    Pct,
    /// Random, weighted by how many steps each task still has.
    Urw,
    /// All schedules, depth first.
    #[default]
    Dfs,
}

impl Scheduler {
    /// All of them.
    pub const ALL: [Scheduler; 4] = [Scheduler::Random, Scheduler::Pct, Scheduler::Urw, Scheduler::Dfs];

    /// What it does, in one line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Scheduler::Random => "Each step is one of those possible, at random",
            Scheduler::Pct => "Random priorities that change at a few random points (Burckhardt et al.)",
            Scheduler::Urw => "Random, weighted by how many steps each task still has",
            Scheduler::Dfs => "All schedules, depth first",
        }
    }

    /// Its name in options and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scheduler::Random => "random",
            Scheduler::Pct => "pct",
            Scheduler::Urw => "urw",
            Scheduler::Dfs => "dfs",
        }
    }
}

/// How loom or shuttle explores. The default tries everything, with generous limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeOptions {
    /// Shuttle's scheduler.
    pub scheduler: Scheduler,
    /// Executions at the most.
    pub iterations: usize,
    /// The seed of random choices.
    pub seed: u64,
    /// How many orderings PCT is to get right at once: one more than the changes of priority.
    pub depth: usize,
    /// How often loom may switch away from a task that can go on; `None`: as often as it likes.
    pub preemptions: Option<usize>,
    /// When to stop; `None`: never.
    pub time: Option<Duration>,
    /// Steps of one run at the most.
    pub step_limit: usize,
    /// Terminal memory states to keep at the most.
    pub terminal_limit: usize,
    /// An experiment, under loom only: loads of marked fields may be stale.
    pub weak_memory: bool,
}

impl Default for NativeOptions {
    fn default() -> Self {
        NativeOptions {
            scheduler: Scheduler::default(),
            iterations: 10_000_000,
            seed: 1,
            depth: 3,
            preemptions: None,
            time: None,
            step_limit: 1_000,
            terminal_limit: 10_000,
            weak_memory: false,
        }
    }
}

/// A hazard, with the schedule that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The hazard id.
    pub id: String,
    /// The steps, slots as [`Run`] numbers them.
    pub schedule: Vec<Turn>,
    /// Whether it is a property of the state at the end; else the last step raised it.
    pub at_rest: bool,
    /// For a livelock, the step with which the cycle begins that the rest of the steps are.
    pub cycle: Option<usize>,
}

/// A hazard of a run that read stale values, and that sequential consistency does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeakOnly {
    /// The hazard id.
    pub id: String,
    /// How many steps the run had taken.
    pub steps: usize,
    /// What was stale in this run, such as `one reads 0 from x, which is 1`.
    pub stale: Vec<String>,
}

/// What an engine did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result {
    /// Executions.
    pub executions: usize,
    /// The hazards, sorted by id: for each the shortest schedule that this engine came across.
    pub shown: Vec<Shown>,
    /// The hazards that showed only where values were stale, sorted by id; without `weak_memory` none.
    pub weak_only: Vec<WeakOnly>,
    /// The different memories in which nothing can happen any more, sorted.
    pub terminal: Vec<Vec<u8>>,
    /// There were more of them than are kept.
    pub terminal_cut: bool,
    /// Why not everything was tried that the engine would have tried.
    pub cut: Option<String>,
    /// The engine cannot take this program: why, and what to use instead.
    pub refused: Option<String>,
}

impl Result {
    /// The ids of the hazards, sorted.
    #[must_use]
    pub fn hazards(&self) -> Vec<&str> {
        self.shown.iter().map(|shown| shown.id.as_str()).collect()
    }

    fn refused(why: String) -> Self {
        Result { refused: Some(why), ..Result::default() }
    }
}

/// Repeats a schedule step by step; gives it back, cut off at the hazard, if the hazard shows again
/// and none comes before it.
#[must_use]
pub fn confirm<P: Program>(program: &P, memory: &[u8], mut shown: Shown) -> Option<Shown> {
    if let Some(begins) = shown.cycle {
        let closes = Lasso { begins, ends: shown.schedule.len() };
        return (lasso::lasso(program, memory, &shown.schedule) == Some(closes)).then_some(shown);
    }
    let mut run = Run::from_memory(program, memory.to_vec());
    for number in 0..shown.schedule.len() {
        let turn = shown.schedule[number];
        let taken = run.step(turn.slot, turn.outcome).ok()?;
        let Some(hazard) = taken.hazard else { continue };
        if !shown.at_rest && hazard.id == shown.id {
            shown.schedule.truncate(number + 1);
            return Some(shown);
        }
        if !hazard.goes_on() {
            return None;
        }
    }
    let shows = |id: &str| program.at_quiescence(run.memory()).iter().any(|hazard| hazard.id == id);
    (shown.at_rest && shows(&shown.id)).then_some(shown)
}

/// What a panic says.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
