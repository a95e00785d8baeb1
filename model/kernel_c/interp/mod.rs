//! The interpreter: an ordinary modelled function over the machine's processor, which runs C.
//!
//! A function of the tree is a call of the machine's, a loop is a repetition; what they change of the variables
//! around them is their result. Reading what never changes is no step: the checks that belong to it (is the object
//! there? is the pointer NULL?) wait for the next step. What cannot be done is [`Interp::stuck`], never a guess.

mod call;
mod devres;
mod expr;
mod flow;
mod links;
mod list;
mod local;
mod memory;
mod module;
mod overrides;
mod primitive;
mod special;
mod wait;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::{CellId, Layout};
use raddle_checker::machine::op::{Action, Op};
use raddle_checker::machine::place::Place;
use raddle_checker::machine::value::{Object, Obs, Word};
use raddle_probing::at::At;
use raddle_probing::cpu::Cpu;
use raddle_probing::events::Event;
use raddle_probing::ids::{Device, Driver, Module};
use raddle_probing::objects::{DEVICE, DRIVER};
use raddle_probing::world::AddOutcome;

pub(crate) use primitive::domain_path;

use super::ast::{Function, Name, Type};
use super::map::{STUCK, null};
use super::subject::{KernelC, Stuck};
use super::value::{Atoms, Path, Value, get_byte, get_word, place, same, word};
use rustc_hash::FxHashMap;

/// A function that is executing. It is copied when it changes and somebody else has it too.
#[derive(Clone)]
struct Frame {
    function: &'static Function,
    locals: Vec<(Name, Path, Value)>,
    /// Of the variables that have been declared.
    types: Vec<(Name, &'static Type)>,
    /// Variables that outlive the call.
    statics: Vec<Name>,
}

impl Frame {
    /// A call that has just been made.
    fn new(function: &'static Function) -> Self {
        Frame { function, locals: Vec::new(), types: Vec::new(), statics: Vec::new() }
    }

    /// The parameters and the variables with their types, last declared first.
    fn typed(&self) -> impl Iterator<Item = (Name, &'static Type)> {
        let params = self.function.params.iter().map(|(name, ty)| (*name, ty));
        params.chain(self.types.iter().copied()).rev()
    }

    /// Drops variables, or parts of them.
    fn forget(frame: &mut Rc<Self>, which: impl Fn(Name, Path) -> bool) {
        if frame.locals.iter().any(|(name, path, _)| which(name, path)) {
            Rc::make_mut(frame).locals.retain(|(name, path, _)| !which(name, path));
        }
    }
}

/// Something that can be assigned to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Memory(Object, Path),
    Local(usize, Name, Path),
    /// `current->flags`.
    Flags,
    /// In a structure at which nobody looks.
    Ignored(Name),
}

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
    Goto(Name),
}

/// Runs C for one task.
pub struct Interp<'a> {
    c: &'a KernelC,
    cpu: &'a Cpu<'a>,
    frames: Vec<Rc<Frame>>,
    /// Checks that are made together with the next step, and before them a lock that is taken with it.
    pending: Vec<Action>,
    line: u32,
    /// The file of that line while no function is run: of the function that is called from outside.
    entered: Name,
    /// The driver that is being unregistered: naming it is what the caller may do.
    unregistering: Option<Driver>,
    /// How the `device_add` under way goes.
    add: AddOutcome,
    /// The devres of what a probe is acquiring.
    acquired: Option<Object>,
    /// Where the code stands that releases early what it has acquired, if some does.
    releasing: Option<At>,
    /// The module that is to be deleted.
    module: Option<Module>,
    /// Whether the init of the module that is being loaded has failed.
    init_failed: bool,
    /// What has been read of a condition that is waited for, if one is.
    reads: Option<Vec<(CellId, Obs)>>,
}

/// How often a loop may go round without a step.
const IDLE: u32 = 10_000;

thread_local! {
    /// Paths that have been put together before.
    static JOINED: RefCell<FxHashMap<[(usize, usize); 2], Path>> = RefCell::default();
}

/// What would be the structure of a member, if the head of a list were one: `list<entry`. The member is the head again.
const NO_ENTRY: char = '<';

/// A path with one more field.
fn join(path: Path, field: &'static str) -> Path {
    if path.is_empty() {
        return field;
    }
    let key = [path, field].map(place);
    JOINED.with_borrow_mut(|joined| *joined.entry(key).or_insert_with(|| joined_anew(path, field)))
}

fn joined_anew(path: Path, field: &'static str) -> Path {
    if let Some((head, member)) = path.split_once(NO_ENTRY)
        && let Some(rest) = member.strip_prefix(field)
    {
        match rest.strip_prefix('.') {
            Some(rest) => return word(&format!("{head}{NO_ENTRY}{rest}")),
            None if rest.is_empty() => return word(head),
            None => {}
        }
    }
    word(&format!("{path}.{field}"))
}

impl<'a> Interp<'a> {
    /// For a task.
    pub fn new(c: &'a KernelC, cpu: &'a Cpu<'a>) -> Self {
        Interp {
            c,
            cpu,
            frames: Vec::new(),
            pending: Vec::new(),
            line: 0,
            entered: "drivers/base/dd.c",
            unregistering: None,
            add: AddOutcome::Ok,
            acquired: None,
            releasing: None,
            module: None,
            init_failed: false,
            reads: None,
        }
    }

    fn layout(&self) -> &'a Layout {
        self.cpu.layout()
    }

    fn frame(&mut self) -> &mut Rc<Frame> {
        self.frames.last_mut().expect("internal: a function executes")
    }

    /// The functions that execute, outermost first.
    fn stack(&self) -> Vec<&'static str> {
        self.frames.iter().map(|frame| frame.function.name).collect()
    }

    fn file(&self) -> Name {
        self.frames.last().map_or(self.entered, |frame| frame.function.file)
    }

    fn place(&self) -> Place {
        Place::new(self.file(), self.line)
    }

    /// The innermost local variable that points to an object of this sort, by its declared type.
    fn nearest(&self, sort: raddle_checker::machine::value::Sort, from: usize) -> Option<Object> {
        let ty = if sort == DEVICE { "struct device" } else { "struct device_driver" };
        self.frames[..=from].iter().rev().find_map(|frame| {
            frame.typed().find_map(|(name, of)| {
                let points = matches!(of, Type::Pointer(of) if **of == Type::Record(ty));
                let mut all = frame.locals.iter();
                let value = all.find(|(own, path, _)| same(own, name) && path.is_empty());
                match value {
                    Some((_, _, Value::Pointer(object, ""))) if points && object.sort == sort => {
                        Some(*object)
                    }
                    _ => None,
                }
            })
        })
    }

    fn nearest_device(&self, from: usize) -> Option<Device> {
        self.nearest(DEVICE, from).map(|object| Device(object.index))
    }

    fn nearest_driver(&self, from: usize) -> Option<Driver> {
        self.nearest(DRIVER, from).map(|object| Driver(object.index))
    }

    // ------------------------------------------------------------------------------------- steps

    /// Cannot go on: a step that never ends well, with its place and what is not understood.
    fn stuck<T>(&self, what: impl std::fmt::Display) -> Step<T> {
        let function = self.frames.last().map_or("", |frame| frame.function.name);
        self.stuck_at(Stuck { file: self.file(), line: self.line, function, what: what.to_string() })
    }

    fn stuck_at<T>(&self, stuck: Stuck) -> Step<T> {
        let place = Place::new(stuck.file, stuck.line);
        self.c.note_stuck(stuck);
        let never = vec![Action::Alloc(STUCK), Action::Free(STUCK), Action::Touch(STUCK)];
        self.cpu.step_at(never, place)?;
        unreachable!("internal: what is stuck goes on")
    }

    /// NULL is dereferenced.
    fn null<T>(&mut self) -> Step<T> {
        self.step(Action::Follow(self.cpu.cell(null())))?;
        unreachable!("internal: NULL was dereferenced, and it goes on")
    }

    /// One step, with the checks that are due. A step that waits or chooses comes after a step of theirs.
    fn step(&mut self, op: impl Into<Op>) -> Step<Obs> {
        let mut op: Op = op.into();
        if op.guard().is_some() || matches!(op.actions[..], [Action::Choose(_)]) {
            self.flush_before(&op)?;
        } else if !self.pending.is_empty() {
            let mut actions = std::mem::take(&mut self.pending);
            actions.append(&mut op.actions);
            op.actions = actions;
        }
        self.cpu.step_at(op, self.place())
    }

    /// The checks that are due before a step that waits, as a step. One that waits for something in an object finds by itself
    /// that this is gone, and without waiting.
    fn flush_before(&mut self, op: &Op) -> Step<()> {
        if let Some(wait) = op.wait().filter(|wait| op.under.is_none() && !wait.idles()) {
            let layout = self.layout();
            let own = layout.info(wait.cell()).liveness;
            let finds = |check: &Action| matches!(check, Action::Touch(object) if layout.object(*object).liveness == own);
            self.pending.retain(|check| !finds(check));
        }
        self.flush()
    }

    /// The checks that are due, as a step.
    fn flush(&mut self) -> Step<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let actions = std::mem::take(&mut self.pending);
        self.cpu.step_at(actions, self.place())?;
        Ok(())
    }

    /// A check for the next step.
    fn later(&mut self, action: Action) {
        if let Action::Touch(object) = &action {
            let immortal = self.layout().object(*object).liveness.is_none();
            let own = self.unregistering.is_some_and(|drv| drv.object() == *object);
            if immortal || own {
                return;
            }
        }
        if !self.pending.contains(&action) {
            self.pending.push(action);
        }
    }

    /// Notes what a condition that is waited for depends on.
    fn read(&mut self, cell: CellId, observed: Obs) {
        if let Some(reads) = &mut self.reads {
            reads.push((cell, observed));
        }
    }

    /// An op that tells an event.
    fn telling(&self, op: impl Into<Op>, event: Event) -> Op {
        self.cpu.telling(op, event)
    }

    // ----------------------------------------------------------------------------------- results

    /// What has changed of the variables since, and the checks that are due.
    fn changes(&self, before: &[Rc<Frame>]) -> Vec<Obs> {
        let mut changes: Vec<(u8, Name, Path, Value)> = Vec::new();
        for ((old, new), i) in before.iter().zip(&self.frames).zip(0..) {
            if Rc::ptr_eq(old, new) {
                continue;
            }
            for (name, path, value) in new.locals.iter() {
                let was = old.locals.iter().find(|(own, at, _)| same(own, name) && same(at, path));
                if was.is_none_or(|(_, _, was)| was != value) {
                    changes.push((i, name, path, *value));
                }
            }
            for (name, path, _) in old.locals.iter() {
                if !new.locals.iter().any(|(own, at, _)| same(own, name) && same(at, path)) {
                    changes.push((i, name, path, Value::Unset));
                }
            }
        }
        changes.sort_by_key(|(i, name, path, _)| (*i, *name, *path));
        let count = |n: usize| Obs::Int(u8::try_from(n).expect("internal: few variables change"));
        let mut out = vec![count(changes.len())];
        for (i, name, path, value) in changes {
            out.extend([Obs::Int(i), Obs::Word(Word(name)), Obs::Word(Word(path))]);
            value.put(&mut out);
        }
        out.push(count(self.pending.len()));
        for action in &self.pending {
            match action {
                Action::Touch(object) => out.extend([Obs::Bool(true), Obs::Id(*object)]),
                // A cell is named by an iterator that stands nowhere.
                Action::Follow(cell) => out.extend([Obs::Bool(false), Obs::Iter(*cell, None, false)]),
                Action::Lock(cell) => out.extend([Obs::Bool(false), Obs::Iter(*cell, None, true)]),
                other => unreachable!("internal: {other:?} is no check"),
            }
        }
        out
    }

    /// Makes recorded changes.
    fn apply(&mut self, from: &mut std::slice::Iter<'_, Obs>) {
        for _ in 0..get_byte(from) {
            let (i, name, path) = (get_byte(from), get_word(from), get_word(from));
            let value = Value::get(from);
            self.set_local(usize::from(i), name, path, value);
        }
        self.pending.clear();
        for _ in 0..get_byte(from) {
            let check = match (from.next(), from.next()) {
                (Some(Obs::Bool(true)), Some(Obs::Id(object))) => Action::Touch(*object),
                (_, Some(Obs::Iter(cell, _, true))) => Action::Lock(*cell),
                (_, Some(Obs::Iter(cell, ..))) => Action::Follow(*cell),
                other => unreachable!("internal: {other:?} is no check"),
            };
            self.pending.push(check);
        }
    }

    fn set_local(&mut self, frame: usize, name: Name, path: Path, value: Value) {
        let frame = &mut self.frames[frame];
        let at = frame.locals.iter().position(|(own, of, _)| same(own, name) && same(of, path));
        match (at, value) {
            (Some(at), Value::Unset) => drop(Rc::make_mut(frame).locals.remove(at)),
            (Some(at), value) if frame.locals[at].2 == value => {}
            (Some(at), value) => Rc::make_mut(frame).locals[at].2 = value,
            (None, Value::Unset) => {}
            (None, value) => Rc::make_mut(frame).locals.push((name, path, value)),
        }
    }

    fn local_value(&self, frame: usize, name: Name, path: Path) -> Option<Value> {
        let mut all = self.frames[frame].locals.iter();
        let found = all.find(|(own, of, _)| same(own, name) && same(of, path));
        found.map(|(_, _, value)| *value)
    }

    /// A loop of the machine's: `turn` is one turn, `Some` ends it. `dead`: variables of which nothing is known any
    /// more at the end of a turn.
    fn repeat(&mut self, dead: &[Name], mut turn: impl FnMut(&mut Self) -> Step<Option<Flow>>) -> Step<Flow> {
        let base = self.frames.clone();
        let top = base.len() - 1;
        let start = Atoms(self.changes(&base));
        let line = self.line;
        let cpu = self.cpu;
        let mut idle = 0;
        let done: Atoms = cpu.repeat(start, |carried: Atoms| {
            self.frames.clone_from(&base);
            self.line = line;
            self.apply(&mut carried.0.iter());
            let made = cpu.made();
            let flow = turn(self)?;
            idle = if made.is_some() && made == cpu.made() { idle + 1 } else { 0 };
            if idle == IDLE {
                return self.stuck(format!("a loop that goes round {IDLE} times without a step"));
            }
            Frame::forget(&mut self.frames[top], |name, path| path.is_empty() && dead.contains(&name));
            let mut out = self.changes(&base);
            Ok(match flow {
                None => ControlFlow::Continue(Atoms(out)),
                Some(flow) => {
                    match flow {
                        Flow::Next => out.push(Obs::Int(0)),
                        Flow::Return(value) => {
                            out.push(Obs::Int(1));
                            value.put(&mut out);
                        }
                        Flow::Goto(label) => out.extend([Obs::Int(2), Obs::Word(Word(label))]),
                        Flow::Break | Flow::Continue => unreachable!("internal: a loop keeps its own"),
                    }
                    ControlFlow::Break(Atoms(out))
                }
            })
        })?;
        self.frames = base;
        let mut from = done.0.iter();
        self.apply(&mut from);
        Ok(match get_byte(&mut from) {
            0 => Flow::Next,
            1 => Flow::Return(Value::get(&mut from)),
            _ => Flow::Goto(get_word(&mut from)),
        })
    }
}
