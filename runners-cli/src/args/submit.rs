//! What `submit` may be asked, and whatever else queues flows.

use super::{
    groups::{self, ApiArgs, Captured, OutputArgs, ParameterArgs},
    guard::SignArgs,
    schedule::ScheduleArgs,
};
use anyhow::{Result, bail};
use clap::Args;
use runners_core::RetryPolicy;
use std::{ops::Deref, path::PathBuf, time::Duration};

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// Flows, as the browser's Recorder panel exports them.
    #[arg(required = true, value_name = "FLOW.json")]
    pub(crate) flows: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
}

impl Deref for SubmitArgs {
    type Target = QueueArgs;

    fn deref(&self) -> &QueueArgs {
        &self.queue
    }
}

/// How flows are queued, and whether they are waited for.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// Wait until all have ended; show progress, then a table, and fetch what they left.
    #[arg(short, long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// The pool whose runners may take them.
    #[arg(long, default_value = "default")]
    pub(crate) pool: String,
    /// An environment of the server, which names the pool that they go to, instead of --pool.
    #[arg(long, alias = "environment-name", value_name = "NAME", conflicts_with = "pool")]
    pub(crate) environment: Option<String>,
    /// A label that the runner must have; may be repeated.
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// How long one attempt at a flow may take, such as 90s, 5m or 1h.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = groups::time)]
    pub(crate) timeout: Duration,
    #[command(flatten, next_help_heading = "Scheduling")]
    pub(crate) schedule: ScheduleArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    /// Have the runner keep more of each flow: the bodies of requests, pictures of the screen, or a video;
    /// may be repeated.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) capture: Vec<Captured>,
    /// A directory of pictures that pages are compared with; they are sent along with the flows.
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
    /// Replace the pictures in --baselines that differ, and add new ones. Needs --wait.
    #[arg(long, requires_all = ["baselines", "wait"])]
    pub(crate) update_baselines: bool,
    #[command(flatten)]
    pub(crate) parameters: ParameterArgs,
    #[command(flatten)]
    pub(crate) sign: SignArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What follows an attempt that did not pass.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RetryArgs {
    /// How many attempts each may have, from 1 to 100: another one follows where one could not run or took
    /// longer than --timeout, and with --retry-failed also where one failed.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = attempts())]
    pub(crate) attempts: u32,
    /// Try again what failed, too. What passes then is told as flaky, and is no failure.
    #[arg(long)]
    pub(crate) retry_failed: bool,
}

impl RetryArgs {
    /// The same as a job has it.
    ///
    /// # Errors
    /// One attempt, of which another is to follow.
    pub(crate) fn policy(self) -> Result<RetryPolicy> {
        if self.retry_failed && self.attempts == 1 {
            bail!(
                "--retry-failed needs a second attempt, and --attempts 1 allows none: leave one of them out"
            );
        }
        Ok(RetryPolicy { attempts_max: self.attempts, failed: self.retry_failed, ..RetryPolicy::default() })
    }
}

fn attempts() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(RetryPolicy::ATTEMPTS_LIMIT))
}
