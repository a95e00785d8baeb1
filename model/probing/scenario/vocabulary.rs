//! The words that a scenario may use and that this part does not own: revisions, rules, hazards.

/// What the driver core model knows.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// Ids of revisions.
    pub revisions: &'a [&'a str],
    /// Rules that `[rules]` may override.
    pub rules: &'a [RuleWords<'a>],
    /// Ids of hazards.
    pub hazards: &'a [&'a str],
}

/// A rule and the values that it may have.
#[derive(Clone, Copy, Debug)]
pub struct RuleWords<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values.
    pub values: RuleValues<'a>,
}

/// The values that a rule may have.
#[derive(Clone, Copy, Debug)]
pub enum RuleValues<'a> {
    /// `true` or `false`.
    Bool,
    /// One of these words.
    OneOf(&'a [&'a str]),
}

/// The value that a scenario gives a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RuleValue {
    /// `true` or `false`.
    Bool(bool),
    /// A word.
    Word(String),
}
