//! The driver core of Linux, modelled by hand, by revision: a subject of [`raddle_probing`].
//!
//! The files follow drivers/base/*.c, step by step; what each leaves out stands at its head. [`rules`] holds
//! the decisions that patches changed, [`revision`] the revisions that are sets of them, [`hand_model`] makes
//! a subject of it all.

pub mod attach_work;
pub mod bus;
pub mod core;
pub mod cpu;
pub mod dd;
pub mod deferred;
pub mod driver;
pub mod hand_model;
pub mod links;
pub mod nvdimm;
pub mod probe;
pub mod release;
pub mod revision;
pub mod rules;

use include_dir::include_dir;
use raddle_probing::scenario::Terms;
use raddle_probing::sources::Sources;

/// The source of this crate.
pub static SOURCES: Sources =
    Sources::new("model/driver_core/", file!(), include_dir!("$CARGO_MANIFEST_DIR"));

/// What scenarios may name: revisions and rules.
#[must_use]
pub fn terms() -> Terms {
    Terms {
        revisions: revision::REVISIONS.iter().map(|revision| revision.name).collect(),
        rules: rules::RULES.iter().map(|rule| (rule.name, rule.words)).collect(),
    }
}
