//! Which slot of a state a slot of a schedule is: schedules never sort their workers, states do.

use raddle_checker::machine::program::{Program, SlotKind};
use raddle_checker::search::system::{Choice, State, System};
use raddle_driver_core::hand_model::DriverCore;

/// The slot of the current state by the slot of the schedule.
pub(crate) struct SlotMap(Vec<usize>);

impl SlotMap {
    pub fn new(system: &System<'_, DriverCore>) -> Self {
        SlotMap((0..system.program().slots().len()).collect())
    }

    /// The slot of the state.
    pub fn of_state(&self, slot: usize) -> usize {
        self.0[slot]
    }

    /// The slot of the schedule.
    pub fn of_schedule(&self, slot: usize) -> usize {
        self.0.iter().position(|other| *other == slot).expect("internal: a permutation")
    }

    /// Takes a step of the state; `None` if it is a hazard.
    pub fn step(
        &mut self,
        system: &mut System<'_, DriverCore>,
        state: &State,
        choice: Choice,
    ) -> Option<State> {
        let moved = system.step(state, choice).ok()?;
        if let Some(spawned) = moved.spawned {
            // In a schedule a spawned task takes the first worker that is free.
            let worker = |place: usize| system.program().slots()[place].kind == SlotKind::Worker;
            let is_free = |place: usize| worker(place) && state.node(place).is_none();
            let free = self.0.iter().position(|place| is_free(*place)).expect("internal: a worker was free");
            let other = self.0.iter().position(|place| *place == spawned).expect("internal: a permutation");
            self.0.swap(free, other);
        }
        for place in &mut self.0 {
            *place = moved.came_from.iter().position(|slot| slot == place).expect("internal: a permutation");
        }
        Some(moved.state)
    }
}
