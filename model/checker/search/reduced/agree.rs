//! What processes agree on at the end of a level, so that all of them decide the same.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::chain::Gains;
use super::round::{Round, Totals, Tried};
use super::{Searched, Stop};
use crate::machine::program::Program;
use crate::search::packed::expand::{Halt, Scratch};
use crate::search::peers::{Gone, Peers};
use crate::search::reference::Cut;
use crate::search::system::Choice;

/// What a process says when it has come to the end of a level, or to a limit.
#[derive(Serialize, Deserialize)]
struct Said {
    fresh: Gains,
    unknown: Vec<Tried>,
    left: usize,
    cut: Option<Cut>,
    /// Whether it is time to save the search.
    save: bool,
}

/// What was agreed on.
pub(super) struct Agreed {
    pub(super) cut: Option<Cut>,
    pub(super) save: bool,
}

/// Says something and hears what everybody says, by process. Takes in what arrives meanwhile, and all that was sent
/// before.
pub(super) fn all_say_and<T: Serialize + DeserializeOwned>(
    peers: &mut dyn Peers,
    said: &T,
    mut take: impl FnMut(&mut dyn Peers) -> Result<(), Stop>,
) -> Result<Vec<T>, Stop> {
    peers.say(postcard::to_stdvec(said).map_err(std::io::Error::other)?)?;
    let heard = loop {
        let heard = peers.wait()?;
        take(peers)?;
        if let Some(heard) = heard {
            break heard;
        }
    };
    let read = |(process, said): (usize, Vec<u8>)| {
        let unclear = |_| Gone(format!("process {process} has said what is of no search like this"));
        Ok(postcard::from_bytes(&said).map_err(unclear)?)
    };
    heard.into_iter().enumerate().map(read).collect()
}

/// The same where nothing is sent.
pub(super) fn all_say<T: Serialize + DeserializeOwned>(
    peers: &mut dyn Peers,
    said: &T,
) -> Result<Vec<T>, Stop> {
    all_say_and(peers, said, |_| Ok(()))
}

impl<P: Program> Searched<'_, P> {
    /// Agrees on what came of the states that were expanded, and on what is new. A level that all have expanded is
    /// closed: what is new is learnt.
    pub(super) fn agree(
        &mut self,
        round: &mut Round,
        peers: &mut dyn Peers,
        (cut, save): (Option<Cut>, bool),
    ) -> Result<Agreed, Stop> {
        let mut fresh = std::mem::take(&mut round.fresh);
        // Each goes on from its own.
        round.gains.stuck.append(&mut fresh.stuck);
        let unknown = round.unknown.values().cloned().collect();
        let said = Said { fresh, unknown, left: round.left + round.again.len(), cut, save };
        let all = all_say_and(peers, &said, |peers| round.receive(peers))?;
        let mut agreed = Agreed { cut: None, save: false };
        let (mut left, mut unknown) = (0, Vec::new());
        for (process, said) in all.into_iter().enumerate() {
            round.beyond.as_mut().unwrap_or(&mut round.gains).add(said.fresh);
            left += said.left;
            unknown.extend(said.unknown);
            agreed.cut = agreed.cut.or(said.cut);
            // One clock is enough.
            agreed.save |= said.save && process == 0;
        }
        if left == 0 {
            round.unknown.clear();
            round.again.append(&mut round.unclear);
            self.learn_all(round, unknown);
        }
        let again = (round.again.len() + round.unclear.len()) / self.packer.size().whole.max(1);
        let own = Totals {
            stored: round.visited.len(),
            waiting: round.frontier.len() + again + round.visited.grown(),
            grown: round.visited.grown(),
            left,
            again,
            stuck: round.gains.stuck.len(),
            bytes: round.bytes(),
        };
        round.totals =
            all_say(peers, &own)?.into_iter().fold(Totals { left, ..Totals::default() }, Totals::and);
        Ok(agreed)
    }

    /// Learns what is new, in the order of the states in which it was met.
    fn learn_all(&mut self, round: &mut Round, mut unknown: Vec<Tried>) {
        unknown.sort_unstable();
        let (mut scratch, mut next) = (Scratch::default(), self.initial.clone());
        for (state, slot, outcome) in unknown {
            let step = self.expander.try_step(&mut scratch, &state, Choice { slot, outcome }, &mut next);
            if let Err(Halt::Unknown(unknown)) = step {
                round.stale |= self.learn(*unknown).is_err();
                round.news = Some(round.gains.transitions);
                round.tried.push(state);
            }
        }
    }
}

impl Totals {
    fn and(self, other: Totals) -> Totals {
        Totals {
            stored: self.stored + other.stored,
            waiting: self.waiting + other.waiting,
            grown: self.grown + other.grown,
            left: self.left,
            again: self.again + other.again,
            stuck: self.stuck + other.stuck,
            bytes: self.bytes + other.bytes,
        }
    }
}
