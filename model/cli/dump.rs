//! `raddle check --dump` and `raddle replay`.

use std::fs;
use std::io;
use std::path::Path;

use raddle::check::{Report, Scenario};
use raddle::dumped::DumpedTrace;
use raddle::forms::Form;

use super::INPUT_ERROR;
use super::out::{Out, complain};

/// Writes each violation of a row as `SCENARIO.REVISION.HAZARD.` and the rendering's ending.
pub fn dump(dir: &Path, scenario: &Scenario, report: &Report, full: bool) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let stem = Path::new(&report.scenario).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for violation in &report.violations {
        let name = |ending: &str| dir.join(format!("{stem}.{}.{}.{ending}", report.revision, violation.id));
        for form in Form::ALL {
            fs::write(name(form.ending()), form.violation(report, violation, full))?;
        }
        let trace = DumpedTrace::new(scenario, report, violation);
        let json = serde_json::to_string_pretty(&trace).map_err(io::Error::other)?;
        fs::write(name("json"), format!("{json}\n"))?;
    }
    Ok(())
}

/// Re-runs a dumped trace.
pub fn replay(path: &Path, out: &mut Out) -> u8 {
    let trace = fs::read_to_string(path).map_err(|error| error.to_string());
    let trace = trace.and_then(|text| DumpedTrace::parse(&text));
    match trace.and_then(|trace| trace.replay().map(|result| (trace, result))) {
        Ok((trace, result)) => {
            out.line(&result.text);
            if result.shows {
                out.line(format_args!("The trace still shows {} on {}.", trace.hazard, trace.revision));
                0
            } else {
                out.line(format_args!("The trace no longer shows {} on {}.", trace.hazard, trace.revision));
                1
            }
        }
        Err(error) => {
            complain(format_args!("{}: {error}", path.display()));
            INPUT_ERROR
        }
    }
}
