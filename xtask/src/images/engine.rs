//! A container engine of our own, on a socket of its own: nobody's images, containers and networks are
//! touched, and what was made there goes with it.

use crate::{
    process::{Skipped, line_of},
    stopwatch::Stopwatch,
};
use anyhow::{Context as _, Result, anyhow, bail};
use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// What it says once it can be asked.
const READY: &str = "API listen on";
const READY_MAX: Duration = Duration::from_secs(60);

/// An engine that runs for as long as this lives.
#[derive(Debug)]
pub(super) struct Engine {
    home: TempDir,
    child: Child,
}

impl Engine {
    /// Starts one; skipped, where there can be none. It changes nothing about the network of this machine
    /// but to add bridges, so that its containers reach each other and this machine only.
    pub(super) fn start() -> Result<Self> {
        let by_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n");
        if !by_root {
            return Err(Skipped("a container engine of our own needs root".to_owned()).into());
        }
        let home = tempfile::tempdir()?;
        let at = |name: &str| home.path().join(name).display().to_string();
        let child = Command::new("dockerd")
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
            .args(["--host", &format!("unix://{}", at("docker.sock"))])
            .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"])
            .arg("--bridge=none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Skipped(format!("dockerd: {error} (on Debian: apt-get install docker.io)")))?;
        let mut engine = Self { home, child };
        let told = lines(engine.child.stderr.take().context("it was asked to be piped")?);
        match wait_for(&told, READY, READY_MAX) {
            Ok(()) => {
                // Nobody else reads what it says, and a pipe that is full would hold it up.
                thread::spawn(move || told.iter().for_each(drop));
                Ok(engine)
            }
            Err(all) => Err(Skipped(format!("no container engine can be started here: {all}")).into()),
        }
    }

    pub(super) fn address(&self) -> String {
        format!("unix://{}", self.home.path().join("docker.sock").display())
    }

    /// A program that asks this engine.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", self.address()).stdin(Stdio::null());
        command
    }

    /// Asks by the command line of the engine, and gives what it answers.
    pub(super) fn docker(&self, arguments: &[&str]) -> Result<String> {
        said(self.command("docker").args(arguments))
    }

    /// Waits until a container says something, from its start on.
    pub(super) fn hear(&self, container: &str, text: &str, within: Duration) -> Result<()> {
        let mut command = self.command("sh");
        command.args(["-c", "exec docker logs --follow \"$0\" 2>&1", container]).stdout(Stdio::piped());
        let mut following = command.spawn().context("docker cannot be run")?;
        let heard = wait_for(&lines(following.stdout.take().context("it is piped")?), text, within);
        let _ = following.kill();
        following.wait()?;
        heard.map_err(|all| {
            anyhow!("{container} did not say {text:?} before its end or {within:?}, but: {all}")
        })
    }

    /// Stops a container as `docker stop` does, and fails unless it ended by itself and in order.
    pub(super) fn stop(&self, container: &str, within: Duration) -> Result<()> {
        self.docker(&["stop", "--time", &within.as_secs().to_string(), container])?;
        self.ended_in_order(container)
    }

    pub(super) fn ended_in_order(&self, container: &str) -> Result<()> {
        match self.docker(&["inspect", "--format", "{{.State.ExitCode}}", container])?.as_str() {
            "0" => Ok(()),
            code => bail!("{container} ended with {code}:\n{}", self.docker(&["logs", container])?),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Bridges would outlive it, and stay while containers are at them.
        let sweep = "docker ps --all --quiet | xargs -r docker rm --force; docker network prune --force";
        let _ = self.command("sh").args(["-c", sweep]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        // It lets go of what it has mounted, but for the network of this machine.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let mount = self.home.path().join("exec/netns/default");
        if mount.exists() {
            let _ = Command::new("umount").arg(mount).stderr(Stdio::null()).status();
        }
    }
}

/// Runs a program to its end, and gives what it prints.
pub(super) fn said(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.output().with_context(|| format!("could not start `{line}`"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}{}", output.status, told.trim(), errors.trim());
    }
    Ok(told.trim().to_owned())
}

/// What is printed, line by line. It ends with the pipe.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (told, lines) = mpsc::channel();
    thread::spawn(move || {
        let read = BufReader::new(pipe).lines().map_while(Result::ok);
        let _ = read.into_iter().try_for_each(|line| told.send(line));
    });
    lines
}

/// Waits for a line with a text; else what was said instead.
fn wait_for(lines: &Receiver<String>, text: &str, within: Duration) -> Result<(), String> {
    let watch = Stopwatch::start();
    let mut all = String::new();
    while let Ok(line) = lines.recv_timeout(watch.left_of(within)) {
        if line.contains(text) {
            return Ok(());
        }
        all.push_str(&line);
        all.push('\n');
    }
    Err(all)
}
