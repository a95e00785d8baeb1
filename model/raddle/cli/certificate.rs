//! `raddle check --certificate`, `raddle verify-certificate` and `raddle export`.

use std::path::Path;

use raddle::Scenario;
use raddle::certified::{self, Certificate};

use super::ExportArg;
use super::inputs::{self, Exit, INPUT_ERROR};
use super::out::{Out, complain, shown};

/// States of a certificate at the most, unless `--max-states` says otherwise.
const MOST: usize = 1_000_000;

/// Writes the certificate of a verified row.
pub fn write(
    file: &Path,
    scenario: &Scenario,
    revision: &str,
    most: Option<usize>,
    exit: &mut Exit,
    out: &mut Out,
) {
    match Certificate::make(scenario, revision, most.unwrap_or(MOST)) {
        Ok(certificate) => match std::fs::write(file, certificate.text()) {
            Ok(()) => {
                out.line(format_args!("    certificate: {} states in {}", certificate.states(), shown(file)))
            }
            Err(error) => exit.wrong(format_args!("raddle: {}: {error}", shown(file))),
        },
        Err(why) => {
            exit.inconclusive = true;
            complain(format_args!("raddle: no certificate of {} on {revision}: {why}", scenario.file().path));
        }
    }
}

/// Proves what a certificate says.
pub fn verify(file: &Path, out: &mut Out) -> u8 {
    let read = || {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        Certificate::parse(&text)
    };
    match read() {
        Err(error) => {
            complain(format_args!("{}: {error}", shown(file)));
            INPUT_ERROR
        }
        Ok(certificate) => match certificate.verify() {
            Ok(proved) => {
                out.line(format_args!("{}: verified, proved by its certificate", certificate.about()));
                out.line(format_args!("    {} states, {} steps", proved.states, proved.transitions));
                0
            }
            Err(why) => {
                out.line(format_args!("{}: not proved: {why}", certificate.about()));
                1
            }
        },
    }
}

/// Writes a row as a model for another checker.
pub fn export(file: &Path, revision: &str, to: ExportArg, most: usize, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let scenarios = inputs::all(&[file.to_owned()], &mut exit).unwrap_or_default();
    let [scenario] = &scenarios[..] else {
        if exit.code() == 0 {
            exit.wrong(format_args!("raddle: {}: one scenario is written; name one", shown(file)));
        }
        return exit.code();
    };
    match certified::export(scenario, revision, most) {
        Ok(model) => out.text(match to {
            ExportArg::Promela => model.promela(),
            ExportArg::Tla => model.tla(&module(&scenario.file().path)),
            ExportArg::Tlc => model.tlc(),
        }),
        Err(why) => exit.wrong(format_args!("raddle: {}: not written on {revision}: {why}", shown(file))),
    }
    exit.code()
}

/// A module's name from a scenario's: letters, digits and `_`.
fn module(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("M{name}") }
}
