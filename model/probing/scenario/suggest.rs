//! The nearest known name to a misspelt one.

use std::borrow::Cow;

/// Names longer than this are not compared: nobody meant them, and the comparison is quadratic.
const LONGEST: usize = 64;
/// Names in messages are cut to this many characters.
const SHOWN: usize = 60;

/// The known name that is nearest to `word`, if one is near; the first of equally near ones.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let allowed = (length / 3).max(1).min(length.saturating_sub(1));
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (strsim::osa_distance(&word, &name.to_ascii_lowercase()), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// `did you mean "x"?`, if a known name is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean {}?", quoted(name)))
}

/// A name in quotes, cut if it is very long.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", shortened(name))
}

/// A name, cut if it is very long: a file of one long name must not fill the memory with messages.
pub(crate) fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(SHOWN) {
        None => name.into(),
        Some((end, _)) => format!("{}...", &name[..end]).into(),
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn alternatives(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found() {
        let known = ["nd_pmem", "region0", "v5.1", "v5.9"];
        assert_eq!(nearest("nd_pmen", known), Some("nd_pmem"));
        assert_eq!(nearest("ND-PMEM", known), Some("nd_pmem"));
        assert_eq!(nearest("v5.2", known), Some("v5.1"));
    }

    #[test]
    fn a_far_name_is_not() {
        assert_eq!(nearest("zebra", ["nd_pmem"]), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest(&"a".repeat(1 << 20), ["a"]), None);
    }

    #[test]
    fn alternatives_read_as_a_sentence() {
        assert_eq!(alternatives(&["a"]), r#""a""#);
        assert_eq!(alternatives(&["a", "b", "c"]), r#""a", "b" or "c""#);
    }
}
