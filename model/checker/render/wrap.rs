//! Text within a width: ASCII, broken between words, and inside a word only where there is no other way.

/// The text with everything but printable ASCII replaced: white space by a space, the rest by `?`.
pub fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        '\t' | '\n' | '\r' => ' ',
        _ => '?',
    };
    text.chars().map(plain).collect()
}

/// A text from outside in one line: every character that a terminal or a log would act on instead of
/// showing it is escaped, line feeds too.
#[must_use]
pub fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(shown).collect()
}

/// Breaks a text into lines of at most `width`; lines after the first are indented by `hang`.
///
/// Never empty. A `hang` that leaves no room is cut.
pub(super) fn wrap(text: &str, width: usize, hang: usize) -> Vec<String> {
    let width = width.max(1);
    let hang = hang.min(width / 2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut bare = true;
    for word in ascii(text).split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        let fits = |line: &str, bare: bool, word: &str| line.len() + usize::from(!bare) + word.len() <= width;
        // A word that is too long for any line goes where it is, in pieces.
        while !fits(&line, bare, word) {
            let room = width.saturating_sub(line.len() + usize::from(!bare));
            let too_long = word.len() > width - hang;
            if too_long && (bare || room >= (width / 2).max(1)) {
                let (piece, rest) = word.split_at(break_at(word, room));
                if !bare {
                    line.push(' ');
                }
                line.push_str(piece);
                word = rest;
            }
            lines.push(std::mem::replace(&mut line, " ".repeat(hang)));
            bare = true;
        }
        if word.is_empty() {
            continue;
        }
        if !bare {
            line.push(' ');
        }
        line.push_str(word);
        bare = false;
    }
    if !bare || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where to break an ASCII word so that its first piece has at most `room` characters, at least one.
fn break_at(word: &str, room: usize) -> usize {
    let most = room.clamp(1, word.len());
    let soft = word[..most].rfind(['.', '(', ',', '_', '-', '/']).map_or(0, |place| place + 1);
    if soft > most / 2 { soft } else { most }
}

/// A name cut to a width; its end stays, because that is where namesakes differ.
pub(super) fn cut(name: &str, width: usize) -> String {
    let name = ascii(name);
    if name.len() <= width {
        return name;
    }
    let tail = 4.min(width / 2);
    format!("{}~{}", &name[..width.saturating_sub(tail + 1)], &name[name.len() - tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_only_if_they_must() {
        assert_eq!(wrap("", 10, 2), [""]);
        assert_eq!(wrap("one two three", 10, 2), ["one two", "  three"]);
        assert_eq!(wrap("a.really_long_name = x", 12, 2), ["a.really_", "  long_name", "  = x"]);
        assert_eq!(wrap("f(abcdefghijklmnop)", 10, 4), ["f(abcdefgh", "    ijklmn", "    op)"]);
        assert_eq!(wrap("lock \u{e4}\n", 10, 4), ["lock ?"]);
        assert_eq!(wrap("+ :0", 1, 4), ["+", ":", "0"]);
    }

    #[test]
    fn names_keep_their_number() {
        assert_eq!(cut("kworker", 8), "kworker");
        assert_eq!(cut("kworker (async) #2", 10), "kwork~) #2");
    }
}
