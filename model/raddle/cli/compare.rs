//! `raddle compare`.

use std::path::PathBuf;

use raddle::Options;
use raddle::whatif::compare::{Comparison, compare as compare_one};
use serde_json::{Value, json};

use super::TableFormat;
use super::inputs::{Exit, scenarios};
use super::out::Out;

/// Compares two revisions on all scenario files below the paths.
pub fn compare(paths: &[PathBuf], from: &str, to: &str, format: TableFormat, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    if !exit.knows(from) || !exit.knows(to) {
        return exit.code();
    }
    let (mut rows, mut changed) = (0, 0);
    for scenario in scenarios(paths, false, &mut exit) {
        if out.is_gone() {
            break;
        }
        match compare_one(&scenario, from, to, &Options::default()) {
            Err(error) => exit.wrong(error),
            Ok(row) => {
                exit.inconclusive |= !row.complete;
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
    exit.code()
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
            out.line(format_args!("    {word:<5}{}", ids.join(", ")));
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
