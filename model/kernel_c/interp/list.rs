//! Lists that no table names: heads and nodes that a patch has added, say.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::{Action, End};
use raddle_checker::machine::value::{Object, Obs};

use super::flow::turned;
use super::{Flow, Interp, join};
use crate::ast::{Expr, ExprKind, Name, Stmt};
use crate::map::Slot;
use crate::value::{Path, Value, ZERO, truth, word};
use crate::{devres, links};

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
        Ok(self.lists(at, path)?.map(|lists| Linked { lists, member: at }))
    }

    /// The lists on which a node may be, if one is here that no table names.
    pub(super) fn lists(&mut self, at: Object, path: Path) -> Step<Option<(CellId, CellId)>> {
        let c = self.c;
        let (world, layout) = (self.cpu.world(), self.layout());
        let fixed =
            links::list_of(world, layout, at, path).or_else(|| devres::list_of(world, layout, at, path));
        if let Some(list) = fixed {
            return Ok(Some((list, list)));
        }
        let lists = c.map().lists_of(world, layout, c.map().owner(at), path);
        Ok(Some(match lists[..] {
            [] => return Ok(None),
            [one] => (one, one),
            [one, other] => (one, other),
            _ => return self.stuck(format!("the node {path} may be on more than two lists")),
        }))
    }

    /// `next` or `prev` of a list's head or of a node on one, if such a thing is here.
    pub(super) fn beside(&mut self, at: Object, path: Path) -> Step<Option<Value>> {
        let Some((of, end @ ("next" | "prev"))) = path.rsplit_once('.') else { return Ok(None) };
        let of = word(of);
        if self.slot_if_known(at, of) == Some(Slot::Empty) {
            self.assumed(at, of);
            self.later(Action::Touch(at));
            return Ok(Some(Value::Pointer(at, of)));
        }
        let (world, map) = (self.cpu.world(), self.c.map());
        let (list, after, ends) = if let Some(list) = self.head(at, of) {
            (list, None, map.node_of(at, of).map(|node| ((at, of), node)))
        } else if let Some((list, other)) = self.lists(at, of)? {
            (
                list,
                Some(at.index),
                map.head_of(world, at, of).filter(|_| list == other).map(|head| (head, of)),
            )
        } else {
            return Ok(None);
        };
        let Some(((head, first), node)) = ends else { return self.stuck(format!("what is beside {of}")) };
        let step = match (end, after) {
            ("next", None) => Action::ListFirst(list),
            ("next", _) => Action::ListNext(list, list, after),
            _ => Action::ListPrev(list, list, after),
        };
        Ok(Some(match self.step(step)? {
            Obs::Id(member) => Value::Pointer(member, node),
            _ => Value::Pointer(head, first),
        }))
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
        (list, node): (CellId, Path),
        body: &'static Stmt,
    ) -> Step<Flow> {
        let ExprKind::Name(variable) = args[0].kind else { return self.stuck("a walk without a variable") };
        let safe = name.contains("_safe");
        let Some(member) = args.get(2 + usize::from(safe)) else {
            return self.stuck("a walk without a member");
        };
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
            let Value::Pointer(now, _) = now else { unreachable!("internal: {now:?} is on a list") };
            let entry = interp.member_of(Value::Pointer(now, node), member)?;
            interp.set_local(frame, variable, "", entry);
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
