//! Warnings: a verdict that is true, but says less than it seems to.
//!
//! What a scenario never does is looked for in a few plain runs first, which show nearly always that it
//! does it; only if they do not, all states are explored, and then the warning is certain.

use indexmap::IndexSet;

use crate::coverage::explored;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_checker::machine::program::{Call, Program};
use raddle_checker::machine::run::Run;
use raddle_checker::machine::set_up::set_up;
use raddle_checker::machine::value::{Object, Obs};
use raddle_checker::search::explore::call_words;
use raddle_driver_core::hand_model::DriverCore;
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::{RULES, Rules};
use raddle_probing::ids::{Device, Driver};
use raddle_probing::world::{Initially, Match};

/// Steps of a plain run at the most.
const STEPS: usize = 2_000;

/// States that are explored at the most. If there are more, nothing is said.
const STATES: usize = 50_000;

/// The warnings about a report on a scenario.
pub(crate) fn warnings(scenario: &Scenario, program: &DriverCore, report: &Report) -> Vec<String> {
    let file = scenario.file();
    let mut warnings = Vec::new();
    for revision in file.expect.keys().filter(|revision| !file.revisions.contains(revision)) {
        warnings.push(format!("[expect] names {revision}, which is not among the revisions"));
    }
    if let Some(revision) = Revision::find(&report.revision) {
        let as_is = Rules::of(revision);
        let idle = |(name, value): &(&String, &String)| {
            RULES.iter().any(|rule| rule.name == *name && (rule.get)(&as_is) == value.as_str())
        };
        for (name, value) in file.rules.iter().filter(idle) {
            warnings.push(format!("{name} = {value} changes nothing: so it is on {}", report.revision));
        }
    }
    for task in file.world.tasks.iter().filter(|task| task.run.is_empty()) {
        warnings.push(format!("task {} makes no calls", task.name));
    }
    if report.verdict == Verdict::Verified {
        warnings.extend(never_done(scenario, program));
    }
    warnings
}

/// What happened in the runs so far.
struct Seen {
    /// By slot: the task has made all its calls.
    ended: Vec<bool>,
    /// By slot, the outermost functions that its task was in.
    calls: Vec<IndexSet<String>>,
    /// Devices and drivers that a function was called with at once.
    met: IndexSet<(Object, Object)>,
}

impl Seen {
    fn stack(&mut self, program: &DriverCore, slot: usize, stack: &[Call]) {
        if let Some(call) = stack.first() {
            self.calls[slot].insert(call_words(program, call.name, &call.args));
        }
        for call in stack {
            let ids = |arg: &Obs| if let Obs::Id(object) = arg { Some(*object) } else { None };
            let objects: Vec<Object> = call.args.iter().filter_map(ids).collect();
            for one in &objects {
                self.met.extend(objects.iter().map(|other| (*one, *other)));
            }
        }
    }
}

fn never_done(scenario: &Scenario, program: &DriverCore) -> Vec<String> {
    let world = &scenario.file().world;
    let Ok(memory) = set_up(program, |_, _, _, _| {}) else { return Vec::new() };
    let slot = |name: &str| program.slots().iter().position(|slot| slot.name == name);
    let tasks: Vec<(usize, &str)> =
        world.tasks.iter().filter_map(|task| Some((slot(&task.name)?, task.name.as_str()))).collect();
    let pairs: Vec<(Device, Driver)> = pairs(scenario);
    let slots = program.slots().len();
    let mut seen =
        Seen { ended: vec![false; slots], calls: vec![IndexSet::new(); slots], met: IndexSet::new() };
    let is_met =
        |seen: &Seen, (dev, drv): &(Device, Driver)| seen.met.contains(&(dev.object(), drv.object()));
    let all_seen = |seen: &Seen| {
        tasks.iter().all(|(slot, _)| seen.ended[*slot]) && pairs.iter().all(|pair| is_met(seen, pair))
    };
    for first in 0..slots {
        for last_outcome in [false, true] {
            plain_run(program, &memory, first, last_outcome, &mut seen);
            if all_seen(&seen) {
                return Vec::new();
            }
        }
    }
    let Ok(explored) = explored(program, STATES) else { return Vec::new() };
    if !explored.complete {
        return Vec::new();
    }
    for state in &explored.states {
        for (slot, _) in &tasks {
            let node = state.node(*slot).map(|node| explored.system.automaton().node(node));
            seen.ended[*slot] |= node.is_none_or(|node| node.next.is_none());
            let node = node.filter(|_| explored.system.is_enabled(state, *slot));
            if let Some(node) = node {
                seen.stack(program, *slot, &program.stack(&node.control));
            }
        }
        let workers = (0..slots).filter(|slot| !tasks.iter().any(|(task, _)| task == slot));
        for node in workers.filter_map(|slot| Some((slot, state.node(slot)?))) {
            let control = &explored.system.automaton().node(node.1).control;
            seen.stack(program, node.0, &program.stack(control));
        }
    }
    let mut warnings = Vec::new();
    for (slot, name) in tasks.iter().filter(|(slot, _)| !seen.ended[*slot]) {
        warnings.push(match seen.calls[*slot].last() {
            None => format!("task {name} never starts"),
            Some(call) => format!("task {name} never ends: it makes no call after {call}"),
        });
    }
    for (dev, drv) in pairs.iter().filter(|pair| !is_met(&seen, pair)) {
        let name = |object: Object| program.object_name(object);
        warnings.push(format!("{} and {} never meet", name(dev.object()), name(drv.object())));
    }
    warnings
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

/// One run: of the tasks that can go on, always the one in the first slot from a given one on.
fn plain_run(program: &DriverCore, memory: &[u8], first: usize, last_outcome: bool, seen: &mut Seen) {
    let mut run = Run::from_memory(program, memory.to_vec());
    let slots = program.slots().len();
    for _ in 0..STEPS {
        let order = (first..slots).chain(0..first);
        let Some(slot) = order.into_iter().find(|slot| run.enabled(*slot)) else { break };
        let next = run.tasks()[slot].as_ref().and_then(|task| task.next.as_ref());
        let outcomes = next.map_or(1, |(op, _)| op.outcomes());
        let outcome = if last_outcome { outcomes.saturating_sub(1) } else { 0 };
        let Ok(taken) = run.step(slot, outcome) else { break };
        seen.stack(program, slot, &taken.stack);
        if taken.hazard.is_some_and(|hazard| !hazard.goes_on()) {
            return;
        }
    }
    for slot in 0..slots {
        seen.ended[slot] |= run.may_start(slot) && run.ended(slot);
    }
}
