//! Arguments that name one job, or one runner.

use super::ApiArgs;
use clap::Args;
use runners_core::{JobId, RunnerId};

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// The runner, by its name or by its id: `runner_` and 32 hex digits.
    #[arg(value_parser = runner)]
    pub(crate) runner: String,
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

/// Reads the id of a runner, or its name.
fn runner(text: &str) -> Result<String, String> {
    let id = text.starts_with("runner_").then(|| text.parse::<RunnerId>()).transpose();
    id.map(|_| text.to_owned()).map_err(|error| error.to_string())
}
