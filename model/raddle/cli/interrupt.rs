//! Ctrl-C: the search stops and says what it covered. A second one ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a process that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

static FLAG: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C from here on; the flag that it sets.
pub fn catch() -> &'static AtomicBool {
    let handler = || {
        if FLAG.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    };
    // If somebody else handles the signal already, it does what they say.
    let _ = ctrlc::set_handler(handler);
    &FLAG
}

/// Whether it was pressed.
pub fn came() -> bool {
    FLAG.load(Ordering::Relaxed)
}
