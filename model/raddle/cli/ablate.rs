//! `raddle ablate`.

use std::path::PathBuf;

use raddle::Options;
use raddle::whatif::ablate::{Ablation, ablate as ablate_one, changes, why_nothing};
use raddle_driver_core::revision::Revision;
use serde_json::{Value, json};

use super::TableFormat;
use super::inputs::{Exit, scenarios};
use super::out::Out;

/// Changes each rule of a revision on all scenario files below the paths.
pub fn ablate(paths: &[PathBuf], name: &str, format: TableFormat, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let Some(revision) = Revision::find(name) else {
        exit.knows(name);
        return exit.code();
    };
    let mut all: Vec<Ablation> = Vec::new();
    for scenario in scenarios(paths, false, &mut exit) {
        if out.is_gone() {
            return exit.code();
        }
        match ablate_one(&scenario, revision, &Options::default()) {
            Err(error) => exit.wrong(error),
            Ok(ablations) => all.extend(ablations),
        }
    }
    exit.inconclusive |= all.iter().any(|row| !row.complete);
    let mut idle = Vec::new();
    for change in changes(revision) {
        let rows: Vec<&Ablation> = all.iter().filter(|row| row.change == change).collect();
        let telling = |row: &&&Ablation| !row.appear.is_empty();
        if format == TableFormat::Json {
            let complete = rows.iter().all(|row| row.complete);
            let found: Vec<Value> = rows
                .iter()
                .filter(telling)
                .map(|row| json!({ "scenario": row.scenario, "hazards": row.appear }))
                .collect();
            let found_any = !found.is_empty();
            out.line(json!({
                "revision": name,
                "rule": change.rule,
                "value": change.value,
                "instead": change.instead,
                "prevents": found,
                "complete": complete,
                "note": if found_any { None } else { why_nothing(change.rule) },
            }));
            continue;
        }
        if !rows.iter().any(|row| telling(&row)) {
            let why = why_nothing(change.rule).map_or(String::new(), |why| format!(" ({why})"));
            idle.push(format!("{} = {}{why}", change.rule, change.instead));
            continue;
        }
        out.line(format_args!("{} = {} instead of {}:", change.rule, change.instead, change.value));
        for row in rows.iter().filter(telling) {
            out.line(format_args!("    {}: {}", row.scenario, row.appear.join(", ")));
        }
    }
    if format == TableFormat::Text && !idle.is_empty() {
        out.line("No new hazard in these scenarios with:");
        for change in idle {
            out.line(format_args!("    {change}"));
        }
    }
    exit.code()
}
