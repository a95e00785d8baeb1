//! The race diagram of kernel changelogs: time goes down, one column for each task.
//!
//! Follows the CPU0/CPU1 tables that the tip tree's maintainer handbook asks for, and for deadlocks
//! lockdep's "Possible unsafe locking scenario". More than three tasks fall back to one column whose
//! lines begin with the task.

use super::columns::{columns, prefixed};
use super::lines::{Line, bad_step, deadlocked, is_deadlock, lines};
use super::sentences::{awaited, hazard_words};
use super::words::actor;
use super::wrap::wrap;
use crate::machine::hazard::Breach;
use crate::story::{HeldMutex, Source, Story, ToldStep, WaitFor, Waiting};

/// The narrowest diagram; a smaller width is taken as this one.
const LEAST_WIDTH: usize = 40;

/// So many actors still have a column each.
const COLUMNS: usize = 3;

/// How a diagram is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagramOptions {
    /// No line is longer, in characters. At least 40.
    pub width: usize,
    /// Whether steps are told that decide nothing.
    pub full: bool,
    /// Which lines of the source are shown below their steps.
    pub lines: Lines,
}

/// Lines of the source that are shown below the steps that are made there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// None.
    #[default]
    None,
    /// Those that a change under review has added.
    Added,
    /// All.
    All,
}

impl Lines {
    /// Whether a line is shown.
    pub(super) fn shows(self, at: &Source) -> bool {
        match self {
            Lines::None => false,
            Lines::Added => at.added,
            Lines::All => true,
        }
    }
}

impl Default for DiagramOptions {
    fn default() -> Self {
        DiagramOptions { width: 75, full: false, lines: Lines::None }
    }
}

impl DiagramOptions {
    /// Every step is told.
    #[must_use]
    pub fn full() -> Self {
        DiagramOptions { full: true, ..DiagramOptions::default() }
    }

    pub(super) fn line_width(&self) -> usize {
        self.width.max(LEAST_WIDTH)
    }
}

/// Draws a story: its steps, what went wrong, and what each task waits for.
///
/// ```
/// use raddle_checker::render::{DiagramOptions, diagram};
/// use raddle_checker::machine::hazard::Breach;
/// use raddle_checker::story::{Actor, Call, Does, Source, StepKind, Story, ToldHazard, ToldStep};
///
/// let step = |actor, function: &str, does: Does| ToldStep {
///     actor,
///     stack: vec![Call { name: function.to_owned(), args: vec![], note: None }],
///     kind: StepKind::Read,
///     does: Some(does),
///     under: None,
///     note: None,
///     needed: true,
///     observed: None,
///     changes: vec![],
///     started: None,
///     at: Source::new("model.rs", 1),
/// };
/// let x = || "x".to_owned();
/// let story = Story {
///     actors: ["rmmod", "kworker"].map(|name| Actor { name: name.to_owned(), number: 1 }).to_vec(),
///     steps: vec![step(0, "exit", Does::Free(x())), step(1, "helper", Does::Use(x()))],
///     hazard: Some(ToldHazard {
///         id: "use-after-free".to_owned(),
///         breach: Breach::UsedAfterFree(x()),
///         at_last_step: true,
///     }),
///     waiting: vec![],
///     held: vec![],
///     cycle: None,
///     racing: vec![],
/// };
/// assert_eq!(
///     diagram(&story, &DiagramOptions::default()),
///     "\
/// rmmod       kworker
/// -----       -------
/// exit()
///   free x
///             helper()
///               use x
///               ^^^^^ use-after-free
///
/// use-after-free: x is used after it has been freed.
/// "
/// );
/// ```
#[must_use]
pub fn diagram(story: &Story, options: &DiagramOptions) -> String {
    let width = options.line_width();
    let mut rows = match story.cycle.filter(|begins| *begins < story.steps.len()) {
        None => table(story, &lines(story, options), width),
        Some(begins) => lasso(story, begins, options),
    };
    let at_rest = story.hazard.as_ref().is_some_and(|hazard| !hazard.at_last_step);
    if at_rest && story.cycle.is_none() && story.racing.is_empty() && !is_deadlock(story) {
        rows.push(String::new());
        rows.extend(wrap(&at_rest_words(story), width, 2));
    }
    let sentences = sentences(story);
    if !sentences.is_empty() {
        rows.push(String::new());
    }
    for sentence in sentences {
        rows.extend(wrap(&sentence, width, 2));
    }
    if let Some(scenario) = unsafe_locking(story, width) {
        rows.push(String::new());
        rows.extend(scenario);
    }
    joined(rows)
}

/// That nothing more can happen, and what stays as it must not by that.
fn at_rest_words(story: &Story) -> String {
    let stays = match story.hazard.as_ref().map(|hazard| &hazard.breach) {
        Some(Breach::Program(told)) => told.stays.as_ref(),
        _ => None,
    };
    match stays {
        Some((object, how)) => format!("(nothing more can happen: {object} stays {how})"),
        None => "(nothing more can happen)".to_owned(),
    }
}

/// A livelock: the way into the cycle, and the cycle.
fn lasso(story: &Story, begins: usize, options: &DiagramOptions) -> Vec<String> {
    let part = |steps: &[ToldStep]| {
        let part = Story {
            steps: steps.to_vec(),
            hazard: None,
            waiting: vec![],
            held: vec![],
            racing: vec![],
            ..story.clone()
        };
        table(story, &lines(&part, options), options.line_width())
    };
    let mut rows = part(&story.steps[..begins]);
    rows.extend([String::new(), "From here on the same happens again and again:".to_owned(), String::new()]);
    rows.extend(part(&story.steps[begins..]));
    rows
}

/// Lines as a text, without blanks at their ends.
pub(super) fn joined(rows: Vec<String>) -> String {
    rows.iter().map(|row| format!("{}\n", row.trim_end())).collect()
}

/// The actors that have a line, in the story's order, as columns or prefixes.
fn table(story: &Story, lines: &[Line], width: usize) -> Vec<String> {
    let mut actors: Vec<usize> = lines.iter().map(|line| line.actor).collect();
    actors.sort_unstable();
    actors.dedup();
    let heads: Vec<(usize, String)> =
        actors.iter().map(|number| (*number, actor(story, *number).to_owned())).collect();
    match heads.len() {
        0 => vec!["(no step)".to_owned()],
        1..=COLUMNS => columns(&heads, lines, width),
        _ => prefixed(&heads, lines, width),
    }
}

/// What went wrong, and then what each waiting task waits for.
fn sentences(story: &Story) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(hazard) = &story.hazard {
        let text = hazard_words(story);
        // What each of them waits for is said below.
        sentences.push(if is_deadlock(story) && matches!(hazard.breach, Breach::Deadlock(_)) {
            let several = if deadlocked(story).count() > 1 { "these tasks wait" } else { "this task waits" };
            format!("{}: {several} for ever.", hazard.id)
        } else {
            format!("{}: {}.", hazard.id, text.trim_end_matches('.'))
        });
    }
    // Somebody who waits while another one does something wrong is no part of it.
    let aside = bad_step(story).is_some() && !is_deadlock(story);
    let sentence =
        |wait| if aside { format!("Meanwhile {}", waits(story, wait)) } else { waits(story, wait) };
    sentences.extend(story.waiting.iter().map(sentence));
    sentences
}

fn waits(story: &Story, wait: &Waiting) -> String {
    let inside = wait.stack.last().map_or(String::new(), |call| format!(" in {call}"));
    let who = format!("{}{inside}", actor(story, wait.actor));
    let by: Vec<&str> = wait.by.iter().map(|number| actor(story, *number)).collect();
    let on = awaited(&wait.on);
    match &wait.on {
        WaitFor::Lock(lock) => match holder(story, lock) {
            Some(held) => format!("{who} waits for {on}, held by {}.", actor(story, held.actor)),
            None => format!("{who} waits for {on}."),
        },
        WaitFor::End(task) if by.contains(&task.as_str()) => format!("{who} waits for {on}."),
        _ if !by.is_empty() => format!("{who} waits for {on}, which needs {}.", by.join(" and ")),
        _ if wait.deadlocked => format!("{who} waits for {on}; no task is left that could bring it about."),
        _ => format!("{who} waits for {on}."),
    }
}

/// The lock that a task waits for, if it is a lock.
pub(super) fn lock(wait: &Waiting) -> Option<&str> {
    if let WaitFor::Lock(lock) = &wait.on { Some(lock) } else { None }
}

/// Who holds a lock.
fn holder<'a>(story: &'a Story, lock: &str) -> Option<&'a HeldMutex> {
    story.held.iter().find(|held| held.lock == lock)
}

/// The deadlock as lockdep would draw it: what each task holds that another wants, and what it wants.
fn unsafe_locking(story: &Story, width: usize) -> Option<Vec<String>> {
    if !is_deadlock(story) {
        return None;
    }
    let waiters: Vec<(&Waiting, &str)> =
        deadlocked(story).filter_map(|wait| lock(wait).map(|lock| (wait, lock))).collect();
    if waiters.len() < 2 {
        return None;
    }
    let line = |actor, lock: &str| Line {
        actor,
        depth: 0,
        text: format!("lock({lock});"),
        mark: None,
        aside: false,
    };
    let mut lines = Vec::new();
    for (wait, _) in &waiters {
        let wanted = |held: &&HeldMutex| waiters.iter().any(|(_, lock)| *lock == held.lock);
        let holds = story.held.iter().filter(|held| held.actor == wait.actor).filter(wanted);
        lines.extend(holds.map(|held| line(wait.actor, &held.lock)));
    }
    lines.extend(waiters.iter().map(|(wait, lock)| line(wait.actor, lock)));
    let mut rows = vec!["Possible unsafe locking scenario:".to_owned(), String::new()];
    rows.extend(table(story, &lines, width - 2).into_iter().map(|row| format!("  {row}")));
    rows.push(String::new());
    rows.push("  *** DEADLOCK ***".to_owned());
    Some(rows)
}
