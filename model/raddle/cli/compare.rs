//! `raddle compare`.

use raddle::whatif::compare::{Comparison, compare as compare_one};
use serde_json::{Value, json};

use super::inputs::{Exit, INPUT_ERROR, all};
use super::out::{Out, complain};
use super::{CompareArgs, TableFormat};

/// Compares two revisions on all scenario files below the paths.
pub fn compare(args: &CompareArgs, out: &mut Out) -> u8 {
    if let Some(problem) = args.on.without_tree(args.tree.as_ref(), &[]) {
        complain(format_args!("raddle: {problem}"));
        return INPUT_ERROR;
    }
    if let Some(dir) = &args.tree {
        return super::review::compare(args, dir, out);
    }
    let (Some(from), Some(to)) = (args.from.as_deref(), args.to.as_deref()) else {
        unreachable!("internal: clap asks for both")
    };
    let mut exit = Exit::default();
    if !exit.knows(from) || !exit.knows(to) {
        return exit.code();
    }
    let (mut rows, mut changed) = (0, 0);
    let Some(scenarios) = all(&args.paths, &mut exit) else { return exit.code() };
    let options = args.limits.options();
    for scenario in scenarios {
        if out.is_gone() || exit.interrupted() {
            break;
        }
        let what = scenario.file().path.as_str();
        let Some(row) = exit.run(what, || compare_one(&scenario, from, to, &options)) else { continue };
        exit.inconclusive |= !row.complete;
        rows += 1;
        changed += usize::from(!row.gone.is_empty() || !row.new.is_empty());
        match args.format {
            TableFormat::Json => out.line(as_json(&row, from, to)),
            TableFormat::Text => text(&row, out),
        }
        out.flush();
    }
    if args.format == TableFormat::Text {
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
