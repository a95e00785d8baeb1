//! raddle
pub mod driver_core;
