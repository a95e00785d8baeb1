//! Which variables a loop need not carry from turn to turn: each turn sets them before it reads them, and nothing
//! else in the function names them. What is carried tells states apart.

use super::ast::{Expr, ExprKind, Function, Name, Stmt, StmtKind};
use super::known::HEADS;
use super::walk;

/// What is done first with a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// Nothing.
    Nothing,
    /// It is set, whatever happens.
    Set,
    /// It may be read, or more is not known.
    Read,
}

impl First {
    /// This, and then that.
    fn then(self, that: impl FnOnce() -> First) -> First {
        if self == First::Nothing { that() } else { self }
    }

    /// This or that.
    fn or(self, that: First) -> First {
        if self == that { self } else { First::Read }
    }
}

/// The variables of a function that are dead at the end of each turn of a loop.
#[must_use]
pub fn dead(function: &'static Function, whole: &'static Stmt) -> Vec<Name> {
    let mut inside: Vec<Name> = Vec::new();
    let one = std::slice::from_ref(whole);
    walk::exprs(one, &mut |expr| {
        if let ExprKind::Assign(None, to, _) = &expr.kind
            && let ExprKind::Name(name) = to.kind
        {
            inside.push(name);
        }
    });
    if let StmtKind::Headed(_, args, _) = &whole.kind
        && let Some(ExprKind::Name(name)) = args.first().map(|arg| &arg.kind)
    {
        inside.push(name);
    }
    inside.sort_unstable();
    inside.dedup();
    inside.retain(|name| {
        uses(&function.body, name) == uses(one, name) && first_in_turn(whole, name) == First::Set
    });
    inside
}

/// How often a variable is named.
fn uses(stmts: &[Stmt], name: &str) -> usize {
    let mut count = 0;
    walk::exprs(stmts, &mut |expr| {
        count += usize::from(matches!(expr.kind, ExprKind::Name(own) if own == name))
    });
    count
}

fn mentions(of: &Expr, name: &str) -> bool {
    let mut found = false;
    walk::expr(of, &mut |expr| found |= matches!(expr.kind, ExprKind::Name(own) if own == name));
    found
}

/// What a turn does first with a variable.
fn first_in_turn(whole: &Stmt, name: &str) -> First {
    let of = |stmt: &Stmt| first(std::slice::from_ref(stmt), name);
    match &whole.kind {
        StmtKind::While(condition, body) => first_of(condition, name).then(|| of(body)),
        StmtKind::DoWhile(body, condition) => of(body).then(|| first_of(condition, name)),
        StmtKind::For(_, condition, update, body) => {
            let condition = condition.as_ref().map_or(First::Nothing, |condition| first_of(condition, name));
            condition.then(|| of(body)).then(|| match update {
                Some(update) => first_of(update, name),
                None => First::Nothing,
            })
        }
        StmtKind::Headed(head, args, _) => match args.first().map(|arg| &arg.kind) {
            Some(ExprKind::Name(own)) if *own == name && HEADS.contains(head) => First::Set,
            _ => First::Read,
        },
        _ => First::Read,
    }
}

fn first(stmts: &[Stmt], name: &str) -> First {
    let mut so_far = First::Nothing;
    for stmt in stmts {
        so_far = so_far.then(|| match &stmt.kind {
            StmtKind::Expr(of) => first_of(of, name),
            StmtKind::Block(body) => first(body, name),
            StmtKind::If(condition, then, other) => first_of(condition, name).then(|| {
                let other =
                    other.as_ref().map_or(First::Nothing, |other| first(std::slice::from_ref(other), name));
                first(std::slice::from_ref(then), name).or(other)
            }),
            // Whoever jumps here has not done what comes before.
            StmtKind::Label(_) => First::Read,
            StmtKind::Return(Some(of)) => first_of(of, name),
            StmtKind::Empty | StmtKind::Break | StmtKind::Continue | StmtKind::Goto(_) => First::Nothing,
            _ if uses(std::slice::from_ref(stmt), name) == 0 => First::Nothing,
            _ => First::Read,
        });
    }
    so_far
}

fn first_of(of: &Expr, name: &str) -> First {
    match &of.kind {
        ExprKind::Assign(None, to, value) if matches!(to.kind, ExprKind::Name(own) if own == name) => {
            if mentions(value, name) {
                First::Read
            } else {
                First::Set
            }
        }
        ExprKind::Call(callee, args) => {
            args.iter().fold(first_of(callee, name), |so_far, arg| so_far.then(|| first_of(arg, name)))
        }
        ExprKind::Unary(_, of) | ExprKind::Cast(_, of) => first_of(of, name),
        ExprKind::Binary(operator, left, right) => first_of(left, name).then(|| match *operator {
            "&&" | "||" => First::Nothing.or(first_of(right, name)),
            _ => first_of(right, name),
        }),
        ExprKind::Name(own) if *own == name => First::Read,
        _ if mentions(of, name) => First::Read,
        _ => First::Nothing,
    }
}
