//! One step in words, without saying anything twice.

use crate::story::{Change, StepKind, Story, ToldStep};

/// The longest list for which its contents are told before and after.
const SHORT_LIST: usize = 48;

/// The name of an actor.
pub(super) fn actor(story: &Story, actor: usize) -> &str {
    story.actors.get(actor).map_or("?", |actor| actor.name.as_str())
}

/// A stack frame with its parentheses.
pub(super) fn frame(call: &str) -> String {
    if call.contains('(') { call.to_owned() } else { format!("{call}()") }
}

/// What the step does, and the lock that it does it under, if it says so.
pub(super) fn core(step: &ToldStep) -> (&str, Option<&str>) {
    match step.does.rsplit_once(" under ") {
        Some((core, lock)) => (core, Some(lock)),
        None => (&step.does, None),
    }
}

/// Whether a text names something as a whole word: `a.b` names `a` and `a.b`, but not `b`.
pub(super) fn names(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty()
        && text.match_indices(name).any(|(place, _)| {
            let before = text[..place].chars().next_back();
            let mut after = text[place + name.len()..].chars();
            let (next, following) = (after.next(), after.next());
            let arrow = next == Some('-') && following == Some('>');
            !before.is_some_and(|c| word(c) || c == '.') && (arrow || !next.is_some_and(word))
        })
}

/// Whether a text names something and not a part of it: `a.b` does not name `a`.
pub(super) fn says(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "_-.#/".contains(c);
    text.split(|c| !inside(c)).any(|word| word.trim_end_matches('.') == name)
}

/// A step in words: what it does with what it observed or changed, then what else changed. If not in
/// full, of the changes only those that the hazard needs.
pub(super) fn words(story: &Story, step: &ToldStep, full: bool) -> Vec<String> {
    let (core, mut lock) = core(step);
    let plain = matches!(step.kind, StepKind::Read | StepKind::Write) && step.note.is_none();
    let some = step.changes.iter().any(|change| change.needed);
    // The count whose end frees an object is told with it.
    let frees =
        core.starts_with("put ") && step.changes.iter().any(|change| change.needed && change.to == "freed");
    let told = |change: &&Change| full || change.needed || ((!some || frees) && about(core, change));
    let mut changes: Vec<&Change> =
        step.changes.iter().filter(told).filter(|change| !evident(step, core, change)).collect();
    let unneeded = |change: &Change| !change.needed && about(core, change);
    if !full && plain && some && !frees && step.changes.iter().any(unneeded) {
        // What it does is mostly something else.
        return changes.into_iter().map(transition).collect();
    }
    let mut lines = Vec::new();
    if let Some(started) = step.started {
        lines.push(schedule(story, core, started));
    } else if step.kind == StepKind::Choice && core != "one of several outcomes" {
        lines.push(core.to_owned());
    } else if step.kind == StepKind::Choice && core == "one of several outcomes" {
        lines.push(match &step.observed {
            Some(outcome) => format!("choose outcome {outcome}"),
            None => "choose an outcome".to_owned(),
        });
    } else if let Some(at) = changes.iter().position(|change| core.ends_with(&format!(" {}", change.cell)))
        && !list(changes[at])
    {
        // `get x.refs` with its change is `get x.refs: 1 -> 2`.
        let change = changes.remove(at);
        lines.push(format!("{core}: {} -> {}", change.from, change.to));
    } else if !changes.is_empty() && moves(core) && changes.iter().all(|change| told_by_list(core, change)) {
        lines.extend(changes.drain(..).map(transition));
    } else {
        lines.push(match &step.observed {
            // A pointer to what only it points to.
            Some(observed) if core.strip_prefix("read ") == Some(observed) => format!("{core}: not NULL"),
            Some(observed) if moves(core) => {
                let under = lock.take().map_or(String::new(), |lock| format!(" under {lock}"));
                format!("{core}{under}: {observed}")
            }
            Some(observed) => format!("{core}: {observed}"),
            None => core.to_owned(),
        });
    }
    if let (Some(lock), Some(line)) = (lock, lines.last_mut()) {
        line.push_str(" under ");
        line.push_str(lock);
    }
    if let (Some(note), Some(line)) = (&step.note, lines.last_mut()) {
        line.push_str(&format!(" ({note})"));
    }
    lines.extend(changes.into_iter().map(transition));
    lines
}

/// Whether a change is that of the cell that the words of the step are about.
fn about(core: &str, change: &Change) -> bool {
    core.ends_with(&format!(" {}", change.cell))
        || core.starts_with(&format!("{} = ", change.cell))
        || (moves(core) && list(change) && names(core, &change.cell))
}

/// Whether what the step does says already that this changed.
fn evident(step: &ToldStep, core: &str, change: &Change) -> bool {
    let Change { cell, from, to, .. } = change;
    let number = |text: &str| text.parse::<u64>().is_ok() || text == "true" || text == "false";
    let starts_or_ends = step.kind == StepKind::Spawn || core.ends_with(" ends");
    core == format!("{cell} = {to}")
        || core == format!("{cell} = {to} if it is {from}")
        || (core == format!("free {cell}") && to == "freed")
        || (core == format!("allocate {cell}") && to == "alive")
        || (cell == to && from == "NULL")
        || (core == format!("{cell} is unregistered") && to == "unregistered")
        // The number of scheduled entries, or that a task runs: the line about scheduling or ending is enough.
        || (starts_or_ends && number(from) && number(to))
}

fn transition(change: &Change) -> String {
    let Change { cell, from, to, .. } = change;
    match to.as_str() {
        "freed" | "unregistered" => format!("{cell} is {to}"),
        "alive" => format!("{cell} is allocated"),
        _ if cell.ends_with(".refs") => match (from.parse::<u8>(), to.parse::<u8>()) {
            (Ok(from), Ok(to)) if from > 0 && to == from + 1 => format!("get {cell}: {from} -> {to}"),
            (Ok(from), Ok(to)) if from == to + 1 => format!("put {cell}: {from} -> {to}"),
            _ => format!("{cell}: {from} -> {to}"),
        },
        _ => format!("{cell}: {from} -> {to}"),
    }
}

fn list(change: &Change) -> bool {
    change.from.starts_with('[') && change.to.starts_with('[')
}

/// Whether a step puts members on a list or takes them off.
fn moves(core: &str) -> bool {
    ["add ", "delete ", "take ", "move "].iter().any(|verb| core.starts_with(verb))
}

/// Whether the change of a list, shown, says all that the step does.
fn told_by_list(core: &str, change: &Change) -> bool {
    // A member in parentheses is dead, but still linked: that needs the verb.
    list(change)
        && !change.to.contains('(')
        && names(core, &change.cell)
        && transition(change).len() <= SHORT_LIST
}

/// `schedule f(x)`, with the number of the task that runs it if there are several.
fn schedule(story: &Story, core: &str, started: usize) -> String {
    let role = actor(story, started);
    match role.split_once(" #") {
        Some(_) => format!("{core} as {role}"),
        None => core.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{names, says};

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(names("use a", "a"));
        assert!(names("read a.b", "a"));
        assert!(names("read a.b", "a.b"));
        assert!(names("a->b is read", "a"));
        assert!(!names("read a.b", "b"));
        assert!(!names("use ab", "a"));
        assert!(!names("use a-b", "a"));
        assert!(!names("use a", ""));
        assert!(says("a.b is NULL.", "a.b") && says("use a", "a"));
        assert!(!says("a.b is NULL", "a") && !says("use a.b", "b"));
    }
}
