//! C as kernel code uses it, typed as far as its text says, with lines.
//!
//! Names and texts are slices of the file that they stand in: a tree that has been read is never freed.

/// An identifier, as it is written.
pub type Name = &'static str;

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    /// Whether it can be negative.
    pub signed: bool,
    /// Its width in bytes, on a 64-bit machine.
    pub bytes: u8,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `void`.
    Void,
    /// `bool`.
    Bool,
    /// An integer.
    Int(Int),
    /// A pointer.
    Pointer(Box<Type>),
    /// An array; its length where a number is written.
    Array(Box<Type>, Option<u64>),
    /// `struct x` or `union x`.
    Record(Name),
    /// `enum x`.
    Enum(Name),
    /// A function.
    Function,
    /// A typedef of the tree.
    Named(Name),
    /// `typeof(..)` and what else is not written out.
    Unknown(Name),
}

impl Type {
    /// A pointer to this.
    #[must_use]
    pub fn pointer(self) -> Self {
        Type::Pointer(Box::new(self))
    }

    /// What a pointer or an array is of.
    #[must_use]
    pub fn target(&self) -> Option<&Type> {
        match self {
            Type::Pointer(target) | Type::Array(target, _) => Some(target),
            _ => None,
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// The line that it begins on.
    pub line: u32,
    /// Its text.
    pub text: &'static str,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number with its type.
    Number(i128, Int),
    /// A string, with its quotes.
    Text(&'static str),
    /// A variable, a constant, a function or a macro.
    Name(Name),
    /// A call of a function or a macro.
    Call(Box<Expr>, Vec<Expr>),
    /// `of.field`, or `of->field`.
    Member {
        /// What has the field.
        of: Box<Expr>,
        /// The field.
        field: Name,
        /// Whether it is `->`.
        arrow: bool,
    },
    /// `*of`.
    Deref(Box<Expr>),
    /// `&of`.
    Address(Box<Expr>),
    /// `!`, `-`, `~` or `+`.
    Unary(char, Box<Expr>),
    /// Two operands.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `=`, or `+=` and the like with the operator before the `=`.
    Assign(Option<&'static str>, Box<Expr>, Box<Expr>),
    /// `++` and `--`.
    Step {
        /// The variable.
        on: Box<Expr>,
        /// 1 or -1.
        by: i8,
        /// Whether the value is that from before.
        post: bool,
    },
    /// `a ? b : c`, or `a ?: c`.
    Choice(Box<Expr>, Option<Box<Expr>>, Box<Expr>),
    /// `(type) value`.
    Cast(Type, Box<Expr>),
    /// `sizeof(type)`.
    SizeOfType(Type),
    /// `sizeof value`.
    SizeOf(Box<Expr>),
    /// `offsetof(type, field)`.
    OffsetOf(Type, Name),
    /// `of[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `a, b`.
    Comma(Box<Expr>, Box<Expr>),
    /// `{ .field = value, .. }`; of the type, where one is written.
    Initializer(Option<Type>, Vec<(Option<Name>, Expr)>),
    /// `({ .. })`.
    Block(Vec<Stmt>),
    /// A type as an argument of a macro.
    Type(Type),
}

/// A declared variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// What it is set to.
    pub init: Option<Expr>,
    /// `__free(..)`: what cleans it up at the end of its block.
    pub free: Option<Name>,
    /// Whether it outlives the call.
    pub is_static: bool,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// The line that it begins on.
    pub line: u32,
    /// What it is.
    pub kind: StmtKind,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `;`.
    Empty,
    /// An expression.
    Expr(Expr),
    /// Local variables.
    Declare(Vec<Variable>),
    /// `if`.
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    /// `while`.
    While(Expr, Box<Stmt>),
    /// `do .. while`.
    DoWhile(Box<Stmt>, Expr),
    /// `for`.
    For(Option<Box<Stmt>>, Option<Expr>, Option<Expr>, Box<Stmt>),
    /// A macro with a statement after it: `list_for_each_entry(..)`, `scoped_guard(..)`.
    Headed(Name, Vec<Expr>, Box<Stmt>),
    /// `switch`; the cases stand between its statements.
    Switch(Expr, Vec<Stmt>),
    /// `case value:`, or `default:`.
    Case(Option<Expr>),
    /// `return`.
    Return(Option<Expr>),
    /// `goto`.
    Goto(Name),
    /// A label.
    Label(Name),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `{ .. }`.
    Block(Vec<Stmt>),
}

/// Something that the reader does not understand, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its line.
    pub line: u32,
    /// The construct, with its text.
    pub what: String,
}

/// A function with its body.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its file, as a path in the tree.
    pub file: Name,
    /// Its first line.
    pub line: u32,
    /// Its last line.
    pub last: u32,
    /// Its parameters; a name may be empty.
    pub params: Vec<(Name, Type)>,
    /// What it returns.
    pub returns: Type,
    /// Its statements.
    pub body: Vec<Stmt>,
    /// The macro that made it.
    pub made_by: Option<Name>,
    /// What of it is not understood.
    pub unread: Vec<Unread>,
}

/// `#define`.
#[derive(Clone, Copy, Debug)]
pub struct Macro {
    /// Its name.
    pub name: Name,
    /// Its parameters, if it looks like a function.
    pub params: Option<&'static [Name]>,
    /// The text that it stands for.
    pub body: &'static str,
    /// Its file.
    pub file: Name,
    /// Its line.
    pub line: u32,
}

/// A field of a structure or union.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// The width of a bit-field.
    pub bits: Option<u32>,
    /// Its line.
    pub line: u32,
}

/// A structure or union with its fields, those of nameless members among them.
#[derive(Clone, Debug)]
pub struct Record {
    /// `struct x` or `union x`.
    pub name: Name,
    /// Its file.
    pub file: Name,
    /// Its line.
    pub line: u32,
    /// Its fields.
    pub fields: Vec<Field>,
}

impl Record {
    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A variable of a file.
#[derive(Clone, Debug)]
pub struct Global {
    /// Its name.
    pub name: Name,
    /// Its file.
    pub file: Name,
    /// Its line.
    pub line: u32,
    /// Its type.
    pub ty: Type,
    /// What it is set to.
    pub init: Option<Expr>,
    /// The macro that defines it, such as `DECLARE_WORK`, with its other arguments.
    pub made_by: Option<(Name, Vec<&'static str>)>,
}
