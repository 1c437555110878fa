//! The fleet of `compose.yml`, from its first start to its end: flows are replayed in the browsers of both
//! images, and nothing is lost when either container goes.

use super::{Bench, START_MAX, engine::said, program};
use crate::process::{self, find};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

const FLOW: &str = "xtask/images/sign-in.json";
/// How long the page of a flow waits that is under way when its runner is stopped.
const SLOW_MILLISECONDS: &str = "8000";
const STOP_MAX: Duration = Duration::from_secs(60);

/// A fleet that is taken away with its volumes in the end.
struct Fleet<'b> {
    bench: &'b Bench<'b>,
    port: String,
}

pub(super) fn check(bench: &Bench<'_>) -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let fleet = Fleet { bench, port };
    fleet.compose(&["up", "--detach"])?;
    let runner = fleet.compose(&["ps", "-q", "agent"])?;
    bench.engine.hear(&runner, "connected to http://server:7878", START_MAX)?;
    for file in ["api-token", "registration-token"] {
        let server = fleet.compose(&["ps", "-q", "server"])?;
        bench.engine.docker(&["cp", &format!("{server}:/data/{file}"), &fleet.path(file)])?;
    }
    said(&mut fleet.submit(&[]))?;
    println!("agent: a flow was replayed in its Chromium");
    fleet.compose(&["restart", "server"])?;
    said(&mut fleet.submit(&[]))?;
    fleet.stopped_under_way(&runner)?;
    fleet.compose(&["down"])?;
    fleet.compose(&["up", "--detach", "server"])?;
    let passed = fleet.passed()?;
    ensure!(passed == 3, "{passed} of 3 flows are known after the server was made anew");
    println!("compose.yml: nothing was lost when its containers were restarted, drained and made anew");
    fleet.elsewhere()
}

impl Fleet<'_> {
    fn path(&self, name: &str) -> String {
        self.bench.folder.path().join(name).display().to_string()
    }

    fn compose(&self, arguments: &[&str]) -> Result<String> {
        let old = find(&["docker-compose"], &[]);
        let mut command = self.bench.engine.command(old.clone().unwrap_or_else(|| "docker".into()));
        if old.is_none() {
            command.arg("compose");
        }
        command.args(["--project-name", "fleet", "--file"]);
        command.arg(self.bench.workspace.root.join("ops/images/compose.yml"));
        command.env("RUNNERS_PORT", &self.port).args(arguments);
        eprintln!("$ {}", process::line_of(&command));
        said(&mut command)
    }

    /// What asks the server, from this machine.
    fn ask(&self, arguments: &[&str]) -> Command {
        let server = format!("http://127.0.0.1:{}", self.port);
        let mut command = program(self.bench, arguments);
        command.args(["--server", &server, "--token-file", &self.path("api-token")]);
        command
    }

    fn submit(&self, more: &[&str]) -> Command {
        let flow = self.bench.workspace.root.join(FLOW);
        let mut command = self.ask(&["submit", "--wait", "--output", &self.path("left")]);
        command.args(more).arg(flow);
        command
    }

    /// How many jobs have passed.
    fn passed(&self) -> Result<usize> {
        let listed: Value = serde_json::from_str(&said(&mut self.ask(&["jobs", "list", "--json"]))?)?;
        let jobs = listed["items"].as_array().with_context(|| format!("no jobs: {listed}"))?;
        Ok(jobs.iter().filter(|job| job["conclusion"] == "passed").count())
    }

    /// The runner is told to stop while it replays a flow: it finishes that first.
    fn stopped_under_way(&self, runner: &str) -> Result<()> {
        let wait = format!("wait={SLOW_MILLISECONDS}");
        let mut slow = self.submit(&["--param", &wait]);
        let slow = Ended(slow.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        self.bench.engine.hear(runner, &format!("sign-in?{wait}"), START_MAX)?;
        self.compose(&["stop", "--timeout", &STOP_MAX.as_secs().to_string(), "agent"])?;
        self.bench.engine.ended_in_order(runner)?;
        ensure!(slow.wait()?, "what the agent held when it was stopped did not pass");
        println!("agent: it was stopped, finished what it held, and ended in order");
        Ok(())
    }

    /// A runner of this machine replays flows in a browser of the other image.
    fn elsewhere(&self) -> Result<()> {
        let server = format!("http://127.0.0.1:{}", self.port);
        let mut command = program(self.bench, &["run", "--server", &server, "--label", "elsewhere"]);
        command.args(["--token-file", &self.path("registration-token"), "--state", &self.path("state")]);
        command.args(["--containers", "--container-engine", &self.bench.engine.address()]);
        command.args(["--container-pull", "never", "--browser-image", "runners/chromium"]);
        let runner = Ended(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let page = format!("url={server}");
        said(&mut self.submit(&["--label", "elsewhere", "--param", &page]))?;
        drop(runner);
        println!("browser: a flow was replayed in its Chromium");
        self.compose(&["down", "--volumes"]).map(drop)
    }
}

/// A program that ends with this, in order.
struct Ended(Child);

impl Ended {
    /// Whether it came to a good end by itself.
    fn wait(mut self) -> Result<bool> {
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
            let _ = self.0.wait();
        }
    }
}
