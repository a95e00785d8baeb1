//! What gets cells by itself: fields, variables, allocated structures, lists and work items of reached functions
//! that no table names. A patch has added them, say.

use raddle_checker::machine::value::Sort;
use raddle_probing::objects::{BUS, DEVICE, DEVICE_PRIVATE, DEVRES, DRIVER, LINK, MODULE, PRIVATE};

use super::ast::{Expr, ExprKind, Field, Function, Name, StmtKind, Type, Variable};
use super::map::Map;
use super::reach::Reach;
use super::tree::Tree;
use super::types::Typer;
use super::value::{Path, word};
use super::walk;
use super::{FxIndexMap, FxIndexSet, devres, links};

/// The sort of the first structure that is allocated; those after it have the numbers after it.
pub const MADE: Sort = Sort(32);

/// Structures that have fields on the machine: the structure, its owner in the tables, the path before its fields
/// there, and the sort of the objects that it is, if it is a whole one.
const STRUCTURES: &[(&str, &str, &str, Option<Sort>)] = &[
    ("struct device", "device", "", Some(DEVICE)),
    ("struct device_private", "device_private", "", Some(DEVICE_PRIVATE)),
    ("struct device_driver", "driver", "", Some(DRIVER)),
    ("struct driver_private", "private", "", Some(PRIVATE)),
    ("struct bus_type", "bus", "", Some(BUS)),
    ("struct subsys_private", "bus", "p.", None),
    ("struct module", "module", "", Some(MODULE)),
    (links::RECORD, "link", "", Some(LINK)),
    (devres::RECORD, "devres", "", Some(DEVRES)),
    ("struct devres_node", "devres", "node.", None),
];

/// A field or variable with a cell of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What has it.
    pub owner: &'static str,
    /// Its path.
    pub path: Path,
    /// What it holds.
    pub kind: OwnKind,
}

/// What a field with a cell of its own holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKind {
    /// A truth value.
    Bool,
    /// A number, in so many bits where it is a bit-field.
    Int(Option<u32>),
    /// A count.
    Count,
    /// How often a completion has been completed and not been waited for.
    Completion,
    /// A pointer to an object of this sort.
    Pointer(Sort),
    /// A lock.
    Lock,
    /// A work item; the number of its functions.
    Work(u8),
    /// The head of a list.
    List,
}

/// A structure that is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its name, such as `struct driver_attach_work`.
    pub record: Name,
}

/// A node of a list: the structure's owner, and the path of the node.
pub type Node = (&'static str, Path);

/// A list, and what is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What has its head.
    pub owner: &'static str,
    /// The head's path.
    pub path: Path,
    /// What is on it.
    pub node: Node,
    /// The sort of that.
    pub members: Sort,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Fields and variables.
    pub own: Vec<Own>,
    /// Structures that are allocated: the sort of each is [`MADE`] and its place here.
    pub made: Vec<Made>,
    /// Lists.
    pub lists: Vec<List>,
    /// Functions of work items, those of one item together: of several, its initialization says which it runs.
    pub works: Vec<Vec<Name>>,
    /// Fields and variables that nothing sets: each has what it begins with, 0.
    pub unset: Vec<(&'static str, Path)>,
}

/// Functions that allocate.
pub const ALLOCATORS: &[&str] = &[
    "kzalloc",
    "kmalloc",
    "kzalloc_obj",
    "kmalloc_obj",
    "kmalloc_track_caller",
    "kmalloc_node_track_caller",
];

/// Macros that say which function a work item runs.
pub const INIT_WORK: &[&str] = &["INIT_WORK", "INIT_DELAYED_WORK", "INIT_WORK_ONSTACK"];

/// Functions that put the node that is their first argument on the list that is their second.
const LIST_ADDS: &[&str] = &["list_add", "list_add_tail", "list_move", "list_move_tail"];

impl Added {
    /// What a tree has of it. `map`: what the tables name; `ignored`: structures at which nobody looks.
    #[must_use]
    pub fn of(tree: &Tree, reach: &Reach, map: &Map, ignored: &FxIndexMap<String, String>) -> Self {
        let mut seen = Seen::default();
        for function in reach.functions.values() {
            seen.look(tree, function);
        }
        // What a stub stands for is no variable.
        seen.names.retain(|(name, _)| !reach.stubs.contains_key(*name));
        let mut added = Added::default();
        let known = |record: &str| {
            STRUCTURES.iter().any(|(name, ..)| *name == record) || ignored.contains_key(record)
        };
        added
            .made
            .extend(seen.allocated.iter().filter(|record| !known(record)).map(|record| Made { record }));
        let works: FxIndexSet<Vec<Name>> =
            seen.works.values().map(|functions| functions.iter().copied().collect()).collect();
        added.works.extend(works);
        let mut structures: Vec<(Name, &'static str, &str)> =
            STRUCTURES.iter().map(|(record, owner, prefix, _)| (*record, *owner, *prefix)).collect();
        structures.extend(added.made.iter().map(|made| (made.record, made.record, "")));
        let mut fields = Fields { tree, seen: &seen, map, added: &mut added, owner: "", depth: 0 };
        for (record, owner, prefix) in structures {
            fields.owner = owner;
            fields.record(record, prefix);
        }
        fields.variables();
        added.lists = lists(&seen, map, &added);
        // A head that nothing is put on has no cell: what is done with it is not understood.
        let lists = added.lists.clone();
        let has = |own: &Own| lists.iter().any(|list| (list.owner, list.path) == (own.owner, own.path));
        added.own.retain(|own| own.kind != OwnKind::List || has(own));
        added
    }

    /// The structure that an object of this sort is.
    #[must_use]
    pub fn made(&self, sort: Sort) -> Option<&Made> {
        self.made.get(usize::from(sort.0.checked_sub(MADE.0)?))
    }

    /// The sort of the objects of a structure.
    #[must_use]
    pub fn sort_of(&self, record: &str) -> Option<Sort> {
        let plain = STRUCTURES.iter().find(|(name, ..)| *name == record).and_then(|(.., sort)| *sort);
        let made = || self.made.iter().position(|made| made.record == record);
        plain.or_else(|| Some(Sort(MADE.0 + u8::try_from(made()?).ok()?)))
    }

    /// The work items: what has each, where, and the number of its functions.
    pub fn items(&self) -> impl Iterator<Item = (&Own, u8)> {
        self.own.iter().filter_map(|own| match own.kind {
            OwnKind::Work(function) => Some((own, function)),
            _ => None,
        })
    }
}

/// What stands in reached functions.
#[derive(Default)]
struct Seen {
    /// Fields that are used, of structures where that is known.
    fields: FxIndexSet<(Option<Name>, Name)>,
    names: FxIndexSet<(Name, Name)>,
    /// Fields and variables that are set, or whose address is taken.
    set: FxIndexSet<(Option<Name>, Name)>,
    allocated: FxIndexSet<Name>,
    /// By a work item's place, its functions; `None` in place of a structure for a variable.
    works: FxIndexMap<(Option<Name>, Name), FxIndexSet<Name>>,
    /// Variables of functions that outlive the call, with their paths.
    statics: Vec<(Path, &'static Variable)>,
    /// By a head's place, the node's.
    lists: FxIndexMap<(Option<Name>, Path), (Name, Path)>,
}

impl Seen {
    fn look(&mut self, tree: &Tree, function: &'static Function) {
        let typer = Typer::new(tree, function);
        walk::exprs(&function.body, &mut |expr| match &expr.kind {
            ExprKind::Member { of, field, .. } => drop(self.fields.insert((typer.record(of), field))),
            ExprKind::Name(name) => drop(self.names.insert((name, function.file))),
            ExprKind::Call(callee, args) => {
                if let ExprKind::Name(name) = callee.kind {
                    self.call(&typer, name, args);
                }
            }
            ExprKind::Assign(_, to, value) => {
                if allocates(value) {
                    self.allocated.extend(typer.record(to));
                }
                self.sets(&typer, to);
            }
            ExprKind::Step { on: to, .. } | ExprKind::Address(to) => self.sets(&typer, to),
            _ => {}
        });
        walk::statements(&function.body, &mut |stmt| {
            let StmtKind::Declare(all) = &stmt.kind else { return };
            for variable in all {
                if variable.is_static {
                    let path = word(&format!("{}.{}", function.name, variable.name));
                    self.statics.push((path, variable));
                }
                if let (Type::Pointer(of), Some(init)) = (&variable.ty, &variable.init)
                    && let Type::Record(record) = **of
                    && allocates(init)
                {
                    self.allocated.insert(record);
                }
            }
        });
    }

    fn sets(&mut self, typer: &Typer<'_>, to: &'static Expr) {
        match &to.kind {
            ExprKind::Member { of, field, .. } => drop(self.set.insert((typer.record(of), field))),
            ExprKind::Name(name) => drop(self.set.insert((None, name))),
            ExprKind::Index(of, _) | ExprKind::Deref(of) => self.sets(typer, of),
            _ => {}
        }
    }

    fn call(&mut self, typer: &Typer<'_>, name: Name, args: &'static [Expr]) {
        if ALLOCATORS.contains(&name) {
            self.allocated.extend(args.first().and_then(|arg| typer.sized(arg)));
        }
        match args {
            [to, ..] if matches!(name, "WRITE_ONCE" | "xchg" | "cmpxchg") => self.sets(typer, to),
            [item, function, ..] if INIT_WORK.contains(&name) => {
                if let (Some(place), ExprKind::Name(function)) = (place(typer, item), &function.kind) {
                    self.works.entry((place.0, last(place.1))).or_default().insert(function);
                }
            }
            [node, head, ..] if LIST_ADDS.contains(&name) => {
                if let (Some((Some(record), node)), Some(head)) = (place(typer, node), place(typer, head)) {
                    self.lists.insert(head, (record, node));
                }
            }
            _ => {}
        }
    }
}

/// Whether an expression is a call that allocates.
#[must_use]
pub fn allocates(expr: &Expr) -> bool {
    let ExprKind::Call(callee, _) = &expr.kind else { return false };
    matches!(callee.kind, ExprKind::Name(name) if ALLOCATORS.contains(&name))
}

/// The place that an expression is the address of: the structure, and the path in it; a variable has none.
fn place(typer: &Typer<'_>, expr: &'static Expr) -> Option<(Option<Name>, Path)> {
    let ExprKind::Address(of) = &expr.kind else { return None };
    let mut path: Vec<&str> = Vec::new();
    let mut at: &'static Expr = of;
    loop {
        match &at.kind {
            ExprKind::Member { of, field, arrow } => {
                path.insert(0, field);
                if *arrow {
                    return Some((Some(typer.record(of)?), word(&path.join("."))));
                }
                at = of;
            }
            ExprKind::Name(name) => {
                path.insert(0, name);
                return Some((None, word(&path.join("."))));
            }
            _ => return None,
        }
    }
}

/// Where a work item with several functions has the number of that which it runs.
#[must_use]
pub fn func_of(item: Path) -> Path {
    word(&format!("{item}.func"))
}

fn last(path: Path) -> Path {
    path.rsplit('.').next().unwrap_or(path)
}

/// Finds the fields that get cells.
struct Fields<'a> {
    tree: &'a Tree,
    seen: &'a Seen,
    map: &'a Map,
    added: &'a mut Added,
    owner: &'static str,
    depth: u8,
}

impl Fields<'_> {
    fn record(&mut self, name: Name, prefix: &str) {
        let Some(record) = self.tree.record(name) else { return };
        for field in &record.fields {
            let path = word(&format!("{prefix}{}", field.name));
            let used = [Some(name), None].iter().any(|of| self.seen.fields.contains(&(*of, field.name)));
            if used && !self.map.knows(self.owner, path) {
                self.field(Some(name), field, path);
            }
        }
    }

    fn field(&mut self, of: Option<Name>, field: &Field, path: Path) {
        if let Some(kind) = self.kind(of, &field.ty, path, field.bits) {
            self.add(path, kind, [of, None].iter().any(|of| self.seen.set.contains(&(*of, field.name))));
            return;
        }
        // A structure in a structure.
        if let Type::Record(inner) = &field.ty
            && self.depth < 4
            && self
                .tree
                .record(inner)
                .is_some_and(|inner| inner.fields.iter().all(|inner| inner.bits.is_none()))
        {
            self.depth += 1;
            self.record(inner, &format!("{path}."));
            self.depth -= 1;
        }
    }

    fn add(&mut self, path: Path, kind: OwnKind, is_set: bool) {
        let plain = matches!(kind, OwnKind::Bool | OwnKind::Int(_) | OwnKind::Pointer(_));
        if plain && !is_set {
            self.added.unset.push((self.owner, path));
            return;
        }
        self.added.own.push(Own { owner: self.owner, path, kind });
        if let OwnKind::Work(number) = kind
            && self.added.works[usize::from(number)].len() > 1
        {
            let path = func_of(path);
            self.added.own.push(Own { owner: self.owner, path, kind: OwnKind::Int(None) });
        }
    }

    fn kind(&self, of: Option<Name>, ty: &Type, path: Path, bits: Option<u32>) -> Option<OwnKind> {
        Some(match ty {
            Type::Bool => OwnKind::Bool,
            Type::Int(_) | Type::Enum(_) => OwnKind::Int(bits),
            Type::Pointer(of) => match **of {
                Type::Record(record) => OwnKind::Pointer(self.added.sort_of(record)?),
                _ => return None,
            },
            Type::Record("struct mutex" | "struct spinlock") => OwnKind::Lock,
            Type::Named("spinlock_t") => OwnKind::Lock,
            Type::Named("atomic_t" | "refcount_t") => OwnKind::Count,
            Type::Record("struct completion") => OwnKind::Completion,
            Type::Record("struct list_head") => OwnKind::List,
            Type::Record("struct work_struct" | "struct delayed_work") => {
                let works = &self.seen.works;
                let functions = works.get(&(of, last(path))).or_else(|| works.get(&(None, last(path))))?;
                let at = self.added.works.iter().position(|known| known.iter().eq(functions))?;
                OwnKind::Work(u8::try_from(at).ok()?)
            }
            Type::Named(name) => return self.kind(of, &self.tree.typedef(name)?, path, bits),
            _ => return None,
        })
    }

    /// Variables of files, and static ones of functions, that begin as 0.
    fn variables(&mut self) {
        self.owner = "global";
        let seen = self.seen;
        for (name, file) in &seen.names {
            let small = name.bytes().any(|byte| byte.is_ascii_lowercase());
            let known = |own: &Own| own.owner == "global" && own.path == *name;
            let unset = self.added.unset.contains(&("global", name));
            if !small || unset || self.map.knows("global", name) || self.added.own.iter().any(known) {
                continue;
            }
            let global = self.tree.global_of("drivers/", name, file);
            let Some(global) = global else { continue };
            if let Some(("DECLARE_WORK" | "DECLARE_DELAYED_WORK", args)) = &global.made_by
                && let Some(function) = args.first().and_then(|name| self.tree.function(name, file))
            {
                let works = &mut self.added.works;
                let at = works.iter().position(|known| known[..] == [function.name]).unwrap_or(works.len());
                if at == works.len() {
                    works.push(vec![function.name]);
                }
                let kind = OwnKind::Work(u8::try_from(at).unwrap_or(u8::MAX));
                self.added.own.push(Own { owner: "global", path: name, kind });
                continue;
            }
            if starts_at_zero(global.init.as_ref())
                && let Some(kind) = self.kind(None, &global.ty, name, None)
            {
                self.add(name, kind, seen.set.contains(&(None, *name)));
            }
        }
        for (path, variable) in &seen.statics {
            if starts_at_zero(variable.init.as_ref())
                && let Some(kind) = self.kind(None, &variable.ty, path, None)
            {
                self.add(path, kind, seen.set.contains(&(None, variable.name)));
            }
        }
    }
}

/// Whether a variable that is set to this begins as 0.
fn starts_at_zero(init: Option<&Expr>) -> bool {
    match init.map(|init| &init.kind) {
        None | Some(ExprKind::Number(0, _) | ExprKind::Name("false" | "NULL")) => true,
        Some(ExprKind::Call(made, args)) => match (&made.kind, &args[..]) {
            (ExprKind::Name("LIST_HEAD_INIT"), _) => true,
            (_, [one]) => matches!(one.kind, ExprKind::Number(0, _)),
            _ => false,
        },
        Some(_) => false,
    }
}

/// The lists whose head and members are known.
fn lists(seen: &Seen, map: &Map, added: &Added) -> Vec<List> {
    let mut all = Vec::new();
    for ((head, path), (record, node)) in &seen.lists {
        let of = |record: &Name| {
            let plain = STRUCTURES.iter().find(|(name, ..)| name == record);
            let made = || added.made.iter().find(|made| made.record == *record).map(|made| (made.record, ""));
            plain.map(|(_, owner, prefix, _)| (*owner, *prefix)).or_else(made)
        };
        let Some((owner, prefix)) = head.as_ref().map_or(Some(("global", "")), of) else { continue };
        let (Some((member, before)), Some(members)) = (of(record), added.sort_of(record)) else { continue };
        let path = word(&format!("{prefix}{path}"));
        let node = (member, word(&format!("{before}{node}")));
        let head = |own: &Own| own.kind == OwnKind::List && (own.owner, own.path) == (owner, path);
        if !map.knows(owner, path) && added.own.iter().any(head) {
            all.push(List { owner, path, node, members });
        }
    }
    all
}
