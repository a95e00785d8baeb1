//! The effect of a step: a total function of its footprint's cells.

use super::hazard::{About, Hazard, id};
use super::klist;
use super::layout::{ABSENT, ALIVE, Cell, CellId, FREED, Field, Kind, Layout, RETIRED};
use super::op::{Action, Entry, Op};
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
/// The hazard that the step is. Memory is then to be thrown away.
pub fn apply(
    layout: &Layout,
    memory: &mut [u8],
    slot: usize,
    op: &Op,
    outcome: u8,
) -> Result<Applied, Hazard> {
    let mut machine = Machine { layout, memory, slot, spawned: None, marked: None, ended: false };
    if let Some(lock) = op.under {
        machine.alive(lock)?;
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

struct Machine<'a> {
    layout: &'a Layout,
    memory: &'a mut [u8],
    slot: usize,
    spawned: Option<Entry>,
    marked: Option<CellId>,
    ended: bool,
}

/// A spawned task is in its slot: its flag is set in the cell that its creator named.
pub fn occupy(layout: &Layout, memory: &mut [u8], slot: usize, marked: Option<CellId>) {
    if let Some(cell) = marked {
        memory[layout.info(cell).range()][slot] = 1;
    }
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

impl Machine<'_> {
    fn byte(&mut self, cell: CellId) -> &mut u8 {
        &mut self.memory[self.layout.info(cell).offset]
    }

    fn bytes(&mut self, cell: CellId) -> &mut [u8] {
        &mut self.memory[self.layout.info(cell).range()]
    }

    fn name(&self, cell: CellId) -> &str {
        &self.layout.info(cell).name
    }

    /// The object of a cell must be alive.
    fn alive(&mut self, cell: CellId) -> Result<(), Hazard> {
        let object = self.layout.info(cell).object;
        if self.layout.info(cell).liveness.is_some() { self.usable(object) } else { Ok(()) }
    }

    fn usable(&mut self, object: Object) -> Result<(), Hazard> {
        let Some(liveness) = self.layout.object(object).liveness else {
            return Ok(());
        };
        match *self.byte(liveness) {
            ALIVE => Ok(()),
            ABSENT => {
                let text = format!("{} is used before it is allocated", self.layout.object(object).name);
                Err(Hazard::new(id::NULL_DEREFERENCE, About::Object(object), text))
            }
            state => Err(Hazard::stale(self.layout, object, state == FREED)),
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
        let info = self.layout.object(object);
        let liveness = info.liveness.expect("internal: an immortal object is freed");
        if *self.byte(liveness) == FREED {
            let text = format!("{} is freed twice", info.name);
            return Err(Hazard::new(id::DOUBLE_FREE, About::Object(object), text));
        }
        *self.byte(liveness) = FREED;
        self.reset(object);
        Ok(())
    }

    /// The objects that hold the nodes of a klist that an operation touches must be alive.
    fn nodes_alive(&mut self, cell: CellId, nodes: &[u8]) -> Result<(), Hazard> {
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

    fn count_down(&mut self, cell: CellId) -> Result<bool, Hazard> {
        if *self.byte(cell) == 0 {
            let text = format!("{} drops below zero", self.name(cell));
            return Err(Hazard::new(id::REFCOUNT_UNDERFLOW, About::Cell(cell), text));
        }
        *self.byte(cell) -= 1;
        Ok(*self.byte(cell) == 0)
    }

    fn unlock(&mut self, cell: CellId) -> Result<(), Hazard> {
        let owner = *self.byte(cell);
        if usize::from(owner) != self.slot + 1 {
            let text = format!("{} is unlocked by a task that does not hold it", self.name(cell));
            return Err(Hazard::new(id::UNLOCK_IMBALANCE, About::Cell(cell), text));
        }
        *self.byte(cell) = 0;
        Ok(())
    }

    fn lock(&mut self, cell: CellId) -> Result<(), Hazard> {
        if *self.byte(cell) != 0 {
            let text = format!("a task that holds {} locks it again and waits for itself", self.name(cell));
            return Err(Hazard::new(id::DEADLOCK, About::Cell(cell), text));
        }
        *self.byte(cell) = u8::try_from(self.slot + 1).expect("internal: too many slots");
        Ok(())
    }

    /// One action. What it reads and writes is in [`Op::footprint`].
    fn act(&mut self, action: &Action, outcome: u8) -> Result<Obs, Hazard> {
        match action {
            Action::Touch(object) => self.usable(*object)?,
            Action::Alloc(object) => {
                let liveness = self.layout.object(*object).liveness.expect("internal: an immortal object");
                *self.byte(liveness) = ALIVE;
            }
            Action::Free(object) => self.free(*object)?,
            Action::Retire(object) => {
                let liveness = self.layout.object(*object).liveness.expect("internal: an immortal object");
                if *self.byte(liveness) == ALIVE {
                    *self.byte(liveness) = RETIRED;
                }
            }
            Action::Revive(object) => {
                let liveness = self.layout.object(*object).liveness.expect("internal: an immortal object");
                if *self.byte(liveness) == RETIRED {
                    *self.byte(liveness) = ALIVE;
                }
                self.usable(*object)?;
            }
            Action::Hold(cell) => return Ok(Obs::Holds(*cell)),
            Action::Release(cell) => return Ok(Obs::Released(*cell)),
            Action::Choose(_) => return Ok(Obs::Int(outcome)),
            Action::Load(cell)
            | Action::Follow(cell)
            | Action::Store(cell, _)
            | Action::Lock(cell)
            | Action::TryLock(cell)
            | Action::Unlock(cell)
            | Action::Get(cell)
            | Action::Put(cell)
            | Action::Dec(cell)
            | Action::Swap(cell, ..)
            | Action::SetOwn(cell, _)
            | Action::TestOwn(cell)
            | Action::AwaitZero(cell)
            | Action::AwaitNot(cell, _)
            | Action::Claim(cell)
            | Action::AwaitEnded(cell, _)
            | Action::Spawn(cell, _)
            | Action::SpawnEnd(cell) => {
                self.alive(*cell)?;
                return self.act_on_value(*cell, action);
            }
            Action::EnterIf(flag, count) => {
                self.alive(*flag)?;
                self.alive(*count)?;
                if *self.byte(*flag) == 0 {
                    return Ok(Obs::None);
                }
                *self.byte(*count) += 1;
                return Ok(Obs::Holds(*count));
            }
            Action::ListAdd { list: cell, .. }
            | Action::ListDel(cell, ..)
            | Action::ListPop(cell)
            | Action::ListEmpty(cell)
            | Action::ListSplice(cell, _) => {
                self.alive(*cell)?;
                return Ok(self.act_on_list(*cell, action));
            }
            Action::KlistAdd(cell, _)
            | Action::KlistNext(cell, _)
            | Action::KlistExit(cell, _)
            | Action::KlistDel(cell, _)
            | Action::KlistAwait(cell, _)
            | Action::KlistFind(cell, ..)
            | Action::KlistLast(cell, _) => {
                self.alive(*cell)?;
                return self.act_on_klist(*cell, action);
            }
            Action::AsyncSchedule { lists: cell, .. }
            | Action::AsyncEnd(cell, _)
            | Action::AsyncAwait(cell, _) => {
                self.alive(*cell)?;
                self.act_on_async(*cell, action);
            }
            Action::QueueWork(cell)
            | Action::WorkStart(cell)
            | Action::WorkEnd(cell)
            | Action::FlushBegin(cell)
            | Action::CancelBegin(cell)
            | Action::FlushAwait(cell) => {
                // An item may be freed by its own function: its end does not touch it.
                if !matches!(action, Action::WorkEnd(_)) {
                    self.alive(*cell)?;
                }
                return Ok(self.act_on_work(*cell, action));
            }
            Action::Sample(cell, _)
            | Action::Bump(cell, _)
            | Action::Net(cell, _)
            | Action::Moved(cell, _)
            | Action::DropSample(cell, _) => {
                self.alive(*cell)?;
                return Ok(self.act_on_generation(*cell, action));
            }
        }
        Ok(Obs::Unit)
    }

    /// A task gives its slot back: nothing in memory may name the slot any more. What names it is
    /// changed by this task alone, so it is not in the footprint.
    fn leave_slot(&mut self) -> Result<(), Hazard> {
        let owner = self.slot + 1;
        let held = |lock: &&CellId| usize::from(self.memory[self.layout.info(**lock).offset]) == owner;
        let held: Vec<CellId> = self.layout.locks().iter().filter(held).copied().collect();
        if !held.is_empty() {
            // Of several none is the one that it is about.
            let about = if let [lock] = held[..] { About::Cell(lock) } else { About::Program };
            let names: Vec<&str> = held.iter().map(|lock| self.name(*lock)).collect();
            let text = format!("a task ends while it holds {}", names.join(" and "));
            return Err(Hazard::new(id::UNLOCK_IMBALANCE, about, text));
        }
        for cell in self.layout.by_slot() {
            if let Some(byte) = self.layout.of_slot(*cell, self.slot) {
                self.memory[byte] = 0;
            }
        }
        Ok(())
    }

    fn act_on_value(&mut self, cell: CellId, action: &Action) -> Result<Obs, Hazard> {
        match action {
            Action::Load(_) => {
                let byte = *self.byte(cell);
                return Ok(self.layout.decode(cell, byte));
            }
            Action::Follow(_) => {
                let byte = *self.byte(cell);
                if byte == 0 {
                    let text = format!("{} is NULL and is dereferenced", self.name(cell));
                    return Err(Hazard::new(id::NULL_DEREFERENCE, About::Cell(cell), text));
                }
                return Ok(self.layout.decode(cell, byte));
            }
            Action::Store(_, value) => *self.byte(cell) = self.layout.encode(cell, *value),
            Action::Lock(_) => self.lock(cell)?,
            Action::TryLock(_) => {
                let free = *self.byte(cell) == 0;
                if free {
                    self.lock(cell)?;
                }
                return Ok(Obs::Bool(free));
            }
            Action::Unlock(_) => self.unlock(cell)?,
            Action::Get(_) => *self.byte(cell) += 1,
            Action::Put(_) => {
                let last = self.count_down(cell)?;
                let object = self.layout.info(cell).object;
                if last && self.layout.object(object).liveness.is_some() {
                    self.free(object)?;
                }
                return Ok(Obs::Bool(last));
            }
            Action::Dec(_) => return self.count_down(cell).map(Obs::Bool),
            Action::Swap(_, from, to) => {
                let before = *self.byte(cell);
                if before == self.layout.encode(cell, *from) {
                    *self.byte(cell) = self.layout.encode(cell, *to);
                    return Ok(Obs::Holds(cell));
                }
                return Ok(self.layout.decode(cell, before));
            }
            Action::SetOwn(_, flag) => {
                let slot = self.slot;
                self.bytes(cell)[slot] = u8::from(*flag);
            }
            Action::TestOwn(_) => {
                let slot = self.slot;
                return Ok(Obs::Bool(self.bytes(cell)[slot] != 0));
            }
            Action::Claim(_) | Action::SpawnEnd(_) => {
                *self.byte(cell) = 0;
                self.ended = matches!(action, Action::SpawnEnd(_));
            }
            Action::Spawn(_, entry) => {
                *self.byte(cell) = 1;
                self.spawned = Some(entry.clone());
            }
            _ => {}
        }
        Ok(Obs::Unit)
    }

    fn act_on_list(&mut self, cell: CellId, action: &Action) -> Obs {
        match action {
            Action::ListAdd { unless_on, member, .. } => {
                let there = has(self.bytes(cell), member.index) || has(self.bytes(*unless_on), member.index);
                if !there {
                    let list = self.bytes(cell);
                    list[0] += 1;
                    list[usize::from(list[0])] = member.index;
                }
                Obs::Bool(!there)
            }
            Action::ListDel(_, other, member) => {
                let first = take(self.bytes(cell), member.index);
                Obs::Bool(take(self.bytes(*other), member.index) || first)
            }
            Action::ListPop(_) => {
                let list = self.bytes(cell);
                let first = (list[0] > 0).then(|| list[1]);
                if let Some(first) = first {
                    take(list, first);
                }
                self.member(cell, first)
            }
            Action::ListEmpty(_) => Obs::Bool(self.bytes(cell)[0] == 0),
            Action::ListSplice(_, to) => {
                let from = self.bytes(cell).to_vec();
                self.bytes(cell).fill(0);
                let to = self.bytes(*to);
                for member in &from[1..=usize::from(from[0])] {
                    to[0] += 1;
                    to[usize::from(to[0])] = *member;
                }
                Obs::Unit
            }
            _ => unreachable!("internal: no list action"),
        }
    }

    fn act_on_klist(&mut self, cell: CellId, action: &Action) -> Result<Obs, Hazard> {
        match action {
            Action::KlistAdd(_, member) => {
                self.nodes_alive(cell, &[member.index])?;
                if !klist::add(self.bytes(cell), member.index) {
                    let text = format!(
                        "{} is added to {} and is still linked",
                        self.layout.object(*member).name,
                        self.name(cell)
                    );
                    return Err(Hazard::new("double-operation", About::Object(*member), text));
                }
            }
            Action::KlistNext(_, current) => {
                let mut nodes = klist::passed(self.bytes(cell), *current);
                nodes.extend(current);
                self.nodes_alive(cell, &nodes)?;
                let (next, died) = klist::next(self.bytes(cell), *current);
                return Ok(Obs::Iter(cell, next, died));
            }
            Action::KlistExit(_, current) => {
                self.nodes_alive(cell, current.as_slice())?;
                let died = klist::exit(self.bytes(cell), *current);
                return Ok(Obs::Iter(cell, None, died));
            }
            Action::KlistDel(_, member) => {
                self.nodes_alive(cell, &[member.index])?;
                return Ok(Obs::Bool(klist::del(self.bytes(cell), member.index).unwrap_or(false)));
            }
            Action::KlistLast(_, field) => {
                let last = klist::members(self.bytes(cell)).last().copied();
                self.nodes_alive(cell, last.as_slice())?;
                let last = self.member(cell, last);
                if let Obs::Id(object) = last {
                    self.get(object, *field)?;
                }
                return Ok(last);
            }
            Action::KlistFind(_, object, field) => {
                let there = klist::contains(self.bytes(cell), object.index);
                if there {
                    self.nodes_alive(cell, &[object.index])?;
                    self.get(*object, *field)?;
                }
                return Ok(Obs::Bool(there));
            }
            _ => {}
        }
        Ok(Obs::Unit)
    }

    fn get(&mut self, object: Object, field: Field) -> Result<(), Hazard> {
        let count = self.layout.find(Cell::<u8>::new(object, field));
        self.alive(count)?;
        *self.byte(count) += 1;
        Ok(())
    }

    fn act_on_async(&mut self, cell: CellId, action: &Action) {
        match action {
            Action::AsyncSchedule { domain, entry, mark, .. } => {
                self.bytes(cell)[usize::from(*domain)] += 1;
                self.spawned = Some(entry.clone());
                self.marked = *mark;
            }
            Action::AsyncEnd(_, domain) => {
                self.bytes(cell)[usize::from(*domain)] -= 1;
                self.ended = true;
            }
            _ => {}
        }
    }

    fn act_on_work(&mut self, cell: CellId, action: &Action) -> Obs {
        let slot = self.slot;
        let item = self.bytes(cell);
        match action {
            Action::QueueWork(_) => return Obs::Bool(work::queue(item)),
            Action::WorkStart(_) => work::start(item),
            Action::WorkEnd(_) => work::end(item),
            Action::FlushBegin(_) => return Obs::Bool(work::flush(item, slot)),
            Action::CancelBegin(_) => return Obs::Bool(work::cancel(item, slot)),
            _ => {}
        }
        Obs::Unit
    }

    fn act_on_generation(&mut self, cell: CellId, action: &Action) -> Obs {
        // What a sampler sees: nothing, or the difference since its sample.
        const NONE: u8 = 0;
        const SAMPLED: u8 = 128;
        let samples = self.bytes(cell);
        let taken = |sample: &&mut u8| **sample != NONE;
        match action {
            Action::Sample(_, who) => samples[usize::from(*who)] = SAMPLED,
            Action::Bump(_, unseen_by) => {
                let seen = |who: &usize| !unseen_by.contains(&(*who as u8));
                let all = samples.iter_mut().enumerate().filter(|(who, _)| seen(who));
                all.map(|(_, sample)| sample).filter(taken).for_each(|sample| *sample = SAMPLED + 1);
            }
            Action::Net(_, up) => {
                let step = |sample: &mut u8| *sample = if *up { *sample + 1 } else { *sample - 1 };
                samples.iter_mut().filter(taken).for_each(step);
            }
            Action::Moved(_, who) => {
                let sample = std::mem::replace(&mut samples[usize::from(*who)], NONE);
                return Obs::Bool(sample != SAMPLED);
            }
            Action::DropSample(_, who) => samples[usize::from(*who)] = NONE,
            _ => {}
        }
        Obs::Unit
    }
}

fn has(list: &[u8], member: u8) -> bool {
    list[1..=usize::from(list[0])].contains(&member)
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
