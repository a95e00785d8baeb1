//! Lists that no table names: heads and nodes that a patch has added, say.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::{Action, End};
use raddle_checker::machine::value::{Object, Obs};

use super::flow::turned;
use super::{Flow, Interp, join};
use crate::ast::{Expr, ExprKind, Name, Stmt};
use crate::links::list_of;
use crate::map::Slot;
use crate::value::{Path, Value, ZERO, truth};

/// A node: the lists on which it may be, and what is on them by it.
struct Linked {
    lists: (CellId, CellId),
    member: Object,
}

impl Interp<'_> {
    /// The head of a list, if one is here that no table names.
    pub(super) fn head(&mut self, at: Object, path: Path) -> Option<CellId> {
        match self.slot_if_known(at, path) {
            Some(Slot::List(cell)) => Some(cell),
            _ => None,
        }
    }

    /// The node of a list, if one is here that no table names.
    fn linked(&mut self, at: Object, path: Path) -> Step<Option<Linked>> {
        let c = self.c;
        if let Some(list) = list_of(self.cpu.world(), self.layout(), at, path) {
            return Ok(Some(Linked { lists: (list, list), member: at }));
        }
        let lists = c.map().lists_of(self.cpu.world(), self.layout(), c.map().owner(at), path);
        let lists = match lists[..] {
            [] => return Ok(None),
            [one] => (one, one),
            [one, other] => (one, other),
            _ => return self.stuck(format!("the node {path} may be on more than two lists")),
        };
        Ok(Some(Linked { lists, member: at }))
    }

    /// What is done with a list that no table names; `None` if a table names it.
    pub(super) fn own_list(
        &mut self,
        name: &str,
        at: Object,
        path: Path,
        to: Option<(Object, Path)>,
    ) -> Step<Option<Value>> {
        let empty = matches!(name, "list_empty" | "list_empty_careful");
        if let Some(head) = self.head(at, path) {
            return match (name, to) {
                _ if empty => Ok(Some(truth(self.step(Action::ListFirst(head))? == Obs::None))),
                ("list_splice_tail_init", Some((to, onto))) => match self.head(to, onto) {
                    Some(onto) => {
                        self.step(Action::ListSplice(head, onto))?;
                        Ok(Some(ZERO))
                    }
                    None => self.stuck(format!("{name} onto {onto}")),
                },
                _ => self.stuck(format!("{name} of the list {path}")),
            };
        }
        if empty && self.slot_if_known(at, path) == Some(Slot::Waiting) {
            return Ok(Some(truth(!self.waits_for_firmware(at)?)));
        }
        let Some(Linked { lists: (one, other), member }) = self.linked(at, path)? else { return Ok(None) };
        match (name, to) {
            _ if empty => {
                let on = self.step(Action::ListHas(one, other, member))? == Obs::Bool(true);
                return Ok(Some(truth(!on)));
            }
            ("list_add" | "list_add_tail" | "list_move" | "list_move_tail", Some((to, onto))) => {
                let Some(list) = self.head(to, onto) else {
                    return self.stuck(format!("{name} to {onto}"));
                };
                let at = if name.ends_with("_tail") { End::Last } else { End::First };
                if name.starts_with("list_move") {
                    self.step(vec![
                        Action::ListDel(one, other, member),
                        Action::ListAdd { list, unless_on: list, member, at },
                    ])?;
                    return Ok(Some(ZERO));
                }
                let unless_on = if list == one { other } else { one };
                let added = self.step(Action::ListAdd { list, unless_on, member, at })?;
                if added != Obs::Bool(true) {
                    return self.stuck(format!("{path} is put on a list, and is on one"));
                }
            }
            ("list_del" | "list_del_init", _) => {
                self.step(Action::ListDel(one, other, member))?;
            }
            _ => return self.stuck(format!("{name} of {path}")),
        }
        Ok(Some(ZERO))
    }

    /// The first of a list that no table names.
    pub(super) fn first_of(&mut self, name: Name, head: Value) -> Step<Value> {
        let Value::Pointer(at, path) = head else { return self.stuck(format!("the first of {head:?}")) };
        if self.slot_if_known(at, path) == Some(Slot::Waiting) {
            return Ok(Value::Pointer(at, join(path, "first")));
        }
        let Some(list) = self.head(at, path) else { return self.stuck(format!("the first of {path}")) };
        match self.step(Action::ListFirst(list))? {
            Obs::Id(first) => Ok(Value::Pointer(first, "")),
            _ if name.ends_with("_or_null") => Ok(ZERO),
            _ => self.stuck("the first of an empty list"),
        }
    }

    /// A walk over a list that no table names. A member that was taken off meanwhile is followed by itself; in a
    /// walk that is safe the next one is looked at before the turn.
    pub(super) fn walk_own(
        &mut self,
        whole: &'static Stmt,
        (name, args): (Name, &'static [Expr]),
        list: CellId,
        body: &'static Stmt,
    ) -> Step<Flow> {
        let ExprKind::Name(variable) = args[0].kind else { return self.stuck("a walk without a variable") };
        let safe = name.contains("_safe");
        let next = |after: Option<u8>| match name.ends_with("_reverse") {
            true => Action::ListPrev(list, list, after),
            false => Action::ListNext(list, list, after),
        };
        let frame = self.frames.len() - 1;
        self.set_local(frame, variable, "at$", Value::Unset);
        if safe {
            let first = self.step(next(None))?;
            self.set_local(frame, variable, "at$", pointer(first));
        }
        self.repeat(&self.dead(whole), |interp| {
            let at = interp.local_value(frame, variable, "at$");
            let after = |at: Option<Value>| match at {
                Some(Value::Pointer(at, _)) => Some(at.index),
                _ => None,
            };
            let now = if safe {
                let now = at.unwrap_or(ZERO);
                if now != ZERO {
                    let next = interp.step(next(after(at)))?;
                    interp.set_local(frame, variable, "at$", pointer(next));
                }
                now
            } else {
                let now = pointer(interp.step(next(after(at)))?);
                interp.set_local(frame, variable, "at$", now);
                now
            };
            if now == ZERO {
                interp.set_local(frame, variable, "at$", Value::Unset);
                return Ok(Some(Flow::Next));
            }
            interp.set_local(frame, variable, "", now);
            Ok(turned(interp.stmt(body, None)?))
        })
    }
}

fn pointer(observed: Obs) -> Value {
    match observed {
        Obs::Id(object) => Value::Pointer(object, ""),
        _ => ZERO,
    }
}
