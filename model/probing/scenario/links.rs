//! Lists that name others of their section, and must not lead back: `parent`, `after`, `softdep-pre`.

use super::cycles::cycles;
use super::faults::Faults;
use super::names::{Names, Section};
use super::read::{Table, distinct_strings};
use super::spans::Span;
use super::suggest::{quoted, shortened};

/// For each thing, the others of its section that it names, and where.
pub(crate) type Links = Vec<Vec<(u8, Span)>>;

/// The things that a list names.
pub(crate) fn links(
    table: Table,
    key: &str,
    section: Section,
    names: &Names,
    faults: &mut Faults,
) -> Vec<(u8, Span)> {
    let texts = table.get(key).and_then(|value| distinct_strings(value, faults));
    texts
        .unwrap_or_default()
        .iter()
        .filter_map(|text| {
            let id = names.find(section, text.value, text.inside(), faults)?;
            Some((id, text.inside()))
        })
        .collect()
}

/// The ids of linked things.
pub(crate) fn ids<Id>(links: &[(u8, Span)], id: fn(u8) -> Id) -> Vec<Id> {
    links.iter().map(|(index, _)| id(*index)).collect()
}

/// Notes each cycle, at the first link of it in the file.
pub(crate) fn check_cycles(key: &str, section: Section, links: &Links, names: &Names, faults: &mut Faults) {
    let mut next: Vec<Vec<usize>> =
        links.iter().map(|links| links.iter().map(|(to, _)| usize::from(*to)).collect()).collect();
    // Implied modules have no links.
    next.resize(names.of(section).len(), Vec::new());
    for cycle in cycles(&next) {
        let (first, second) = (cycle[0], cycle[1 % cycle.len()]);
        let link = links[first].iter().find(|(to, _)| usize::from(*to) == second);
        let span = link.map_or(0..0, |(_, span)| span.clone());
        let all: Vec<_> = names.of(section).map(shortened).collect();
        let path: Vec<&str> = cycle.iter().chain([&first]).map(|&n| &*all[n]).collect();
        let message = format!("cycle in {}: {}", quoted(key), path.join(" -> "));
        faults.add(span, message, None);
    }
}
