//! `--checkpoint` and `--resume`: where the search of the one row that is checked is saved.

use std::time::Duration;

use raddle::check::Scenario;
use raddle_checker::search::reduced::resources::Saving;

use super::CheckArgs;
use super::out::complain;

/// Whether the options go together; says what does not.
pub fn is_possible(args: &CheckArgs) -> bool {
    let saves = args.checkpoint.is_some() || args.resume.is_some();
    let whole = args.no_reduction || args.all_orders && args.no_symmetry;
    let problem = if saves && whole {
        "--checkpoint: only the reduced search is saved; leave out --no-reduction"
    } else if args.spill.is_some() && args.max_memory.is_none() {
        "--spill: say with --max-memory how much may stay in memory"
    } else if args.spill.is_some() && args.compact {
        "--spill: hashes alone are not spilled; leave out --compact"
    } else {
        return true;
    };
    complain(format_args!("raddle: {problem}"));
    false
}

/// How the search of a row is saved, if it is.
pub fn saving(args: &CheckArgs, scenario: &Scenario, revision: &str) -> Option<Saving> {
    let file = args.checkpoint.as_ref().or(args.resume.as_ref())?.clone();
    let how = (args.compact, args.all_orders, args.no_symmetry);
    let searched = format!("{}\n{revision}\n{how:?}\n{}", env!("CARGO_PKG_VERSION"), scenario.text());
    let every = args.checkpoint_every.unwrap_or(Duration::from_secs(60));
    let from = args.resume.clone();
    Some(Saving { file, from, every, fingerprint: Saving::fingerprint_of(&searched) })
}
