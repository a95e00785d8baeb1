//! A model checker for concurrent programs that are written as ordinary Rust functions.
//!
//! A program is a [`Layout`] of memory, a function that its tasks run, and the properties that it is to have.
//! Every call that ends in `?` is one atomic step; the [`Checker`] tries all interleavings of the steps of all
//! tasks and tells a shortest run to whatever goes wrong. Two tasks that take two mutexes in two orders:
//!
//! ```
//! use raddle_checker::{Cell, Checker, Cpu, Entry, Field, Functions, Kind, Layout, Object, Sort, Step, entry};
//!
//! const TABLE: Object = Object { sort: Sort(0), index: 0 };
//! const FORK: Cell<()> = Cell::new(TABLE, Field(0));
//! const KNIFE: Cell<()> = Cell::new(TABLE, Field(1));
//! const EATEN: Cell<u8> = Cell::new(TABLE, Field(2));
//!
//! let mut layout = Layout::new();
//! layout.immortal(TABLE, "table");
//! layout.cell(FORK, "fork", Kind::Lock);
//! layout.cell(KNIFE, "knife", Kind::Lock);
//! layout.cell(EATEN, "eaten", Kind::Int);
//!
//! let dine = |cpu: &Cpu<'_>, task: &Entry| -> Step<()> {
//!     let (first, second) = if task.function == 0 { (FORK, KNIFE) } else { (KNIFE, FORK) };
//!     cpu.lock(first)?;
//!     cpu.lock(second)?;
//!     let eaten = cpu.load(EATEN)?;
//!     cpu.store(EATEN, eaten + 1)?;
//!     cpu.unlock(second)?;
//!     cpu.unlock(first)
//! };
//! let program = Functions::new(layout, dine)
//!     .task("ann", entry(0))
//!     .task("bob", entry(1))
//!     .sometimes("both have eaten", |memory| memory.get(EATEN) == 2)
//!     .always("nobody eats twice", |memory| memory.get(EATEN) <= 2)
//!     .never_at_rest("a fork is missing", |memory| memory.is_locked(FORK));
//!
//! let report = Checker::new(&program).threads(2).max_states(100_000).run()?;
//! assert!(report.never.is_empty(), "there is a run in which both have eaten");
//! let deadlock = &report.violations()[0];
//! assert_eq!(deadlock.id, "deadlock");
//! println!("{}", deadlock.diagram());
//! # Ok::<(), raddle_checker::checker::Error>(())
//! ```
//!
//! [`machine`] is what a program can do, one atomic step each (mutexes, references, lists, work items, tasks that
//! are started); [`automaton`] turns functions into automata by re-execution; [`search`] visits every reachable
//! state, with partial order and symmetry reduction; [`story`] replays a schedule and keeps what happened as data;
//! [`render`] draws it. A program that is not made of Rust functions implements
//! [`Program`](machine::program::Program).

pub mod automaton;
pub mod certificate;
pub mod checker;
pub mod export;
pub mod machine;
pub mod render;
pub mod search;
pub mod story;

pub use automaton::functions::{Functions, Subject, entry};
pub use checker::{Checker, Report, Violation};
pub use machine::cpu::{Cpu, Step};
pub use machine::layout::{Cell, Field, Kind, Layout};
pub use machine::op::{Action, Entry};
pub use machine::value::{Object, Sort};
