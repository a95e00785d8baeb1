//! What one file defines: functions, macros, structures, enumerators, variables, typedefs.

use indexmap::IndexMap;
use tree_sitter::{Node, Parser, Tree};

use super::ast::{Expr, Function, Global, Macro, Name, Record, Type};
use super::config::{Conditions, Config};
use super::lower::{Lower, children, leak, line, number};
use super::text::{Use, prepare};

/// An enumerator: so much more than the last one before it that has a value of its own.
#[derive(Clone, Debug)]
pub struct Enumerator {
    /// Its name.
    pub name: Name,
    /// The value that it counts from, 0 without one.
    pub from: Option<&'static Expr>,
    /// What is added.
    pub plus: i128,
}

/// What one file defines.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// Functions with a body.
    pub functions: Vec<&'static Function>,
    /// Macros, the first definition of each.
    pub macros: Vec<Macro>,
    /// Structures and unions.
    pub records: Vec<&'static Record>,
    /// Enumerators.
    pub enumerators: Vec<Enumerator>,
    /// Variables.
    pub globals: Vec<&'static Global>,
    /// Typedefs.
    pub typedefs: Vec<(Name, Type)>,
    /// Macros that stand alone and may define something.
    pub uses: Vec<Use>,
}

/// Reads a file's text.
#[must_use]
pub fn read(file: Name, source: &str, config: &Config) -> Items {
    let prepared = prepare(source);
    let tree = parse(prepared.text);
    let conditions = Conditions { config, defined: IndexMap::new() };
    let mut index =
        Index { file, lower: Lower::new(&prepared, conditions), items: Items::default(), made_by: None };
    index.all(tree.root_node());
    let mut items = index.items;
    items.globals.extend(prepared.uses.iter().filter_map(|made| global(file, made)));
    for made in &prepared.uses {
        if let Some(text) = cleanup(made) {
            items.functions.extend(generate(file, made, &text, config));
        }
    }
    items.uses = prepared.uses;
    items
}

/// Parses a text that has been prepared.
fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_c::LANGUAGE.into()).expect("internal: the grammar of C");
    parser.parse(text, None).expect("internal: no limit is set")
}

/// The functions that a macro defines with this text, on the line of its use.
pub fn generate(file: Name, made: &Use, text: &str, config: &Config) -> Vec<&'static Function> {
    let lines = "\n".repeat(made.line as usize - 1);
    let text = text.replace("\\\n", " ").replace('\n', " ");
    let prepared = prepare(&format!("{lines}{text}"));
    let tree = parse(prepared.text);
    let conditions = Conditions { config, defined: IndexMap::new() };
    let lower = Lower::new(&prepared, conditions);
    let mut index = Index { file, lower, items: Items::default(), made_by: Some(made.name) };
    index.all(tree.root_node());
    index.items.functions
}

/// The children of the branch of a conditional that is chosen.
pub fn chosen<'t>(node: Node<'t>, lower: &Lower<'_>) -> Vec<Node<'t>> {
    let text = |field: &str| node.child_by_field_name(field).map_or("", |child| lower.slice(child));
    let taken = match node.kind() {
        "preproc_ifdef" | "preproc_elifdef" => {
            lower.conditions.is_defined(text("name")) != lower.slice(node).starts_with("#ifndef")
        }
        "preproc_if" | "preproc_elif" => lower.conditions.holds(text("condition")),
        _ => true,
    };
    let alternative = node.child_by_field_name("alternative");
    if !taken {
        return alternative.map_or_else(Vec::new, |other| chosen(other, lower));
    }
    let head = [node.child_by_field_name("name"), node.child_by_field_name("condition"), alternative];
    children(node).into_iter().filter(|child| !head.contains(&Some(*child))).collect()
}

struct Index<'a> {
    file: Name,
    lower: Lower<'a>,
    items: Items,
    made_by: Option<Name>,
}

impl Index<'_> {
    fn all(&mut self, node: Node<'_>) {
        for child in children(node) {
            self.item(child);
        }
    }

    fn item(&mut self, node: Node<'_>) {
        match node.kind() {
            "preproc_if" | "preproc_ifdef" | "preproc_elif" | "preproc_else" => {
                for child in chosen(node, &self.lower) {
                    self.item(child);
                }
            }
            // Functions may stand inside of what is not understood.
            "linkage_specification" | "declaration_list" | "ERROR" => self.all(node),
            "function_definition" => self.function(node),
            "preproc_def" | "preproc_function_def" => self.define(node),
            "type_definition" => {
                self.types(node);
                let base = self.lower.base(node);
                let mut cursor = node.walk();
                for declarator in node.children_by_field_name("declarator", &mut cursor) {
                    let declared = self.lower.declarator(declarator, base.clone());
                    self.items.typedefs.push((declared.name, declared.ty));
                }
            }
            "declaration" => {
                self.types(node);
                self.variables(node);
            }
            "struct_specifier" | "union_specifier" | "enum_specifier" => self.types(node),
            _ => {}
        }
    }

    fn define(&mut self, node: Node<'_>) {
        let slice = |field: &str| node.child_by_field_name(field).map(|child| self.lower.slice(child));
        let name = slice("name").unwrap_or_default();
        let body = uncommented(slice("value").unwrap_or_default());
        let params = node.child_by_field_name("parameters").map(|list| {
            let mut cursor = list.walk();
            let all = list.children(&mut cursor).filter(|child| matches!(child.kind(), "identifier" | "..."));
            let all: Vec<Name> = all.map(|child| self.lower.slice(child)).collect();
            &*all.leak()
        });
        let value = number(body.trim_matches(['(', ')', ' '])).map(|(number, _)| number);
        self.lower.conditions.defined.entry(name).or_insert(value);
        self.items.macros.push(Macro { name, params, body, file: self.file, line: line(node) });
    }

    fn function(&mut self, node: Node<'_>) {
        self.types(node);
        let (Some(declarator), Some(body)) =
            (node.child_by_field_name("declarator"), node.child_by_field_name("body"))
        else {
            return;
        };
        let base = self.lower.base(node);
        let mut inner = declarator;
        let mut returns = base;
        while inner.kind() != "function_declarator" {
            if inner.kind() == "pointer_declarator" {
                returns = returns.pointer();
            }
            let Some(next) = inner.child_by_field_name("declarator") else { return };
            inner = next;
        }
        let name = self.lower.declarator(inner, Type::Void).name;
        let params = self.lower.parameters(inner);
        self.lower.unread.clear();
        self.lower.errors(body);
        let body = self.lower.block(body);
        let function = Function {
            name,
            file: self.file,
            line: line(node),
            last: node.end_position().row as u32 + 1,
            params,
            returns,
            body,
            made_by: self.made_by,
            unread: std::mem::take(&mut self.lower.unread),
        };
        self.items.functions.push(Box::leak(Box::new(function)));
    }

    fn variables(&mut self, node: Node<'_>) {
        if self.lower.slice(node).starts_with("extern") {
            return;
        }
        for variable in self.lower.variables(node) {
            let global = Global {
                name: variable.name,
                file: self.file,
                line: line(node),
                ty: variable.ty,
                init: variable.init,
                made_by: None,
            };
            self.items.globals.push(Box::leak(Box::new(global)));
        }
    }

    /// Structures, unions and enumerations that a declaration defines.
    fn types(&mut self, node: Node<'_>) {
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            match (node.kind(), node.child_by_field_name("body")) {
                ("struct_specifier" | "union_specifier", Some(body)) => {
                    let mut fields = Vec::new();
                    self.lower.fields(body, &mut fields);
                    let record =
                        Record { name: self.lower.tag(node), file: self.file, line: line(node), fields };
                    self.items.records.push(Box::leak(Box::new(record)));
                }
                ("enum_specifier", Some(body)) => self.enumerators(body),
                ("compound_statement", _) => continue,
                _ => {}
            }
            let mut inner = children(node);
            inner.reverse();
            todo.extend(inner);
        }
    }

    fn enumerators(&mut self, body: Node<'_>) {
        let (mut from, mut plus) = (None, 0);
        for child in children(body).into_iter().filter(|child| child.kind() == "enumerator") {
            if let Some(value) = child.child_by_field_name("value") {
                let value: &'static Expr = Box::leak(Box::new(self.lower.expr(value)));
                (from, plus) = (Some(value), 0);
            }
            let name = child.child_by_field_name("name").map_or("", |name| self.lower.slice(name));
            self.items.enumerators.push(Enumerator { name, from, plus });
            plus += 1;
        }
    }
}

/// A macro's text without the comments in it.
fn uncommented(text: &'static str) -> &'static str {
    let text = text.trim();
    if !text.contains("/*") {
        return text;
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    leak(out.trim().to_owned())
}

/// Macros that define a variable, and its type.
pub const MADE: &[(&str, &str)] = &[
    ("DEFINE_MUTEX", "struct mutex"),
    ("DEFINE_SPINLOCK", "struct spinlock"),
    ("DEFINE_RAW_SPINLOCK", "struct raw_spinlock"),
    ("DEFINE_RWLOCK", "struct rwlock"),
    ("DECLARE_RWSEM", "struct rw_semaphore"),
    ("LIST_HEAD", "struct list_head"),
    ("HLIST_HEAD", "struct hlist_head"),
    ("DECLARE_WORK", "struct work_struct"),
    ("DECLARE_DELAYED_WORK", "struct delayed_work"),
    ("DECLARE_WAIT_QUEUE_HEAD", "struct wait_queue_head"),
    ("DECLARE_COMPLETION", "struct completion"),
    ("DEFINE_SRCU", "struct srcu_struct"),
    ("DEFINE_STATIC_SRCU", "struct srcu_struct"),
    ("ASYNC_DOMAIN", "struct async_domain"),
    ("ASYNC_DOMAIN_EXCLUSIVE", "struct async_domain"),
    ("BLOCKING_NOTIFIER_HEAD", "struct blocking_notifier_head"),
    ("DEFINE_IDA", "struct ida"),
    ("DEFINE_IDR", "struct idr"),
    ("DEFINE_STATIC_KEY_FALSE", "struct static_key_false"),
    ("DEFINE_STATIC_KEY_TRUE", "struct static_key_true"),
];

fn global(file: Name, made: &Use) -> Option<&'static Global> {
    let (_, ty) = MADE.iter().find(|(name, _)| *name == made.name)?;
    let (name, rest) = made.args.split_first()?;
    let global = Global {
        name,
        file,
        line: made.line,
        ty: Type::Record(ty),
        init: None,
        made_by: Some((made.name, rest.to_vec())),
    };
    Some(Box::leak(Box::new(global)))
}

/// Macros that define what cleans up.
pub const CLEANUPS: &[&str] = &["DEFINE_FREE", "DEFINE_GUARD", "DEFINE_LOCK_GUARD_1"];

/// The functions behind `__free`, `guard` and `scoped_guard`, with names of our own: `free$x` is called with
/// the variable, `lock$x` and `unlock$x` with the guard's argument.
fn cleanup(made: &Use) -> Option<String> {
    let function = |what: &str, ty: &str, body: &str| {
        format!("static void {what}${}({ty} _T) {{ {body}; }}", made.args[0])
    };
    Some(match (made.name, &made.args[..]) {
        ("DEFINE_FREE", [_, ty, body]) => function("free", ty, body),
        ("DEFINE_GUARD", [_, ty, lock, unlock]) => {
            function("lock", ty, lock) + " " + &function("unlock", ty, unlock)
        }
        ("DEFINE_LOCK_GUARD_1", [_, ty, lock, unlock, members @ ..]) => {
            // Other members of the guard are variables of each of the two.
            let declared: String = members.iter().map(|member| format!("{member}; ")).collect();
            let body = |text: &str| declared.clone() + &text.replace("_T->lock", "_T").replace("_T->", "");
            let ty = format!("{ty} *");
            function("lock", &ty, &body(lock)) + " " + &function("unlock", &ty, &body(unlock))
        }
        _ => return None,
    })
}

/// A macro's text with these arguments in it: `##` joins, `#` quotes.
#[must_use]
pub fn substitute(made: &Macro, args: &[&str]) -> String {
    let params = made.params.unwrap_or_default();
    let rest = params.iter().position(|param| *param == "...");
    let argument = |word: &str| match (params.iter().position(|param| *param == word), rest) {
        (Some(at), _) => Some(args.get(at).copied().unwrap_or_default().to_owned()),
        (None, Some(at)) if word == "__VA_ARGS__" => Some(args.get(at..).unwrap_or_default().join(", ")),
        _ => None,
    };
    let body = made.body.replace("\\\n", " ");
    let (mut out, mut rest) = (String::new(), body.as_str());
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if word > 0 {
            match argument(&rest[..word]) {
                Some(text) => out.push_str(&text),
                None => out.push_str(&rest[..word]),
            }
            rest = &rest[word..];
        } else if let Some(after) = rest.strip_prefix("##") {
            out.truncate(out.trim_end().len());
            rest = after.trim_start();
        } else if let Some(after) = rest.strip_prefix('#') {
            let after = after.trim_start();
            let word = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
            match argument(&after[..word]) {
                Some(text) => out.push_str(&format!("{text:?}")),
                None => out.push_str(&after[..word]),
            }
            rest = &after[word..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// What a macro stands for with these arguments, as statements: `return (expression);` where it is one.
pub fn expansion(file: Name, at: u32, text: &str, config: &Config) -> Result<&'static Function, String> {
    let made = Use { line: at, name: "", args: Vec::new() };
    let read = |body: String| {
        let all = generate(file, &made, &format!("static int expansion(void) {{ {body} }}"), config);
        all.into_iter().find(|function| function.unread.is_empty())
    };
    let text = text.trim().trim_end_matches(';');
    let statement = text.starts_with("do ")
        || text.starts_with("do{")
        || text.starts_with("for")
        || text.starts_with("if");
    let one = if statement { None } else { read(format!("return ({text});")) };
    one.or_else(|| read(format!("{text};"))).ok_or_else(|| "a macro that is no expression".to_owned())
}
