//! What makes the reduction finer than "both touch the same cell", one by one: each can be left out, and then the
//! search finds the same in more states. docs/reduction.md has for each why it is right.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Klists, generations, work items and async lists are touched part by part.
    Fine,
    /// Writes of the same value commute.
    Same,
    /// Steps commute in the states in which they change or see nothing of each other.
    Here,
    /// What nobody can see any more is not touched.
    Dead,
    /// What nobody can see any more has one value in the states that are stored.
    Canon,
    /// Lists that nobody can fill stay empty, and a worker that finds nothing on them does nothing.
    Frozen,
    /// Who waits for entries, counters or iterators does not get past those who keep it waiting.
    Nes,
    /// Whether a count came to zero matters only if somebody looks.
    Zero,
    /// States that differ in facts about the run alone are joined.
    Facts,
    /// A step that has been explored from a state is not taken again after others that commute with it.
    Sleep,
    /// Most of the automata is found by random runs, before the search.
    Learn,
}

/// Each with its name.
pub const REMEDIES: [(Remedy, &str); 11] = [
    (Remedy::Fine, "fine"),
    (Remedy::Same, "same"),
    (Remedy::Here, "here"),
    (Remedy::Dead, "dead"),
    (Remedy::Canon, "canon"),
    (Remedy::Frozen, "frozen"),
    (Remedy::Nes, "nes"),
    (Remedy::Zero, "zero"),
    (Remedy::Facts, "facts"),
    (Remedy::Sleep, "sleep"),
    (Remedy::Learn, "learn"),
];

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remedies(u16);

impl Remedies {
    /// None of them.
    pub const NONE: Remedies = Remedies(0);
    /// All of them.
    pub const ALL: Remedies = Remedies((1 << REMEDIES.len()) - 1);

    /// The set with one more.
    #[must_use]
    pub fn with(self, remedy: Remedy) -> Self {
        Remedies(self.0 | 1 << remedy as u16)
    }

    /// Those that are not in this set.
    #[must_use]
    pub fn others(self) -> Self {
        Remedies(Remedies::ALL.0 & !self.0)
    }

    /// Whether one is in it.
    #[must_use]
    pub fn has(self, remedy: Remedy) -> bool {
        self.0 >> remedy as u16 & 1 != 0
    }
}

impl std::str::FromStr for Remedies {
    type Err = String;

    /// Names with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str| REMEDIES.into_iter().find(|(_, other)| *other == name);
        text.split(',').try_fold(Remedies::NONE, |all, name| match named(name) {
            Some((remedy, _)) => Ok(all.with(remedy)),
            None => {
                let names: Vec<&str> = REMEDIES.iter().map(|(_, name)| *name).collect();
                Err(format!("\"{name}\" is none of {}", names.join(", ")))
            }
        })
    }
}
