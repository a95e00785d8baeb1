//! A kernel's own C as a subject: what a scenario's calls run in it.

use std::sync::{Arc, Mutex};

use indexmap::{IndexMap, IndexSet};
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::{Cell, Kind, Layout};
use raddle_checker::machine::op::Entry;
use raddle_checker::machine::place::{Place, SourceLine};
use raddle_checker::machine::program::Call;
use raddle_checker::machine::value::{Object, Obs, Word};
use raddle_probing::at::At;
use raddle_probing::call::KernelCall;
use raddle_probing::cpu::entry::SUBJECT;
use raddle_probing::cpu::{Cpu, DEFAULT_DOMAIN, Errno, ND_DOMAIN};
use raddle_probing::ghosts::covered_run;
use raddle_probing::ids::{Device, Devres, Driver, Module};
use raddle_probing::module::InitWaits;
use raddle_probing::objects::WorkItem;
use raddle_probing::program::Probing;
use raddle_probing::subject::{Item, Subject};
use raddle_probing::world::World;
use rustc_hash::{FxHashMap, FxHashSet};

use super::added::Added;
use super::ast::{ExprKind, Function, Macro, Name, Stmt, Type};
use super::contracts::Contracts;
use super::devres::Notes;
use super::interp::{Interp, domain_path};
use super::known::{PRINTS, is_primitive, is_special};
use super::links::Links;
use super::live;
use super::map::Map;
use super::reach::Reach;
use super::statement::{self, Reached, Statement};
use super::table::Tables;
use super::tree::Tree;
use super::value::{Path, Value, place, word};
use super::walk;

/// A place at which a task cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stuck {
    /// The file; where the tree lacks something that the scenario needs, that is said here.
    pub file: Name,
    /// The line; 0 where the tree lacks it.
    pub line: u32,
    /// The function.
    pub function: Name,
    /// What is not understood.
    pub what: String,
}

impl Stuck {
    /// A function of the kernel's that a scenario calls, or a flag that it gives, and that the tree does not have.
    pub(crate) fn absent(sort: &str, name: Name) -> Self {
        Stuck { file: name, line: 0, function: name, what: format!("the tree has no {sort} {name}") }
    }

    /// Whether the tree does not have what the scenario calls or gives.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.line == 0
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_absent() {
            return f.write_str(&self.what);
        }
        write!(f, "{}:{} ({}): {}", self.file, self.line, self.function, self.what)
    }
}

/// Something that is assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Assumed {
    /// What the tables say of a field, or that nothing sets it: its owner, and its path.
    Field(&'static str, Path),
    /// A function is not run.
    Stub(Name),
    /// A wait is not interrupted.
    NotInterrupted(Name),
    /// An allocation does not fail.
    FindsMemory(Name),
    /// The tree has no device links, and the scenario has some.
    NoLinks,
    /// `driver_override` is the bus'.
    BusOverride,
    /// Nobody looks at a structure.
    Ignored(Name),
    /// Modules are found, counted and given their memory by raddle.
    Loader,
    /// The devm- functions are raddle's.
    Devm,
}

/// What the name of something that is called stands for, in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// It is evaluated by hand.
    Special,
    /// Its effect is the machine's own, or a stub stands for it.
    Own,
    /// A function of the tree.
    Function(&'static Function),
    /// A macro with parameters.
    Macro(Macro),
    /// A variable that points to a function.
    Variable,
    /// Nothing is known of it.
    Unknown,
}

/// The release function of a driver's private structure.
pub(crate) const RELEASE: &str = "driver_release";

/// A scenario on a kernel's own C.
pub type OnTree<'t> = Probing<'t>;

/// A kernel's own C.
///
/// What runs find out of the tree is shared by all copies; what they assume and where they are stuck is each copy's own.
#[derive(Debug)]
pub struct KernelC {
    shared: Arc<Shared>,
    stuck: Mutex<IndexSet<Stuck>>,
    assumed: Mutex<FxHashSet<Assumed>>,
    /// A statement that is not run.
    left_out: Option<usize>,
    /// The statements that runs have come to, if that is to be known.
    reached: Option<Mutex<Reached>>,
}

/// A tree, and all that is known of it.
#[derive(Debug)]
struct Shared {
    tree: Tree,
    tables: Tables,
    contracts: Contracts,
    map: Map,
    reach: Reach,
    /// The functions of async entries, with their domains; an entry's number is the function's place.
    spawned: Vec<(Name, u8)>,
    takes_drivers_lock: bool,
    runs_release: bool,
    /// For each number of work items' functions, whether they may probe devices.
    probing: Vec<bool>,
    /// By name and file, each by its [`place`].
    callees: Mutex<FxHashMap<[(usize, usize); 2], Callee>>,
    constants: Mutex<FxHashMap<Name, Option<i128>>>,
    typedefs: Mutex<FxHashMap<Name, Option<Type>>>,
    /// By loop, the variables that it need not carry.
    dead: Mutex<FxHashMap<usize, Arc<[Name]>>>,
}

impl KernelC {
    /// A tree, ready to be run.
    #[must_use]
    pub fn new(tree: Tree, tables: Tables) -> Self {
        let reach = tree.reached(&tables);
        let contracts = Contracts::ours();
        let spawned = spawned(&reach);
        let (links, notes) = (Links::of(&tree), Notes::of(&tree));
        let added =
            Added::of(&tree, &reach, &Map::new(&tables, Added::default(), links, notes), &tables.ignored);
        let probing: Vec<bool> = added
            .works
            .iter()
            .map(|functions| {
                let reached = tree.reach(functions, &tables);
                contracts.probing().any(|probe| reached.functions.keys().any(|(name, _)| *name == probe))
            })
            .collect();
        let map = Map::new(&tables, added, links, notes);
        let shared = Shared {
            tree,
            tables,
            contracts,
            probing,
            map,
            takes_drivers_lock: takes_drivers_lock(&reach),
            runs_release: runs_release(&reach),
            reach,
            spawned,
            callees: Mutex::default(),
            constants: Mutex::default(),
            typedefs: Mutex::default(),
            dead: Mutex::default(),
        };
        KernelC::of(Arc::new(shared))
    }

    /// A copy of which nothing has run.
    fn of(shared: Arc<Shared>) -> Self {
        KernelC { shared, stuck: Mutex::default(), assumed: Mutex::default(), left_out: None, reached: None }
    }

    /// The same without a statement.
    #[must_use]
    pub fn without(&self, statement: Statement) -> Self {
        KernelC { left_out: Some(statement.id()), ..KernelC::of(Arc::clone(&self.shared)) }
    }

    /// A copy for the runs of one scenario. [`KernelC::take_in`] takes in what they have noted.
    #[must_use]
    pub fn copy(&self) -> Self {
        let reached = self.reached.as_ref().map(|_| Mutex::default());
        KernelC { left_out: self.left_out, reached, ..KernelC::of(Arc::clone(&self.shared)) }
    }

    /// Takes in what the runs of a copy have assumed, where they were stuck and which statements they came to.
    pub fn take_in(&self, copy: &KernelC) {
        let locked = "internal: nobody panics here";
        self.stuck.lock().expect(locked).extend(copy.stuck.lock().expect(locked).iter().cloned());
        self.assumed.lock().expect(locked).extend(copy.assumed.lock().expect(locked).iter().copied());
        if let Some(reached) = &self.reached {
            reached.lock().expect(locked).take_in(copy.take_reached());
        }
    }

    /// From now on notes the statements that runs come to.
    pub fn watch(&mut self) {
        self.reached = Some(Mutex::default());
    }

    /// The statements that runs have come to since it was last asked.
    #[must_use]
    pub fn take_reached(&self) -> Reached {
        let reached =
            self.reached.as_ref().map(|reached| reached.lock().expect("internal: nobody panics here"));
        reached.map(|mut reached| std::mem::take(&mut *reached)).unwrap_or_default()
    }

    /// Whether a statement is run: all are but the one that is left out.
    pub(crate) fn runs(&self, stmt: &'static Stmt) -> bool {
        self.left_out != Some(statement::id(stmt))
    }

    /// Whether it is noted which statements runs come to.
    pub(crate) fn is_watched(&self) -> bool {
        self.reached.is_some()
    }

    /// Notes that a run has come to a statement, and whether that has done something.
    pub(crate) fn reaches(&self, stmt: &'static Stmt, acts: bool) {
        if let Some(reached) = &self.reached {
            reached.lock().expect("internal: nobody panics here").insert(statement::id(stmt), acts);
        }
    }

    /// Whether of a call of this function nothing is run: a stub stands for it, or it prints.
    #[must_use]
    pub fn passes_over(&self, function: &str) -> bool {
        let stub = self.shared.tables.stubs.get(function).filter(|stub| !stub.without_links);
        stub.is_some() || PRINTS.contains(&function)
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.shared.tree
    }

    /// What scenarios reach of it.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.shared.reach
    }

    /// The tables of stubs and fields.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.shared.tables
    }

    /// What has cells of its own because no table names it.
    #[must_use]
    pub fn added(&self) -> &Added {
        self.shared.map.added()
    }

    /// Functions that contracts name and that the tree does not have: what they tell is never told.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        let names: IndexSet<&str> = self.shared.contracts.functions().collect();
        names
            .into_iter()
            .filter(|name| self.shared.tree.function(name, "drivers/base/dd.c").is_none())
            .collect()
    }

    /// What stood at this place when a task could not go on.
    #[must_use]
    pub fn stuck_at(&self, file: &str, line: u32) -> Option<Stuck> {
        let all = self.stuck.lock().expect("internal: nobody panics here");
        all.iter().filter(|stuck| stuck.file == file && stuck.line == line).min().cloned()
    }

    /// All places at which a task could not go on, reached or only prepared for.
    #[must_use]
    pub fn all_stuck(&self) -> Vec<Stuck> {
        let mut all: Vec<Stuck> =
            self.stuck.lock().expect("internal: nobody panics here").iter().cloned().collect();
        all.sort_unstable();
        all
    }

    /// The assumptions that have been made so far, in order.
    #[must_use]
    pub fn assumptions(&self) -> Vec<String> {
        let assumed = self.assumed.lock().expect("internal: nobody panics here");
        let mut all: Vec<String> = assumed.iter().filter_map(|what| self.in_words(*what)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn in_words(&self, what: Assumed) -> Option<String> {
        match what {
            Assumed::Field(owner, path) => self.shared.map.assumption(owner, path),
            Assumed::Stub(name) => {
                let stub = self.shared.tables.stubs.get(name)?;
                Some(format!("{name} is not run: {}", stub.reason))
            }
            Assumed::NotInterrupted(name) => Some(format!("{name} is not interrupted")),
            Assumed::FindsMemory(name) => Some(format!("{name} finds memory")),
            Assumed::NoLinks => Some("no device link is made: the tree has no device_link_add".to_owned()),
            Assumed::Ignored(record) => {
                let reason = self.shared.tables.ignored.get(record)?;
                Some(format!("nobody looks at a {record}: {reason}"))
            }
            Assumed::Loader => Some(
                "of the loader of modules do_init_module and delete_module are run: raddle's own code loads what they \
                 are given, counts references, and calls init and exit"
                    .to_owned(),
            ),
            Assumed::Devm => Some(
                "the devm- functions are not run: what a probe has acquired is allocated and added by devres_add, and \
                 what it releases early by devres_release"
                    .to_owned(),
            ),
            Assumed::BusOverride => {
                Some("driver_override is the bus', for which raddle's own code stands".to_owned())
            }
        }
    }

    pub(crate) fn map(&self) -> &Map {
        &self.shared.map
    }

    pub(crate) fn contracts(&self) -> &Contracts {
        &self.shared.contracts
    }

    pub(crate) fn constant(&self, name: Name) -> Option<i128> {
        let mut known = self.shared.constants.lock().expect("internal: nobody panics here");
        *known.entry(name).or_insert_with(|| {
            let table = || self.shared.tables.constants.get(name).map(|number| i128::from(*number));
            self.shared.tree.constant(name).or_else(table)
        })
    }

    /// What a name stands for that is called in a file.
    pub(crate) fn callee(&self, name: Name, file: Name) -> Callee {
        let mut known = self.shared.callees.lock().expect("internal: nobody panics here");
        *known.entry([name, file].map(place)).or_insert_with(|| {
            let tree = self.tree();
            let own = is_primitive(name) || name.starts_with('<') || self.tables().stubs.contains_key(name);
            let made = || tree.macro_of(name, file).filter(|made| made.params.is_some());
            if is_special(name) {
                Callee::Special
            } else if own {
                Callee::Own
            } else if let Some(function) = tree.function(name, file) {
                Callee::Function(function)
            } else if let Some(made) = made() {
                Callee::Macro(made)
            } else if self.map().knows("global", name) {
                Callee::Variable
            } else {
                Callee::Unknown
            }
        })
    }

    pub(crate) fn typedef(&self, name: Name) -> Option<Type> {
        let mut known = self.shared.typedefs.lock().expect("internal: nobody panics here");
        known.entry(name).or_insert_with(|| self.shared.tree.typedef(name)).clone()
    }

    /// The variables that a loop of a function need not carry.
    pub(crate) fn dead(&self, function: &'static Function, whole: &'static Stmt) -> Arc<[Name]> {
        let mut known = self.shared.dead.lock().expect("internal: nobody panics here");
        let found = known.entry(statement::id(whole)).or_insert_with(|| live::dead(function, whole).into());
        Arc::clone(found)
    }

    pub(crate) fn note_stuck(&self, stuck: Stuck) {
        self.stuck.lock().expect("internal: nobody panics here").insert(stuck);
    }

    pub(crate) fn assume(&self, what: Assumed) {
        self.assumed.lock().expect("internal: nobody panics here").insert(what);
    }

    /// Whether some function takes the spinlock of a bus' klist of drivers by hand.
    pub(crate) fn takes_drivers_lock(&self) -> bool {
        self.shared.takes_drivers_lock
    }

    /// Whether what frees a driver's private structure does more than that.
    pub(crate) fn runs_release(&self) -> bool {
        self.shared.runs_release
    }

    /// The number of an async entry that runs this function, and its domain.
    pub(crate) fn spawned(&self, function: Name) -> Option<(u8, u8)> {
        let at = self.shared.spawned.iter().position(|(name, _)| *name == function)?;
        Some((SUBJECT + u8::try_from(at).ok()?, self.shared.spawned[at].1))
    }

    /// Whether an async entry of this function is for one driver: the one that found the device.
    pub(crate) fn is_for_driver(&self, function: Name) -> bool {
        function.contains("driver_attach")
    }

    /// The number of an async domain.
    pub(crate) fn domain_of(&self, value: &Value) -> u8 {
        match domain_path(value) {
            Some("async_dfl_domain") | None => DEFAULT_DOMAIN,
            Some(_) => ND_DOMAIN,
        }
    }
}

/// The functions that are given to `async_schedule` and the like, in order, with their domains.
fn spawned(reach: &Reach) -> Vec<(Name, u8)> {
    let mut all: IndexMap<Name, u8> = IndexMap::new();
    for function in reach.functions.values() {
        walk::exprs(&function.body, &mut |expr| {
            if let ExprKind::Call(callee, args) = &expr.kind
                && let ExprKind::Name(name) = callee.kind
                && name.starts_with("async_schedule")
                && let Some(ExprKind::Name(function)) = args.first().map(|arg| &arg.kind)
            {
                let domain = if name.ends_with("_domain") { ND_DOMAIN } else { DEFAULT_DOMAIN };
                all.insert(function, domain);
            }
        });
    }
    all.sort_unstable_keys();
    all.into_iter().collect()
}

fn runs_release(reach: &Reach) -> bool {
    let mut frees = 0;
    for function in reach.functions.values().filter(|function| function.name == RELEASE) {
        walk::exprs(&function.body, &mut |expr| {
            if let ExprKind::Call(callee, _) = &expr.kind
                && let ExprKind::Name(name) = callee.kind
            {
                frees += match name {
                    "kfree" => 1,
                    "pr_debug" | "kobject_name" | "to_driver" => 0,
                    _ => 2,
                };
            }
        });
    }
    frees > 1
}

fn takes_drivers_lock(reach: &Reach) -> bool {
    let mut takes = false;
    for function in reach.functions.values() {
        walk::exprs(&function.body, &mut |expr| takes |= expr.text.ends_with("klist_drivers.k_lock"));
    }
    takes
}

impl Subject for &KernelC {
    fn init_waits(&self) -> InitWaits {
        // Whether anybody asks for the mark of a task, so that it is kept: do_init_module itself is run.
        let init = self.shared.tree.function("do_init_module", "kernel/module/main.c");
        let mut waits = InitWaits { if_async_used: false, unless_async_probe: false };
        if let Some(init) = init {
            walk::exprs(&init.body, &mut |expr| match expr.kind {
                ExprKind::Name("PF_USED_ASYNC") => waits.if_async_used = true,
                ExprKind::Member { field: "async_probe_requested", .. } => waits.unless_async_probe = true,
                _ => {}
            });
        }
        waits
    }

    fn driver_register(&self, cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
        Interp::new(self, cpu).driver_register(drv)
    }

    fn driver_unregister(&self, cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
        Interp::new(self, cpu).driver_unregister(drv)
    }

    fn device_add(&self, cpu: &Cpu<'_>, dev: Device) -> Step<Result<(), Errno>> {
        Interp::new(self, cpu).device_add(dev)
    }

    fn deferred_probe_work(&self, cpu: &Cpu<'_>) -> Step<()> {
        Interp::new(self, cpu).deferred_probe_work()
    }

    fn call(&self, cpu: &Cpu<'_>, call: KernelCall<Device>, of: Option<Driver>) -> Step<()> {
        Interp::new(self, cpu).kernel_call(call, of)
    }

    fn do_init_module(&self, cpu: &Cpu<'_>, module: Module) -> Step<()> {
        Interp::new(self, cpu).do_init_module(module)
    }

    fn delete_module(&self, cpu: &Cpu<'_>, module: Module) -> Step<()> {
        Interp::new(self, cpu).delete_module(module)
    }

    fn devres_add(&self, cpu: &Cpu<'_>, dev: Device, devres: Devres) -> Step<()> {
        Interp::new(self, cpu).devres_add(dev, devres)
    }

    fn devres_release(&self, cpu: &Cpu<'_>, dev: Device, devres: Devres, at: &mut At) -> Step<()> {
        Interp::new(self, cpu).devres_release(dev, devres, at)
    }

    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()> {
        let Obs::Id(object) = entry.args[0] else { unreachable!("internal: an entry without its object") };
        let at = usize::from(entry.function - SUBJECT);
        match (self.shared.spawned.get(at), entry.args.get(1)) {
            (Some((function, _)), _) => Interp::new(self, cpu).spawned(function, Value::Pointer(object, "")),
            (None, Some(Obs::Word(path))) => {
                let functions = &self.added().works[at - self.shared.spawned.len()];
                Interp::new(self, cpu).work(functions, object, path.0)
            }
            _ => unreachable!("internal: no function has this number"),
        }
    }

    fn items(&self, world: &World) -> Vec<Item> {
        let item = |(object, path, work, function): (Object, Path, Cell<u8>, u8)| {
            let name = self.added().works[usize::from(function)].join(" or ");
            let attaches = self.shared.probing[usize::from(function)].then_some(object);
            let number = if object.index > 0 { format!(" #{}", object.index + 1) } else { String::new() };
            let function = SUBJECT + self.shared.spawned.len() as u8 + function;
            Item {
                name: format!("kworker ({name}{number})"),
                entry: Entry { function, args: vec![Obs::Id(object), Obs::Word(Word(path))] },
                work: Cell::<WorkItem>::new(work.object, work.field),
                attaches,
                needs: Vec::new(),
                runs: None,
                again: false,
            }
        };
        self.shared.map.items(world).into_iter().map(item).collect()
    }

    fn domain(&self, function: u8) -> Option<u8> {
        let at = usize::from(function.checked_sub(SUBJECT)?);
        self.shared.spawned.get(at).map(|(_, domain)| *domain)
    }

    fn lay_out(&self, world: &World, layout: &mut Layout) {
        self.shared.map.lay_out(world, layout);
        let stands_for =
            [(world.loads_modules(), Assumed::Loader), (!world.devres.is_empty(), Assumed::Devm)];
        stands_for.into_iter().filter(|(stands, _)| *stands).for_each(|(_, what)| self.assume(what));
        for (object, _, work, function) in self.shared.map.items(world) {
            if self.shared.probing[usize::from(function)] {
                let name = format!("{}: covered run", layout.info(layout.find(work)).name);
                layout.ghost(covered_run(object), name, Kind::Int);
            }
        }
    }

    fn source_line(&self, at: Place) -> Option<SourceLine> {
        let text = self.shared.tree.line(at.file(), at.line())?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(SourceLine { text, added: self.shared.tree.is_added(at.file(), at.line()) })
    }

    fn outcome(&self, call: &Call, outcome: usize) -> Option<&'static str> {
        let stub = self.shared.tables.stubs.get(call.name)?;
        match &stub.stub {
            super::table::Stub::OneOf(values) => {
                Some(word(&format!("{} returns {}", call.name, values[outcome])))
            }
            super::table::Stub::Argument(_) => None,
        }
    }
}
