//! What engines that run the model's functions on threads of their own have in common: memory as
//! bytes, who is in which slot, the steps as they were taken, and who finds what went wrong.
//!
//! The meaning of a step is [`step`]'s, whether a task can go on is [`enabled`]'s, and what is a
//! deadlock is [`deadlocked`]'s, as for the searches. What differs is who decides which task goes
//! next, and that nothing here is run again: functions run once, with a stack of their own.
//!
//! A task that raises a hazard stops for ever before that step, as a search expands the state before
//! it with all its other steps. Deadlocks never dissolve, so it is enough to look for them when a run
//! ends or a hazard turns up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use super::lasso::lasso;
use super::{NativeOptions, Result, Shown, WeakOnly, confirm};
use raddle_checker::machine::blocked::{Hold, TaskView, Tasks, deadlocked, holds};
use raddle_checker::machine::cpu::{Backend, Cpu, Entered, Frame, Pause, Step};
use raddle_checker::machine::hazard::{Hazard, id};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::{Entry, Op, enabled};
use raddle_checker::machine::program::{Next, Program, SlotKind};
use raddle_checker::machine::step::{Slots, Stop, step};
use raddle_checker::machine::value::Obs;
use raddle_checker::story::Turn;

/// Where the task in a slot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No task is in the slot.
    Empty,
    /// This is its next step.
    Ready(Op),
    /// It never takes this step: it is a hazard.
    Stuck(Op),
    /// It has ended and keeps its slot.
    Ended,
}

struct Slot {
    phase: Phase,
    entry: Option<Entry>,
    /// The atoms of each frame, as [`Program::atoms`] has them.
    frames: Vec<Vec<Obs>>,
    /// How many choices the tasks in this slot have made.
    choices: usize,
    /// Its thread has not begun to run it.
    fresh: bool,
    /// How many steps had been taken when it took its last one.
    moved_at: usize,
    /// It could have taken its next step at some time since its last one.
    was_ready: bool,
}

impl Slot {
    fn empty() -> Self {
        Slot {
            phase: Phase::Empty,
            entry: None,
            frames: Vec::new(),
            choices: 0,
            fresh: false,
            moved_at: 0,
            was_ready: false,
        }
    }
}

/// A choice that a task makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choosing {
    slot: usize,
    /// How many choices were made in this slot before.
    number: usize,
    /// How many steps were taken before.
    pub(super) step: usize,
    /// How many outcomes there are.
    pub(super) of: u8,
}

/// One run.
pub(super) struct Execution {
    pub(super) memory: Vec<u8>,
    slots: Vec<Slot>,
    pub(super) steps: Vec<Turn>,
    /// For each step the cells that it touched, if the engine says so.
    touched: Vec<Vec<CellId>>,
    /// What tasks read that was no longer so; empty unless memory is weak.
    stale: Vec<String>,
    /// Every task is to end.
    pub(super) over: bool,
    /// The hazards and terminal states of this run count: it was not given up.
    given_up: bool,
}

/// Outcomes of choices, decided before a run: by slot and number of the choice in that slot, so that
/// they do not depend on the order in which independent tasks choose.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    /// In the order in which choices were met: how many outcomes there are, and which one is taken.
    fixed: IndexMap<(usize, usize), (u8, u8)>,
}

impl Outcomes {
    /// The next combination; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        while let Some((key, (of, taken))) = self.fixed.pop() {
            if taken + 1 < of {
                self.fixed.insert(key, (of, taken + 1));
                return true;
            }
        }
        false
    }

    /// The outcome of a choice; `None` if another combination stands for this run.
    fn get(&mut self, choice: Choosing) -> Option<u8> {
        let (most, taken) = self.fixed.entry((choice.slot, choice.number)).or_insert((choice.of, 0));
        *most = choice.of.max(*most);
        (*taken < choice.of).then_some(*taken)
    }
}

/// What is kept from run to run.
pub(super) struct Kept {
    pub(super) result: Result,
    pub(super) outcomes: Outcomes,
    terminal: IndexSet<Vec<u8>>,
    /// How many runs were searched for a cycle.
    looked_at: usize,
}

/// Runs that are searched for a cycle at the most: that takes much longer than the run.
const LOOKS: usize = 100;

/// A program and one run of it, shared by all threads.
pub(super) struct Shared<P: Program> {
    pub(super) program: Arc<P>,
    initial: Vec<u8>,
    pub(super) run: Mutex<Execution>,
    pub(super) kept: Mutex<Kept>,
    pub(super) deadline: Option<Instant>,
    step_limit: usize,
    terminal_limit: usize,
}

/// Locks, also after a panic on another thread: that panic is what is reported.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The slots of a run, while one of its tasks takes a step.
struct Threads<'a, P: Program> {
    shared: &'a Shared<P>,
    slots: &'a mut [Slot],
}

impl<P: Program> Slots for Threads<'_, P> {
    fn resume(&mut self, slot: usize, observed: Obs) {
        self.slots[slot].frames.last_mut().into_iter().for_each(|frame| frame.push(observed));
    }

    fn leave(&mut self, slot: usize) {
        self.slots[slot].phase = Phase::Empty;
        self.slots[slot].frames.clear();
    }

    fn is_free(&self, slot: usize) -> bool {
        self.slots[slot].phase == Phase::Empty
    }

    fn start(&mut self, slot: usize, entry: &Entry) {
        self.slots[slot] = self.shared.starting(entry, self.slots[slot].choices);
    }
}

/// How a task chooses an outcome.
pub(super) type Pick<'a> = &'a mut dyn FnMut(&mut Kept, Choosing) -> Option<u8>;

/// Takes the outcome that was fixed before the run.
pub(super) fn fixed(kept: &mut Kept, choice: Choosing) -> Option<u8> {
    kept.outcomes.get(choice)
}

impl<P: Program> Shared<P> {
    pub(super) fn new(program: Arc<P>, memory: &[u8], options: &NativeOptions) -> Self {
        let run = Execution {
            memory: Vec::new(),
            slots: Vec::new(),
            steps: Vec::new(),
            touched: Vec::new(),
            stale: Vec::new(),
            over: true,
            given_up: false,
        };
        let kept = Kept {
            result: Result::default(),
            outcomes: Outcomes::default(),
            terminal: IndexSet::new(),
            looked_at: 0,
        };
        Shared {
            program,
            initial: memory.to_vec(),
            run: Mutex::new(run),
            kept: Mutex::new(kept),
            deadline: options.time.map(|time| Instant::now() + time),
            step_limit: options.step_limit,
            terminal_limit: options.terminal_limit,
        }
    }

    /// Begins a run: all tasks at their start.
    pub(super) fn begin(&self) {
        let mut run = lock(&self.run);
        run.memory.clone_from(&self.initial);
        run.steps.clear();
        run.touched.clear();
        run.stale.clear();
        run.over = false;
        run.given_up = false;
        run.slots = (self.program.slots().iter())
            .map(|decl| match &decl.kind {
                SlotKind::Task { entry, .. } | SlotKind::Item { entry, .. } => self.starting(entry, 0),
                SlotKind::Worker => Slot::empty(),
            })
            .collect();
        lock(&self.kept).result.executions += 1;
    }

    /// A task at its start. Its first step is asked of the program, so that it is known before the
    /// task's thread has run; the thread must say the same.
    fn starting(&self, entry: &Entry, choices: usize) -> Slot {
        let phase = match self.program.start(entry).1 {
            Next::Step(op, _) => Phase::Ready(op),
            Next::Done => Phase::Ended,
        };
        Slot {
            phase,
            entry: Some(entry.clone()),
            frames: vec![Vec::new()],
            choices,
            fresh: true,
            was_ready: true,
            ..Slot::empty()
        }
    }

    /// What the task in a slot runs; `None` if there is none.
    pub(super) fn entry(&self, slot: usize) -> Option<Entry> {
        let run = lock(&self.run);
        match run.slots[slot].phase {
            Phase::Ready(_) if !run.over => run.slots[slot].entry.clone(),
            _ => None,
        }
    }

    /// The tasks after which the task in a slot starts.
    pub(super) fn after(&self, slot: usize) -> &[usize] {
        match &self.program.slots()[slot].kind {
            SlotKind::Task { after, .. } => after,
            _ => &[],
        }
    }

    fn may_start(&self, run: &Execution, slot: usize) -> bool {
        let ended = |before: &usize| matches!(run.slots[*before].phase, Phase::Empty | Phase::Ended);
        self.after(slot).iter().all(ended)
    }

    /// Whether the task in a slot can take its next step.
    pub(super) fn can_go_on(&self, run: &Execution, slot: usize) -> bool {
        match &run.slots[slot].phase {
            Phase::Ready(op) => {
                enabled(self.program.layout(), &run.memory, slot, op) && self.may_start(run, slot)
            }
            _ => false,
        }
    }

    /// A task is about to take this step. Whether it is its first.
    pub(super) fn announce(&self, slot: usize, op: &Op) -> bool {
        let mut run = lock(&self.run);
        if run.over {
            return false;
        }
        let first = run.slots[slot].fresh;
        if std::mem::take(&mut run.slots[slot].fresh) {
            let first = &run.slots[slot].phase;
            assert!(*first == Phase::Ready(op.clone()), "internal: {op:?} is first, not {first:?}");
        }
        run.slots[slot].phase = Phase::Ready(op.clone());
        if !first {
            // What others did in the meantime has not been looked at.
            let meantime = run.slots[slot].moved_at != run.steps.len();
            run.slots[slot].was_ready = meantime || self.can_go_on(&run, slot);
        }
        first
    }

    /// Whether a task could have taken the step that it has announced, now or before.
    pub(super) fn was_ready(&self, slot: usize) -> bool {
        lock(&self.run).slots[slot].was_ready
    }

    /// A task's function has returned.
    pub(super) fn returned(&self, slot: usize) {
        let mut run = lock(&self.run);
        // A task that gave its slot back may have a successor by now.
        if run.slots[slot].frames.is_empty() || run.over {
            return;
        }
        run.slots[slot].frames.clear();
        run.slots[slot].phase = Phase::Ended;
    }

    /// Takes the step that a task has announced; it must be able to. `read`: the step is a load, and
    /// this is the byte that it reads.
    pub(super) fn take(
        &self,
        slot: usize,
        touched: Option<&[CellId]>,
        read: Option<(CellId, u8)>,
        pick: Pick<'_>,
    ) -> Step<Obs> {
        let mut guard = lock(&self.run);
        let run = &mut *guard;
        if run.over {
            return Err(Pause);
        }
        let Phase::Ready(op) = run.slots[slot].phase.clone() else {
            unreachable!("internal: a task without a next step takes one");
        };
        let layout = self.program.layout();
        assert!(enabled(layout, &run.memory, slot, &op), "internal: {op:?} is taken and not enabled");
        let mut outcome = 0;
        if op.outcomes() > 1 {
            let number = run.slots[slot].choices;
            run.slots[slot].choices += 1;
            let choice = Choosing { slot, number, step: run.steps.len(), of: op.outcomes() };
            let Some(picked) = pick(&mut lock(&self.kept), choice) else {
                run.over = true;
                run.given_up = true;
                return Err(Pause);
            };
            outcome = picked;
        }
        let before = run.memory.clone();
        let turn = Turn { slot, outcome };
        if let Some((cell, byte)) = read {
            self.read(run, slot, cell, byte);
        }
        let mut slots = Threads { shared: self, slots: &mut run.slots };
        let stepped = step(&*self.program, &mut run.memory, &mut slots, slot, &op, outcome);
        if read.is_some() {
            // A load writes nothing.
            run.memory.clone_from(&before);
        }
        let stepped = match stepped {
            Ok(stepped) => stepped,
            Err(Stop::Hazard(hazard)) => {
                run.memory = before;
                self.hazard(run, &hazard, turn, touched);
                run.slots[slot].phase = Phase::Stuck(op);
                return Err(Pause);
            }
            Err(Stop::Bound(bound)) => {
                self.cut(run, &bound.words(&*self.program));
                return Err(Pause);
            }
        };
        if let Some(hazard) = stepped.warning {
            self.hazard(run, &hazard, turn, touched);
        }
        run.steps.push(turn);
        run.touched.push(touched.unwrap_or_default().to_vec());
        run.slots[slot].moved_at = run.steps.len();
        for other in 0..run.slots.len() {
            run.slots[other].was_ready |= self.can_go_on(run, other);
        }
        if run.steps.len() >= self.step_limit {
            self.judge(run);
            self.look_for_cycle(run);
            self.cut(run, &format!("a run of {} steps was not followed further", self.step_limit));
            return Err(Pause);
        }
        Ok(stepped.observed)
    }

    /// Puts a value into memory that a task may read there.
    fn read(&self, run: &mut Execution, slot: usize, cell: CellId, byte: u8) {
        let info = self.program.layout().info(cell);
        let now = std::mem::replace(&mut run.memory[info.offset], byte);
        if now != byte {
            let task = &self.program.slots()[slot].name;
            run.stale.push(format!("{task} reads {byte} from {}, which is {now}", info.name));
        }
    }

    /// Looks whether the run has come back to a state where it was.
    pub(super) fn look_for_cycle(&self, run: &Execution) {
        {
            let mut kept = lock(&self.kept);
            let known = kept.result.shown.iter().any(|shown| shown.id == id::LIVELOCK);
            if known || kept.looked_at == LOOKS || !run.stale.is_empty() {
                return;
            }
            kept.looked_at += 1;
        }
        if let Some(lasso) = lasso(&*self.program, &self.initial, &run.steps) {
            let schedule = run.steps[..lasso.ends].to_vec();
            let shown =
                Shown { id: id::LIVELOCK.to_owned(), schedule, at_rest: false, cycle: Some(lasso.begins) };
            lock(&self.kept).result.shown.push(shown);
        }
    }

    /// Ends the run: not everything that it could have shown was seen.
    pub(super) fn cut(&self, run: &mut Execution, why: &str) {
        run.over = true;
        lock(&self.kept).result.cut.get_or_insert_with(|| why.to_owned());
    }

    /// A step is a hazard. One that comes after a deadlock does not count, unless it can come first.
    fn hazard(&self, run: &Execution, hazard: &Hazard, turn: Turn, touched: Option<&[CellId]>) {
        let dead = self.is_dead(run);
        let mut schedule = run.steps.clone();
        if dead {
            self.found(run, id::DEADLOCK, schedule.clone(), false);
            // Whoever tries all schedules comes across one in which it is first.
            let Some(touched) = touched else { return };
            schedule = past(run, turn.slot, touched);
        }
        schedule.push(turn);
        self.found(run, hazard.id, schedule, false);
    }

    /// Keeps what was found, if it is new and holds when it is repeated.
    fn found(&self, run: &Execution, id: &str, schedule: Vec<Turn>, at_rest: bool) {
        let mut kept = lock(&self.kept);
        let known = kept.result.shown.iter().position(|shown| shown.id == id);
        if known.is_some_and(|known| kept.result.shown[known].schedule.len() <= schedule.len()) {
            return;
        }
        let steps = schedule.len();
        let shown = Shown { id: id.to_owned(), schedule, at_rest, cycle: None };
        match (confirm(&*self.program, &self.initial, shown), known) {
            (Some(shown), Some(known)) => kept.result.shown[known] = shown,
            (Some(shown), None) => kept.result.shown.push(shown),
            (None, None) if !run.stale.is_empty() => {
                let weak = &mut kept.result.weak_only;
                let only = WeakOnly { id: id.to_owned(), steps, stale: run.stale.clone() };
                match weak.iter_mut().find(|known| known.id == id) {
                    Some(known) if known.steps > steps => *known = only,
                    Some(_) => {}
                    None => weak.push(only),
                }
            }
            (None, _) => {}
        }
    }

    /// Whether tasks wait for each other.
    pub(super) fn is_dead(&self, run: &Execution) -> bool {
        let all_holds: Vec<Vec<Hold>> = run.slots.iter().map(|slot| holds(&slot.frames)).collect();
        !deadlocked(&*self.program, &run.memory, &Here { shared: self, run, holds: &all_holds }).is_empty()
    }

    /// Looks at a state after which this run does not go on.
    pub(super) fn judge(&self, run: &Execution) {
        if run.given_up {
            return;
        }
        if self.is_dead(run) {
            self.found(run, id::DEADLOCK, run.steps.clone(), false);
            return;
        }
        let at_rest = |slot: usize| match &run.slots[slot].phase {
            Phase::Empty | Phase::Ended => true,
            Phase::Ready(op) => {
                let rests = self.program.slots()[slot].kind.rests(op);
                (rests && !enabled(self.program.layout(), &run.memory, slot, op))
                    || !self.may_start(run, slot)
            }
            Phase::Stuck(_) => false,
        };
        if !(0..run.slots.len()).all(at_rest) {
            return;
        }
        for hazard in self.program.at_quiescence(&run.memory) {
            self.found(run, hazard.id, run.steps.clone(), true);
        }
        let mut kept = lock(&self.kept);
        if !kept.terminal.contains(&run.memory) {
            if kept.terminal.len() < self.terminal_limit {
                kept.terminal.insert(run.memory.clone());
            } else {
                kept.result.terminal_cut = true;
            }
        }
    }

    /// Checks that cells that never change in a search have not changed here; after a deadlock runs
    /// go where no search follows, and end here. (So do runs after a stale value, which go on: nobody
    /// claims that all of them are tried.)
    pub(super) fn check_unchanged(&self, changes: &[bool]) {
        let mut run = lock(&self.run);
        if !run.stale.is_empty() {
            return;
        }
        let changed = |run: &Execution| {
            let cells = self.program.layout().ids().zip(changes);
            let mut infos =
                cells.filter(|(_, changes)| !**changes).map(|(cell, _)| self.program.layout().info(cell));
            infos.find(|info| run.memory[info.range()] != self.initial[info.range()])
        };
        if let Some(info) = changed(&run) {
            let name = &info.name;
            assert!(self.is_dead(&run), "internal: {name} changes here and never does in the search");
            self.judge(&run);
            run.over = true;
        }
    }

    /// What was found, when all runs have been made.
    pub(super) fn finish(&self) -> Result {
        let mut kept = lock(&self.kept);
        let mut result = std::mem::take(&mut kept.result);
        result.shown.sort_by(|a, b| a.id.cmp(&b.id));
        let shown: Vec<String> = result.shown.iter().map(|shown| shown.id.clone()).collect();
        result.weak_only.retain(|weak| !shown.contains(&weak.id));
        result.weak_only.sort_by(|a, b| a.id.cmp(&b.id));
        result.terminal = kept.terminal.drain(..).collect();
        result.terminal.sort_unstable();
        result
    }

    /// Whether the time is up.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Runs a task on this thread, on a backend that takes its steps. Whether its function returned.
    pub(super) fn run_task(&self, backend: &dyn Backend, entry: &Entry) -> bool {
        let cpu = Cpu::new(backend, self.program.layout(), entry);
        self.program.run(&cpu, entry).is_ok()
    }

    pub(super) fn enter(&self, slot: usize, frame: Frame<'_>) -> Entered {
        let mut run = lock(&self.run);
        // The arguments of a function are no observations, the carried value of a loop is one.
        let atoms = if frame.name.is_empty() { frame.args } else { &[] };
        run.slots[slot].frames.push(atoms.to_vec());
        Entered::Run(atoms.into())
    }

    pub(super) fn turn(&self, slot: usize, carried: Vec<Obs>) {
        let mut run = lock(&self.run);
        if let Some(frame) = run.slots[slot].frames.last_mut() {
            *frame = carried;
        }
    }

    pub(super) fn leave(&self, slot: usize, result: Vec<Obs>) {
        let mut run = lock(&self.run);
        run.slots[slot].frames.pop();
        if let Some(frame) = run.slots[slot].frames.last_mut() {
            frame.extend(result);
        }
    }
}

/// A run, for what tasks wait for.
struct Here<'a, P: Program> {
    shared: &'a Shared<P>,
    run: &'a Execution,
    holds: &'a [Vec<Hold>],
}

impl<P: Program> Tasks for Here<'_, P> {
    fn task(&self, slot: usize) -> Option<TaskView<'_>> {
        let task = &self.run.slots[slot];
        match &task.phase {
            Phase::Ready(op) | Phase::Stuck(op) if self.shared.may_start(self.run, slot) => {
                Some(TaskView::new(op, &self.holds[slot], task.entry.as_ref()?))
            }
            Phase::Ready(_) | Phase::Stuck(_) | Phase::Empty | Phase::Ended => None,
        }
    }
}

/// The steps that must come before a step that touches these cells, in order: those of its own task
/// and those that touch what it, or one that must come before it, touches.
fn past(run: &Execution, slot: usize, touched: &[CellId]) -> Vec<Turn> {
    let mut slots = IndexSet::from([slot]);
    let mut cells: IndexSet<CellId> = touched.iter().copied().collect();
    let mut kept = Vec::new();
    for (turn, touched) in run.steps.iter().zip(&run.touched).rev() {
        if slots.contains(&turn.slot) || touched.iter().any(|cell| cells.contains(cell)) {
            slots.insert(turn.slot);
            cells.extend(touched);
            kept.push(*turn);
        }
    }
    kept.reverse();
    kept
}
