//! `runners runs`: the jobs that were submitted together.

use super::pools::{done, listed, shown};
use crate::{
    args::{Asked, OneRunArgs, PageArgs, RunsCommand},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    kind: String,
    title: Option<String>,
    state: String,
    conclusion: Option<String>,
    attempts_ended: u32,
    submitted_at_utc: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    title: Option<String>,
    jobs: u32,
    has_more: bool,
    open: u32,
    conclusions: Vec<Count>,
    submitted_at_utc: String,
}

#[derive(Debug, Deserialize)]
struct Count {
    conclusion: String,
    jobs: u32,
}

pub(super) async fn runs(command: RunsCommand) -> Result<Exit> {
    match command {
        RunsCommand::List(arguments) => list(arguments).await,
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

async fn list(Asked { what: PageArgs { limit }, fleet }: Asked<PageArgs>) -> Result<Exit> {
    let management = Management::new(&fleet)?;
    let page = management.get(&format!("/runs?limit={limit}")).await?;
    let table = |mut page: Value| {
        let runs: Vec<Run> = read(page["items"].take())?;
        let rows = runs.into_iter().map(|run| {
            let more = if run.has_more { " or more" } else { "" };
            let ended = run.conclusions.iter().map(|count| format!("{} {}", count.jobs, count.conclusion));
            let open = (run.open > 0).then(|| format!("{} open", run.open));
            let came_to: Vec<_> = ended.chain(open).collect();
            [
                run.id,
                run.title.unwrap_or_default(),
                format!("{}{more}", run.jobs),
                came_to.join(", "),
                terminal::ago(&run.submitted_at_utc),
            ]
        });
        table::list(["run", "begins with", "jobs", "came to", "submitted"], rows);
        if !page["next"].is_null() {
            terminal::note("there are more: raise --limit");
        }
        Ok(())
    };
    listed(&management, &fleet, page, table).await
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
                [
                    job.id,
                    job.title.unwrap_or(job.kind),
                    state,
                    job.attempts_ended.to_string(),
                    terminal::ago(&job.submitted_at_utc),
                ]
            })
            .collect();
        table::list(["job", "what", "state", "attempts", "submitted"], rows);
        let counts: Vec<_> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
        terminal::print(counts.join(", "));
        Ok(())
    })
}
