//! Statements that can be left out, and which of them a run comes to.

use rustc_hash::FxHashSet;

use super::ast::{ExprKind, Function, Name, Stmt, StmtKind};
use super::walk;

/// A call, an assignment or the like that is a statement of its own.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The function that it stands in.
    pub function: &'static Function,
    stmt: &'static Stmt,
}

impl Statement {
    /// Those of a function of a C file, in order; functions that macros make have none.
    #[must_use]
    pub fn of(function: &'static Function) -> Vec<Self> {
        let mut all = Vec::new();
        if function.file.ends_with(".c") && function.made_by.is_none() {
            walk::statements(&function.body, &mut |stmt| {
                if let StmtKind::Expr(_) = stmt.kind {
                    all.push(Statement { function, stmt });
                }
            });
        }
        all
    }

    /// The line that it begins on.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.stmt.line
    }

    /// The first line of its text.
    #[must_use]
    pub fn text(&self) -> String {
        let StmtKind::Expr(expr) = &self.stmt.kind else { unreachable!("internal: it is an expression") };
        expr.text.lines().next().unwrap_or_default().replace('$', " ")
    }

    /// The function that it calls, if it is a call by name.
    #[must_use]
    pub fn calls(&self) -> Option<Name> {
        let StmtKind::Expr(expr) = &self.stmt.kind else { return None };
        let ExprKind::Call(callee, _) = &expr.kind else { return None };
        match callee.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn id(&self) -> usize {
        id(self.stmt)
    }
}

/// What a statement is known by: a tree that has been read stays where it is.
pub(crate) fn id(stmt: &'static Stmt) -> usize {
    (&raw const *stmt).addr()
}

/// The statements that runs have come to.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    all: FxHashSet<usize>,
    /// Those that have done something: a step, a change of a variable, or a check that is due.
    acting: FxHashSet<usize>,
}

impl Reached {
    /// Whether a run has come to this one.
    #[must_use]
    pub fn contains(&self, statement: &Statement) -> bool {
        self.all.contains(&statement.id())
    }

    /// Whether this one has done something in some run: without one that has not, all runs are the same.
    #[must_use]
    pub fn acts(&self, statement: &Statement) -> bool {
        self.acting.contains(&statement.id())
    }

    pub(crate) fn take_in(&mut self, other: Reached) {
        self.all.extend(other.all);
        self.acting.extend(other.acting);
    }

    pub(crate) fn insert(&mut self, id: usize, acts: bool) {
        self.all.insert(id);
        if acts {
            self.acting.insert(id);
        }
    }
}
