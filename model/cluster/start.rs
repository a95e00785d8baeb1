//! All processes of a search on one machine, started and watched by one more.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(10);

/// So long the others have, once one has failed, to say so and to end by themselves.
const GRACE: Duration = Duration::from_secs(10);

/// How processes have ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code of process 0, unless it was killed.
    pub code: Option<i32>,
    /// The first process that was killed, or that failed without a word.
    pub killed: Option<(usize, ExitStatus)>,
}

/// Starts so many processes and waits until they have ended.
///
/// # Errors
///
/// One cannot be started.
pub fn start(count: usize, command: impl Fn(usize) -> Command) -> io::Result<Ended> {
    let mut running: Vec<(usize, Child)> = Vec::new();
    for index in 0..count {
        // They find out by their standard input that this process has ended, however it did.
        match command(index).stdin(Stdio::piped()).spawn() {
            Ok(child) => running.push((index, child)),
            Err(error) => {
                end(&mut running);
                return Err(error);
            }
        }
    }
    let mut ended = Ended { code: None, killed: None };
    let mut failed: Option<Instant> = None;
    while !running.is_empty() {
        let mut still = Vec::new();
        for (index, mut child) in running {
            let Some(status) = child.try_wait()? else {
                still.push((index, child));
                continue;
            };
            // Those that find out that one is gone end with an exit code.
            if status.code().is_none() && ended.killed.is_none() {
                ended.killed = Some((index, status));
            }
            if index == 0 {
                ended.code = status.code();
            } else if !status.success() {
                failed.get_or_insert_with(Instant::now);
            }
            if status.code().is_none() {
                failed.get_or_insert_with(Instant::now);
            }
        }
        running = still;
        if failed.is_some_and(|failed| failed.elapsed() > GRACE) {
            end(&mut running);
        }
        if !running.is_empty() {
            sleep(LOOK);
        }
    }
    Ok(ended)
}

/// Ends this process with this code as soon as the one that has [started](start) it has ended.
pub fn end_with_starter(code: i32) {
    thread::spawn(move || {
        // Nothing is ever written there.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(code);
    });
}

/// Ends processes that have nobody left to search with.
fn end(running: &mut [(usize, Child)]) {
    for (_, child) in running {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
}
