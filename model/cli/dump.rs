//! `raddle check --dump` and `raddle replay`.

use std::fs;
use std::io;
use std::path::Path;

use raddle::check::{Report, Scenario};
use raddle::dumped::DumpedTrace;
use raddle::forms::Form;
use raddle::witness;

use super::INPUT_ERROR;
use super::agree::this_program;
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
pub fn replay(path: &Path, under_shuttle: bool, out: &mut Out) -> u8 {
    let trace = fs::read_to_string(path).map_err(|error| error.to_string());
    let trace = trace.and_then(|text| DumpedTrace::parse(&text));
    if under_shuttle {
        return match trace.and_then(|trace| follow(&trace)) {
            Ok((true, text)) => {
                out.line(text);
                0
            }
            Ok((false, text)) => {
                out.line(text);
                1
            }
            Err(error) => {
                complain(format_args!("{}: {error}", path.display()));
                INPUT_ERROR
            }
        };
    }
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

/// Follows a trace on shuttle's threads: whether it shows its hazard there, and that in words.
fn follow(trace: &DumpedTrace) -> Result<(bool, String), String> {
    if trace.in_set_up {
        return Err("the set-up raises the hazard, and it has no schedule to follow".to_owned());
    }
    let scenario = Scenario::parse(&trace.scenario, &trace.text).map_err(|errors| errors[0].to_string())?;
    let result = witness::follow(&scenario, &trace.revision, &trace.schedule, this_program().as_ref())?;
    let shows = result.hazards().contains(&trace.hazard.as_str());
    let (hazard, revision, steps) = (&trace.hazard, &trace.revision, trace.schedule.len());
    let word = if shows { "shows" } else { "does not show" };
    Ok((shows, format!("Under shuttle the trace of {steps} steps {word} {hazard} on {revision}.")))
}
