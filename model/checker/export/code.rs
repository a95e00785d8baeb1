//! A small imperative language over a program's memory: what exported steps are written in, before a printer turns
//! them into Promela or TLA+.

use std::ops::{Add, BitAnd, BitOr, Div, Not, Rem, Sub};

/// A number, or a truth value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Num(usize),
    /// The byte of memory at this address.
    Byte(Box<Expr>),
    /// The node of the task in a slot; 0: there is none.
    Node(usize),
    /// A variable that is no part of a state.
    Temp(usize),
    /// What the task observes.
    Observed,
    /// The hazard; 0: none.
    Hazard,
    Two(Two, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Two {
    Add,
    Sub,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
    Le,
    And,
    Or,
}

/// What can be assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Byte(Expr),
    Node(usize),
    Temp(usize),
    Observed,
    Hazard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Set(Place, Expr),
    If(Expr, Vec<Statement>, Vec<Statement>),
    /// Sorts the spawned tasks, as [`System`](crate::search::system::System) does.
    Sort,
}

pub(super) const TRUE: Expr = Expr::Num(1);
pub(super) const FALSE: Expr = Expr::Num(0);

pub(super) fn num(number: impl Into<usize>) -> Expr {
    Expr::Num(number.into())
}

pub(super) fn byte(address: impl Into<Expr>) -> Expr {
    Expr::Byte(Box::new(address.into()))
}

impl From<usize> for Expr {
    fn from(number: usize) -> Self {
        Expr::Num(number)
    }
}

impl From<u8> for Expr {
    fn from(number: u8) -> Self {
        Expr::Num(number.into())
    }
}

impl Expr {
    fn two(self, operator: Two, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        if let (Expr::Num(left), Expr::Num(right)) = (&self, &other) {
            let (left, right) = (*left, *right);
            return match operator {
                Two::Add => num(left + right),
                Two::Sub if left >= right => num(left - right),
                Two::Eq => num(usize::from(left == right)),
                Two::Ne => num(usize::from(left != right)),
                Two::Lt => num(usize::from(left < right)),
                Two::Le => num(usize::from(left <= right)),
                _ => Expr::Two(operator, Box::new(num(left)), Box::new(num(right))),
            };
        }
        Expr::Two(operator, Box::new(self), Box::new(other))
    }

    pub(super) fn equals(self, other: impl Into<Expr>) -> Expr {
        self.two(Two::Eq, other)
    }

    pub(super) fn differs(self, other: impl Into<Expr>) -> Expr {
        self.two(Two::Ne, other)
    }

    pub(super) fn below(self, other: impl Into<Expr>) -> Expr {
        self.two(Two::Lt, other)
    }

    pub(super) fn at_most(self, other: impl Into<Expr>) -> Expr {
        self.two(Two::Le, other)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $two:ident) => {
        impl<E: Into<Expr>> $trait<E> for Expr {
            type Output = Expr;

            fn $method(self, other: E) -> Expr {
                self.two(Two::$two, other)
            }
        }
    };
}

operator!(Add, add, Add);
operator!(Sub, sub, Sub);
operator!(Div, div, Div);
operator!(Rem, rem, Rem);

impl BitAnd for Expr {
    type Output = Expr;

    /// Both are true.
    fn bitand(self, other: Expr) -> Expr {
        match (self, other) {
            (FALSE, _) | (_, FALSE) => FALSE,
            (TRUE, one) | (one, TRUE) => one,
            (one, other) => Expr::Two(Two::And, Box::new(one), Box::new(other)),
        }
    }
}

impl BitOr for Expr {
    type Output = Expr;

    /// One of them is true.
    fn bitor(self, other: Expr) -> Expr {
        match (self, other) {
            (TRUE, _) | (_, TRUE) => TRUE,
            (FALSE, one) | (one, FALSE) => one,
            (one, other) => Expr::Two(Two::Or, Box::new(one), Box::new(other)),
        }
    }
}

impl Not for Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        match self {
            TRUE => FALSE,
            FALSE => TRUE,
            other => Expr::Not(Box::new(other)),
        }
    }
}

/// Whether one of these is true.
pub(super) fn any(those: impl IntoIterator<Item = Expr>) -> Expr {
    those.into_iter().fold(FALSE, BitOr::bitor)
}

/// Whether all of these are true.
pub(super) fn all(those: impl IntoIterator<Item = Expr>) -> Expr {
    those.into_iter().fold(TRUE, BitAnd::bitand)
}

/// What is done if a condition is not met.
struct Open {
    condition: Expr,
    otherwise: Vec<Statement>,
    /// What stands before the condition.
    before: Vec<Statement>,
}

/// Statements that are being written. After a hazard, nothing more is done.
#[derive(Default)]
pub(super) struct Code {
    here: Vec<Statement>,
    open: Vec<Open>,
    temps: usize,
}

impl Code {
    /// Assigns.
    pub(super) fn set(&mut self, place: Place, value: impl Into<Expr>) {
        self.here.push(Statement::Set(place, value.into()));
    }

    /// Assigns to the byte at an address.
    pub(super) fn store(&mut self, address: impl Into<Expr>, value: impl Into<Expr>) {
        self.set(Place::Byte(address.into()), value);
    }

    pub(super) fn push(&mut self, statement: Statement) {
        self.here.push(statement);
    }

    /// A new variable with this value.
    pub(super) fn temp(&mut self, value: impl Into<Expr>) -> usize {
        let temp = self.temps;
        self.temps += 1;
        self.set(Place::Temp(temp), value);
        temp
    }

    /// The hazard with this number is met unless this is true: what is written next is not done then.
    pub(super) fn check(&mut self, condition: Expr, hazard: usize) {
        if condition != TRUE {
            let otherwise = vec![Statement::Set(Place::Hazard, num(hazard))];
            let before = std::mem::take(&mut self.here);
            self.open.push(Open { condition, otherwise, before });
        }
    }

    /// One of two things is done.
    pub(super) fn choose(
        &mut self,
        condition: Expr,
        then: impl FnOnce(&mut Code),
        otherwise: impl FnOnce(&mut Code),
    ) {
        match condition {
            TRUE => return then(self),
            FALSE => return otherwise(self),
            _ => {}
        }
        let mut branch = |write: &mut dyn FnMut(&mut Code)| {
            let mut code = Code { temps: self.temps, ..Code::default() };
            write(&mut code);
            self.temps = code.temps;
            code.done()
        };
        let (mut then, mut otherwise) = (Some(then), Some(otherwise));
        let then = branch(&mut |code| then.take().into_iter().for_each(|then| then(code)));
        let otherwise =
            branch(&mut |code| otherwise.take().into_iter().for_each(|otherwise| otherwise(code)));
        let stops = may_stop(&then) || may_stop(&otherwise);
        self.here.push(Statement::If(condition, then, otherwise));
        if stops {
            let before = std::mem::take(&mut self.here);
            self.open.push(Open { condition: Expr::Hazard.equals(0usize), otherwise: Vec::new(), before });
        }
    }

    /// Something is done if a condition is met.
    pub(super) fn when(&mut self, condition: Expr, then: impl FnOnce(&mut Code)) {
        self.choose(condition, then, |_| {});
    }

    /// What was written.
    pub(super) fn done(mut self) -> Vec<Statement> {
        while let Some(Open { condition, otherwise, mut before }) = self.open.pop() {
            before.push(Statement::If(condition, self.here, otherwise));
            self.here = before;
        }
        self.here
    }

    /// How many variables there are.
    pub(super) fn temps(&self) -> usize {
        self.temps
    }
}

fn may_stop(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::Set(place, _) => *place == Place::Hazard,
        Statement::If(_, then, otherwise) => may_stop(then) || may_stop(otherwise),
        Statement::Sort => false,
    })
}
