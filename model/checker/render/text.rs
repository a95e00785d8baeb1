//! A violation as text, ready to be pasted into a mail: claim, diagram, explanation, how to
//! reproduce it, and what was covered.

use super::diagram::{DiagramOptions, diagram, joined};
use super::explain::explain;
use super::lines::folded;
use super::wrap::{ascii, wrap};
use crate::story::Story;

/// What a report says besides its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The scenario's path as it was given.
    pub scenario: &'a str,
    /// The scenario's title.
    pub title: &'a str,
    /// The revision that was checked.
    pub revision: &'a str,
    /// The hazard's id.
    pub hazard: &'a str,
    /// Whether the scenario expects it.
    pub expected: bool,
    /// The line of the scenario's text with the call that goes wrong, if it is one.
    pub line: Option<u32>,
    /// The rules that the scenario changes on it, such as `detach-waits-for-async = false`.
    pub rules: &'a str,
    /// How many other objects have the same hazard.
    pub others: usize,
    /// What was covered, in one sentence.
    pub guarantee: &'a str,
    /// Options of `raddle check` by which this run is shown, and not the shortest.
    pub options: &'a [String],
}

/// A violation as text.
#[must_use]
pub fn report(heading: &Heading<'_>, story: &Story, options: &DiagramOptions) -> String {
    let width = options.line_width();
    let mut rows = wrap(heading.title, width, 0);
    let rules = if heading.rules.is_empty() { "" } else { &format!(" with {}", heading.rules) };
    let claim = format!("{} on {}{rules}, {}", heading.hazard, heading.revision, heading.scenario);
    rows.extend(wrap(&claim, width, 2));
    rows.push(String::new());
    rows.extend(diagram(story, options).lines().map(str::to_owned));
    let explanation = explain(story);
    if !explanation.is_empty() {
        rows.push(String::new());
        rows.extend(wrap(&explanation, width, 0));
    }
    if heading.others > 0 {
        rows.push(String::new());
        let others = match heading.others {
            1 => "1 other object meets the same hazard.".to_owned(),
            n => format!("{n} other objects meet the same hazard."),
        };
        rows.extend(wrap(&others, width, 0));
    }
    let unneeded = folded(story, options.full);
    if unneeded > 0 {
        rows.push(String::new());
        let all = story.steps.len();
        let text = match all - unneeded {
            0 => format!("Before it: {all} steps that the hazard does not need; --full shows them."),
            shown => format!(
                "Shown: {shown} of {all} steps, those that the hazard needs (calls are no steps); --full shows all."
            ),
        };
        let text = if all == 1 { text.replace("1 steps", "1 step") } else { text };
        rows.extend(wrap(&text, width, 2));
    }
    rows.push(String::new());
    rows.push("Reproduce with:".to_owned());
    let mut arguments = vec!["check", heading.scenario];
    // Options that name another subject stand for the revision.
    if heading.options.first().is_none_or(|option| option != "--tree") {
        arguments.extend(["--revision", heading.revision]);
    }
    arguments.extend(heading.options.iter().map(String::as_str));
    rows.extend(command(&arguments, width));
    if !heading.guarantee.is_empty() {
        rows.push(String::new());
        rows.extend(wrap(&format!("Covered: {}.", heading.guarantee.trim_end_matches('.')), width, 2));
    }
    joined(rows)
}

/// A shell command, broken with backslashes where it is too long for a line.
fn command(arguments: &[&str], width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = "  raddle".to_owned();
    for (number, argument) in arguments.iter().enumerate() {
        let last = number + 1 == arguments.len();
        let argument = quoted(argument);
        // An option stays with its value.
        let group: usize = argument.iter().map(String::len).sum::<usize>()
            + if argument.concat().starts_with("--") && !last {
                1 + quoted(arguments[number + 1]).concat().len()
            } else {
                0
            };
        let behind = if last { 0 } else { 2 };
        if row.len() + 1 + group + behind > width {
            rows.push(format!("{row} \\"));
            "    ".clone_into(&mut row);
        } else {
            row.push(' ');
        }
        for character in argument {
            if row.len() + character.len() + 2 > width {
                // Within a word the next line begins at its start, or it would be another word.
                rows.push(format!("{row}\\"));
                row = String::new();
            }
            row.push_str(&character);
        }
    }
    rows.push(row);
    rows
}

/// The characters of an argument, those that mean something to a shell with a backslash.
fn quoted(argument: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%?".contains(c);
    ascii(argument).chars().map(|c| if plain(c) { c.to_string() } else { format!("\\{c}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_broken_so_that_a_shell_reads_it_whole() {
        assert_eq!(command(&["check", "a b.toml"], 75), ["  raddle check a\\ b.toml"]);
        let path = format!("{}.toml", "a".repeat(60));
        assert_eq!(
            command(&["check", &path, "--revision", "v5.1"], 75),
            ["  raddle check \\", &format!("    {path} \\"), "    --revision v5.1"]
        );
        let rows = command(&["check", &"a/".repeat(100), "--revision", "v5.1"], 75);
        let word = rows[1..4].join("\n").replace("\\\n", "");
        assert_eq!(word, format!("    {} \\", "a/".repeat(100)));
    }
}
