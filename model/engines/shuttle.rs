//! The model on shuttle's threads, one for each slot.
//!
//! There is exactly one scheduling point a step. Instead of blocking on condition variables, whose
//! every wait and wake would be a scheduling point of its own, a task that cannot go on is hidden from
//! shuttle's scheduler until it can: `Hiding` wraps the scheduler and offers it only the tasks whose
//! next step is enabled. The schedule is recorded as steps, each with its task and outcome.

use std::sync::Arc;

use ::shuttle::rand::RngCore;
use ::shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId, UrwRandomScheduler,
};
use ::shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::native::{Choosing, Kept, Shared, fixed, lock};
use super::{NativeOptions, Result, Scheduler as Which};
use raddle_checker::machine::cpu::{Backend, Entered, Frame, Pause, Step};
use raddle_checker::machine::op::Op;
use raddle_checker::machine::place::Place;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::value::Obs;
use raddle_checker::story::Turn;

/// Stacks of model functions are deeper than shuttle's default allows for.
const STACK: usize = 0x40000;

/// Explores a program from a memory in which nothing is under way, all tasks at their start.
#[must_use]
pub fn explore<P: Program + Send + 'static>(
    program: &Arc<P>,
    memory: &[u8],
    options: &NativeOptions,
) -> Result {
    let (seed, most) = (options.seed, options.iterations);
    match options.scheduler {
        Which::Random => {
            sample(program, memory, options, RandomScheduler::new_from_seed(seed, most), Choices::Random)
        }
        Which::Pct => {
            let pct = PctScheduler::new_from_seed(seed, options.depth, most);
            sample(program, memory, options, pct, Choices::Random)
        }
        Which::Urw => {
            sample(program, memory, options, UrwRandomScheduler::new_from_seed(seed, most), Choices::Random)
        }
        Which::Dfs => all(program, memory, options),
    }
}

/// Explores with a scheduler of one's own, which is offered only tasks that can go on. It must not
/// need random numbers of its own for choices: they take their first outcome.
#[must_use]
pub fn explore_with<P, S>(program: &Arc<P>, memory: &[u8], options: &NativeOptions, scheduler: S) -> Result
where
    P: Program + Send + 'static,
    S: Scheduler + 'static,
{
    sample(program, memory, options, scheduler, Choices::Fixed)
}

/// Follows a schedule; what is found has been found on shuttle's threads.
#[must_use]
pub fn follow<P: Program + Send + 'static>(program: &Arc<P>, memory: &[u8], schedule: &[Turn]) -> Result {
    let options = NativeOptions { step_limit: usize::MAX, ..NativeOptions::default() };
    let outcomes = schedule.iter().map(|turn| turn.outcome).collect();
    let shared = Arc::new(Shared::new(Arc::clone(program), memory, &options));
    let scheduler = Following { done: false };
    run(&shared, scheduler, Choices::Following(outcomes), Some(schedule.to_vec()), &options);
    shared.finish()
}

fn sample<P, S>(
    program: &Arc<P>,
    memory: &[u8],
    options: &NativeOptions,
    inner: S,
    choices: Choices,
) -> Result
where
    P: Program + Send + 'static,
    S: Scheduler + 'static,
{
    let shared = Arc::new(Shared::new(Arc::clone(program), memory, options));
    run(&shared, inner, choices, None, options);
    shared.finish()
}

fn all<P: Program + Send + 'static>(program: &Arc<P>, memory: &[u8], options: &NativeOptions) -> Result {
    let shared = Arc::new(Shared::new(Arc::clone(program), memory, options));
    loop {
        let left = options.iterations.saturating_sub(lock(&shared.kept).result.executions);
        if left == 0 {
            lock(&shared.kept).result.cut.get_or_insert_with(|| out_of_executions(options));
            break;
        }
        run(&shared, DfsScheduler::new(None, false), Choices::Fixed, None, options);
        let mut kept = lock(&shared.kept);
        if shared.is_late() || !kept.outcomes.advance() {
            break;
        }
    }
    shared.finish()
}

fn out_of_executions(options: &NativeOptions) -> String {
    format!("the limit of {} executions was hit", options.iterations)
}

/// Who decides the outcomes of choices.
#[derive(Clone, Debug)]
enum Choices {
    /// They were decided before the run.
    Fixed,
    /// Shuttle's random numbers.
    Random,
    /// The schedule that is followed.
    Following(Vec<u8>),
}

struct Hiding<P: Program, S> {
    shared: Arc<Shared<P>>,
    inner: S,
    /// The tasks of this execution have been shown to the inner scheduler.
    introduced: bool,
    /// It must not see them all at once: it would take that for a choice.
    discreet: bool,
    follow: Option<Vec<Turn>>,
    most: usize,
}

impl<P: Program, S: Scheduler> Scheduler for Hiding<P, S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let late = self.shared.is_late();
        let kept = &mut lock(&self.shared.kept).result;
        self.introduced = false;
        let next = self.inner.new_execution()?;
        if late {
            kept.cut.get_or_insert_with(|| "the time limit was hit".to_owned());
            return None;
        }
        if kept.executions >= self.most {
            kept.cut.get_or_insert_with(|| format!("the limit of {} executions was hit", self.most));
            return None;
        }
        Some(next)
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, _yielding: bool) -> Option<TaskId> {
        // The main thread is task 0: it goes first, starts all others and waits for them.
        let slots = self.shared.program.slots().len();
        let last = runnable.iter().map(|task| usize::from(task.id())).max().unwrap_or(0);
        if let Some(main) = runnable.iter().find(|task| usize::from(task.id()) == 0)
            && last < slots
        {
            if last == 0 && !self.discreet {
                self.inner.next_task(&[main], current, false);
            }
            return Some(main.id());
        }
        let mut run = lock(&self.shared.run);
        if run.over {
            return Some(runnable[0].id());
        }
        if !self.introduced && !self.discreet {
            self.introduced = true;
            self.inner.next_task(runnable, current, false);
        }
        self.introduced = true;
        let can = |task: &&&Task| {
            let slot = usize::from(task.id()).checked_sub(1);
            slot.is_some_and(|slot| self.shared.can_go_on(&run, slot))
        };
        let offered: Vec<&Task> = runnable.iter().filter(can).copied().collect();
        if offered.is_empty() {
            self.shared.judge(&run);
            run.over = true;
            return Some(runnable[0].id());
        }
        if let Some(schedule) = &self.follow {
            let turn = schedule.get(run.steps.len());
            let next =
                turn.and_then(|turn| offered.iter().find(|task| usize::from(task.id()) == turn.slot + 1));
            let Some(next) = next else {
                self.shared.judge(&run);
                self.shared.look_for_cycle(&run);
                run.over = true;
                return Some(runnable[0].id());
            };
            return Some(next.id());
        }
        drop(run);
        self.inner.next_task(&offered, current, false)
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
}

/// Makes one execution.
struct Following {
    done: bool,
}

impl Scheduler for Following {
    fn new_execution(&mut self) -> Option<Schedule> {
        let first = !std::mem::replace(&mut self.done, true);
        first.then(|| Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<TaskId>, _: bool) -> Option<TaskId> {
        runnable.first().map(|task| task.id())
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn run<P, S>(
    shared: &Arc<Shared<P>>,
    inner: S,
    choices: Choices,
    follow: Option<Vec<Turn>>,
    options: &NativeOptions,
) where
    P: Program + Send + 'static,
    S: Scheduler + 'static,
{
    let hiding = Hiding {
        shared: Arc::clone(shared),
        inner,
        introduced: false,
        discreet: !matches!(choices, Choices::Random),
        follow,
        most: options.iterations,
    };
    let mut config = Config::new();
    config.stack_size = STACK;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    let shared = Arc::clone(shared);
    Runner::new(hiding, config).run(move || {
        shared.begin();
        let threads: Vec<_> = (0..shared.program.slots().len())
            .map(|slot| {
                let (shared, choices) = (Arc::clone(&shared), choices.clone());
                ::shuttle::thread::spawn(move || work(&shared, slot, &choices))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// One thread: runs whatever task is in its slot, for as long as the run goes on.
fn work<P: Program>(shared: &Shared<P>, slot: usize, choices: &Choices) {
    // This thread runs now because its task was chosen, so its first step needs no further choice.
    while let Some(entry) = shared.entry(slot) {
        let chosen = std::cell::Cell::new(true);
        if shared.run_task(&OnShuttle { shared, slot, choices, chosen }, &entry) {
            shared.returned(slot);
        }
        ::shuttle::thread::yield_now();
    }
}

struct OnShuttle<'a, P: Program> {
    shared: &'a Shared<P>,
    slot: usize,
    choices: &'a Choices,
    chosen: std::cell::Cell<bool>,
}

impl<P: Program> Backend for OnShuttle<'_, P> {
    fn step(&self, op: Op, _at: Place) -> Step<Obs> {
        self.shared.announce(self.slot, &op);
        if !self.chosen.replace(false) {
            ::shuttle::thread::yield_now();
        }
        let mut pick = |kept: &mut Kept, choice: Choosing| match self.choices {
            Choices::Fixed => fixed(kept, choice),
            Choices::Random => Some((::shuttle::rand::thread_rng().next_u64() % u64::from(choice.of)) as u8),
            Choices::Following(outcomes) => outcomes.get(choice.step).copied(),
        };
        match self.shared.take(self.slot, None, None, &mut pick) {
            Ok(observed) => Ok(observed),
            Err(Pause) => {
                // Every schedule is tried, or none is worth more than another: the run may end here.
                lock(&self.shared.run).over = true;
                Err(Pause)
            }
        }
    }

    fn enter(&self, frame: Frame<'_>) -> Entered {
        self.shared.enter(self.slot, frame)
    }

    fn turn(&self, carried: Vec<Obs>) {
        self.shared.turn(self.slot, carried);
    }

    fn leave(&self, result: Vec<Obs>) {
        self.shared.leave(self.slot, result);
    }
}
