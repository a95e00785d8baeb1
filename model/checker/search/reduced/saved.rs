//! A search that is saved and gone on with.
//!
//! The numbers of automaton nodes depend on the order in which they were met, so the steps that led to
//! new ones are saved in that order, and taken again; likewise when the tables were made.

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};

use super::chain::Gains;
use super::resources::{Resources, Saving, SearchError};
use super::round::{Edge, Round};
use super::symmetry::GivenUp;
use super::tables::Tables;
use super::{Searched, Stop};
use crate::machine::hazard::About;
use crate::machine::program::Program;
use crate::search::packed::expand::{Halt, Scratch, Unknown};
use crate::search::reference::Limits;
use crate::search::system::Choice;
use crate::search::visited::checkpoint::{Checkpoint, Refused, load};

/// What a search learns about the automata.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Lesson {
    /// Where this step of a state leads.
    Step(Vec<u8>, usize, u8),
    /// The tables were made.
    Tables,
}

/// What is saved besides the states.
#[derive(Serialize, Deserialize)]
struct Note {
    lessons: Vec<Lesson>,
    gains: Gains,
    passed: usize,
    beyond: Option<Gains>,
    edges: Option<Vec<Edge>>,
    news: Option<usize>,
    stale: bool,
}

impl<P: Program> Searched<'_, P> {
    /// The automata grow by what a step found unknown.
    ///
    /// # Errors
    ///
    /// If they go on differently after some renaming that was used.
    pub(super) fn learn(&mut self, unknown: Unknown) -> Result<(), GivenUp> {
        self.expander.learn(&unknown);
        let alike = self.symmetry.learn(&mut self.expander);
        let (state, Choice { slot, outcome }) = unknown.tried;
        self.lessons.push(Lesson::Step(state, slot, outcome));
        alike
    }

    /// Saves the search.
    pub(super) fn save(&mut self, round: &mut Round, saving: &Saving) -> Result<(), Stop> {
        let note = Note {
            lessons: std::mem::take(&mut self.lessons),
            gains: std::mem::take(&mut round.gains),
            passed: round.passed,
            beyond: round.beyond.take(),
            edges: round.edges.take(),
            news: round.news,
            stale: round.stale,
        };
        let bytes = postcard::to_stdvec(&note).map_err(std::io::Error::other)?;
        self.lessons = note.lessons;
        round.gains = note.gains;
        round.beyond = note.beyond;
        round.edges = note.edges;
        let (fingerprint, visited, frontier) = (&saving.fingerprint, &round.visited, &round.frontier);
        Ok(Checkpoint { fingerprint, note: &bytes, visited, frontier }.save(&saving.file)?)
    }

    /// Goes on with what was saved, if that is asked for and the states were packed as here.
    pub(super) fn resume(&mut self, limits: &Limits, resources: &Resources) -> Result<Option<Round>, Stop> {
        let Some(saving) = &resources.saving else { return Ok(None) };
        let Some(from) = &saving.from else { return Ok(None) };
        let refused = |why: &Refused| Stop::Error(SearchError::refused(saving, why));
        let mut round = Round::new(self.packer.stride(), limits, resources)?;
        let Round { visited, frontier, .. } = &mut round;
        let note = match load(from, &saving.fingerprint, visited, frontier) {
            Ok(note) => note,
            // Perhaps there were more nodes than fit here.
            Err(Refused::OtherLength) => return Err(Stop::TooNarrow),
            Err(why) => return Err(refused(&why)),
        };
        let damaged = || refused(&Refused::Damaged("what was learnt cannot be read"));
        let note: Note = postcard::from_bytes(&note).map_err(|_| damaged())?;
        let mut scratch = Scratch::default();
        let mut next = self.initial.clone();
        // It has them from the beginning.
        self.lessons.clear();
        for lesson in note.lessons {
            match &lesson {
                Lesson::Tables => self.tables = Tables::new(&self.expander, self.remedies),
                Lesson::Step(state, slot, outcome) => {
                    let choice = Choice { slot: *slot, outcome: *outcome };
                    if let Err(Halt::Unknown(unknown)) =
                        self.expander.try_step(&mut scratch, state, choice, &mut next)
                    {
                        self.expander.learn(&unknown);
                        // What was given up then is given up again, and the search began again then.
                        let _ = self.symmetry.learn(&mut self.expander);
                    }
                }
            }
            self.lessons.push(lesson);
        }
        round.gains = note.gains;
        round.passed = note.passed;
        round.beyond = note.beyond;
        round.edges = note.edges;
        round.news = note.news;
        round.stale = note.stale;
        Ok(Some(round))
    }
}

/// Hazards by id: the ids that are read are kept for ever.
pub(super) mod hazards {
    use super::{About, IndexMap, IndexSet};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Hazards = IndexMap<&'static str, IndexSet<About>>;

    pub(in crate::search) fn serialize<S: Serializer>(hazards: &Hazards, to: S) -> Result<S::Ok, S::Error> {
        hazards.serialize(to)
    }

    pub(in crate::search) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hazards, D::Error> {
        let read = IndexMap::<String, IndexSet<About>>::deserialize(from)?;
        Ok(read.into_iter().map(|(id, about)| (&*id.leak(), about)).collect())
    }
}
