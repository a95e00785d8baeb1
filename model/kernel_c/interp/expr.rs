//! Expressions.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Obs;
use raddle_probing::objects::CORE;

use super::{Flow, Interp, Target};
use crate::added::allocates;
use crate::ast::{Expr, ExprKind, Name, Stmt, StmtKind, Type};
use crate::map::Slot;
use crate::value::{INT, Path, ULONG, Value, ZERO, arithmetic, convert, truth, word};

/// The size of a structure or of a part of it, which is not known: it is only passed on.
const SIZE: Path = "a size";

impl Interp<'_> {
    pub(super) fn eval(&mut self, expr: &'static Expr) -> Step<Value> {
        self.line = expr.line;
        match &expr.kind {
            ExprKind::Number(value, ty) => Ok(Value::Int(convert(*value, *ty), *ty)),
            ExprKind::Text(text) => Ok(Value::Opaque(text)),
            ExprKind::Name(name) => self.variable(name),
            ExprKind::Call(callee, args) => self.call_expr(expr, callee, args),
            ExprKind::Member { .. } => {
                if let Some(value) = self.opaque(expr)? {
                    return Ok(value);
                }
                let from = self.target(expr)?;
                self.load(from, false)
            }
            // A function is its own address.
            ExprKind::Deref(of) if self.is_function(of) => self.eval(of),
            ExprKind::Address(of) if self.is_function(of) => self.eval(of),
            ExprKind::Deref(_) | ExprKind::Index(..) => {
                let from = self.target(expr)?;
                self.load(from, false)
            }
            ExprKind::Address(of) => self.address(of),
            ExprKind::Unary(sign, of) => {
                let value = self.eval(of)?;
                self.unary(*sign, value)
            }
            ExprKind::Binary(operator, left, right) => self.binary(operator, left, right),
            ExprKind::Assign(None, to, value) => {
                let to = self.target(to)?;
                self.assign(to, value)
            }
            ExprKind::Assign(Some(operator), to, value) => {
                let to = self.target(to)?;
                let old = self.load(to, false)?;
                let value = self.eval(value)?;
                let new = self.calculated(operator, old, value)?;
                self.put(to, new)
            }
            ExprKind::Step { on, by, post } => {
                let to = self.target(on)?;
                let old = self.load(to, false)?;
                let new = self.calculated("+", old, Value::Int(i64::from(*by), INT))?;
                let new = self.put(to, new)?;
                Ok(if *post { old } else { new })
            }
            ExprKind::Choice(condition, then, other) => {
                let value = self.eval(condition)?;
                match (self.holds(value)?, then) {
                    (true, Some(then)) => self.eval(then),
                    (true, None) => Ok(value),
                    (false, _) => self.eval(other),
                }
            }
            ExprKind::Cast(ty, of) => {
                let value = self.eval(of)?;
                Ok(self.converted(value, ty))
            }
            ExprKind::SizeOfType(ty) => self.size(ty),
            ExprKind::SizeOf(_) | ExprKind::OffsetOf(..) => Ok(Value::Opaque(SIZE)),
            ExprKind::Comma(left, right) => {
                self.eval(left)?;
                self.eval(right)
            }
            ExprKind::Initializer(..) => self.stuck("a compound literal"),
            ExprKind::Block(body) => self.statements(body),
            ExprKind::Type(_) => self.stuck("a type as a value"),
        }
    }

    /// Whether a name stands for a function, or holds a pointer to one.
    fn is_function(&self, expr: &Expr) -> bool {
        let ExprKind::Name(name) = expr.kind else { return false };
        match self.local(name) {
            Some(frame) => matches!(self.local_value(frame, name, ""), Some(Value::Function(_))),
            None => {
                !self.c.map().knows("global", name)
                    && self.static_path(name).is_none()
                    && self.c.tree().function(name, self.file()).is_some()
            }
        }
    }

    fn size(&mut self, ty: &Type) -> Step<Value> {
        let bytes = match ty {
            Type::Bool => 1,
            Type::Int(ty) => i64::from(ty.bytes),
            Type::Enum(_) => 4,
            Type::Pointer(_) => 8,
            Type::Record(_) => return Ok(Value::Opaque(SIZE)),
            other => return self.stuck(format!("the size of {other:?}")),
        };
        Ok(Value::Int(bytes, ULONG))
    }

    /// `({ .. })`: the value of its last statement.
    pub(super) fn statements(&mut self, body: &'static [Stmt]) -> Step<Value> {
        let Some((last, first)) = body.split_last() else { return Ok(ZERO) };
        match self.block(first, None, true)? {
            Flow::Next => {}
            other => return self.stuck(format!("{other:?} out of a statement expression")),
        }
        match &last.kind {
            StmtKind::Expr(expr) => self.eval(expr),
            _ => {
                self.stmt(last, None)?;
                Ok(ZERO)
            }
        }
    }

    /// Assigns the value of an expression.
    pub(super) fn assign(&mut self, to: Target, value: &'static Expr) -> Step<Value> {
        // A structure as a whole, between variables.
        if let (Target::Local(frame, name, path), ExprKind::Name(from)) = (to, &value.kind)
            && let Some(source) = self.local(from)
            && self.local_value(source, from, "").is_none()
        {
            let fields: Vec<_> =
                self.frames[source].locals.iter().filter(|(own, ..)| own == from).copied().collect();
            if fields.is_empty() {
                return self.stuck(format!("the variable {from} is read before it is set"));
            }
            for (_, field, value) in fields {
                let path = if path.is_empty() { field } else { super::join(path, field) };
                self.set_local(frame, name, path, value);
            }
            return Ok(ZERO);
        }
        let value = match &value.kind {
            ExprKind::Call(callee, args) if allocates(value) => {
                let ExprKind::Name(name) = callee.kind else { unreachable!("internal: an allocator") };
                self.line = value.line;
                self.allocate(name, args, Some(to))?
            }
            _ => self.eval(value)?,
        };
        self.put(to, value)
    }

    /// Stores a value, as its variable holds it.
    fn put(&mut self, to: Target, value: Value) -> Step<Value> {
        let value = match to {
            Target::Local(frame, name, "") => match self.type_of(frame, name) {
                Some(ty) => self.converted(value, ty),
                None => value,
            },
            _ => value,
        };
        self.store(to, value)?;
        Ok(value)
    }

    fn address(&mut self, of: &'static Expr) -> Step<Value> {
        if let ExprKind::Member { of: outer, .. } = &of.kind
            && let Some(value) = self.opaque(outer)?
        {
            return Ok(value);
        }
        Ok(match self.target(of)? {
            Target::Memory(object, path) if object == CORE && !self.c.map().knows("global", path) => {
                Value::Opaque(word(&format!("&{path}")))
            }
            Target::Memory(object, path) => Value::Pointer(object, path),
            Target::Local(frame, name, path) => {
                Value::Local(u8::try_from(frame).expect("internal: few frames"), name, path)
            }
            Target::Flags => return self.stuck("the address of a task's flags"),
            Target::Ignored(record) => Value::Opaque(record),
        })
    }

    fn variable(&mut self, name: Name) -> Step<Value> {
        if let Some(frame) = self.local(name) {
            // An array decays to its address.
            if let Some(Type::Array(..)) = self.type_of(frame, name) {
                return Ok(Value::Local(u8::try_from(frame).expect("internal: few frames"), name, ""));
            }
            return self.load(Target::Local(frame, name, ""), false);
        }
        if let Some(path) = self.static_path(name) {
            return self.load(Target::Memory(CORE, path), false);
        }
        if let Some(value) = self.constant(name) {
            return Ok(value);
        }
        if matches!(name, "__func__" | "THIS_MODULE" | "current") {
            return Ok(Value::Opaque(name));
        }
        if self.c.map().knows("global", name) {
            return self.load(Target::Memory(CORE, name), false);
        }
        if let Some(function) = self.c.tree().function(name, self.file()) {
            return Ok(Value::Function(function.name));
        }
        if let Some(made) = self.c.tree().macro_of(name, self.file()).filter(|made| made.params.is_none()) {
            return self.expanded(&made, &[]);
        }
        self.load(Target::Memory(CORE, name), false)
    }

    fn unary(&mut self, sign: char, value: Value) -> Step<Value> {
        if sign == '!' {
            return Ok(truth(!self.holds(value)?));
        }
        match (sign, value) {
            ('-', value) => self.calculated("-", ZERO, value),
            ('~', Value::Int(..)) => self.calculated("^", value, Value::Int(-1, INT)),
            ('+', Value::Int(..)) => Ok(value),
            _ => self.stuck(format!("{sign} of {value:?}")),
        }
    }

    fn calculated(&mut self, operator: &str, left: Value, right: Value) -> Step<Value> {
        match (operator, left, right) {
            (_, Value::Int(a, at), Value::Int(b, bt)) => match arithmetic(operator, (a, at), (b, bt)) {
                Some(value) => Ok(value),
                None => self.stuck(format!("{a} {operator} {b}")),
            },
            ("+" | "-" | "*", Value::Opaque(SIZE), _) | ("+" | "*", _, Value::Opaque(SIZE)) => {
                Ok(Value::Opaque(SIZE))
            }
            (_, Value::Opaque(SIZE), _) | (_, _, Value::Opaque(SIZE)) => {
                self.stuck("the size of a structure is compared")
            }
            ("==", ..) => Ok(truth(self.equal(left, right)?)),
            ("!=", ..) => Ok(truth(!self.equal(left, right)?)),
            _ => self.stuck(format!("{left:?} {operator} {right:?}")),
        }
    }

    fn binary(&mut self, operator: &'static str, left: &'static Expr, right: &'static Expr) -> Step<Value> {
        if matches!(operator, "&&" | "||") {
            let first = self.eval(left)?;
            if self.holds(first)? == (operator == "||") {
                return Ok(truth(operator == "||"));
            }
            let second = self.eval(right)?;
            return Ok(truth(self.holds(second)?));
        }
        if let ("==" | "!=", ExprKind::Name("NULL")) = (operator, &right.kind)
            && self.is_beside(left)?
        {
            return Ok(truth(operator == "!="));
        }
        let first = self.eval(left)?;
        if let Value::Sample(who) = first {
            return self.moved(operator, who, right);
        }
        let second = self.eval(right)?;
        self.calculated(operator, first, second)
    }

    /// Whether an expression is `next` or `prev` of a list's head, which is never NULL: it is not read then.
    fn is_beside(&mut self, expr: &'static Expr) -> Step<bool> {
        let ExprKind::Member { of, field: "next" | "prev", arrow: false } = &expr.kind else {
            return Ok(false);
        };
        let ExprKind::Member { .. } = &of.kind else { return Ok(false) };
        let Target::Memory(at, path) = self.target(of)? else { return Ok(false) };
        let is_head = matches!(self.slot_if_known(at, path), Some(Slot::List(_) | Slot::Empty));
        if is_head {
            self.later(Action::Touch(at));
        }
        Ok(is_head)
    }

    /// A sample is compared with its counter.
    fn moved(&mut self, operator: &str, who: u8, right: &'static Expr) -> Step<Value> {
        let ExprKind::Call(callee, args) = &right.kind else {
            return self.stuck("what a sample is compared with");
        };
        let (ExprKind::Name("atomic_read"), [counter], "==" | "!=") = (&callee.kind, &args[..], operator)
        else {
            return self.stuck("what a sample is compared with");
        };
        let Value::Pointer(at, path) = self.eval(counter)? else { return self.stuck("a counter") };
        let Slot::Generation(cell) = self.slot(at, path)? else { return self.stuck("a counter") };
        let moved = self.step(Action::Moved(cell, who))? == Obs::Bool(true);
        Ok(truth(moved == (operator == "!=")))
    }
}
