//! Steps, cells and tasks in words.

use super::needed::{End, Footprint, cells_about, needed};
use super::{
    Actor, Change, Held, ReplayError, Scene, StepKind, Story, ToldHazard, ToldStep, Turn, Waiting, follow,
    named,
};
use crate::machine::blocked::{BlockedOn, blocked_on};
use crate::machine::hazard::{About, Hazard, id};
use crate::machine::layout::{ABSENT, ALIVE, CellId, FREED, Kind, Layout};
use crate::machine::op::{Action, Op};
use crate::machine::program::{Call, Program};
use crate::machine::run::{Run, Taken};
use crate::machine::set_up::SET_UP_SLOT;
use crate::machine::value::{Object, Obs};
use crate::machine::{klist, work};

/// Collects the steps of one story.
pub(super) struct Teller<'p, P: Program> {
    program: &'p P,
    set_up: bool,
    /// For each actor its slot, the task's number in the run, and its name.
    actors: Vec<(usize, usize, String)>,
    steps: Vec<ToldStep>,
    hazard: Option<ToldHazard>,
    footprints: Vec<Footprint>,
    about: Option<About>,
}

impl<'p, P: Program> Teller<'p, P> {
    pub(super) fn new(program: &'p P, set_up: bool) -> Self {
        Teller {
            program,
            set_up,
            actors: Vec::new(),
            steps: Vec::new(),
            hazard: None,
            footprints: Vec::new(),
            about: None,
        }
    }

    /// The actor that is in a slot of a run.
    fn actor(&mut self, run: &Run<'_, P>, slot: usize) -> usize {
        let decl = &self.program.slots()[slot];
        let task = run.tasks()[slot].as_ref();
        let number = task.map_or(0, |task| if named(&decl.kind) { 0 } else { task.number });
        if let Some(known) = self.actors.iter().position(|actor| (actor.0, actor.1) == (slot, number)) {
            return known;
        }
        let name = match task {
            _ if self.set_up && slot == SET_UP_SLOT => "set-up".to_owned(),
            Some(task) if !named(&decl.kind) => self.program.role(self.program.entry(&task.control)),
            _ => decl.name.clone(),
        };
        self.actors.push((slot, number, name));
        self.actors.len() - 1
    }

    pub(super) fn tell(&mut self, slot: usize, before: &Run<'_, P>, taken: &Taken, after: &Run<'_, P>) {
        let actor = self.actor(before, slot);
        let started = taken.spawned.map(|slot| self.actor(after, slot));
        let changes = if taken.observed.is_some() { self.changes(before, after) } else { Vec::new() };
        let note = self.program.note(&taken.stack, &taken.op, taken.observed);
        let (does, note) = self.does(&taken.op, note);
        let observed = taken.observed.and_then(|observed| self.observed(&taken.op, observed));
        self.footprints.push(self.footprint(actor, taken, started, before, after));
        self.steps.push(ToldStep {
            actor,
            stack: taken.stack.iter().map(|call| self.call(call)).collect(),
            kind: kind(&taken.op, &changes),
            does,
            note,
            observed,
            changes,
            started,
            at: format!("{}:{}", taken.at.file(), taken.at.line()),
            needed: true,
        });
        if let Some(hazard) = &taken.hazard {
            self.hazard = Some(ToldHazard::from((hazard, true)));
            self.about = Some(hazard.about);
        }
    }

    pub(super) fn end(mut self, run: &Run<'_, P>, at_rest: Option<Hazard>) -> Story {
        if let Some(hazard) = at_rest
            && self.hazard.is_none()
        {
            self.hazard = Some(ToldHazard::from((&hazard, false)));
            self.about = Some(hazard.about);
        }
        let deadlocked = run.deadlocked();
        let mut waiting = Vec::new();
        let mut held = Vec::new();
        let mut guards = Vec::new();
        let layout = self.program.layout();
        for slot in 0..run.tasks().len() {
            let Some(task) = &run.tasks()[slot] else { continue };
            let Some((op, _)) = &task.next else { continue };
            if op.idles() || run.enabled(slot) || !run.may_start(slot) || (self.set_up && slot != SET_UP_SLOT)
            {
                continue;
            }
            let stack = self.program.stack(&task.control).iter().map(|call| self.call(call)).collect();
            let on = self.waits(&blocked_on(op));
            let member = deadlocked.iter().find(|waiter| waiter.slot == slot);
            let by = member.map_or(Vec::new(), |waiter| waiter.by.clone());
            let by = by.into_iter().map(|slot| self.actor(run, slot)).collect();
            let actor = self.actor(run, slot);
            guards.extend(member.and_then(|_| op.guard()));
            waiting.push(Waiting { actor, stack, on, by, deadlocked: member.is_some() });
        }
        for lock in layout.locks() {
            let owner = usize::from(run.memory()[layout.info(*lock).offset]);
            if owner > 0 {
                let actor = self.actor(run, owner - 1);
                held.push(Held { lock: layout.info(*lock).name.clone(), actor });
            }
        }
        self.mark_needed(&waiting, guards);
        self.finish(waiting, held)
    }

    /// Marks the steps that the hazard needs; without a hazard all are.
    fn mark_needed(&mut self, waiting: &[Waiting], guards: Vec<CellId>) {
        let (Some(hazard), Some(about)) = (&self.hazard, self.about) else { return };
        let layout = self.program.layout();
        if hazard.id == id::LIVELOCK {
            return;
        }
        let deadlock = hazard.id == id::DEADLOCK && !guards.is_empty();
        let end = match (deadlock, hazard.at_last_step) {
            (true, _) => End {
                cells: guards,
                actors: waiting.iter().filter(|wait| wait.deadlocked).map(|wait| wait.actor).collect(),
                at_last_step: false,
                bytes: true,
            },
            (false, true) => {
                let event = self.footprints.last().and_then(|step| step.op.event);
                let cells = event.map_or(Vec::new(), |event| self.program.event_cells(&event));
                End {
                    cells: cells.into_iter().map(|(cell, _)| cell).collect(),
                    actors: Vec::new(),
                    at_last_step: true,
                    bytes: false,
                }
            }
            (false, false) => End {
                cells: cells_about(layout, about),
                actors: (0..self.actors.len()).collect(),
                at_last_step: false,
                bytes: false,
            },
        };
        let needed = needed(layout, &self.footprints, &end);
        for (step, needed) in self.steps.iter_mut().zip(needed) {
            step.needed = needed;
        }
    }

    fn footprint(
        &self,
        actor: usize,
        taken: &Taken,
        started: Option<usize>,
        before: &Run<'_, P>,
        after: &Run<'_, P>,
    ) -> Footprint {
        let mut footprint =
            Footprint { actor, op: taken.op.clone(), changed: Vec::new(), visible: Vec::new(), started };
        for (number, info) in self.program.layout().cells().iter().enumerate() {
            let (from, to) = (&before.memory()[info.range()], &after.memory()[info.range()]);
            if from == to {
                continue;
            }
            let cell = CellId(number as u16);
            footprint.changed.push(cell);
            // A generation and a flag a task have no words; everybody but their owners sees bytes.
            let wordless = matches!(info.kind, Kind::Generation(..) | Kind::PerTask(_));
            if wordless || self.cell(cell, from) != self.cell(cell, to) {
                footprint.visible.push(cell);
            }
        }
        footprint
    }

    /// The actors by slot and then by start.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.actors.len()).collect();
        let workers = |slot: usize| !named(&self.program.slots()[slot].kind);
        order.sort_by_key(|actor| {
            let (slot, number, _) = self.actors[*actor];
            if workers(slot) { (usize::MAX, number) } else { (slot, number) }
        });
        order
    }

    /// The actors' names, by number.
    fn names(&self) -> Vec<String> {
        let order = self.order();
        let mut actors: Vec<Actor> =
            order.iter().map(|actor| Actor { name: self.actors[*actor].2.clone() }).collect();
        number_namesakes(&mut actors);
        let place = |actor: usize| order.iter().position(|other| *other == actor).unwrap_or(actor);
        (0..self.actors.len()).map(|actor| actors[place(actor)].name.clone()).collect()
    }

    /// Orders the actors, and renumbers what refers to them.
    fn finish(self, mut waiting: Vec<Waiting>, mut held: Vec<Held>) -> Story {
        let order = self.order();
        let place = |actor: usize| order.iter().position(|other| *other == actor).unwrap_or(actor);
        let mut steps = self.steps;
        for step in &mut steps {
            step.actor = place(step.actor);
            step.started = step.started.map(place);
        }
        for wait in &mut waiting {
            wait.actor = place(wait.actor);
            wait.by = wait.by.iter().map(|actor| place(*actor)).collect();
        }
        held.iter_mut().for_each(|held| held.actor = place(held.actor));
        let mut actors: Vec<Actor> =
            order.iter().map(|actor| Actor { name: self.actors[*actor].2.clone() }).collect();
        number_namesakes(&mut actors);
        Story { actors, steps, hazard: self.hazard, waiting, held, cycle: None }
    }

    fn call(&self, call: &Call) -> String {
        let args: Vec<String> = call.args.iter().map(|arg| self.value(*arg)).collect();
        format!("{}({})", call.name, args.join(", "))
    }

    fn value(&self, value: Obs) -> String {
        match value {
            Obs::None => "NULL".to_owned(),
            Obs::Bool(value) => value.to_string(),
            Obs::Int(value) => value.to_string(),
            Obs::Id(object) => self.program.object_name(object),
            Obs::Errno(errno) => errno.0.to_owned(),
            _ => String::new(),
        }
    }

    /// A value in a cell.
    fn value_in(&self, cell: CellId, value: Obs) -> String {
        let number = match value {
            Obs::Int(number) => self.program.number_name(cell, number),
            _ => None,
        };
        number.map_or_else(|| self.value(value), str::to_owned)
    }

    fn observed(&self, op: &Op, observed: Obs) -> Option<String> {
        match (op.actions.last()?, observed) {
            (Action::Store(..) | Action::Dec(_) | Action::Put(_) | Action::DropSample(..), _) => None,
            (Action::KlistNext(klist, _), Obs::Iter(_, node, _)) => {
                Some(node.map_or("end of list".to_owned(), |node| self.member(*klist, node)))
            }
            (_, Obs::Unit | Obs::Iter(..) | Obs::Holds(_) | Obs::Released(_)) => None,
            (Action::Load(cell) | Action::Swap(cell, ..), observed) => Some(self.value_in(*cell, observed)),
            (_, observed) => Some(self.value(observed)),
        }
    }

    fn member(&self, list: CellId, index: u8) -> String {
        match self.program.layout().info(list).kind {
            Kind::Klist(sort, _) | Kind::List(sort, _) => self.program.object_name(Object { sort, index }),
            _ => unreachable!("internal: no list"),
        }
    }

    fn changes(&self, before: &Run<'_, P>, after: &Run<'_, P>) -> Vec<Change> {
        let layout = self.program.layout();
        let mut changes = Vec::new();
        for (number, info) in layout.cells().iter().enumerate() {
            let (from, to) = (&before.memory()[info.range()], &after.memory()[info.range()]);
            // What happens to the cells of an object that is freed is no change anybody sees.
            let freed = info.liveness.is_some_and(|live| after.memory()[layout.info(live).offset] != ALIVE);
            if from == to || info.ghost || freed {
                continue;
            }
            let cell = CellId(number as u16);
            let change =
                Change { cell: info.name.clone(), from: self.cell(cell, from), to: self.cell(cell, to) };
            if change.from != change.to && !matches!(info.kind, Kind::Lock) {
                changes.push(change);
            }
        }
        changes
    }

    /// The value of a cell in words.
    fn cell(&self, cell: CellId, bytes: &[u8]) -> String {
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

    /// A step in words: its main action, or what it means; and what it means besides.
    fn does(&self, op: &Op, note: Option<String>) -> (String, Option<String>) {
        let layout = self.program.layout();
        let main = op.actions.iter().find(|action| !aside(layout, action));
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
            Action::Store(cell, Obs::Bool(true)) => Some(layout.info(*cell).name.clone()),
            _ => None,
        };
        op.actions.iter().find_map(sets).unwrap_or_else(|| self.action(layout, &op.actions[0]))
    }

    fn action(&self, layout: &Layout, action: &Action) -> String {
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
            Action::Unlock(cell) => format!("unlock {}", name(cell)),
            Action::Get(cell) => format!("get {}", name(cell)),
            Action::Put(cell) => format!("put {}", name(cell)),
            Action::Dec(cell) => format!("put {}", name(cell)),
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
            Action::ListEmpty(list) => format!("look whether {} is empty", name(list)),
            Action::ListSplice(from, to) => format!("move {} to {}", name(from), name(to)),
            Action::KlistAdd(klist, member) => format!("add {} to {}", object(member), name(klist)),
            Action::KlistNext(klist, node) => format!("next of {}{}", name(klist), at(node, klist)),
            Action::KlistExit(klist, node) => format!("leave {}{}", name(klist), at(node, klist)),
            Action::KlistDel(klist, member) => format!("delete {} from {}", object(member), name(klist)),
            Action::KlistAwait(klist, member) => {
                format!("wait for {} to leave {}", object(member), name(klist))
            }
            Action::KlistLast(klist, _) => format!("last of {}", name(klist)),
            Action::KlistFind(klist, member, _) => format!("find {} in {}", object(member), name(klist)),
            Action::AsyncSchedule { entry, .. } => format!("schedule {}", self.program.role(entry)),
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
            Action::EnterIf(flag, _) => format!("read {}", name(flag)),
            Action::SetOwn(cell, value) => format!("{} = {value}", name(cell)),
            Action::TestOwn(cell) => format!("read {}", name(cell)),
        }
    }

    fn waits(&self, on: &BlockedOn) -> String {
        let layout = self.program.layout();
        match on {
            BlockedOn::Lock(cell) => format!("lock {}", layout.info(*cell).name),
            BlockedOn::Value(cell) => format!("{} to change", layout.info(*cell).name),
            BlockedOn::Node(klist, member) => {
                format!("{} to leave {}", self.program.object_name(*member), layout.info(*klist).name)
            }
            BlockedOn::Async(_) => "all async entries".to_owned(),
            BlockedOn::Run(cell) => format!("the run of {}", layout.info(*cell).name),
            BlockedOn::Ended(entry) => self.program.role(entry),
        }
    }
}

/// A step in words, for whoever has no story to tell.
#[must_use]
pub fn step_words<P: Program>(program: &P, op: &Op) -> String {
    Teller::new(program, false).does(op, None).0
}

/// What can be seen at each place of a run: before its first step, and after each step.
///
/// # Errors
///
/// Why the schedule is not one of this program.
pub fn scenes<P: Program>(program: &P, schedule: &[Turn]) -> Result<Vec<Scene>, ReplayError> {
    let mut teller = Teller::new(program, false);
    let mut drafts = Vec::new();
    follow(program, schedule, |step, run| {
        if let Some((slot, before, taken)) = step {
            teller.tell(slot, before, taken, run);
        }
        drafts.push(teller.draft(run));
    })?;
    let names = teller.names();
    let named = |list: Vec<(usize, String)>| -> Vec<(String, String)> {
        list.into_iter().map(|(actor, text)| (names[actor].clone(), text)).collect()
    };
    let scene = |draft: Draft| Scene {
        memory: draft.memory,
        locks: draft.locks.into_iter().map(|(actor, lock)| (lock, names[actor].clone())).collect(),
        ready: named(draft.ready),
        waiting: named(draft.waiting),
    };
    Ok(drafts.into_iter().map(scene).collect())
}

/// A scene whose actors have no names yet.
struct Draft {
    memory: Vec<(String, String)>,
    locks: Vec<(usize, String)>,
    ready: Vec<(usize, String)>,
    waiting: Vec<(usize, String)>,
}

impl<P: Program> Teller<'_, P> {
    fn draft(&mut self, run: &Run<'_, P>) -> Draft {
        let layout = self.program.layout();
        let mut draft =
            Draft { memory: Vec::new(), locks: Vec::new(), ready: Vec::new(), waiting: Vec::new() };
        for (number, info) in layout.cells().iter().enumerate() {
            let bytes = &run.memory()[info.range()];
            let gone = info.liveness.is_some_and(|live| run.memory()[layout.info(live).offset] != ALIVE);
            let text = self.cell(CellId(number as u16), bytes);
            if info.kind == Kind::Lock && bytes[0] > 0 {
                let actor = self.actor(run, usize::from(bytes[0]) - 1);
                draft.locks.push((actor, info.name.clone()));
            } else if !info.ghost && !gone && info.kind != Kind::Lock && !text.is_empty() {
                draft.memory.push((info.name.clone(), text));
            }
        }
        for slot in 0..run.tasks().len() {
            let Some(task) = &run.tasks()[slot] else { continue };
            let Some((op, _)) = &task.next else { continue };
            let enabled = run.enabled(slot);
            if !enabled && (op.idles() || !run.may_start(slot)) {
                continue;
            }
            let inside = self.program.stack(&task.control).last().map(|call| self.call(call));
            let inside = inside.map_or(String::new(), |call| format!("{call}: "));
            let actor = self.actor(run, slot);
            if enabled {
                draft.ready.push((actor, format!("{inside}{}", self.does(op, None).0)));
            } else {
                draft.waiting.push((actor, format!("{inside}{}", self.waits(&blocked_on(op)))));
            }
        }
        draft
    }
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

fn kind(op: &Op, changes: &[Change]) -> StepKind {
    let has = |test: fn(&Action) -> bool| op.actions.iter().any(test);
    match () {
        () if has(|action| matches!(action, Action::Lock(_))) => StepKind::Lock,
        () if has(|action| matches!(action, Action::Unlock(_))) => StepKind::Unlock,
        () if has(|action| matches!(action, Action::Choose(_))) => StepKind::Choice,
        () if has(|action| matches!(action, Action::AsyncSchedule { .. } | Action::Spawn(..))) => {
            StepKind::Spawn
        }
        () if changes.is_empty() => StepKind::Read,
        () => StepKind::Write,
    }
}

/// Tells apart actors of one name: the second `kworker (async)` becomes `kworker (async) #2`.
fn number_namesakes(actors: &mut [Actor]) {
    let names: Vec<String> = actors.iter().map(|actor| actor.name.clone()).collect();
    for (i, name) in names.iter().enumerate() {
        let earlier = names[..i].iter().filter(|other| *other == name).count();
        if earlier > 0 {
            actors[i].name = format!("{name} #{}", earlier + 1);
        }
    }
}
