//! What a file says besides its world: title, revisions, rules, `[check]` and `[expect]`.

use indexmap::IndexMap;

use super::Terms;
use super::faults::Faults;
use super::read::{Entry, Table, Text, boolean, distinct_strings, not_a_word, string};
use super::spans::Span;
use super::suggest::{did_you_mean, quoted};
use crate::hazards;

/// The hazards that are looked for only if `[check] also` names them.
pub(crate) const OFF_BY_DEFAULT: &[&str] = &["data-race"];

/// A string of one line under a key; it is shown on terminals, so it has no control characters.
pub(crate) fn line(root: Table, key: &str, faults: &mut Faults) -> Option<String> {
    let text = string(root.get(key)?, faults)?;
    if text.value.contains(char::is_control) {
        let message = format!("{key} must be one line without control characters");
        faults.add(text.span, message, None);
    }
    Some(text.value.to_owned())
}

/// The required title.
pub(crate) fn title(root: Table, faults: &mut Faults) -> String {
    require(root, "title", faults);
    let title = line(root, "title", faults);
    if let (Some(title), Some(value)) = (&title, root.get("title"))
        && title.trim().is_empty()
    {
        faults.add(value.span(), "title is empty", None);
    }
    title.unwrap_or_default()
}

/// The required revisions, each with its place.
pub(crate) fn revisions(root: Table, terms: &Terms, faults: &mut Faults) -> IndexMap<String, Span> {
    require(root, "revisions", faults);
    let Some(value) = root.get("revisions") else {
        return IndexMap::new();
    };
    let list = distinct_strings(value, faults).unwrap_or_default();
    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        let help = "\"raddle list revisions\" shows them all".to_owned();
        faults.add(value.span(), "revisions is empty", Some(help));
    }
    for text in &list {
        check_revision(text.value, text.inside(), terms, faults);
    }
    list.iter().map(|text| (text.value.to_owned(), text.inside())).collect()
}

/// `[rules]`, each with its place.
pub(crate) fn rules(root: Table, terms: &Terms, faults: &mut Faults) -> IndexMap<String, (String, Span)> {
    let mut rules = IndexMap::new();
    for entry in root.table("rules", faults).entries() {
        let known = terms.rules.iter().find(|(rule, _)| *rule == entry.key);
        let Some((_, words)) = known else {
            let message = format!("rule {} is not known", quoted(entry.key));
            let known = terms.rules.iter().map(|(rule, _)| *rule);
            let help = did_you_mean(entry.key, known)
                .unwrap_or_else(|| "\"raddle list rules\" shows them all".to_owned());
            faults.add(entry.key_span, message, Some(help));
            continue;
        };
        let value = if *words == ["false", "true"] {
            boolean(entry.value, faults).map(|value| value.to_string())
        } else {
            rule_word(entry.value, words, faults)
        };
        if let Some(value) = value {
            rules.insert(entry.key.to_owned(), (value, entry.key_span));
        }
    }
    rules
}

fn rule_word(value: &super::read::Value, words: &[&str], faults: &mut Faults) -> Option<String> {
    let text = string(value, faults)?;
    if !words.contains(&text.value) {
        not_a_word(&text, words, faults);
        return None;
    }
    Some(text.value.to_owned())
}

/// `[check]`: the hazards of `also`, what the shown runs are `passing` and `avoiding`.
pub(crate) fn check(root: Table, faults: &mut Faults) -> [Vec<String>; 3] {
    const KEYS: [&str; 3] = ["also", "passing", "avoiding"];
    let check = root.table("check", faults);
    check.only(&KEYS, "[check]", faults);
    let lists = KEYS.map(|key| {
        let list = check.get(key).and_then(|value| distinct_strings(value, faults));
        list.unwrap_or_default()
    });
    for text in &lists[0] {
        let known = check_hazard(text, faults);
        if known && !OFF_BY_DEFAULT.contains(&text.value) {
            let message = format!("{} is always checked", quoted(text.value));
            let help = format!("off by default: {}", OFF_BY_DEFAULT.join(", "));
            faults.add(text.inside(), message, Some(help));
        }
    }
    lists.map(|list| list.iter().map(|text| text.value.to_owned()).collect())
}

/// `[expect]`: the sorted hazards of each revision.
pub(crate) fn expect(root: Table, terms: &Terms, faults: &mut Faults) -> IndexMap<String, Vec<String>> {
    let mut expect = IndexMap::new();
    for entry in root.table("expect", faults).entries() {
        check_expected_revision(&entry, terms, faults);
        if entry.value.get_ref().is_table() {
            continue;
        }
        let hazards = distinct_strings(entry.value, faults).unwrap_or_default();
        for hazard in &hazards {
            check_hazard(hazard, faults);
        }
        let mut hazards: Vec<String> = hazards.iter().map(|hazard| hazard.value.to_owned()).collect();
        hazards.sort();
        expect.insert(entry.key.to_owned(), hazards);
    }
    expect
}

fn check_expected_revision(entry: &Entry, terms: &Terms, faults: &mut Faults) {
    let span = entry.key_span.clone();
    if entry.value.get_ref().is_table() {
        // v5.1 = [] is a table v5 with a key 1.
        let message = format!("{} is a table, not a list of hazards", quoted(entry.key));
        let help = "a revision with a dot is written in quotes: \"v5.1\" = []".to_owned();
        faults.add(span, message, Some(help));
    } else {
        // It need not be listed: any revision can be asked for on the command line.
        check_revision(entry.key, span, terms, faults);
    }
}

fn check_revision(name: &str, span: Span, terms: &Terms, faults: &mut Faults) -> bool {
    let known = terms.revisions.contains(&name);
    if !known {
        let help = did_you_mean(name, terms.revisions.iter().copied())
            .unwrap_or_else(|| "\"raddle list revisions\" shows them all".to_owned());
        let message = format!("revision {} is not known", quoted(name));
        faults.add(span, message, Some(help));
    }
    known
}

fn check_hazard(text: &Text, faults: &mut Faults) -> bool {
    let known = hazards::properties().iter().any(|property| property.id == text.value);
    if !known {
        let help = did_you_mean(text.value, hazards::properties().iter().map(|property| property.id))
            .unwrap_or_else(|| "\"raddle list hazards\" shows them all".to_owned());
        let message = format!("hazard {} is not known", quoted(text.value));
        faults.add(text.inside(), message, Some(help));
    }
    known
}

fn require(root: Table, key: &str, faults: &mut Faults) {
    if root.get(key).is_none() {
        let help = format!("{key} is required, above the first table");
        faults.add(0..0, format!("{key} is missing"), Some(help));
    }
}
