//! The subject: the driver core of Linux, by revision.

pub mod ids;
pub mod world;
