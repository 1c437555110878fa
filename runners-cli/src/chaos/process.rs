//! A process that can be killed, stopped and continued. It dies with the fleet.

use anyhow::{Context as _, Result};
use runners_core::{BootTime, Clock as _, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// How much of what a process has said is shown when something is wrong.
const SAID_BYTES_MAX: usize = 4000;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
    /// When it was started, later by as long as it was stopped.
    started: BootTime,
    /// Since when it is stopped and until when, if it is.
    stopped: Option<(BootTime, BootTime)>,
}

impl Process {
    /// Starts it; what it says is added to the file `output`.
    pub(crate) fn start(mut command: Command, output: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(output)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // Ctrl-C is for the one who ends them all.
        command.process_group(0);
        let child = command.spawn().context("a process cannot be started")?;
        Ok(Self { child, output: output.to_owned(), started: SystemClock::default().boot(), stopped: None })
    }

    /// Stops it until then, or until it is [woken](Self::awake).
    pub(crate) fn stop_until(&mut self, at: BootTime) -> Result<()> {
        self.stopped = Some((SystemClock::default().boot(), at));
        self.signal(Signal::STOP)
    }

    pub(crate) fn awake(&mut self) -> Result<()> {
        let Some((since, _)) = self.stopped.take() else { return Ok(()) };
        self.started = self.started + SystemClock::default().boot().since(since);
        self.signal(Signal::CONT)
    }

    /// For how long it has run, without the time for which it was stopped.
    pub(crate) fn ran_for(&self) -> Duration {
        SystemClock::default().boot().since(self.started)
    }

    /// Until when it is stopped, if it is.
    pub(crate) fn continue_at(&self) -> Option<BootTime> {
        self.stopped.map(|(_, until)| until)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.context("a process has no number")?, signal).context("a process takes no signal")
    }

    /// Kills it. It is dead when this returns.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.stopped = None;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// How it has ended by itself, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last of what it has said.
    pub(crate) fn said(&self) -> String {
        let said = fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(SAID_BYTES_MAX)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
