//! raddle: a deterministic model checker for probe races in the Linux driver core.
//!
//! A scenario is a TOML file: devices, drivers, and the calls that concurrent tasks make. raddle explores
//! every interleaving of those calls on a revision of the driver core, and either verifies the scenario
//! or shows a run, the shortest there is, that ends in a hazard.
//!
//! ```
//! use raddle::{DiagramOptions, Options, Scenario, Verdict};
//!
//! # let dir = std::env::temp_dir().join(format!("raddle-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # let path = dir.join("rmmod.toml");
//! std::fs::write(&path, r#"
//!     title = "rmmod while the asynchronous probe is still queued"
//!     revisions = ["v5.1"]
//!     [device.pmem0]
//!     initially = "added"
//!     [driver.nd_pmem]
//!     probe-type = "prefer-asynchronous"
//!     [task.insmod]
//!     run = ["driver_register(nd_pmem)"]
//!     [task.rmmod]
//!     after = ["insmod"]
//!     run = ["driver_unregister(nd_pmem)"]
//!     [rules]
//!     detach-waits-for-async = false
//! "#)?;
//!
//! for report in Scenario::load(&path)?.check(&Options::default())? {
//!     assert_eq!(report.verdict, Verdict::Violated);
//!     for violation in &report.violations {
//!         assert_eq!(violation.id, "stale-driver-pointer");
//!         println!("{}", report.text(violation, &DiagramOptions::default()));
//!     }
//! }
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * [`Scenario`] and [`Options`]: what to check and how; [`Report`]: what came of it.
//! * [`formats`]: reports as text, JSON, SARIF, JUnit, KTAP, …; [`dumped`]: traces on disk; [`page`]: HTML.
//! * [`whatif`]: what another revision, or one rule changed, would do.
//! * [`coverage`]: what the tasks of a scenario do, as tables, graphs and sample runs.
//! * [`route`]: the shortest run to a hazard that passes one function, or avoids another.
//! * [`agree`]: the same scenario on every engine.
//! * [`certified`]: certificates of verified scenarios, and what proves them again; models for SPIN and TLC.
//!
//! Scenarios are described in `docs/scenarios.md` of the repository. The searches are those of
//! `raddle-checker`, which knows nothing of drivers.

pub mod agree;
pub mod certified;
pub mod check;
pub mod coverage;
pub mod dumped;
pub mod engine;
pub mod formats;
mod guarantee;
pub mod mailed;
pub mod on_tree;
pub mod page;
pub mod report;
pub mod route;
pub mod scenario;
mod vacuous;
pub mod whatif;

pub use check::{Engine, Options};
pub use raddle_checker::Violation;
pub use raddle_checker::render::{DiagramOptions, Lines};
pub use report::{Report, Verdict};
pub use scenario::{InputErrors, Scenario};
