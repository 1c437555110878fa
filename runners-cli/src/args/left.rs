//! Arguments of what jobs leave: logs, artifacts, and the runs that they belong to.

use super::{ApiArgs, fleet::Asked};
use clap::{Args, Subcommand};
use runners_core::{JobId, RunId};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct JobLogArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
    /// Go on printing what is added, until the attempt has ended. The first attempt at a job is waited for.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The grant of an earlier attempt, as `jobs inspect --json` shows it [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) grant: Option<u64>,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print one JSON object for each piece instead of its text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactsCommand {
    /// List the artifacts of a job.
    #[command(after_help = "Example:\n  runners artifacts list job_018f…")]
    List(ListArtifactsArgs),
    /// Download artifacts of a job into a directory: all of them, or those that are named.
    #[command(after_help = "Examples:
  runners artifacts get job_018f…
  runners artifacts get job_018f… network.har final.png -o evidence")]
    Get(GetArtifactsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArtifactsArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetArtifactsArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
    /// What is fetched, by the names that `list` shows [default: everything].
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Where it goes. What earlier attempts left goes into a directory of their number below it.
    #[arg(short, long, value_name = "DIR", default_value = "runners-artifacts")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first, with what became of their jobs.
    #[command(after_help = "Examples:\n  runners runs list\n  runners runs list --limit 10 --json")]
    List(Asked<PageArgs>),
    /// Show what has become of the jobs that were submitted together.
    #[command(after_help = "Example:\n  runners runs show run_018f…")]
    Show(Asked<OneRunArgs>),
    /// Stop every job of a run.
    #[command(after_help = "Example:\n  runners runs cancel run_018f…")]
    Cancel(Asked<OneRunArgs>),
}

/// How much of a listing.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
}

/// A run.
#[derive(Debug, Args)]
pub(crate) struct OneRunArgs {
    /// The run, as `submit --json` says: `run_` and 32 hex digits.
    pub(crate) run: RunId,
}
