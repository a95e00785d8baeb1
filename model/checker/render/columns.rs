//! Lines of several actors side by side, or below each other with prefixes.
//!
//! Each row is one actor's, so a long line may reach under the heading of the next column: where a
//! line begins says whose it is. Changelogs do the same, and broken lines read worse.

use super::lines::Line;
use super::wrap::{ascii, cut, wrap};

/// Spaces between columns: so many where there is room, and at least so many.
const GAP: (usize, usize) = (4, 2);

/// A column begins so far to the right of the deepest line before it, or lines would be mixed up.
const STEP: usize = 8;

/// The longest prefix.
const PREFIX: usize = 26;

/// At least so many carets mark a line.
const CARETS: usize = 3;

/// What is at most so long is marked from end to end.
const SHORT: usize = 16;

/// Spaces before the second line of a broken text.
const HANG: usize = 4;

/// One column an actor, under its heading. Lines of actors without a column are left out.
pub(super) fn columns(heads: &[(usize, String)], lines: &[Line], width: usize) -> Vec<String> {
    let (starts, unit) = starts(heads, lines, width);
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
        let room = width - starts[column];
        let cells = fit(line, (unit * line.depth).min(room / 2), room);
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
        let cells = fit(line, (2 * line.depth).min(room / 2), room);
        rows.extend(cells.into_iter().map(|cell| format!("{name:<indent$}{cell}")));
    }
    rows
}

/// Where each column begins, and by how much a line is indented for each function that it is in.
fn starts(heads: &[(usize, String)], lines: &[Line], width: usize) -> (Vec<usize>, usize) {
    let wanted = |unit| heads.iter().map(|head| wanted(head, lines, unit)).collect::<Vec<usize>>();
    let gaps = heads.len().saturating_sub(1);
    if wanted(2).iter().sum::<usize>() + gaps * GAP.0 <= width {
        return (from_widths(&wanted(2), GAP.0), 2);
    }
    // The last column cannot reach under another. If the others, as narrow as they can be told apart,
    // do not leave it what it wants, the indentation shrinks.
    let least = |unit| -> Vec<usize> {
        let least = heads.iter().map(|head| ascii(&head.1).len().max(unit * deepest(head.0, lines) + STEP));
        least.zip(wanted(unit)).map(|(least, wanted)| least.min(wanted)).collect()
    };
    let needs = |others: &[usize], last: usize| others.iter().sum::<usize>() + gaps * GAP.1 + last;
    for (unit, patient) in [(2, false), (1, true)] {
        let (wanted, least) = (wanted(unit), least(unit));
        let (Some((want, want_others)), Some((least, others))) = (wanted.split_last(), least.split_last())
        else {
            break;
        };
        if needs(others, if patient { *least } else { *want }) <= width {
            let spare = width.saturating_sub(needs(others, *want));
            return (from_widths(&widened(others, want_others, spare), GAP.1), unit);
        }
    }
    (from_widths(&share(&wanted(1), width - gaps * GAP.1), GAP.1), 1)
}

/// The starts of columns from the widths of at least all but the last.
fn from_widths(widths: &[usize], gap: usize) -> Vec<usize> {
    (0..widths.len()).map(|n| widths[..n].iter().sum::<usize>() + n * gap).collect()
}

/// The columns before the last one, wider by what is spare, and a last one of no matter what width.
fn widened(least: &[usize], wanted: &[usize], spare: usize) -> Vec<usize> {
    let lacks: Vec<usize> = wanted.iter().zip(least).map(|(wanted, least)| wanted - least).collect();
    let lack = lacks.iter().sum::<usize>();
    let more = lacks.iter().map(|mine| spare.min(lack) * mine / lack.max(1));
    least.iter().zip(more).map(|(least, more)| least + more).chain([0]).collect()
}

/// The width at which nothing of a column would be broken.
fn wanted(head: &(usize, String), lines: &[Line], unit: usize) -> usize {
    let mine = lines.iter().filter(|line| line.actor == head.0 && !line.aside);
    let length = |line: &Line| {
        let mark = line.mark.as_ref().map_or(0, |mark| CARETS + 1 + ascii(mark).len());
        unit * line.depth + ascii(&line.text).len().max(mark)
    };
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

/// A line within a width, with its mark below it.
fn fit(line: &Line, indent: usize, width: usize) -> Vec<String> {
    let room = width - indent;
    let mut texts = wrap(&line.text, room, HANG);
    if let Some(mark) = &line.mark {
        let mark = ascii(mark);
        let under = texts.iter().map(String::len).max().unwrap_or(0);
        // The mark stays on its line: fewer carets do as well, but for what is short.
        let most = room.saturating_sub(mark.len() + 1);
        let whole = texts.len() == 1 && (most + 1..=SHORT).contains(&under) && mark.len() <= room;
        if whole {
            texts.push("^".repeat(under));
            texts.push(mark);
        } else if mark.trim().is_empty() || most < CARETS {
            texts.push("^".repeat(under));
            texts.extend((!mark.trim().is_empty()).then(|| wrap(&mark, room, 0)).into_iter().flatten());
        } else {
            texts.push(format!("{} {mark}", "^".repeat(under.min(most))));
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
