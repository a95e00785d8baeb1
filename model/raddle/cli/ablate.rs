//! `raddle ablate`.

use raddle::whatif::ablate::{Ablation, ablate as ablate_one, changes};
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::{RULES, Rules};
use serde_json::{Value, json};

use super::inputs::{Exit, INPUT_ERROR, all};
use super::out::{Out, complain};
use super::{AblateArgs, TableFormat};

/// Changes each rule of a revision on all scenario files below the paths.
pub fn ablate(args: &AblateArgs, out: &mut Out) -> u8 {
    if let Some(problem) = args.on.without_tree(
        args.tree.as_ref(),
        &[
            ("--function", args.function.is_some()),
            ("--sample", args.sample.is_some()),
            ("--first", args.first),
        ],
    ) {
        complain(format_args!("raddle: {problem}"));
        return INPUT_ERROR;
    }
    if let Some(dir) = &args.tree {
        return super::left_out::ablate(args, dir, out);
    }
    let mut exit = Exit::default();
    let name = args.revision.as_deref().unwrap_or_default();
    let Some(revision) = Revision::find(name) else {
        exit.knows(name);
        return exit.code();
    };
    let Some(scenarios) = all(&args.paths, &mut exit) else { return exit.code() };
    let options = args.limits.options();
    if let Some(unknown) = args.rules.iter().find(|name| RULES.iter().all(|rule| rule.name != **name)) {
        exit.wrong(format_args!("raddle: rule \"{unknown}\" is not known; see raddle list rules"));
        return exit.code();
    }
    let changes = changes(&Rules::of(revision), &args.rules);
    let mut ablations: Vec<Ablation> = Vec::new();
    for scenario in scenarios {
        if out.is_gone() || exit.interrupted() {
            break;
        }
        let what = scenario.file().path.as_str();
        ablations.extend(
            exit.run(what, || ablate_one(&scenario, revision, &changes, &options)).unwrap_or_default(),
        );
    }
    exit.inconclusive |= ablations.iter().any(|row| !row.complete);
    let mut idle = Vec::new();
    for change in changes {
        let rows: Vec<&Ablation> = ablations.iter().filter(|row| row.change == change).collect();
        let telling: Vec<&&Ablation> = rows.iter().filter(|row| !row.appear.is_empty()).collect();
        let complete = rows.iter().all(|row| row.complete);
        if args.format == TableFormat::Json {
            let found: Vec<Value> = telling
                .iter()
                .map(|row| json!({ "scenario": row.scenario, "hazards": row.appear }))
                .collect();
            out.line(json!({
                "revision": revision.name,
                "rule": change.rule,
                "value": change.value,
                "instead": change.instead,
                "prevents": found,
                "complete": complete,
            }));
        } else if telling.is_empty() {
            let cut = if complete { "" } else { "  (not everything was explored)" };
            idle.push(format!("{} = {}{cut}", change.rule, change.instead));
        } else {
            out.line(format_args!("{} ({} = {}), there is:", change.words(), change.rule, change.instead));
            for row in telling {
                out.line(format_args!("    {}: {}", row.scenario, row.appear.join(", ")));
            }
        }
    }
    if !idle.is_empty() {
        out.line("No new hazard in these scenarios with:");
        idle.iter().for_each(|change| out.line(format_args!("    {change}")));
    }
    exit.code()
}
