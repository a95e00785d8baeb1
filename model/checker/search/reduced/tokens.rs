//! What a task keeps others from as long as it stands still: the mutexes that it holds, and what others wait for
//! that only it can bring about (its async entry ends, it steps off a klist's node, it counts down again).
//!
//! Found by data flow over the automata: which of these a task has at a node whatever way it came. A kind of wait
//! of which somebody may take what another one has given is left out.

use indexmap::IndexSet;

use super::choose::members;
use crate::machine::commute::{Touches, raised};
use crate::machine::klist;
use crate::machine::layout::{CellId, Kind, Layout};
use crate::machine::op::{Action, Op, Touch, Wait};
use crate::machine::program::Program;
use crate::machine::value::Obs;
use crate::search::packed::expand::Expander;
use crate::search::system::EMPTY;

/// What a task may have, and others then wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
    /// It holds a mutex.
    Lock(CellId),
    /// It is an entry of this domain on these async lists.
    Entry(CellId, u8),
    /// An iterator of it stands on this node of a klist.
    Node(CellId, u8),
    /// It has counted this up, more often than down.
    Count(CellId),
}

impl Token {
    fn cell(self) -> CellId {
        match self {
            Token::Lock(cell) | Token::Entry(cell, _) | Token::Node(cell, _) | Token::Count(cell) => cell,
        }
    }

    /// How many tasks can have it in a state, for all that memory says.
    fn room(self, layout: &Layout, memory: &[u8]) -> usize {
        let bytes = &memory[layout.info(self.cell()).range()];
        match self {
            Token::Lock(_) => usize::from(bytes[0] != 0),
            Token::Entry(_, domain) => usize::from(bytes[usize::from(domain)]),
            Token::Node(_, member) => usize::from(klist::pins(bytes, member)),
            Token::Count(_) => usize::from(bytes[0]),
        }
    }
}

/// The tokens, a bit each, mutexes first.
#[derive(Default)]
pub(super) struct Tokens {
    all: Vec<Token>,
    /// How many of them are mutexes.
    locks: usize,
    /// Those that are in objects which can be freed: then whoever has them loses them.
    mortal: u64,
    /// By node, what a task there has, whatever way it came.
    held: Vec<u64>,
    /// By node, the mutexes that it may have.
    may_hold: Vec<u64>,
    /// By node, for which its step waits.
    waits_for: Vec<u64>,
}

impl Tokens {
    /// Those of the automata as they are; without `waits` only mutexes.
    pub(super) fn of<P: Program>(expander: &Expander<'_, P>, touches: &[Touches], waits: bool) -> Self {
        let layout = expander.layout;
        let mut all: Vec<Token> = layout.locks().iter().copied().map(Token::Lock).collect();
        all.truncate(64);
        let locks = all.len();
        if waits {
            let waited = expander.nodes.iter().flat_map(|node| &node.op).flat_map(|op| waits_for(layout, op));
            let waited: IndexSet<Token> = waited.filter(|token| !matches!(token, Token::Lock(_))).collect();
            all.extend(waited);
            all.truncate(64);
        }
        let mut tokens = Tokens { all, locks, ..Tokens::default() };
        let may = tokens.flow(expander, false);
        let mut held = tokens.flow(expander, true);
        tokens.count(expander, touches, &mut held);
        tokens.waits_for = expander
            .nodes
            .iter()
            .map(|node| {
                let waited = node.op.iter().flat_map(|op| waits_for(layout, op));
                waited.fold(0, |all, token| all | tokens.bit(token))
            })
            .collect();
        // Nobody may give back what he need not have.
        let mut fair = u64::MAX;
        for (at, node) in expander.nodes.iter().enumerate() {
            for action in node.op.iter().flat_map(|op| &op.actions) {
                fair &= !tokens.given_back(action) | held[at];
            }
        }
        let fair = fair | tokens.locks();
        let is_mortal = |token: &Token| layout.info(token.cell()).liveness.is_some();
        let mortal = tokens.all.iter().enumerate().filter(|(_, token)| is_mortal(token));
        tokens.mortal = mortal.fold(0, |all, (place, _)| all | 1 << place);
        tokens.held = held.into_iter().map(|held| held & fair).collect();
        let locks = tokens.locks();
        tokens.may_hold = may.into_iter().map(|may| may & locks).collect();
        tokens
    }

    fn bit(&self, token: Token) -> u64 {
        self.all.iter().position(|other| *other == token).map_or(0, |place| 1 << place)
    }

    /// The tokens but for counts that an action gives back.
    fn given_back(&self, action: &Action) -> u64 {
        match action {
            Action::AsyncEnd(lists, domain) => self.bit(Token::Entry(*lists, *domain)),
            Action::KlistNext(klist, Some(node)) | Action::KlistExit(klist, Some(node)) => {
                self.bit(Token::Node(*klist, *node))
            }
            _ => 0,
        }
    }

    /// What tasks have at each node but for counts, on every way to it or on some way.
    fn flow<P: Program>(&self, expander: &Expander<'_, P>, on_every_way: bool) -> Vec<u64> {
        let known = expander.nodes.len();
        let mut all = vec![if on_every_way { u64::MAX } else { 0 }; known];
        let mut met = vec![false; known];
        let mut todo: Vec<usize> = Vec::new();
        let mut come = |all: &mut Vec<u64>, todo: &mut Vec<usize>, to: usize, with: u64| {
            let joined = if on_every_way { all[to] & with } else { all[to] | with };
            if joined != all[to] || !std::mem::replace(&mut met[to], true) {
                all[to] = joined;
                todo.push(to);
            }
        };
        // Who is started otherwise than by a step begins with nothing.
        let spawned: IndexSet<u32> = expander.nodes.iter().map(|node| node.spawns).collect();
        for start in &expander.starts {
            if !spawned.contains(start) || expander.is_there_from_the_start(*start) {
                come(&mut all, &mut todo, *start as usize, 0);
            }
        }
        while let Some(at) = todo.pop() {
            let node = &expander.nodes[at];
            let (mut held, mut tried, mut entry) = (all[at], 0, 0);
            for action in node.op.iter().flat_map(|op| &op.actions) {
                held &= !self.given_back(action);
                match action {
                    Action::Lock(lock) => held |= self.bit(Token::Lock(*lock)),
                    Action::Unlock(lock) => held &= !self.bit(Token::Lock(*lock)),
                    Action::TryLock(lock) => tried |= self.bit(Token::Lock(*lock)),
                    Action::AsyncSchedule { lists, domain, .. } => {
                        entry = self.bit(Token::Entry(*lists, *domain));
                    }
                    // No other action takes or gives back any of them.
                    _ => {}
                }
            }
            if node.spawns != EMPTY {
                come(&mut all, &mut todo, node.spawns as usize, entry);
            }
            let seen = node.op.as_ref().and_then(|op| op.actions.last());
            for (observed, to) in &node.edges {
                let taken = match (seen, observed) {
                    (Some(Action::TryLock(_)), Obs::Bool(true)) => tried,
                    (Some(Action::TryLock(_)), _) => 0,
                    (Some(Action::KlistNext(klist, _)), Obs::Iter(_, Some(node), _)) => {
                        self.bit(Token::Node(*klist, *node)) | if on_every_way { 0 } else { tried }
                    }
                    // Whether it was taken is not seen.
                    _ if on_every_way => 0,
                    _ => tried,
                };
                come(&mut all, &mut todo, *to as usize, held | taken);
            }
        }
        all
    }

    /// Adds the counts of which a task has counted up more than down on every way. They have to be such that nobody
    /// counts down what he has not counted up, and nobody writes them otherwise.
    fn count<P: Program>(&self, expander: &Expander<'_, P>, touches: &[Touches], held: &mut [u64]) {
        let counts = self
            .all
            .iter()
            .filter_map(|token| if let Token::Count(cell) = token { Some(*cell) } else { None });
        for cell in counts {
            let own = |other: &&CellId| **other == cell;
            let lowers = |at: usize| touches[at].lowers.iter().filter(own).count() as i16;
            let mut least = vec![i16::MAX; expander.nodes.len()];
            let mut todo: Vec<usize> = expander.starts.iter().map(|start| *start as usize).collect();
            todo.iter().for_each(|start| least[*start] = 0);
            let mut fair = true;
            while let Some(at) = todo.pop().filter(|_| fair) {
                let node = &expander.nodes[at];
                let Some(op) = &node.op else { continue };
                let after = least[at] - lowers(at);
                fair &= after >= 0
                    && touches[at].parts.iter().all(|(other, _, touch)| {
                        *other != cell || matches!(touch, Touch::Read | Touch::Count)
                    });
                for (observed, to) in &node.edges {
                    let raised = raised(expander.layout, op, *observed).iter().filter(own).count() as i16;
                    // A loop that counts up without end is cut.
                    let next = (after + raised).min(8);
                    if next < least[*to as usize] {
                        least[*to as usize] = next;
                        todo.push(*to as usize);
                    }
                }
            }
            let bit = self.bit(Token::Count(cell));
            for (held, least) in held.iter_mut().zip(&least) {
                *held &= !bit;
                if fair && *least > 0 && *least < i16::MAX {
                    *held |= bit;
                }
            }
        }
    }

    /// What a task at a node has.
    #[inline]
    pub(super) fn held(&self, node: usize) -> u64 {
        self.held[node]
    }

    /// The mutexes that it may have.
    pub(super) fn may_hold(&self, node: usize) -> u64 {
        self.may_hold[node]
    }

    /// For what the step at a node waits.
    #[inline]
    pub(super) fn waits_for(&self, node: usize) -> u64 {
        self.waits_for[node]
    }

    /// The bit of a mutex.
    pub(super) fn of_lock(&self, lock: CellId) -> u64 {
        self.bit(Token::Lock(lock))
    }

    /// All mutexes.
    pub(super) fn locks(&self) -> u64 {
        u64::MAX.checked_shr(64 - self.locks as u32).unwrap_or(0)
    }

    /// Those in objects that can be freed.
    pub(super) fn mortal(&self) -> u64 {
        self.mortal
    }

    /// The cells of some tokens.
    pub(super) fn cells(&self, tokens: u64) -> impl Iterator<Item = CellId> {
        members(tokens).map(|place| self.all[place].cell())
    }

    /// The mutexes that a task at a node has taken and that are in objects which can be freed.
    #[inline]
    pub(super) fn may_lose(&self, node: usize) -> impl Iterator<Item = CellId> {
        self.cells(self.held[node] & self.mortal & self.locks())
    }

    /// Those of some tokens in objects which can be freed that not all of so many tasks can have.
    pub(super) fn lost(
        &self,
        tokens: u64,
        layout: &Layout,
        memory: &[u8],
        tasks: impl Fn(u64) -> usize,
    ) -> bool {
        members(tokens & self.mortal & !self.locks())
            .any(|place| self.all[place].room(layout, memory) < tasks(1 << place))
    }

    /// Whether these say of the first nodes what the others say.
    pub(super) fn confirms(&self, other: &Tokens, known: usize) -> bool {
        self.all == other.all
            && self.held[..known] == other.held[..known]
            && self.waits_for[..known] == other.waits_for[..known]
    }
}

/// What a step waits for.
fn waits_for(layout: &Layout, op: &Op) -> Vec<Token> {
    match op.wait() {
        Some(Wait::Lock(lock)) => vec![Token::Lock(lock)],
        Some(Wait::Async(lists, Some(domain))) => vec![Token::Entry(lists, domain)],
        Some(Wait::Async(lists, None)) => {
            let Kind::Async(domains) = layout.info(lists).kind else {
                unreachable!("internal: no async lists")
            };
            (0..domains).map(|domain| Token::Entry(lists, domain)).collect()
        }
        Some(Wait::Unlinked(klist, member)) => vec![Token::Node(klist, member.index)],
        Some(Wait::Zero(cell)) => vec![Token::Count(cell)],
        Some(
            Wait::Not(..) | Wait::Any(_) | Wait::Claim(_) | Wait::Ended(..) | Wait::Start(_) | Wait::Run(_),
        )
        | None => Vec::new(),
    }
}
