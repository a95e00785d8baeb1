//! `raddle compare`.

use std::path::PathBuf;

use raddle::check::Options;
use raddle::compare::{Comparison, compare as compare_one};
use serde_json::{Value, json};

use super::out::{Out, complain};
use super::sweep::{Sweep, list};
use super::{INPUT_ERROR, TableFormat};

/// Compares two revisions on all scenario files below the paths.
pub fn compare(paths: &[PathBuf], from: &str, to: &str, format: TableFormat, out: &mut Out) -> u8 {
    let mut sweep = Sweep::default();
    if !sweep.knows(from) || !sweep.knows(to) {
        return INPUT_ERROR;
    }
    let (mut rows, mut changed) = (0, 0);
    for scenario in sweep.scenarios(paths) {
        if out.is_gone() {
            break;
        }
        match compare_one(&scenario, from, to, &Options::default()) {
            Err(error) => {
                complain(error);
                sweep.input_error = true;
            }
            Ok(row) => {
                sweep.inconclusive |= !row.complete;
                rows += 1;
                changed += usize::from(!row.gone.is_empty() || !row.new.is_empty());
                match format {
                    TableFormat::Json => out.line(as_json(&row, from, to)),
                    TableFormat::Text => text(&row, out),
                }
                out.flush();
            }
        }
    }
    if format == TableFormat::Text {
        out.line(format_args!("{from} -> {to}: {rows} scenarios, {changed} of them differ"));
    }
    sweep.code()
}

fn text(row: &Comparison, out: &mut Out) {
    let cut = if row.complete { "" } else { "  (not everything was explored)" };
    if row.gone.is_empty() && row.kept.is_empty() && row.new.is_empty() {
        if !row.complete {
            out.line(format_args!("{}{cut}", row.scenario));
        }
        return;
    }
    out.line(format_args!("{}{cut}", row.scenario));
    for (word, ids) in [("gone", &row.gone), ("kept", &row.kept), ("new", &row.new)] {
        if !ids.is_empty() {
            out.line(format_args!("    {word:<5}{}", list(ids)));
        }
    }
}

fn as_json(row: &Comparison, from: &str, to: &str) -> Value {
    json!({
        "scenario": row.scenario,
        "from": from,
        "to": to,
        "gone": row.gone,
        "kept": row.kept,
        "new": row.new,
        "complete": row.complete,
    })
}
