//! One server of a fleet, as a process.

use super::{management, process::Process};
use anyhow::{Context as _, Result, bail, ensure};
use runners_core::{Clock as _, SystemClock, sleep};
use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The ports among which one is chosen: systems give these to nobody who asks for any port.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// How often another port is tried.
const PORTS_TRIED_MAX: usize = 1000;

/// How long a server may take to answer that it is ready, and how often it is asked.
const READY_WITHIN: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How long a server may have run that ends because its database was away, to be started again as any
/// service is. Whatever ends later, or otherwise, is a defect.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The exit code of a server that could not start.
const COULD_NOT_RUN: i32 = 2;

/// How long a lease is good for. Some processes are stopped for longer.
pub(crate) const TERM: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) name: String,
    directory: PathBuf,
    arguments: Vec<String>,
    pub(crate) process: Process,
    was_ready: bool,
}

impl Server {
    pub(crate) async fn start(
        directory: &Path,
        name: String,
        arguments: Vec<String>,
        chance: &mut fastrand::Rng,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port(chance)?));
        let directory = directory.join(&name);
        fs::create_dir_all(&directory)?;
        let process = process(&directory, address, &arguments)?;
        let mut server = Self { address, name, directory, arguments, process, was_ready: false };
        server.ready().await?;
        Ok(server)
    }

    /// What it has written for whoever administers it.
    pub(crate) fn token(&self, name: &str) -> Result<String> {
        let file = self.directory.join("data").join(name);
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
    }

    /// Kills it, and starts it again. Does not wait until it is there.
    pub(crate) fn kill_and_start(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = process(&self.directory, self.address, &self.arguments)?;
        Ok(())
    }

    /// Starts it again if it did not find the database that it found before. It does not end otherwise.
    pub(crate) fn see_to_it(&mut self) -> Result<()> {
        let Some(ended) = self.process.ended() else { return Ok(()) };
        let is_starting = self.process.ran_for() < STARTS_WITHIN;
        if self.was_ready && ended.code() == Some(COULD_NOT_RUN) && is_starting {
            return self.kill_and_start();
        }
        bail!("{} has ended by itself: {ended}\n{}", self.name, self.process.said())
    }

    /// Waits until it answers that it is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let clock = SystemClock::default();
        let give_up_at = clock.boot() + READY_WITHIN;
        let client = management::client(Some(READY_WITHIN))?;
        while !management::answers(&client, &format!("http://{}", self.address)).await {
            self.see_to_it()?;
            ensure!(clock.boot() < give_up_at, "{} is not ready:\n{}", self.name, self.process.said());
            sleep(&clock, ASK_EVERY).await;
        }
        self.was_ready = true;
        Ok(())
    }
}

fn process(directory: &Path, address: SocketAddr, arguments: &[String]) -> Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["server", "--data", "data", "--json", "--listen", &address.to_string()]);
    command.arg("--term").arg(format!("{}s", TERM.as_secs())).args(arguments);
    command.args(["--no-orchestrator", "--artifacts", "../artifacts"]);
    // What is set for others is not for it.
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"RUNNERS_") {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).env("RUST_LOG", "warn");
    Process::start(command, &directory.join("output"))
}

/// A port that nobody listens at.
fn free_port(chance: &mut fastrand::Rng) -> Result<u16> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut tried = std::iter::repeat_with(|| chance.u16(PORTS)).take(PORTS_TRIED_MAX);
    tried.find(free).context("no port is free on 127.0.0.1")
}
