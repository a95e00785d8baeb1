//! Lists in variables: whoever has the variable knows what is on it, and nobody else does.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Object;

use super::flow::turned;
use super::{Flow, Interp, join};
use crate::ast::{Expr, ExprKind, Name, Stmt};
use crate::value::{Path, Value, ZERO, truth, word};

/// The head of a list in a variable: its frame, the variable, where in it.
pub(super) type Head = (usize, Name, Path);

/// The head that a value points to, if it is one in a variable.
pub(super) fn head(value: Option<&Value>) -> Option<Head> {
    match value {
        Some(Value::Local(frame, name, path)) => Some((usize::from(*frame), name, path)),
        _ => None,
    }
}

/// Where the member of this number is kept.
fn place((_, _, path): Head, at: usize) -> Path {
    join(path, word(&format!("#{at}")))
}

impl Interp<'_> {
    /// The members of a list in a variable: nodes.
    fn members(&self, head: Head) -> Vec<Value> {
        (0..).map_while(|at| self.local_value(head.0, head.1, place(head, at))).collect()
    }

    fn keep(&mut self, head: Head, members: &[Value]) {
        let before = self.members(head).len();
        for at in 0..before.max(members.len()) {
            let value = members.get(at).copied().unwrap_or(Value::Unset);
            self.set_local(head.0, head.1, place(head, at), value);
        }
    }

    /// The list in a variable of this task that a node is on.
    fn list_with(&self, node: Value) -> Option<Head> {
        let frames = self.frames.iter().enumerate();
        let mut all = frames.flat_map(|(at, frame)| frame.locals.iter().map(move |local| (at, local)));
        all.find_map(|(at, (name, path, value))| {
            let (before, last) = path.rsplit_once('.').unwrap_or(("", path));
            (*value == node && last.starts_with('#')).then(|| (at, *name, word(before)))
        })
    }

    /// Takes a node off the list in a variable that it is on, if it is on one.
    fn take_off(&mut self, node: Value) -> bool {
        let Some(head) = self.list_with(node) else { return false };
        let mut members = self.members(head);
        members.retain(|member| *member != node);
        self.keep(head, &members);
        true
    }

    /// What is done with a list in a variable, or with a node on one; `None` if it is neither.
    pub(super) fn local_list(&mut self, name: Name, args: &[Value]) -> Step<Option<Value>> {
        let empty = matches!(name, "list_empty" | "list_empty_careful");
        if let Some(list) = head(args.first()) {
            if empty {
                return Ok(Some(truth(self.members(list).is_empty())));
            }
            return self.stuck(format!("{name} of a list in a variable"));
        }
        let Some(node @ Value::Pointer(at, path)) = args.first().copied() else { return Ok(None) };
        match (name, head(args.get(1))) {
            ("list_add" | "list_add_tail" | "list_move" | "list_move_tail", Some(list)) => {
                if name.starts_with("list_move") && !self.take_off(node) {
                    self.off_list(at, path)?;
                } else if self.list_with(node).is_some() {
                    return self.stuck(format!("{path} is put on a list, and is on one"));
                }
                let mut members = self.members(list);
                members.insert(if name.ends_with("_tail") { members.len() } else { 0 }, node);
                self.keep(list, &members);
                Ok(Some(ZERO))
            }
            (_, Some(_)) => self.stuck(format!("{name} with a list in a variable")),
            _ if empty && self.list_with(node).is_some() => Ok(Some(truth(false))),
            ("list_del" | "list_del_init", None) if self.take_off(node) => Ok(Some(ZERO)),
            ("list_move" | "list_move_tail", None) if self.list_with(node).is_some() => {
                self.stuck(format!("{name} off a list in a variable"))
            }
            _ => Ok(None),
        }
    }

    /// Takes a node off the list of memory that it is on.
    fn off_list(&mut self, at: Object, path: Path) -> Step<()> {
        match self.lists(at, path)? {
            Some((one, other)) => self.step(Action::ListDel(one, other, at)).map(drop),
            None => self.stuck(format!("{path} is moved")),
        }
    }

    /// The member after a node, or the first one; 0 after the last.
    fn next_of(&mut self, list: Head, after: Option<Value>, back: bool) -> Step<Value> {
        let mut members = self.members(list);
        if back {
            members.reverse();
        }
        let Some(node) = after else { return Ok(members.first().copied().unwrap_or(ZERO)) };
        if let Value::Pointer(at, _) = node {
            self.later(Action::Touch(at));
        }
        match members.iter().position(|member| *member == node) {
            Some(at) => Ok(members.get(at + 1).copied().unwrap_or(ZERO)),
            None => {
                self.flush()?;
                self.stuck("a walk over a list in a variable, from a node that is no longer on it")
            }
        }
    }

    /// A walk over a list in a variable. As in C, the next member of a walk that is safe is looked at before the turn.
    pub(super) fn walk_local(
        &mut self,
        whole: &'static Stmt,
        (name, args): (Name, &'static [Expr]),
        list: Head,
        body: &'static Stmt,
    ) -> Step<Flow> {
        let ExprKind::Name(variable) = args[0].kind else { return self.stuck("a walk without a variable") };
        let (safe, back) = (name.contains("_safe"), name.contains("_reverse"));
        let Some(member) = args.get(2 + usize::from(safe)) else {
            return self.stuck("a walk without a member");
        };
        let frame = self.frames.len() - 1;
        let first = self.next_of(list, None, back)?;
        self.set_local(frame, variable, "at$", first);
        self.repeat(&self.dead(whole), |interp| {
            let now = interp.local_value(frame, variable, "at$").unwrap_or(ZERO);
            if now == ZERO {
                interp.set_local(frame, variable, "at$", Value::Unset);
                return Ok(Some(Flow::Next));
            }
            if safe {
                let following = interp.next_of(list, Some(now), back)?;
                interp.set_local(frame, variable, "at$", following);
            }
            let entry = interp.member_of(now, member)?;
            interp.set_local(frame, variable, "", entry);
            let flow = turned(interp.stmt(body, None)?);
            match flow {
                Some(_) => interp.set_local(frame, variable, "at$", Value::Unset),
                None if safe => {}
                None => {
                    let following = interp.next_of(list, Some(now), back)?;
                    interp.set_local(frame, variable, "at$", following);
                }
            }
            Ok(flow)
        })
    }
}
