//! Arguments that name one job, or one runner.

use super::ApiArgs;
use clap::Args;
use runners_core::{JobId, RunnerId};

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// The runner, as it says at its start: `runner_` and 32 hex digits.
    pub(crate) runner: RunnerId,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}
