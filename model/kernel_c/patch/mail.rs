//! Finds the patches in mails: an mbox, one mail, an archive's page saved as text, or a bare diff.

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};

use crate::error::Error;

/// One mail, or one text, with patches in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The file that it is from.
    pub file: String,
    /// Its subject, if it has one.
    pub subject: Option<String>,
    /// The patches in it, a file each.
    pub diffs: Vec<Diff>,
}

/// What a mail does to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The file; `None` if it is deleted.
    pub to: Option<String>,
    /// The file before; `None` if it is new.
    pub from: Option<String>,
    /// The lines from the first hunk on, with their numbers in the file that the mail is from, as far as they
    /// can be told.
    pub lines: Vec<(usize, String)>,
    /// Whether it stood in a reply, behind `>`.
    pub quoted: bool,
}

impl Diff {
    /// The file that it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        self.to.as_deref().or(self.from.as_deref()).unwrap_or_default()
    }
}

impl Mail {
    /// All mails of a file that have a patch in them, in the order of their series.
    ///
    /// # Errors
    ///
    /// If there is no patch at all.
    pub fn all(file: &str, bytes: &[u8]) -> Result<Vec<Mail>, Error> {
        let mut mails = Vec::new();
        for (first, part) in split(bytes) {
            let (subject, texts) = decoded(part);
            let mut diffs = Vec::new();
            for text in texts {
                // Decoding keeps lines, except those of the head.
                let raw = String::from_utf8_lossy(part);
                let skipped = raw.lines().count().saturating_sub(text.lines().count());
                diffs.extend(diffs_of(&text, first + skipped));
            }
            if diffs.iter().any(|diff| !diff.quoted) {
                diffs.retain(|diff| !diff.quoted);
            }
            if !diffs.is_empty() {
                mails.push(Mail { file: file.to_owned(), subject, diffs });
            }
        }
        // A reply quotes what the series has.
        if mails.iter().any(|mail| !mail.is_quoted()) {
            mails.retain(|mail| !mail.is_quoted());
        }
        mails.sort_by_key(|mail| mail.number().unwrap_or(0));
        if mails.is_empty() {
            return Err(Error::NoPatch { file: file.to_owned(), others: Vec::new() });
        }
        Ok(mails)
    }

    /// Its number in its series, from the subject.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        let subject = self.subject.as_deref()?;
        let tag = subject.split_once('[')?.1.split_once(']')?.0;
        let (number, _) = tag.split_whitespace().find_map(|word| word.split_once('/'))?;
        number.parse().ok()
    }

    fn is_quoted(&self) -> bool {
        self.diffs.iter().all(|diff| diff.quoted)
    }
}

/// The mails of an mbox, with the lines before each; one if it is no mbox.
fn split(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if at > 0 && is_from(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let parts = starts.iter().zip(ends).map(|(from, to)| &bytes[*from..to]);
    let mut lines = 0;
    parts
        .map(|part| {
            let before = lines;
            lines += part.iter().filter(|byte| **byte == b'\n').count();
            (before, part)
        })
        .collect()
}

/// `From somebody Mon Sep 17 00:00:00 2001`.
fn is_from(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let words: Vec<&str> = text.split_whitespace().collect();
    let time =
        |word: &&str| word.split(':').count() == 3 && word.bytes().all(|b| b.is_ascii_digit() || b == b':');
    text.starts_with("From ") && words.len() >= 6 && words.iter().any(time)
}

/// The subject and the texts of a mail; what is no mail is one text.
fn decoded(part: &[u8]) -> (Option<String>, Vec<String>) {
    let mail = match part.split_inclusive(|byte| *byte == b'\n').next() {
        Some(first) if is_from(first) => &part[first.len()..],
        _ => part,
    };
    match parse_mail(mail) {
        Ok(parsed) if looks_like_mail(&parsed) => {
            let mut texts = Vec::new();
            collect(&parsed, &mut texts);
            (parsed.headers.get_first_value("Subject"), texts)
        }
        _ => {
            let text = String::from_utf8_lossy(part).into_owned();
            let subject =
                text.lines().find(|line| line.contains("[PATCH")).map(|line| line.trim().to_owned());
            (subject, vec![text])
        }
    }
}

fn looks_like_mail(mail: &ParsedMail<'_>) -> bool {
    ["Subject", "From", "Message-Id", "Content-Type"]
        .iter()
        .any(|name| mail.headers.get_first_header(name).is_some())
}

fn collect(mail: &ParsedMail<'_>, texts: &mut Vec<String>) {
    if mail.subparts.is_empty()
        && mail.ctype.mimetype.starts_with("text/")
        && mail.ctype.mimetype != "text/html"
    {
        texts.extend(mail.get_body());
    }
    mail.subparts.iter().for_each(|part| collect(part, texts));
}

/// How many `>` a line begins with, and what follows them.
fn unquoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    while let Some(inner) = rest.strip_prefix('>').or_else(|| rest.strip_prefix(" >")) {
        depth += 1;
        rest = inner;
    }
    (depth, if depth > 0 { rest.strip_prefix(' ').unwrap_or(rest) } else { rest })
}

/// The diffs in a text: `--- a/x` and `+++ b/x` with hunks behind them.
fn diffs_of(text: &str, before: usize) -> Vec<Diff> {
    let mut diffs: Vec<Diff> = Vec::new();
    let mut open = None;
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while at < lines.len() {
        let (depth, line) = unquoted(lines[at]);
        let head = |from: usize, mark: &str| {
            let (its, line) = unquoted(lines.get(from)?);
            (its == depth).then(|| line.strip_prefix(mark)).flatten()
        };
        if let (Some(from), Some(to)) = (head(at, "--- "), head(at + 1, "+++ ")) {
            diffs.push(Diff { from: path(from), to: path(to), lines: Vec::new(), quoted: depth > 0 });
            open = Some(depth);
            at += 2;
            continue;
        }
        let ends = line.starts_with("diff ") || line.starts_with("Index: ");
        match (open, diffs.last_mut()) {
            (Some(its), Some(diff)) if !ends => {
                // Inside a quoted patch every line is quoted as deep; an empty one may have lost its mark.
                if depth < its && !lines[at].trim().is_empty() {
                    open = None;
                } else {
                    let text = if its > 0 { line } else { lines[at] };
                    diff.lines.push((before + at + 1, text.to_owned()));
                }
            }
            _ => open = None,
        }
        at += 1;
    }
    diffs.retain(|diff| diff.lines.iter().any(|(_, line)| line.starts_with("@@")));
    diffs
}

/// A path without `a/` or `b/`, and without a date behind it.
fn path(text: &str) -> Option<String> {
    let name = text.split('\t').next().unwrap_or(text).trim();
    let name = name.split(' ').next().unwrap_or(name);
    if name == "/dev/null" {
        return None;
    }
    let short = name.strip_prefix("a/").or_else(|| name.strip_prefix("b/"));
    // linux-4.0/drivers/..: a diff of two directories.
    let roots = ["drivers/", "include/", "kernel/", "lib/"];
    let deep = roots.iter().find_map(|root| name.find(&format!("/{root}")).map(|at| &name[at + 1..]));
    Some(short.or(deep).unwrap_or(name).to_owned())
}
