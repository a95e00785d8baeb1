//! `raddle list` and `raddle new`.

use std::fs::OpenOptions;
use std::io::Write;

use raddle_checker::machine::hazard::Property;
use raddle_driver_core::revision::REVISIONS;
use raddle_driver_core::rules::{RULES, Rules};
use raddle_probing::call::{CALLS, RETURN};
use raddle_probing::ghosts::{GHOSTS, Ghost};
use raddle_probing::hazards;
use raddle_probing::scenario::{Template, template};

use super::What;
use super::embedded::embedded;
use super::inputs::{Exit, INPUT_ERROR};
use super::out::{Out, complain, shell_word};

/// Prints one table; of scenarios those that expect this hazard and are for this revision.
pub fn list(what: What, hazard: Option<&str>, revision: Option<&str>, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    if let Some(hazard) = hazard.filter(|id| !hazards::properties().iter().any(|one| one.id == *id)) {
        exit.wrong(format_args!("raddle: hazard \"{hazard}\" is not known; see raddle list hazards"));
    }
    if revision.is_some_and(|revision| !exit.knows(revision)) || exit.input_error {
        return exit.code();
    }
    if (hazard.is_some() || revision.is_some()) && !matches!(what, What::Scenarios) {
        complain("raddle: --hazard and --revision choose scenarios: raddle list scenarios");
        return INPUT_ERROR;
    }
    match what {
        What::Revisions => {
            REVISIONS.iter().for_each(|r| out.line(format_args!("{:<10} {}", r.name, r.source)))
        }
        What::Hazards => hazards::properties().iter().for_each(|Property { id, meaning, by_default }| {
            let off = if *by_default { "" } else { " (off by default)" };
            out.line(format_args!("{id:<21} {meaning}{off}"));
        }),
        What::Ghosts => GHOSTS.iter().for_each(|Ghost { of, name, meaning }| {
            out.line(format_args!("{name:<17} {of:<14} {meaning}"));
        }),
        What::Calls => {
            let calls = CALLS.iter().map(|call| (call.written(), call.meaning));
            for (written, meaning) in calls.chain([(RETURN.1.to_owned(), RETURN.2)]) {
                out.line(format_args!("{written:<31} {meaning}"));
            }
        }
        What::Scenarios => {
            for (path, text) in embedded() {
                let Ok(scenario) = raddle::Scenario::parse(&path, text) else { continue };
                let file = scenario.file();
                let of_revision = |name: &str| revision.is_none_or(|revision| revision == name);
                let expected = |id: &str| {
                    let mut of = file.expect.iter().filter(|(name, _)| of_revision(name));
                    of.any(|(_, ids)| ids.iter().any(|other| other == id))
                };
                if file.revisions.iter().any(|name| of_revision(name)) && hazard.is_none_or(expected) {
                    out.line(format_args!("{path:<50} {}", file.title));
                }
            }
        }
        What::Rules => rules(out),
    }
    0
}

fn rules(out: &mut Out) {
    for rule in RULES {
        out.line(format_args!("{} = {}", rule.name, rule.words.join(" | ")));
        out.line(format_args!("    {} ({})", rule.about, rule.source()));
        if let Some(why) = rule.inert {
            out.line(format_args!("    No verdict depends on it: {why}"));
        }
        let mut by_value: Vec<(&str, Vec<&str>)> = Vec::new();
        for revision in REVISIONS {
            let value = (rule.get)(&Rules::of(revision));
            match by_value.iter_mut().find(|(other, _)| *other == value) {
                Some((_, names)) => names.push(revision.name),
                None => by_value.push((value, vec![revision.name])),
            }
        }
        for (value, names) in by_value {
            out.line(format_args!("    {value}: {}", names.join(" ")));
        }
    }
}

/// Writes `NAME.toml`, unless it is there.
pub fn new(name: &str, of: Template, out: &mut Out) -> u8 {
    let path = if name.ends_with(".toml") { name.to_owned() } else { format!("{name}.toml") };
    let title = path.rsplit('/').next().unwrap_or(&path).trim_end_matches(".toml").to_owned();
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    match file.and_then(|mut file| file.write_all(template(&title, of).as_bytes())) {
        Ok(()) => {
            out.line(format_args!("{path} is written; check it with: raddle check {}", shell_word(&path)));
            0
        }
        Err(error) => {
            complain(format_args!("raddle: {path}: {error}"));
            INPUT_ERROR
        }
    }
}
