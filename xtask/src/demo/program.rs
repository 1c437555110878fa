//! A program that runs beside the demo: its events are read line by line, and it is ended, whatever
//! comes, before the demo is.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How much of a program's log is shown when it fails.
const LOG_LINES_MAX: usize = 20;

/// A program that was started. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    id: u32,
    log: Option<PathBuf>,
    events: Receiver<Value>,
    exit: Receiver<ExitStatus>,
    has_ended: bool,
}

impl Program {
    /// Starts a program that prints events as JSON, with whatever else it says in the file `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
        let mut program = Self::spawn(name, command)?;
        program.log = Some(log.to_owned());
        Ok(program)
    }

    /// Starts a program that talks to whoever looks at the demo.
    pub(crate) fn watch(name: &'static str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null());
        Self::spawn(name, &mut command)
    }

    fn spawn(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command.spawn().with_context(|| format!("could not start the {name}"))?;
        let id = child.id();
        let (told, events) = mpsc::channel();
        let (ended, exit) = mpsc::channel();
        // Both threads end with the program, and the program ends with this value.
        thread::spawn(move || {
            read_events(&mut child, &told);
            drop(told);
            child.wait().map(|exit| ended.send(exit))
        });
        Ok(Self { name, id, log: None, events, exit, has_ended: false })
    }

    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// Waits for an event, `bound` at most for each one before it.
    pub(crate) fn wait_for(&self, event: &str, bound: Duration) -> Result<Value> {
        loop {
            match self.events.recv_timeout(bound) {
                Ok(told) if told["event"] == event => return Ok(told),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the {} did not tell {event:?} within {bound:?}{}", self.name, self.said())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the {} has ended{}", self.name, self.said()),
            }
        }
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self, bound: Duration) -> Result<ExitStatus> {
        match self.exit.recv_timeout(bound) {
            Ok(exit) => {
                self.has_ended = true;
                Ok(exit)
            }
            Err(_) => bail!("the {} did not end within {bound:?}{}", self.name, self.said()),
        }
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self, bound: Duration) -> Result<ExitStatus> {
        signal(self.id, "-TERM");
        self.wait(bound)
    }

    /// The last of what it said.
    fn said(&self) -> String {
        let text = self.log.as_ref().and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES_MAX)..];
        if last.is_empty() { String::new() } else { format!("; it said:\n{}", last.join("\n")) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.has_ended && self.exit.try_recv().is_err() {
            signal(self.id, "-KILL");
        }
    }
}

fn read_events(child: &mut Child, told: &mpsc::Sender<Value>) {
    let Some(stdout) = child.stdout.take() else { return };
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Ok(event) = serde_json::from_str(&line) {
            // Nobody may listen any more; the pipe is read on, so that the program can go on.
            drop(told.send(event));
        }
    }
}

fn signal(id: u32, name: &str) {
    let mut command = if cfg!(windows) {
        let mut command = Command::new("taskkill");
        command.args(["/F", "/T", "/PID", &id.to_string()]);
        command
    } else {
        let mut command = Command::new("kill");
        command.args([name, &id.to_string()]);
        command
    };
    if let Err(error) = command.status() {
        eprintln!("could not end process {id}: {error}");
    }
}
