//! A scenario in the lines of a mail: what it takes to reproduce a run, and no more.
//!
//! What only people read is left out: where it comes from, what it is about, comments. What is longer than a line
//! is broken where TOML allows it: an array between its values, a string before a word.

use raddle_checker::render::printable;

/// No line is longer, with the two blanks by which a mail indents it.
const WIDTH: usize = 73;

/// The lines of a scenario. A word that is longer than a line stays whole.
#[must_use]
pub fn mailed(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        let line = uncommented(line).trim_end();
        let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
        if ["about", "source"].contains(&key) {
            for quotes in ["\"\"\"", "'''"] {
                if let Some(begun) = value.strip_prefix(quotes)
                    && !begun.contains(quotes)
                {
                    rest.find(|line| line.contains(quotes));
                }
            }
            continue;
        }
        if line.is_empty() && lines.last().is_none_or(String::is_empty) {
            continue;
        }
        lines.extend(broken(line, key, value));
    }
    lines
}

/// A line without its comment.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match quote {
            None if c == '#' => return &line[..at],
            None if c == '"' || c == '\'' => quote = Some(c),
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if open == c => quote = None,
            None | Some(_) => {}
        }
    }
    line
}

/// A line in as many as it takes.
fn broken(line: &str, key: &str, value: &str) -> Vec<String> {
    if line.len() <= WIDTH {
        return vec![line.to_owned()];
    }
    let mut lines = Vec::new();
    let plain = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    if let Some(string) = plain.filter(|string| !string.contains('"')) {
        let mut row = String::new();
        lines.push(format!("{key} = \"\"\"\\"));
        for word in printable(string).split_inclusive(' ') {
            // Behind the last word stand the quotes.
            if row.len() + word.len() + 3 > WIDTH {
                lines.push(format!("{row}\\"));
                row = String::new();
            }
            row.push_str(word);
        }
        lines.push(format!("{row}\"\"\""));
        return lines;
    }
    let mut row = String::new();
    for piece in pieces(line) {
        if row.len() + piece.trim_end().len() > WIDTH && !row.trim().is_empty() {
            lines.push(row.trim_end().to_owned());
            row = "    ".to_owned();
        }
        row.push_str(piece);
    }
    lines.push(row.trim_end().to_owned());
    lines
}

/// A line in pieces between which a line feed may stand: behind the commas and the opening of an array.
fn pieces(line: &str) -> Vec<&str> {
    // A line that begins with a value goes on with an array.
    let depth = i32::from(line.trim_start().starts_with('"'));
    let (mut pieces, mut from, mut depth, mut quote) = (Vec::new(), 0, depth, None);
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte && bytes[at - 1] != b'\\' => quote = None,
            (None, b'[') => depth += 1,
            (None, b']') => depth -= 1,
            _ => {}
        }
        if quote.is_none() && depth > 0 && (*byte == b',' || *byte == b'[') {
            let to = at + 1 + bytes[at + 1..].iter().take_while(|byte| **byte == b' ').count();
            pieces.push(&line[from..to]);
            from = to;
        }
    }
    pieces.push(&line[from..]);
    pieces
}
