//! Which names a file may define, by a look at the beginnings of its lines, so that only files which define
//! what is reached are parsed.

use super::index::{CLEANUPS, MADE};

/// What a look at a file shows.
#[derive(Debug, Default)]
pub struct Seen<'t> {
    /// Names that it may define.
    pub names: Vec<&'t str>,
    /// Macros that may make functions.
    pub makers: Vec<&'t str>,
    /// Macros that stand alone, with their first argument.
    pub uses: Vec<(&'t str, &'t str)>,
    /// What it includes, with the brackets or quotes.
    pub includes: Vec<&'t str>,
}

/// Looks at a file.
#[must_use]
pub fn scan(text: &str) -> Seen<'_> {
    let mut seen = Seen::default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.bytes().next() else { continue };
        let inner = line.trim_start();
        match first {
            _ if inner.starts_with('#') => {
                let name = directive(inner, &mut seen);
                let (mut last, mut pastes, mut body) = (line, false, false);
                while last.ends_with('\\') {
                    let Some(next) = lines.next() else { break };
                    pastes |= next.contains("##") && next.contains('(');
                    body |= next.contains('{');
                    last = next;
                }
                seen.makers.extend(name.filter(|_| pastes && body));
            }
            b' ' | b'\t' => enumerator(inner, &mut seen),
            b'/' | b'*' | b'{' | b'}' => {}
            _ => {
                // The parameters may go on over lines: with a body behind them it is a definition.
                let mut last = line;
                while last.len() > 1 && line.contains('(') && !last.contains([';', '{', '#']) {
                    let Some(next) = lines.next_if(|next| !next.is_empty()) else { break };
                    last = next;
                }
                definitions(line, last.contains('{'), &mut seen);
            }
        }
    }
    seen
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// The macro that a directive defines.
fn directive<'t>(line: &'t str, seen: &mut Seen<'t>) -> Option<&'t str> {
    let rest = line[1..].trim_start();
    if let Some(rest) = rest.strip_prefix("define") {
        let name = word(rest.trim_start());
        seen.names.push(name);
        return Some(name);
    }
    if let Some(rest) = rest.strip_prefix("include") {
        let rest = rest.trim();
        if let Some(end) = rest.get(1..).and_then(|inner| inner.find(['>', '"'])) {
            seen.includes.push(&rest[..end + 2]);
        }
    }
    None
}

/// `NAME,` or `NAME = ..`.
fn enumerator<'t>(line: &'t str, seen: &mut Seen<'t>) {
    let name = word(line);
    let rest = line[name.len()..].trim_start();
    let constant = name.bytes().any(|byte| byte.is_ascii_uppercase());
    let ends =
        rest.is_empty() || rest.starts_with([',', '=']) && !rest.starts_with("==") || rest.starts_with("/*");
    if constant && ends {
        seen.names.push(name);
    }
}

/// What a line that is not indented may define: a function with a body, variables, a structure, or what a
/// macro such as `LIST_HEAD` does.
fn definitions<'t>(line: &'t str, body: bool, seen: &mut Seen<'t>) {
    let unstatic = line.strip_prefix("static ").unwrap_or(line);
    let first = word(unstatic);
    if let Some(rest) = line.strip_prefix("SYSCALL_DEFINE") {
        seen.names.push(word(rest.get(2..).unwrap_or_default()));
        return;
    }
    if let Some(rest) = unstatic[first.len()..].strip_prefix('(').filter(|_| !body) {
        let argument = word(rest.trim_start());
        if MADE.iter().any(|(made, _)| *made == first) || CLEANUPS.contains(&first) {
            seen.names.push(argument);
        } else if !["EXPORT_", "MODULE_"].iter().any(|prefix| first.starts_with(prefix)) && argument.len() > 2
        {
            seen.uses.push((first, argument));
        }
        return;
    }
    let (mut rest, mut tagged) = (line, false);
    while let Some(start) = rest.find(is_word) {
        rest = &rest[start..];
        let name = word(rest);
        rest = &rest[name.len()..];
        let next = rest.trim_start();
        let tag = std::mem::replace(&mut tagged, matches!(name, "struct" | "union" | "enum"));
        match next.bytes().next() {
            Some(b'(') => {
                // A function, or an attribute before one.
                if body || next.starts_with("(*") {
                    seen.names.push(name);
                }
                let Some(end) = next.find(')').filter(|_| name.starts_with("__")) else { return };
                rest = &next[end..];
            }
            Some(b'{') if tag => seen.names.push(name),
            Some(b';' | b',' | b'[') if !tag => seen.names.push(name),
            Some(b'=') => {
                seen.names.push(name);
                return;
            }
            // A name at the end of a line: of a structure whose bracket follows.
            None if tag => seen.names.push(name),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scan;

    #[test]
    fn names_are_seen_at_the_beginning_of_lines() {
        let text = "#include <linux/a.h>\n#define ONE 1\n# define TWO(x) \\\n\tthree(x)\n\
                    static inline int\nfour(int x)\n{\n\tfive(x);\n}\nstruct six {\n\tint seven;\n};\n\
                    int __seventeen(int eighteen, int nineteen);\nextern __printf(1, 2) int twenty;\n\
                    enum eight {\n\tNINE,\n\tTEN = 3, /* x */\n};\nstatic LIST_HEAD(eleven);\nint twelve = 12;\n\
                    int thirteen(int a,\n\tint b);\nEXPORT_SYMBOL(fourteen);\n\
                    #define fifteen(x) \\\n\tstatic int sixteen_##x(void) { return 1; }\n\
                    #define dev_attr(x) \\\n\tint a_##x = b(x)\n";
        let seen = scan(text);
        assert_eq!(seen.makers, ["fifteen"]);
        assert_eq!(seen.includes, ["<linux/a.h>"]);
        for name in ["ONE", "TWO", "four", "six", "NINE", "TEN", "eleven", "twelve", "twenty"] {
            assert!(seen.names.contains(&name), "{name}: {:?}", seen.names);
        }
        for name in ["three", "five", "seven", "thirteen", "fourteen", "eighteen", "nineteen"] {
            assert!(!seen.names.contains(&name), "{name}");
        }
    }
}
