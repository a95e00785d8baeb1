//! One step in words, without saying anything twice.

use super::sentences;
use crate::story::{Change, Does, Life, Saw, StepKind, Story, ToldStep, Value};

/// The longest list for which its contents are told before and after.
const SHORT_LIST: usize = 48;

/// The name of an actor.
pub(super) fn actor(story: &Story, actor: usize) -> &str {
    story.actors.get(actor).map_or("?", |actor| actor.name.as_str())
}

/// What a step does and means, as a sentence of its own.
fn core(step: &ToldStep) -> String {
    match (&step.does, &step.note) {
        (Some(does), _) => sentences::does(does),
        (None, Some(note)) => note.text.clone(),
        (None, None) => "?".to_owned(),
    }
}

/// A step in words: what it does with what it observed or changed, then what else changed. If not in
/// full, of the changes only those that the hazard needs.
pub(super) fn words(story: &Story, step: &ToldStep, full: bool) -> Vec<String> {
    let core = core(step);
    let mut lock = step.under.as_deref();
    // What a step means besides what it does.
    let note = step.note.as_ref().filter(|_| step.does.is_some());
    let plain = matches!(step.kind, StepKind::Read | StepKind::Write) && note.is_none();
    let some = step.changes.iter().any(|change| change.needed);
    // The count whose end frees an object is told with it.
    let freed = |change: &Change| change.needed && change.to == Value::Life(Life::Freed);
    let frees = matches!(step.does, Some(Does::Put(_))) && step.changes.iter().any(freed);
    let told = |change: &&Change| full || change.needed || ((!some || frees) && about(step, change));
    let mut changes: Vec<&Change> =
        step.changes.iter().filter(told).filter(|change| !evident(step, change)).collect();
    let unneeded = |change: &Change| !change.needed && about(step, change);
    if !full && plain && some && !frees && step.changes.iter().any(unneeded) {
        // What it does is mostly something else.
        return changes.into_iter().map(transition).collect();
    }
    let ends_with = step.does.as_ref().and_then(sentences::ends_with);
    let mut lines = Vec::new();
    if let Some(started) = step.started {
        // With the number of the task that runs it if there are several.
        lines.push(match story.actors.get(started) {
            Some(actor) if actor.number > 1 => format!("{core} as {}", actor.name),
            _ => core,
        });
    } else if step.does == Some(Does::Choose) {
        lines.push(match &step.observed {
            Some(outcome) => format!("choose outcome {}", sentences::saw(outcome)),
            None => "choose an outcome".to_owned(),
        });
    } else if step.kind == StepKind::Choice {
        lines.push(core);
    } else if let Some(at) =
        changes.iter().position(|change| ends_with == Some(&change.cell) && !list(change))
    {
        // `get x.refs` with its change is `get x.refs: 1 -> 2`.
        let change = changes.remove(at);
        lines.push(format!("{core}: {} -> {}", change.from, change.to));
    } else if !changes.is_empty() && moves(step) && changes.iter().all(|change| told_by_list(step, change)) {
        lines.extend(changes.drain(..).map(transition));
    } else {
        lines.push(match (&step.observed, &step.does) {
            // A pointer to what only it points to.
            (Some(Saw::Value(value)), Some(Does::Read(cell))) if value.is_object(cell) => {
                format!("{core}: not NULL")
            }
            (Some(Saw::Besides(cell, value)), _) => format!("{core}, then read {cell}: {value}"),
            (Some(saw), _) if moves(step) => {
                let under = lock.take().map_or(String::new(), |lock| format!(" under {lock}"));
                format!("{core}{under}: {}", sentences::saw(saw))
            }
            (Some(saw), _) => format!("{core}: {}", sentences::saw(saw)),
            (None, _) => core,
        });
    }
    if let (Some(lock), Some(line)) = (lock, lines.last_mut()) {
        line.push_str(" under ");
        line.push_str(lock);
    }
    if let (Some(note), Some(line)) = (note, lines.last_mut()) {
        line.push_str(&format!(" ({})", note.text));
    }
    lines.extend(changes.into_iter().map(transition));
    lines
}

/// Whether a change is that of the cell that the step is about.
fn about(step: &ToldStep, change: &Change) -> bool {
    let cell = change.cell.as_str();
    step.does.as_ref().is_some_and(|does| match does {
        Does::Write(of, _) | Does::WriteIf(of, ..) => of == cell,
        Does::Splice { from, .. } if from == cell => true,
        does => sentences::ends_with(does) == Some(cell),
    })
}

/// Whether what the step does says already that this changed.
fn evident(step: &ToldStep, change: &Change) -> bool {
    let Change { cell, from, to, .. } = change;
    let said = match &step.does {
        Some(Does::Write(of, value)) => of == cell && value == to,
        Some(Does::WriteIf(of, before, value)) => of == cell && before == from && value == to,
        Some(Does::Free(of)) => of == cell && *to == Value::Life(Life::Freed),
        Some(Does::Allocate(of)) => of == cell && *to == Value::Life(Life::Alive),
        Some(Does::Retire(of)) => of == cell && *to == Value::Life(Life::Retired),
        _ => false,
    };
    let ends = matches!(step.does, Some(Does::EndEntry | Does::EndTask | Does::EndWork(_)));
    said || (to.is_object(cell) && *from == Value::Null)
        // The number of scheduled entries, or that a task runs: the line about scheduling or ending is enough.
        || ((step.kind == StepKind::Spawn || ends) && from.is_number() && to.is_number())
}

fn transition(change: &Change) -> String {
    let Change { cell, from, to, .. } = change;
    match (from, to) {
        (_, Value::Life(Life::Freed | Life::Retired)) => format!("{cell} is {to}"),
        (_, Value::Life(Life::Alive)) => format!("{cell} is allocated"),
        (Value::References(before), Value::References(now))
            if *before > 0 && before.checked_add(1) == Some(*now) =>
        {
            format!("get {cell}: {from} -> {to}")
        }
        (Value::References(before), Value::References(now)) if now.checked_add(1) == Some(*before) => {
            format!("put {cell}: {from} -> {to}")
        }
        _ => format!("{cell}: {from} -> {to}"),
    }
}

fn list(change: &Change) -> bool {
    matches!((&change.from, &change.to), (Value::Members(_), Value::Members(_)))
}

/// Whether a step puts members on a list or takes them off.
fn moves(step: &ToldStep) -> bool {
    matches!(
        step.does,
        Some(
            Does::Add { .. } | Does::Remove { .. } | Does::Delete { .. } | Does::Pop(_) | Does::Splice { .. }
        )
    )
}

/// Whether the change of a list, shown, says all that the step does.
fn told_by_list(step: &ToldStep, change: &Change) -> bool {
    // A member that is dead but still linked needs the verb.
    let linked = matches!(&change.to, Value::Members(members) if members.iter().all(|member| !member.dead));
    list(change)
        && linked
        && step.names().contains(&change.cell.as_str())
        && transition(change).len() <= SHORT_LIST
}
