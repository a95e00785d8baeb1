//! Waits: `wait_event`, and completions.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Obs};

use super::{Flow, Interp, Target};
use crate::ast::{Expr, ExprKind, Name};
use crate::map::Slot;
use crate::value::{Path, Value, ZERO};

/// The parts of a condition that must all hold, in the order in which they are looked at.
fn parts(condition: &'static Expr, to: &mut Vec<&'static Expr>) {
    match &condition.kind {
        ExprKind::Binary("&&", left, right) => {
            parts(left, to);
            parts(right, to);
        }
        _ => to.push(condition),
    }
}

impl Interp<'_> {
    /// `wait_event`: until the condition holds when it is looked at. Waking up is no step: whoever waits looks
    /// again when what it read last has changed.
    pub(super) fn wait_event(&mut self, condition: &'static Expr) -> Step<Value> {
        if let Some(value) = self.wait_for_one(condition)? {
            return Ok(value);
        }
        let mut all = Vec::new();
        parts(condition, &mut all);
        self.repeat(&[], |interp| {
            for part in &all {
                let Some(changed) = interp.looked_at(part)? else { continue };
                interp.step(changed)?;
                return Ok(None);
            }
            Ok(Some(Flow::Next))
        })?;
        Ok(ZERO)
    }

    /// `None` if a part of a condition holds; else what to wait for before it is looked at again.
    fn looked_at(&mut self, part: &'static Expr) -> Step<Option<Action>> {
        self.reads = Some(Vec::new());
        let value = self.eval(part);
        let reads = self.reads.take().unwrap_or_default();
        let value = value?;
        if self.holds(value)? {
            return Ok(None);
        }
        let mut last: Vec<(CellId, Obs)> = Vec::new();
        for (cell, observed) in reads {
            match last.iter_mut().find(|(known, _)| *known == cell) {
                Some((_, known)) => *known = observed,
                None => last.push((cell, observed)),
            }
        }
        match last[..] {
            [] => self.stuck(format!("a wait for what never changes: {}", part.text)),
            [(cell, observed)] => Ok(Some(Action::AwaitNot(cell, observed))),
            _ => Ok(Some(Action::AwaitAny(last))),
        }
    }

    /// A wait for a count to become 0 or for a flag, as one step; `None` if it is for something else.
    fn wait_for_one(&mut self, condition: &'static Expr) -> Step<Option<Value>> {
        if let ExprKind::Binary("==", left, right) = &condition.kind
            && let (ExprKind::Call(callee, args), ExprKind::Number(0, _)) = (&left.kind, &right.kind)
            && let (ExprKind::Name("atomic_read"), [counter]) = (&callee.kind, &args[..])
        {
            let Value::Pointer(at, path) = self.eval(counter)? else {
                return self.stuck(format!("a wait for the counter {}", counter.text));
            };
            if let Slot::Count(cell) | Slot::Atomic(cell) = self.slot(at, path)? {
                self.step(Action::AwaitZero(cell))?;
                return Ok(Some(ZERO));
            }
            return self.stuck(format!("a wait for the counter {path}"));
        }
        // `flag` or `!flag`: until the flag has the other value.
        let (of, until) = match &condition.kind {
            ExprKind::Unary('!', of) => (&**of, false),
            _ => (condition, true),
        };
        if !matches!(of.kind, ExprKind::Member { .. } | ExprKind::Name(_)) {
            return Ok(None);
        }
        let Target::Memory(at, path) = self.target(of)? else { return Ok(None) };
        match self.slot(at, path)? {
            Slot::Bool(cell) => {
                self.step(Action::AwaitNot(cell, Obs::Bool(!until)))?;
                Ok(Some(ZERO))
            }
            Slot::Zero(_) if !until => {
                self.assumed(at, path);
                Ok(Some(ZERO))
            }
            Slot::Constant(value) if value.holds() == Some(until) => Ok(Some(ZERO)),
            _ => Ok(None),
        }
    }

    /// A completion: it counts how often it has been completed and nobody has waited for that yet.
    pub(super) fn completion(&mut self, name: Name, at: Object, path: Path) -> Step<Value> {
        let Slot::Completion(cell) = self.slot(at, path)? else {
            return self.stuck(format!("{name} of {path}"));
        };
        match name {
            "complete" => drop(self.step(Action::Get(cell))?),
            "wait_for_completion" => {
                self.step(vec![Action::AwaitNot(cell, Obs::Int(0)), Action::Dec(cell)])?;
            }
            _ => drop(self.step(Action::Store(cell, Obs::Int(0)))?),
        }
        Ok(ZERO)
    }
}
