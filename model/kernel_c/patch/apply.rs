//! Applies a mail's patches: at the place that a hunk names or the nearest one that fits, with blanks taken
//! for each other and up to two lines of context left out where it must be, each said.
//!
//! Not `diffy`, which refuses hunks that mailers have damaged and does not know fuzz.

use rustc_hash::FxHashSet;

use super::hunk::{Hunk, Line, hunks, plain};
use super::mail::{Diff, Mail};
use crate::error::Error;
use crate::sources::Sources;

/// How many lines of context may be left out at each end.
const FUZZ: usize = 2;

/// What has become of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The file that the mail is from.
    pub file: String,
    /// Its subject.
    pub subject: Option<String>,
    /// The files that it has changed.
    pub changed: Vec<Changed>,
    /// Files that are not the driver core's.
    pub ignored: Vec<String>,
}

/// What has become of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The file.
    pub path: String,
    /// How many hunks it took.
    pub hunks: usize,
    /// What was not as the patch says.
    pub notes: Vec<String>,
}

/// Whether a file is one that raddle reads.
fn is_ours(path: &str) -> bool {
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let source = path.ends_with(".c") || path.ends_with(".h");
    source
        && (path.starts_with("include/")
            || crate::tree::DIRECTORIES.contains(&dir)
            || crate::tree::FILES.contains(&path))
}

/// Applies a mail's patches. `rebuild`: what a hunk shows around its change and the tree does not have is taken
/// from the hunk.
///
/// # Errors
///
/// The first hunk that does not apply.
pub fn apply(mail: &Mail, sources: &mut Sources, rebuild: bool) -> Result<Applied, Error> {
    let mut applied = Applied {
        file: mail.file.clone(),
        subject: mail.subject.clone(),
        changed: Vec::new(),
        ignored: Vec::new(),
    };
    for diff in &mail.diffs {
        let path = diff.path();
        if !is_ours(path) {
            applied.ignored.push(path.to_owned());
            continue;
        }
        applied.changed.push(file(mail, diff, sources, rebuild)?);
    }
    Ok(applied)
}

fn file(mail: &Mail, diff: &Diff, sources: &mut Sources, rebuild: bool) -> Result<Changed, Error> {
    let path = diff.path();
    let first = diff.lines.first().map_or(0, |(line, _)| *line);
    let text = match &diff.from {
        None => String::new(),
        Some(from) => sources.read(from).ok_or_else(|| Error::Hunk {
            file: mail.file.clone(),
            line: first,
            target: path.to_owned(),
            why: "the tree has no such file".to_owned(),
        })?,
    };
    let marks = sources.marks(diff.from.as_deref().unwrap_or_default());
    let mut lines: Vec<(String, bool)> = text
        .lines()
        .enumerate()
        .map(|(i, line)| (line.to_owned(), marks.get(i).copied().unwrap_or_default()))
        .collect();
    let known: FxHashSet<String> = lines.iter().map(|(line, _)| plain(line)).collect();
    let hunks = hunks(&diff.lines, &known).map_err(|(line, what)| Error::Patch {
        file: mail.file.clone(),
        line,
        what,
    })?;
    let mut changed = Changed { path: path.to_owned(), hunks: hunks.len(), notes: Vec::new() };
    if diff.quoted {
        changed.notes.push("the patch stands in a reply, behind >".to_owned());
    }
    let (mut offset, mut from) = (0_isize, 0);
    for hunk in &hunks {
        changed.notes.extend(hunk.repaired.iter().cloned());
        let fit = match fit(hunk, &lines, offset, from) {
            Err(_) if rebuild && rebuilt(hunk, &mut lines, from, &mut changed.notes) => {
                fit(hunk, &lines, offset, from)
            }
            fit => fit,
        };
        let fit = fit.map_err(|why| Error::Hunk {
            file: mail.file.clone(),
            line: hunk.line,
            target: path.to_owned(),
            why,
        })?;
        changed.notes.extend(fit.notes(hunk));
        offset = fit.at as isize - hunk.start.saturating_sub(1) as isize;
        let (new, end) = replaced(hunk, &fit, &lines);
        offset += new.len() as isize - (end - fit.at) as isize;
        from = fit.at + new.len();
        lines.splice(fit.at..end, new);
    }
    let marks = lines.iter().map(|(_, mark)| *mark).collect();
    let text: String = lines.into_iter().flat_map(|(line, _)| [line, "\n".to_owned()]).collect();
    if let (Some(from), None) = (&diff.from, &diff.to) {
        sources.lay(from, None, Vec::new());
    } else {
        sources.lay(path, Some(text), marks);
    }
    Ok(changed)
}

/// Where a hunk fits.
struct Fit {
    /// The first line, from 0, of what is replaced.
    at: usize,
    /// How far it is from where the hunk says.
    moved: isize,
    /// Lines of context left out at the beginning and at the end.
    cut: (usize, usize),
    /// Whether only blanks differ.
    blanks: bool,
}

impl Fit {
    fn notes(&self, hunk: &Hunk) -> Vec<String> {
        let place = format!("hunk at line {}", hunk.line);
        let mut notes = Vec::new();
        if self.moved != 0 {
            notes.push(format!(
                "{place}: applies {} lines {}",
                self.moved.abs(),
                if self.moved > 0 { "down" } else { "up" }
            ));
        }
        if self.cut != (0, 0) {
            notes.push(format!("{place}: fuzz {}", self.cut.0.max(self.cut.1)));
        }
        if self.blanks {
            notes.push(format!("{place}: blanks differ from the tree's"));
        }
        notes
    }
}

/// The lines of the file before, and whether each is context.
fn old(hunk: &Hunk) -> Vec<(&str, bool)> {
    let lines = hunk.lines.iter().filter_map(|line| match line {
        Line::Context(text) => Some((text.as_str(), true)),
        Line::Removed(text) => Some((text.as_str(), false)),
        Line::Added(_) => None,
    });
    lines.collect()
}

fn fit(hunk: &Hunk, lines: &[(String, bool)], offset: isize, from: usize) -> Result<Fit, String> {
    let old = old(hunk);
    let lead = old_context(hunk.lines.iter());
    let trail = old_context(hunk.lines.iter().rev());
    let named = hunk.start.saturating_sub(1) as isize;
    let plains: Vec<String> = lines.iter().map(|(line, _)| plain(line)).collect();
    let wanted: Vec<String> = old.iter().map(|(line, _)| plain(line)).collect();
    for fuzz in 0..=FUZZ {
        let cut = (fuzz.min(lead), fuzz.min(trail));
        if fuzz > 0 && cut == (0, 0) {
            break;
        }
        if fuzz > 0 && is_there(hunk, &plains) {
            return Err("the tree has this change already".to_owned());
        }
        let body = cut.0..old.len() - cut.1;
        let expected = named + offset + cut.0 as isize;
        let last = lines.len().checked_sub(body.len());
        let mut places: Vec<usize> = (from..=last.unwrap_or(0)).filter(|_| last.is_some()).collect();
        places.sort_by_key(|at| (*at as isize - expected).unsigned_abs());
        for blanks in [false, true] {
            let fits = |at: &usize| {
                body.clone().enumerate().all(|(i, which)| match blanks {
                    true => plains[at + i] == wanted[which],
                    false => lines[at + i].0 == old[which].0,
                })
            };
            // With nothing to recognise it by a hunk stays where it says.
            let mut near = places.iter().copied().filter(|at| !body.is_empty() || *at as isize == expected);
            if let Some(at) = near.find(|at| fits(at)) {
                let moved = at as isize - cut.0 as isize - named;
                return Ok(Fit { at, moved, cut, blanks });
            }
        }
    }
    let mut why = missing(&wanted, &old, &plains, (named + offset).max(0) as usize);
    let absent = |name: &&str| !plains.iter().any(|line| line.contains(name));
    if let Some(name) = function(&hunk.section).filter(absent) {
        why.push_str(&format!("; the file has no {name}: is a patch before this one missing?"));
    }
    Err(why)
}

/// So many lines in a row may be other than a hunk shows them.
const REBUILT: usize = 3;

/// Makes a file what a hunk shows: with the function that it begins in, if the file has none of this name, or with
/// the few lines between its first two and its last two. False if that cannot be done in one way only.
fn rebuilt(hunk: &Hunk, lines: &mut Vec<(String, bool)>, from: usize, notes: &mut Vec<String>) -> bool {
    let old = old(hunk);
    let plains: Vec<String> = lines.iter().map(|(line, _)| plain(line)).collect();
    let wanted: Vec<String> = old.iter().map(|(line, _)| plain(line)).collect();
    let only = |part: &[String], at: std::ops::Range<usize>| {
        let mut places = at.filter(|at| plains.get(*at..at + part.len()).is_some_and(|lines| lines == part));
        places.next().filter(|_| !part.iter().all(String::is_empty) && places.next().is_none())
    };
    let place = format!("hunk at line {}", hunk.line);
    let absent = |name: &&str| !plains.iter().any(|line| line.contains(name));
    if let (Some(name), Some(end)) =
        (function(&hunk.section).filter(absent), wanted.iter().position(|line| line == "}"))
    {
        let Some(at) = only(&wanted[end + 1..], from..lines.len()) else { return false };
        let head = [hunk.section.as_str(), "{"];
        let body = old[..=end].iter().map(|(line, _)| *line);
        let made: Vec<(String, bool)> =
            head.into_iter().chain(body).map(|line| (line.to_owned(), false)).collect();
        lines.splice(at..at, made);
        notes.push(format!(
            "{place}: {name} is taken from what the hunk shows of it; a patch before this one is missing"
        ));
        return true;
    }
    let Some(middle) = wanted.len().checked_sub(4) else { return false };
    let Some(start) = only(&wanted[..2], from..lines.len()) else { return false };
    let near = start + 2..(start + 2 + middle + REBUILT + 1).min(lines.len());
    let Some(end) = only(&wanted[2 + middle..], near) else { return false };
    let same = plains[start + 2..end].iter().filter(|line| wanted[2..2 + middle].contains(line)).count();
    if middle.max(end - start - 2) - same.min(middle) > REBUILT {
        return false;
    }
    let made: Vec<(String, bool)> =
        old[2..2 + middle].iter().map(|(line, _)| ((*line).to_owned(), false)).collect();
    notes.push(format!(
        "{place}: line {} and those after it are taken as the hunk shows them; a patch before this one is missing",
        start + 3
    ));
    lines.splice(start + 2..end, made);
    true
}

/// Whether a file has all the lines that a hunk leaves behind.
fn is_there(hunk: &Hunk, plains: &[String]) -> bool {
    let line = |line: &Line| match line {
        Line::Context(text) | Line::Added(text) => Some(plain(text)),
        Line::Removed(_) => None,
    };
    let after: Vec<String> = hunk.lines.iter().filter_map(line).collect();
    !after.is_empty() && plains.windows(after.len()).any(|lines| lines == after)
}

/// The function that a hunk is in.
fn function(section: &str) -> Option<&str> {
    let before = section.split_once('(')?.0;
    before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// How many lines of context there are before the first other line.
fn old_context<'h>(lines: impl Iterator<Item = &'h Line>) -> usize {
    lines.take_while(|line| matches!(line, Line::Context(_))).count()
}

/// Says which line is not there: the first of the longest match near the place.
fn missing(wanted: &[String], old: &[(&str, bool)], plains: &[String], near: usize) -> String {
    let length =
        |at: usize| wanted.iter().zip(&plains[at.min(plains.len())..]).take_while(|(a, b)| a == b).count();
    let best = (0..plains.len()).max_by_key(|at| (length(*at), std::cmp::Reverse(at.abs_diff(near))));
    let Some((best, matched)) = best.map(|at| (at, length(at))).filter(|(_, matched)| *matched > 0) else {
        let first = old.first().map_or("", |(line, _)| line);
        return format!("no line reads `{}`", first.trim());
    };
    let stands = plains.get(best + matched).map_or("the end of the file", String::as_str);
    format!("line {} should read `{}`, and reads `{stands}`", best + matched + 1, old[matched].0.trim())
}

/// What comes in place of the lines from `fit.at`, and where they end. Context stays as the tree has it.
fn replaced(hunk: &Hunk, fit: &Fit, lines: &[(String, bool)]) -> (Vec<(String, bool)>, usize) {
    let total = old(hunk).len();
    let (mut new, mut at, mut seen) = (Vec::new(), fit.at, 0);
    for line in &hunk.lines {
        let counted = !matches!(line, Line::Added(_));
        let inside = seen >= fit.cut.0 && seen < total - fit.cut.1;
        seen += usize::from(counted);
        match line {
            Line::Added(text) => new.push((text.clone(), true)),
            Line::Context(_) if inside => {
                new.push(lines[at].clone());
                at += 1;
            }
            Line::Removed(_) if inside => at += 1,
            _ => {}
        }
    }
    (new, at)
}
