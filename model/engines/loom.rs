//! The model on loom's threads.
//!
//! Each cell has a `loom::sync::Mutex`, its token. A step takes the tokens of all the cells in its
//! footprint, in the order of their numbers, and has its effect while it holds them; so loom knows
//! which steps depend on each other and tries all orders of those. Memory itself lies in one std mutex:
//! loom runs one thread at a time, and only within a step does anybody look at it.
//!
//! Cells that no step ever changes (a [`Survey`] says which) have no token: otherwise the liveness of
//! an object that is never freed would make all steps on the object dependent. That they do not change
//! here either is checked.
//!
//! A task that cannot go on parks; whoever takes a step unparks those that can go on after it. The last
//! one that would park looks at the state instead and lets all others go, so loom never sees a deadlock.
//! A task that raises a hazard stops, the others go on: loom tries orders only of steps that it has
//! seen, so ending the run there would hide what the others would have done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use ::loom::model::Builder;
use ::loom::sync as loom_sync;
use ::loom::thread::Thread;

use super::native::{Choosing, Kept, Shared, fixed, lock};
use super::survey::{Survey, survey};
use super::{Options, Result};
use crate::machine::cpu::{Backend, Entered, Frame, Pause, Step};
use crate::machine::layout::CellId;
use crate::machine::op::{Action, Op};
use crate::machine::program::{Native, SlotKind};
use crate::machine::value::Obs;

/// loom's own limit is 5 threads, the main one included.
const MOST_THREADS: usize = 4;
const STACK: usize = 0x80000;
const MOST_BRANCHES: usize = 50_000;
const MOST_STATES: usize = 500_000;

/// Explores a program from a memory in which nothing is under way, all tasks at their start.
#[must_use]
pub fn explore<P: Native + Send + 'static>(program: &Arc<P>, memory: &[u8], options: &Options) -> Result {
    let is_task = |kind: &SlotKind| matches!(kind, SlotKind::Task { .. });
    let tasks = program.slots().iter().filter(|slot| is_task(&slot.kind)).count();
    let refusal = |n: usize| {
        Result::refused(format!(
            "loom takes {MOST_THREADS} tasks and workers at once, this needs {n}; \
             use --engine exhaustive or --engine shuttle"
        ))
    };
    if tasks > MOST_THREADS {
        return refusal(tasks);
    }
    let Some(survey) = survey(&**program, memory, MOST_STATES) else {
        return Result::refused(format!(
            "over {MOST_STATES} states, or too few workers; use --engine exhaustive or --engine shuttle"
        ));
    };
    if survey.slots.len() > MOST_THREADS {
        return refusal(survey.slots.len());
    }
    let survey = Arc::new(survey);
    let shared = Arc::new(Shared::new(Arc::clone(program), memory, options));
    loop {
        let executions = lock(&shared.kept).result.executions;
        let left = options.iterations.saturating_sub(executions);
        let mut builder = Builder::new();
        builder.max_threads = MOST_THREADS + 1;
        builder.max_branches = MOST_BRANCHES;
        builder.preemption_bound = options.preemptions;
        builder.checkpoint_file = None;
        // Looks at its limits before each execution; the last one allowed is not made.
        builder.checkpoint_interval = 1;
        builder.max_permutations = Some(left.saturating_add(1));
        builder.max_duration =
            shared.deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
        builder.location = false;
        builder.log = false;
        let (shared_here, survey_here) = (Arc::clone(&shared), Arc::clone(&survey));
        let check = || builder.check(move || execution(&shared_here, &survey_here));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            let text = super::panic_text(&*panic);
            if text.contains("internal") {
                std::panic::resume_unwind(panic);
            }
            lock(&shared.kept).result.cut.get_or_insert_with(|| format!("loom gave up: {text}"));
            break;
        }
        let mut kept = lock(&shared.kept);
        if kept.result.executions >= options.iterations {
            let why = format!("the limit of {} executions was hit", options.iterations);
            kept.result.cut.get_or_insert(why);
            break;
        }
        if shared.is_late() {
            kept.result.cut.get_or_insert_with(|| "the time limit was hit".to_owned());
            break;
        }
        if !kept.outcomes.advance() {
            break;
        }
    }
    shared.finish()
}

/// One execution.
struct Tokens<P: Native> {
    shared: Arc<Shared<P>>,
    survey: Arc<Survey>,
    /// By cell; then one for the worker slots, and one for the end of each task.
    mutexes: Vec<Option<loom_sync::Mutex<()>>>,
    threads: Mutex<Threads>,
}

struct Threads {
    /// By slot.
    at: Vec<At>,
    /// Threads that are neither parked nor at their end.
    active: usize,
    /// Threads that were started.
    started: usize,
}

/// Where the thread of a slot is.
enum At {
    /// There is none.
    None,
    /// It runs, or loom will let it run.
    Running,
    /// It waits.
    Parked(Thread),
}

fn execution<P: Native + Send + 'static>(shared: &Arc<Shared<P>>, survey: &Arc<Survey>) {
    shared.begin();
    let cells = shared.program.layout().cells().len();
    let slots = shared.program.slots().len();
    let needed = |token: usize| token >= cells || survey.changes[token];
    let mutexes = (0..cells + 1 + slots).map(|token| needed(token).then(|| loom_sync::Mutex::new(())));
    // The main thread is active until it has started the others.
    let threads = Threads { at: (0..slots).map(|_| At::None).collect(), active: 1, started: 0 };
    let tokens = Arc::new(Tokens {
        shared: Arc::clone(shared),
        survey: Arc::clone(survey),
        mutexes: mutexes.collect(),
        threads: Mutex::new(threads),
    });
    tokens.wake(false);
    tokens.leave();
}

impl<P: Native + Send + 'static> Tokens<P> {
    fn cells(&self) -> usize {
        self.survey.changes.len()
    }

    fn workers_token(&self) -> CellId {
        CellId(self.cells() as u16)
    }

    fn end_token(&self, slot: usize) -> CellId {
        CellId((self.cells() + 1 + slot) as u16)
    }

    fn take(&self, tokens: &[CellId]) -> Vec<loom_sync::MutexGuard<'_, ()>> {
        let take = |token: &CellId| {
            let mutex = self.mutexes[usize::from(token.0)].as_ref();
            let mutex = mutex.unwrap_or_else(|| unreachable!("internal: a cell without a token"));
            mutex.lock().unwrap_or_else(|_| unreachable!("internal: a poisoned token"))
        };
        tokens.iter().map(take).collect()
    }

    /// A thread: runs the task that is in its slot.
    fn work(self: &Arc<Self>, slot: usize) {
        if let Some(entry) = self.shared.entry(slot) {
            let returned = self.shared.run_task(&OnLoom { tokens: self, slot }, &entry);
            if returned && self.has_successors(slot) {
                let guard = self.take(&[self.end_token(slot)]);
                self.shared.returned(slot);
                drop(guard);
            } else if returned {
                self.shared.returned(slot);
            }
        }
        lock(&self.threads).at[slot] = At::None;
        self.wake(false);
        self.leave();
    }

    fn has_successors(&self, slot: usize) -> bool {
        (0..self.shared.program.slots().len()).any(|other| self.shared.after(other).contains(&slot))
    }

    /// The thread is no longer active; the last one looks at the state.
    fn leave(self: &Arc<Self>) {
        let last = {
            let mut threads = lock(&self.threads);
            threads.active -= 1;
            threads.active == 0
        };
        if last && !lock(&self.shared.run).over {
            {
                let mut run = lock(&self.shared.run);
                self.shared.judge(&run);
                run.over = true;
            }
            self.wake(true);
        }
    }

    /// Waits until the task can go on, or the run is over.
    fn park(self: &Arc<Self>, slot: usize) {
        lock(&self.threads).at[slot] = At::Parked(::loom::thread::current());
        self.leave();
        while matches!(lock(&self.threads).at[slot], At::Parked(_)) {
            ::loom::thread::park();
        }
    }

    /// Lets the tasks go on that can, or all of them. A task gets its thread when it can first go on,
    /// from the thread that brought this about: what that has done then comes before, and loom need not
    /// try other orders.
    fn wake(self: &Arc<Self>, all: bool) {
        let mut run = lock(&self.shared.run);
        let mut threads = lock(&self.threads);
        for slot in 0..threads.at.len() {
            let goes_on = !run.over && self.shared.can_go_on(&run, slot);
            match &threads.at[slot] {
                At::Parked(thread) if all || run.over || goes_on => thread.unpark(),
                At::None if goes_on && threads.started == MOST_THREADS => {
                    let why = format!("over {MOST_THREADS} tasks and workers in one run");
                    self.shared.cut(&mut run, &why);
                    drop((run, threads));
                    return self.wake(true);
                }
                At::None if goes_on => {
                    let tokens = Arc::clone(self);
                    let builder = ::loom::thread::Builder::new().stack_size(STACK);
                    let spawned = builder.spawn(move || tokens.work(slot));
                    drop(spawned.unwrap_or_else(|error| unreachable!("internal: no thread: {error}")));
                    threads.started += 1;
                }
                _ => continue,
            }
            threads.at[slot] = At::Running;
            threads.active += 1;
        }
    }

    fn tokens_of(&self, slot: usize, op: &Op, first: bool) -> Vec<CellId> {
        let program = &self.shared.program;
        let mut cells: Vec<CellId> = op.footprint(program.layout()).iter().map(|(cell, _)| *cell).collect();
        if let Some(event) = &op.event {
            cells.extend(program.event_cells(event).iter().map(|(cell, _)| *cell));
        }
        cells.retain(|cell| self.survey.changes(*cell));
        let moves_workers = |action: &Action| {
            matches!(
                action,
                Action::AsyncSchedule { .. }
                    | Action::AsyncEnd(..)
                    | Action::Spawn(..)
                    | Action::SpawnEnd(..)
            )
        };
        if op.actions.iter().any(moves_workers) {
            cells.push(self.workers_token());
        }
        if first {
            cells.extend(self.shared.after(slot).iter().map(|before| self.end_token(*before)));
        }
        cells.sort_unstable();
        cells.dedup();
        cells
    }
}

struct OnLoom<'a, P: Native> {
    tokens: &'a Arc<Tokens<P>>,
    slot: usize,
}

impl<P: Native + Send + 'static> Backend for OnLoom<'_, P> {
    fn step(&self, op: Op, _at: &'static std::panic::Location<'static>) -> Step<Obs> {
        let OnLoom { tokens, slot } = *self;
        let shared = &tokens.shared;
        let first = shared.announce(slot, &op);
        let needed = tokens.tokens_of(slot, &op, first);
        loop {
            let guards = tokens.take(&needed);
            let can = {
                let run = lock(&shared.run);
                if run.over {
                    return Err(Pause);
                }
                shared.can_go_on(&run, slot)
            };
            if can {
                let mut pick = |kept: &mut Kept, choice: Choosing| fixed(kept, choice);
                let done = shared.take(slot, Some(&needed), &mut pick);
                shared.check_unchanged(&tokens.survey.changes);
                drop(guards);
                tokens.wake(false);
                return done;
            }
            // Nobody else runs between this and the end of the wait's beginning.
            drop(guards);
            tokens.park(slot);
        }
    }

    fn enter(&self, frame: Frame) -> Entered {
        self.tokens.shared.enter(self.slot, frame)
    }

    fn turn(&self, carried: Vec<Obs>) {
        self.tokens.shared.turn(self.slot, carried);
    }

    fn leave(&self, result: Vec<Obs>) {
        self.tokens.shared.leave(self.slot, result);
    }
}
