//! A model as a TLA+ module, for TLC.

use std::fmt::{self, Display, Formatter};

use super::Model;
use super::code::{Expr, FALSE, Place, Statement, TRUE, Two};

/// A model that is displayed as a module of this name.
pub(super) struct Tla<'a> {
    pub(super) model: &'a Model,
    pub(super) name: &'a str,
}

/// The name of the invariant that a hazard breaks in a TLA+ module: of `use-after-free`, `NoUseAfterFree`.
#[must_use]
pub fn invariant(hazard: &str) -> String {
    let words = hazard.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    format!("No{}", words.collect::<String>())
}

/// An expression over the record of this name.
struct Term<'a>(&'a Expr, &'a str);

impl Display for Term<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = self.1;
        match self.0 {
            Expr::Num(number) => write!(f, "{number}"),
            Expr::Byte(address) => write!(f, "{of}.m[{}]", Term(address, of)),
            Expr::Node(slot) => write!(f, "{of}.pc[{slot}]"),
            Expr::Temp(temp) => write!(f, "{of}.t[{temp}]"),
            Expr::Observed => write!(f, "{of}.seen"),
            Expr::Hazard => write!(f, "{of}.hazard"),
            Expr::Two(two, left, right) => {
                let operator = match two {
                    Two::Add => "+",
                    Two::Sub => "-",
                    Two::Div => "\\div",
                    Two::Rem => "%",
                    Two::Eq => "=",
                    Two::Ne => "#",
                    Two::Lt => "<",
                    Two::Le => "<=",
                    Two::And | Two::Or => return Condition(self.0, of).fmt(f),
                };
                write!(f, "({} {operator} {})", Term(left, of), Term(right, of))
            }
            Expr::Not(_) => Condition(self.0, of).fmt(f),
        }
    }
}

/// An expression that is true or false, over the record of this name.
struct Condition<'a>(&'a Expr, &'a str);

impl Display for Condition<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = self.1;
        match self.0 {
            &TRUE => write!(f, "TRUE"),
            &FALSE => write!(f, "FALSE"),
            Expr::Not(inner) => write!(f, "~({})", Condition(inner, of)),
            Expr::Two(Two::And, left, right) => {
                write!(f, "({} /\\ {})", Condition(left, of), Condition(right, of))
            }
            Expr::Two(Two::Or, left, right) => {
                write!(f, "({} \\/ {})", Condition(left, of), Condition(right, of))
            }
            other => Term(other, of).fmt(f),
        }
    }
}

/// Writes what a record is after statements; records are numbered on.
fn after(f: &mut Formatter<'_>, all: &[Statement], from: &str, numbers: &mut usize) -> fmt::Result {
    if all.is_empty() {
        return write!(f, "{from}");
    }
    write!(f, "(LET ")?;
    let mut last = from.to_owned();
    for statement in all {
        *numbers += 1;
        let name = format!("s{numbers}");
        write!(f, "{name} == ")?;
        match statement {
            Statement::Set(place, value) => {
                let value = Term(value, &last);
                match place {
                    Place::Byte(address) => {
                        write!(f, "[{last} EXCEPT !.m[{}] = {value}] ", Term(address, &last))?;
                    }
                    Place::Node(slot) => write!(f, "[{last} EXCEPT !.pc[{slot}] = {value}] ")?,
                    Place::Temp(temp) => write!(f, "[{last} EXCEPT !.t[{temp}] = {value}] ")?,
                    Place::Observed => write!(f, "[{last} EXCEPT !.seen = {value}] ")?,
                    Place::Hazard => write!(f, "[{last} EXCEPT !.hazard = {value}] ")?,
                }
            }
            Statement::If(condition, then, otherwise) => {
                write!(f, "IF {} THEN ", Condition(condition, &last))?;
                after(f, then, &last, numbers)?;
                write!(f, " ELSE ")?;
                after(f, otherwise, &last, numbers)?;
                write!(f, " ")?;
            }
            Statement::Sort => write!(f, "Sorted({last}) ")?,
        }
        last = name;
    }
    write!(f, "IN {last})")
}

impl Display for Tla<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Tla { model, name } = self;
        let (bytes, slots) = (model.memory.len(), model.nodes.len());
        let mut numbers = 0;
        writeln!(f, "---- MODULE {name} ----")?;
        writeln!(f, "\\* {}", model.title.replace('\n', " "))?;
        writeln!(
            f,
            "\\* The reference search of raddle stored {} states; for each hazard there is one more.",
            model.states
        )?;
        for (at, name) in model.bytes.iter().enumerate() {
            writeln!(f, "\\* m[{at}]: {name}")?;
        }
        for (slot, name) in model.slots.iter().enumerate() {
            writeln!(f, "\\* pc[{slot}]: {name}")?;
        }
        writeln!(f, "EXTENDS Integers")?;
        writeln!(f, "VARIABLES m, pc, hazard")?;
        writeln!(f, "vars == <<m, pc, hazard>>")?;
        writeln!(f)?;
        let function =
            |f: &mut Formatter<'_>, name: &str, values: &mut dyn Iterator<Item = (usize, usize)>| {
                let list: Vec<String> = values.map(|(at, value)| format!("{at} :> {value}")).collect();
                writeln!(f, "{name} == {}", list.join(" @@ "))
            };
        // Of the module TLC, which need not be there.
        writeln!(f, "d :> e == [x \\in {{d}} |-> e]")?;
        writeln!(f, "g @@ h == [x \\in DOMAIN g \\cup DOMAIN h |-> IF x \\in DOMAIN g THEN g[x] ELSE h[x]]")?;
        function(f, "Memory", &mut model.memory.iter().map(|byte| usize::from(*byte)).enumerate())?;
        function(f, "Nodes", &mut model.nodes.iter().copied().enumerate())?;
        writeln!(
            f,
            "Begun == [m |-> m, pc |-> pc, hazard |-> 0, seen |-> 0, t |-> [x \\in 0..{} |-> 0]]",
            model.temps
        )?;
        writeln!(f)?;
        if !model.sort.is_empty() {
            writeln!(f, "\\* Spawned tasks have no order.")?;
            write!(f, "Sorted(s) == ")?;
            after(f, &model.sort, "s", &mut numbers)?;
            writeln!(f, "\n")?;
        }
        writeln!(f, "\\* After a hazard, nothing else is told apart.")?;
        writeln!(f, "Becomes(s) ==")?;
        writeln!(f, "  /\\ hazard' = s.hazard")?;
        writeln!(f, "  /\\ m' = IF s.hazard = 0 THEN s.m ELSE [x \\in 0..{} |-> 0]", bytes.max(1) - 1)?;
        writeln!(f, "  /\\ pc' = IF s.hazard = 0 THEN s.pc ELSE [x \\in 0..{} |-> 0]", slots.max(1) - 1)?;
        writeln!(f)?;
        for (number, choice) in model.steps.iter().enumerate() {
            writeln!(f, "\\* {}", choice.comment)?;
            writeln!(f, "Step{number} == LET s == Begun IN")?;
            writeln!(f, "  /\\ hazard = 0")?;
            writeln!(f, "  /\\ {}", Condition(&choice.guard, "s"))?;
            write!(f, "  /\\ Becomes(")?;
            after(f, &choice.effect, "s", &mut numbers)?;
            writeln!(f, ")\n")?;
        }
        writeln!(f, "Init == m = Memory /\\ pc = Nodes /\\ hazard = 0")?;
        let steps: Vec<String> = (0..model.steps.len()).map(|number| format!("Step{number}")).collect();
        writeln!(f, "Next == {}", steps.join(" \\/ "))?;
        writeln!(f, "Spec == Init /\\ [][Next]_vars")?;
        for (number, name) in model.names.iter().enumerate() {
            writeln!(f, "{} == hazard # {}", invariant(name), number + 1)?;
        }
        writeln!(f, "====")
    }
}
