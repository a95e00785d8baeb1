//! What is done to a file's text before it is parsed, so that tree-sitter-c understands it without a
//! preprocessor. Lines keep their numbers: text is blanked, or inserted within a line.
//!
//! * Attributes that stand where C has no place for them are blanked; `__free(f)` is remembered.
//! * `list_for_each_entry(..) statement`, `scoped_guard(..) statement` become `while (..) statement`.
//! * `struct x` as an argument of a macro becomes the identifier `struct$x`.
//! * `typeof(..)` becomes an identifier.
//! * `SYSCALL_DEFINE2(f, type, x, type, y)` becomes `long f(type x, type y)`.
//! * Macros at the beginning of a line (`DEFINE_MUTEX(x);`, `EXPORT_SYMBOL(f);`) are taken out and listed.
//!
//! The text of a `#define` stays as it is.

use std::ops::Range;

/// Attributes.
const ATTRIBUTES: &[&str] = &[
    "__init",
    "__exit",
    "__must_check",
    "__always_inline",
    "__cold",
    "__user",
    "__rcu",
    "__percpu",
    "__iomem",
    "__maybe_unused",
    "__always_unused",
    "__ro_after_init",
    "noinline",
    "asmlinkage",
    "__visible",
    "__randomize_layout",
    "__packed",
    "__pure",
    "__init_or_module",
    "__initdata",
    "__initconst",
    "__read_mostly",
    "__deprecated",
    "__force",
    "__sched",
    "__weak",
    "____cacheline_aligned",
    "____cacheline_aligned_in_smp",
    "__cacheline_aligned",
    "__attribute_const__",
    "__malloc",
    "__kernel",
    "__used",
    "__private",
    "__ref",
    "__refdata",
    "__devinit",
    "__devexit",
    "__cpuinit",
    "__meminit",
    "notrace",
    "__latent_entropy",
    "__lockfunc",
    "noinline_for_stack",
    "__no_kcsan",
    "__nocast",
    "__bitwise",
    "__safe",
    "__returns_nonnull",
    "__no_context_analysis",
    "__net_init",
    "__net_exit",
    "__noreturn",
    "__flatten",
];

/// Attributes with arguments.
const ATTRIBUTE_CALLS: &[&str] = &[
    "__printf",
    "__scanf",
    "__releases",
    "__acquires",
    "__must_hold",
    "__counted_by",
    "__cond_acquires",
    "__cond_releases",
    "__aligned",
    "__section",
    "__alloc_size",
    "__attribute__",
    "__free",
    "__guarded_by",
    "__pt_guarded_by",
    "__cleanup",
    "__acquires_shared",
    "__releases_shared",
    "__must_hold_shared",
    "__realloc_size",
    "__deprecated_for_modules",
    "__nonstring",
    "__context_unsafe",
];

/// A macro that stands alone at the beginning of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its line.
    pub line: u32,
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: Vec<&'static str>,
}

/// A file's text, ready to be parsed.
#[derive(Debug)]
pub struct Prepared {
    /// The text.
    pub text: &'static str,
    /// The line and the function of each `__free(..)`.
    pub frees: Vec<(u32, &'static str)>,
    /// The macros at the beginning of a line.
    pub uses: Vec<Use>,
}

/// Prepares a file's text.
#[must_use]
pub fn prepare(source: &str) -> Prepared {
    let source: &'static str = Box::leak(source.to_owned().into_boxed_str());
    let mut pass = Pass::new(source);
    pass.run();
    let Pass { out, inserts, frees, uses, .. } = pass;
    let text = inserted(&out, inserts);
    Prepared { text: Box::leak(text.into_boxed_str()), frees, uses }
}

struct Pass {
    source: &'static str,
    out: Vec<u8>,
    /// Whether a byte is code: no comment, no string, no preprocessor line.
    code: Vec<bool>,
    inserts: Vec<(usize, &'static str)>,
    frees: Vec<(u32, &'static str)>,
    uses: Vec<Use>,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl Pass {
    fn new(source: &'static str) -> Self {
        let out = source.as_bytes().to_vec();
        let code = code(&out);
        Pass { source, out, code, inserts: Vec::new(), frees: Vec::new(), uses: Vec::new() }
    }

    fn run(&mut self) {
        let (mut at, mut line) = (0, 1);
        while at < self.out.len() {
            if !self.code[at] || !is_word(self.out[at]) {
                line += u32::from(self.out[at] == b'\n');
                at += 1;
                continue;
            }
            let word = at..at + self.out[at..].iter().take_while(|byte| is_word(**byte)).count();
            let end = self.word(word, line);
            line += self.source.as_bytes()[at..end].iter().filter(|byte| **byte == b'\n').count() as u32;
            at = end;
        }
    }

    /// Deals with a word; where to go on.
    fn word(&mut self, word: Range<usize>, line: u32) -> usize {
        let text = &self.source[word.clone()];
        let call = self.next(word.end).filter(|open| self.out[*open] == b'(').and_then(|open| {
            let close = self.closing(open)?;
            Some(open + 1..close)
        });
        if ATTRIBUTES.contains(&text) {
            self.blank(word.clone());
            return word.end;
        }
        let Some(args) = call else {
            if matches!(text, "struct" | "union" | "enum") {
                self.type_argument(&word);
            }
            return word.end;
        };
        if ATTRIBUTE_CALLS.contains(&text) {
            if text == "__free" {
                self.frees.push((line, self.source[args.clone()].trim()));
            }
            self.blank(word.start..args.end + 1);
            return args.end + 1;
        }
        if matches!(text, "typeof" | "__typeof__" | "typeof_member") {
            self.out[word.end..=args.end].fill(b'$');
            return args.end + 1;
        }
        if text.starts_with("SYSCALL_DEFINE") && self.begins_line(word.start) {
            self.system_call(&word, args.clone());
            return args.start;
        }
        if self.begins_line(word.start) && args.start == word.end + 1 && self.stands_alone(text, args.end + 1)
        {
            let list = split(self.source, &self.code, args.clone());
            self.uses.push(Use { line, name: text, args: list });
            let end =
                self.next(args.end + 1).filter(|at| self.out[*at] == b';').map_or(args.end + 1, |at| at + 1);
            let start = self.source[..word.start].rfind('\n').map_or(0, |at| at + 1);
            self.blank(start..end);
            return end;
        }
        if heads(text) && self.begins_statement(word.start) && self.statement_follows(args.end + 1) {
            self.inserts.push((word.start, "while ("));
            self.inserts.push((args.end + 1, ")"));
        }
        word.end
    }

    /// `SYSCALL_DEFINE2(f, type, x, type, y)`.
    fn system_call(&mut self, word: &Range<usize>, args: Range<usize>) {
        let commas: Vec<usize> = args.clone().filter(|at| self.code[*at] && self.out[*at] == b',').collect();
        let name = self.source[args.start..commas.first().copied().unwrap_or(args.end)].trim();
        self.blank(word.start..args.start);
        self.inserts.push((args.start, "long "));
        // Behind the name the arguments begin; before each argument's name there is no comma.
        let Some((first, others)) = commas.split_first() else {
            self.inserts.push((args.start + name.len(), "("));
            return;
        };
        self.out[*first] = b'(';
        others.iter().step_by(2).for_each(|at| self.out[*at] = b' ');
    }

    /// `struct x` as an argument.
    fn type_argument(&mut self, word: &Range<usize>) {
        let before = self.previous(word.start).map(|at| self.out[at]);
        let name = word.end + 1..word.end + 1 + self.word_at(word.end + 1);
        let one_space = self.out.get(word.end) == Some(&b' ') && !name.is_empty();
        let after = self.next(name.end).map(|at| self.out[at]);
        if !one_space || !matches!(before, Some(b',' | b'(')) || !matches!(after, Some(b',' | b')')) {
            return;
        }
        let callee = self.callee(word.start);
        let understood = ["", "sizeof", "typeof", "__typeof__", "alignof", "_Alignof", "offsetof", "return"];
        if !understood.contains(&callee) {
            self.out[word.end] = b'$';
        }
    }

    fn word_at(&self, at: usize) -> usize {
        self.out.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| is_word(**byte)).count())
    }

    /// The word before the bracket that is open here.
    fn callee(&self, at: usize) -> &'static str {
        let mut depth = 0;
        for i in (0..at).rev().filter(|i| self.code[*i]) {
            match self.out[i] {
                b')' => depth += 1,
                b'(' if depth == 0 => return self.word_before(i),
                b'(' => depth -= 1,
                b';' | b'{' | b'}' => return "",
                _ => {}
            }
        }
        ""
    }

    fn word_before(&self, at: usize) -> &'static str {
        let end = self.previous(at).map_or(0, |at| at + 1);
        let length = self.out[..end].iter().rev().take_while(|byte| is_word(**byte)).count();
        &self.source[end - length..end]
    }

    /// Whether a word is the first on its line, but for `static`.
    fn begins_line(&self, at: usize) -> bool {
        let start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
        matches!(&self.source[start..at], "" | "static ")
    }

    /// Whether what ends here is no declaration and no beginning of a function.
    fn stands_alone(&self, word: &str, end: usize) -> bool {
        let constant = word.bytes().all(|byte| !byte.is_ascii_lowercase());
        !matches!(word, "typeof" | "__typeof__" | "asm" | "_Static_assert" | "static_assert")
            && match self.next(end).map(|at| self.out[at]) {
                Some(b';') | None => true,
                Some(b'{' | b'=' | b',' | b'(' | b'[') => false,
                Some(_) => constant || self.source[end..].starts_with('\n'),
            }
    }

    fn begins_statement(&self, at: usize) -> bool {
        let before = self.previous(at).map(|at| self.out[at]);
        matches!(before, None | Some(b';' | b'{' | b'}' | b')' | b':'))
            || matches!(self.word_before(at), "else" | "do")
    }

    fn statement_follows(&self, end: usize) -> bool {
        self.next(end).is_some_and(|at| {
            self.out[at] == b'{' || self.out[at] == b'*' || self.out[at] == b'(' || is_word(self.out[at])
        })
    }

    /// The next byte of code that is no space.
    fn next(&self, from: usize) -> Option<usize> {
        (from..self.out.len()).find(|at| self.code[*at] && !is_space(self.out[*at]))
    }

    fn previous(&self, before: usize) -> Option<usize> {
        (0..before).rev().find(|at| self.code[*at] && !is_space(self.out[*at]))
    }

    /// The bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0;
        (open..self.out.len()).filter(|at| self.code[*at]).find(|at| {
            match self.out[*at] {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    fn blank(&mut self, range: Range<usize>) {
        for byte in &mut self.out[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
}

/// Macros that head a statement.
pub fn heads(word: &str) -> bool {
    word.contains("for_each")
        || word.starts_with("for_class")
        || matches!(word, "scoped_guard" | "scoped_cond_guard" | "scoped_class")
}

/// The arguments between brackets.
fn split(source: &'static str, code: &[bool], args: Range<usize>) -> Vec<&'static str> {
    let (mut list, mut from, mut depth) = (Vec::new(), args.start, 0);
    for at in args.clone().filter(|at| code[*at]) {
        match source.as_bytes()[at] {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                list.push(source[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if !source[args.clone()].trim().is_empty() {
        list.push(source[from..args.end].trim());
    }
    list
}

/// Which bytes are code: no comments, strings or preprocessor lines.
fn code(bytes: &[u8]) -> Vec<bool> {
    let mut code = vec![true; bytes.len()];
    let mut at = 0;
    let mut line_begins = true;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"/*") => bytes[at + 2..]
                .windows(2)
                .position(|pair| pair == b"*/")
                .map_or(bytes.len(), |end| at + end + 4),
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'#' if line_begins => directive_end(bytes, at),
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote && bytes[end] != b'\n' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            byte => {
                line_begins = byte == b'\n' || line_begins && is_space(byte);
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        code[at..end].fill(false);
        at = end;
    }
    code
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end)
}

/// The end of a directive with the lines that go on after `\`.
fn directive_end(bytes: &[u8], at: usize) -> usize {
    let mut end = line_end(bytes, at);
    while end > at && end < bytes.len() && bytes[end - 1] == b'\\' {
        end = line_end(bytes, end + 1);
    }
    end
}

fn inserted(out: &[u8], mut inserts: Vec<(usize, &'static str)>) -> String {
    inserts.sort_by_key(|(at, _)| *at);
    let mut text = Vec::with_capacity(out.len() + 16 * inserts.len());
    let mut from = 0;
    for (at, what) in inserts {
        text.extend_from_slice(&out[from..at]);
        text.extend_from_slice(what.as_bytes());
        from = at;
    }
    text.extend_from_slice(&out[from..]);
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn a_system_call_is_a_function() {
        let text = "SYSCALL_DEFINE2(stop, const char __user *, name,\n\t\tunsigned int, flags)\n{\n}\n";
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let prepared = prepare(text);
        assert_eq!(words(prepared.text), "long stop( const char * name, unsigned int flags) { }");
        assert_eq!(prepared.text.lines().count(), text.lines().count());
        assert_eq!(words(prepare("SYSCALL_DEFINE0(sync)\n{\n}\n").text), "long sync() { }");
    }
}
