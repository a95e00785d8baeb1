//! What every subject of raddle shares: the scenario language, the world that a scenario declares, its
//! memory, the events that modelled code tells, and the hazards of probing.

mod alike;
pub mod at;
pub mod barrier;
pub mod body;
pub mod call;
pub mod calls;
mod coded;
pub mod cpu;
pub mod events;
mod files;
pub mod ghosts;
pub mod hazards;
pub mod hooks;
pub mod ids;
pub mod links;
pub mod module;
pub mod objects;
pub mod program;
pub mod properties;
pub mod queues;
pub mod runtime;
pub mod scenario;
pub mod sources;
pub mod subject;
mod words;
pub mod world;

use include_dir::include_dir;

/// The source of this crate.
pub static SOURCES: sources::Sources =
    sources::Sources::new("model/probing/", file!(), include_dir!("$CARGO_MANIFEST_DIR"));
