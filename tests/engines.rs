//! loom and shuttle on small programs: the same hazards and the same ends as the reference search.

use std::sync::Arc;

use raddle_checker::automaton::functions::{Functions, Subject, entry};
use raddle_checker::machine::cpu::{Cpu, Step};
use raddle_checker::machine::layout::{Cell, Field, Kind, Layout};
use raddle_checker::machine::op::{Action, Entry};
use raddle_checker::machine::program::Program;
use raddle_checker::machine::value::{Object, Sort};
use raddle_checker::search::reference::{Limits, search};
use raddle_engines::agree::{Covered, Witness, differences};
use raddle_engines::survey::survey;
use raddle_engines::{NativeOptions, Scheduler, loom, shuttle};

const THING: Object = Object { sort: Sort(0), index: 0 };
const A: Cell<()> = Cell::new(THING, Field(0));
const B: Cell<()> = Cell::new(THING, Field(1));
const X: Cell<u8> = Cell::new(THING, Field(2));
const Y: Cell<u8> = Cell::new(THING, Field(3));
const DUG: Object = Object { sort: Sort(1), index: 0 };
const Z: Cell<u8> = Cell::new(DUG, Field(0));
const WORK: Cell<()> = Cell::new(THING, Field(4));
const ASYNC: Cell<()> = Cell::new(THING, Field(5));

fn layout() -> Layout {
    let mut layout = Layout::new();
    layout.immortal(THING, "thing");
    layout.mortal(DUG, "dug", "use-after-free");
    layout.cell(A, "a", Kind::Lock);
    layout.cell(B, "b", Kind::Lock);
    layout.cell(X, "x", Kind::Int);
    layout.cell(Y, "y", Kind::Int);
    layout.cell(Z, "z", Kind::Count);
    layout.cell(WORK, "work", Kind::Work(8));
    layout.cell(ASYNC, "async", Kind::Async(1));
    layout
}

/// All engines on one program; what the reference finds.
fn agree<P: Program + Send + 'static>(name: &str, program: P, memory: &[u8]) -> Vec<String> {
    let outcome = search(&program, memory, Limits::default(), |_| {});
    assert!(outcome.cut.is_none());
    let survey = survey(&program, memory, 100_000, None).expect("it is small");
    let complete = Witness {
        engine: "reference".to_owned(),
        covered: Covered::All,
        hazards: outcome.found.iter().map(|found| found.id.to_owned()).collect(),
        terminal: Some(survey.terminal),
        only_steps: false,
        work: String::new(),
    };
    let program = Arc::new(program);
    let all = NativeOptions { iterations: 300_000, ..NativeOptions::default() };
    let mut witnesses = vec![
        Witness::new("shuttle (dfs)", shuttle::explore(&program, memory, &all), None),
        Witness::new("loom", loom::explore(&program, memory, &all), None),
    ];
    for scheduler in [Scheduler::Random, Scheduler::Pct, Scheduler::Urw] {
        let options = NativeOptions { scheduler, iterations: 500, ..NativeOptions::default() };
        let sampled = shuttle::explore(&program, memory, &options);
        witnesses.push(Witness::new(scheduler.name(), sampled, Some("samples")));
    }
    for (i, witness) in witnesses.iter().enumerate() {
        println!(
            "{name}: {} states; {}: {} {:?}",
            survey.states, witness.engine, witness.work, witness.covered
        );
        assert_eq!(differences(&complete, witness), Vec::<String>::new(), "{name}");
        assert!(i > 1 || witness.covered == Covered::All, "{name}: {witness:?}");
    }
    for found in &outcome.found {
        let turns: Vec<_> = (found.schedule.iter())
            .map(|choice| raddle_checker::story::Turn { slot: choice.slot, outcome: choice.outcome })
            .collect();
        let followed = shuttle::follow(&program, memory, &turns);
        assert_eq!(followed.hazards(), [found.id], "{name}: shuttle follows the search's trace");
    }
    complete.hazards
}

/// A closure whose tasks from this function on are async entries.
struct Body<F> {
    run: F,
    entries: u8,
}

impl<F: Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync> Subject for Body<F> {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        (self.run)(cpu, task)
    }

    fn domain(&self, task: &Entry) -> Option<u8> {
        (task.function >= self.entries).then_some(0)
    }
}

fn two(run: impl Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync + 'static) -> (Functions<'static>, Vec<u8>) {
    two_of(run)
}

fn two_of(body: impl Subject + 'static) -> (Functions<'static>, Vec<u8>) {
    let program = Functions::new(layout(), body).alive(DUG).task("one", entry(0)).task("two", entry(1));
    let memory = program.memory();
    (program, memory)
}

#[test]
fn one_scheduling_point_a_step() {
    let steps = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        for n in 0..if task.function == 0 { 6 } else { 4 } {
            cpu.store(if task.function == 0 { X } else { Y }, n)?;
        }
        Ok(())
    };
    let (program, memory) = two(steps);
    let program = Arc::new(program);
    let result = shuttle::explore(&program, &memory, &NativeOptions::default());
    assert_eq!(result.executions, 210, "10 over 4");
    let result = loom::explore(&program, &memory, &NativeOptions::default());
    assert_eq!(result.executions, 1, "all steps are independent");
}

#[test]
fn locks_in_two_orders() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        let (first, second) = if task.function == 0 { (A, B) } else { (B, A) };
        cpu.lock(first)?;
        cpu.lock(second)?;
        cpu.store(X, task.function)?;
        cpu.unlock(second)?;
        cpu.unlock(first)
    };
    let (program, memory) = two(run);
    assert_eq!(agree("locks", program, &memory), ["deadlock"]);
}

#[test]
fn whoever_waits_for_a_lock_could_have_been_first() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        if task.function == 1 {
            cpu.store(Y, 1)?;
        }
        cpu.lock(A)?;
        let seen = cpu.load(X)?;
        cpu.store(X, seen * 2 + task.function)?;
        cpu.unlock(A)?;
        cpu.lock(B)?;
        let seen = cpu.load(X)?;
        cpu.store(X, seen + 1)?;
        cpu.unlock(B)
    };
    let (program, memory) = two(run);
    assert_eq!(agree("first at a lock", program, &memory), Vec::<String>::new());
}

#[test]
fn a_third_task_goes_wrong_whatever_the_others_wait_for() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        match task.function {
            2 => {
                cpu.store(X, 1)?;
                cpu.step(Action::Free(DUG))?;
                cpu.load(Z).map(|_| ())
            }
            function => {
                let (first, second) = if function == 0 { (A, B) } else { (B, A) };
                cpu.lock(first)?;
                cpu.lock(second)?;
                cpu.unlock(second)?;
                cpu.unlock(first)
            }
        }
    };
    let (program, memory) = two(run);
    assert_eq!(agree("third", program.task("three", entry(2)), &memory), ["deadlock", "use-after-free"]);
}

#[test]
fn a_lost_update_and_a_race_with_free() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        let seen = cpu.load(X)?;
        cpu.store(X, seen + 1)?;
        if task.function == 0 { cpu.step(Action::Free(DUG)).map(|_| ()) } else { cpu.load(Z).map(|_| ()) }
    };
    let (program, memory) = two(run);
    assert_eq!(agree("lost update", program, &memory), ["use-after-free"]);
}

#[test]
fn choices_and_a_work_item() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        match task.function {
            0 => {
                let n = cpu.choose(3)? as u8;
                cpu.store(X, n)?;
                cpu.queue_work(WORK)?;
                if n == 2 { cpu.flush_work(WORK).map(|_| ()) } else { Ok(()) }
            }
            1 => {
                let n = cpu.choose(2)? as u8;
                cpu.store(Y, 7 + n)
            }
            _ => cpu.repeat((), |()| {
                let work = cpu.cell(WORK);
                cpu.step(Action::WorkStart(work))?;
                let seen = cpu.load(X)?;
                cpu.store(Y, seen)?;
                cpu.step(Action::WorkEnd(work))?;
                Ok(std::ops::ControlFlow::Continue(()))
            }),
        }
    };
    let (program, memory) = two(run);
    assert_eq!(agree("item", program.item("item", entry(2), WORK), &memory), Vec::<String>::new());
}

/// Two tasks that each start an async entry; one waits for the entries and frees what they use.
fn entries(cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
    let lists = cpu.cell(ASYNC);
    if task.function < 2 {
        let entry = entry(2 + task.function);
        cpu.step(Action::AsyncSchedule { lists, domain: 0, entry, mark: None })?;
        if task.function == 0 {
            cpu.step(Action::AsyncAwait(lists, None))?;
            cpu.step(Action::Free(DUG))?;
        }
        return Ok(());
    }
    cpu.load(Z)?;
    cpu.store(X, task.function)?;
    cpu.step(Action::AsyncEnd(lists, 0)).map(|_| ())
}

#[test]
fn async_entries_that_race_for_workers() {
    let (program, memory) = two_of(Body { run: entries, entries: 2 });
    assert_eq!(agree("async", program.workers(2), &memory), ["use-after-free"]);
}

#[test]
fn nothing_after_a_deadlock_counts() {
    // The third task begins its harm by an entry that nobody can wait for in vain; but the first two
    // can be in deadlock long before, and the harm depends on what the second one did.
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        match task.function {
            2 => {
                if cpu.load(X)? == 1 && cpu.load(Y)? == 1 {
                    cpu.step(Action::Free(DUG))?;
                    cpu.step(Action::Free(DUG))?;
                }
                Ok(())
            }
            function => {
                let (first, second) = if function == 0 { (A, B) } else { (B, A) };
                let mark = if function == 0 { X } else { Y };
                cpu.lock(first)?;
                cpu.step(vec![cpu.storing(mark, 1)])?;
                cpu.lock(second)?;
                cpu.step(vec![cpu.storing(mark, 0)])?;
                cpu.unlock(second)?;
                cpu.unlock(first)
            }
        }
    };
    let (program, memory) = two(run);
    let found = agree("after a deadlock", program.task("three", entry(2)), &memory);
    assert_eq!(found, ["deadlock", "double-free"]);
}

#[test]
fn tasks_that_start_after_others() {
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        let seen = cpu.load(X)?;
        cpu.store(X, seen * 2 + task.function)?;
        if task.function == 2 && cpu.load(Y)? == 0 {
            cpu.step(Action::Touch(DUG))?;
        }
        Ok(())
    };
    let (program, memory) = two(run);
    assert_eq!(agree("after", program.task_after("three", entry(2), &[0]), &memory), Vec::<String>::new());
}

#[test]
fn five_tasks_are_too_many_for_loom() {
    let mut program = Functions::new(layout(), |cpu: &Cpu<'_>, _: &Entry| cpu.store(X, 1));
    for _ in 0..5 {
        program = program.task("task", entry(0));
    }
    let memory = program.memory();
    let result = loom::explore(&Arc::new(program), &memory, &NativeOptions::default());
    let why = result.refused.expect("loom takes 4");
    assert!(why.ends_with("this needs 5 (5 tasks); use --engine exhaustive or --engine shuttle"), "{why}");
}

/// Two tasks that spawn entries and wait for them: so many times, so many at once.
fn spawner(times: u8, at_once: u8) -> impl Subject {
    let run = move |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        let lists = cpu.cell(ASYNC);
        if task.function == 2 {
            return cpu.step(Action::AsyncEnd(lists, 0)).map(|_| ());
        }
        if task.function == 1 {
            return cpu.store(Y, 1);
        }
        for _ in 0..times {
            for _ in 0..at_once {
                cpu.step(Action::AsyncSchedule { lists, domain: 0, entry: entry(2), mark: None })?;
            }
            cpu.step(Action::AsyncAwait(lists, None))?;
        }
        Ok(())
    };
    Body { run, entries: 2 }
}

#[test]
fn loom_counts_tasks_at_once_before_it_starts_and_in_all_while_it_runs() {
    let explore = |times, at_once| {
        let (program, memory) = two_of(spawner(times, at_once));
        let program = Arc::new(program.task("three", entry(1)).workers(4));
        loom::explore(&program, &memory, &NativeOptions::default())
    };
    let why = explore(1, 3).refused.expect("three entries at once");
    assert!(why.contains("this needs 6 (3 tasks, 3 spawned tasks at once)"), "{why}");
    let result = explore(5, 1);
    assert_eq!(result.refused, None);
    assert_eq!(result.cut.as_deref(), Some("a run that starts over 4 tasks in all was not followed further"));
    assert_eq!(explore(1, 1).cut, None);
}

#[test]
fn a_run_that_comes_back_is_a_livelock_if_it_is_fair() {
    let forever = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        if task.function == 1 {
            return cpu.store(Y, 1);
        }
        cpu.repeat((), |()| {
            let seen = cpu.load(X)?;
            cpu.store(X, 1 - seen)?;
            Ok(std::ops::ControlFlow::Continue(()))
        })
    };
    // The same, but it ends when the other task has had its turn.
    let until = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        if task.function == 1 {
            return cpu.store(Y, 1);
        }
        cpu.repeat((), |()| {
            let seen = cpu.load(X)?;
            cpu.store(X, 1 - seen)?;
            let done = cpu.load(Y)? == 1;
            Ok(if done { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) })
        })
    };
    fn check((program, memory): (Functions<'static>, Vec<u8>), expected: &[&str]) {
        let outcome = search(&program, &memory, Limits::default(), |_| {});
        assert_eq!(outcome.found.iter().map(|found| found.id).collect::<Vec<_>>(), expected);
        let program = Arc::new(program);
        for scheduler in [Scheduler::Random, Scheduler::Pct, Scheduler::Dfs] {
            let options =
                NativeOptions { scheduler, iterations: 200, step_limit: 40, ..NativeOptions::default() };
            let result = shuttle::explore(&program, &memory, &options);
            assert_eq!(result.hazards(), expected, "{scheduler:?}");
            if let Some(shown) = result.shown.first() {
                assert!(shown.cycle.is_some());
                assert_eq!(raddle_engines::confirm(&*program, &memory, shown.clone()).as_ref(), Some(shown));
                let followed = shuttle::follow(&program, &memory, &shown.schedule);
                assert_eq!(followed.hazards(), expected);
            }
        }
    }
    check(two(forever), &["livelock"]);
    check(two(until), &[]);
}

#[test]
fn nothing_but_the_schedule_decides() {
    use ::shuttle::scheduler::{DfsScheduler, UncontrolledNondeterminismCheckScheduler};
    let run = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
        cpu.lock(A)?;
        let seen = cpu.load(X)?;
        cpu.store(X, seen + task.function)?;
        cpu.unlock(A)?;
        cpu.queue_work(WORK)?;
        cpu.load(Z).map(|_| ())
    };
    let (program, memory) = two(run);
    let twice = UncontrolledNondeterminismCheckScheduler::new(DfsScheduler::new(Some(500), false));
    let result = shuttle::explore_with(&Arc::new(program), &memory, &NativeOptions::default(), twice);
    assert_eq!(result.executions % 2, 0, "each schedule is run twice");
    assert!(result.executions > 20);
}

#[test]
fn limits_cut_and_bounds_bound() {
    let run = |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
        for n in 0..4 {
            cpu.store(X, n)?;
        }
        Ok(())
    };
    let (program, memory) = two(run);
    let program = Arc::new(program);
    let few = NativeOptions { iterations: 5, ..NativeOptions::default() };
    for result in [shuttle::explore(&program, &memory, &few), loom::explore(&program, &memory, &few)] {
        assert_eq!(result.executions, 5);
        assert!(result.cut.is_some_and(|why| why.contains("5 executions")));
    }
    let all = loom::explore(&program, &memory, &NativeOptions::default());
    let bounded = NativeOptions { preemptions: Some(1), ..NativeOptions::default() };
    let bounded = loom::explore(&program, &memory, &bounded);
    assert!(bounded.executions < all.executions, "{} of {}", bounded.executions, all.executions);
}
