//! What a verdict covers (docs/verified.md), in one sentence that names every restriction in force.

use crate::check::{Engine, Options};
use crate::report::Verdict;
use crate::scenario::Scenario;
use raddle_checker::machine::step::Bound;
use raddle_checker::render::thousands;
use raddle_checker::search::reference::{Cut, Outcome};
use raddle_engines::Scheduler;
use raddle_probing::call::Call;
use raddle_probing::program::Probing;
use raddle_probing::world::AsyncOutcome;

/// What any verdict on a scenario leaves out.
pub(crate) fn restrictions(scenario: &Scenario) -> Vec<String> {
    let environment = &scenario.file().world.environment;
    let contract = if environment.contract_kept { "kept" } else { "violated" };
    let mut parts =
        vec!["sequential consistency".to_owned(), format!("contract {contract}"), "set-up fixed".to_owned()];
    match environment.async_schedule[..] {
        [AsyncOutcome::Queued] => parts.push("async_schedule always queues".to_owned()),
        [AsyncOutcome::Inline] => parts.push("async_schedule always runs inline".to_owned()),
        _ => {}
    }
    let world = &scenario.file().world;
    let firsts = world.works.iter().enumerate().filter(|(work, decl)| decl.first.index() == *work);
    for (_, decl) in firsts {
        let name = decl.name.rsplit('.').next().unwrap_or(&decl.name);
        parts.extend(decl.runs.map(|runs| match runs {
            1 => format!("{name} runs at most once"),
            runs => format!("{name} runs at most {runs} times"),
        }));
    }
    if world.has_runtime_pm() {
        parts.push("no runtime PM callback fails (but in probe, by fails-at)".to_owned());
    }
    if world.calls().any(|call| matches!(call, Call::DeviceSuspend(_) | Call::DeviceResume(_))) {
        parts.push("system sleep in the order of the tasks".to_owned());
    }
    let rules = scenario.overrides();
    if !rules.is_empty() {
        parts.push(format!("with {rules}"));
    }
    parts
}

/// What one of our own searches covered.
pub(crate) fn of_search(
    scenario: &Scenario,
    program: &Probing<'_>,
    verdict: Verdict,
    outcome: &Outcome,
) -> String {
    let covered = match (verdict, outcome.cut) {
        (Verdict::Verified, _) | (Verdict::Violated, None) => {
            format!("{}: all interleavings", verdict.name())
        }
        (_, cut) => {
            let cut = cut.map_or(String::new(), |cut| why_cut(scenario, program, cut));
            match outcome.depth {
                0 => format!("{}: {cut}; some interleavings", verdict.name()),
                depth => format!("{}: {cut}; up to {depth} steps", verdict.name()),
            }
        }
    };
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let (tasks, entries) = (scenario.file().world.tasks.len(), outcome.most_spawned);
    let entry_word = if entries == 1 { "entry" } else { "entries" };
    let mut parts = vec![
        format!("{covered} of {tasks} task{} and up to {entries} async {entry_word}", plural(tasks)),
        format!("{} state{}", thousands(outcome.states), plural(outcome.states)),
    ];
    parts.extend(restrictions(scenario));
    if outcome.omission_probability > 0.0 {
        let probability = outcome.omission_probability;
        parts.push(format!("a state missed with a probability below {probability:.1e}"));
    }
    let longer: Vec<&str> =
        outcome.found.iter().filter(|found| found.may_be_longer).map(|found| found.id).collect();
    if !longer.is_empty() {
        parts.push(format!("a shorter run may show {}", longer.join(", ")));
    }
    if !outcome.unshown.is_empty() {
        parts.push(format!("{} found and no run to show", outcome.unshown.join(", ")));
    }
    parts.join(", ")
}

/// Why a search was cut.
pub(crate) fn why_cut(scenario: &Scenario, program: &Probing<'_>, cut: Cut) -> String {
    match cut {
        Cut::States(limit) => format!("the limit of {} states was hit", thousands(limit)),
        Cut::Memory(limit) => format!("the limit of {} bytes was hit", thousands(limit)),
        Cut::Time(limit) => format!("the limit of {} seconds was hit", limit.as_secs_f64()),
        Cut::Interrupt => "it was interrupted".to_owned(),
        Cut::Bound(bound) => no_room(scenario, program, bound),
    }
}

/// What the model has no room for.
fn no_room(scenario: &Scenario, program: &Probing<'_>, bound: Bound) -> String {
    match bound {
        Bound::Workers => format!("workers = {} is too small", scenario.file().world.environment.workers),
        Bound::Cell(_) => bound.words(program),
    }
}

/// A set-up that came to a limit.
pub(crate) fn of_cut_set_up(scenario: &Scenario, program: &Probing<'_>, cut: Cut) -> String {
    format!("inconclusive: {} (in the set-up)", why_cut(scenario, program, cut))
}

/// A set-up that raises a hazard.
pub(crate) const OF_BAD_SET_UP: &str = "violated: in the set-up; nothing else was explored";

/// What loom or shuttle covered.
pub(crate) fn of_engine(
    scenario: &Scenario,
    verdict: Verdict,
    options: &Options,
    result: &raddle_engines::Result,
) -> String {
    let native = &options.native;
    if let Some(why) = &result.refused {
        return format!("inconclusive: {why}");
    }
    if native.weak_memory {
        return of_weak_memory(scenario, native, result);
    }
    let executions = thousands(result.executions);
    let covers = format!("{}, {}", restrictions(scenario).join(", "), not_looked_for(native));
    if options.engine == Engine::Shuttle {
        let how = match native.scheduler {
            Scheduler::Pct => format!("pct depth {}, seed {}", native.depth, native.seed),
            Scheduler::Dfs => "dfs".to_owned(),
            other => format!("{}, seed {}", other.name(), native.seed),
        };
        let cut = result.cut.as_ref().map_or(String::new(), |why| format!("; {why}"));
        let what = if result.shown.is_empty() { "no hazard" } else { "hazards" };
        return format!("{what} in {executions} schedules ({how}){cut}, {covers}");
    }
    let how = match (&result.cut, native.preemptions) {
        (Some(why), _) => format!("cut off, {why}; {executions} executions"),
        (None, Some(n)) => format!("bounded by {n} preemptions, {executions} executions"),
        (None, None) => format!("exhaustive, {executions} executions"),
    };
    format!("{}: {how}, {covers}", verdict.name())
}

/// What loom and shuttle find by luck, or not at all.
fn not_looked_for(native: &raddle_engines::NativeOptions) -> String {
    format!(
        "livelocks looked for only in runs of {} steps, data races not looked for",
        thousands(native.step_limit)
    )
}

/// The guarantee of the experiment with weak memory, which is none.
fn of_weak_memory(
    scenario: &Scenario,
    native: &raddle_engines::NativeOptions,
    result: &raddle_engines::Result,
) -> String {
    let mut parts = vec![
        "experiment: marked fields as loom's atomics, the rest sequentially consistent".to_owned(),
        "loom may miss and may invent outcomes".to_owned(),
        format!("{} executions", thousands(result.executions)),
    ];
    parts.extend(native.preemptions.map(|n| format!("bounded by {n} preemptions")));
    parts.extend(result.cut.as_ref().map(|why| format!("cut off, {why}")));
    parts.extend(restrictions(scenario).into_iter().filter(|part| part != "sequential consistency"));
    parts.push(not_looked_for(native));
    let only = result
        .weak_only
        .iter()
        .map(|only| format!("{} (after {} steps; {})", only.id, only.steps, only.stale.join(", ")));
    let only: Vec<String> = only.collect();
    if only.is_empty() {
        parts.push("no hazard by stale values alone".to_owned());
    } else {
        parts.push(format!("only where values are stale: {}", only.join(", ")));
    }
    parts.join(", ")
}
