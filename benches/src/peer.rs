//! Other queues, measured by a program of their own, so that their dependencies stay out of this
//! workspace.

use anyhow::{Context as _, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The program that measures the peers, built.
#[derive(Clone, Debug)]
pub struct Peer {
    program: PathBuf,
}

impl Peer {
    /// Builds the program, which takes minutes the first time.
    ///
    /// # Errors
    /// If it cannot be built: its dependencies may not be at hand.
    pub fn build() -> anyhow::Result<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--locked", "--target-dir", "target"])
            .current_dir(&directory)
            .status()
            .context("cargo cannot be started")?;
        ensure!(built.success(), "the peers cannot be built");
        Ok(Self { program: directory.join("target/release/runners-peers") })
    }

    /// Lifecycles in a second of apalis-sqlite, with `callers` at once and a pool of `connections`.
    ///
    /// # Errors
    /// If the program fails, or says something else than a rate.
    pub fn rate(&self, callers: usize, span: Duration, connections: usize) -> anyhow::Result<f64> {
        let directory = crate::bed::directory()?;
        let numbers =
            [callers, usize::try_from(span.as_secs())?, connections].map(|number| number.to_string());
        let [callers, seconds, connections] = numbers.each_ref().map(String::as_str);
        let told = self.told(&["apalis-sqlite", callers, seconds, connections], directory.path())?;
        told["per_second"].as_f64().context("the peer told no rate")
    }

    /// What the program says, asked with these arguments.
    ///
    /// # Errors
    /// If it fails, or says nothing that is JSON.
    pub fn told(&self, arguments: &[&str], directory: &Path) -> anyhow::Result<serde_json::Value> {
        let output = Command::new(&self.program).args(arguments).current_dir(directory).output()?;
        ensure!(output.status.success(), "the peer failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
