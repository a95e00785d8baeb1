//! Lines of several actors side by side, or below each other with prefixes.
//!
//! Each row is one actor's, so a long line may reach under the heading of the next column: where a
//! line begins says whose it is. Changelogs do the same, and broken lines read worse.

use super::lines::Line;
use super::wrap::{ascii, cut, wrap};

/// Spaces between columns: so many where there is room, and at least so many.
const GAP: (usize, usize) = (4, 2);

/// A column begins so far to the right of the deepest line before it, or lines would be mixed up.
const STEP: usize = 10;

/// The longest prefix.
const PREFIX: usize = 26;

/// Spaces before the second line of a broken text.
const HANG: usize = 4;

/// One column an actor, under its heading. Lines of actors without a column are left out.
pub(super) fn columns(heads: &[(usize, String)], lines: &[Line], width: usize) -> Vec<String> {
    let starts = starts(heads, lines, width);
    let ends = starts.iter().skip(1).map(|start| start - GAP.1).chain([width]);
    let widths: Vec<usize> = starts.iter().zip(ends).map(|(start, end)| end - start).collect();

    let names: Vec<Vec<String>> = heads.iter().zip(&widths).map(|(head, w)| wrap(&head.1, *w, 0)).collect();
    let rules = names.iter().map(|name| "-".repeat(name.iter().map(String::len).max().unwrap_or(0)));
    let mut rows = Vec::new();
    let height = names.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..height {
        let cells = names.iter().map(|name| name.get(row).map_or("", String::as_str));
        rows.push(beside(&starts, cells));
    }
    rows.push(beside(&starts, rules));
    for line in lines {
        let Some(column) = heads.iter().position(|head| head.0 == line.actor) else { continue };
        let indent = indent_of(line, widths[column], deepest(line.actor, lines));
        let cells = fit(line, indent, width - starts[column]);
        rows.extend(cells.into_iter().map(|cell| format!("{}{cell}", " ".repeat(starts[column]))));
    }
    rows
}

/// One column for all, each line with its actor before it.
pub(super) fn prefixed(heads: &[(usize, String)], lines: &[Line], width: usize) -> Vec<String> {
    let names: Vec<String> = heads.iter().map(|head| format!("[{}]", cut(&head.1, PREFIX - 2))).collect();
    let indent = names.iter().map(String::len).max().unwrap_or(0) + 1;
    let room = width.saturating_sub(indent).max(1);
    let mut rows = Vec::new();
    for line in lines {
        let Some(column) = heads.iter().position(|head| head.0 == line.actor) else { continue };
        let name = &names[column];
        let cells = fit(line, indent_of(line, room, deepest(line.actor, lines)), room);
        rows.extend(cells.into_iter().map(|cell| format!("{name:<indent$}{cell}")));
    }
    rows
}

/// Where each column begins.
fn starts(heads: &[(usize, String)], lines: &[Line], width: usize) -> Vec<usize> {
    let wanted: Vec<usize> = heads.iter().map(|head| wanted(head, lines)).collect();
    let from_widths = |widths: &[usize], gap: usize| -> Vec<usize> {
        (0..widths.len()).map(|n| widths[..n].iter().sum::<usize>() + n * gap).collect()
    };
    let gaps = heads.len().saturating_sub(1);
    if wanted.iter().sum::<usize>() + gaps * GAP.0 <= width {
        return from_widths(&wanted, GAP.0);
    }
    // The last column cannot reach under another: it gets what it wants, as far as the others can
    // still be told apart. What is then left makes the others wider.
    let (Some(last), Some(want)) = (heads.len().checked_sub(1), wanted.last()) else { return Vec::new() };
    let least: Vec<usize> = heads
        .iter()
        .map(|head| ascii(&head.1).len().max(2 * deepest(head.0, lines) + STEP))
        .zip(&wanted)
        .map(|(least, wanted)| least.min(*wanted))
        .collect();
    let before: usize = least[..last].iter().sum::<usize>() + gaps * GAP.1;
    if before + least[last] > width {
        return from_widths(&share(&wanted, width - gaps * GAP.1), GAP.1);
    }
    let spare = width.saturating_sub(*want).saturating_sub(before);
    let lacks: Vec<usize> = (0..last).map(|column| wanted[column] - least[column]).collect();
    let lack = lacks.iter().sum::<usize>().max(1);
    let mut widths: Vec<usize> =
        (0..last).map(|column| least[column] + spare.min(lack) * lacks[column] / lack).collect();
    widths.push(0);
    from_widths(&widths, GAP.1)
}

/// The width at which nothing of a column would be broken.
fn wanted(head: &(usize, String), lines: &[Line]) -> usize {
    let mine = lines.iter().filter(|line| line.actor == head.0);
    let length =
        |line: &Line| 2 * line.depth + ascii(&line.text).len() + line.mark.map_or(0, |mark| mark.len() + 1);
    mine.map(length).max().unwrap_or(0).max(ascii(&head.1).len())
}

fn deepest(actor: usize, lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.actor == actor).map(|line| line.depth).max().unwrap_or(0)
}

/// Gives each column what it wants, or an equal share of what the modest ones leave.
fn share(wanted: &[usize], width: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|column| wanted[*column]);
    let mut widths = vec![0; wanted.len()];
    let mut left = width;
    for (done, column) in order.iter().enumerate() {
        let fair = left / (wanted.len() - done);
        widths[*column] = wanted[*column].min(fair).max(1);
        left = left.saturating_sub(widths[*column]);
    }
    widths
}

/// How far a line is indented: in a narrow column nesting must not eat the room for words.
fn indent_of(line: &Line, width: usize, deepest: usize) -> usize {
    let unit = if 2 * deepest > width / 2 { 1 } else { 2 };
    (unit * line.depth).min(width / 2)
}

/// A line within a width, with its mark below it.
fn fit(line: &Line, indent: usize, width: usize) -> Vec<String> {
    let room = width - indent;
    let mut texts = wrap(&line.text, room, HANG);
    if let Some(mark) = line.mark {
        let under = "^".repeat(texts.iter().map(String::len).max().unwrap_or(0));
        if mark.is_empty() || under.len() + 1 + mark.len() > room {
            texts.push(under);
            texts.extend((!mark.is_empty()).then(|| wrap(mark, room, 0)).into_iter().flatten());
        } else {
            texts.push(format!("{under} {mark}"));
        }
    }
    texts.into_iter().map(|text| format!("{}{text}", " ".repeat(indent))).collect()
}

/// Cells of one row at their columns.
fn beside(starts: &[usize], cells: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut row = String::new();
    for (start, cell) in starts.iter().zip(cells) {
        row.push_str(&" ".repeat(start.saturating_sub(row.len())));
        row.push_str(cell.as_ref());
    }
    row.trim_end().to_owned()
}
