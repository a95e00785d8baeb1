//! `raddle replay --step`: through a trace, forward and back, by keys on a terminal, else by commands on standard input.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use console::{Key, Term};
use raddle::dumped::Replayed;
use raddle_checker::render::{blocked_words, hazard_words, ready_words, step_words};
use raddle_checker::story::Scene;

use super::dump::read;
use super::inputs::INPUT_ERROR;
use super::out::{Out, complain, shown};

/// What a reader may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// So many steps on, or back.
    Move(isize),
    /// To a step; on a terminal its number is asked for.
    Go(Option<usize>),
    End,
    Memory,
    Locks,
    Tasks,
    Stack,
    Help,
    Quit,
}

/// So many steps are a page.
const PAGE: isize = 10;

/// How something is asked for: what, by which words, by which keys, what the keys are called, and what it does.
struct Row(Ask, &'static [&'static str], &'static [Key], &'static str, &'static str);

const ROWS: [Row; 12] = [
    Row(
        Ask::Move(1),
        &["n", "next"],
        &[Key::ArrowRight, Key::ArrowDown, Key::Enter, Key::Char(' ')],
        "right, down, space",
        "one step forward",
    ),
    Row(
        Ask::Move(-1),
        &["b", "back"],
        &[Key::ArrowLeft, Key::ArrowUp, Key::Backspace],
        "left, up",
        "one step back",
    ),
    Row(Ask::Move(PAGE), &["pgdn"], &[Key::PageDown], "page down", "ten steps forward"),
    Row(Ask::Move(-PAGE), &["pgup"], &[Key::PageUp], "page up", "ten steps back"),
    Row(Ask::Go(None), &["g", "go"], &[], "", "to after step N, as in g 12; 0 is the start"),
    Row(Ask::Go(Some(0)), &["start"], &[Key::Home], "home", "to the start"),
    Row(Ask::End, &["end"], &[Key::End], "end", "to the end"),
    Row(Ask::Memory, &["m", "memory"], &[], "", "all cells and their values"),
    Row(Ask::Locks, &["l", "locks"], &[], "", "who holds which mutex, and who waits"),
    Row(Ask::Tasks, &["t", "tasks"], &[], "", "which tasks could take a step here, and which step"),
    Row(Ask::Stack, &["s", "stack"], &[], "", "the functions that the last step was in"),
    Row(Ask::Quit, &["q", "quit"], &[Key::Escape, Key::CtrlC], "escape", "leave"),
];

/// All of them, a line each.
fn help() -> String {
    let line = |Row(_, words, _, keys, does): &Row| {
        let keys = if keys.is_empty() { String::new() } else { format!("; {keys}") };
        format!("{:<36}{does}", format!("{}{keys}", words.join(", ")))
    };
    ROWS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a line of input asks for; an empty one for the next step.
fn of_line(line: &str) -> Option<Ask> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [] => Some(Ask::Move(1)),
        ["h" | "help" | "?"] => Some(Ask::Help),
        ["g" | "go", number] => number.parse().ok().map(|number| Ask::Go(Some(number))),
        ["g" | "go"] => None,
        [word] => ROWS.iter().find(|row| row.1.contains(&word)).map(|row| row.0),
        _ => None,
    }
}

/// What a key asks for: its own, or the word that is its letter.
fn of_key(key: &Key) -> Option<Ask> {
    let own = ROWS.iter().find(|row| row.2.contains(key)).map(|row| row.0);
    match key {
        Key::Char('g') => Some(Ask::Go(None)),
        Key::Char(letter) => own.or_else(|| of_line(&letter.to_string())),
        _ => own,
    }
}

/// Where asks come from.
enum Input {
    Keys(Term),
    Lines,
}

impl Input {
    /// Keys, if both ends are a terminal.
    fn new() -> Self {
        let term = Term::stdout();
        if io::stdin().is_terminal() && term.is_term() { Input::Keys(term) } else { Input::Lines }
    }

    /// The next ask, or what was typed instead; `None` at the end.
    fn next(&mut self, out: &mut Out) -> Option<Result<Ask, String>> {
        match self {
            Input::Keys(term) => {
                out.flush();
                let key = term.read_key_raw().ok()?;
                if of_key(&key) != Some(Ask::Go(None)) {
                    return Some(of_key(&key).ok_or_else(|| key_name(&key)));
                }
                out.text("to step: ");
                out.flush();
                let line = term.read_line().ok()?;
                Some(line.trim().parse().map(|number| Ask::Go(Some(number))).map_err(|_| line))
            }
            Input::Lines => {
                if io::stdin().is_terminal() {
                    out.text("> ");
                }
                out.flush();
                let mut line = String::new();
                let read = io::stdin().lock().read_line(&mut line);
                read.ok().filter(|bytes| *bytes > 0)?;
                Some(of_line(&line).ok_or_else(|| line.trim().to_owned()))
            }
        }
    }
}

/// A key in a message.
fn key_name(key: &Key) -> String {
    match key {
        Key::Char(letter) => letter.to_string(),
        Key::UnknownEscSeq(letters) => format!("escape {}", letters.iter().collect::<String>()),
        key => format!("{key:?}").to_lowercase(),
    }
}

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
    let mut input = Input::new();
    let how = if matches!(input, Input::Keys(_)) { "Arrow keys step; h" } else { "h" };
    out.line(format_args!("{} steps. {how} shows the commands.", replayed.story.steps.len()));
    let mut at = 0;
    let start =
        if trace.in_set_up { "At the start of the set-up." } else { "At the start, after the set-up." };
    here(&replayed, &scenes, start, at, out);
    let last = scenes.len() - 1;
    while let Some(asked) = input.next(out) {
        if out.is_gone() {
            break;
        }
        let scene = &scenes[at];
        let to = match asked {
            Ok(Ask::Move(by)) if by > 0 && at == last => {
                out.line("This is the end.");
                continue;
            }
            Ok(Ask::Move(by)) if by < 0 && at == 0 => {
                out.line("This is the start.");
                continue;
            }
            Ok(Ask::Move(by)) => at.saturating_add_signed(by).min(last),
            Ok(Ask::Go(Some(number))) if number <= last => number,
            Ok(Ask::Go(_)) => {
                out.line(format_args!("There are {last} steps."));
                continue;
            }
            Ok(Ask::End) => last,
            Ok(Ask::Quit) => break,
            Ok(Ask::Memory) => {
                let cells = scene.memory.iter();
                cells.for_each(|shown| out.line(format_args!("  {} = {}", shown.cell, shown.value)));
                continue;
            }
            Ok(Ask::Locks) => {
                locks(scene, out);
                continue;
            }
            Ok(Ask::Tasks) => {
                let ready = scene.ready.iter();
                ready.for_each(|ready| {
                    out.line(format_args!("  {} could {}", ready.actor, ready_words(ready)))
                });
                continue;
            }
            Ok(Ask::Stack) => {
                let taken = at.checked_sub(1).map(|taken| &replayed.story.steps[taken].stack);
                taken.into_iter().flatten().for_each(|call| out.line(format_args!("  {call}")));
                continue;
            }
            Ok(Ask::Help) => {
                out.line(help());
                continue;
            }
            Err(typed) => {
                out.line(format_args!("\"{typed}\" is no command here; h shows the commands."));
                continue;
            }
        };
        at = to;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_lines_ask_for_the_same() {
        for (keys, line) in [
            (&[Key::ArrowRight, Key::ArrowDown, Key::Enter, Key::Char(' '), Key::Char('n')][..], "next"),
            (&[Key::ArrowLeft, Key::ArrowUp, Key::Char('b')], "b"),
            (&[Key::Home], "g 0"),
            (&[Key::End], "end"),
            (&[Key::PageDown], "pgdn"),
            (&[Key::Char('m')], "memory"),
            (&[Key::Char('h'), Key::Char('?')], "help"),
            (&[Key::Char('q'), Key::Escape, Key::CtrlC], "quit"),
        ] {
            keys.iter().for_each(|key| assert_eq!(of_key(key), of_line(line), "{key:?} {line}"));
            assert!(of_line(line).is_some(), "{line}");
        }
        assert_eq!(of_line(""), Some(Ask::Move(1)));
        assert_eq!(of_line("g 12"), Some(Ask::Go(Some(12))));
        for unknown in ["g", "g x", "g 1 2", "x", "\u{1b}[C"] {
            assert_eq!(of_line(unknown), None, "{unknown}");
        }
        for unknown in [Key::Char('x'), Key::Tab, Key::UnknownEscSeq(vec!['[', 'Z'])] {
            assert_eq!(of_key(&unknown), None, "{unknown:?}");
        }
    }
}
