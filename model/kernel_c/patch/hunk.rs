//! Reads the hunks of a diff that mailers may have damaged.
//!
//! The counts of `@@ -a,b +c,d @@` say where a hunk ends, so a line that has lost its mark can be told: it is
//! the rest of a line that was wrapped, or a line of context that has lost its blanks.

use rustc_hash::FxHashSet;

/// A line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It must be there.
    Context(String),
    /// It must be there, and goes.
    Removed(String),
    /// It is new.
    Added(String),
}

/// A hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The line of the patch file.
    pub line: usize,
    /// Where it begins in the file before, from 1.
    pub start: usize,
    /// What git shows behind the second `@@`: the function that it is in.
    pub section: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What has been repaired.
    pub repaired: Vec<String>,
}

/// A line without the differences that mailers make.
pub fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The hunks of a diff of a file whose lines are these (as [`plain`] makes them).
///
/// # Errors
///
/// The line, and what is wrong with it.
pub fn hunks(lines: &[(usize, String)], known: &FxHashSet<String>) -> Result<Vec<Hunk>, (usize, String)> {
    let mut hunks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line, text) = &lines[at];
        at += 1;
        if !text.starts_with("@@") {
            continue;
        }
        let Some((start, old, new)) = header(text) else {
            return Err((
                *line,
                "not the head of a hunk: it must read @@ -line,count +line,count @@".to_owned(),
            ));
        };
        let section = text.splitn(3, "@@").nth(2).unwrap_or_default().trim().to_owned();
        let hunk = Hunk { line: *line, start, section, lines: vec![], repaired: vec![] };
        let mut reader = Reader { old, new, hunk };
        let mut head = true;
        while reader.old > 0 || reader.new > 0 {
            let Some((line, text)) = lines.get(at).filter(|(_, text)| !text.starts_with("@@")) else {
                let (old, new) = (reader.old, reader.new);
                let why = format!(
                    "the hunk is cut off: {old} lines of the file before and {new} of the file after are missing"
                );
                return Err((reader.hunk.line, why));
            };
            at += 1;
            // The function behind the second @@ may be wrapped.
            let marked = text.is_empty() || text.starts_with([' ', '+', '-', '\t', '\\']);
            if head && !marked && !known.contains(&plain(text)) {
                reader.hunk.repaired.push(format!("line {line}: the head of the hunk is wrapped"));
                continue;
            }
            head = false;
            reader.line(*line, text, known);
        }
        hunks.push(reader.hunk);
    }
    Ok(hunks)
}

/// `@@ -start,old +start,new @@`.
fn header(text: &str) -> Option<(usize, usize, usize)> {
    let mut words = text.split_whitespace().skip(1);
    let range = |word: &str, mark| {
        let (start, count) =
            word.strip_prefix(mark).map(|range| range.split_once(',').unwrap_or((range, "1")))?;
        Some((start.parse::<usize>().ok()?, count.parse::<usize>().ok()?))
    };
    let (start, old) = range(words.next()?, '-')?;
    let (_, new) = range(words.next()?, '+')?;
    Some((start, old, new))
}

struct Reader {
    old: usize,
    new: usize,
    hunk: Hunk,
}

impl Reader {
    fn line(&mut self, line: usize, text: &str, known: &FxHashSet<String>) {
        let rest = |text: &str| text[1..].to_owned();
        match text.bytes().next() {
            Some(b'+') if self.new > 0 => self.push(Line::Added(rest(text))),
            Some(b'-') if self.old > 0 => self.push(Line::Removed(rest(text))),
            Some(b' ') => {
                // The mark and the line's own blanks may have become one.
                self.push(Line::Context(rest(text)));
            }
            None => self.push(Line::Context(String::new())),
            Some(b'\\') => {}
            Some(b'\t') => self.push(Line::Context(text.to_owned())),
            Some(_) => self.unmarked(line, text, known),
        }
    }

    fn unmarked(&mut self, line: usize, text: &str, known: &FxHashSet<String>) {
        let joined = |before: &str| format!("{} {}", before.trim_end(), text.trim_start());
        let wrapped = match self.hunk.lines.last() {
            Some(Line::Added(_)) => !known.contains(&plain(text)) || self.old == 0,
            Some(Line::Context(before) | Line::Removed(before)) => known.contains(&plain(&joined(before))),
            None => false,
        };
        if !wrapped {
            self.hunk.repaired.push(format!("line {line}: has lost its mark, taken as context"));
            self.push(Line::Context(text.to_owned()));
            return;
        }
        self.hunk.repaired.push(format!("line {line}: is wrapped, joined with the one before"));
        if let Some(Line::Added(before) | Line::Context(before) | Line::Removed(before)) =
            self.hunk.lines.last_mut()
        {
            *before = joined(before);
        }
    }

    fn push(&mut self, line: Line) {
        self.old = self.old.saturating_sub(usize::from(!matches!(line, Line::Added(_))));
        self.new = self.new.saturating_sub(usize::from(!matches!(line, Line::Removed(_))));
        self.hunk.lines.push(line);
    }
}
