//! `runners jobs` and `runners signal`: the queue as the management API tells it.

use super::{
    explain,
    pools::{done, listed, shown},
};
use crate::{
    args::{Asked, JobsCommand, ListJobsArgs, OneJobArgs, SignalArgs},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How long one call waits for the answer to a signal.
const WAIT: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    kind: String,
    title: Option<String>,
    pool: String,
    state: String,
    conclusion: Option<String>,
    attempts_ended: u32,
    submitted_at_utc: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobDetail {
    #[serde(flatten)]
    job: Job,
    progress: Option<String>,
    #[serde(default)]
    fault: Option<Fault>,
    attempts: Vec<Attempt>,
    artifacts: Vec<Artifact>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    number: u32,
    runner_id: String,
    outcome: String,
    fault: Option<Fault>,
    started_at_utc: String,
    ended_at_utc: String,
}

#[derive(Debug, Deserialize)]
struct Fault {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    name: String,
    length: u64,
}

pub(super) async fn jobs(command: JobsCommand) -> Result<Exit> {
    match command {
        JobsCommand::List(arguments) => list(arguments).await,
        JobsCommand::Inspect(arguments) => inspect(arguments).await,
        JobsCommand::Explain(arguments) => explain::explain(arguments).await,
        JobsCommand::Cancel(Asked { what: OneJobArgs { job }, fleet }) => {
            let cancelled = Management::new(&fleet)?.post(&format!("/jobs/{job}/cancel"), None).await?;
            let told = cancelled["jobs"].as_u64().is_some_and(|jobs| jobs > 0);
            let what = if told { "is told to stop" } else { "had ended before" };
            done(&fleet, &cancelled, &format!("{job} {what}"))
        }
        JobsCommand::Retry(Asked { what: OneJobArgs { job }, fleet }) => {
            let queued = Management::new(&fleet)?.post(&format!("/jobs/{job}/retry"), None).await?;
            let again = queued["id"].as_str().unwrap_or_default().to_owned();
            done(&fleet, &queued, &format!("{job} is queued again as {again}"))
        }
    }
}

async fn list(arguments: Asked<ListJobsArgs>) -> Result<Exit> {
    let run = arguments.run.map(|run| run.to_string());
    let limit = (!arguments.all).then(|| arguments.limit.to_string());
    let filters = [
        ("state", &arguments.state),
        ("conclusion", &arguments.conclusion),
        ("pool", &arguments.pool),
        ("kind", &arguments.kind),
        ("runId", &run),
        ("limit", &limit),
        ("after", &arguments.after),
    ];
    let query = filters.into_iter().filter_map(|(name, value)| {
        value.as_ref().map(|value| format!("{name}={}", super::pools::segment(value)))
    });
    let query = query.collect::<Vec<_>>().join("&");
    let path = if query.is_empty() { "/jobs".to_owned() } else { format!("/jobs?{query}") };
    let management = Management::new(&arguments.fleet)?;
    let page = match arguments.all {
        true => json!({ "items": management.all(&path).await?, "next": null }),
        false => management.get(&path).await?,
    };
    let table = |mut page: Value| {
        let jobs: Vec<Job> = read(page["items"].take())?;
        let rows = jobs.into_iter().map(|job| {
            let state = job.conclusion.unwrap_or(job.state);
            [
                job.id,
                job.title.unwrap_or(job.kind),
                job.pool,
                state,
                job.attempts_ended.to_string(),
                terminal::ago(&job.submitted_at_utc),
            ]
        });
        table::list(["job", "what", "pool", "state", "attempts", "submitted"], rows);
        if let Some(next) = page["next"].as_str() {
            terminal::note(format!("there may be more: go on with --after {next}, or list them with --all"));
        }
        Ok(())
    };
    listed(&management, &arguments.fleet, page, table).await
}

async fn inspect(Asked { what: OneJobArgs { job }, fleet }: Asked<OneJobArgs>) -> Result<Exit> {
    let answer = Management::new(&fleet)?.get(&format!("/jobs/{job}")).await?;
    shown(&fleet, answer, |answer| {
        let JobDetail { job, progress, fault, attempts, artifacts } = read(answer)?;
        let state = job.conclusion.unwrap_or(job.state);
        let title = job.title.map(|title| format!(" {title:?}")).unwrap_or_default();
        terminal::print(format!("{} is {state}: {}{title} in {}", job.id, job.kind, job.pool));
        terminal::print(format!("submitted {}", job.submitted_at_utc));
        progress.into_iter().chain(fault.map(|fault| fault.message)).for_each(terminal::print);
        let rows = attempts.into_iter().map(|attempt| {
            let fault = attempt.fault.map(|fault| fault.message).unwrap_or_default();
            let took = terminal::between(&attempt.started_at_utc, &attempt.ended_at_utc);
            let started = terminal::ago(&attempt.started_at_utc);
            [attempt.number.to_string(), attempt.outcome, started, took, attempt.runner_id, fault]
        });
        table::list(["attempt", "outcome", "started", "took", "runner", "fault"], rows);
        if !artifacts.is_empty() {
            let rows = artifacts.into_iter().map(|artifact| [artifact.name, artifact.length.to_string()]);
            table::list(["artifact", "bytes"], rows);
        }
        Ok(())
    })
}

pub(super) async fn signal(arguments: Asked<SignalArgs>) -> Result<Exit> {
    let payload: Value = serde_json::from_str(&arguments.payload)
        .with_context(|| format!("the command {:?} is not JSON", arguments.payload))?;
    let management = Management::new(&arguments.fleet)?;
    let within = u64::try_from(arguments.within.0.as_millis()).unwrap_or(u64::MAX);
    let mut asked = json!({ "kind": arguments.kind, "payload": payload, "expiresInMs": within });
    if arguments.to.starts_with("job_") {
        asked["jobId"] = arguments.to.as_str().into();
    } else {
        asked["runnerId"] = management.runner(&arguments.to).await?.into();
    }
    let sent = management.post("/signals", Some(asked)).await?;
    let signal = sent["id"].as_str().context("the server has answered without an id")?;
    let clock = SystemClock::default();
    let give_up_at = clock.boot() + arguments.within.0;
    loop {
        let wait = give_up_at.since(clock.boot()).min(WAIT).as_millis();
        let answer = management.get(&format!("/signals/{signal}?waitMs={wait}")).await?;
        match answer["state"].as_str() {
            Some("answered") if arguments.fleet.json => {
                terminal::print_json(&answer);
                return Ok(Exit::Passed);
            }
            Some("answered") => {
                terminal::print(format!("{:#}", answer["result"]));
                return Ok(Exit::Passed);
            }
            Some("faulted") => {
                bail!("{}", answer["message"].as_str().unwrap_or("it was answered with trouble"))
            }
            Some("waiting") if wait > 0 => {}
            _ => bail!("{} has not answered within {}", arguments.to, arguments.within),
        }
    }
}
