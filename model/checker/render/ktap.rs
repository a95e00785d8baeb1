//! Verdicts as KTAP, the kernel's test output (Documentation/dev-tools/ktap.rst): a test for each
//! scenario, a subtest for each of its revisions, the diagram as diagnostics before a bad result.

use super::Row;
use super::wrap::ascii;

/// The rows as KTAP, version 1.
#[must_use]
pub fn ktap(rows: &[Row]) -> String {
    let scenarios = Row::by_scenario(rows);
    let mut lines = vec!["KTAP version 1".to_owned(), format!("1..{}", scenarios.len())];
    for (number, (scenario, rows)) in scenarios.iter().enumerate() {
        lines.push("  KTAP version 1".to_owned());
        lines.push(format!("  # Subtest: {}", name(scenario)));
        lines.push(format!("  1..{}", rows.len()));
        for (number, row) in rows.iter().enumerate() {
            lines.extend(subtest(number + 1, row).into_iter().map(|line| format!("  {line}")));
        }
        let failed = rows.iter().any(|row| !row.inconclusive() && !row.as_expected);
        let skipped = rows.iter().all(|row| row.inconclusive());
        let skip = if skipped { " # SKIP inconclusive" } else { "" };
        lines.push(format!("{} {} {}{skip}", ok(!failed), number + 1, name(scenario)));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn subtest(number: usize, row: &Row) -> Vec<String> {
    let name = name(&row.revision);
    if row.inconclusive() {
        return vec![format!("ok {number} {name} # SKIP {}", ascii(&row.guarantee))];
    }
    let mut lines = Vec::new();
    if !row.as_expected {
        lines.push(format!("# {}", ascii(&row.summary())));
        let body = row.diagram.as_deref().unwrap_or(&row.guarantee);
        lines.extend(body.lines().map(|line| format!("# {}", ascii(line))));
    }
    lines.push(format!("{} {number} {name}", ok(row.as_expected)));
    lines
}

fn ok(passed: bool) -> &'static str {
    if passed { "ok" } else { "not ok" }
}

/// A test's description: `#` would begin a directive.
fn name(text: &str) -> String {
    ascii(text).replace('#', "?")
}
