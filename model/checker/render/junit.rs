//! Verdicts as JUnit XML: a suite for each scenario, a test case for each of its revisions.
//!
//! A verdict that is not as expected is a failure with the diagram as its body, or skipped if it is inconclusive;
//! an input that could not be checked is an error, in a suite of its own. No time stamps and durations: the same rows
//! give the same bytes.
//!
//! The crate quick-junit is not used: it counts no skipped tests, and needs chrono, uuid and quick-xml
//! for the four elements that are written here.

use std::fmt::Write as _;

use super::wrap::ascii;
use super::{Row, Unreadable};

/// The rows as an XML document, and the inputs that could not be checked.
#[must_use]
pub fn junit(rows: &[Row], unreadable: &[Unreadable]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let mut put = |text: String| writeln!(out, "{text}").expect("internal: a string can be written to");
    // Jenkins' schema has skipped tests for suites only.
    let (all, _) = counts(&rows.iter().collect::<Vec<_>>(), unreadable.len());
    put(format!("<testsuites name=\"raddle\" {all}>"));
    for (scenario, rows) in Row::by_scenario(rows) {
        let (counts, skipped) = counts(&rows, 0);
        put(format!("  <testsuite name=\"{}\" {counts} {skipped}>", escaped(scenario)));
        for row in rows {
            let case = format!(
                "    <testcase classname=\"{}\" name=\"{}\"",
                escaped(scenario),
                escaped(&row.revision)
            );
            if row.as_expected {
                put(format!("{case}/>"));
                continue;
            } else if row.inconclusive() {
                put(format!("{case}>\n      <skipped message=\"{}\"/>", escaped(&row.guarantee)));
            } else {
                let body = row.diagram.as_deref().unwrap_or(&row.guarantee);
                let message = escaped(&row.summary());
                let body = body.lines().map(escaped).collect::<Vec<_>>().join("\n");
                put(format!("{case}>\n      <failure message=\"{message}\">{body}\n</failure>"));
            }
            put("    </testcase>".to_owned());
        }
        put("  </testsuite>".to_owned());
    }
    if !unreadable.is_empty() {
        let (counts, skipped) = counts(&[], unreadable.len());
        put(format!("  <testsuite name=\"raddle: input\" {counts} {skipped}>"));
        for Unreadable { path, why } in unreadable {
            put(format!("    <testcase classname=\"input\" name=\"{}\">", escaped(path)));
            let first = escaped(why.lines().next().unwrap_or_default());
            let body = why.lines().map(escaped).collect::<Vec<_>>().join("\n");
            put(format!("      <error message=\"{first}\">{body}\n</error>\n    </testcase>"));
        }
        put("  </testsuite>".to_owned());
    }
    put("</testsuites>".to_owned());
    out
}

/// How many tests there are, and how they came out; how many of them were skipped.
fn counts(rows: &[&Row], errors: usize) -> (String, String) {
    let odd = |inconclusive: bool| {
        rows.iter().filter(|row| !row.as_expected && row.inconclusive() == inconclusive).count()
    };
    let (tests, failed, skipped) = (rows.len() + errors, odd(false), odd(true));
    let counts = format!("tests=\"{tests}\" failures=\"{failed}\" errors=\"{errors}\"");
    (counts, format!("skipped=\"{skipped}\""))
}

/// A text for an attribute or an element. Control characters, which XML cannot hold, are gone before.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in ascii(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(c),
        }
    }
    out
}
