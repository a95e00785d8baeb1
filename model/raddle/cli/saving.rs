//! `--checkpoint` and `--resume`: where the search of the one row that is checked is saved.

use std::time::Duration;

use raddle::Scenario;
use raddle_checker::search::reduced::resources::Saving;

use super::CheckArgs;
use super::out::{complain, shown};

/// What is wrong with the options together.
pub fn contradiction(args: &CheckArgs) -> Option<&'static str> {
    let saves = args.checkpoint.is_some() || args.resume.is_some();
    let whole = args.no_reduction || args.all_orders && args.no_symmetry;
    if saves && whole {
        Some("--checkpoint: only the reduced search is saved; leave out --no-reduction")
    } else if args.spill.is_some() && args.limits.max_memory.is_none() {
        Some("--spill: say with --max-memory how much may stay in memory")
    } else if args.spill.is_some() && args.compact {
        Some("--spill: hashes alone are not spilled; leave out --compact")
    } else {
        None
    }
}

/// After Ctrl-C: where the search is saved, or how it would have been.
pub fn where_it_is(args: &CheckArgs) {
    match args.checkpoint.as_ref().or(args.resume.as_ref()) {
        Some(file) => {
            let file = shown(file);
            complain(format_args!(
                "raddle: interrupted; {file} has the search, --resume {file} goes on with it"
            ));
        }
        None => {
            complain("raddle: interrupted; --checkpoint FILE would have kept the search, for --resume FILE")
        }
    }
}

/// When a process is gone: where the search is saved, or how it would have been.
pub fn what_is_left(args: &CheckArgs) {
    match args.checkpoint.as_ref().or(args.resume.as_ref()) {
        Some(file) => {
            let file = shown(file);
            complain(format_args!(
                "raddle: {file}.* have the search as all processes saved it last; with --resume {file} they go on with it"
            ));
        }
        None => complain("raddle: --checkpoint FILE would have kept the search, for --resume FILE"),
    }
}

/// How the search of a row is saved, if it is.
pub fn saving(args: &CheckArgs, scenario: &Scenario, revision: &str) -> Option<Saving> {
    let file = args.checkpoint.as_ref().or(args.resume.as_ref())?.clone();
    let how = (args.compact, args.all_orders, args.no_symmetry, args.without);
    let searched = format!("{}\n{revision}\n{how:?}\n{}", env!("CARGO_PKG_VERSION"), scenario.text());
    let every = args.checkpoint_every.unwrap_or(Duration::from_secs(60));
    let from = args.resume.clone();
    Some(Saving { file, from, every, fingerprint: Saving::fingerprint_of(&searched) })
}
