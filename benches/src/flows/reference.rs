//! The reference replayer, in a process of Node that has its browser open and replays when told.

use super::install;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/flows/reference.cjs");

/// The replayer, its browser open.
#[derive(Debug)]
pub struct Reference {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Reference {
    /// Installs it if needed, and waits until its browser is open.
    ///
    /// # Errors
    /// If it cannot be installed or started.
    pub fn start(flow: &Value) -> anyhow::Result<Self> {
        let folder = install::npm("reference", install::REFERENCE)?;
        let mut child = Command::new(install::program(&["node"])?)
            .arg(SCRIPT)
            .args([folder, install::browser()?])
            .arg(flow.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("its input was asked for")?;
        let output = BufReader::new(child.stdout.take().context("its output was asked for")?).lines();
        let mut started = Self { child, input, output };
        started.expect("ready")?;
        Ok(started)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Replays the flow once.
    ///
    /// # Errors
    /// If it fails.
    pub fn replay(&mut self) -> anyhow::Result<()> {
        writeln!(self.input, "go")?;
        self.expect("done")
    }

    fn expect(&mut self, wanted: &str) -> anyhow::Result<()> {
        let line = self.output.next().context("the reference replayer has ended")??;
        ensure!(line == wanted, "the reference replayer says {line:?}");
        Ok(())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of the replayer for a flow in a file, from start to end.
///
/// # Errors
/// If it cannot be installed.
pub fn command(flow: &Path) -> anyhow::Result<Command> {
    let folder = install::npm("reference", install::REFERENCE)?;
    let mut command = Command::new(install::program(&["node"])?);
    command.arg(folder.join("node_modules/@puppeteer/replay/lib/cli.js")).arg(flow);
    command.env("PUPPETEER_EXECUTABLE_PATH", unsandboxed(&folder)?);
    Ok(command)
}

/// The browser behind a script, since the command line takes no arguments for it.
fn unsandboxed(folder: &Path) -> anyhow::Result<PathBuf> {
    let script = folder.join("browser.sh");
    let browser = install::browser()?;
    std::fs::write(&script, format!("#!/bin/sh\nexec {} --no-sandbox \"$@\"\n", browser.display()))?;
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(script)
}
