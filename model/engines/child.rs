//! A process of one's own for an engine: loom and shuttle may abort, overflow a stack, print what they
//! like and set the process' panic hook. Here that becomes a clear result, and there is a time limit.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Environment variables by which loom and shuttle let themselves be told otherwise.
const OVERRIDES: [&str; 10] = [
    "LOOM_CHECKPOINT_FILE",
    "LOOM_CHECKPOINT_INTERVAL",
    "LOOM_LOCATION",
    "LOOM_LOG",
    "LOOM_MAX_BRANCHES",
    "LOOM_MAX_DURATION",
    "LOOM_MAX_PERMUTATIONS",
    "LOOM_MAX_PREEMPTIONS",
    "SHUTTLE_RANDOM_SEED",
    "SHUTTLE_ANNOTATION_FILE",
];

/// Why a child gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It could not be started or spoken to.
    #[error("the engine's process cannot be started: {0}")]
    Start(String),
    /// It took longer than it may.
    #[error("the engine's process did not end within {0} s and was stopped")]
    Time(u64),
    /// It ended badly: how, and its last words.
    #[error("the engine's process ended with {0}: {1}")]
    Ended(String, String),
}

/// Runs a program with these arguments, gives it `input` and returns its standard output.
///
/// # Errors
///
/// Why there is no answer.
pub fn run(program: &Path, args: &[&str], input: &str, limit: Option<Duration>) -> Result<String, Failed> {
    let started = |error: std::io::Error| Failed::Start(error.to_string());
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in OVERRIDES {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(started)?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // Whoever does not read its input says why in another way.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    }
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(started)? {
            break status;
        }
        if let Some(limit) = limit.filter(|limit| begun.elapsed() >= *limit) {
            // It may have ended just now; then there is nothing to stop.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failed::Time(limit.as_secs()));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    let output = stdout.recv().unwrap_or_default();
    if status.success() {
        return Ok(output);
    }
    let noise = stderr.recv().unwrap_or_default();
    let last = noise.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("note: "));
    let words: Vec<&str> = last.take(2).collect();
    Err(Failed::Ended(status.to_string(), words.join(" ")))
}

/// Reads all of a pipe on a thread of its own, so that neither side waits for the other.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> Result<String, Failed> {
        run(Path::new("/bin/sh"), &["-c", script], "in", Some(Duration::from_millis(limit)))
    }

    #[test]
    fn an_answer_an_abort_and_a_child_that_never_ends() {
        assert_eq!(shell("cat; echo noise >&2", 10_000).as_deref(), Ok("in"));
        let aborted = shell("echo 'thread main panicked' >&2; kill -ABRT $$", 10_000);
        let text = aborted.expect_err("it aborts").to_string();
        assert!(text.contains("signal: 6") && text.contains("panicked"), "{text}");
        assert_eq!(shell("exec sleep 100", 50), Err(Failed::Time(0)));
        assert!(matches!(run(Path::new("/no/such/program"), &[], "", None), Err(Failed::Start(_))));
    }
}
