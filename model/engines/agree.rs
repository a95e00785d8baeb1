//! Whether engines that are independent of each other say the same.

use super::Result as Explored;
use raddle_checker::machine::hazard::id;

/// Hazards that no single run shows: loom and shuttle cannot find them.
const NOT_LOOKED_FOR: [&str; 2] = [id::LIVELOCK, id::DATA_RACE];

/// How much of a program an engine has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Everything.
    All,
    /// A part of it, and why; or schedules drawn at random. What it found must be a subset.
    Part(String),
    /// Nothing, and why.
    Nothing(String),
}

/// What one engine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The engine, such as `shuttle (dfs)`.
    pub engine: String,
    /// How much it has seen.
    pub covered: Covered,
    /// The ids of the hazards that it found, sorted.
    pub hazards: Vec<String>,
    /// The memories in which nothing can happen any more, sorted; `None` if it does not tell.
    pub terminal: Option<Vec<Vec<u8>>>,
    /// Whether it sees runs only, not the graph of all states.
    pub only_steps: bool,
    /// How much work that was, such as `6 executions`.
    pub work: String,
}

impl Witness {
    /// What loom or shuttle says; `part`: it would not have tried everything anyway, and why.
    #[must_use]
    pub fn new(engine: &str, explored: Explored, part: Option<&str>) -> Self {
        let covered = match (explored.refused, explored.cut) {
            (Some(why), _) => Covered::Nothing(why),
            (None, Some(why)) => Covered::Part(why),
            (None, None) => part.map_or(Covered::All, |why| Covered::Part(why.to_owned())),
        };
        Witness {
            engine: engine.to_owned(),
            covered,
            hazards: explored.shown.into_iter().map(|shown| shown.id).collect(),
            terminal: (!explored.terminal_cut).then_some(explored.terminal),
            only_steps: true,
            work: format!("{} executions", explored.executions),
        }
    }
}

/// What the second engine says that the first one, which has seen everything, does not bear out.
#[must_use]
pub fn differences(complete: &Witness, other: &Witness) -> Vec<String> {
    let mut found = Vec::new();
    if matches!(other.covered, Covered::Nothing(_)) {
        return found;
    }
    let all = other.covered == Covered::All;
    let (here, there) = (&complete.engine, &other.engine);
    for id in other.hazards.iter().filter(|id| !complete.hazards.contains(id)) {
        found.push(format!("{there} finds {id}, {here} does not"));
    }
    for id in complete.hazards.iter().filter(|id| all && !other.hazards.contains(id)) {
        let blind = other.only_steps && NOT_LOOKED_FOR.contains(&id.as_str());
        if !blind {
            found.push(format!("{here} finds {id}, {there} does not"));
        }
    }
    if let (Some(expected), Some(reached)) = (&complete.terminal, &other.terminal) {
        let foreign = reached.iter().filter(|state| !expected.contains(state)).count();
        let missed = expected.iter().filter(|state| all && !reached.contains(state)).count();
        if foreign > 0 {
            found.push(format!("{there} ends in {foreign} memory states in which {here} never ends"));
        }
        if missed > 0 {
            found.push(format!("{there} never ends in {missed} of the memory states in which {here} ends"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(covered: Covered, hazards: &[&str], terminal: &[u8]) -> Witness {
        Witness {
            engine: "one".to_owned(),
            covered,
            hazards: hazards.iter().map(|id| (*id).to_owned()).collect(),
            terminal: Some(terminal.iter().map(|byte| vec![*byte]).collect()),
            only_steps: false,
            work: String::new(),
        }
    }

    #[test]
    fn a_part_may_miss_but_not_invent() {
        let complete = witness(Covered::All, &["deadlock", "warning"], &[1, 2]);
        assert!(differences(&complete, &complete).is_empty());
        let part = Covered::Part("time".to_owned());
        assert!(differences(&complete, &witness(part.clone(), &["warning"], &[2])).is_empty());
        assert_eq!(differences(&complete, &witness(part, &["livelock"], &[3])).len(), 2);
        assert_eq!(differences(&complete, &witness(Covered::All, &["warning"], &[2])).len(), 2);
        let nothing = Covered::Nothing("too many tasks".to_owned());
        assert!(differences(&complete, &witness(nothing, &["livelock"], &[])).is_empty());
    }
}
