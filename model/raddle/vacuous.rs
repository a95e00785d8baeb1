//! Warnings: a verdict that is true, but says less than it seems to.
//!
//! What a scenario never does is looked for in a few plain runs first, which show nearly always that it
//! does it; only if they do not, it is read off the automata that a search has found complete, and then the warning
//! is certain.

use std::cell::OnceCell;
use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use crate::check::Options;
use crate::coverage::explored;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_checker::automaton::Automaton;
use raddle_checker::machine::history::History;
use raddle_checker::machine::op::{Action, Entry, Op, Wait};
use raddle_checker::machine::program::{self, Next, Program, SlotKind};
use raddle_checker::machine::run::{Run, Taken, Task};
use raddle_checker::machine::set_up::set_up;
use raddle_checker::machine::value::{Object, Obs};
use raddle_checker::search::explore::call_words;
use raddle_checker::search::reduced;
use raddle_checker::search::reference::Limits;
use raddle_driver_core::hand_model::DriverCore;
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::{RULES, Rules};
use raddle_probing::call::{Call, KernelCall};
use raddle_probing::ids::{Device, Driver};
use raddle_probing::world::{Initially, Match};

/// Steps of a plain run at the most.
const STEPS: usize = 2_000;

/// States that are explored at the most where the default search cannot tell.
const STATES: usize = 50_000;

/// Why nothing is said of what is never done.
const NOT_LOOKED_FOR: &str = "whether something is never done was not looked for to the end: a limit was hit";

/// The warnings about a report on a scenario.
pub(crate) fn warnings(
    scenario: &Scenario,
    program: &DriverCore,
    report: &Report,
    options: &Options,
    begun: Instant,
) -> Vec<String> {
    let file = scenario.file();
    // What is left of the limits; nothing is saved or spilled.
    let rest = || {
        let time_limit = options.limits.time_limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        let rest = Options::default().limits(Limits { time_limit, ..options.limits });
        rest.threads(options.resources.threads)
    };
    let mut warnings = Vec::new();
    for revision in file.expect.keys().filter(|revision| !file.revisions.contains(revision)) {
        warnings.push(format!("[expect] names {revision}, which is not among the revisions"));
    }
    if let Some(revision) = Revision::find(&report.revision) {
        let as_is = Rules::of(revision);
        // What the tasks do is the same whichever rule it is compared for.
        let own_search = OnceCell::new();
        let does_nothing = |instead: (&str, &str)| {
            let Ok(other) = scenario.program_with(&report.revision, &[instead]) else { return false };
            // Nearly always a few runs show that it does something.
            !go_on_differently(program, &other)
                && own_search.get_or_init(|| searched(program, &rest())).as_ref().is_some_and(|one| {
                    searched(&other, &rest()).is_some_and(|other| do_the_same(one, &other))
                })
        };
        for (name, value) in &file.rules {
            let own = RULES.iter().find(|rule| rule.name == *name).map(|rule| (rule.get)(&as_is));
            match own {
                Some(own) if own == value.as_str() => {
                    warnings
                        .push(format!("{name} = {value} changes nothing: so it is on {}", report.revision));
                }
                Some(own) if does_nothing((name, own)) => {
                    warnings.push(format!("{name} = {value} changes nothing here on {}", report.revision));
                }
                _ => {}
            }
        }
    }
    warnings.extend(calls_of_later_kernels(scenario, &report.revision));
    if file.world.tasks.is_empty() {
        warnings.push("there are no tasks".to_owned());
    }
    for task in file.world.tasks.iter().filter(|task| task.run.is_empty()) {
        warnings.push(format!("task {} makes no calls", task.name));
    }
    if report.verdict == Verdict::Verified {
        warnings.extend(never_done(scenario, program, &rest()));
    }
    warnings
}

/// Calls that the revision's kernel does not have: there they do nothing, or what later kernels do.
fn calls_of_later_kernels(scenario: &Scenario, revision: &str) -> Vec<String> {
    let Some(of) = Revision::find(revision) else { return Vec::new() };
    let later = |call: &Call| call.since().filter(|(major, minor)| !of.since(*major, *minor));
    // Duyck's series have device_driver_attach as their own.
    let own = |call: &Call| of.duyck() && matches!(call, Call::Kernel(KernelCall::DeviceDriverAttach(..)));
    let calls = scenario.file().world.calls().filter(|call| !own(call));
    let said = calls.filter_map(|call| {
        let (major, minor) = later(call)?;
        Some(format!("{revision} has no {}, which v{major}.{minor} has first", call.name()))
    });
    said.collect::<IndexSet<String>>().into_iter().collect()
}

/// The default search, if it comes to its end.
fn searched<'p>(program: &'p DriverCore, rest: &Options) -> Option<reduced::Reduced<'p, DriverCore>> {
    let memory = set_up(program, |_, _, _, _| {}).ok()?;
    let found = reduced::search(program, &memory, rest.limits, &rest.resources, |_| {}).ok()??;
    found.outcome.cut.is_none().then_some(found)
}

/// The limits, with so many states at the most.
fn within(states: usize, rest: &Options) -> Limits {
    let states = rest.limits.state_limit.map_or(states, |limit| limit.min(states));
    Limits { state_limit: Some(states), ..rest.limits }
}

/// Whether all tasks of two programs do the same.
fn do_the_same(one: &reduced::Reduced<'_, DriverCore>, other: &reduced::Reduced<'_, DriverCore>) -> bool {
    let all = |automaton: &Automaton<'_, DriverCore>| -> IndexSet<String> {
        let step = |node: &raddle_checker::automaton::Node| format!("{:?} {:?}", node.control, node.next);
        automaton.graph().node_weights().map(step).collect()
    };
    one.hazards == other.hazards && all(one.automaton()) == all(other.automaton())
}

/// Whether a task goes on differently in another program, in plain runs that are the same up to there.
fn go_on_differently(one: &DriverCore, other: &DriverCore) -> bool {
    let memory = |program| set_up(program, |_, _, _, _| {}).ok();
    let Some(memory) = memory(one).filter(|own| memory(other).as_ref() == Some(own)) else { return false };
    if one.slots() != other.slots() {
        return false;
    }
    let is_same = |task: &Task, (control, next): (History, Next)| {
        let own = task.next.clone().map_or(Next::Done, |(op, at)| Next::Step(op, at));
        task.control == control && own == next
    };
    let begins = |task: &Task| is_same(task, other.start(task.control.entry()));
    let mut differs = !Run::from_memory(one, memory.clone()).tasks().iter().flatten().all(begins);
    let runs = (0..one.slots().len()).flat_map(|first| [(first, false), (first, true)]);
    for (first, last_outcome) in runs {
        if differs {
            break;
        }
        plain_run(one, &memory, first, last_outcome, |run, slot, from, taken| {
            let is_over = taken.hazard.as_ref().is_some_and(|hazard| !hazard.goes_on());
            let went_on = taken.observed.filter(|_| !is_over && taken.spawned != Some(slot));
            let task = |slot: usize| run.tasks()[slot].as_ref();
            let goes_on = |(observed, task)| !is_same(task, other.resume(from, observed));
            differs |= went_on.zip(task(slot)).is_some_and(goes_on)
                || taken.spawned.and_then(task).is_some_and(|task| !begins(task));
            !differs
        });
    }
    differs
}

/// What happened in the runs so far.
struct Seen {
    /// By slot: the task has made all its calls.
    ended: Vec<bool>,
    /// By slot, the outermost functions that its task was in.
    calls: Vec<IndexSet<String>>,
    /// Devices and drivers that a function was called with at once.
    met: IndexSet<(Object, Object)>,
    /// The tasks that a plain run has left in a call that the contract holds back, by slot, with the call.
    held_back: IndexMap<usize, String>,
}

impl Seen {
    fn stack(&mut self, program: &DriverCore, slot: usize, stack: &[program::Call]) {
        if let Some(call) = stack.first() {
            self.calls[slot].insert(call_words(program, call.name, &call.args));
        }
        self.meet(stack);
    }

    fn meet(&mut self, stack: &[program::Call]) {
        for call in stack {
            let ids = |arg: &Obs| if let Obs::Id(object) = arg { Some(*object) } else { None };
            let objects: Vec<Object> = call.args.iter().filter_map(ids).collect();
            for one in &objects {
                self.met.extend(objects.iter().map(|other| (*one, *other)));
            }
        }
    }
}

/// A place whose calls are to be made.
struct Place<'s> {
    slot: usize,
    /// What it is called, such as `task insmod`.
    name: String,
    entry: &'s Entry,
    /// What is declared together is enough if one of it does it.
    group: usize,
}

/// The tasks of a scenario, and its work items, timers and interrupts.
fn places<'s>(scenario: &Scenario, program: &'s DriverCore) -> Vec<Place<'s>> {
    let world = &scenario.file().world;
    let slot = |wanted: &str| program.slots().iter().position(|slot| slot.name == wanted);
    let mut places = Vec::new();
    for task in &world.tasks {
        let Some(slot) = slot(&task.name) else { continue };
        if let SlotKind::Task { entry, .. } = &program.slots()[slot].kind {
            places.push(Place { slot, name: format!("task {}", task.name), entry, group: places.len() });
        }
    }
    let first = places.len();
    let items = program.slots().iter().enumerate().rev();
    let items = items.filter_map(|(slot, decl)| match &decl.kind {
        SlotKind::Item { entry, .. } => Some((slot, decl.name.as_str(), entry)),
        _ => None,
    });
    // Those of the scenario come last, in its order.
    let mut items: Vec<_> = items.take(world.works.len()).collect();
    items.reverse();
    for (work, (slot, name, entry)) in world.works.iter().zip(items) {
        let group = first + usize::from(work.first.0);
        places.push(Place { slot, name: name.to_owned(), entry, group });
    }
    places
}

/// Whether a step ends a run of a work item.
fn ends_a_run(op: &Op) -> bool {
    op.actions.iter().any(|action| matches!(action, Action::WorkEnd(_)))
}

fn never_done(scenario: &Scenario, program: &DriverCore, rest: &Options) -> Vec<String> {
    let Ok(memory) = set_up(program, |_, _, _, _| {}) else { return Vec::new() };
    let places = places(scenario, program);
    let pairs: Vec<(Device, Driver)> = pairs(scenario);
    let slots = program.slots().len();
    let mut seen = Seen {
        ended: vec![false; slots],
        calls: vec![IndexSet::new(); slots],
        met: IndexSet::new(),
        held_back: IndexMap::new(),
    };
    let is_met =
        |seen: &Seen, (dev, drv): &(Device, Driver)| seen.met.contains(&(dev.object(), drv.object()));
    let of_group = |seen: &Seen, group: usize| {
        places.iter().filter(|place| place.group == group).any(|place| seen.ended[place.slot])
    };
    let all_seen = |seen: &Seen| {
        places.iter().all(|place| of_group(seen, place.group)) && pairs.iter().all(|pair| is_met(seen, pair))
    };
    let held_back = |seen: &Seen| {
        let ended = seen.held_back.iter().filter(|(slot, _)| seen.ended[**slot]);
        let told = ended.map(|(slot, call)| {
            let name = &program.slots()[*slot].name;
            format!("in some runs {name} makes no call after {call}: the contract holds it back")
        });
        told.collect::<Vec<String>>()
    };
    for first in 0..slots {
        for last_outcome in [false, true] {
            look_at_run(program, &memory, first, last_outcome, &mut seen);
            if all_seen(&seen) {
                return held_back(&seen);
            }
        }
    }
    let Ok(found) = reduced::search(program, &memory, rest.limits, &rest.resources, |_| {}) else {
        return Vec::new();
    };
    match found {
        Some(found) if found.outcome.cut.is_none() => look(program, found.automaton(), &places, &mut seen),
        Some(_) => return vec![NOT_LOOKED_FOR.to_owned()],
        None => match explored(program, &within(STATES, rest)) {
            Ok(explored) if explored.cut.is_none() => {
                look(program, explored.system.automaton(), &places, &mut seen)
            }
            _ => return vec![NOT_LOOKED_FOR.to_owned()],
        },
    }
    let mut warnings = held_back(&seen);
    for (at, place) in places.iter().enumerate() {
        let is_first = places[..at].iter().all(|before| before.group != place.group);
        if !is_first || of_group(&seen, place.group) {
            continue;
        }
        let group = places.iter().filter(|other| other.group == place.group);
        let calls: Vec<&String> = group.flat_map(|other| &seen.calls[other.slot]).collect();
        let name = &place.name;
        warnings.push(match calls.last() {
            None if at < scenario.file().world.tasks.len() => format!("{name} never starts"),
            None => format!("{name} never runs"),
            Some(call) => format!("{name} never ends: it makes no call after {call}"),
        });
    }
    for (dev, drv) in pairs.iter().filter(|pair| !is_met(&seen, pair)) {
        let name = |object: Object| program.object_name(object);
        warnings.push(format!("{} and {} never meet", name(dev.object()), name(drv.object())));
    }
    warnings
}

/// What happens in some run, read off the automata: a step was taken from each node that leads on.
fn look(program: &DriverCore, automaton: &Automaton<'_, DriverCore>, places: &[Place<'_>], seen: &mut Seen) {
    let graph = automaton.graph();
    for at in graph.node_indices() {
        let node = &graph[at];
        let entry = node.control.entry();
        let own = places.iter().filter(|place| place.entry == entry);
        let goes_on = graph.neighbors(at).next().is_some();
        match &node.next {
            None => own.for_each(|place| seen.ended[place.slot] = true),
            Some((op, _)) if goes_on => {
                let stack = program.stack(&node.control);
                seen.meet(&stack);
                for place in own {
                    seen.ended[place.slot] |= ends_a_run(op);
                    seen.stack(program, place.slot, &stack);
                }
            }
            Some(_) => {}
        }
    }
}

/// The devices and drivers that match, unless the set-up has brought them together.
fn pairs(scenario: &Scenario) -> Vec<(Device, Driver)> {
    let world = &scenario.file().world;
    let mut pairs = Vec::new();
    for (drv, driver) in (0..).zip(&world.drivers) {
        for (dev, device) in (0..).zip(&world.devices) {
            let set_up = driver.initially_registered && device.initially != Initially::Absent
                || device.initially == Initially::Bound(Driver(drv));
            if driver.matches[usize::from(dev)] != Match::No && !set_up {
                pairs.push((Device(dev), Driver(drv)));
            }
        }
    }
    pairs
}

/// One run: of the tasks that can go on, always the one in the first slot from a given one on. `each` is told of each
/// step: who took it, from where, and what it was; it says whether to go on. `None` if it does not, or after a hazard.
fn plain_run<'p>(
    program: &'p DriverCore,
    memory: &[u8],
    first: usize,
    last_outcome: bool,
    mut each: impl FnMut(&Run<'p, DriverCore>, usize, &History, &Taken) -> bool,
) -> Option<Run<'p, DriverCore>> {
    let mut run = Run::from_memory(program, memory.to_vec());
    let slots = program.slots().len();
    for _ in 0..STEPS {
        let mut order = (first..slots).chain(0..first);
        let Some(slot) = order.find(|slot| run.enabled(*slot)) else { break };
        let Some(Task { control, next: Some((op, _)), .. }) = &run.tasks()[slot] else { break };
        let outcome = if last_outcome { op.outcomes().saturating_sub(1) } else { 0 };
        let from = control.clone();
        let Ok(taken) = run.step(slot, outcome) else { break };
        if !each(&run, slot, &from, &taken) || taken.hazard.is_some_and(|hazard| !hazard.goes_on()) {
            return None;
        }
    }
    Some(run)
}

/// What happens in a plain run.
fn look_at_run(program: &DriverCore, memory: &[u8], first: usize, last_outcome: bool, seen: &mut Seen) {
    let run = plain_run(program, memory, first, last_outcome, |_, slot, _, taken| {
        seen.ended[slot] |= ends_a_run(&taken.op);
        seen.stack(program, slot, &taken.stack);
        true
    });
    let Some(run) = run else { return };
    for slot in 0..program.slots().len() {
        seen.ended[slot] |= run.may_start(slot) && run.ended(slot);
        // Who waits for nothing that comes is a worker without work, or in a call that the contract holds back.
        let next = run.tasks()[slot].as_ref().and_then(|task| task.next.as_ref());
        let claims = next.is_some_and(|(op, _)| matches!(op.wait(), Some(Wait::Claim(_))));
        if claims && run.may_start(slot) && (0..program.slots().len()).all(|slot| !run.enabled(slot)) {
            let stack = run.tasks()[slot].as_ref().map(|task| program.stack(&task.control));
            if let Some(call) = stack.iter().flatten().next() {
                seen.held_back.insert(slot, call_words(program, call.name, &call.args));
            }
        }
    }
}
