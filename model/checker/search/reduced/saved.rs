//! A search that is saved and gone on with.
//!
//! The numbers of automaton nodes depend on the order in which they were met, so the steps that led to
//! new ones are saved in that order, and taken again; likewise when the tables were made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};

use super::agree::all_say;
use super::chain::Gains;
use super::resources::{Resources, Saving, SearchError};
use super::round::{Edge, Round, Totals, Tried};
use super::symmetry::GivenUp;
use super::tables::Tables;
use super::{Searched, Stop};
use crate::machine::hazard::About;
use crate::machine::program::Program;
use crate::search::packed::expand::{Halt, Scratch, Unknown};
use crate::search::peers::Peers;
use crate::search::reference::Limits;
use crate::search::system::Choice;
use crate::search::visited::checkpoint::{Checkpoint, Claim, Fingerprint, Refused, load};

/// What a search learns about the automata.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Lesson {
    /// Where this step of a state leads.
    Step(Vec<u8>, usize, u8),
    /// The tables were made.
    Tables,
    /// An object was freed whose node was on a klist.
    FreedLinked,
}

/// What is saved besides the states.
#[derive(Serialize, Deserialize)]
struct Note {
    lessons: Vec<Lesson>,
    /// The rows of the tables that the search relies on.
    asked: Vec<(u32, u8)>,
    level: usize,
    left: usize,
    again: Vec<u8>,
    unclear: Vec<u8>,
    depth: usize,
    totals: Totals,
    gains: Gains,
    fresh: Gains,
    unknown: Vec<Tried>,
    tried: Vec<Vec<u8>>,
    passed: usize,
    beyond: Option<Gains>,
    edges: Option<Vec<Edge>>,
    news: Option<usize>,
    stale: bool,
}

/// Where a process saves its part of the search. A process alone replaces one file. Several have files of their own,
/// with a number for each time: the last one is kept until all have saved the next.
pub(super) struct Place {
    saving: Saving,
    fingerprint: Fingerprint,
    /// Which of how many processes, if there are several.
    of: Option<(usize, usize)>,
    number: usize,
    saved: Instant,
    _claim: Claim,
}

impl Place {
    /// Takes the right to save there.
    pub(super) fn claim(saving: &Saving, peers: &dyn Peers) -> std::io::Result<Self> {
        let of = (peers.count() > 1).then(|| (peers.index(), peers.count()));
        let fingerprint = match of {
            Some(of) => Saving::fingerprint_of(&format!("{:?} {of:?}", saving.fingerprint)),
            None => saving.fingerprint,
        };
        let claim = Claim::take(&part(&saving.file, of))?;
        let (saving, saved) = (saving.clone(), Instant::now());
        Ok(Place { saving, fingerprint, of, number: 0, saved, _claim: claim })
    }

    /// Whether it is time to save again.
    pub(super) fn is_due(&self) -> bool {
        self.saved.elapsed() >= self.saving.every
    }

    /// The file of a number.
    fn file(&self, path: &Path, number: usize) -> PathBuf {
        let part = part(path, self.of);
        if self.of.is_some() { ending(&part, &format!(".{number}")) } else { part }
    }

    /// The numbers of which this process has saved something there.
    fn numbers(&self, path: &Path) -> Vec<usize> {
        let part = ending(&part(path, self.of), ".");
        let parent = part.parent().filter(|parent| !parent.as_os_str().is_empty());
        let begin = part.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = |name: OsString| name.to_str()?.strip_prefix(&begin)?.parse().ok();
        let there = std::fs::read_dir(parent.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
        there.filter_map(|file| number(file.file_name())).collect()
    }

    /// What it goes on from, if that is asked for: the last that all processes have.
    fn from(&mut self, peers: &mut dyn Peers) -> Result<Option<PathBuf>, Stop> {
        let Some(from) = self.saving.from.clone() else { return Ok(None) };
        if self.of.is_some() {
            let all = all_say(peers, &self.numbers(&from))?;
            let common = all[0].iter().filter(|number| all.iter().all(|other| other.contains(*number)));
            let Some(number) = common.max() else {
                let none = all.iter().position(Vec::is_empty).map(|process| format!("process {process} has"));
                let who =
                    none.unwrap_or_else(|| "the processes have saved different levels: they have".to_owned());
                let why = format!("{who} nothing there that all {} processes have saved", all.len());
                return Err(Stop::Error(SearchError::Refused { file: from, why }));
            };
            self.number = *number;
        }
        Ok(Some(self.file(&from, self.number)))
    }
}

/// The part of a process, by the name of the whole.
fn part(path: &Path, of: Option<(usize, usize)>) -> PathBuf {
    of.map_or_else(|| path.to_owned(), |(index, count)| ending(path, &format!(".{index}-of-{count}")))
}

fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
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
    pub(super) fn save(
        &mut self,
        round: &mut Round,
        place: &mut Place,
        peers: &mut dyn Peers,
    ) -> Result<(), Stop> {
        let note = Note {
            lessons: std::mem::take(&mut self.lessons),
            asked: self.tables.asked(),
            level: self.level,
            left: round.left,
            again: std::mem::take(&mut round.again),
            unclear: std::mem::take(&mut round.unclear),
            depth: round.depth,
            totals: round.totals,
            gains: std::mem::take(&mut round.gains),
            fresh: std::mem::take(&mut round.fresh),
            unknown: round.unknown.values().cloned().collect(),
            tried: std::mem::take(&mut round.tried),
            passed: round.passed,
            beyond: round.beyond.take(),
            edges: round.edges.take(),
            news: round.news,
            stale: round.stale,
        };
        let bytes = postcard::to_stdvec(&note).map_err(std::io::Error::other)?;
        self.lessons = note.lessons;
        round.again = note.again;
        round.unclear = note.unclear;
        round.gains = note.gains;
        round.fresh = note.fresh;
        round.tried = note.tried;
        round.beyond = note.beyond;
        round.edges = note.edges;
        let (fingerprint, visited, frontier) = (&place.fingerprint, &round.visited, &round.frontier);
        let file = place.file(&place.saving.file, place.number + 1);
        Checkpoint { fingerprint, note: &bytes, visited, frontier }.save(&file)?;
        if place.of.is_some() {
            // All have this one.
            all_say(peers, &())?;
            place.number += 1;
            // Those before, and those of a search before this one.
            for number in place.numbers(&place.saving.file) {
                if number != place.number {
                    std::fs::remove_file(place.file(&place.saving.file, number))?;
                }
            }
        }
        place.saved = Instant::now();
        Ok(())
    }

    /// Goes on with what was saved, if that is asked for and the states were packed as here.
    pub(super) fn resume(
        &mut self,
        limits: &Limits,
        resources: &Resources,
        place: Option<&mut Place>,
        peers: &mut dyn Peers,
    ) -> Result<Option<Round>, Stop> {
        let Some(place) = place else { return Ok(None) };
        let Some(from) = place.from(peers)? else { return Ok(None) };
        let mut round = Round::new(self.packer.size(), limits, resources)?;
        let read = self.read(&mut round, &from, &place.fingerprint);
        // If one cannot go on, none can.
        let why = read.as_ref().err().map(ToString::to_string);
        let whys = all_say(peers, &why)?;
        match read {
            // Perhaps there were more nodes than fit here.
            Err(Refused::OtherLength) => Err(Stop::TooNarrow),
            Err(why) => Err(Stop::Error(SearchError::Refused { file: from, why: why.to_string() })),
            Ok(()) => match whys.into_iter().enumerate().find_map(|(process, why)| Some((process, why?))) {
                Some((process, why)) => {
                    let why = format!("process {process} cannot go on from its part: {why}");
                    Err(Stop::Error(SearchError::Refused { file: from, why }))
                }
                None => Ok(Some(round)),
            },
        }
    }

    /// Reads what was saved.
    fn read(&mut self, round: &mut Round, from: &Path, fingerprint: &Fingerprint) -> Result<(), Refused> {
        let note = load(from, fingerprint, &mut round.visited, &mut round.frontier)?;
        let damaged = |_| Refused::Damaged("what was learnt cannot be read");
        let note: Note = postcard::from_bytes(&note).map_err(damaged)?;
        let mut scratch = Scratch::default();
        let mut next = self.initial.clone();
        // It has them from the beginning.
        self.lessons.clear();
        for lesson in note.lessons {
            match &lesson {
                Lesson::Tables => self.tables = Tables::new(&self.expander, self.remedies, self.neighbours),
                Lesson::FreedLinked => self.neighbours = true,
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
        self.tables.ask_again(&self.expander, &note.asked);
        for (state, slot, outcome) in note.unknown {
            let choice = Choice { slot, outcome };
            if let Err(Halt::Unknown(unknown)) =
                self.expander.try_step(&mut scratch, &state, choice, &mut next)
            {
                round.meet(*unknown);
            }
        }
        self.level = note.level;
        round.left = note.left;
        round.again = note.again;
        round.unclear = note.unclear;
        round.depth = note.depth;
        round.totals = note.totals;
        round.gains = note.gains;
        round.fresh = note.fresh;
        round.tried = note.tried;
        round.passed = note.passed;
        round.beyond = note.beyond;
        round.edges = note.edges;
        round.news = note.news;
        round.stale = note.stale;
        Ok(())
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
