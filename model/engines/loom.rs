//! The model on loom's threads.
//!
//! Each cell has a `loom::sync::Mutex`, its token. A step takes the tokens of all the cells in its
//! footprint, in the order of their numbers, and has its effect while it holds them; so loom knows
//! which steps depend on each other and tries all orders of those. Memory itself lies in one std mutex:
//! loom runs one thread at a time, and only within a step does anybody look at it.
//!
//! Only as many cells have a token as are needed to tell which steps depend on each other (a [`Survey`]
//! says which): not those that no step ever changes, which would make all steps on an object dependent by
//! its liveness although it is never freed; not those of one task alone; and one is enough where two are
//! always taken together. That cells do not change that never do in the survey is checked.
//!
//! A task that cannot go on parks; whoever takes a step unparks those that can go on after it. The last
//! one that would park looks at the state instead and lets all others go, so loom never sees a deadlock.
//! A task that raises a hazard stops, the others go on: loom tries orders only of steps that it has
//! seen, so ending the run there would hide what the others would have done.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use ::loom::model::Builder;
use ::loom::sync as loom_sync;
use ::loom::thread::Thread;

use super::native::{Choosing, Kept, Shared, fixed, lock};
use super::survey::{Survey, survey, touched};
use super::weak::{Atomics, weak_load};
use super::{NativeOptions, Result};
use raddle_checker::machine::commute::Touches;
use raddle_checker::machine::cpu::{Backend, Entered, Frame, Pause, Step};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::Op;
use raddle_checker::machine::place::Place;
use raddle_checker::machine::program::{Program, SlotKind};
use raddle_checker::machine::value::Obs;

/// loom's own limit is 5 threads, the main one included.
const MOST_THREADS: usize = 4;
/// In words.
const STACK: usize = 0x8000;
const MOST_BRANCHES: usize = 50_000;
const MOST_STATES: usize = 500_000;
/// What takes a program that loom does not.
const INSTEAD: &str = "use --engine exhaustive or --engine shuttle";

/// Explores a program from a memory in which nothing is under way, all tasks at their start.
#[must_use]
pub fn explore<P: Program + Send + 'static>(
    program: &Arc<P>,
    memory: &[u8],
    options: &NativeOptions,
) -> Result {
    let is_task = |slot: &usize| matches!(program.slots()[*slot].kind, SlotKind::Task { .. });
    let tasks: Vec<usize> = (0..program.slots().len()).filter(is_task).collect();
    if tasks.len() > MOST_THREADS {
        return Result::refused(refusal(&**program, &tasks));
    }
    let deadline = options.time.map(|time| std::time::Instant::now() + time);
    let Some(survey) = survey(&**program, memory, MOST_STATES, deadline) else {
        return Result::refused(format!(
            "loom is started after a count of the states, and there are over {}, or too few workers, or the time was up; {INSTEAD}",
            raddle_checker::render::thousands(MOST_STATES)
        ));
    };
    if survey.slots.len() > MOST_THREADS {
        return Result::refused(refusal(&**program, &survey.slots));
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
        let weak = options.weak_memory;
        let check = || builder.check(move || in_ours(|| execution(&shared_here, &survey_here, weak)));
        IN_LOOM.set(true);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            // Ours is a mistake; but on weak memory model code may rely on what it has written.
            if !IN_LOOM.get() && !weak {
                std::panic::resume_unwind(panic);
            }
            let text = super::panic_text(&*panic);
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

thread_local! {
    /// Whether loom's own code runs: then a panic is a limit of loom, otherwise it is our mistake. All its
    /// threads run on one thread of the system.
    static IN_LOOM: Cell<bool> = const { Cell::new(false) };
}

/// A call of loom's. Other threads of it may run meanwhile.
fn in_loom<T>(call: impl FnOnce() -> T) -> T {
    IN_LOOM.set(true);
    let result = call();
    IN_LOOM.set(false);
    result
}

/// What a thread of loom's runs: our code.
fn in_ours<T>(code: impl FnOnce() -> T) -> T {
    IN_LOOM.set(false);
    let result = code();
    IN_LOOM.set(true);
    result
}

/// Why a program with these tasks is too large, and what takes it.
fn refusal<P: Program>(program: &P, slots: &[usize]) -> String {
    let count =
        |is: fn(&SlotKind) -> bool| slots.iter().filter(|slot| is(&program.slots()[**slot].kind)).count();
    let kinds = [
        (count(|kind| matches!(kind, SlotKind::Task { .. })), "task"),
        (count(|kind| matches!(kind, SlotKind::Item { .. })), "work item"),
        (count(|kind| matches!(kind, SlotKind::Worker)), "spawned task at once"),
    ];
    let words = |(n, word): &(usize, &str)| match (n, word.split_once(' ')) {
        (1, _) => format!("1 {word}"),
        (_, Some((first, rest))) if rest.starts_with("task") => format!("{n} {first} tasks at once"),
        (_, _) => format!("{n} {word}s"),
    };
    let kinds: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(words).collect();
    format!(
        "loom has {MOST_THREADS} threads beside its main one, each for one task, and this needs {} ({}); {INSTEAD}",
        slots.len(),
        kinds.join(", ")
    )
}

/// One execution.
struct Tokens<P: Program> {
    shared: Arc<Shared<P>>,
    survey: Arc<Survey>,
    /// By cell; then one for the worker slots, and one for the end of each task.
    mutexes: Vec<Option<loom_sync::Mutex<()>>>,
    /// The marked fields, if memory is weak; each cell that changes then has its token.
    atomics: Option<Atomics>,
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

fn execution<P: Program + Send + 'static>(shared: &Arc<Shared<P>>, survey: &Arc<Survey>, weak: bool) {
    shared.begin();
    let cells = shared.program.layout().cells().len();
    let slots = shared.program.slots().len();
    let has_token = if weak { &survey.changes } else { &survey.enough };
    let needed = |token: usize| token >= cells || has_token[token];
    let mutexes =
        (0..cells + 1 + slots).map(|token| needed(token).then(|| in_loom(|| loom_sync::Mutex::new(()))));
    // The main thread is active until it has started the others.
    let threads = Threads { at: (0..slots).map(|_| At::None).collect(), active: 1, started: 0 };
    let tokens = Arc::new(Tokens {
        shared: Arc::clone(shared),
        survey: Arc::clone(survey),
        mutexes: mutexes.collect(),
        atomics: weak.then(|| {
            let memory = lock(&shared.run).memory.clone();
            Atomics::new(shared.program.layout(), &memory, |cell| survey.changes(cell))
        }),
        threads: Mutex::new(threads),
    });
    tokens.wake(false);
    tokens.leave();
}

impl<P: Program + Send + 'static> Tokens<P> {
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
            in_loom(|| mutex.lock()).unwrap_or_else(|_| unreachable!("internal: a poisoned token"))
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
                in_loom(|| drop(guard));
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
            in_loom(::loom::thread::park);
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
                At::Parked(thread) if all || run.over || goes_on => in_loom(|| thread.unpark()),
                At::None if goes_on && threads.started == MOST_THREADS => {
                    let why = format!(
                        "a run that starts over {MOST_THREADS} tasks in all was not followed further"
                    );
                    self.shared.cut(&mut run, &why);
                    drop((run, threads));
                    return self.wake(true);
                }
                At::None if goes_on => {
                    let tokens = Arc::clone(self);
                    let builder = ::loom::thread::Builder::new().stack_size(STACK);
                    let spawned = in_loom(|| builder.spawn(move || in_ours(|| tokens.work(slot))));
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
        let mut cells = touched(&*self.shared.program, op);
        cells.retain(|cell| self.mutexes[usize::from(cell.0)].is_some());
        if Touches::of(self.shared.program.layout(), op).workers != 0 {
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

struct OnLoom<'a, P: Program> {
    tokens: &'a Arc<Tokens<P>>,
    slot: usize,
}

impl<P: Program + Send + 'static> Backend for OnLoom<'_, P> {
    fn step(&self, op: Op, _at: Place) -> Step<Obs> {
        let OnLoom { tokens, slot } = *self;
        let shared = &tokens.shared;
        let first = shared.announce(slot, &op);
        let mut needed = tokens.tokens_of(slot, &op, first);
        let layout = shared.program.layout();
        let weak = tokens.atomics.as_ref().and_then(|atomics| Some((atomics, weak_load(layout, &op)?)));
        if let Some((_, cell)) = weak {
            needed.retain(|token| *token != cell);
        }
        // A worker that has had nothing to do since its last step waits without looking for work: that
        // would be a step of its own, of which loom tries all orders. (A task that waits for a lock must
        // look: only so does loom see that it could have been first.)
        if op.idles() && !shared.was_ready(slot) {
            tokens.park(slot);
        }
        loop {
            let guards = tokens.take(&needed);
            let read = weak.and_then(|(atomics, cell)| in_loom(|| atomics.load(cell)));
            let can = {
                let run = lock(&shared.run);
                if run.over {
                    return Err(Pause);
                }
                shared.can_go_on(&run, slot)
            };
            if can {
                let mut pick = |kept: &mut Kept, choice: Choosing| fixed(kept, choice);
                let before = tokens.atomics.as_ref().map(|_| lock(&shared.run).memory.clone());
                let done = shared.take(slot, Some(&needed), read, &mut pick);
                shared.check_unchanged(&tokens.survey.changes);
                if let (Some(atomics), Some(before)) = (&tokens.atomics, before) {
                    let after = lock(&shared.run).memory.clone();
                    in_loom(|| atomics.publish(layout, &op, &before, &after));
                }
                in_loom(|| drop(guards));
                tokens.wake(false);
                return done;
            }
            // Nobody else runs between this and the end of the wait's beginning.
            in_loom(|| drop(guards));
            tokens.park(slot);
        }
    }

    fn enter(&self, frame: Frame<'_>) -> Entered {
        self.tokens.shared.enter(self.slot, frame)
    }

    fn turn(&self, carried: Vec<Obs>) {
        self.tokens.shared.turn(self.slot, carried);
    }

    fn leave(&self, result: Vec<Obs>) {
        self.tokens.shared.leave(self.slot, result);
    }
}
