//! `runners runs`: the jobs that were submitted together.

use super::pools::{done, shown};
use crate::{
    args::{Asked, OneRunArgs, RunsCommand},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::{Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    state: String,
    conclusion: Option<String>,
    attempts_ended: u32,
    submitted_at_utc: String,
}

pub(super) async fn runs(command: RunsCommand) -> Result<Exit> {
    match command {
        RunsCommand::Show(arguments) => show(arguments).await,
        RunsCommand::Cancel(Asked { what: OneRunArgs { run }, fleet }) => {
            let cancelled = Management::new(&fleet)?.post(&format!("/runs/{run}/cancel"), None).await?;
            let jobs =
                cancelled["jobs"].as_u64().and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or_default();
            let text = format!("{run}: {} told to stop", terminal::count(jobs, "job"));
            done(&fleet, &cancelled, &text)
        }
    }
}

async fn show(Asked { what: OneRunArgs { run }, fleet }: Asked<OneRunArgs>) -> Result<Exit> {
    let jobs = Management::new(&fleet)?.all(&format!("/jobs?runId={run}")).await?;
    if jobs.is_empty() {
        bail!("there is no job of {run}: is it another server's, or too long ago?");
    }
    shown(&fleet, jobs.into(), |answer| {
        let jobs: Vec<Job> = read(answer)?;
        let mut counts = BTreeMap::<String, usize>::new();
        let rows: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                let state = job.conclusion.unwrap_or(job.state);
                *counts.entry(state.clone()).or_default() += 1;
                [job.id, state, job.attempts_ended.to_string(), terminal::ago(&job.submitted_at_utc)]
            })
            .collect();
        table::list(["job", "state", "attempts", "submitted"], rows);
        let counts: Vec<_> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
        terminal::print(counts.join(", "));
        Ok(())
    })
}
