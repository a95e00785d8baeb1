//! The syntax of one call: `name(argument, argument)`, with spaces anywhere between.
//!
//! Nothing is known here about which calls there are.

use std::ops::Range;

use super::suggest::quoted;

/// A word of a call, and where it is in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    pub(crate) text: &'t str,
    pub(crate) range: Range<usize>,
}

/// A call as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallText<'t> {
    pub(crate) name: Token<'t>,
    pub(crate) arguments: Vec<Token<'t>>,
}

/// Why a text is not a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotACall<'t> {
    /// What is wrong.
    pub(crate) message: String,
    /// Where in the text.
    pub(crate) range: Range<usize>,
    /// What stands where the name of the call should stand.
    pub(crate) name: &'t str,
}

/// Reads one call.
pub(crate) fn parse(text: &str) -> Result<CallText<'_>, NotACall<'_>> {
    let mut rest = Reader { text, at: 0 };
    let name = rest.word();
    let wrong = |message: String, range: Range<usize>| NotACall { message, range, name: name.text };
    if name.text.is_empty() {
        return Err(wrong("expected a call".into(), name.range));
    }
    if !rest.skip('(') {
        let message = format!("expected \"(\" after {}", quoted(name.text));
        return Err(wrong(message, name.range.clone()));
    }

    let mut arguments = Vec::new();
    if !rest.skip(')') {
        loop {
            let argument = rest.word();
            if argument.text.is_empty() {
                return Err(wrong("expected an argument".into(), rest.next()));
            }
            arguments.push(argument);
            if rest.skip(')') {
                break;
            }
            if !rest.skip(',') {
                return Err(wrong("expected \",\" or \")\"".into(), rest.next()));
            }
        }
    }

    let junk = rest.rest();
    if !junk.is_empty() {
        let message = format!("unexpected {} after the call", quoted(&text[junk.clone()]));
        return Err(wrong(message, junk));
    }
    Ok(CallText { name, arguments })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    /// The longest word from here on, after spaces; empty if there is none.
    fn word(&mut self) -> Token<'t> {
        self.spaces();
        let rest = &self.text[self.at..];
        let length =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',')).unwrap_or(rest.len());
        let range = self.at..self.at + length;
        self.at = range.end;
        Token { text: &self.text[range.clone()], range }
    }

    /// Goes past one character, after spaces, if it is next.
    fn skip(&mut self, character: char) -> bool {
        self.spaces();
        let found = self.text[self.at..].starts_with(character);
        if found {
            self.at += character.len_utf8();
        }
        found
    }

    /// The range of the next character.
    fn next(&mut self) -> Range<usize> {
        self.spaces();
        let length = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        self.at..self.at + length
    }

    /// The range of all that is left, without the spaces around it.
    fn rest(&mut self) -> Range<usize> {
        self.spaces();
        self.at..self.at + self.text[self.at..].trim_end().len()
    }

    fn spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let call = parse(text).unwrap();
        let arguments = call.arguments.iter().map(|token| token.text);
        std::iter::once(call.name.text).chain(arguments).collect()
    }

    fn wrong(text: &str) -> (String, Range<usize>) {
        let error = parse(text).unwrap_err();
        (error.message, error.range)
    }

    #[test]
    fn calls_have_words_and_places() {
        assert_eq!(words("device_shutdown()"), ["device_shutdown"]);
        assert_eq!(words(" bind ( v , d ) "), ["bind", "v", "d"]);
        assert_eq!(words("return(0, -ENODEV)"), ["return", "0", "-ENODEV"]);
        assert_eq!(parse("bind(v, d)").unwrap().arguments[1].range, 8..9);
    }

    #[test]
    fn what_is_no_call_says_where() {
        assert_eq!(wrong(""), ("expected a call".into(), 0..0));
        assert_eq!(wrong("use"), ("expected \"(\" after \"use\"".into(), 0..3));
        assert_eq!(wrong("use(d"), ("expected \",\" or \")\"".into(), 5..5));
        assert_eq!(wrong("use(d,)"), ("expected an argument".into(), 6..7));
        assert_eq!(wrong("use(d e)"), ("expected \",\" or \")\"".into(), 6..7));
        assert_eq!(wrong("use(d); "), ("unexpected \";\" after the call".into(), 6..7));
    }
}
