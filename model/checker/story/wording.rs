//! Calls, values, steps and waits in words.

use super::show::Teller;
use crate::machine::blocked::{BlockedOn, blocked_on};
use crate::machine::hazard::About;
use crate::machine::layout::{ABSENT, ALIVE, CellId, FREED, Kind, Layout};
use crate::machine::op::{Action, Entry, Op};
use crate::machine::program::{Call, Program};
use crate::machine::value::{Object, Obs};
use crate::machine::{klist, work};

impl<P: Program> Teller<'_, P> {
    pub(super) fn call(&self, call: &Call) -> String {
        let args: Vec<String> = call.args.iter().map(|arg| self.value(*arg)).collect();
        let note = self.program.call_note(call).map_or(String::new(), |note| format!(" /* {note} */"));
        format!("{}({}){note}", call.name, args.join(", "))
    }

    /// What an entry runs, as a call.
    fn entered(&self, entry: &Entry) -> String {
        let stack = self.program.stack(&self.program.start(entry));
        stack.first().map_or_else(|| self.program.role(entry), |call| self.call(call))
    }

    pub(super) fn value(&self, value: Obs) -> String {
        match value {
            Obs::None => "NULL".to_owned(),
            Obs::Bool(value) => value.to_string(),
            Obs::Int(value) => value.to_string(),
            Obs::Id(object) => self.program.object_name(object),
            Obs::Word(word) => word.0.to_owned(),
            _ => String::new(),
        }
    }

    /// A value in a cell.
    fn value_in(&self, cell: CellId, value: Obs) -> String {
        let number = match value {
            Obs::Int(number) => Some(number),
            Obs::Bool(value) => Some(u8::from(value)),
            _ => None,
        };
        let name = number.and_then(|number| self.program.number_name(cell, number));
        name.unwrap_or_else(|| self.value(value))
    }

    pub(super) fn observed(&self, op: &Op, observed: Obs) -> Option<String> {
        match (op.actions.last()?, observed) {
            (Action::Store(..) | Action::Dec(_) | Action::Put(_) | Action::DropSample(..), _) => None,
            (Action::KlistNext(klist, _), Obs::Iter(_, node, _)) => {
                Some(node.map_or("end of list".to_owned(), |node| self.member(*klist, node)))
            }
            (_, Obs::Unit | Obs::Iter(..) | Obs::Holds(_) | Obs::Released(_)) => None,
            _ if self.main(op, None).is_some_and(|main| matches!(main, Action::Store(..))) => None,
            (Action::QueueWork(_), Obs::Bool(queued)) => {
                (!queued).then(|| "it is on the queue already".to_owned())
            }
            (Action::FlushBegin(_), Obs::Bool(runs)) => {
                (!runs).then(|| "there is nothing to wait for".to_owned())
            }
            (Action::ListDel(..), Obs::Bool(was)) => (!was).then(|| "it is not there".to_owned()),
            (Action::ListAdd { .. }, Obs::Bool(added)) => {
                (!added).then(|| "it is on a list already".to_owned())
            }
            (Action::ListPop(_), Obs::None) => Some("it is empty".to_owned()),
            (Action::EnterIf(..), Obs::None) => Some("no".to_owned()),
            (Action::Moved(..), Obs::Bool(moved)) => {
                Some(if moved { "it has moved" } else { "unchanged" }.to_owned())
            }
            (Action::Load(cell) | Action::Swap(cell, ..), observed) => Some(self.value_in(*cell, observed)),
            (_, observed) => Some(self.value(observed)),
        }
    }

    pub(super) fn member(&self, list: CellId, index: u8) -> String {
        match self.program.layout().info(list).kind {
            Kind::Klist(sort, _) | Kind::List(sort, _) => self.program.object_name(Object { sort, index }),
            _ => unreachable!("internal: no list"),
        }
    }

    /// The value of a cell in words.
    pub(super) fn cell(&self, cell: CellId, bytes: &[u8]) -> String {
        let layout = self.program.layout();
        match &layout.info(cell).kind {
            Kind::Bool | Kind::Int | Kind::Count | Kind::Pointer(_) => {
                self.value_in(cell, layout.decode(cell, bytes[0]))
            }
            Kind::Lock => (if bytes[0] == 0 { "free" } else { "held" }).to_owned(),
            Kind::Liveness => {
                let word = match bytes[0] {
                    ABSENT => "absent",
                    ALIVE => "alive",
                    FREED => "freed",
                    _ => "unregistered",
                };
                word.to_owned()
            }
            Kind::List(..) => {
                let names = bytes[1..=usize::from(bytes[0])].iter().map(|member| self.member(cell, *member));
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Kind::Klist(..) => format!("[{}]", klist::show(bytes, |member| self.member(cell, member))),
            Kind::Work(_) => work::show(bytes).to_owned(),
            Kind::Async(_) => bytes.iter().map(|n| u32::from(*n)).sum::<u32>().to_string(),
            Kind::Generation(..) | Kind::PerTask(_) => String::new(),
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

    /// A step in words: its main action, or what it means; and what it means besides. Of a step that goes
    /// wrong, the main action is the one on what it is about.
    pub(super) fn does(
        &self,
        op: &Op,
        note: Option<String>,
        about: Option<About>,
    ) -> (String, Option<String>) {
        let layout = self.program.layout();
        let main = self.main(op, about);
        let chooses = matches!(main, Some(Action::Choose(_)));
        let (text, note) = match (main, note) {
            (Some(main), note) if !chooses || note.is_none() => (self.action(layout, main), note),
            (_, Some(note)) => (note, None),
            (_, None) => (self.book_keeping(op), None),
        };
        match op.under {
            Some(lock) => (format!("{text} under {}", layout.info(lock).name), note),
            None => (text, note),
        }
    }

    /// A step that does nothing but check and keep books, by the flag that it sets, if it sets one.
    fn book_keeping(&self, op: &Op) -> String {
        let layout = self.program.layout();
        let sets = |action: &Action| match action {
            // Some flags are named by a sentence, others by what they are.
            Action::Store(cell, Obs::Bool(true)) => match layout.info(*cell).name.as_str() {
                name if name.contains(" is ") => Some(name.to_owned()),
                name => Some(format!("{name} = true")),
            },
            _ => None,
        };
        op.actions.iter().find_map(sets).unwrap_or_else(|| self.action(layout, &op.actions[0]))
    }

    pub(super) fn action(&self, layout: &Layout, action: &Action) -> String {
        let name = |cell: &CellId| layout.info(*cell).name.as_str();
        let object = |object: &Object| self.program.object_name(*object);
        let at = |node: &Option<u8>, klist: &CellId| {
            node.map_or(String::new(), |node| format!(" after {}", self.member(*klist, node)))
        };
        match action {
            Action::Load(cell) | Action::Follow(cell) => format!("read {}", name(cell)),
            Action::Store(cell, value) => format!("{} = {}", name(cell), self.value_in(*cell, *value)),
            Action::Touch(of) => format!("use {}", object(of)),
            Action::Alloc(of) => format!("allocate {}", object(of)),
            Action::Free(of) => format!("free {}", object(of)),
            Action::Retire(of) => format!("{} is unregistered", object(of)),
            Action::Revive(of) => format!("use {}", object(of)),
            Action::Lock(cell) => format!("lock {}", name(cell)),
            Action::TryLock(cell) => format!("try to lock {}", name(cell)),
            Action::Unlock(cell) => format!("unlock {}", name(cell)),
            Action::Get(cell) if name(cell).ends_with("refs") => format!("get {}", name(cell)),
            Action::Get(cell) => format!("increment {}", name(cell)),
            Action::Put(cell) | Action::Dec(cell) if name(cell).ends_with("refs") => {
                format!("put {}", name(cell))
            }
            Action::Put(cell) | Action::Dec(cell) => format!("decrement {}", name(cell)),
            Action::Hold(cell) | Action::Release(cell) => name(cell).to_owned(),
            Action::AwaitZero(cell) => format!("wait for {} to be 0", name(cell)),
            Action::AwaitNot(cell, value) => {
                format!("wait while {} is {}", name(cell), self.value_in(*cell, *value))
            }
            Action::Claim(cell) => format!("wait until {}", name(cell)),
            Action::AwaitEnded(_, entry) => format!("wait for {}", self.program.role(entry)),
            Action::ListAdd { list, member, .. } => format!("add {} to {}", object(member), name(list)),
            Action::ListDel(list, _, member) => format!("take {} off {}", object(member), name(list)),
            Action::ListPop(list) => format!("take the first of {}", name(list)),
            Action::ListFirst(list) => format!("look at the first of {}", name(list)),
            Action::ListHas(list, _, member) => {
                format!("look whether {} is on {}", object(member), name(list))
            }
            Action::ListSplice(from, to) => format!("move {} to {}", name(from), name(to)),
            Action::KlistAdd(klist, member) => format!("add {} to {}", object(member), name(klist)),
            Action::KlistNext(klist, node) => format!("next of {}{}", name(klist), at(node, klist)),
            Action::KlistExit(klist, node) => format!("leave {}{}", name(klist), at(node, klist)),
            Action::KlistDel(klist, member) => format!("delete {} from {}", object(member), name(klist)),
            Action::KlistAwait(klist, member) => {
                format!("wait for all to let go of {} in {}", object(member), name(klist))
            }
            Action::KlistLast(klist, _) => format!("last of {}", name(klist)),
            Action::KlistFind(klist, member, _) => format!("find {} in {}", object(member), name(klist)),
            Action::KlistPeek(klist) => format!("look at the last of {}", name(klist)),
            Action::KlistHas(klist, member) => {
                format!("look whether {} is on {}", object(member), name(klist))
            }
            Action::AsyncSchedule { entry, .. } => format!("schedule {}", self.entered(entry)),
            Action::AsyncEnd(..) => "the async entry ends".to_owned(),
            Action::AsyncAwait(..) => "wait for all async entries".to_owned(),
            Action::Spawn(_, entry) => format!("start {}", self.program.role(entry)),
            Action::SpawnEnd(_) => "the task ends".to_owned(),
            Action::QueueWork(cell) => format!("queue {}", name(cell)),
            Action::WorkStart(cell) => format!("take {} off the queue", name(cell)),
            Action::WorkEnd(cell) => format!("{} ends", name(cell)),
            Action::FlushBegin(cell) => format!("flush {}", name(cell)),
            Action::CancelBegin(cell) => format!("cancel {}", name(cell)),
            Action::FlushAwait(cell) => format!("wait for the run of {}", name(cell)),
            Action::Choose(_) => "one of several outcomes".to_owned(),
            Action::Sample(cell, _) => format!("sample {}", name(cell)),
            Action::Bump(cell, _) => format!("increment {}", name(cell)),
            Action::Net(cell, true) => format!("increment {}", name(cell)),
            Action::Net(cell, false) => format!("decrement {}", name(cell)),
            Action::Moved(cell, _) => format!("compare {} with the sample", name(cell)),
            Action::DropSample(cell, _) => format!("forget the sample of {}", name(cell)),
            Action::Swap(cell, from, to) => {
                let (from, to) = (self.value_in(*cell, *from), self.value_in(*cell, *to));
                format!("{} = {to} if it is {from}", name(cell))
            }
            Action::EnterIf(flag, _) => format!("look whether {} is there", name(flag)),
            Action::SetOwn(cell, value) => format!("{} = {value}", name(cell)),
            Action::TestOwn(cell) => format!("read {}", name(cell)),
        }
    }

    /// What a step that is not enabled waits for.
    pub(super) fn waits(&self, op: &Op) -> String {
        let layout = self.program.layout();
        match blocked_on(op) {
            BlockedOn::Lock(cell) => format!("lock {}", layout.info(cell).name),
            BlockedOn::Value(cell) => {
                let name = &layout.info(cell).name;
                match &op.actions[0] {
                    Action::AwaitZero(_) => format!("{name} to be 0"),
                    Action::AwaitNot(_, Obs::Bool(value)) => format!("{name} to be {}", !value),
                    Action::AwaitNot(_, value) => {
                        format!("{name} to be other than {}", self.value_in(cell, *value))
                    }
                    _ => format!("{name} to change"),
                }
            }
            BlockedOn::Node(klist, member) => {
                let (member, klist) = (self.program.object_name(member), &layout.info(klist).name);
                format!("all to let go of {member} in {klist}")
            }
            BlockedOn::Async(_) => "all async entries".to_owned(),
            BlockedOn::Run(cell) => format!("the run of {}", layout.info(cell).name),
            BlockedOn::Ended(entry) => format!("the end of {}", self.program.role(&entry)),
        }
    }
}

/// A step in words, for whoever has no story to tell.
#[must_use]
pub fn step_words<P: Program>(program: &P, op: &Op) -> String {
    Teller::new(program, false).does(op, None, None).0
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
