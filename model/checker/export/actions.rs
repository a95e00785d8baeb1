//! The machine's actions in the language of [`code`](super::code), written after their documentation: nothing of
//! [`effect`](crate::machine::effect) is called, so that a peer's answer is a second opinion on it.

use indexmap::IndexSet;

use super::code::{Code, Expr, Place, TRUE, all, any, byte, num};
use crate::machine::action::{Action, End, Entry, Wait};
use crate::machine::hazard::id;
use crate::machine::layout::{Cell, CellId, Field, Kind, Layout};
use crate::machine::op::Op;
use crate::machine::value::{Object, Obs};

/// What a swap that happened observes: no byte.
const SWAPPED: usize = 256;
/// Added to what an iterator observes if the node that it left was unlinked.
const DIED: usize = 256;

/// The model has no room for what a step does.
pub(super) const NO_ROOM: &str = "no-room";

/// A step that is being written.
pub(super) struct Step<'a> {
    pub(super) layout: &'a Layout,
    pub(super) slot: usize,
    pub(super) code: Code,
    pub(super) hazards: &'a mut IndexSet<&'static str>,
    pub(super) spawned: Option<Entry>,
    pub(super) marked: Option<CellId>,
    pub(super) ended: bool,
}

/// A list in memory: where it begins, and how many members it can have.
#[derive(Clone, Copy)]
struct List {
    at: usize,
    capacity: usize,
}

impl List {
    fn len(self) -> Expr {
        byte(self.at)
    }

    /// The member at this place, from 1.
    fn member(self, place: impl Into<Expr>) -> Expr {
        byte(num(self.at) + place.into())
    }

    /// Whether there is a member at this place, and it is this one.
    fn is_at(self, place: usize, member: impl Into<Expr>) -> Expr {
        num(place).at_most(self.len()) & self.member(place).equals(member)
    }

    fn has(self, member: u8) -> Expr {
        any((1..=self.capacity).map(|place| self.is_at(place, member)))
    }

    /// The first member plus one, or 0.
    fn first(self, code: &mut Code) -> Expr {
        let first = code.temp(0usize);
        code.when(num(0usize).below(self.len()), |code| {
            code.set(Place::Temp(first), self.member(1usize) + 1usize)
        });
        Expr::Temp(first)
    }

    fn take(self, code: &mut Code, member: Expr) -> Expr {
        let place = code.temp(0usize);
        for at in 1..=self.capacity {
            let here = self.is_at(at, member.clone()) & Expr::Temp(place).equals(0usize);
            code.when(here, |code| code.set(Place::Temp(place), at));
        }
        code.when(num(0usize).below(Expr::Temp(place)), |code| {
            for at in 1..self.capacity {
                let moves = Expr::Temp(place).at_most(at) & num(at).below(self.len());
                code.when(moves, |code| code.store(self.at + at, self.member(at + 1)));
            }
            code.store(num(self.at) + self.len(), 0usize);
            code.store(self.at, self.len() - 1usize);
        });
        num(0usize).below(Expr::Temp(place))
    }
}

/// A klist in memory.
#[derive(Clone, Copy)]
struct Nodes {
    at: usize,
    capacity: usize,
}

/// The dead flag of a node.
const DEAD: usize = 128;

impl Nodes {
    fn len(self) -> Expr {
        byte(self.at)
    }

    /// The member at this place, from 0.
    fn member(self, place: impl Into<Expr>) -> Expr {
        let place = place.into();
        byte(num(self.at + 1) + place.clone() + place)
    }

    fn count_at(self, place: impl Into<Expr>) -> Expr {
        let place = place.into();
        num(self.at + 2) + place.clone() + place
    }

    fn count(self, place: impl Into<Expr>) -> Expr {
        byte(self.count_at(place))
    }

    fn is_dead(self, place: impl Into<Expr>) -> Expr {
        num(DEAD).at_most(self.count(place))
    }

    fn is_at(self, place: usize, member: u8) -> Expr {
        num(place).below(self.len()) & self.member(place).equals(member)
    }

    fn linked(self, member: u8) -> Expr {
        any((0..self.capacity).map(|place| self.is_at(place, member)))
    }

    /// The place of a member plus one, or 0.
    fn position(self, code: &mut Code, member: u8) -> Expr {
        let found = code.temp(0usize);
        for place in 0..self.capacity {
            code.when(self.is_at(place, member), |code| code.set(Place::Temp(found), place + 1));
        }
        Expr::Temp(found)
    }

    /// The count of the node at this place drops; whether it was unlinked by that.
    fn drop_at(self, code: &mut Code, place: &Expr) -> Expr {
        let unlinked = code.temp(0usize);
        code.store(self.count_at(place.clone()), self.count(place.clone()) - 1usize);
        code.when((self.count(place.clone()) % DEAD).equals(0usize), |code| {
            code.set(Place::Temp(unlinked), 1usize);
            for at in 0..self.capacity.saturating_sub(1) {
                let moves = place.clone().at_most(at) & num(at + 1).below(self.len());
                code.when(moves, |code| {
                    code.store(self.at + 1 + 2 * at, self.member(at + 1));
                    code.store(self.count_at(at), self.count(at + 1));
                });
            }
            code.store(num(self.at) + self.len() + self.len(), 0usize);
            code.store(num(self.at) + self.len() + self.len() - 1usize, 0usize);
            code.store(self.at, self.len() - 1usize);
        });
        Expr::Temp(unlinked).equals(1usize)
    }
}

/// The bits of a work item.
fn pending(work: &Expr) -> Expr {
    (work.clone() % 2usize).equals(1usize)
}

fn running(work: &Expr) -> Expr {
    (work.clone() / 2usize % 2usize).equals(1usize)
}

fn cancelled(work: &Expr) -> Expr {
    (work.clone() / 4usize % 2usize).equals(1usize)
}

fn disabled(work: &Expr) -> Expr {
    num(8usize).at_most(work.clone())
}

const FOR_PENDING: usize = 1;
const FOR_RUNNING: usize = 2;

/// Whether a task in this slot may take a step.
pub(super) fn enabled(layout: &Layout, slot: usize, op: &Op) -> Expr {
    let Some(wait) = op.wait() else { return TRUE };
    let info = layout.info(wait.cell());
    let value = byte(info.offset);
    if op.under.is_some() {
        return value.equals(0usize);
    }
    let over = match wait {
        Wait::Lock(_) => value.clone().equals(0usize) | value.equals(slot + 1),
        Wait::Zero(_) | Wait::Ended(..) => value.equals(0usize),
        Wait::Not(cell, other) => value.differs(layout.encode(cell, other)),
        Wait::Any(all) => any(all.iter().map(|(cell, other)| {
            let info = layout.info(*cell);
            let changed = byte(info.offset).differs(layout.encode(*cell, *other));
            match info.liveness {
                Some(live) => changed | byte(layout.info(live).offset).differs(1usize),
                None => changed,
            }
        })),
        Wait::Claim(_) => value.differs(0usize),
        Wait::Async(_, None) => all(info.range().map(|at| byte(at).equals(0usize))),
        Wait::Async(_, Some(domain)) => byte(info.offset + usize::from(domain)).equals(0usize),
        Wait::Start(_) => pending(&value) & !running(&value),
        Wait::Run(_) => byte(info.offset + 1 + slot).equals(0usize),
        Wait::Unlinked(cell, node) => !nodes(layout, cell).linked(node.index),
    };
    match info.liveness {
        // The step meets the hazard.
        Some(live) if !wait.idles() => over | byte(layout.info(live).offset).differs(1usize),
        _ => over,
    }
}

fn nodes(layout: &Layout, cell: CellId) -> Nodes {
    let info = layout.info(cell);
    Nodes { at: info.offset, capacity: (info.range().len() - 1) / 2 }
}

/// What a step with this last action observes, as a number; 0 if only one thing can be observed.
pub(super) fn number(layout: &Layout, op: &Op, observed: Obs) -> usize {
    match (op.actions.last(), observed) {
        (_, Obs::Unit | Obs::Released(_)) | (Some(Action::Hold(_)), _) => 0,
        (Some(Action::Load(cell) | Action::Follow(cell)), value) => layout.encode(*cell, value).into(),
        (Some(Action::Swap(..)), Obs::Holds(_)) => SWAPPED,
        (Some(Action::Swap(cell, ..)), value) => layout.encode(*cell, value).into(),
        (Some(Action::EnterIf(..)), value) => usize::from(matches!(value, Obs::Holds(_))),
        (Some(Action::AllocFirst(those)), Obs::Id(object)) => {
            1 + those.iter().position(|other| *other == object).expect("internal: one of these was allocated")
        }
        (_, Obs::Bool(value)) => value.into(),
        (_, Obs::Int(value)) => value.into(),
        (_, Obs::None) => 0,
        (_, Obs::Id(object)) => 1 + usize::from(object.index),
        (_, Obs::Iter(_, node, died)) => {
            node.map_or(0, |node| 1 + usize::from(node)) + if died { DIED } else { 0 }
        }
        (last, other) => unreachable!("internal: {last:?} observes {other:?}"),
    }
}

impl Step<'_> {
    fn hazard(&mut self, id: &'static str) -> usize {
        self.hazards.insert_full(id).0 + 1
    }

    fn at(&self, cell: CellId) -> usize {
        self.layout.info(cell).offset
    }

    fn check(&mut self, condition: Expr, id: &'static str) {
        let hazard = self.hazard(id);
        self.code.check(condition, hazard);
    }

    /// An object must be alive where this is true.
    fn usable_if(&mut self, condition: Expr, object: Object) {
        let info = self.layout.object(object);
        let Some(liveness) = info.liveness else { return };
        let (early, late) = (self.hazard(id::NULL_DEREFERENCE), self.hazard(info.stale));
        let live = byte(self.at(liveness));
        self.code.check(!(condition.clone() & live.clone().equals(0usize)), early);
        self.code.check(!(condition & live.differs(1usize)), late);
    }

    /// The object of a cell must be alive.
    pub(super) fn alive(&mut self, cell: CellId) {
        let info = self.layout.info(cell);
        if info.liveness.is_some() {
            self.usable_if(TRUE, info.object);
        }
    }

    /// The member of this number has its node in memory that is there, where this is true.
    fn node_usable(&mut self, list: CellId, condition: &Expr, member: &Expr) {
        match self.layout.info(list).kind.clone() {
            Kind::Klist(_, holders) => {
                for (index, holder) in holders.into_iter().enumerate() {
                    let Some(holder) = holder else { continue };
                    self.usable_if(condition.clone() & member.clone().equals(index), holder);
                }
            }
            Kind::List(sort, _) => {
                let members: Vec<Object> =
                    self.layout.objects().keys().copied().filter(|object| object.sort == sort).collect();
                for object in members {
                    let holder = self.layout.holds_node(object);
                    self.usable_if(condition.clone() & member.clone().equals(object.index), holder);
                }
            }
            ref kind => unreachable!("internal: {kind:?} is no list"),
        }
    }

    fn list(&self, cell: CellId) -> List {
        let info = self.layout.info(cell);
        List { at: info.offset, capacity: info.range().len() - 1 }
    }

    fn liveness(&self, object: Object) -> usize {
        self.at(self.layout.object(object).liveness.expect("internal: an immortal object is made or freed"))
    }

    fn free(&mut self, object: Object) {
        let live = self.liveness(object);
        self.check(byte(live).differs(2usize), id::DOUBLE_FREE);
        self.code.store(live, 2usize);
        for cell in &self.layout.object(object).cells {
            let info = self.layout.info(*cell);
            if !matches!(info.kind, Kind::Work(_)) {
                info.range().for_each(|at| self.code.store(at, 0usize));
            }
        }
        // A part that is there goes with it: it has not been freed, so that freeing it is no hazard.
        if let Some(part) = self.layout.object(object).part {
            let there = byte(self.liveness(part)).equals(1usize);
            self.nested(there, |step| step.free(part));
        }
    }

    /// What is done if a condition is met.
    fn nested(&mut self, condition: Expr, write: impl FnOnce(&mut Self)) {
        let mut outer = std::mem::take(&mut self.code);
        outer.when(condition, |code| {
            std::mem::swap(&mut self.code, code);
            write(self);
            std::mem::swap(&mut self.code, code);
        });
        self.code = outer;
    }

    fn count_up(&mut self, cell: CellId) {
        self.alive(cell);
        let at = self.at(cell);
        self.check(byte(at).below(255usize), NO_ROOM);
        self.code.store(at, byte(at) + 1usize);
    }

    /// Whether that was the last.
    fn count_down(&mut self, cell: CellId) -> Expr {
        self.alive(cell);
        let at = self.at(cell);
        self.check(num(0usize).below(byte(at)), id::REFCOUNT_UNDERFLOW);
        self.code.store(at, byte(at) - 1usize);
        byte(at).equals(0usize)
    }

    /// A reference is taken in a field of the klist's member of this number, if it is not 0.
    fn get_member(&mut self, klist: CellId, member: &Expr, field: Field) {
        let Kind::Klist(sort, ref holders) = self.layout.info(klist).kind else {
            unreachable!("internal: a klist");
        };
        for index in 0..holders.len() as u8 {
            let object = Object { sort, index };
            if !self.layout.objects().contains_key(&object) {
                continue;
            }
            let cell = self.layout.find(Cell::<u8>::new(object, field));
            self.nested(member.clone().equals(1 + usize::from(index)), |step| step.count_up(cell));
        }
    }

    fn observe(&mut self, value: impl Into<Expr>) {
        self.code.set(Place::Observed, value);
    }

    /// The node at a place of a klist is about to lose a count: if it is the last, its neighbours are written.
    fn neighbours_usable(&mut self, klist: CellId, place: &Expr) {
        let list = nodes(self.layout, klist);
        for at in 0..list.capacity {
            let last = place.clone().equals(at + 1)
                & num(at).below(list.len())
                & (list.count(at) % DEAD).equals(1usize);
            if at > 0 {
                self.node_usable(klist, &last, &list.member(at - 1));
            }
            if at + 1 < list.capacity {
                let followed = last & num(at + 1).below(list.len());
                self.node_usable(klist, &followed, &list.member(at + 1));
            }
        }
    }

    /// Sets this task's byte of a work item: which run it waits for.
    fn wait_for(&mut self, cell: CellId, run: impl Into<Expr>) {
        let at = self.at(cell) + 1 + self.slot;
        self.code.store(at, run);
    }

    /// Those who wait for one run of an item wait for another.
    fn waiters(&mut self, cell: CellId, from: usize, to: usize) {
        for at in self.layout.info(cell).range().skip(1) {
            self.code.when(byte(at).equals(from), |code| code.store(at, to));
        }
    }

    fn dequeue(&mut self, cell: CellId) -> Expr {
        let at = self.at(cell);
        let was = self.code.temp(byte(at) % 2usize);
        self.code.store(at, byte(at) - Expr::Temp(was));
        self.waiters(cell, FOR_PENDING, 0);
        Expr::Temp(was)
    }

    /// The task gives its slot back: it may hold no mutex.
    pub(super) fn leave(&mut self) {
        let layout = self.layout;
        for lock in layout.locks() {
            self.check(byte(self.at(*lock)).differs(self.slot + 1), id::UNLOCK_IMBALANCE);
        }
        for cell in layout.by_slot() {
            if matches!(layout.info(*cell).kind, Kind::PerTask(_)) {
                self.code.store(self.at(*cell) + self.slot, 0usize);
            }
        }
    }

    /// One action.
    pub(super) fn act(&mut self, action: &Action, outcome: u8) {
        self.observe(0usize);
        match action {
            Action::Load(cell) => {
                self.alive(*cell);
                self.observe(byte(self.at(*cell)));
            }
            Action::Follow(cell) => {
                self.alive(*cell);
                let value = byte(self.at(*cell));
                self.check(value.clone().differs(0usize), id::NULL_DEREFERENCE);
                self.observe(value);
            }
            Action::Store(cell, value) => {
                self.alive(*cell);
                self.code.store(self.at(*cell), self.layout.encode(*cell, *value));
            }
            Action::Touch(object) => self.usable_if(TRUE, *object),
            Action::Alloc(object) => self.code.store(self.liveness(*object), 1usize),
            Action::AllocFirst(those) => {
                let chosen = self.code.temp(0usize);
                for (place, object) in those.iter().enumerate() {
                    let live = self.liveness(*object);
                    let free = byte(live).equals(0usize) & Expr::Temp(chosen).equals(0usize);
                    self.code.when(free, |code| {
                        code.set(Place::Temp(chosen), place + 1);
                        code.store(live, 1usize);
                    });
                }
                self.check(Expr::Temp(chosen).differs(0usize), NO_ROOM);
                self.observe(Expr::Temp(chosen));
            }
            Action::Free(object) => self.free(*object),
            Action::Retire(object) => {
                let live = self.liveness(*object);
                self.code.when(byte(live).equals(1usize), |code| code.store(live, 3usize));
            }
            Action::Revive(object) => {
                let live = self.liveness(*object);
                self.code.when(byte(live).equals(3usize), |code| code.store(live, 1usize));
                self.usable_if(TRUE, *object);
            }
            Action::Lock(cell) => {
                self.alive(*cell);
                let at = self.at(*cell);
                self.check(byte(at).equals(0usize), id::DEADLOCK);
                self.code.store(at, self.slot + 1);
            }
            Action::TryLock(cell) => {
                self.alive(*cell);
                let (at, owner) = (self.at(*cell), self.slot + 1);
                self.code.when(byte(at).equals(0usize), |code| {
                    code.store(at, owner);
                    code.set(Place::Observed, 1usize);
                });
            }
            Action::Unlock(cell) => {
                self.alive(*cell);
                let at = self.at(*cell);
                self.check(byte(at).equals(self.slot + 1), id::UNLOCK_IMBALANCE);
                self.code.store(at, 0usize);
            }
            Action::Get(cell) => self.count_up(*cell),
            Action::Put(cell) => {
                let last = self.count_down(*cell);
                let flag = self.code.temp(0usize);
                self.code.when(last, |code| code.set(Place::Temp(flag), 1usize));
                let last = Expr::Temp(flag);
                let object = self.layout.info(*cell).object;
                if self.layout.object(object).liveness.is_some() {
                    self.nested(last.clone().equals(1usize), |step| step.free(object));
                }
                self.observe(last);
            }
            Action::Dec(cell) => {
                let last = self.count_down(*cell);
                self.code.when(last, |code| code.set(Place::Observed, 1usize));
            }
            Action::Swap(cell, from, to) => {
                self.alive(*cell);
                let at = self.at(*cell);
                let (from, to) = (self.layout.encode(*cell, *from), self.layout.encode(*cell, *to));
                self.code.choose(
                    byte(at).equals(from),
                    |code| {
                        code.store(at, to);
                        code.set(Place::Observed, SWAPPED);
                    },
                    |code| code.set(Place::Observed, byte(at)),
                );
            }
            Action::EnterIf(flag, count) => {
                self.alive(*flag);
                self.alive(*count);
                let enters = byte(self.at(*flag)).differs(0usize);
                self.nested(enters, |step| {
                    step.count_up(*count);
                    step.observe(1usize);
                });
            }
            Action::SetOwn(cell, flag) => {
                self.alive(*cell);
                self.code.store(self.at(*cell) + self.slot, usize::from(*flag));
            }
            Action::TestOwn(cell) => {
                self.alive(*cell);
                let own = byte(self.at(*cell) + self.slot);
                self.code.when(own.differs(0usize), |code| code.set(Place::Observed, 1usize));
            }
            Action::Hold(_) | Action::Release(_) => {}
            Action::AwaitZero(cell)
            | Action::AwaitNot(cell, _)
            | Action::AwaitEnded(cell, _)
            | Action::AsyncAwait(cell, _)
            | Action::FlushAwait(cell)
            | Action::KlistAwait(cell, _) => self.alive(*cell),
            Action::AwaitAny(all) => all.iter().for_each(|(cell, _)| self.alive(*cell)),
            Action::Claim(cell) => {
                self.alive(*cell);
                self.code.store(self.at(*cell), 0usize);
            }
            Action::ListAdd { list: cell, unless_on, member, at } => {
                self.alive(*cell);
                let (list, other) = (self.list(*cell), self.list(*unless_on));
                let there = list.has(member.index) | other.has(member.index);
                self.nested(!there, |step| {
                    let beside = match at {
                        End::First => list.member(1usize),
                        End::Last => list.member(list.len()),
                    };
                    step.node_usable(*cell, &num(0usize).below(list.len()), &beside);
                    step.check(list.len().below(list.capacity), NO_ROOM);
                    if *at == End::First {
                        for place in (2..=list.capacity).rev() {
                            let moves = num(place).at_most(list.len() + 1usize);
                            step.code.when(moves, |code| code.store(list.at + place, list.member(place - 1)));
                        }
                        step.code.store(list.at + 1, member.index);
                    } else {
                        step.code.store(num(list.at + 1) + list.len(), member.index);
                    }
                    step.code.store(list.at, list.len() + 1usize);
                    step.observe(1usize);
                });
            }
            Action::ListDel(cell, other, member) => {
                self.alive(*cell);
                for id in [*cell, *other] {
                    let list = self.list(id);
                    for place in 1..=list.capacity {
                        let here = list.is_at(place, member.index);
                        if place > 1 {
                            self.node_usable(id, &here, &list.member(place - 1));
                        }
                        if place < list.capacity {
                            let followed = here & num(place + 1).at_most(list.len());
                            self.node_usable(id, &followed, &list.member(place + 1));
                        }
                    }
                }
                for id in [*cell, *other] {
                    let list = self.list(id);
                    let taken = list.take(&mut self.code, num(member.index));
                    self.code.when(taken, |code| code.set(Place::Observed, 1usize));
                }
            }
            Action::ListPop(cell) => {
                self.alive(*cell);
                let list = self.list(*cell);
                for place in 1..=list.capacity.min(2) {
                    self.node_usable(*cell, &num(place).at_most(list.len()), &list.member(place));
                }
                let first = list.first(&mut self.code);
                self.code.when(first.clone().differs(0usize), |code| {
                    list.take(code, first.clone() - 1usize);
                });
                self.observe(first);
            }
            Action::ListFirst(cell) => {
                self.alive(*cell);
                let first = self.list(*cell).first(&mut self.code);
                self.observe(first);
            }
            Action::ListNext(cell, other, Some(after)) => {
                self.alive(*cell);
                self.node_usable(*cell, &TRUE, &num(*after));
                self.observe(1 + usize::from(*after));
                // The first list counts.
                for id in [*other, *cell] {
                    let list = self.list(id);
                    for place in 1..=list.capacity {
                        self.code.when(list.is_at(place, *after), |code| {
                            code.set(Place::Observed, 0usize);
                            if place < list.capacity {
                                let followed = num(place + 1).at_most(list.len());
                                let next = list.member(place + 1) + 1usize;
                                code.when(followed, |code| code.set(Place::Observed, next));
                            }
                        });
                    }
                }
            }
            Action::ListNext(cell, _, None) => {
                self.alive(*cell);
                let first = self.list(*cell).first(&mut self.code);
                self.observe(first);
            }
            Action::ListPrev(cell, other, Some(before)) => {
                self.alive(*cell);
                self.node_usable(*cell, &TRUE, &num(*before));
                self.observe(1 + usize::from(*before));
                for id in [*other, *cell] {
                    let list = self.list(id);
                    for place in 1..=list.capacity {
                        let previous = if place > 1 { list.member(place - 1) + 1usize } else { num(0usize) };
                        self.code.when(list.is_at(place, *before), |code| {
                            code.set(Place::Observed, previous);
                        });
                    }
                }
            }
            Action::ListPrev(cell, _, None) => {
                self.alive(*cell);
                let list = self.list(*cell);
                self.code.when(num(0usize).below(list.len()), |code| {
                    code.set(Place::Observed, list.member(list.len()) + 1usize);
                });
            }
            Action::ListHas(cell, other, member) => {
                self.alive(*cell);
                let there = self.list(*cell).has(member.index) | self.list(*other).has(member.index);
                self.code.when(there, |code| code.set(Place::Observed, 1usize));
            }
            Action::ListSplice(cell, to) => {
                self.alive(*cell);
                let (from, onto) = (self.list(*cell), self.list(*to));
                let some = num(0usize).below(from.len());
                self.node_usable(*cell, &some, &from.member(1usize));
                self.node_usable(*cell, &some, &from.member(from.len()));
                let end = some & num(0usize).below(onto.len());
                self.node_usable(*cell, &end, &onto.member(onto.len()));
                let count = self.code.temp(from.len());
                self.check((onto.len() + Expr::Temp(count)).at_most(onto.capacity), NO_ROOM);
                for place in 1..=from.capacity {
                    self.code.when(num(place).at_most(Expr::Temp(count)), |code| {
                        code.store(num(onto.at + place) + onto.len(), from.member(place));
                    });
                }
                for place in 0..=from.capacity {
                    self.code.store(from.at + place, 0usize);
                }
                self.code.store(onto.at, onto.len() + Expr::Temp(count));
            }
            Action::KlistAdd(cell, member) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                self.node_usable(*cell, &TRUE, &num(member.index));
                self.node_usable(*cell, &num(0usize).below(list.len()), &list.member(list.len() - 1usize));
                self.check(!list.linked(member.index), id::DOUBLE_OPERATION);
                self.code.store(num(list.at + 1) + list.len() + list.len(), member.index);
                self.code.store(num(list.at + 2) + list.len() + list.len(), 1usize);
                self.code.store(list.at, list.len() + 1usize);
            }
            Action::KlistNext(cell, current) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                // Places from 1; 0: before the first.
                let place = match current {
                    Some(member) => list.position(&mut self.code, *member),
                    None => num(0usize),
                };
                let next = self.code.temp(0usize);
                for at in 0..list.capacity {
                    let passed = place.clone().at_most(at)
                        & num(at).below(list.len())
                        & Expr::Temp(next).equals(0usize);
                    self.node_usable(*cell, &passed, &list.member(at));
                    self.code.when(passed & !list.is_dead(at), |code| code.set(Place::Temp(next), at + 1));
                }
                if let Some(member) = current {
                    self.node_usable(*cell, &TRUE, &num(*member));
                    self.neighbours_usable(*cell, &place);
                }
                self.nested(Expr::Temp(next).differs(0usize), |step| {
                    let at = Expr::Temp(next) - 1usize;
                    step.check(list.count(at.clone()).differs(DEAD - 1), NO_ROOM);
                    step.observe(list.member(at.clone()) + 1usize);
                    step.code.store(list.count_at(at.clone()), list.count(at) + 1usize);
                });
                if current.is_some() {
                    let died = list.drop_at(&mut self.code, &(place - 1usize));
                    self.code.when(died, |code| code.set(Place::Observed, Expr::Observed + DIED));
                }
            }
            Action::KlistExit(cell, current) => {
                self.alive(*cell);
                if let Some(member) = current {
                    let list = nodes(self.layout, *cell);
                    let place = list.position(&mut self.code, *member);
                    self.neighbours_usable(*cell, &place);
                    self.node_usable(*cell, &TRUE, &num(*member));
                    let died = list.drop_at(&mut self.code, &(place - 1usize));
                    self.code.when(died, |code| code.set(Place::Observed, DIED));
                }
            }
            Action::KlistDel(cell, member) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                let place = list.position(&mut self.code, member.index);
                self.neighbours_usable(*cell, &place);
                self.node_usable(*cell, &TRUE, &num(member.index));
                self.code.when(place.clone().differs(0usize), |code| {
                    let at = place - 1usize;
                    code.when(!list.is_dead(at.clone()), |code| {
                        code.store(list.count_at(at.clone()), list.count(at.clone()) + DEAD);
                        let died = list.drop_at(code, &at);
                        code.when(died, |code| code.set(Place::Observed, 1usize));
                    });
                });
            }
            Action::KlistLast(cell, field) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                let last = self.code.temp(0usize);
                for at in 0..list.capacity {
                    let there = num(at).below(list.len()) & !list.is_dead(at);
                    let member = list.member(at) + 1usize;
                    self.code.when(there, |code| code.set(Place::Temp(last), member));
                }
                let last = Expr::Temp(last);
                self.node_usable(*cell, &last.clone().differs(0usize), &(last.clone() - 1usize));
                self.get_member(*cell, &last, *field);
                self.observe(last);
            }
            Action::KlistFind(cell, object, field) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                let here = |at| list.is_at(at, object.index) & !list.is_dead(at);
                let count = self.layout.find(Cell::<u8>::new(*object, *field));
                self.nested(any((0..list.capacity).map(here)), |step| {
                    step.node_usable(*cell, &TRUE, &num(object.index));
                    step.count_up(count);
                    step.observe(1usize);
                });
            }
            Action::KlistPeek(cell) => {
                self.alive(*cell);
                let list = nodes(self.layout, *cell);
                let last = list.member(list.len() - 1usize);
                let some = num(0usize).below(list.len());
                self.node_usable(*cell, &some, &last);
                self.code.when(some, |code| code.set(Place::Observed, last + 1usize));
            }
            Action::KlistHas(cell, member) => {
                self.alive(*cell);
                let linked = nodes(self.layout, *cell).linked(member.index);
                self.code.when(linked, |code| code.set(Place::Observed, 1usize));
            }
            Action::AsyncSchedule { lists, domain, entry, mark } => {
                self.alive(*lists);
                let at = self.at(*lists) + usize::from(*domain);
                self.check(byte(at).below(255usize), NO_ROOM);
                self.code.store(at, byte(at) + 1usize);
                self.spawned = Some(entry.clone());
                self.marked = *mark;
            }
            Action::AsyncEnd(lists, domain) => {
                self.alive(*lists);
                let at = self.at(*lists) + usize::from(*domain);
                self.code.store(at, byte(at) - 1usize);
                self.ended = true;
            }
            Action::Spawn(cell, entry) => {
                self.alive(*cell);
                self.code.store(self.at(*cell), 1usize);
                self.spawned = Some(entry.clone());
            }
            Action::SpawnEnd(cell) => {
                self.alive(*cell);
                self.code.store(self.at(*cell), 0usize);
                self.ended = true;
            }
            Action::QueueWork(cell) => {
                self.alive(*cell);
                let at = self.at(*cell);
                let work = byte(at);
                let queued = !(pending(&work) | cancelled(&work) | disabled(&work));
                self.code.when(queued, |code| {
                    code.store(at, work + 1usize);
                    code.set(Place::Observed, 1usize);
                });
            }
            Action::DisableWork(cell, disable) => {
                self.alive(*cell);
                let at = self.at(*cell);
                let bit = if *disable { 8usize } else { 0 };
                self.code.store(at, byte(at) % 8usize + bit);
            }
            Action::DequeueWork(cell) => {
                self.alive(*cell);
                let was = self.dequeue(*cell);
                self.observe(was);
            }
            Action::WorkStart(cell) => {
                self.alive(*cell);
                let at = self.at(*cell);
                self.code.choose(
                    disabled(&byte(at)),
                    |code| code.store(at, 8usize + 2),
                    |code| code.store(at, 2usize),
                );
                self.waiters(*cell, FOR_PENDING, FOR_RUNNING);
            }
            Action::WorkEnd(cell) => {
                let at = self.at(*cell);
                self.code.when(running(&byte(at)), |code| code.store(at, byte(at) - 2usize));
                self.code.when(cancelled(&byte(at)), |code| code.store(at, byte(at) - 4usize));
                self.waiters(*cell, FOR_RUNNING, 0);
            }
            Action::FlushBegin(cell) => {
                self.alive(*cell);
                let work = byte(self.at(*cell));
                self.wait_for(*cell, 0usize);
                self.nested(running(&work), |step| step.wait_for(*cell, FOR_RUNNING));
                self.nested(pending(&work), |step| step.wait_for(*cell, FOR_PENDING));
                self.nested(running(&work) | pending(&work), |step| step.observe(1usize));
            }
            Action::FlushRunning(cell) => {
                self.alive(*cell);
                let work = byte(self.at(*cell));
                self.wait_for(*cell, 0usize);
                self.nested(running(&work), |step| {
                    step.wait_for(*cell, FOR_RUNNING);
                    step.observe(1usize);
                });
            }
            Action::CancelBegin(cell) => {
                self.alive(*cell);
                let was = self.dequeue(*cell);
                let at = self.at(*cell);
                self.wait_for(*cell, 0usize);
                self.nested(running(&byte(at)), |step| {
                    step.code.when(!cancelled(&byte(at)), |code| code.store(at, byte(at) + 4usize));
                    step.wait_for(*cell, FOR_RUNNING);
                });
                self.observe(was);
            }
            Action::Choose(_) => self.observe(usize::from(outcome)),
            Action::Sample(cell, who) => {
                self.alive(*cell);
                self.code.store(self.at(*cell) + usize::from(*who), SAMPLED);
            }
            Action::Bump(cell, unseen_by) => {
                self.alive(*cell);
                for (who, at) in self.layout.info(*cell).range().enumerate() {
                    if !unseen_by.contains(&(who as u8)) {
                        self.code.when(byte(at).differs(0usize), |code| code.store(at, SAMPLED + 1));
                    }
                }
            }
            Action::Net(cell, up) => {
                self.alive(*cell);
                for at in self.layout.info(*cell).range() {
                    let room = if *up { 255usize } else { 1 };
                    self.nested(byte(at).differs(0usize), |step| {
                        step.check(byte(at).differs(room), NO_ROOM);
                        let moved = if *up { byte(at) + 1usize } else { byte(at) - 1usize };
                        step.code.store(at, moved);
                    });
                }
            }
            Action::Moved(cell, who) => {
                self.alive(*cell);
                let at = self.at(*cell) + usize::from(*who);
                self.code.when(byte(at).differs(SAMPLED), |code| code.set(Place::Observed, 1usize));
                self.code.store(at, 0usize);
            }
            Action::DropSample(cell, who) => {
                self.alive(*cell);
                self.code.store(self.at(*cell) + usize::from(*who), 0usize);
            }
        }
    }
}

/// A sample that has not moved.
const SAMPLED: usize = 128;
