//! A story as a Mermaid `sequenceDiagram`: tasks as lifelines, steps as messages to oneself.

use std::fmt::Write as _;

use super::lines::bad_step;
use super::sentences::{awaited_words, hazard_words};
use super::words::{actor, words};
use super::wrap::ascii;
use crate::story::Story;

/// Only so many steps are drawn, the last ones: larger diagrams nobody can read.
const STEP_LIMIT: usize = 60;

/// Draws a story.
#[must_use]
pub fn mermaid(story: &Story) -> String {
    let mut out = "sequenceDiagram\n".to_owned();
    for (number, actor) in story.actors.iter().enumerate() {
        line(&mut out, &format!("participant A{number} as {}", escaped(&actor.name)));
    }
    let skipped = story.steps.len().saturating_sub(STEP_LIMIT);
    if skipped > 0 && !story.actors.is_empty() {
        let last = story.actors.len() - 1;
        line(&mut out, &format!("Note over A0,A{last}: {skipped} earlier steps are left out"));
    }
    let bad = bad_step(story);
    for (number, step) in story.steps.iter().enumerate().skip(skipped) {
        let from = step.actor;
        let inside = step.stack.last().map_or(String::new(), |call| format!("{call}: "));
        let text = escaped(&format!("{inside}{}", words(story, step, true).join(", ")));
        let to = step.started.unwrap_or(from);
        let arrow = if bad == Some(number) { "-x" } else { "->>" };
        line(&mut out, &format!("A{from}{arrow}A{to}: {text}"));
    }
    if let Some(hazard) = &story.hazard {
        let place = match (bad, story.actors.len()) {
            (Some(number), _) => format!("A{}", story.steps[number].actor),
            (None, 0) => return out,
            (None, n) => format!("A0,A{}", n - 1),
        };
        line(
            &mut out,
            &format!("Note over {place}: {}", escaped(&format!("{}: {}", hazard.id, hazard_words(story)))),
        );
    }
    for wait in &story.waiting {
        let text = escaped(&format!("{} waits for {}", actor(story, wait.actor), awaited_words(&wait.on)));
        line(&mut out, &format!("Note over A{}: {text}", wait.actor));
    }
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "    {text}").expect("internal: a string can be written to");
}

/// A text without the characters that end a statement, begin a comment or are HTML.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in ascii(text).chars() {
        match c {
            ';' | '#' | '%' | '<' | '&' | '{' | '}' => {
                write!(out, "#{};", u32::from(c)).expect("internal: a string can be written to");
            }
            _ => out.push(c),
        }
    }
    // An empty text would be a syntax error.
    if out.trim().is_empty() { "?".to_owned() } else { out }
}
