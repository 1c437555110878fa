//! A runner in the background that is being started: what it says until it is connected.

use crate::{
    command::{log, run::TOKEN_VARIABLES},
    daemon::{Home, Saved},
};
use anyhow::{Context as _, Error, Result, anyhow, bail};
use runners_core::{SystemClock, Token, sleep};
use serde_json::Value;
use std::{fs::OpenOptions, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// How long one that did not connect may take to end before it is killed.
const END_MAX: Duration = Duration::from_secs(5);

/// How many lines of its log are shown when it does not say what is wrong.
const LOG_LINES: usize = 5;

/// A runner that has been started and is not connected yet.
#[derive(Debug)]
pub(super) struct Starting {
    home: Home,
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    /// Why it was not connected, when it last tried.
    outage: Option<String>,
}

/// Becomes the runner, as the same process. Returns only what is in the way.
#[cfg(unix)]
pub(super) fn become_runner(home: &Home, settings: &Saved, token: Option<&Token>) -> Error {
    match runner(home, settings, token) {
        Ok(mut command) => {
            let error = std::os::unix::process::CommandExt::exec(command.current_dir(home.directory()));
            anyhow!(error).context("the runner could not be started")
        }
        Err(error) => error,
    }
}

/// Becomes the runner. Returns what is in the way.
#[cfg(not(unix))]
pub(super) fn become_runner(_home: &Home, _settings: &Saved, _token: Option<&Token>) -> Error {
    anyhow!("there are no runners in the background on this system: use `runners run` as a service")
}

/// This program again, as the runner of a home. The token travels in the environment.
fn runner(home: &Home, settings: &Saved, token: Option<&Token>) -> Result<std::process::Command> {
    let (arguments, variables) = settings.arguments();
    let program = std::env::current_exe().context("this program is not to be found")?;
    let mut command = std::process::Command::new(program);
    for name in TOKEN_VARIABLES {
        command.env_remove(name);
    }
    command.arg("run").arg("--background").arg(home.directory()).args(arguments).envs(variables);
    if let Some(token) = token {
        command.env(TOKEN_VARIABLES[0], token.expose());
    }
    Ok(command)
}

impl Starting {
    /// Starts this program again, without a terminal. The token travels in the environment, which
    /// the runner drops once it is enrolled.
    pub(super) fn spawn(home: &Home, settings: &Saved, token: Option<&Token>) -> Result<Self> {
        if !cfg!(unix) {
            bail!("there are no runners in the background on this system: use `runners run` as a service");
        }
        home.make()?;
        let log = home.log();
        let log = crate::daemon::private(OpenOptions::new().append(true).create(true))
            .open(&log)
            .with_context(|| format!("could not write {}", log.display()))?;
        let mut command = Command::from(runner(home, settings, token)?);
        command.current_dir(home.directory()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("the runner could not be started")?;
        let stdout = child.stdout.take().expect("invariant: it was asked to be piped");
        let events = BufReader::new(stdout).lines();
        Ok(Self { home: home.clone(), child, events, outage: None })
    }

    /// Waits until it is connected.
    ///
    /// # Cancel safety
    /// Nothing that it said is lost.
    pub(super) async fn connected(&mut self) -> Result<()> {
        while let Some(line) = self.events.next_line().await? {
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            match event["event"].as_str() {
                Some("connected") => return Ok(()),
                Some("failed") => bail!("{}", event["error"].as_str().unwrap_or("the runner failed")),
                Some("disconnected") => self.outage = event["error"].as_str().map(str::to_owned),
                _ => {}
            }
        }
        Err(self.trouble("the runner has ended"))
    }

    /// What is known of why it is not connected.
    pub(super) fn trouble(&self, what: &str) -> Error {
        if let Some(outage) = &self.outage {
            return anyhow!("{what}: {outage}");
        }
        match log::last_lines(&self.home.log(), LOG_LINES) {
            Ok(lines) if !lines.is_empty() => anyhow!("{what}; its log says:\n  {}", lines.join("\n  ")),
            _ => anyhow!("{what}"),
        }
    }

    /// Ends it.
    pub(super) async fn end(mut self) {
        if let Some(process) = self.child.id() {
            let _ = super::signals::drain(process).and_then(|()| super::signals::stop(process));
        }
        let clock = SystemClock::default();
        tokio::select! {
            _ = self.child.wait() => {}
            () = sleep(&clock, END_MAX) => drop(self.child.kill().await),
        }
    }
}
