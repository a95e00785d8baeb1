//! Visits every statement of a body, and every expression of a statement.

use super::ast::{Expr, ExprKind, Stmt, StmtKind, Variable};

/// Calls `visit` with each expression, outer before inner.
pub fn exprs<'a>(stmts: &'a [Stmt], visit: &mut dyn FnMut(&'a Expr)) {
    stmts.iter().for_each(|one| stmt(one, visit));
}

fn stmt<'a>(one: &'a Stmt, visit: &mut dyn FnMut(&'a Expr)) {
    match &one.kind {
        StmtKind::Empty | StmtKind::Goto(_) | StmtKind::Label(_) | StmtKind::Break | StmtKind::Continue => {}
        StmtKind::Expr(of) => expr(of, visit),
        StmtKind::Declare(all) => variables(all, visit),
        StmtKind::If(condition, then, other) => {
            expr(condition, visit);
            stmt(then, visit);
            other.iter().for_each(|other| stmt(other, visit));
        }
        StmtKind::While(condition, body) | StmtKind::DoWhile(body, condition) => {
            expr(condition, visit);
            stmt(body, visit);
        }
        StmtKind::For(first, condition, update, body) => {
            first.iter().for_each(|first| stmt(first, visit));
            condition.iter().chain(update).for_each(|of| expr(of, visit));
            stmt(body, visit);
        }
        StmtKind::Headed(_, args, body) => {
            args.iter().for_each(|arg| expr(arg, visit));
            stmt(body, visit);
        }
        StmtKind::Switch(on, body) => {
            expr(on, visit);
            exprs(body, visit);
        }
        StmtKind::Case(value) | StmtKind::Return(value) => value.iter().for_each(|value| expr(value, visit)),
        StmtKind::Block(body) => exprs(body, visit),
    }
}

fn variables<'a>(all: &'a [Variable], visit: &mut dyn FnMut(&'a Expr)) {
    all.iter().filter_map(|variable| variable.init.as_ref()).for_each(|init| expr(init, visit));
}

/// Calls `visit` with an expression and those in it.
pub fn expr<'a>(of: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(of);
    match &of.kind {
        ExprKind::Number(..)
        | ExprKind::Text(_)
        | ExprKind::Name(_)
        | ExprKind::SizeOfType(_)
        | ExprKind::SizeOf(_)
        | ExprKind::OffsetOf(..)
        | ExprKind::Type(_) => {}
        ExprKind::Call(callee, args) => {
            expr(callee, visit);
            args.iter().for_each(|arg| expr(arg, visit));
        }
        ExprKind::Member { of, .. }
        | ExprKind::Deref(of)
        | ExprKind::Address(of)
        | ExprKind::Unary(_, of)
        | ExprKind::Step { on: of, .. }
        | ExprKind::Cast(_, of) => expr(of, visit),
        ExprKind::Binary(_, left, right)
        | ExprKind::Assign(_, left, right)
        | ExprKind::Index(left, right)
        | ExprKind::Comma(left, right) => {
            expr(left, visit);
            expr(right, visit);
        }
        ExprKind::Choice(condition, then, other) => {
            expr(condition, visit);
            then.iter().for_each(|then| expr(then, visit));
            expr(other, visit);
        }
        ExprKind::Initializer(_, values) => values.iter().for_each(|(_, value)| expr(value, visit)),
        ExprKind::Block(body) => exprs(body, visit),
    }
}

/// Calls `visit` with each statement, outer before inner.
pub fn statements<'a>(body: &'a [Stmt], visit: &mut dyn FnMut(&'a Stmt)) {
    for stmt in body {
        visit(stmt);
        match &stmt.kind {
            StmtKind::If(_, then, other) => {
                statements(std::slice::from_ref(then), visit);
                other.iter().for_each(|other| statements(std::slice::from_ref(other), visit));
            }
            StmtKind::While(_, body)
            | StmtKind::DoWhile(body, _)
            | StmtKind::For(.., body)
            | StmtKind::Headed(.., body) => statements(std::slice::from_ref(body), visit),
            StmtKind::Switch(_, body) | StmtKind::Block(body) => statements(body, visit),
            _ => {}
        }
    }
}
