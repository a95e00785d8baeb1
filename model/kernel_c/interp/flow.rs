//! Statements.

use std::rc::Rc;
use std::sync::Arc;

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Obs;
use raddle_probing::objects::{CORE, Core, DevicePrivate};

use super::{Flow, Frame, Interp, Target};
use crate::ast::{Expr, ExprKind, Name, Stmt, StmtKind, Variable};
use crate::map::Slot;
use crate::subject::Assumed;
use crate::value::{Value, ZERO, word};

/// How often a block may go back to a label without a loop.
const BACKWARD: usize = 100;

/// A variable of a block: the statement that declares it, and the function of its clean-up.
struct Declared {
    at: usize,
    name: Name,
    free: Option<Name>,
}

/// Whether a label stands in a statement.
fn has_label(stmt: &Stmt, label: &str) -> bool {
    match &stmt.kind {
        StmtKind::Label(own) => *own == label,
        StmtKind::Block(body) | StmtKind::Switch(_, body) => body.iter().any(|stmt| has_label(stmt, label)),
        StmtKind::If(_, then, other) => {
            has_label(then, label) || other.as_ref().is_some_and(|other| has_label(other, label))
        }
        StmtKind::While(_, body)
        | StmtKind::DoWhile(body, _)
        | StmtKind::For(.., body)
        | StmtKind::Headed(.., body) => has_label(body, label),
        _ => false,
    }
}

/// `guard(class)(argument)`.
fn guard_of(expr: &'static Expr) -> Option<(Name, &'static Expr)> {
    let ExprKind::Call(callee, args) = &expr.kind else { return None };
    let ExprKind::Call(guard, class) = &callee.kind else { return None };
    match (&guard.kind, &class.first()?.kind, args.first()) {
        (ExprKind::Name("guard"), ExprKind::Name(class), Some(argument)) => Some((class, argument)),
        _ => None,
    }
}

impl Interp<'_> {
    /// Statements of a block: variables go at its end, those with a clean-up in reverse order.
    ///
    /// `seek`: where to begin. `whole`: the block is a function's body, whose variables its caller drops.
    pub(super) fn block(&mut self, stmts: &'static [Stmt], seek: Option<Name>, whole: bool) -> Step<Flow> {
        let mut seek = seek;
        let find = |label: Name| stmts.iter().position(|stmt| has_label(stmt, label));
        let mut at = seek.and_then(find).unwrap_or(0);
        let mut declared: Vec<Declared> = Vec::new();
        let mut backward = 0;
        let flow = loop {
            let Some(stmt) = stmts.get(at) else { break Flow::Next };
            self.line = stmt.line;
            let mut flow = match (&stmt.kind, seek.take()) {
                (StmtKind::Label(_), _) => Flow::Next,
                (StmtKind::Declare(all), _) => {
                    for variable in all {
                        self.declare(variable)?;
                        let free = variable.free.map(|free| word(&format!("free${free}")));
                        declared.push(Declared { at, name: variable.name, free });
                    }
                    Flow::Next
                }
                (StmtKind::Expr(expr), None) if guard_of(expr).is_some() && self.c.runs(stmt) => {
                    let Some((class, argument)) = guard_of(expr) else {
                        unreachable!("internal: it is a guard")
                    };
                    self.c.reaches(stmt, true);
                    let value = self.eval(argument)?;
                    let name = word(&format!("guard${}", stmt.line));
                    self.set_local(self.frames.len() - 1, name, "", value);
                    self.cleanup(word(&format!("lock${class}")), value)?;
                    declared.push(Declared { at, name, free: Some(word(&format!("unlock${class}"))) });
                    Flow::Next
                }
                (_, label) => self.stmt(stmt, label)?,
            };
            if let Flow::Goto(label) = flow
                && let Some(target) = find(label)
                && whole
                && target <= at
                && matches!(stmts[target].kind, StmtKind::Label(_))
            {
                // A function goes back: from the label on it is a loop.
                let kept = declared.iter().position(|one| one.at > target).unwrap_or(declared.len());
                let dropped = declared.split_off(kept);
                flow = self.again_after(label, &stmts[target + 1..], &dropped)?;
                at = stmts.len() - 1;
            }
            match flow {
                Flow::Next => at += 1,
                Flow::Goto(label) => match find(label) {
                    Some(target) => {
                        backward += usize::from(target <= at);
                        if backward > BACKWARD {
                            return self.stuck(format!("goto {label}, backward without an end"));
                        }
                        at = target;
                        seek = Some(label);
                    }
                    None => break Flow::Goto(label),
                },
                other => break other,
            }
        };
        self.drop_variables(&declared, !whole)?;
        Ok(flow)
    }

    /// What follows a label to which a function goes back, again and again. `dropped`: variables that go before that.
    fn again_after(&mut self, label: Name, rest: &'static [Stmt], dropped: &[Declared]) -> Step<Flow> {
        self.drop_variables(dropped, true)?;
        self.repeat(&[], |interp| match interp.block(rest, None, false)? {
            Flow::Goto(to) if to == label => Ok(None),
            Flow::Break | Flow::Continue => interp.stuck("a loop of goto that another loop ends"),
            other => Ok(Some(other)),
        })
    }

    /// Variables go: those with a clean-up in reverse order. `forgets`: their caller does not drop them.
    fn drop_variables(&mut self, declared: &[Declared], forgets: bool) -> Step<()> {
        let frame = self.frames.len() - 1;
        for Declared { name, free, .. } in declared.iter().rev() {
            if let (Some(free), Some(value)) = (free, self.local_value(frame, name, "")) {
                self.cleanup(free, value)?;
            }
        }
        if forgets {
            Frame::forget(self.frame(), |name, _| declared.iter().any(|one| one.name == name));
        }
        Ok(())
    }

    /// Calls the function of a clean-up or guard.
    fn cleanup(&mut self, name: Name, value: Value) -> Step<()> {
        let plain = name.split('$').next_back().unwrap_or(name);
        match self.c.tree().function(name, self.file()) {
            Some(function) => self.call(function, vec![value]).map(drop),
            None if name.starts_with("free$") => self.invoke(plain, vec![value]).map(drop),
            None => self.stuck(format!("what {name} does")),
        }
    }

    fn declare(&mut self, variable: &'static Variable) -> Step<()> {
        let frame = self.frames.len() - 1;
        if variable.is_static {
            Rc::make_mut(self.frame()).statics.push(variable.name);
            return Ok(());
        }
        Rc::make_mut(self.frame()).types.push((variable.name, &variable.ty));
        // A turn of a loop declares anew.
        Frame::forget(self.frame(), |name, _| name == variable.name);
        let Some(init) = &variable.init else { return Ok(()) };
        let target = Target::Local(frame, variable.name, "");
        if let ExprKind::Initializer(_, values) = &init.kind {
            for (i, (field, value)) in values.iter().enumerate() {
                let value = self.eval(value)?;
                let path = field.map_or_else(|| word(&format!("[{i}]")), word);
                self.set_local(frame, variable.name, path, value);
            }
            // What is not named is 0.
            self.set_local(frame, variable.name, "0$", ZERO);
            return Ok(());
        }
        self.assign(target, init)?;
        Ok(())
    }

    /// Runs an expression that is a statement, and notes whether it does something.
    fn watched(&mut self, stmt: &'static Stmt, expr: &'static Expr) -> Step<()> {
        let before = (self.cpu.made(), self.frames.clone(), self.pending.clone());
        let done = self.eval(expr);
        let (made, frames, pending) = before;
        let acts = done.is_err()
            || made.is_none()
            || made != self.cpu.made()
            || pending != self.pending
            || frames.iter().zip(&self.frames).any(|(old, new)| !Rc::ptr_eq(old, new));
        self.c.reaches(stmt, acts);
        done.map(drop)
    }

    pub(super) fn stmt(&mut self, stmt: &'static Stmt, seek: Option<Name>) -> Step<Flow> {
        self.line = stmt.line;
        Ok(match &stmt.kind {
            StmtKind::Empty | StmtKind::Label(_) | StmtKind::Case(_) => Flow::Next,
            StmtKind::Expr(expr) if self.c.is_watched() => {
                self.watched(stmt, expr)?;
                Flow::Next
            }
            StmtKind::Expr(expr) => {
                if self.c.runs(stmt) {
                    self.eval(expr)?;
                }
                Flow::Next
            }
            StmtKind::Declare(_) => self.block(std::slice::from_ref(stmt), None, true)?,
            StmtKind::Block(body) => self.block(body, seek, false)?,
            StmtKind::If(condition, then, other) => {
                let branch = match seek {
                    Some(label) => has_label(then, label),
                    None => self.condition(condition)?,
                };
                match (branch, other) {
                    (true, _) => self.stmt(then, seek)?,
                    (false, Some(other)) => self.stmt(other, seek)?,
                    (false, None) => Flow::Next,
                }
            }
            StmtKind::While(..) | StmtKind::DoWhile(..) | StmtKind::For(..) | StmtKind::Headed(..)
                if seek.is_some() =>
            {
                return self.stuck("a goto into a loop");
            }
            StmtKind::While(condition, body) => self.repeat(&self.dead(stmt), |interp| {
                if !interp.condition(condition)? {
                    return Ok(Some(Flow::Next));
                }
                Ok(turned(interp.stmt(body, None)?))
            })?,
            StmtKind::DoWhile(body, condition) => self.do_while(stmt, body, condition)?,
            StmtKind::For(.., body) => self.for_loop(stmt, &stmt.kind, body)?,
            StmtKind::Headed(name, args, body) => self.headed(stmt, name, args, body)?,
            StmtKind::Switch(on, body) => self.switch(on, body, seek)?,
            StmtKind::Return(value) => Flow::Return(match value {
                Some(value) => self.eval(value)?,
                None => ZERO,
            }),
            StmtKind::Goto(label) => Flow::Goto(label),
            StmtKind::Break => Flow::Break,
            StmtKind::Continue => Flow::Continue,
        })
    }

    /// A loop with this head: `whole` is all of it as it is written.
    fn for_loop(&mut self, whole: &'static Stmt, head: &'static StmtKind, body: &'static Stmt) -> Step<Flow> {
        let StmtKind::For(first, condition, update, _) = head else {
            unreachable!("internal: the head of a loop")
        };
        if let Some(first) = first {
            self.stmt(first, None)?;
        }
        self.repeat(&self.dead(whole), |interp| {
            if let Some(condition) = condition
                && !interp.condition(condition)?
            {
                return Ok(Some(Flow::Next));
            }
            if let Some(flow) = turned(interp.stmt(body, None)?) {
                return Ok(Some(flow));
            }
            if let Some(update) = update {
                interp.eval(update)?;
            }
            Ok(None)
        })
    }

    /// The variables that a loop need not carry.
    pub(super) fn dead(&self, whole: &'static Stmt) -> Arc<[Name]> {
        self.frames
            .last()
            .map_or_else(|| Arc::new([]) as Arc<[Name]>, |frame| self.c.dead(frame.function, whole))
    }

    fn do_while(
        &mut self,
        whole: &'static Stmt,
        body: &'static Stmt,
        condition: &'static Expr,
    ) -> Step<Flow> {
        // A macro's `do { .. } while (0)` is no loop.
        if matches!(condition.kind, ExprKind::Number(0, _)) {
            return Ok(turned(self.stmt(body, None)?).unwrap_or(Flow::Next));
        }
        self.repeat(&self.dead(whole), |interp| match turned(interp.stmt(body, None)?) {
            Some(flow) => Ok(Some(flow)),
            None => Ok((!interp.condition(condition)?).then_some(Flow::Next)),
        })
    }

    fn switch(&mut self, on: &'static Expr, body: &'static [Stmt], seek: Option<Name>) -> Step<Flow> {
        let start = match seek {
            Some(label) => body.iter().position(|stmt| has_label(stmt, label)),
            None => {
                let value = self.eval(on)?;
                let (mut start, mut default) = (None, None);
                for (i, stmt) in body.iter().enumerate() {
                    match &stmt.kind {
                        StmtKind::Case(Some(case)) if start.is_none() => {
                            let case = self.eval(case)?;
                            if self.equal(value, case)? {
                                start = Some(i);
                            }
                        }
                        StmtKind::Case(None) => default = Some(i),
                        _ => {}
                    }
                }
                start.or(default)
            }
        };
        let Some(start) = start else { return Ok(Flow::Next) };
        Ok(match self.block(&body[start..], seek, false)? {
            Flow::Break => Flow::Next,
            other => other,
        })
    }

    fn headed(
        &mut self,
        whole: &'static Stmt,
        name: Name,
        args: &'static [Expr],
        body: &'static Stmt,
    ) -> Step<Flow> {
        match (name, args) {
            ("scoped_guard", [class, argument]) => {
                let ExprKind::Name(class) = class.kind else { return self.stuck("scoped_guard") };
                let value = self.eval(argument)?;
                self.cleanup(word(&format!("lock${class}")), value)?;
                let flow = self.stmt(body, None)?;
                self.cleanup(word(&format!("unlock${class}")), value)?;
                Ok(flow)
            }
            _ if name.starts_with("list_for_each_entry") => {
                let head = args.get(1 + usize::from(name.contains("_safe")));
                let Some(head) = head else { return self.stuck(format!("{name} without a list")) };
                match self.eval(head)? {
                    Value::Pointer(CORE, "deferred_probe_pending_list") => {
                        self.walk_pending(whole, &args[0], body)
                    }
                    Value::Pointer(object, path) => match self.slot(object, path)? {
                        Slot::Empty => {
                            self.assumed(object, path);
                            Ok(Flow::Next)
                        }
                        Slot::List(list) => match self.c.map().node_of(object, path) {
                            Some(node) => self.walk_own(whole, (name, args), (list, node), body),
                            None => self.stuck(format!("a walk of the list {path}")),
                        },
                        Slot::Waiting => match args[0].kind {
                            ExprKind::Name(variable) => self.walk_waiting(object, path, variable, body),
                            _ => self.stuck("a walk without a variable"),
                        },
                        _ => self.stuck(format!("a walk of the list {path}")),
                    },
                    Value::Local(at, list, path) => {
                        self.walk_local(whole, (name, args), (usize::from(at), list, path), body)
                    }
                    other => self.stuck(format!("a list at {other:?}")),
                }
            }
            // A loop that a stub stands for makes no turn.
            _ if self.c.tables().stubs.contains_key(name) => {
                self.c.assume(Assumed::Stub(name));
                Ok(Flow::Next)
            }
            _ => match self.c.tree().loop_of(name, args, self.file(), self.line) {
                Some(head) => self.for_loop(whole, &head[0].kind, body),
                None => self.stuck(format!("the loop {name}(..)")),
            },
        }
    }

    /// A walk over the pending list: a device that was taken off meanwhile is followed by itself.
    fn walk_pending(
        &mut self,
        whole: &'static Stmt,
        variable: &'static Expr,
        body: &'static Stmt,
    ) -> Step<Flow> {
        let ExprKind::Name(variable) = variable.kind else { return self.stuck("a walk without a variable") };
        let (pending, active) = (self.cpu.cell(Core.pending_list()), self.cpu.cell(Core.active_list()));
        let frame = self.frames.len() - 1;
        self.set_local(frame, variable, "at$", Value::Unset);
        self.repeat(&self.dead(whole), |interp| {
            let at = match interp.local_value(frame, variable, "at$") {
                Some(Value::Pointer(dev, _)) => Some(dev.index),
                _ => None,
            };
            let Obs::Id(next) = interp.step(Action::ListNext(pending, active, at))? else {
                return Ok(Some(Flow::Next));
            };
            interp.set_local(frame, variable, "at$", Value::Pointer(next, ""));
            interp.set_local(frame, variable, "", Value::Pointer(DevicePrivate(next.index).object(), ""));
            Ok(turned(interp.stmt(body, None)?))
        })
    }

    fn condition(&mut self, expr: &'static Expr) -> Step<bool> {
        let value = self.eval(expr)?;
        self.holds(value)
    }

    pub(super) fn holds(&mut self, value: Value) -> Step<bool> {
        match value.holds() {
            Some(holds) => Ok(holds),
            None => self.stuck("a condition on a variable that is not set"),
        }
    }
}

/// What a turn's end means for its loop: `None`, the next turn.
pub(super) fn turned(flow: Flow) -> Option<Flow> {
    match flow {
        Flow::Next | Flow::Continue => None,
        Flow::Break => Some(Flow::Next),
        other => Some(other),
    }
}
