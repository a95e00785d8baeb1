//! The kernel's own C, as a subject of raddle.
//!
//! [`Tree::open`](tree::Tree::open) reads the driver core of a kernel as it is, unpreprocessed, with the patches under review laid
//! over it in memory. Headers and other files are read when something in them is asked for.
//!
//! ```no_run
//! use raddle_kernel_c::tree::{Tree, TreeOptions};
//!
//! let tree = Tree::open("linux".as_ref(), TreeOptions::default())?;
//! let probe = tree.function("really_probe", "drivers/base/dd.c").expect("every driver core has it");
//! println!("{}: {}:{}", tree.version(), probe.file, probe.line);
//! # Ok::<(), raddle_kernel_c::error::Error>(())
//! ```

pub mod added;
pub mod ast;
pub mod config;
mod contracts;
mod devres;
pub mod error;
pub mod index;
mod interp;
mod known;
mod links;
mod live;
mod lower;
pub mod map;
pub mod patch;
pub mod reach;
mod scan;
mod sources;
pub mod statement;
pub mod subject;
pub mod table;
mod text;
pub mod tree;
mod types;
mod value;
pub mod walk;

/// A map in the order of insertion, for keys of our own.
type FxIndexMap<K, V> = indexmap::IndexMap<K, V, rustc_hash::FxBuildHasher>;

/// A set in the order of insertion, for members of our own.
type FxIndexSet<T> = indexmap::IndexSet<T, rustc_hash::FxBuildHasher>;
