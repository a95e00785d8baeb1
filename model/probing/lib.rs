//! What every subject of raddle shares: the scenario language, the world that a scenario declares, its
//! memory, the events that modelled code tells, and the hazards of probing.

pub mod barrier;
pub mod ids;
pub mod objects;
pub mod properties;
pub mod scenario;
pub mod world;
