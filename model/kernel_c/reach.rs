//! What of a tree is reached from where scenarios enter it, found without running anything.

use super::ast::{Expr, ExprKind, Function, Name, Stmt, StmtKind, Variable};
use super::known::{HEADS, ROOTS, is_primitive, is_special};
use super::table::{Stubbed, Tables};
use super::tree::Tree;
use super::types::Typer;
use super::walk::{self, statements};
use super::{FxIndexMap, FxIndexSet};

/// Something of which nothing is known, where it is first reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The file.
    pub file: Name,
    /// The line.
    pub line: u32,
    /// The function.
    pub function: Name,
    /// What it is.
    pub what: String,
}

/// What is reached.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Functions that are run, in the order in which they are found.
    pub functions: FxIndexMap<(Name, Name), &'static Function>,
    /// Functions that a stub stands for.
    pub stubs: FxIndexMap<Name, Stubbed>,
    /// Functions whose effect is the machine's own.
    pub primitives: FxIndexSet<Name>,
    /// Macros that are replaced by what they stand for.
    pub macros: FxIndexSet<Name>,
    /// What nothing is known of.
    pub unknown: Vec<Unknown>,
}

impl Tree {
    /// What is reached from these functions, as far as the tree has them.
    #[must_use]
    pub fn reach(&self, roots: &[&str], tables: &Tables) -> Reach {
        let mut walker = Walker {
            tree: self,
            tables,
            reach: Reach::default(),
            todo: Vec::new(),
            said: FxIndexSet::default(),
        };
        for root in roots {
            walker.todo.extend(self.function(root, "drivers/base/dd.c"));
        }
        while let Some(function) = walker.todo.pop() {
            walker.function(function);
        }
        walker.reach.unknown.sort_by(|a, b| (a.file, a.line).cmp(&(b.file, b.line)));
        walker.reach
    }

    /// What is reached from everything that a scenario can call.
    #[must_use]
    pub fn reached(&self, tables: &Tables) -> Reach {
        self.reach(ROOTS, tables)
    }
}

struct Walker<'t> {
    tree: &'t Tree,
    tables: &'t Tables,
    reach: Reach,
    todo: Vec<&'static Function>,
    said: FxIndexSet<String>,
}

/// Where the walk is: macros are on the line of their use.
struct At {
    function: &'static Function,
    locals: FxIndexSet<Name>,
    line: Option<u32>,
    depth: u8,
}

impl Walker<'_> {
    fn function(&mut self, function: &'static Function) {
        if self.reach.functions.insert((function.name, function.file), function).is_some() {
            return;
        }
        let mut locals: FxIndexSet<Name> = function.params.iter().map(|(name, _)| *name).collect();
        declared(&function.body, &mut |variable| {
            locals.insert(variable.name);
        });
        let at = At { function, locals, line: None, depth: 0 };
        for unread in &function.unread {
            self.unknown(&at, unread.line, unread.what.clone());
        }
        self.body(&function.body, &at);
    }

    fn body(&mut self, body: &'static [Stmt], at: &At) {
        let mut frees = Vec::new();
        declared(body, &mut |variable| frees.extend(variable.free));
        for free in frees {
            self.cleanup("free", free, at, at.function.line);
        }
        heads(body, &mut |name, args, line| {
            if !HEADS.contains(&name) {
                self.head(name, args, line, at);
            }
        });
        let mut exprs = Vec::new();
        walk::exprs(body, &mut |expr| exprs.push(expr));
        // A function that something is compared with is not called for that.
        let named: Vec<*const Expr> = exprs
            .iter()
            .flat_map(|expr| match &expr.kind {
                ExprKind::Call(callee, _) => vec![&raw const **callee],
                ExprKind::Binary("==" | "!=", left, right) => vec![&raw const **left, &raw const **right],
                _ => Vec::new(),
            })
            .collect();
        // What a macro stands for has types of its own.
        let typer = at.line.is_none().then(|| Typer::new(self.tree, at.function));
        for expr in exprs {
            match &expr.kind {
                ExprKind::Call(callee, args) => self.call(callee, args, expr, at),
                ExprKind::Member { of, field, .. } => self.member(typer.as_ref(), (of, field), expr.line, at),
                ExprKind::Name(name) if !named.contains(&(&raw const *expr)) => self.name(name, at),
                _ => {}
            }
        }
    }

    /// A macro that heads a statement: it must stand for a `for`.
    fn head(&mut self, name: Name, args: &'static [Expr], line: u32, at: &At) {
        if let Some(stub) = self.tables.stubs.get(name) {
            self.reach.stubs.entry(name).or_insert_with(|| stub.clone());
            return;
        }
        let looped = self.tree.loop_of(name, args, at.function.file, line).filter(|_| at.depth < 16);
        match looped {
            Some(body) => {
                self.reach.macros.insert(name);
                let (function, locals) = (at.function, at.locals.clone());
                self.body(body, &At { function, locals, line: Some(line), depth: at.depth + 1 });
            }
            None => self.unknown(at, line, format!("the loop {name}(..)")),
        }
    }

    /// A name that is no call: a function whose address is taken is reached.
    fn name(&mut self, name: Name, at: &At) {
        let known = at.locals.contains(name) || is_special(name) || is_primitive(name);
        if known || name.is_empty() || self.tables.stubs.contains_key(name) {
            return;
        }
        let lower = name.bytes().any(|byte| byte.is_ascii_lowercase());
        if let Some(function) = lower.then(|| self.tree.function(name, at.function.file)).flatten() {
            self.todo.push(function);
            return;
        }
        // A work item that is made with its function.
        let global = lower.then(|| self.tree.global(name, at.function.file)).flatten();
        if let Some(("DECLARE_WORK" | "DECLARE_DELAYED_WORK", args)) =
            global.and_then(|global| global.made_by.as_ref())
            && !self.tables.fields.contains_key(&("global", name.to_owned()))
        {
            self.todo.extend(args.first().and_then(|work| self.tree.function(work, at.function.file)));
        }
    }

    /// A field of a structure that has none of this name: what adds it is missing.
    fn member(&mut self, typer: Option<&Typer<'_>>, (of, field): (&'static Expr, Name), line: u32, at: &At) {
        let record = typer.and_then(|typer| typer.record(of)).and_then(|record| self.tree.record(record));
        // A macro may stand for the name of another field.
        let renamed =
            || self.tree.macro_of(field, at.function.file).is_some_and(|made| made.params.is_none());
        if let Some(record) =
            record.filter(|one| !one.fields.is_empty() && one.field(field).is_none() && !renamed())
        {
            let what = format!("{} has no field {field}; is a patch before this one missing?", record.name);
            self.unknown(at, line, what);
        }
    }

    fn call(&mut self, callee: &Expr, args: &'static [Expr], whole: &Expr, at: &At) {
        let line = at.line.unwrap_or(whole.line);
        match &callee.kind {
            ExprKind::Name(name) => self.call_name(name, args, line, at),
            // guard(class)(argument)
            ExprKind::Call(guard, class) if matches!(guard.kind, ExprKind::Name("guard")) => {
                if let Some(ExprKind::Name(class)) = class.first().map(|class| &class.kind) {
                    self.cleanup("lock", class, at, line);
                    self.cleanup("unlock", class, at, line);
                }
            }
            _ => {}
        }
    }

    fn call_name(&mut self, name: Name, args: &'static [Expr], line: u32, at: &At) {
        if at.locals.contains(name) || is_special(name) || name.is_empty() {
            return;
        }
        if is_primitive(name) {
            self.reach.primitives.insert(name);
            return;
        }
        if let Some(stub) = self.tables.stubs.get(name).filter(|stub| !stub.without_links) {
            self.reach.stubs.entry(name).or_insert_with(|| stub.clone());
            return;
        }
        match self.tree.function(name, at.function.file) {
            Some(function) if is_run(function.file) => return self.todo.push(function),
            Some(function) => {
                let what = format!("the function {name}, of {}", function.file);
                return self.unknown(at, line, what);
            }
            None => {}
        }
        // A variable that points to a function: whose it is shows when it is run.
        if self.tree.global(name, at.function.file).is_some() {
            return;
        }
        let made = self.tree.macro_of(name, at.function.file).filter(|made| made.params.is_some());
        let Some(made) = made.filter(|_| at.depth < 16) else {
            return self.unknown(at, line, format!("the function {name}"));
        };
        self.reach.macros.insert(name);
        let args: Vec<&str> = args.iter().map(|arg| arg.text).collect();
        match self.tree.expand(&made, &args, line) {
            Ok(body) => {
                let mut locals = at.locals.clone();
                declared(&body.body, &mut |variable| {
                    locals.insert(variable.name);
                });
                let at = At { function: at.function, locals, line: Some(line), depth: at.depth + 1 };
                self.body(&body.body, &at);
            }
            Err(why) => self.unknown(at, line, format!("{name}: {why}")),
        }
    }

    /// The function behind `__free(name)`, `guard(name)`.
    fn cleanup(&mut self, what: &str, name: Name, at: &At, line: u32) {
        let made = self.tree.function(&format!("{what}${name}"), at.function.file);
        let plain = || (what == "free").then(|| self.tree.function(name, at.function.file)).flatten();
        match made.or_else(plain) {
            Some(function) => self.todo.push(function),
            None => self.unknown(at, line, format!("the clean-up {what} of {name}")),
        }
    }

    fn unknown(&mut self, at: &At, line: u32, what: String) {
        if self.said.insert(what.clone()) {
            self.reach.unknown.push(Unknown {
                file: at.function.file,
                line,
                function: at.function.name,
                what,
            });
        }
    }
}

/// Whether the functions of a file are run.
pub fn is_run(file: &str) -> bool {
    ["drivers/base/", "drivers/nvdimm/", "kernel/module", "include/"].iter().any(|dir| file.starts_with(dir))
}

/// The variables that are declared in statements.
fn declared(body: &[Stmt], visit: &mut dyn FnMut(&Variable)) {
    statements(body, &mut |stmt| match &stmt.kind {
        StmtKind::Declare(all) => all.iter().for_each(&mut *visit),
        StmtKind::For(Some(first), ..) => {
            if let StmtKind::Declare(all) = &first.kind {
                all.iter().for_each(&mut *visit);
            }
        }
        _ => {}
    });
}

/// The macros that head a statement, with their arguments and lines.
fn heads(body: &'static [Stmt], visit: &mut dyn FnMut(Name, &'static [Expr], u32)) {
    statements(body, &mut |stmt| {
        if let StmtKind::Headed(name, args, _) = &stmt.kind {
            visit(name, args, stmt.line);
        }
    });
}
