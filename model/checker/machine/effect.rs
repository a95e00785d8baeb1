//! The effect of a step: a total function of its footprint's cells.

use super::action::{End, Touch};
use super::commute::Touches;
use super::hazard::{Breach, Hazard};
use super::klist;
use super::layout::{ABSENT, ALIVE, Cell, CellId, FREED, Field, Kind, Layout, RETIRED};
use super::op::{Action, Entry, Op};
use super::step::{Bound, Stop};
use super::value::{Object, Obs};
use super::work;

/// What a step did besides writing memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What the task observed.
    pub observed: Obs,
    /// A task to start in a free worker slot.
    pub spawned: Option<Entry>,
    /// The cell in which that slot's flag is to be set.
    pub marked: Option<CellId>,
    /// The task gives its worker slot back.
    pub ended: bool,
}

/// Takes an enabled step.
///
/// `slot` is the task that takes it, `outcome` the outcome of a choice (0 for every other step).
///
/// # Errors
///
/// Why it leads nowhere. Memory is then to be thrown away.
pub fn apply(layout: &Layout, memory: &mut [u8], slot: usize, op: &Op, outcome: u8) -> Result<Applied, Stop> {
    let touches = cfg!(debug_assertions).then(|| Box::new(Touches::of(layout, op)));
    let mut machine = Machine { layout, memory, slot, touches, spawned: None, marked: None, ended: false };
    if let Some(lock) = op.under {
        machine.value(lock)?;
    }
    let mut observed = Obs::Unit;
    for action in &op.actions {
        observed = machine.act(action, outcome)?;
    }
    if machine.ended {
        machine.leave_slot()?;
    }
    Ok(Applied { observed, spawned: machine.spawned, marked: machine.marked, ended: machine.ended })
}

/// What a sampler sees of a growing counter: nothing, or [`SAMPLED`] and the difference since its sample.
const NONE: u8 = 0;
const SAMPLED: u8 = 128;

struct Machine<'a> {
    layout: &'a Layout,
    memory: &'a mut [u8],
    slot: usize,
    /// What it may touch, where that is checked.
    touches: Option<Box<Touches>>,
    spawned: Option<Entry>,
    marked: Option<CellId>,
    ended: bool,
}

/// Tasks have changed their slots: what names a slot in memory moves with them. For each slot,
/// `came_from` says which slot its task was in.
pub fn permute(layout: &Layout, memory: &mut [u8], came_from: &[usize]) {
    for lock in layout.locks() {
        let owner = &mut memory[layout.info(*lock).offset];
        if *owner != 0 {
            let before = usize::from(*owner) - 1;
            let now = came_from.iter().position(|slot| *slot == before);
            *owner = 1 + now.expect("internal: a permutation") as u8;
        }
    }
    for cell in layout.by_slot() {
        let bytes = &mut memory[layout.info(*cell).range()];
        let first = bytes.len() - came_from.len();
        let before = bytes[first..].to_vec();
        for (now, slot) in came_from.iter().enumerate() {
            bytes[first + now] = before[*slot];
        }
    }
}

/// How one access touches a cell; a whole cell unless it is [`Byte::Own`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Reads,
    Writes,
    Own,
}

impl Machine<'_> {
    /// The effect of a step is within its footprint.
    fn check(&self, cell: CellId, access: Byte) {
        let allowed = |touch: Touch| match touch {
            Touch::Read => access == Byte::Reads,
            Touch::Count | Touch::Mark | Touch::Same(_) | Touch::Put | Touch::Write => true,
            Touch::Own => access == Byte::Own,
        };
        let within = |touches: &Touches| {
            touches.parts.iter().any(|(other, _, touch)| *other == cell && allowed(*touch))
                || touches.when_last(self.layout).contains(&cell)
        };
        debug_assert!(
            self.touches.as_deref().is_none_or(within),
            "internal: {} is touched outside the footprint",
            self.name(cell)
        );
    }

    /// The bytes of a cell, to be read.
    fn read(&self, cell: CellId) -> &[u8] {
        self.check(cell, Byte::Reads);
        &self.memory[self.layout.info(cell).range()]
    }

    fn byte(&mut self, cell: CellId) -> &mut u8 {
        self.check(cell, Byte::Writes);
        &mut self.memory[self.layout.info(cell).offset]
    }

    fn bytes(&mut self, cell: CellId) -> &mut [u8] {
        self.check(cell, Byte::Writes);
        &mut self.memory[self.layout.info(cell).range()]
    }

    /// Whether this task holds a mutex. Others change that only by freeing the object that it is in, so the
    /// mutex is in no footprint; who relies on that looks at the object's liveness.
    fn holds(&self, lock: CellId) -> bool {
        usize::from(self.memory[self.layout.info(lock).offset]) == self.slot + 1
    }

    fn name(&self, cell: CellId) -> &str {
        &self.layout.info(cell).name
    }

    fn bad<T>(&self, breach: Breach) -> Result<T, Hazard> {
        Err(Hazard::of(self.layout, breach))
    }

    /// The object of a cell must be alive.
    fn alive(&self, cell: CellId) -> Result<(), Hazard> {
        let info = self.layout.info(cell);
        info.liveness.map_or(Ok(()), |liveness| self.is_there(info.object, liveness))
    }

    fn usable(&self, object: Object) -> Result<(), Hazard> {
        let liveness = self.layout.object(object).liveness;
        liveness.map_or(Ok(()), |liveness| self.is_there(object, liveness))
    }

    #[inline]
    fn is_there(&self, object: Object, liveness: CellId) -> Result<(), Hazard> {
        match self.read(liveness)[0] {
            ALIVE => Ok(()),
            ABSENT => self.bad(Breach::UsedTooEarly(object)),
            FREED => self.bad(Breach::UsedAfterFree(object)),
            _ => self.bad(Breach::UsedAfterRetire(object)),
        }
    }

    /// Resets the cells of a freed object, so that states do not differ by what nobody may read.
    /// Work items stay: a queue may still point at them.
    fn reset(&mut self, object: Object) {
        for cell in &self.layout.object(object).cells {
            if !matches!(self.layout.info(*cell).kind, Kind::Work(_)) {
                self.bytes(*cell).fill(0);
            }
        }
    }

    fn free(&mut self, object: Object) -> Result<(), Hazard> {
        if *self.liveness(object) == FREED {
            return self.bad(Breach::FreedTwice(object));
        }
        *self.liveness(object) = FREED;
        self.reset(object);
        if let Some(part) = self.layout.object(object).part
            && *self.liveness(part) == ALIVE
        {
            self.free(part)?;
        }
        Ok(())
    }

    /// The objects that hold these nodes of a `list_head` must be alive.
    fn on_list_alive(&mut self, cell: CellId, nodes: &[u8]) -> Result<(), Hazard> {
        for node in nodes {
            if let Obs::Id(member) = self.member(cell, Some(*node)) {
                self.usable(self.layout.holds_node(member))?;
            }
        }
        Ok(())
    }

    /// The objects that hold the nodes of a klist that an operation touches must be alive.
    fn nodes_alive(&self, cell: CellId, nodes: &[u8]) -> Result<(), Hazard> {
        let layout = self.layout;
        let Kind::Klist(_, holders) = &layout.info(cell).kind else {
            unreachable!("internal: {} is no klist", self.name(cell));
        };
        for node in nodes {
            if let Some(holder) = holders[usize::from(*node)] {
                self.usable(holder)?;
            }
        }
        Ok(())
    }

    fn member(&self, cell: CellId, index: Option<u8>) -> Obs {
        let (Kind::Klist(sort, _) | Kind::List(sort, _)) = self.layout.info(cell).kind else {
            unreachable!("internal: {} is no list", self.name(cell));
        };
        index.map_or(Obs::None, |index| Obs::Id(Object { sort, index }))
    }

    /// The bytes of a cell whose object is there.
    fn used(&mut self, cell: CellId) -> Result<&mut [u8], Hazard> {
        self.alive(cell)?;
        Ok(self.bytes(cell))
    }

    /// The value of a variable whose object is there.
    fn value(&self, cell: CellId) -> Result<u8, Hazard> {
        self.alive(cell)?;
        Ok(self.read(cell)[0])
    }

    /// The byte of a variable whose object is there.
    fn variable(&mut self, cell: CellId) -> Result<&mut u8, Hazard> {
        self.alive(cell)?;
        Ok(self.byte(cell))
    }

    fn count_up(&mut self, cell: CellId) -> Result<(), Stop> {
        let count = self.variable(cell)?;
        *count = count.checked_add(1).ok_or(Bound::Cell(cell))?;
        Ok(())
    }

    fn count_down(&mut self, cell: CellId) -> Result<bool, Hazard> {
        let count = self.variable(cell)?;
        let Some(fewer) = count.checked_sub(1) else {
            return self.bad(Breach::BelowZero(cell));
        };
        *count = fewer;
        Ok(fewer == 0)
    }

    fn unlock(&mut self, cell: CellId) -> Result<(), Hazard> {
        let owner = *self.variable(cell)?;
        if usize::from(owner) != self.slot + 1 {
            return self.bad(Breach::NotHeld(cell));
        }
        *self.byte(cell) = 0;
        Ok(())
    }

    fn lock(&mut self, cell: CellId) -> Result<(), Hazard> {
        if *self.variable(cell)? != 0 {
            return self.bad(Breach::LockedAgain(cell));
        }
        *self.byte(cell) = u8::try_from(self.slot + 1).expect("internal: too many slots");
        Ok(())
    }

    /// One action; what it touches is what [`Action::walk`] says.
    // Inlined, or what it observes is moved from place to place.
    #[inline(always)]
    fn act(&mut self, action: &Action, outcome: u8) -> Result<Obs, Stop> {
        match action {
            Action::Load(cell) => {
                let byte = self.value(*cell)?;
                return Ok(self.layout.decode(*cell, byte));
            }
            Action::Follow(cell) => {
                let byte = self.value(*cell)?;
                if byte == 0 {
                    return Ok(self.bad(Breach::NullFollowed(*cell))?);
                }
                return Ok(self.layout.decode(*cell, byte));
            }
            Action::Store(cell, value) => *self.variable(*cell)? = self.layout.encode(*cell, *value),
            Action::Touch(object) => self.usable(*object)?,
            Action::Alloc(object) => *self.liveness(*object) = ALIVE,
            Action::AllocFirst(all) => {
                let free = all.iter().find(|object| *self.liveness(**object) == ABSENT);
                let Some(object) = free else {
                    let last = all.last().and_then(|object| self.layout.object(*object).liveness);
                    return Err(Bound::Cell(last.expect("internal: an object that can be freed")).into());
                };
                *self.liveness(*object) = ALIVE;
                return Ok(Obs::Id(*object));
            }
            Action::Free(object) => self.free(*object)?,
            Action::Retire(object) => {
                let liveness = self.liveness(*object);
                if *liveness == ALIVE {
                    *liveness = RETIRED;
                }
            }
            Action::Revive(object) => {
                let liveness = self.liveness(*object);
                if *liveness == RETIRED {
                    *liveness = ALIVE;
                }
                self.usable(*object)?;
            }
            Action::Lock(cell) => self.lock(*cell)?,
            Action::TryLock(cell) => {
                let free = *self.variable(*cell)? == 0;
                if free {
                    self.lock(*cell)?;
                }
                return Ok(Obs::Bool(free));
            }
            Action::Unlock(cell) => self.unlock(*cell)?,
            Action::Get(cell) => self.count_up(*cell)?,
            Action::Put(cell) => {
                let last = self.count_down(*cell)?;
                let object = self.layout.info(*cell).object;
                if last && self.layout.object(object).liveness.is_some() {
                    self.free(object)?;
                }
                return Ok(Obs::Bool(last));
            }
            Action::Dec(cell) => return Ok(Obs::Bool(self.count_down(*cell)?)),
            Action::Swap(cell, from, to) => {
                let layout = self.layout;
                let byte = self.variable(*cell)?;
                if *byte == layout.encode(*cell, *from) {
                    *byte = layout.encode(*cell, *to);
                    return Ok(Obs::Holds(*cell));
                }
                return Ok(layout.decode(*cell, *byte));
            }
            Action::EnterIf(flag, count) => {
                let enters = self.value(*flag)? != 0;
                self.alive(*count)?;
                if !enters {
                    return Ok(Obs::None);
                }
                self.count_up(*count)?;
                return Ok(Obs::Holds(*count));
            }
            Action::SetOwn(cell, flag) => *self.own(*cell)? = u8::from(*flag),
            Action::TestOwn(cell) => return Ok(Obs::Bool(*self.own(*cell)? != 0)),
            Action::Hold(cell) => return Ok(Obs::Holds(*cell)),
            Action::Release(cell) => return Ok(Obs::Released(*cell)),
            Action::AwaitZero(cell)
            | Action::AwaitNot(cell, _)
            | Action::AwaitEnded(cell, _)
            | Action::AsyncAwait(cell, _)
            | Action::FlushAwait(cell)
            | Action::KlistAwait(cell, _) => self.alive(*cell)?,
            Action::AwaitAny(all) => all.iter().try_for_each(|(cell, _)| self.alive(*cell))?,
            Action::Claim(cell) => *self.variable(*cell)? = 0,
            Action::ListAdd { list: cell, unless_on, member, at } => {
                self.alive(*cell)?;
                let there = has(self.read(*cell), member.index) || has(self.read(*unless_on), member.index);
                if !there {
                    // The node beside it is written too.
                    let list = self.bytes(*cell);
                    let members = list[1..=usize::from(list[0])].to_vec();
                    let beside = match at {
                        End::First => members.first(),
                        End::Last => members.last(),
                    };
                    self.on_list_alive(*cell, beside.copied().as_slice())?;
                    self.append(*cell, &[member.index])?;
                    if *at == End::First {
                        self.bytes(*cell)[1..=members.len() + 1].rotate_right(1);
                    }
                }
                return Ok(Obs::Bool(!there));
            }
            Action::ListDel(cell, other, member) => {
                self.alive(*cell)?;
                for list in [*cell, *other] {
                    let beside = beside(self.bytes(list), member.index);
                    self.on_list_alive(list, &beside)?;
                }
                let first = take(self.bytes(*cell), member.index);
                return Ok(Obs::Bool(take(self.bytes(*other), member.index) || first));
            }
            Action::ListPop(cell) => {
                let list = self.used(*cell)?;
                let first = (list[0] > 0).then(|| list[1]);
                let touched: Vec<u8> = list[1..=usize::from(list[0])].iter().take(2).copied().collect();
                self.on_list_alive(*cell, &touched)?;
                if let Some(first) = first {
                    take(self.bytes(*cell), first);
                }
                return Ok(self.member(*cell, first));
            }
            Action::ListFirst(cell) => {
                self.alive(*cell)?;
                let list = self.read(*cell);
                let first = (list[0] > 0).then(|| list[1]);
                return Ok(self.member(*cell, first));
            }
            Action::ListNext(cell, other, after) => {
                self.alive(*cell)?;
                let list = self.read(*cell);
                let Some(after) = *after else {
                    let first = (list[0] > 0).then(|| list[1]);
                    return Ok(self.member(*cell, first));
                };
                self.on_list_alive(*cell, &[after])?;
                let next = [*cell, *other].into_iter().find_map(|list| next(self.read(list), after));
                return Ok(self.member(*cell, next.unwrap_or(Some(after))));
            }
            Action::ListPrev(cell, other, before) => {
                self.alive(*cell)?;
                let list = self.read(*cell);
                let Some(before) = *before else {
                    let last = list[1..=usize::from(list[0])].last().copied();
                    return Ok(self.member(*cell, last));
                };
                self.on_list_alive(*cell, &[before])?;
                let previous = [*cell, *other].into_iter().find_map(|list| previous(self.read(list), before));
                return Ok(self.member(*cell, previous.unwrap_or(Some(before))));
            }
            Action::ListHas(cell, other, member) => {
                self.alive(*cell)?;
                return Ok(Obs::Bool(
                    has(self.read(*cell), member.index) || has(self.read(*other), member.index),
                ));
            }
            Action::ListSplice(cell, to) => {
                let list = self.used(*cell)?;
                let members = list[1..=usize::from(list[0])].to_vec();
                let onto = self.bytes(*to);
                let last = onto[1..=usize::from(onto[0])].last().copied();
                let ends = members.first().into_iter().chain(members.last());
                let touched: Vec<u8> = ends.copied().chain(last.filter(|_| !members.is_empty())).collect();
                self.on_list_alive(*cell, &touched)?;
                self.bytes(*cell).fill(0);
                self.append(*to, &members)?;
            }
            Action::KlistAdd(cell, member) => {
                self.alive(*cell)?;
                let mut nodes = vec![member.index];
                nodes.extend(klist::end(self.bytes(*cell)));
                self.nodes_alive(*cell, &nodes)?;
                if !klist::add(self.bytes(*cell), member.index) {
                    return Ok(self.bad(Breach::LinkedTwice(*member, *cell))?);
                }
            }
            Action::KlistNext(cell, current) => {
                let mut nodes = klist::passed(self.used(*cell)?, *current);
                nodes.extend(current);
                if let Some(node) = *current {
                    nodes.extend(klist::neighbours_of_last_drop(self.bytes(*cell), node));
                }
                self.nodes_alive(*cell, &nodes)?;
                let (next, died) = klist::next(self.bytes(*cell), *current).ok_or(Bound::Cell(*cell))?;
                return Ok(Obs::Iter(*cell, next, died));
            }
            Action::KlistExit(cell, current) => {
                self.alive(*cell)?;
                if let Some(node) = *current {
                    let mut nodes = klist::neighbours_of_last_drop(self.bytes(*cell), node);
                    nodes.push(node);
                    self.nodes_alive(*cell, &nodes)?;
                }
                let died = current.is_some_and(|node| klist::exit(self.bytes(*cell), node));
                return Ok(Obs::Iter(*cell, None, died));
            }
            Action::KlistDel(cell, member) => {
                self.alive(*cell)?;
                let mut nodes = klist::neighbours_of_last_drop(self.bytes(*cell), member.index);
                nodes.push(member.index);
                self.nodes_alive(*cell, &nodes)?;
                return Ok(Obs::Bool(klist::del(self.bytes(*cell), member.index).unwrap_or(false)));
            }
            Action::KlistLast(cell, field) => {
                self.alive(*cell)?;
                let last = klist::members(self.read(*cell)).last().copied();
                self.nodes_alive(*cell, last.as_slice())?;
                let last = self.member(*cell, last);
                if let Obs::Id(object) = last {
                    self.get(object, *field)?;
                }
                return Ok(last);
            }
            Action::KlistFind(cell, object, field) => {
                self.alive(*cell)?;
                let there = klist::contains(self.read(*cell), object.index);
                if there {
                    self.nodes_alive(*cell, &[object.index])?;
                    self.get(*object, *field)?;
                }
                return Ok(Obs::Bool(there));
            }
            Action::KlistPeek(cell) => {
                self.alive(*cell)?;
                let last = klist::last(self.read(*cell));
                self.nodes_alive(*cell, last.as_slice())?;
                return Ok(self.member(*cell, last));
            }
            Action::KlistHas(cell, member) => {
                self.alive(*cell)?;
                return Ok(Obs::Bool(klist::linked(self.read(*cell), member.index)));
            }
            Action::AsyncSchedule { lists, domain, entry, mark } => {
                let entries = &mut self.used(*lists)?[usize::from(*domain)];
                *entries = entries.checked_add(1).ok_or(Bound::Cell(*lists))?;
                self.spawned = Some(entry.clone());
                // The byte of the task that is started, which nobody else knows yet.
                mark.iter().for_each(|mark| self.check(*mark, Byte::Own));
                self.marked = *mark;
            }
            Action::AsyncEnd(lists, domain) => {
                let entries = &mut self.used(*lists)?[usize::from(*domain)];
                *entries = entries.checked_sub(1).expect("internal: an entry ends that is on the lists");
                self.ended = true;
            }
            Action::Spawn(cell, entry) => {
                *self.variable(*cell)? = 1;
                self.spawned = Some(entry.clone());
            }
            Action::SpawnEnd(cell) => {
                *self.variable(*cell)? = 0;
                self.ended = true;
            }
            Action::QueueWork(cell) => return Ok(Obs::Bool(work::queue(self.used(*cell)?))),
            Action::DisableWork(cell, disabled) => work::disable(self.used(*cell)?, *disabled),
            Action::DequeueWork(cell) => return Ok(Obs::Bool(work::dequeue(self.used(*cell)?))),
            Action::WorkStart(cell) => work::start(self.used(*cell)?),
            // An item may be freed by its own function: its end does not touch it.
            Action::WorkEnd(cell) => work::end(self.bytes(*cell)),
            Action::FlushBegin(cell) => {
                let slot = self.slot;
                return Ok(Obs::Bool(work::flush(self.used(*cell)?, slot)));
            }
            Action::FlushRunning(cell) => {
                let slot = self.slot;
                return Ok(Obs::Bool(work::flush_running(self.used(*cell)?, slot)));
            }
            Action::CancelBegin(cell) => {
                let slot = self.slot;
                return Ok(Obs::Bool(work::cancel(self.used(*cell)?, slot)));
            }
            Action::Choose(_) => return Ok(Obs::Int(outcome)),
            Action::Sample(cell, who) => self.used(*cell)?[usize::from(*who)] = SAMPLED,
            Action::Bump(cell, unseen_by) => {
                self.alive(*cell)?;
                for who in (0..self.layout.info(*cell).range().len())
                    .filter(|who| !unseen_by.contains(&(*who as u8)))
                {
                    let sample = &mut self.bytes(*cell)[who];
                    if *sample != NONE {
                        *sample = SAMPLED + 1;
                    }
                }
            }
            Action::Net(cell, up) => {
                for sample in self.used(*cell)?.iter_mut().filter(|sample| **sample != NONE) {
                    let moved = if *up { sample.checked_add(1) } else { sample.checked_sub(1) };
                    *sample = moved.filter(|moved| *moved != NONE).ok_or(Bound::Cell(*cell))?;
                }
            }
            Action::Moved(cell, who) => {
                let sample = std::mem::replace(&mut self.used(*cell)?[usize::from(*who)], NONE);
                return Ok(Obs::Bool(sample != SAMPLED));
            }
            Action::DropSample(cell, who) => self.used(*cell)?[usize::from(*who)] = NONE,
        }
        Ok(Obs::Unit)
    }

    /// Whether an object may be used.
    fn liveness(&mut self, object: Object) -> &mut u8 {
        let liveness = self.layout.object(object).liveness;
        self.byte(liveness.expect("internal: an immortal object is made, marked or freed"))
    }

    /// This task's byte of a cell that has one for each.
    fn own(&mut self, cell: CellId) -> Result<&mut u8, Hazard> {
        self.alive(cell)?;
        self.check(cell, Byte::Own);
        let byte = self.layout.of_slot(cell, self.slot).expect("internal: a cell with a byte for each slot");
        Ok(&mut self.memory[byte])
    }

    /// Appends to a `list_head`.
    fn append(&mut self, cell: CellId, members: &[u8]) -> Result<(), Bound> {
        let list = self.bytes(cell);
        for member in members {
            list[0] += 1;
            *list.get_mut(usize::from(list[0])).ok_or(Bound::Cell(cell))? = *member;
        }
        Ok(())
    }

    fn get(&mut self, object: Object, field: Field) -> Result<(), Stop> {
        self.count_up(self.layout.find(Cell::<u8>::new(object, field)))
    }

    /// A task gives its slot back: nothing in memory may name the slot any more.
    fn leave_slot(&mut self) -> Result<(), Hazard> {
        let layout = self.layout;
        let held: Vec<CellId> = layout.locks().iter().filter(|lock| self.holds(**lock)).copied().collect();
        if !held.is_empty() {
            return self.bad(Breach::EndsHolding(held));
        }
        for cell in layout.by_slot() {
            let byte = layout.of_slot(*cell, self.slot).expect("internal: a cell with a byte for each slot");
            if matches!(layout.info(*cell).kind, Kind::PerTask(_)) {
                self.check(*cell, Byte::Own);
                self.memory[byte] = 0;
            }
            debug_assert!(self.memory[byte] == 0, "internal: a task ends that waits for a work item");
        }
        Ok(())
    }
}

fn has(list: &[u8], member: u8) -> bool {
    list[1..=usize::from(list[0])].contains(&member)
}

/// What follows a member of a list, `None` at its end; nothing if it is not on the list.
fn next(list: &[u8], member: u8) -> Option<Option<u8>> {
    let members = &list[1..=usize::from(list[0])];
    let i = members.iter().position(|other| *other == member)?;
    Some(members.get(i + 1).copied())
}

/// What stands before a member of a list, `None` at its beginning; nothing if it is not on the list.
fn previous(list: &[u8], member: u8) -> Option<Option<u8>> {
    let members = &list[1..=usize::from(list[0])];
    let i = members.iter().position(|other| *other == member)?;
    Some(i.checked_sub(1).map(|i| members[i]))
}

/// The members before and after one: taking it off the list writes into their nodes.
fn beside(list: &[u8], member: u8) -> Vec<u8> {
    let members = &list[1..=usize::from(list[0])];
    let near = members.windows(2).filter(|two| two.contains(&member)).flatten();
    near.copied().filter(|other| *other != member).collect()
}

/// Removes a member from a list; false if it is not on it.
fn take(list: &mut [u8], member: u8) -> bool {
    let len = usize::from(list[0]);
    let Some(i) = list[1..=len].iter().position(|other| *other == member) else {
        return false;
    };
    list.copy_within(2 + i..=len, 1 + i);
    list[len] = 0;
    list[0] -= 1;
    true
}
