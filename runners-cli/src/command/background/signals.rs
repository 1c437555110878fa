//! How a runner in the background is told to end: the first signal drains it, another ends it now.

use anyhow::Result;

/// Tells it to take nothing new, finish what it runs, and end.
#[cfg(unix)]
pub(super) fn drain(process: u32) -> Result<()> {
    send(process, rustix::process::Signal::TERM)
}

/// Tells it to end now. Another signal than the first: two of one kind may arrive as one.
#[cfg(unix)]
pub(super) fn stop(process: u32) -> Result<()> {
    send(process, rustix::process::Signal::INT)
}

/// Tells it to look at what is wanted of it.
#[cfg(unix)]
pub(super) fn nudge(process: u32) -> Result<()> {
    send(process, rustix::process::Signal::USR1)
}

#[cfg(unix)]
fn send(process: u32, signal: rustix::process::Signal) -> Result<()> {
    use anyhow::Context as _;
    let id = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    let id = id.context("the runner is only just starting: try again in a moment")?;
    match rustix::process::kill_process(id, signal) {
        // It has ended since.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => sent.with_context(|| format!("could not tell process {process}")),
    }
}

#[cfg(not(unix))]
pub(super) fn drain(_process: u32) -> Result<()> {
    anyhow::bail!("there are no runners in the background on this system: use `runners run` as a service")
}

#[cfg(not(unix))]
pub(super) fn nudge(process: u32) -> Result<()> {
    drain(process)
}

#[cfg(not(unix))]
pub(super) fn stop(process: u32) -> Result<()> {
    drain(process)
}
