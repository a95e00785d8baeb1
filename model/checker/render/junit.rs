//! Verdicts as JUnit XML: a suite for each scenario, a test case for each of its revisions.
//!
//! A verdict that is not as expected is a failure with the diagram as its body; an inconclusive one
//! is skipped. No time stamps and durations: the same rows give the same bytes.
//!
//! The crate quick-junit is not used: it counts no skipped tests, and needs chrono, uuid and quick-xml
//! for the four elements that are written here.

use std::fmt::Write as _;

use super::Row;
use super::wrap::ascii;

/// The rows as an XML document.
#[must_use]
pub fn junit(rows: &[Row]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let mut put = |text: String| writeln!(out, "{text}").expect("internal: a string can be written to");
    put(format!("<testsuites name=\"raddle\" {}>", counts(&rows.iter().collect::<Vec<_>>())));
    for (scenario, rows) in Row::by_scenario(rows) {
        put(format!("  <testsuite name=\"{}\" {}>", escaped(scenario), counts(&rows)));
        for row in rows {
            let case = format!(
                "    <testcase classname=\"{}\" name=\"{}\"",
                escaped(scenario),
                escaped(&row.revision)
            );
            if row.inconclusive() {
                put(format!("{case}>\n      <skipped message=\"{}\"/>", escaped(&row.guarantee)));
            } else if !row.as_expected {
                let body = row.diagram.as_deref().unwrap_or(&row.guarantee);
                let message = escaped(&row.summary());
                let body = body.lines().map(escaped).collect::<Vec<_>>().join("\n");
                put(format!("{case}>\n      <failure message=\"{message}\">{body}\n</failure>"));
            } else {
                put(format!("{case}/>"));
                continue;
            }
            put("    </testcase>".to_owned());
        }
        put("  </testsuite>".to_owned());
    }
    put("</testsuites>".to_owned());
    out
}

fn counts(rows: &[&Row]) -> String {
    let skipped = rows.iter().filter(|row| row.inconclusive()).count();
    let failed = rows.iter().filter(|row| !row.inconclusive() && !row.as_expected).count();
    format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\"", rows.len())
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
