//! A model as Promela, for SPIN: one process, each step of which is one `d_step`.

use std::fmt::{self, Display, Formatter};

use super::Model;
use super::code::{Expr, Place, Statement, Two};

/// A model that is displayed as Promela.
pub(super) struct Promela<'a>(pub(super) &'a Model);

struct Term<'a>(&'a Expr);

impl Display for Term<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Num(number) => write!(f, "{number}"),
            Expr::Byte(address) => write!(f, "m[{}]", Term(address)),
            Expr::Node(slot) => write!(f, "pc[{slot}]"),
            Expr::Temp(temp) => write!(f, "t{temp}"),
            Expr::Observed => write!(f, "seen"),
            Expr::Hazard => write!(f, "hazard"),
            Expr::Not(of) => write!(f, "!({})", Term(of)),
            Expr::Two(two, left, right) => {
                let operator = match two {
                    Two::Add => "+",
                    Two::Sub => "-",
                    Two::Div => "/",
                    Two::Rem => "%",
                    Two::Eq => "==",
                    Two::Ne => "!=",
                    Two::Lt => "<",
                    Two::Le => "<=",
                    Two::And => "&&",
                    Two::Or => "||",
                };
                write!(f, "({} {operator} {})", Term(left), Term(right))
            }
        }
    }
}

fn statements(f: &mut Formatter<'_>, all: &[Statement]) -> fmt::Result {
    for statement in all {
        match statement {
            Statement::Set(place, value) => {
                let value = Term(value);
                match place {
                    Place::Byte(address) => write!(f, "m[{}] = {value}; ", Term(address))?,
                    Place::Node(slot) => write!(f, "pc[{slot}] = {value}; ")?,
                    Place::Temp(temp) => write!(f, "t{temp} = {value}; ")?,
                    Place::Observed => write!(f, "seen = {value}; ")?,
                    Place::Hazard => write!(f, "hazard = {value}; ")?,
                }
            }
            Statement::If(condition, then, otherwise) => {
                write!(f, "if :: {} -> ", Term(condition))?;
                branch(f, then)?;
                write!(f, ":: else -> ")?;
                branch(f, otherwise)?;
                write!(f, "fi; ")?;
            }
            Statement::Sort => write!(f, "sort(); ")?,
        }
    }
    Ok(())
}

fn branch(f: &mut Formatter<'_>, all: &[Statement]) -> fmt::Result {
    if all.is_empty() { write!(f, "skip ") } else { statements(f, all) }
}

fn list(numbers: &[impl Display]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Display for Promela<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let model = self.0;
        let (bytes, slots) = (model.memory.len(), model.nodes.len());
        writeln!(f, "/* {}", model.title.replace("*/", "* /"))?;
        writeln!(f, " *")?;
        writeln!(f, " * spin -a FILE && cc -O1 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -c0 -e")?;
        writeln!(f, " *")?;
        writeln!(
            f,
            " * The reference search of raddle stored {} states; for each hazard there is one more.",
            model.states
        )?;
        writeln!(f, " */")?;
        writeln!(f)?;
        for (at, name) in model.bytes.iter().enumerate() {
            writeln!(f, "/* m[{at}]: {name} */")?;
        }
        for (slot, name) in model.slots.iter().enumerate() {
            writeln!(f, "/* pc[{slot}]: {name} */")?;
        }
        writeln!(f)?;
        writeln!(f, "byte m[{bytes}] = {{ {} }};", list(&model.memory))?;
        writeln!(f, "short pc[{slots}] = {{ {} }};", list(&model.nodes))?;
        writeln!(f, "byte hazard;")?;
        writeln!(f, "hidden short seen, k;")?;
        for temp in 0..model.temps {
            writeln!(f, "hidden short t{temp};")?;
        }
        writeln!(f)?;
        writeln!(f, "/* After a hazard, nothing else is told apart. */")?;
        writeln!(f, "inline finish() {{")?;
        writeln!(f, "\tif")?;
        writeln!(f, "\t:: hazard != 0 ->")?;
        for (array, length) in [("m", bytes), ("pc", slots)] {
            writeln!(f, "\t\tk = 0; do :: k < {length} -> {array}[k] = 0; k++ :: else -> break od;")?;
        }
        writeln!(f, "\t:: else")?;
        writeln!(f, "\tfi;")?;
        writeln!(f, "\tseen = 0; k = 0")?;
        writeln!(f, "}}")?;
        if !model.sort.is_empty() {
            write!(f, "\n/* Spawned tasks have no order. */\ninline sort() {{\n\t")?;
            statements(f, &model.sort)?;
            writeln!(f, "skip\n}}")?;
        }
        writeln!(f)?;
        writeln!(f, "active proctype all() {{")?;
        writeln!(f, "end:\tdo")?;
        for choice in &model.steps {
            write!(
                f,
                "\t/* {} */\n\t:: d_step {{ hazard == 0 && {} -> ",
                choice.comment,
                Term(&choice.guard)
            )?;
            statements(f, &choice.effect)?;
            writeln!(f, "finish() }}")?;
        }
        for (number, name) in model.names.iter().enumerate() {
            let number = number + 1;
            writeln!(f, "\t/* {name} */")?;
            writeln!(f, "\t:: d_step {{ hazard == {number} -> assert(hazard != {number}) }}")?;
        }
        writeln!(f, "\tod")?;
        writeln!(f, "}}")
    }
}
