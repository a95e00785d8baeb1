//! `raddle replay --step`: through a trace, forward and back, by commands on standard input.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use raddle::dumped::Replayed;
use raddle_checker::render::{blocked_words, hazard_words, ready_words, step_words};
use raddle_checker::story::Scene;

use super::dump::read;
use super::inputs::INPUT_ERROR;
use super::out::{Out, complain, shown};

const HELP: &str = "\
n, next, or an empty line   one step forward
b, back                     one step back
g N                         to after step N; 0 is the start
m, memory                   all cells and their values
l, locks                    who holds which mutex, and who waits
t, tasks                    which tasks could take a step here, and which step
s, stack                    the functions that the last step was in
q, quit                     leave";

/// Steps through a dumped trace.
pub fn step(path: &Path, out: &mut Out) -> u8 {
    let replayed = read(path).and_then(|trace| {
        let replayed = trace.replay()?;
        let scenes = trace.scenes()?;
        Ok((trace, replayed, scenes))
    });
    let (trace, replayed, scenes) = match replayed {
        Ok(replayed) => replayed,
        Err(error) => {
            complain(format_args!("{}: {error}", shown(path)));
            return INPUT_ERROR;
        }
    };
    out.line(format_args!("{} on {}: {}", trace.scenario, trace.revision, trace.hazard));
    out.line(format_args!("{} steps; h shows the commands.", replayed.story.steps.len()));
    let mut at = 0;
    let start =
        if trace.in_set_up { "At the start of the set-up." } else { "At the start, after the set-up." };
    here(&replayed, &scenes, start, at, out);
    let prompts = io::stdin().is_terminal();
    let mut lines = io::stdin().lock().lines();
    loop {
        if prompts {
            out.text("> ");
        }
        out.flush();
        let Some(Ok(line)) = lines.next() else { break };
        if out.is_gone() {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let scene = &scenes[at];
        match words[..] {
            [] | ["n" | "next"] if at + 1 < scenes.len() => at += 1,
            [] | ["n" | "next"] => {
                out.line("This is the end.");
                continue;
            }
            ["b" | "back"] => at = at.saturating_sub(1),
            ["g" | "go", number] => match number.parse::<usize>() {
                Ok(number) if number < scenes.len() => at = number,
                _ => {
                    out.line(format_args!("There are {} steps.", scenes.len() - 1));
                    continue;
                }
            },
            ["m" | "memory"] => {
                let cells = scene.memory.iter();
                cells.for_each(|shown| out.line(format_args!("  {} = {}", shown.cell, shown.value)));
                continue;
            }
            ["l" | "locks"] => {
                locks(scene, out);
                continue;
            }
            ["t" | "tasks"] => {
                for ready in &scene.ready {
                    out.line(format_args!("  {} could {}", ready.actor, ready_words(ready)));
                }
                continue;
            }
            ["s" | "stack"] => {
                let last = at.checked_sub(1).map(|last| &replayed.story.steps[last].stack);
                last.into_iter().flatten().for_each(|call| out.line(format_args!("  {call}")));
                continue;
            }
            ["q" | "quit"] => break,
            ["h" | "help" | "?"] => {
                out.line(HELP);
                continue;
            }
            _ => {
                out.line(format_args!("\"{}\" is no command here; h shows the commands.", line.trim()));
                continue;
            }
        }
        here(&replayed, &scenes, start, at, out);
    }
    u8::from(!replayed.shows)
}

/// The step that led here.
fn here(replayed: &Replayed, scenes: &[Scene], start: &str, at: usize, out: &mut Out) {
    let story = &replayed.story;
    let Some(step) = at.checked_sub(1).and_then(|last| story.steps.get(last)) else {
        out.line(start);
        return;
    };
    let inside = step.stack.last().map_or(String::new(), |call| format!(" in {call}"));
    let actor = &story.actors[step.actor].name;
    out.line(format_args!("{at}/{} [{actor}]{inside}: {}", scenes.len() - 1, step_words(story, step)));
    out.line(format_args!("    {}", step.at));
    if at + 1 == scenes.len()
        && let Some(hazard) = &story.hazard
    {
        out.line(format_args!("{}: {}.", hazard.id, hazard_words(story)));
    }
}

fn locks(scene: &Scene, out: &mut Out) {
    if scene.locks.is_empty() {
        out.line("  no mutex is held");
    }
    scene.locks.iter().for_each(|(lock, task)| out.line(format_args!("  {lock} is held by {task}")));
    for blocked in &scene.waiting {
        out.line(format_args!("  {} waits: {}", blocked.actor, blocked_words(blocked)));
    }
}
