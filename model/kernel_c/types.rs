//! The types of expressions, as far as declarations say them.

use super::ast::{Expr, ExprKind, Function, Name, Stmt, StmtKind, Type};
use super::lower::INT;
use super::tree::Tree;
use super::walk::statements;

/// How deep macros and typedefs may be nested.
const DEPTH: u8 = 16;

/// Macros whose value has the type of their first argument.
const LIKE_FIRST: &[&str] =
    &["READ_ONCE", "ACCESS_ONCE", "likely", "unlikely", "rcu_dereference", "smp_load_acquire", "xchg"];

/// Macros whose value is a pointer to the type that is their second argument.
const TO_SECOND: &[&str] = &[
    "container_of",
    "container_of_const",
    "list_entry",
    "list_first_entry",
    "list_first_entry_or_null",
    "list_last_entry",
    "hlist_entry",
];

/// Says the types of expressions in one function.
pub struct Typer<'t> {
    tree: &'t Tree,
    file: Name,
    locals: Vec<(Name, &'static Type)>,
}

impl<'t> Typer<'t> {
    /// For a function. Of variables of one name the innermost is not told apart from the others.
    #[must_use]
    pub fn new(tree: &'t Tree, function: &'static Function) -> Self {
        let mut locals: Vec<(Name, &'static Type)> =
            function.params.iter().map(|(name, ty)| (*name, ty)).collect();
        declared(&function.body, &mut locals);
        Typer { tree, file: function.file, locals }
    }

    /// The type of an expression, without typedefs.
    #[must_use]
    pub fn of(&self, expr: &'static Expr) -> Option<Type> {
        self.of_below(expr, DEPTH)
    }

    /// The structure that an expression is or points to, such as `struct device`.
    #[must_use]
    pub fn record(&self, expr: &'static Expr) -> Option<Name> {
        match self.of(expr)? {
            Type::Record(name) => Some(name),
            Type::Pointer(of) => match self.plain(*of, DEPTH)? {
                Type::Record(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The structure of which a `sizeof` is the size.
    #[must_use]
    pub fn sized(&self, expr: &'static Expr) -> Option<Name> {
        match &expr.kind {
            ExprKind::SizeOfType(ty) | ExprKind::Type(ty) => match self.plain(ty.clone(), DEPTH)? {
                Type::Record(name) => Some(name),
                _ => None,
            },
            ExprKind::SizeOf(of) => self.sized_value(of),
            ExprKind::Call(callee, args) if matches!(callee.kind, ExprKind::Name("sizeof")) => {
                self.sized_value(args.first()?)
            }
            ExprKind::Deref(_) => self.sized_value(expr),
            _ => None,
        }
    }

    fn sized_value(&self, of: &'static Expr) -> Option<Name> {
        match self.of(of)? {
            Type::Record(name) => Some(name),
            _ => None,
        }
    }

    fn of_below(&self, expr: &'static Expr, depth: u8) -> Option<Type> {
        let depth = depth.checked_sub(1)?;
        let of = |expr| self.of_below(expr, depth);
        let ty = match &expr.kind {
            ExprKind::Number(_, ty) => Type::Int(*ty),
            ExprKind::Name(name) => {
                let local = self.locals.iter().find(|(own, _)| own == name).map(|(_, ty)| (*ty).clone());
                local.or_else(|| self.tree.global(name, self.file).map(|global| global.ty.clone()))?
            }
            ExprKind::Call(callee, args) => self.called(callee, args, depth)?,
            ExprKind::Member { of: outer, field, arrow } => {
                let outer = match (of(outer)?, arrow) {
                    (Type::Pointer(inner) | Type::Array(inner, _), true) => self.plain(*inner, depth)?,
                    (outer, false) => outer,
                    _ => return None,
                };
                let Type::Record(name) = outer else { return None };
                self.tree.record(name)?.field(field)?.ty.clone()
            }
            ExprKind::Deref(inner) | ExprKind::Index(inner, _) => of(inner)?.target()?.clone(),
            ExprKind::Address(inner) => of(inner)?.pointer(),
            ExprKind::Unary('!', _) => Type::Int(INT),
            ExprKind::Unary(_, inner) | ExprKind::Step { on: inner, .. } => of(inner)?,
            ExprKind::Binary("+" | "-", left, right) => of(left).or_else(|| of(right))?,
            ExprKind::Binary(..) => Type::Int(INT),
            ExprKind::Assign(_, to, _) => of(to)?,
            ExprKind::Choice(condition, then, other) => {
                of(then.as_deref().unwrap_or(condition)).or_else(|| of(other))?
            }
            ExprKind::Cast(ty, _) | ExprKind::Initializer(Some(ty), _) => ty.clone(),
            ExprKind::Comma(_, last) => of(last)?,
            ExprKind::Block(body) => {
                let Some(Stmt { kind: StmtKind::Expr(last), .. }) = body.last() else { return None };
                let mut inner = Typer { tree: self.tree, file: self.file, locals: Vec::new() };
                declared(body, &mut inner.locals);
                inner.locals.extend(&self.locals);
                inner.of_below(last, depth)?
            }
            _ => return None,
        };
        self.plain(ty, depth)
    }

    fn called(&self, callee: &'static Expr, args: &'static [Expr], depth: u8) -> Option<Type> {
        let ExprKind::Name(name) = callee.kind else { return None };
        if LIKE_FIRST.contains(&name) {
            return self.of_below(args.first()?, depth);
        }
        if TO_SECOND.contains(&name) {
            let ExprKind::Type(ty) = &args.get(1)?.kind else { return None };
            return Some(ty.clone().pointer());
        }
        if let Some(function) = self.tree.function(name, self.file) {
            return Some(function.returns.clone());
        }
        let made = self.tree.macro_of(name, self.file).filter(|made| made.params.is_some())?;
        let texts: Vec<&str> = args.iter().map(|arg| arg.text).collect();
        let body = self.tree.expand(&made, &texts, callee.line).ok()?;
        match &body.body[..] {
            [Stmt { kind: StmtKind::Return(Some(value)), .. }] => self.of_below(value, depth),
            _ => None,
        }
    }

    /// A type without typedefs.
    fn plain(&self, ty: Type, depth: u8) -> Option<Type> {
        match ty {
            Type::Named(name) => self.plain(self.tree.typedef(name)?, depth.checked_sub(1)?),
            Type::Unknown(_) => None,
            ty => Some(ty),
        }
    }
}

fn declared(body: &'static [Stmt], locals: &mut Vec<(Name, &'static Type)>) {
    statements(body, &mut |stmt| match &stmt.kind {
        StmtKind::Declare(all) => locals.extend(all.iter().map(|variable| (variable.name, &variable.ty))),
        StmtKind::For(Some(first), ..) => {
            if let StmtKind::Declare(all) = &first.kind {
                locals.extend(all.iter().map(|variable| (variable.name, &variable.ty)));
            }
        }
        _ => {}
    });
}
