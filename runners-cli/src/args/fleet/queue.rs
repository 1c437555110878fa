//! What may be asked of the queue, and of those who execute it.

use super::Asked;
use crate::span::Span;
use clap::{Args, Subcommand};
use runners_core::{JobId, RunId};

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first.
    #[command(after_help = "Examples:
  runners jobs list --state ready --pool lab
  runners jobs list --conclusion failed --limit 20 --json
  runners jobs list --kind browser_flow --run run_018f… --all")]
    List(Asked<ListJobsArgs>),
    /// Show the state of a job, its attempts and its artifacts.
    #[command(after_help = "Example:\n  runners jobs inspect job_018f…")]
    Inspect(Asked<OneJobArgs>),
    /// Stop a job.
    #[command(after_help = "Example:\n  runners jobs cancel job_018f…")]
    Cancel(Asked<OneJobArgs>),
    /// Queue an ended job again, as a new job.
    #[command(after_help = "Example:\n  runners jobs retry job_018f…")]
    Retry(Asked<OneJobArgs>),
    /// Explain why a job is not running: what keeps it from each pool and runner, and what would start it.
    #[command(after_help = "Example:\n  runners jobs explain job_018f…")]
    Explain(Asked<OneJobArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ListJobsArgs {
    /// Those in this state: scheduled, blocked, ready, offered, running or concluded.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Those that ended like this: passed, flaky, failed, errored, timed_out, cancelled or expired.
    #[arg(long)]
    pub(crate) conclusion: Option<String>,
    /// Those that target the pool of this name.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Those of this kind, such as browser_flow.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Those of this run.
    #[arg(long)]
    pub(crate) run: Option<RunId>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Those that come after: what the list before named for this.
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<String>,
    /// All of them, however many there are.
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    pub(crate) all: bool,
}

/// A job.
#[derive(Debug, Args)]
pub(crate) struct OneJobArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// To whom: a running job (`job_…`), or a runner by its id or name.
    pub(crate) to: String,
    /// The kind of command, such as runners.ping or runners.diagnostics.
    pub(crate) kind: String,
    /// The command, as JSON.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(crate) payload: String,
    /// How long an answer is waited for.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) within: Span,
}
