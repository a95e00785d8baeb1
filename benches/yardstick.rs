//! The yardstick: one small model that SPIN, TLC and stateright were given too, with identical results.
//!
//! Some devices, some asynchronous drivers, and one task that unregisters the first driver. Each comment
//! `A0`, `H0`, `U0` is one atomic step, as in the other checkers' models. It is a yardstick for the
//! machine and the searches, not the driver core.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use raddle_checker::automaton::functions::{Functions, Subject};
use raddle_checker::machine::cpu::{Cpu, Step};
use raddle_checker::machine::hazard::{About, Hazard};
use raddle_checker::machine::layout::{Cell, CellId, Field, Kind, Layout, Part};
use raddle_checker::machine::op::{Action, Entry, Event, Op, Touch};
use raddle_checker::machine::value::{Datum, Object, Obs, Sort};

/// What the other checkers found, for some devices and drivers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How many devices.
    pub devices: u8,
    /// How many drivers.
    pub drivers: u8,
    /// Distinct states.
    pub states: usize,
    /// Steps, the one to the initial state included.
    pub transitions: usize,
    /// Steps that are hazard 1 and hazard 2.
    pub hazards: [usize; 2],
}

const fn row(devices: u8, drivers: u8, states: usize, transitions: usize, hazards: [usize; 2]) -> Row {
    Row { devices, drivers, states, transitions, hazards }
}

/// The rows that take a search of all states seconds at the most.
pub const ROWS: [Row; 8] = [
    row(1, 1, 101, 156, [1, 5]),
    row(1, 2, 2_037, 4_838, [10, 94]),
    row(2, 1, 2_087, 5_062, [32, 226]),
    row(1, 3, 31_952, 100_511, [96, 1_352]),
    row(3, 1, 41_063, 136_898, [768, 6_918]),
    row(2, 2, 358_686, 1_300_430, [2_689, 35_072]),
    row(1, 4, 449_616, 1_749_097, [896, 17_632]),
    row(4, 1, 779_879, 3_315_714, [16_384, 178_886]),
];

/// The ids of the two hazards: a freed driver is used, and stale driver data is read.
pub const HAZARDS: [&str; 2] = ["use-after-free", "stale-drvdata"];

const ATTACH: u8 = 0;
const HELPER: u8 = 1;
const UNREGISTER: u8 = 2;

const USE: u8 = 0;
const PROBE: u8 = 1;
const OUTCOME: u8 = 2;

/// A driver that has been registered, and one that has been freed.
const REGISTERED: u8 = 1;
const FREED: u8 = 2;

const DRIVER: Sort = Sort(1);
const WORK: Sort = Sort(2);
/// What a driver keeps of a device that it has probed.
const STATE: Object = Object { sort: Sort(3), index: 0 };

const fn device<T>(d: u8, field: u8) -> Cell<T> {
    Cell::new(Object { sort: Sort(0), index: d }, Field(field))
}

const fn lock(d: u8) -> Cell<()> {
    device(d, 0)
}

/// The driver with this number, from 1.
const fn the(r: u8) -> Object {
    Object { sort: DRIVER, index: r }
}

/// NULL or a driver.
const fn driver(d: u8) -> Cell<Option<Object>> {
    device(d, 1)
}

/// NULL, a stashed driver, or the driver's own state.
const fn drvdata(d: u8) -> Cell<Option<Object>> {
    device(d, 2)
}

const fn refc(d: u8) -> Cell<u8> {
    device(d, 3)
}

const fn bound(d: u8) -> Cell<bool> {
    device(d, 4)
}

const fn reg(r: Object) -> Cell<u8> {
    Cell::new(r, Field(0))
}

const fn attached(r: Object) -> Cell<bool> {
    Cell::new(r, Field(1))
}

/// How many steps were hazard 1 and hazard 2.
#[derive(Clone, Debug, Default)]
pub struct Hits(Arc<[AtomicUsize; 2]>);

impl Hits {
    /// So many until now.
    #[must_use]
    pub fn get(&self) -> [usize; 2] {
        [0, 1].map(|i| self.0[i].load(Ordering::Relaxed))
    }
}

/// The tasks of the yardstick.
#[derive(Debug)]
pub struct Yardstick {
    devices: u8,
    drivers: u8,
    layout: Layout,
    /// Hazards stop the search at their step; otherwise they are only counted.
    stop: bool,
    hits: Hits,
}

impl Yardstick {
    /// Its program. If `stop`, the hazards are hazards; otherwise they leave no mark, as for the other
    /// checkers, and are counted.
    #[must_use]
    pub fn program(devices: u8, drivers: u8, stop: bool) -> (Functions<'static>, Hits) {
        let mut layout = Layout::new();
        for d in 0..devices {
            layout.immortal(lock(d).object, format!("dev{d}"));
            layout.cell(lock(d), format!("dev{d}.lock"), Kind::Lock);
            layout.cell(driver(d), format!("dev{d}.driver"), Kind::Pointer(vec![DRIVER]));
            layout.cell(drvdata(d), format!("dev{d}.drvdata"), Kind::Pointer(vec![DRIVER, STATE.sort]));
            layout.cell(refc(d), format!("dev{d}.refc"), Kind::Count);
            layout.cell(bound(d), format!("dev{d}.bound"), Kind::Bool);
        }
        layout.immortal(STATE, "driver's state");
        for r in 1..=drivers {
            layout.immortal(the(r), format!("drv{r}"));
            layout.cell(reg(the(r)), format!("drv{r}.reg"), Kind::Int);
            layout.cell(attached(the(r)), format!("drv{r}.attached"), Kind::Bool);
            for d in 0..devices {
                let pend = pend(drivers, d, the(r));
                layout.immortal(pend.object, format!("work{d}.{r}"));
                layout.cell(pend, format!("work{d}.{r}.pend"), Kind::Bool);
            }
        }
        let hits = Hits::default();
        let subject = Yardstick { devices, drivers, layout: layout.clone(), stop, hits: hits.clone() };
        let mut program = Functions::new(layout, subject);
        for d in 0..devices {
            program = program.with(refc(d), 1);
        }
        for r in 1..=drivers {
            let entry = Entry { function: ATTACH, args: vec![Obs::Id(the(r))] };
            program = program.task(&format!("attach({r})"), entry);
        }
        let entry = Entry { function: UNREGISTER, args: Vec::new() };
        // It waits until attach(1), in slot 0, has set `attached`, which is the last thing that one does.
        let program = program.task_after("unregister", entry, &[0]);
        (program.workers(usize::from(devices) * usize::from(drivers)), hits)
    }

    fn attach(&self, cpu: &Cpu<'_>, r: Object) -> Step<()> {
        cpu.store(reg(r), REGISTERED)?; // A0
        cpu.repeat(0u8, |d| {
            if d == self.devices {
                return Ok(ControlFlow::Break(()));
            }
            cpu.lock(lock(d))?; // A1
            cpu.call("schedule", &[Obs::Int(d)], || {
                // A2
                if !is(cpu, driver(d), None)? {
                    return Ok(());
                }
                cpu.observe::<()>(Action::Get(cpu.cell(refc(d))))?; // A3
                cpu.store(drvdata(d), Some(r))?; // A4
                let entry = Entry { function: HELPER, args: vec![Obs::Int(d), Obs::Id(r)] };
                cpu.observe(Action::Spawn(cpu.cell(pend(self.drivers, d, r)), entry)) // A5
            })?;
            cpu.unlock(lock(d))?; // A6
            Ok(ControlFlow::Continue(d + 1))
        })?;
        cpu.store(attached(r), true) // A7
    }

    fn helper(&self, cpu: &Cpu<'_>, d: u8, r: Object) -> Step<()> {
        let pend = pend(self.drivers, d, r);
        cpu.step(vec![Action::Lock(cpu.cell(lock(d))), cpu.storing(pend, false)])?; // H0
        cpu.call("bind", &[], || {
            // H1
            if is(cpu, driver(d), None)? && cpu.call("match", &[], || self.take_stashed(cpu, d))? {
                self.probe(cpu, d)?;
            }
            Ok(())
        })?;
        cpu.unlock(lock(d))?; // H10
        // It never gives its worker back: a finished work differs from one that was not scheduled.
        cpu.observe::<bool>(Action::Dec(cpu.cell(refc(d)))).map(|_| ()) // H11
    }

    fn take_stashed(&self, cpu: &Cpu<'_>, d: u8) -> Step<bool> {
        let drv = cpu.load(drvdata(d))?; // H2
        cpu.touch(lock(d).object)?; // H3, which looks at the local `drv` only
        let Some(drv) = drv else {
            return Ok(false);
        };
        telling(cpu, reg(drv), USE)?; // H4
        cpu.store(driver(d), Some(drv))?; // H5
        Ok(true)
    }

    fn probe(&self, cpu: &Cpu<'_>, d: u8) -> Step<()> {
        telling(cpu, drvdata(d), PROBE)?; // H6
        let choose = Op::from(Action::Choose(2))
            .telling(Event { kind: OUTCOME, args: [Obs::Int(d), Obs::Unit, Obs::Unit] });
        match cpu.observe::<u8>(choose)? {
            // H7
            0 => cpu.store(bound(d), true),   // H8
            _ => cpu.store(drvdata(d), None), // H9
        }
    }

    fn unregister(&self, cpu: &Cpu<'_>) -> Step<()> {
        cpu.touch(lock(0).object)?; // U0
        cpu.repeat(0u8, |d| {
            if d == self.devices {
                return Ok(ControlFlow::Break(()));
            }
            cpu.lock(lock(d))?; // U1
            cpu.call("release", &[Obs::Int(d)], || {
                // U2
                if is(cpu, driver(d), Some(the(1)))? {
                    cpu.store(bound(d), false)?; // U3
                    cpu.store(driver(d), None)?; // U4
                    cpu.store(drvdata(d), None)?; // U5
                }
                Ok(())
            })?;
            cpu.unlock(lock(d))?; // U6
            Ok(ControlFlow::Continue(d + 1))
        })?;
        cpu.store(reg(the(1)), FREED) // U7
    }

    fn cell<T>(&self, cell: Cell<T>) -> (CellId, usize) {
        let id = self.layout.find(cell);
        (id, self.layout.info(id).offset)
    }

    fn hit(&self, which: usize) -> Result<(), Hazard> {
        if self.stop {
            return Err(Hazard::new(HAZARDS[which], About::Program, HAZARDS[which]));
        }
        self.hits.0[which].fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

const fn pend(drivers: u8, d: u8, r: Object) -> Cell<bool> {
    Cell::new(Object { sort: WORK, index: d * drivers + r.index - 1 }, Field(0))
}

/// Whether a cell has a value; nothing else of it is remembered.
fn is(cpu: &Cpu<'_>, cell: Cell<Option<Object>>, value: Option<Object>) -> Step<bool> {
    cpu.call("is", &[value.to_obs()], || Ok(cpu.load(cell)? == value))
}

/// Reads a cell for the checks only: the task remembers nothing of it.
fn telling<T>(cpu: &Cpu<'_>, cell: Cell<T>, kind: u8) -> Step<()> {
    cpu.call("telling", &[Obs::Int(kind)], || {
        cpu.step(Op::from(Action::Load(cpu.cell(cell))).telling(Event { kind, args: [Obs::Unit; 3] }))
            .map(|_| ())
    })
}

impl Subject for Yardstick {
    fn run(&self, cpu: &Cpu<'_>, task: &Entry) -> Step<()> {
        match (task.function, task.args.as_slice()) {
            (ATTACH, [Obs::Id(r)]) => self.attach(cpu, *r),
            (HELPER, [Obs::Int(d), Obs::Id(r)]) => self.helper(cpu, *d, *r),
            (UNREGISTER, []) => self.unregister(cpu),
            other => unreachable!("there is no task {other:?}"),
        }
    }

    /// A work moves with its driver.
    fn belongs(&self, object: Object, renamed: &dyn Fn(Object) -> Object) -> Object {
        if object.sort != WORK {
            return object;
        }
        let (d, r) = (object.index / self.drivers, object.index % self.drivers + 1);
        pend(self.drivers, d, renamed(the(r))).object
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        match (event.kind, event.args[0]) {
            (OUTCOME, Obs::Int(d)) => {
                let written = |cell| (cell, Part::Whole, Touch::Write);
                vec![written(self.cell(driver(d)).0), written(self.cell(drvdata(d)).0)]
            }
            _ => Vec::new(),
        }
    }

    /// The hazards; and the stores of H7, since a choice that stores too is one step there.
    fn event(&self, event: &Event, observed: Obs, memory: &mut [u8]) -> Result<(), Hazard> {
        match (event.kind, observed, event.args[0]) {
            (USE, Obs::Int(FREED), _) => return self.hit(0),
            (PROBE, Obs::Id(_), _) => return self.hit(1),
            (OUTCOME, Obs::Int(0), Obs::Int(d)) => {
                let (cell, place) = self.cell(drvdata(d));
                memory[place] = self.layout.encode(cell, Obs::Id(STATE));
            }
            (OUTCOME, Obs::Int(_), Obs::Int(d)) => memory[self.cell(driver(d)).1] = 0,
            _ => {}
        }
        Ok(())
    }
}
