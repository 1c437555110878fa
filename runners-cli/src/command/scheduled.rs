//! How what is queued is scheduled, with what is looked up for that: the runner that is named, and the run of the jobs
//! that are waited for.

use crate::{
    args::{ApiArgs, ScheduleArgs},
    connection::Connection,
    management,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{JobId, JobOptions, RunId, RunnerId, Timestamp};

/// Adds to the options of so many jobs how they are scheduled, and answers the run that they join, if they wait for
/// jobs.
pub(super) async fn scheduled(
    arguments: &ScheduleArgs,
    (connection, api): (&Connection, &ApiArgs),
    options: JobOptions,
    jobs: usize,
    now: Timestamp,
) -> Result<(JobOptions, Option<RunId>)> {
    let options = arguments.give(options, jobs, now)?;
    let options = JobOptions { runner: pinned(arguments, api).await?, ..options };
    let run = match options.after.split_first() {
        Some((first, others)) => Some(run_of(connection, *first, others).await?),
        None => None,
    };
    Ok((options, run))
}

/// The one runner that may take what is queued, if one is named. Its name is looked up.
async fn pinned(arguments: &ScheduleArgs, api: &ApiArgs) -> Result<Option<RunnerId>> {
    match &arguments.on {
        Some(name) => management::runner_of(api, name).await.map(Some),
        None => Ok(None),
    }
}

/// The run of jobs that are waited for: only jobs of one run can wait for each other.
async fn run_of(connection: &Connection, first: JobId, others: &[JobId]) -> Result<RunId> {
    let run = async |job| {
        let view = connection.client.inspect(job).await.map_err(|error| connection.explain(error))?;
        view.run.with_context(|| format!("--after {job}: it is of no run, so that no job can wait for it"))
    };
    let found = run(first).await?;
    for job in others {
        if run(*job).await? != found {
            bail!("--after {job}: it is of another run than {first}: name jobs of one run");
        }
    }
    Ok(found)
}
