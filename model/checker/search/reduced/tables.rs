//! What persistent sets are computed from: for each automaton node, from which nodes a task can reach a
//! step that does not commute with the step of this one.
//!
//! Built from the automata as they are known. The search that uses the tables finds out whether the
//! automata grow, and whether that changes anything that it relied on.
//!
//! While a task holds a mutex and stands still, nobody gets past a step that waits for that mutex. So
//! what others can do meanwhile ends there; that is how a lock protects what is done under it, and
//! nothing else has to be known of which lock protects what.

use std::sync::OnceLock;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

use super::choose::members;
use super::conds::Cond;
use super::pieces::{Mask, Piece, Pieces};
use super::quiet::Quiet;
use super::remedies::{Remedies, Remedy};
use super::tokens::Tokens;
use crate::machine::action::Touch;
use crate::machine::blocked::Hold;
use crate::machine::commute::{Touches, liveness, raised};
use crate::machine::layout::{CellId, Kind, Layout, Part};
use crate::machine::op::{Action, Op};
use crate::machine::program::Program;
use crate::machine::value::Obs;
use crate::search::packed::expand::Expander;
use crate::search::system::EMPTY;

/// Which dependencies of a node's step are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The step, none of the references that it drops being the last.
    Step,
    /// The step, when a count that it lowers comes to zero, or would drop below.
    Last,
    /// Only whether the step is enabled.
    Guard,
}

const VIEW: [View; 3] = [View::Step, View::Last, View::Guard];

const VIEWS: usize = VIEW.len();

/// Tasks that may lower a count by so much may lower it without end, for all that is known.
pub(super) const ENDLESS: u8 = 15;

/// The counts must stay above what others may lower them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// Which count.
    pub(super) count: u16,
    /// How much more than zero must be left.
    pub(super) slack: i8,
}

/// Nodes, a bit each.
pub(super) type Nodes = Box<[u64]>;

/// The nodes whose steps do not commute with a step, by the condition for that.
pub(super) type Seeds = IndexMap<Cond, Vec<usize>, FxBuildHasher>;

#[inline]
pub(super) fn has(nodes: &[u64], node: usize) -> bool {
    nodes[node / 64] >> (node % 64) & 1 != 0
}

fn no_nodes(known: usize) -> Vec<u64> {
    vec![0; known.div_ceil(64).max(1)]
}

/// The dependencies of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The nodes whose tasks may get to a step that does not commute with it, a bit each.
    pub(super) clash: Nodes,
    /// The same, for steps that do not commute with it in states in which this is so.
    pub(super) conditional: Box<[(Cond, Nodes)]>,
    /// It commutes with what others count as long as this much of the counts is left.
    pub(super) needs: Box<[Need]>,
}

/// Whether nobody sees whether a step finds a flag set.
pub(super) fn is_unseen<P: Program>(expander: &Expander<'_, P>, at: usize) -> bool {
    let last = expander.nodes[at].op.as_ref().and_then(|op| op.actions.last());
    !matches!(last, Some(Action::QueueWork(_))) || expander.is_indifferent(at)
}

/// What tasks can still do, by the node they are at.
pub(super) struct Tables {
    /// How many nodes they know.
    pub(super) known: usize,
    pub(super) remedies: Remedies,
    pub(super) pieces: Pieces,
    masks: Vec<Mask>,
    touches: Vec<Touches>,
    /// Whether the step's checks look at a list.
    pub(super) checks_lists: Vec<bool>,
    /// By piece, the nodes whose steps touch it, and how.
    index: Vec<Vec<(u32, Touch)>>,
    /// By klist, the nodes whose steps touch its nodes.
    klists: IndexMap<CellId, Vec<u32>, FxBuildHasher>,
    /// The pieces that nobody sees, whatever happens.
    dead: Vec<bool>,
    /// Of other pieces that nobody sees at rest, the nodes from which somebody may see them.
    pub(super) seen: IndexMap<Piece, Nodes, FxBuildHasher>,
    /// The same by node: a bit for each of those pieces, in their order.
    sees: Vec<u64>,
    /// The dead pieces that somebody touches.
    pub(super) faded: Vec<Piece>,
    pub(super) quiet: Quiet,
    /// What tasks keep others from.
    pub(super) tokens: Tokens,
    /// The nodes from which a step, or the start of a task that a step spawns, leads to a node.
    before: Vec<Vec<u32>>,
    /// The counts that some step lowers.
    pub(super) counts: IndexSet<CellId, FxBuildHasher>,
    /// Whether somebody sees that a count is zero.
    zero: Vec<bool>,
    /// By how much the tasks that come of a node may lower each count, on balance.
    drops: Vec<u8>,
    /// By count, the nodes from which a task may lower it at all.
    lowering: Vec<Nodes>,
    /// The nodes whose steps may change whether an object may be used, if it matters that its node is on a klist then:
    /// not if the order of klists is seen by who links and unlinks nodes anyway.
    frees: Option<Nodes>,
    rows: Vec<[OnceLock<Row>; VIEWS]>,
}

impl Tables {
    /// Tables of the automata as they are.
    ///
    /// `neighbours`: who links or unlinks a node of a klist may see its order.
    pub(super) fn new<P: Program>(expander: &Expander<'_, P>, remedies: Remedies, neighbours: bool) -> Self {
        let known = expander.nodes.len();
        let pieces = Pieces::of(expander.layout, remedies.has(Remedy::Fine));
        let mut tables = Tables {
            known,
            remedies,
            masks: Vec::with_capacity(known),
            touches: Vec::with_capacity(known),
            checks_lists: Vec::with_capacity(known),
            index: vec![Vec::new(); pieces.len()],
            klists: IndexMap::default(),
            dead: vec![false; pieces.len()],
            seen: IndexMap::default(),
            sees: Vec::new(),
            faded: Vec::new(),
            quiet: Quiet::default(),
            tokens: Tokens::default(),
            before: vec![Vec::new(); known],
            counts: IndexSet::default(),
            zero: Vec::new(),
            drops: Vec::new(),
            lowering: Vec::new(),
            frees: None,
            rows: (0..known).map(|_| Default::default()).collect(),
            pieces,
        };
        for at in 0..known {
            tables.step(expander, at);
        }
        for (at, node) in expander.nodes.iter().enumerate() {
            let next =
                node.edges.iter().map(|(_, to)| *to).chain((node.spawns != EMPTY).then_some(node.spawns));
            next.for_each(|to| tables.before[to as usize].push(at as u32));
            for (_, to) in &node.edges {
                tables.holding(at, &node.holds, &expander.nodes[*to as usize].holds);
            }
        }
        tables.tokens = Tokens::of(expander, &tables.touches, remedies.has(Remedy::Nes));
        tables.leave(expander);
        for (at, mask) in tables.masks.iter().enumerate() {
            for (piece, touch) in mask.iter() {
                tables.index[usize::from(piece.0)].push((at as u32, touch));
            }
            for klist in &tables.touches[at].klists {
                tables.klists.entry(*klist).or_default().push(at as u32);
            }
        }
        tables.lower(expander);
        tables.look_for_zero(expander);
        if remedies.has(Remedy::Dead) {
            tables.die(expander, neighbours);
            tables.frees = (!neighbours).then(|| tables.who_frees(expander.layout));
        }
        tables.quiet = Quiet::of(expander, &tables);
        tables
    }

    fn step<P: Program>(&mut self, expander: &Expander<'_, P>, at: usize) {
        let layout = expander.layout;
        let mut mask = Mask::default();
        let mut touches = Touches::default();
        let mut checks_lists = false;
        if let Some(op) = &expander.nodes[at].op {
            touches = Touches::of(layout, op);
            let checks = op.event.iter().flat_map(|event| expander.program.event_touches(event));
            let checks: Vec<_> = checks.collect();
            let is_told = |(cell, _, touch): &(CellId, Part, Touch)| {
                !expander.is_fact(*cell) || matches!(touch, Touch::Same(facts) if *facts != u8::MAX)
            };
            debug_assert!(
                checks.iter().all(is_told),
                "{op:?}: an event reads a fact, or it depends on the state"
            );
            debug_assert!(
                !touches.parts.iter().any(|(cell, ..)| expander.is_fact(*cell)),
                "{op:?} touches a fact"
            );
            checks_lists = checks.iter().any(|(cell, ..)| matches!(layout.info(*cell).kind, Kind::List(..)));
            for (cell, part, touch) in touches.parts.iter().copied().chain(checks) {
                let touch = match touch {
                    Touch::Same(_) if !self.remedies.has(Remedy::Same) => Touch::Put,
                    Touch::Mark if self.remedies.has(Remedy::Same) && is_unseen(expander, at) => {
                        Touch::Same(1)
                    }
                    other => other,
                };
                mask.touch(&self.pieces, cell, part, touch);
            }
            self.counts.extend(&touches.lowers);
        }
        self.masks.push(mask);
        self.touches.push(touches);
        self.checks_lists.push(checks_lists);
    }

    /// Whether others wait for ever depends on what a task holds: a step that changes that counts as one
    /// that counts the cell.
    fn holding(&mut self, node: usize, before: &[Hold], after: &[Hold]) {
        let times = |holds: &[Hold], hold: &Hold| holds.iter().filter(|other| *other == hold).count();
        for hold in before.iter().chain(after) {
            if times(before, hold) != times(after, hold) {
                let (cell, part) = match hold {
                    Hold::Cell(cell) => (*cell, Part::Whole),
                    Hold::Node(klist, member) => (*klist, Part::Pins(*member)),
                };
                self.masks[node].touch(&self.pieces, cell, part, Touch::Count);
            }
        }
    }

    /// Who gives its slot back must hold no mutex. Nobody else changes who holds it, but whoever frees the
    /// object that it is in does.
    fn leave<P: Program>(&mut self, expander: &Expander<'_, P>) {
        for node in 0..self.known {
            let may_hold = self.tokens.may_hold(node);
            if self.touches[node].workers >= 0 {
                continue;
            }
            for lock in expander.layout.locks() {
                let bit = self.tokens.of_lock(*lock);
                if bit == 0 || may_hold & bit != 0 {
                    let liveness = expander.layout.info(*lock).liveness;
                    liveness.into_iter().for_each(|liveness| {
                        self.masks[node].touch(&self.pieces, liveness, Part::Whole, Touch::Read);
                    });
                }
            }
        }
    }

    /// By how much the counts may sink, on balance, from each node on.
    fn lower<P: Program>(&mut self, expander: &Expander<'_, P>) {
        let width = self.counts.len();
        self.drops = vec![0; self.known * width];
        let mut todo: Vec<u32> = (0..self.known as u32).collect();
        let mut waiting = vec![true; self.known];
        let mut most = vec![0i16; width];
        while let Some(at) = todo.pop() {
            let at = at as usize;
            waiting[at] = false;
            let node = &expander.nodes[at];
            let Some(op) = &node.op else { continue };
            most.fill(i16::MIN);
            let nowhere = [(Obs::Unit, EMPTY)];
            let edges = if node.edges.is_empty() { &nowhere[..] } else { &node.edges };
            for (observed, to) in edges {
                let raised = raised(expander.layout, op, *observed);
                for (place, cell) in self.counts.iter().enumerate() {
                    let lowers = i16::from(self.touches[at].lowered(*cell));
                    let raises = raised.iter().filter(|other| *other == cell).count() as i16;
                    let mut sinks = lowers - raises;
                    for next in [*to, node.spawns] {
                        if next != EMPTY {
                            let drop = self.drops[next as usize * width + place];
                            // What is raised here is not enough against what has no end.
                            sinks =
                                sinks.saturating_add(if drop < ENDLESS { i16::from(drop) } else { i16::MAX });
                        }
                    }
                    // Whether the step raises the count before it lowers it is not asked.
                    most[place] = most[place].max(sinks).max(lowers);
                }
            }
            let mut changed = false;
            for (place, sinks) in most.iter().enumerate() {
                let sinks = (*sinks).clamp(0, i16::from(ENDLESS)) as u8;
                let drop = &mut self.drops[at * width + place];
                changed |= sinks > *drop;
                *drop = sinks.max(*drop);
            }
            if changed {
                for before in &self.before[at] {
                    if !std::mem::replace(&mut waiting[*before as usize], true) {
                        todo.push(*before);
                    }
                }
            }
        }
        let lowers = |cell: &CellId| {
            let nodes = (0..self.known).filter(|at| self.touches[*at].lowers.contains(cell));
            self.reach(nodes, 0)
        };
        self.lowering = self.counts.iter().map(lowers).collect();
    }

    /// By how much the tasks that come of a node may lower a count, on balance.
    #[inline]
    pub(super) fn drops(&self, node: usize, count: usize) -> u8 {
        if node < self.known { self.drops[node * self.counts.len() + count] } else { ENDLESS }
    }

    /// Whether the tasks that come of a node may lower a count at all.
    #[inline]
    pub(super) fn may_lower(&self, node: usize, count: usize) -> bool {
        node >= self.known || has(&self.lowering[count], node)
    }

    /// Which counts somebody sees to be zero.
    fn look_for_zero<P: Program>(&mut self, expander: &Expander<'_, P>) {
        let ops = || expander.nodes.iter().flat_map(|node| &node.op);
        let looks = |cell: CellId| {
            let piece = self.pieces.one(cell, Part::Whole);
            let otherwise = self.index[usize::from(piece.0)].iter().any(|(_, touch)| *touch != Touch::Count);
            let lowers = |op: &Op| {
                op.actions.iter().enumerate().any(|(place, action)| match action {
                    Action::Put(other) => *other == cell,
                    Action::Dec(other) => *other == cell && place + 1 == op.actions.len(),
                    _ => false,
                })
            };
            otherwise || ops().any(lowers)
        };
        let all = !self.remedies.has(Remedy::Zero);
        self.zero = self.counts.iter().map(|count| all || looks(*count)).collect();
    }

    /// The nodes whose steps may change whether an object may be used.
    fn who_frees(&self, layout: &Layout) -> Nodes {
        let changes = |(cell, _, touch): &(CellId, Part, Touch)| {
            *touch == Touch::Write && layout.info(*cell).kind == Kind::Liveness
        };
        let mut nodes = no_nodes(self.known);
        for (at, touches) in self.touches.iter().enumerate() {
            if !touches.frees.is_empty() || touches.parts.iter().any(changes) {
                nodes[at / 64] |= 1 << (at % 64);
            }
        }
        nodes.into()
    }

    /// What nobody sees any more.
    fn die<P: Program>(&mut self, expander: &Expander<'_, P>, neighbours: bool) {
        let Some(rest) = expander.program.seen_at_rest() else { return };
        let mut at_rest = Mask::default();
        rest.into_iter().for_each(|(cell, part)| at_rest.touch(&self.pieces, cell, part, Touch::Read));
        for piece in self.pieces.ids().filter(|piece| !at_rest.has(*piece)) {
            let place = usize::from(piece.0);
            let seers = self.index[place].iter().filter(|(_, touch)| touch.sees());
            let mut seers: Vec<usize> = seers.map(|(at, _)| *at as usize).collect();
            if let (klist, Part::Order) = self.pieces.at(piece)
                && neighbours
            {
                let touches = self.klists.get(&klist).into_iter().flatten();
                seers.extend(touches.map(|at| *at as usize));
            }
            if seers.is_empty() {
                self.dead[place] = true;
                if !self.index[place].is_empty() {
                    self.faded.push(piece);
                }
            } else {
                let nodes = self.reach(seers.into_iter(), 0);
                self.seen.insert(piece, nodes);
            }
        }
        let width = self.seen.len().div_ceil(64);
        self.sees = vec![0; self.known * width];
        for (place, nodes) in self.seen.values().enumerate() {
            for node in (0..self.known).filter(|node| has(nodes, *node)) {
                self.sees[node * width + place / 64] |= 1 << (place % 64);
            }
        }
    }

    /// The pieces that nobody at these nodes can come to see, those left out that nobody ever sees.
    pub(super) fn unseen(&self, nodes: &[usize]) -> impl Iterator<Item = Piece> {
        let width = self.seen.len().div_ceil(64);
        // A node that is not known yet may come to see everything.
        let words = if nodes.iter().all(|node| *node < self.known) { width } else { 0 };
        (0..words).flat_map(move |word| {
            let seen = nodes.iter().fold(0, |seen, node| seen | self.sees[node * width + word]);
            let places = members(!seen).map(move |bit| word * 64 + bit);
            places.map_while(|place| self.seen.get_index(place).map(|(piece, _)| *piece))
        })
    }

    /// What the step at a node does not commute with.
    pub(super) fn row<P: Program>(
        &self,
        expander: &Expander<'_, P>,
        node: usize,
        view: View,
        op: &Op,
    ) -> &Row {
        self.rows[node][view as usize].get_or_init(|| self.make_row(expander, node, view, op))
    }

    fn mask(&self, layout: &Layout, node: usize, view: View, op: &Op) -> Mask {
        let touches = &self.touches[node];
        let mut mask = match view {
            View::Guard => Mask::default(),
            _ => self.masks[node].clone(),
        };
        let mut touch = |cell: CellId, part, touch| mask.touch(&self.pieces, cell, part, touch);
        if view == View::Last {
            let lowered = touches.lowers.iter().copied();
            let written = touches.when_last(layout).into_iter().chain(lowered);
            written.for_each(|cell| touch(cell, Part::Whole, Touch::Write));
        }
        let mut live: Vec<CellId> = self.tokens.cells(self.tokens.held(node)).collect();
        if view == View::Guard
            && let Some(wait) = op.wait()
        {
            // Who holds a mutex is asked of the state.
            if op.locks().is_none() {
                wait.parts().into_iter().for_each(|part| touch(wait.cell(), part, Touch::Read));
            }
            wait.others().for_each(|cell| touch(cell, Part::Whole, Touch::Read));
            live.extend([wait.cell()].into_iter().chain(wait.others()));
        }
        for cell in live {
            let liveness = layout.info(cell).liveness;
            liveness.into_iter().for_each(|liveness| touch(liveness, Part::Whole, Touch::Read));
        }
        mask
    }

    fn make_row<P: Program>(&self, expander: &Expander<'_, P>, node: usize, view: View, op: &Op) -> Row {
        let layout = expander.layout;
        let mask = self.mask(layout, node, view, op);
        let touches = &self.touches[node];
        let mut needs: Vec<Need> = Vec::new();
        for (place, cell) in self.counts.iter().enumerate() {
            // Others may free the object with the count, and this step uses it or its part, ...
            let object = layout.info(*cell).object;
            let frees = |touches: &Touches| touches.frees.contains(&object);
            let mut live = liveness(layout, object);
            let used = live.any(|cell| mask.has(self.pieces.one(cell, Part::Whole)))
                && self.touches.iter().any(frees);
            // ... or it counts itself.
            let own = (*cell, Part::Whole, Touch::Count);
            let counts = view != View::Guard && touches.parts.contains(&own);
            let lowers = if view == View::Step { touches.lowered(*cell) } else { 0 };
            let unseen = !used && !self.zero[place];
            if used || counts {
                needs.push(Need { count: place as u16, slack: lowers as i8 - i8::from(unseen) });
            }
        }
        let mut seeds: Seeds = std::iter::once((Cond::Always, Vec::new())).collect();
        for (piece, touch) in mask.iter().filter(|(piece, _)| !self.is_dead(*piece)) {
            for (other, against) in &self.index[usize::from(piece.0)] {
                if !touch.commutes(*against) {
                    let cond = self.cond(
                        layout,
                        (node, view),
                        (op, expander.nodes[*other as usize].op.as_ref()),
                        piece,
                        touch,
                        *against,
                    );
                    seeds.entry(cond).or_default().push(*other as usize);
                }
            }
        }
        let ops = expander.nodes.iter().take(self.known).map(|node| node.op.as_ref());
        self.quiet_seeds(view, op, ops, &mut seeds);
        for klist in &touches.klists {
            let others = self.klists[klist].iter().map(|other| *other as usize);
            seeds.entry(Cond::Dirty(*klist)).or_default().extend(others);
        }
        let held = self.tokens.held(node);
        let clash = self.reach(seeds[&Cond::Always].iter().copied(), held);
        let conditional = seeds.into_iter().skip(1).map(|(cond, seeds)| {
            let nodes = self.reach(seeds.into_iter(), held);
            (cond, nodes)
        });
        let more = |(_, nodes): &(Cond, Nodes)| nodes.iter().zip(&clash).any(|(some, all)| some & !all != 0);
        Row { conditional: conditional.filter(more).collect(), clash, needs: needs.into() }
    }

    /// The nodes from which one of these can be reached, without passing a step that waits for what somebody
    /// keeps who holds this.
    pub(super) fn reach(&self, from: impl Iterator<Item = usize>, held: u64) -> Nodes {
        let mut reached = no_nodes(self.known);
        let mut todo = Vec::new();
        let mut meet = |node: usize, todo: &mut Vec<usize>| {
            if self.tokens.waits_for(node) & held == 0 && !has(&reached, node) {
                reached[node / 64] |= 1 << (node % 64);
                todo.push(node);
            }
        };
        from.for_each(|node| meet(node, &mut todo));
        while let Some(node) = todo.pop() {
            for before in &self.before[node] {
                meet(*before as usize, &mut todo);
            }
        }
        reached.into()
    }

    /// Forgets what has been asked: nothing relies on it any more.
    pub(super) fn forget_rows(&mut self) {
        self.rows = (0..self.known).map(|_| Default::default()).collect();
    }

    /// The rows that were asked for, by node and view.
    pub(super) fn asked(&self) -> Vec<(u32, u8)> {
        let asked = |(at, rows): (usize, &[OnceLock<Row>; VIEWS])| {
            let asked = (0..VIEWS).filter(|view| rows[*view].get().is_some());
            asked.map(|view| (at as u32, view as u8)).collect::<Vec<_>>()
        };
        self.rows.iter().enumerate().flat_map(asked).collect()
    }

    /// Asks for rows again, so that what relies on them is known.
    pub(super) fn ask_again<P: Program>(&self, expander: &Expander<'_, P>, asked: &[(u32, u8)]) {
        for (at, view) in asked {
            let node = *at as usize;
            let op = expander.nodes.get(node).and_then(|node| node.op.as_ref());
            if let (Some(op), Some(view)) = (op, VIEW.get(usize::from(*view))) {
                self.row(expander, node, *view, op);
            }
        }
    }

    /// Whether these tables say of all that the others were asked what they said, and know more nodes.
    pub(super) fn confirm<P: Program>(&self, other: &Tables, expander: &Expander<'_, P>) -> bool {
        let counts = self.counts.iter().take(other.counts.len()).eq(&other.counts)
            && self.zero.iter().zip(&other.zero).all(|(one, two)| one == two);
        let drops = |node: usize| {
            let all = |place: usize| self.drops(node, place) == other.drops(node, place);
            (0..other.counts.len()).all(all)
        };
        let same = |one: &[u64], two: &[u64]| (0..other.known).all(|node| has(one, node) == has(two, node));
        let lowering = self.lowering.iter().zip(&other.lowering).all(|(one, two)| same(one, two));
        let none = no_nodes(self.known);
        let under = |row: &Row, cond: Cond| -> Vec<u64> {
            let found = row.conditional.iter().find(|(other, _)| *other == cond);
            let mut nodes = row.clash.to_vec();
            nodes.resize(none.len(), 0);
            for (all, more) in nodes.iter_mut().zip(found.iter().flat_map(|(_, nodes)| nodes)) {
                *all |= more;
            }
            nodes
        };
        let rows = |node: usize| {
            VIEW.into_iter().all(|view| {
                let Some(row) = other.rows[node][view as usize].get() else { return true };
                let Some(op) = &expander.nodes[node].op else { return true };
                let now = self.row(expander, node, view, op);
                let mut conds = now.conditional.iter().chain(&row.conditional).map(|(cond, _)| *cond);
                now.needs == row.needs
                    && same(&now.clash, &row.clash)
                    && conds.all(|cond| same(&under(now, cond), &under(row, cond)))
            })
        };
        let seen = self.dead == other.dead
            && self.faded == other.faded
            && self.seen.keys().eq(other.seen.keys())
            && self.seen.iter().all(|(piece, nodes)| same(nodes, &other.seen[piece]));
        counts
            && lowering
            && seen
            && self.quiet.confirms(&other.quiet, same)
            && self.tokens.confirms(&other.tokens, other.known)
            && (0..other.known).all(|node| drops(node) && rows(node))
    }

    /// Whether nobody ever sees a piece.
    fn is_dead(&self, piece: Piece) -> bool {
        self.dead[usize::from(piece.0)]
    }

    /// Whether the step at a node may change whether an object may be used, and it matters.
    pub(super) fn may_free(&self, node: usize) -> bool {
        self.frees.as_ref().is_some_and(|frees| node >= self.known || has(frees, node))
    }

    /// What the step at a node touches, its checks not included.
    pub(super) fn touches(&self, node: usize) -> &Touches {
        &self.touches[node]
    }

    /// Whether it may matter that a count comes to zero.
    pub(super) fn is_zero_seen(&self, count: CellId) -> bool {
        self.counts.get_index_of(&count).is_none_or(|place| self.zero[place])
    }
}
