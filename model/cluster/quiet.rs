//! While timely connects, it tells standard output of it, which is for reports.

/// Does something while nothing is written to standard output.
#[cfg(unix)]
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::io::Result<T> {
    use std::io::Write;
    std::io::stdout().flush()?;
    let nowhere = std::fs::File::options().write(true).open("/dev/null")?;
    let kept = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    let done = work();
    std::io::stdout().flush()?;
    rustix::stdio::dup2_stdout(&kept)?;
    Ok(done)
}

/// Does something. Here timely's lines are among the output.
#[cfg(not(unix))]
pub fn quietly<T>(work: impl FnOnce() -> T) -> std::io::Result<T> {
    Ok(work())
}
