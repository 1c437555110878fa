//! One runner of a fleet, as a process: this same program, told by the environment where it is posted.

use super::{process::Process, visit::Post};
use anyhow::Result;
use runners_core::{BootTime, Clock as _, SystemClock};
use std::{env, path::PathBuf, process::Command};

/// How often a runner is started from the same state: once more within a minute would be a crash
/// loop, which is held back.
const STARTS_MAX: u32 = 2;

#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) post: Post,
    /// How often the state it has now was started from.
    starts: u32,
    pub(crate) process: Process,
    /// The journals of its earlier processes, and when those were dead.
    pub(crate) past: Vec<(PathBuf, BootTime)>,
}

impl Runner {
    pub(crate) fn start(post: Post) -> Result<Self> {
        let process = process(&post)?;
        Ok(Self { post, starts: 1, process, past: Vec::new() })
    }

    /// Kills it, and starts it again: from its state, or as a new one in its place. Whether it is new.
    pub(crate) fn kill_and_start(&mut self, chance: &mut fastrand::Rng) -> Result<bool> {
        let replaced = self.starts >= STARTS_MAX || chance.bool();
        self.process.kill()?;
        let died = SystemClock::default().boot();
        let number = self.past.len() + 2;
        let journal = self.post.journal.with_file_name(format!("journal-{number}"));
        self.past.push((std::mem::replace(&mut self.post.journal, journal), died));
        self.starts += 1;
        if replaced {
            self.post.state = self.post.state.with_file_name(format!("state-{number}"));
            self.starts = 1;
        }
        self.process = process(&self.post)?;
        Ok(replaced)
    }
}

fn process(post: &Post) -> Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("chaos").env(Post::VARIABLE, serde_json::to_string(post)?).env("RUST_LOG", "warn");
    Process::start(command, &post.journal.with_file_name("output"))
}
