//! `raddle check --certificate` and `raddle verify-certificate`.

use std::path::Path;

use raddle::Scenario;
use raddle::certified::Certificate;

use super::inputs::{Exit, INPUT_ERROR};
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
