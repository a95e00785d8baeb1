//! raddle
pub mod driver_core;
pub mod scenario;
