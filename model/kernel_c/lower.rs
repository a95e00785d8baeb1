//! From the nodes of tree-sitter-c to the typed tree of [`ast`](super::ast).
//!
//! What is not understood is noted where it stands ([`Unread`]) and makes the function that it stands in
//! unusable; it is never passed over.

use tree_sitter::Node;

use super::ast::{Expr, ExprKind, Field, Int, Name, Stmt, StmtKind, Type, Unread, Variable};
use super::config::Conditions;
use super::index::chosen;
use super::text::{Prepared, heads};
use super::value::word;

/// `int`.
pub const INT: Int = Int { signed: true, bytes: 4 };

/// Lowers the nodes of one file.
pub struct Lower<'a> {
    /// The file's text.
    pub text: &'static str,
    /// What decides its conditionals.
    pub conditions: Conditions<'a>,
    /// What of the current function is not understood.
    pub unread: Vec<Unread>,
    frees: &'a [(u32, Name)],
}

/// A declarator taken apart.
#[derive(Debug)]
pub struct Declared {
    /// The name; empty if there is none.
    pub name: Name,
    /// The type.
    pub ty: Type,
}

/// The children that are no comments.
pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// The line that a node begins on.
pub fn line(node: Node<'_>) -> u32 {
    node.start_position().row as u32 + 1
}

fn boxed<T>(value: T) -> Box<T> {
    Box::new(value)
}

impl<'a> Lower<'a> {
    /// For a file.
    #[must_use]
    pub fn new(prepared: &'a Prepared, conditions: Conditions<'a>) -> Self {
        Lower { text: prepared.text, conditions, unread: Vec::new(), frees: &prepared.frees }
    }

    /// A node's text. Identifiers are interned.
    pub fn slice(&self, node: Node<'_>) -> &'static str {
        let text = &self.text[node.byte_range()];
        match node.kind() {
            "identifier" | "field_identifier" | "type_identifier" | "statement_identifier" => word(text),
            _ => text,
        }
    }

    fn field(&self, node: Node<'_>, name: &str) -> Option<&'static str> {
        node.child_by_field_name(name).map(|child| self.slice(child))
    }

    fn note(&mut self, node: Node<'_>, what: &str) {
        let text: String = self.slice(node).split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = text.chars().take(60).collect();
        self.unread.push(Unread { line: line(node), what: format!("{what}: `{short}`") });
    }

    /// Notes what the grammar has no place for.
    pub fn errors(&mut self, node: Node<'_>) {
        if !node.has_error() {
            return;
        }
        if node.is_error() || node.is_missing() {
            self.note(node, if node.is_missing() { "something is missing" } else { "this is no C" });
            return;
        }
        let mut cursor = node.walk();
        let inner = match node.kind() {
            "preproc_if" | "preproc_ifdef" | "preproc_elif" | "preproc_else" => chosen(node, self),
            _ => node.children(&mut cursor).collect(),
        };
        inner.into_iter().for_each(|child| self.errors(child));
    }

    // ------------------------------------------------------------------------------------ types

    /// The type that stands before the declarators.
    pub fn base(&self, node: Node<'_>) -> Type {
        let Some(ty) = node.child_by_field_name("type") else { return Type::Unknown("") };
        self.specifier(ty)
    }

    fn specifier(&self, ty: Node<'_>) -> Type {
        match ty.kind() {
            "struct_specifier" | "union_specifier" => Type::Record(self.tag(ty)),
            "enum_specifier" => Type::Enum(self.tag(ty)),
            _ => named(self.slice(ty)),
        }
    }

    /// `struct x`, or for one without a name, its place.
    pub fn tag(&self, ty: Node<'_>) -> Name {
        let what = ty.kind().split('_').next().unwrap_or_default();
        let name = self.field(ty, "name").map_or_else(|| format!("at {}", ty.start_byte()), str::to_owned);
        leak(format!("{what} {name}"))
    }

    /// Unwraps a declarator around its name.
    pub fn declarator(&self, node: Node<'_>, base: Type) -> Declared {
        let (mut node, mut ty) = (node, base);
        loop {
            match node.kind() {
                "pointer_declarator" | "abstract_pointer_declarator" => ty = ty.pointer(),
                "function_declarator" | "abstract_function_declarator" => ty = Type::Function,
                "array_declarator" | "abstract_array_declarator" => {
                    let size =
                        self.field(node, "size").and_then(number).and_then(|(n, _)| u64::try_from(n).ok());
                    ty = Type::Array(Box::new(ty), size);
                }
                "identifier" | "field_identifier" | "type_identifier" => {
                    return Declared { name: self.slice(node), ty };
                }
                "parenthesized_declarator"
                | "abstract_parenthesized_declarator"
                | "attributed_declarator" => {}
                _ => return Declared { name: "", ty },
            }
            let inner = node.child_by_field_name("declarator").or_else(|| {
                node.kind().contains("parenthesized").then(|| children(node).first().copied()).flatten()
            });
            match inner {
                Some(inner) => node = inner,
                None => return Declared { name: "", ty },
            }
        }
    }

    fn descriptor(&self, node: Node<'_>) -> Type {
        let base = self.base(node);
        match node.child_by_field_name("declarator") {
            Some(declarator) => self.declarator(declarator, base).ty,
            None => base,
        }
    }

    /// The parameters of a function's declarator.
    pub fn parameters(&self, declarator: Node<'_>) -> Vec<(Name, Type)> {
        let Some(list) = declarator.child_by_field_name("parameters") else { return Vec::new() };
        let all = children(list).into_iter().filter(|child| child.kind() == "parameter_declaration");
        let all = all.map(|parameter| {
            let base = self.base(parameter);
            let declared =
                parameter.child_by_field_name("declarator").map(|d| self.declarator(d, base.clone()));
            declared.map_or(("", base), |declared| (declared.name, declared.ty))
        });
        all.filter(|(name, ty)| !(name.is_empty() && *ty == Type::Void)).collect()
    }

    /// The fields of a structure; those of its nameless members are its own.
    pub fn fields(&self, body: Node<'_>, out: &mut Vec<Field>) {
        for child in children(body) {
            self.field_of(child, out);
        }
    }

    fn field_of(&self, node: Node<'_>, out: &mut Vec<Field>) {
        if node.kind().starts_with("preproc_") {
            for child in chosen(node, self) {
                self.field_of(child, out);
            }
            return;
        }
        if node.kind() != "field_declaration" {
            return;
        }
        let base = self.base(node);
        let bits = children(node).into_iter().find(|child| child.kind() == "bitfield_clause");
        let bits = bits.and_then(|clause| number(self.slice(clause).trim_start_matches(':').trim()));
        let bits = bits.and_then(|(n, _)| u32::try_from(n).ok());
        let mut cursor = node.walk();
        let declarators: Vec<Node<'_>> = node.children_by_field_name("declarator", &mut cursor).collect();
        let ty = node.child_by_field_name("type");
        if let (true, Some(body)) = (declarators.is_empty(), ty.and_then(|ty| ty.child_by_field_name("body")))
        {
            self.fields(body, out);
        }
        for declarator in declarators {
            let declared = self.declarator(declarator, base.clone());
            // DECLARE_BITMAP(name, bits), struct_group and the like: the name is the first argument.
            let made = self.slice(node).split_once('(').filter(|_| declared.ty == Type::Function);
            match made.filter(|(word, _)| word.trim() == "DECLARE_BITMAP") {
                Some((_, rest)) => {
                    let name = rest.split([',', ')']).next().unwrap_or_default().trim();
                    let long = Type::Int(Int { signed: false, bytes: 8 });
                    out.push(Field {
                        name,
                        ty: Type::Array(boxed(long), None),
                        bits: None,
                        line: line(node),
                    });
                }
                None => out.push(Field { name: declared.name, ty: declared.ty, bits, line: line(node) }),
            }
        }
        if let Some(made) = ty.filter(|ty| ty.kind() == "macro_type_specifier") {
            let text = self.slice(made);
            if let Some(rest) = text.strip_prefix("DECLARE_BITMAP(") {
                let name = rest.split([',', ')']).next().unwrap_or_default().trim();
                let long = Type::Int(Int { signed: false, bytes: 8 });
                out.push(Field { name, ty: Type::Array(boxed(long), None), bits: None, line: line(node) });
            }
        }
    }

    // ------------------------------------------------------------------------------ expressions

    /// An expression. What it does not understand is noted, and stands as a name that is none.
    pub fn expr(&mut self, node: Node<'_>) -> Expr {
        let kind = self.kind(node).unwrap_or_else(|| {
            self.note(node, &format!("an expression ({})", node.kind()));
            ExprKind::Name("")
        });
        Expr { line: line(node), text: self.slice(node), kind }
    }

    fn sub(&mut self, node: Node<'_>, field: &str) -> Option<Box<Expr>> {
        node.child_by_field_name(field).map(|child| boxed(self.expr(child)))
    }

    fn kind(&mut self, node: Node<'_>) -> Option<ExprKind> {
        let operator = self.field(node, "operator").unwrap_or_default();
        Some(match node.kind() {
            "number_literal" => number(self.slice(node)).map(|(n, ty)| ExprKind::Number(n, ty))?,
            "char_literal" => ExprKind::Number(character(self.slice(node))?, INT),
            "true" => ExprKind::Number(1, INT),
            "false" => ExprKind::Number(0, INT),
            "null" => ExprKind::Name("NULL"),
            "string_literal" | "concatenated_string" => ExprKind::Text(self.slice(node)),
            "identifier" | "field_identifier" | "type_identifier" => self.identifier(self.slice(node)),
            "parenthesized_expression" => match children(node)[..] {
                [inner] if inner.kind() == "compound_statement" => ExprKind::Block(self.block(inner)),
                [inner] => self.expr(inner).kind,
                _ => return None,
            },
            "compound_statement" => ExprKind::Block(self.block(node)),
            "call_expression" => {
                let callee = self.sub(node, "function")?;
                let args = children(node.child_by_field_name("arguments")?);
                ExprKind::Call(callee, args.into_iter().map(|arg| self.expr(arg)).collect())
            }
            "field_expression" => ExprKind::Member {
                of: self.sub(node, "argument")?,
                field: self.field(node, "field")?,
                arrow: operator == "->",
            },
            "pointer_expression" => {
                let of = self.sub(node, "argument")?;
                if operator == "*" { ExprKind::Deref(of) } else { ExprKind::Address(of) }
            }
            "unary_expression" => {
                let sign = operator.chars().next().filter(|_| matches!(operator, "!" | "-" | "~" | "+"))?;
                ExprKind::Unary(sign, self.sub(node, "argument")?)
            }
            "binary_expression" => {
                let left = self.sub(node, "left")?;
                ExprKind::Binary(operator, left, self.sub(node, "right")?)
            }
            "assignment_expression" => {
                let with = operator.strip_suffix('=').filter(|operator| !operator.is_empty());
                let left = self.sub(node, "left")?;
                ExprKind::Assign(with, left, self.sub(node, "right")?)
            }
            "update_expression" => {
                let post = node.child_by_field_name("argument")?.start_byte() == node.start_byte();
                let by = if operator == "++" { 1 } else { -1 };
                ExprKind::Step { on: self.sub(node, "argument")?, by, post }
            }
            "conditional_expression" => {
                let condition = self.sub(node, "condition")?;
                let then = self.sub(node, "consequence");
                ExprKind::Choice(condition, then, self.sub(node, "alternative")?)
            }
            "cast_expression" => {
                let ty = self.descriptor(node.child_by_field_name("type")?);
                ExprKind::Cast(ty, self.sub(node, "value")?)
            }
            "sizeof_expression" => match node.child_by_field_name("type") {
                Some(ty) => ExprKind::SizeOfType(self.descriptor(ty)),
                None => ExprKind::SizeOf(self.sub(node, "value")?),
            },
            "offsetof_expression" => {
                let ty = self.descriptor(node.child_by_field_name("type")?);
                ExprKind::OffsetOf(ty, self.field(node, "member")?)
            }
            "subscript_expression" => {
                let of = self.sub(node, "argument")?;
                ExprKind::Index(of, self.sub(node, "index")?)
            }
            "comma_expression" => {
                let left = self.sub(node, "left")?;
                ExprKind::Comma(left, self.sub(node, "right")?)
            }
            "compound_literal_expression" => {
                let ty = self.descriptor(node.child_by_field_name("type")?);
                self.initializer(node.child_by_field_name("value")?, Some(ty))?
            }
            "initializer_list" => self.initializer(node, None)?,
            "type_descriptor" => ExprKind::Type(self.descriptor(node)),
            _ => return None,
        })
    }

    fn identifier(&self, text: &'static str) -> ExprKind {
        match text.split_once('$') {
            Some(("typeof" | "__typeof__" | "typeof_member", _)) => ExprKind::Type(Type::Unknown("typeof")),
            Some(("enum", _)) => ExprKind::Type(Type::Enum(leak(text.replace('$', " ")))),
            Some(_) => ExprKind::Type(Type::Record(leak(text.replace('$', " ")))),
            None => ExprKind::Name(text),
        }
    }

    fn initializer(&mut self, list: Node<'_>, ty: Option<Type>) -> Option<ExprKind> {
        let mut values = Vec::new();
        for child in children(list) {
            if child.kind() != "initializer_pair" {
                values.push((None, self.expr(child)));
                continue;
            }
            let mut cursor = child.walk();
            let designators: Vec<Node<'_>> =
                child.children_by_field_name("designator", &mut cursor).collect();
            let plain = designators.iter().all(|designator| designator.kind() == "field_designator");
            if !plain {
                return None;
            }
            let path: Vec<&str> =
                designators.iter().map(|one| self.slice(*one).trim_start_matches('.').trim()).collect();
            let name = leak(path.join("."));
            values.push((Some(name), self.expr(child.child_by_field_name("value")?)));
        }
        Some(ExprKind::Initializer(ty, values))
    }

    // ------------------------------------------------------------------------------- statements

    /// The statements of a block.
    pub fn block(&mut self, node: Node<'_>) -> Vec<Stmt> {
        let mut out = Vec::new();
        for child in children(node) {
            self.statement(child, &mut out);
        }
        out
    }

    /// Appends a statement: of a conditional the branch that is chosen, a label before its statement.
    fn statement(&mut self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let at = line(node);
        match node.kind() {
            "preproc_if" | "preproc_ifdef" | "preproc_elif" | "preproc_else" => {
                for child in chosen(node, self) {
                    self.statement(child, out);
                }
            }
            "preproc_def" | "preproc_function_def" | "preproc_call" => {}
            "labeled_statement" => {
                let label = self.field(node, "label").unwrap_or_default();
                out.push(Stmt { line: at, kind: StmtKind::Label(label) });
                for child in children(node).into_iter().skip(1) {
                    self.statement(child, out);
                }
            }
            "case_statement" => {
                let value = node.child_by_field_name("value");
                let lowered = value.map(|value| self.expr(value));
                out.push(Stmt { line: at, kind: StmtKind::Case(lowered) });
                for child in children(node).into_iter().filter(|child| Some(*child) != value) {
                    self.statement(child, out);
                }
            }
            _ => {
                let kind = self.statement_kind(node).unwrap_or_else(|| {
                    self.note(node, &format!("a statement ({})", node.kind()));
                    StmtKind::Empty
                });
                out.push(Stmt { line: at, kind });
            }
        }
    }

    fn one(&mut self, node: Node<'_>) -> Box<Stmt> {
        let mut all = Vec::new();
        self.statement(node, &mut all);
        match all.pop() {
            Some(only) if all.is_empty() => boxed(only),
            last => {
                all.extend(last);
                boxed(Stmt { line: line(node), kind: StmtKind::Block(all) })
            }
        }
    }

    fn statement_kind(&mut self, node: Node<'_>) -> Option<StmtKind> {
        let part = |name: &str| node.child_by_field_name(name);
        Some(match node.kind() {
            "expression_statement" => match children(node).first() {
                Some(expr) => StmtKind::Expr(self.expr(*expr)),
                None => StmtKind::Empty,
            },
            "compound_statement" => StmtKind::Block(self.block(node)),
            "declaration" => StmtKind::Declare(self.variables(node)),
            "if_statement" => {
                let condition = self.expr(part("condition")?);
                let then = self.one(part("consequence")?);
                let other = part("alternative").and_then(|other| children(other).first().copied());
                StmtKind::If(condition, then, other.map(|other| self.one(other)))
            }
            "while_statement" => {
                let condition = self.expr(part("condition")?);
                let body = self.one(part("body")?);
                match headed(condition) {
                    Ok((name, args)) => StmtKind::Headed(name, args, body),
                    Err(condition) => StmtKind::While(condition, body),
                }
            }
            "do_statement" => {
                let body = self.one(part("body")?);
                StmtKind::DoWhile(body, self.expr(part("condition")?))
            }
            "for_statement" => {
                let first = part("initializer").map(|first| {
                    let kind = match first.kind() {
                        "declaration" => StmtKind::Declare(self.variables(first)),
                        _ => StmtKind::Expr(self.expr(first)),
                    };
                    boxed(Stmt { line: line(first), kind })
                });
                let condition = part("condition").map(|condition| self.expr(condition));
                let update = part("update").map(|update| self.expr(update));
                StmtKind::For(first, condition, update, self.one(part("body")?))
            }
            "switch_statement" => {
                let on = self.expr(part("condition")?);
                StmtKind::Switch(on, self.block(part("body")?))
            }
            "return_statement" => StmtKind::Return(children(node).first().map(|value| self.expr(*value))),
            "goto_statement" => StmtKind::Goto(self.field(node, "label")?),
            "break_statement" => StmtKind::Break,
            "continue_statement" => StmtKind::Continue,
            _ => return None,
        })
    }

    /// The variables that a declaration declares; functions are none.
    pub fn variables(&mut self, node: Node<'_>) -> Vec<Variable> {
        let base = self.base(node);
        let is_static = children(node)
            .iter()
            .any(|child| child.kind() == "storage_class_specifier" && self.slice(*child) == "static");
        let mut cursor = node.walk();
        let declarators: Vec<Node<'_>> = node.children_by_field_name("declarator", &mut cursor).collect();
        let mut out = Vec::new();
        for node in declarators {
            let inner = match node.kind() {
                "init_declarator" => node.child_by_field_name("declarator").unwrap_or(node),
                _ => node,
            };
            let declared = self.declarator(inner, base.clone());
            if declared.ty == Type::Function {
                continue;
            }
            let init = node.child_by_field_name("value").map(|value| self.expr(value));
            let lines = line(node)..=node.end_position().row as u32 + 1;
            let free = self.frees.iter().find(|(line, _)| lines.contains(line)).map(|(_, free)| *free);
            out.push(Variable { name: declared.name, ty: declared.ty, init, free, is_static });
        }
        out
    }
}

/// The head of a statement, which stands in a `while` (see [`text`](super::text)).
fn headed(condition: Expr) -> Result<(Name, Vec<Expr>), Expr> {
    match &condition.kind {
        ExprKind::Call(callee, args) => match callee.kind {
            ExprKind::Name(name) if heads(name) => Ok((name, args.clone())),
            _ => Err(condition),
        },
        _ => Err(condition),
    }
}

/// A text that is never freed.
pub fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A type by its name.
#[must_use]
pub fn named(name: &'static str) -> Type {
    let int = |signed, bytes| Type::Int(Int { signed, bytes });
    match name.split_whitespace().collect::<Vec<_>>().join(" ").as_str() {
        "void" => Type::Void,
        "bool" | "_Bool" => Type::Bool,
        "char" | "signed char" | "s8" | "__s8" | "int8_t" => int(true, 1),
        "unsigned char" | "u8" | "__u8" | "uint8_t" => int(false, 1),
        "short" | "short int" | "s16" | "__s16" | "int16_t" => int(true, 2),
        "unsigned short" | "unsigned short int" | "u16" | "__u16" | "uint16_t" | "umode_t" => int(false, 2),
        "int" | "signed" | "signed int" | "s32" | "__s32" | "int32_t" | "pid_t" => int(true, 4),
        "unsigned" | "unsigned int" | "u32" | "__u32" | "uint32_t" | "gfp_t" | "dev_t" | "uint" => {
            int(false, 4)
        }
        "long" | "long int" | "long long" | "long long int" | "s64" | "__s64" | "int64_t" | "ssize_t"
        | "loff_t" | "ktime_t" => int(true, 8),
        "unsigned long" | "long unsigned int" | "unsigned long int" | "unsigned long long" | "u64"
        | "__u64" | "uint64_t" | "size_t" | "async_cookie_t" | "uintptr_t" | "dma_addr_t" => int(false, 8),
        text if text.contains(['(', '$']) => Type::Unknown(name),
        _ => Type::Named(name),
    }
}

/// A number as it is written, and its type.
#[must_use]
pub fn number(text: &str) -> Option<(i128, Int)> {
    // tree-sitter takes the sign for a part of the number.
    if let Some(positive) = text.strip_prefix('-') {
        return number(positive.trim_start()).map(|(value, ty)| (-value, ty));
    }
    let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
    let suffix = text[digits.len()..].to_ascii_lowercase();
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    let value = i128::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['-', '+']))?;
    let long =
        suffix.contains('l') || value > i128::from(u32::MAX) || radix == 10 && value > i128::from(i32::MAX);
    let bytes = if long { 8 } else { 4 };
    let beyond = if long { value > i128::from(i64::MAX) } else { value > i128::from(i32::MAX) };
    Some((value, Int { signed: !suffix.contains('u') && !beyond, bytes }))
}

fn character(text: &str) -> Option<i128> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut chars = inner.chars();
    let value = match (chars.next()?, chars.next()) {
        ('\\', Some('n')) => '\n',
        ('\\', Some('t')) => '\t',
        ('\\', Some('0')) => '\0',
        ('\\', Some('r')) => '\r',
        ('\\', Some(quoted @ ('\\' | '\'' | '"'))) => quoted,
        ('\\', _) => return None,
        (plain, None) => plain,
        _ => return None,
    };
    Some(i128::from(u32::from(value)))
}
