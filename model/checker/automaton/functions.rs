//! A program from ordinary Rust functions: a [`Subject`] says what tasks run, [`Functions`] makes it
//! a [`Program`] whose control values are histories.
//!
//! See the [crate page](crate) for an example.

use std::sync::Arc;

use crate::machine::cpu::{Cpu, Step};
use crate::machine::expect::{Expectation, Snapshot, When};
use crate::machine::hazard::{About, Hazard};
use crate::machine::layout::{ALIVE, Cell, CellId, Layout, Part};
use crate::machine::op::{Entry, Event, Touch};
use crate::machine::program::{Program, SlotDecl, SlotKind};
use crate::machine::rename::{Alike, Renaming, generators};
use crate::machine::step::Stop;
use crate::machine::value::{Datum, Object, Obs};
use indexmap::IndexMap;

/// What the tasks of a program run, and what its checks are. Only [`run`](Subject::run) is required;
/// a closure is a subject without checks.
pub trait Subject: Send + Sync {
    /// The function of a task.
    ///
    /// # Errors
    ///
    /// [`Pause`](crate::machine::cpu::Pause) if the task cannot go on now.
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()>;

    /// As [`Program::set_up`].
    fn set_up(&self) -> Vec<Entry> {
        Vec::new()
    }

    /// As [`Program::domain`].
    fn domain(&self, _task: &Entry) -> Option<u8> {
        None
    }

    /// As [`Program::event_touches`].
    fn event_touches(&self, _event: &Event) -> Vec<(CellId, Part, Touch)> {
        Vec::new()
    }

    /// As [`Program::event`].
    ///
    /// # Errors
    ///
    /// The hazard that it is.
    fn event(&self, _event: &Event, _observed: Obs, _memory: &mut [u8]) -> Result<(), Hazard> {
        Ok(())
    }

    /// As [`Program::at_quiescence`].
    fn at_quiescence(&self, _memory: &[u8]) -> Vec<Hazard> {
        Vec::new()
    }

    /// As [`Program::seen_at_rest`].
    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        None
    }

    /// As [`Program::facts`].
    fn facts(&self) -> Vec<CellId> {
        Vec::new()
    }

    /// What an object becomes of which no task is told when it starts, when those objects change places of
    /// which a task is: by default it stays.
    fn belongs(&self, object: Object, _renamed: &dyn Fn(Object) -> Object) -> Object {
        object
    }

    /// As [`Program::role`].
    fn role(&self, _task: &Entry) -> String {
        "worker".to_owned()
    }
}

impl<F: Fn(&Cpu<'_>, &Entry) -> Step<()> + Send + Sync> Subject for F {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        self(cpu, task)
    }
}

/// A function without arguments, as a task is started with it.
#[must_use]
pub fn entry(function: u8) -> Entry {
    Entry { function, args: Vec::new() }
}

/// A subject with a layout, places for its tasks and the memory that it starts with. One type for all subjects: the
/// searches are compiled once for all of them.
#[derive(Clone)]
pub struct Functions<'s> {
    layout: Layout,
    slots: Vec<SlotDecl>,
    memory: Vec<u8>,
    /// Those that are to hold at rest, and all others.
    expectations: [Vec<Expectation>; 2],
    subject: Arc<dyn Subject + 's>,
}

impl<'s> Functions<'s> {
    /// A program without tasks, its memory all zero: locks free, lists empty, objects not allocated.
    #[must_use]
    pub fn new(layout: Layout, subject: impl Subject + 's) -> Self {
        let memory = vec![0; layout.bytes()];
        Functions {
            layout,
            slots: Vec::new(),
            memory,
            expectations: Default::default(),
            subject: Arc::new(subject),
        }
    }

    /// With a task that is there from the start.
    #[must_use]
    pub fn task(self, name: &str, entry: Entry) -> Self {
        self.task_after(name, entry, &[])
    }

    /// With a task that starts when the tasks in these slots have ended.
    #[must_use]
    pub fn task_after(mut self, name: &str, entry: Entry, after: &[usize]) -> Self {
        let kind = SlotKind::Task { entry, after: after.to_vec() };
        self.slots.push(SlotDecl { name: name.to_owned(), kind });
        self
    }

    /// With the worker of a work item.
    #[must_use]
    pub fn item<T>(mut self, name: &str, entry: Entry, work: Cell<T>) -> Self {
        let kind = SlotKind::Item { entry, work: self.layout.find(work) };
        self.slots.push(SlotDecl { name: name.to_owned(), kind });
        self
    }

    /// With places for so many spawned tasks.
    #[must_use]
    pub fn workers(mut self, n: usize) -> Self {
        let worker = SlotDecl { name: "worker".to_owned(), kind: SlotKind::Worker };
        self.slots.extend(std::iter::repeat_n(worker, n));
        self
    }

    /// With a value in a one-byte cell.
    #[must_use]
    pub fn with<T: Datum>(mut self, cell: Cell<T>, value: T) -> Self {
        let id = self.layout.find(cell);
        self.memory[self.layout.info(id).offset] = self.layout.encode(id, value.to_obs());
        self
    }

    /// With an object that has been allocated.
    ///
    /// # Panics
    ///
    /// If the object can never be freed: then it is always there.
    #[must_use]
    pub fn alive(mut self, object: Object) -> Self {
        let liveness = self.layout.object(object).liveness.expect("an object that can be freed");
        self.memory[self.layout.info(liveness).offset] = ALIVE;
        self
    }

    /// With an expectation that is to hold in every state. All states are searched then, without reduction.
    #[must_use]
    pub fn always(
        self,
        name: &'static str,
        holds: impl Fn(Snapshot<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expectation(Expectation::new(name, When::Always, holds))
    }

    /// With an expectation that no state is to have in which nothing can happen any more.
    #[must_use]
    pub fn never_at_rest(
        self,
        name: &'static str,
        is_wrong: impl Fn(Snapshot<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expectation(Expectation::new(name, When::AtRest, move |snapshot| !is_wrong(snapshot)))
    }

    /// With an expectation that some run is to reach: a model in which none does is vacuous. All states are
    /// searched then, without reduction.
    #[must_use]
    pub fn sometimes(
        self,
        name: &'static str,
        holds: impl Fn(Snapshot<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expectation(Expectation::new(name, When::Sometimes, holds))
    }

    fn expectation(mut self, expectation: Expectation) -> Self {
        self.expectations[usize::from(expectation.when != When::AtRest)].push(expectation);
        self
    }

    /// The memory that it starts with.
    #[must_use]
    pub fn memory(&self) -> Vec<u8> {
        self.memory.clone()
    }
}

impl Program for Functions<'_> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn slots(&self) -> &[SlotDecl] {
        &self.slots
    }

    fn initial_memory(&self) -> Vec<u8> {
        self.memory()
    }

    fn set_up(&self) -> Vec<Entry> {
        self.subject.set_up()
    }

    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()> {
        self.subject.run(cpu, entry)
    }

    fn domain(&self, entry: &Entry) -> Option<u8> {
        self.subject.domain(entry)
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        self.subject.event_touches(event)
    }

    fn event(&self, event: &Event, _slot: usize, observed: Obs, memory: &mut [u8]) -> Result<(), Stop> {
        Ok(self.subject.event(event, observed, memory)?)
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        let snapshot = Snapshot::new(&self.layout, memory);
        let wrong = self.expectations[0].iter().filter(|expectation| !expectation.holds(snapshot));
        let hazard = |expectation: &Expectation| {
            Hazard::new(expectation.name, About::Program, format!("{} when all is at rest", expectation.name))
        };
        wrong.map(hazard).chain(self.subject.at_quiescence(memory)).collect()
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        // Expectations may look at anything.
        self.subject.seen_at_rest().filter(|_| self.expectations[0].is_empty())
    }

    fn facts(&self) -> Vec<CellId> {
        // The same.
        if self.expectations[0].is_empty() { self.subject.facts() } else { Vec::new() }
    }

    fn expectations(&self) -> &[Expectation] {
        &self.expectations[1]
    }

    /// Tasks of one function take each other's places, and so do the objects that are their arguments.
    fn renamings(&self) -> Vec<Renaming> {
        let all = Positions(&self.slots);
        let renaming = |slots: Vec<usize>| {
            let objects = all.objects(&slots).unwrap_or_default();
            let renamed = |object: Object| objects.get(&object).copied().unwrap_or(object);
            let others = self.layout.objects().keys().filter(|object| !objects.contains_key(*object));
            let others = others.map(|object| (*object, self.subject.belongs(*object, &renamed)));
            Renaming { objects: objects.iter().map(|(from, to)| (*from, *to)).chain(others).collect(), slots }
        };
        generators(&all).into_iter().map(renaming).collect()
    }

    fn role(&self, entry: &Entry) -> String {
        self.subject.role(entry)
    }
}

/// The static tasks, which can take each other's places if their arguments can.
struct Positions<'a>(&'a [SlotDecl]);

impl Positions<'_> {
    fn entry(&self, slot: usize) -> Option<&Entry> {
        match &self.0[slot].kind {
            SlotKind::Task { entry, .. } => Some(entry),
            SlotKind::Item { .. } | SlotKind::Worker => None,
        }
    }

    /// What the arguments of tasks become when the first tasks take these places, if that is possible.
    fn objects(&self, to: &[usize]) -> Option<IndexMap<Object, Object>> {
        to.iter().enumerate().try_fold(IndexMap::new(), |objects, (slot, place)| {
            match (self.entry(slot), self.entry(*place)) {
                (Some(one), Some(other)) => alike(one, other, &objects),
                _ => (slot == *place).then_some(objects),
            }
        })
    }
}

impl Alike for Positions<'_> {
    fn items(&self) -> usize {
        self.0.len()
    }

    fn places(&self, _slot: usize) -> Vec<usize> {
        (0..self.0.len()).collect()
    }

    fn fits(&self, to: &[usize]) -> bool {
        self.objects(to).is_some()
    }

    fn is_renaming(&self, to: &[usize]) -> bool {
        self.objects(to).is_some()
    }
}

/// Which objects take each other's places when a task does that of another one, if that is possible.
fn alike(one: &Entry, other: &Entry, objects: &IndexMap<Object, Object>) -> Option<IndexMap<Object, Object>> {
    let mut objects = objects.clone();
    if (one.function, one.args.len()) != (other.function, other.args.len()) {
        return None;
    }
    for (one, other) in one.args.iter().zip(&other.args) {
        match (one, other) {
            (Obs::Id(one), Obs::Id(other)) if *objects.entry(*one).or_insert(*other) != *other => {
                return None;
            }
            (Obs::Id(_), Obs::Id(_)) => {}
            (one, other) if one != other => return None,
            _ => {}
        }
    }
    Some(objects)
}
