//! From the machine's numbers to names: calls, values, steps and waits as a story has them.

use super::teller::Teller;
use super::told::{Call, Does, Life, Member, Note, Saw, Value, WaitFor};
use crate::machine::blocked::{BlockedOn, blocked_on};
use crate::machine::hazard::About;
use crate::machine::history::History;
use crate::machine::layout::{ABSENT, ALIVE, CellId, FREED, Kind, Layout, Says};
use crate::machine::op::{Action, Entry, Op};
use crate::machine::program::{self, Meaning, Program};
use crate::machine::value::{Object, Obs};
use crate::machine::{klist, work};

impl<P: Program> Teller<'_, P> {
    pub(super) fn call(&self, call: &program::Call) -> Call {
        Call {
            name: call.name.to_owned(),
            args: call.args.iter().map(|arg| self.value(*arg)).collect(),
            note: self.program.call_note(call),
        }
    }

    pub(super) fn stack(&self, control: &History) -> Vec<Call> {
        self.program.stack(control).iter().map(|call| self.call(call)).collect()
    }

    /// What an entry runs, as a call.
    fn entered(&self, entry: &Entry) -> Call {
        let stack = self.program.stack(&self.program.start(entry).0);
        let role = || Call { name: self.program.role(entry), args: Vec::new(), note: None };
        stack.first().map_or_else(role, |call| self.call(call))
    }

    fn value(&self, value: Obs) -> Value {
        match value {
            Obs::None => Value::Null,
            Obs::Bool(value) => Value::Bool(value),
            Obs::Int(value) => Value::Number(u32::from(value)),
            Obs::Id(object) => Value::Object(self.program.object_name(object)),
            Obs::Word(word) => Value::Name(word.0.to_owned()),
            Obs::Unit | Obs::Some | Obs::Ok | Obs::Err | Obs::Iter(..) | Obs::Holds(_) | Obs::Released(_) => {
                Value::Nothing
            }
        }
    }

    /// A value in a cell.
    fn value_in(&self, cell: CellId, value: Obs) -> Value {
        let number = match value {
            Obs::Int(number) => number,
            Obs::Bool(value) => u8::from(value),
            _ => return self.value(value),
        };
        match (self.program.meaning(cell, number), self.program.layout().info(cell).says) {
            (Some(Meaning::Null), _) => Value::Null,
            (Some(Meaning::Object(object)), _) => Value::Object(self.program.object_name(object)),
            (Some(Meaning::Name(name)), _) => Value::Name(name.to_owned()),
            (None, Says::References) => Value::References(number),
            (None, Says::Value | Says::Statement) => self.value(value),
        }
    }

    pub(super) fn observed(&self, op: &Op, observed: Obs) -> Option<Saw> {
        match (op.actions.last()?, observed) {
            (Action::Store(..) | Action::Dec(_) | Action::Put(_) | Action::DropSample(..), _) => None,
            (Action::KlistNext(klist, _), Obs::Iter(_, node, _)) => Some(match node {
                Some(node) => Saw::Value(Value::Object(self.member(*klist, node))),
                None => Saw::EndOfList,
            }),
            (_, Obs::Unit | Obs::Iter(..) | Obs::Holds(_) | Obs::Released(_)) => None,
            _ if self.main(op, None).is_some_and(|main| matches!(main, Action::Store(..))) => None,
            // Who ends a run and queues the item again does not look whether it could.
            (Action::QueueWork(_), _) if matches!(op.actions[0], Action::WorkEnd(_)) => None,
            (Action::QueueWork(_), Obs::Bool(queued)) => (!queued).then_some(Saw::QueuedAlready),
            (Action::AllocFirst(those), Obs::Id(object)) => {
                (those.first() != Some(&object)).then(|| Saw::Value(self.value(observed)))
            }
            (Action::DequeueWork(_) | Action::CancelBegin(_), _) => None,
            (Action::FlushBegin(_) | Action::FlushRunning(_), Obs::Bool(runs)) => {
                (!runs).then_some(Saw::NothingToWaitFor)
            }
            (Action::ListDel(..), Obs::Bool(was)) => (!was).then_some(Saw::NotThere),
            (Action::ListAdd { .. }, Obs::Bool(added)) => (!added).then_some(Saw::OnListAlready),
            (Action::ListPop(_), Obs::None) => Some(Saw::Empty),
            (Action::EnterIf(..), Obs::None) => Some(Saw::No),
            (Action::Moved(..), Obs::Bool(moved)) => Some(Saw::Moved(moved)),
            (Action::Load(cell) | Action::Follow(cell) | Action::Swap(cell, ..), observed) => {
                let value = self.value_in(*cell, observed);
                Some(match self.main(op, None) {
                    Some(Action::Lock(_)) => {
                        Saw::Besides(self.program.layout().info(*cell).name.clone(), value)
                    }
                    _ => Saw::Value(value),
                })
            }
            (_, observed) => Some(Saw::Value(self.value(observed))),
        }
    }

    fn member(&self, list: CellId, index: u8) -> String {
        match self.program.layout().info(list).kind {
            Kind::Klist(sort, _) | Kind::List(sort, _) => self.program.object_name(Object { sort, index }),
            _ => unreachable!("internal: no list"),
        }
    }

    /// The value of a cell.
    pub(super) fn cell(&self, cell: CellId, bytes: &[u8]) -> Value {
        let layout = self.program.layout();
        let member = |index, dead| Member { name: self.member(cell, index), dead };
        match &layout.info(cell).kind {
            Kind::Bool | Kind::Int | Kind::Count | Kind::Pointer(_) => {
                self.value_in(cell, layout.decode(cell, bytes[0]))
            }
            Kind::Lock => Value::Bool(bytes[0] != 0),
            Kind::Liveness => Value::Life(match bytes[0] {
                ABSENT => Life::Absent,
                ALIVE => Life::Alive,
                FREED => Life::Freed,
                _ => Life::Retired,
            }),
            Kind::List(..) => {
                let members = &bytes[1..=usize::from(bytes[0])];
                Value::Members(members.iter().map(|index| member(*index, false)).collect())
            }
            Kind::Klist(..) => {
                Value::Members(klist::nodes(bytes).map(|(index, dead)| member(index, dead)).collect())
            }
            Kind::Work(_) => {
                Value::Work { pending: bytes[0] & work::PENDING != 0, running: bytes[0] & work::RUNNING != 0 }
            }
            Kind::Async(_) => Value::Number(bytes.iter().map(|n| u32::from(*n)).sum()),
            Kind::Generation(..) | Kind::PerTask(_) => Value::Nothing,
        }
    }

    /// The action that a step is there for.
    fn main<'o>(&self, op: &'o Op, about: Option<About>) -> Option<&'o Action> {
        let layout = self.program.layout();
        let plain = op.actions.iter().find(|action| !aside(layout, action));
        let bad = about.and_then(|about| op.actions.iter().find(|action| concerns(layout, action, about)));
        match plain {
            Some(action) if about.is_some_and(|about| concerns(layout, action, about)) => plain,
            _ => bad.or(plain),
        }
    }

    /// The mutex that a step is wholly under.
    pub(super) fn under(&self, op: &Op) -> Option<String> {
        op.under.map(|lock| self.program.layout().info(lock).name.clone())
    }

    /// What a step does: its main action; `None` for a choice and for mere book-keeping of which the note
    /// says more. Of a step that goes wrong, the main action is the one on what it is about.
    pub(super) fn does(&self, op: &Op, noted: bool, about: Option<About>) -> Option<Does> {
        match self.main(op, about) {
            Some(Action::Choose(_)) | None if noted => None,
            Some(main) => Some(self.action(main)),
            None => Some(self.book_keeping(op)),
        }
    }

    /// What a step means to the program.
    pub(super) fn note(&self, stack: &[program::Call], op: &Op, observed: Option<Obs>) -> Option<Note> {
        let text = self.program.note(stack, op, observed)?;
        let args = op.event.iter().flat_map(|event| event.args);
        let object =
            |arg| if let Obs::Id(object) = arg { Some(self.program.object_name(object)) } else { None };
        Some(Note { text, objects: args.filter_map(object).collect() })
    }

    /// A step that does nothing but check and keep books, by the flag that it sets, if it sets one.
    fn book_keeping(&self, op: &Op) -> Does {
        let layout = self.program.layout();
        let sets = |action: &Action| match action {
            Action::Store(cell, Obs::Bool(true)) => {
                let info = layout.info(*cell);
                Some(match info.says {
                    Says::Statement => Does::Establish(info.name.clone()),
                    Says::Value | Says::References => Does::Write(info.name.clone(), Value::Bool(true)),
                })
            }
            _ => None,
        };
        op.actions.iter().find_map(sets).unwrap_or_else(|| self.action(&op.actions[0]))
    }

    fn action(&self, action: &Action) -> Does {
        let layout = self.program.layout();
        let name = |cell: &CellId| layout.info(*cell).name.clone();
        let object = |object: &Object| self.program.object_name(*object);
        let references = |cell: &CellId| layout.info(*cell).says == Says::References;
        let at = |node: &Option<u8>, klist: &CellId| node.map(|node| self.member(*klist, node));
        match action {
            Action::Load(cell) | Action::Follow(cell) | Action::TestOwn(cell) => Does::Read(name(cell)),
            Action::Store(cell, value) => Does::Write(name(cell), self.value_in(*cell, *value)),
            Action::SetOwn(cell, value) => Does::Write(name(cell), Value::Bool(*value)),
            Action::Swap(cell, from, to) => {
                Does::WriteIf(name(cell), self.value_in(*cell, *from), self.value_in(*cell, *to))
            }
            Action::Touch(of) | Action::Revive(of) => Does::Use(object(of)),
            Action::Alloc(of) => Does::Allocate(object(of)),
            Action::AllocFirst(all) => Does::Allocate(all.first().map(object).unwrap_or_default()),
            Action::Free(of) => Does::Free(object(of)),
            Action::Retire(of) => Does::Retire(object(of)),
            Action::Lock(cell) => Does::Lock(name(cell)),
            Action::TryLock(cell) => Does::TryLock(name(cell)),
            Action::Unlock(cell) => Does::Unlock(name(cell)),
            Action::Get(cell) if references(cell) => Does::Get(name(cell)),
            Action::Get(cell) | Action::Bump(cell, _) | Action::Net(cell, true) => {
                Does::Increment(name(cell))
            }
            Action::Put(cell) | Action::Dec(cell) if references(cell) => Does::Put(name(cell)),
            Action::Put(cell) | Action::Dec(cell) | Action::Net(cell, false) => Does::Decrement(name(cell)),
            Action::Hold(cell) | Action::Release(cell) => Does::Hold(name(cell)),
            Action::EnterIf(flag, _) => Does::Enter(name(flag)),
            Action::AwaitZero(cell) => Does::Wait(WaitFor::Zero(name(cell))),
            Action::AwaitNot(cell, value) => {
                Does::Wait(WaitFor::Not(name(cell), self.value_in(*cell, *value)))
            }
            Action::AwaitAny(all) => {
                let one = |(cell, value): &(CellId, Obs)| (name(cell), self.value_in(*cell, *value));
                Does::Wait(WaitFor::Any(all.iter().map(one).collect()))
            }
            Action::Claim(cell) => Does::Wait(WaitFor::Flag(name(cell))),
            Action::AwaitEnded(_, entry) => Does::Wait(WaitFor::End(self.program.role(entry))),
            Action::ListAdd { list, member, .. } | Action::KlistAdd(list, member) => {
                Does::Add { member: object(member), list: name(list) }
            }
            Action::ListDel(list, _, member) => Does::Remove { member: object(member), list: name(list) },
            Action::ListPop(list) => Does::Pop(name(list)),
            Action::ListFirst(list) => Does::First(name(list)),
            Action::ListNext(list, _, node) => Does::Next { list: name(list), after: at(node, list) },
            Action::ListPrev(list, _, node) => match at(node, list) {
                Some(before) => Does::Previous { list: name(list), before },
                None => Does::Peek(name(list)),
            },
            Action::ListHas(list, _, member) | Action::KlistHas(list, member) => {
                Does::Has { member: object(member), list: name(list) }
            }
            Action::KlistPeek(list) => Does::Peek(name(list)),
            Action::ListSplice(from, to) => Does::Splice { from: name(from), to: name(to) },
            Action::KlistNext(klist, node) => Does::Next { list: name(klist), after: at(node, klist) },
            Action::KlistExit(klist, node) => Does::Leave { list: name(klist), after: at(node, klist) },
            Action::KlistDel(klist, member) => Does::Delete { member: object(member), list: name(klist) },
            Action::KlistAwait(klist, member) => {
                Does::Wait(WaitFor::LetGo { member: object(member), list: name(klist) })
            }
            Action::KlistLast(klist, _) => Does::Last(name(klist)),
            Action::KlistFind(klist, member, _) => Does::Find { member: object(member), list: name(klist) },
            Action::AsyncSchedule { entry, .. } => Does::Schedule(self.entered(entry)),
            Action::AsyncEnd(..) => Does::EndEntry,
            Action::AsyncAwait(..) => Does::Wait(WaitFor::AsyncEntries),
            Action::Spawn(_, entry) => Does::Start(self.program.role(entry)),
            Action::SpawnEnd(_) => Does::EndTask,
            Action::QueueWork(cell) => Does::Queue(name(cell)),
            Action::DisableWork(cell, disabled) => Does::Disable(name(cell), *disabled),
            Action::DequeueWork(cell) => Does::Cancel(name(cell)),
            Action::WorkStart(cell) => Does::Take(name(cell)),
            Action::WorkEnd(cell) => Does::EndWork(name(cell)),
            Action::FlushBegin(cell) | Action::FlushRunning(cell) => Does::Flush(name(cell)),
            Action::CancelBegin(cell) => Does::Cancel(name(cell)),
            Action::FlushAwait(cell) => Does::Wait(WaitFor::Run(name(cell))),
            Action::Choose(_) => Does::Choose,
            Action::Sample(cell, _) => Does::Sample(name(cell)),
            Action::Moved(cell, _) => Does::Compare(name(cell)),
            Action::DropSample(cell, _) => Does::Forget(name(cell)),
        }
    }

    /// What a step that is not enabled waits for.
    pub(super) fn waits(&self, op: &Op) -> WaitFor {
        let layout = self.program.layout();
        let name = |cell: CellId| layout.info(cell).name.clone();
        match blocked_on(op) {
            BlockedOn::Lock(cell) => WaitFor::Lock(name(cell)),
            BlockedOn::Value(_) | BlockedOn::Node(..) | BlockedOn::Async(_) | BlockedOn::Run(_) => {
                match self.action(&op.actions[0]) {
                    Does::Wait(wait) => wait,
                    Does::Take(work) => WaitFor::Run(work),
                    other => unreachable!("internal: {other:?} never waits"),
                }
            }
            BlockedOn::Ended(entry) => WaitFor::End(self.program.role(&entry)),
        }
    }
}

/// What a step does, for whoever has no story to tell, and the mutex that it is wholly under.
#[must_use]
pub fn op_does<P: Program>(program: &P, op: &Op) -> (Does, Option<String>) {
    let teller = Teller::new(program, false);
    let does = teller.does(op, false, None);
    (does.expect("internal: only a note stands for a step"), teller.under(op))
}

/// What a step does by the way: checks and book-keeping beside its main action.
fn aside(layout: &Layout, action: &Action) -> bool {
    let ghost = |cell: &CellId| layout.info(*cell).ghost;
    if let Action::Store(cell, _) | Action::Get(cell) | Action::Dec(cell) = action
        && ghost(cell)
    {
        return true;
    }
    matches!(
        action,
        Action::Touch(_)
            | Action::Revive(_)
            | Action::Follow(_)
            | Action::Hold(_)
            | Action::Release(_)
            | Action::SetOwn(..)
            | Action::DropSample(..)
    )
}

/// Whether an action touches what a hazard is about.
fn concerns(layout: &Layout, action: &Action, about: About) -> bool {
    let footprint = Op::from(action.clone()).footprint(layout);
    footprint.into_iter().any(|(cell, _)| match about {
        About::Object(object) => layout.info(cell).object == object,
        About::Cell(about) => cell == about,
        About::Pair(..) | About::Program => false,
    })
}
