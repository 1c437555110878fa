//! `runners submit`: flows become the jobs of a run, and with `--wait` are seen through.

use super::{
    baselines, conclude,
    follow::{Submitted, follow},
    scheduled::scheduled,
};
use crate::{
    args::{QueueArgs, SubmitArgs},
    connection::Connection,
    documents::{self, Choices, Document, Findings},
    exit::Exit,
    interrupts::Interrupts,
    output::OutputDirectory,
    progress::Progress,
    report::{FlowReport, Report},
    terminal,
};
use anyhow::Result;
use futures::{StreamExt as _, future::join_all, stream};
use runners_core::{
    Clock as _, JobHandle, JobId, JobOptions, RunId, SystemClock,
    protocol::{Refused, RunSpec},
};
use runners_exec_webdriver::FlowResult;
use serde_json::json;

/// How many jobs are followed at once; each asks twice a second. Others are followed after them.
const FOLLOWED_MAX: usize = 64;

pub(super) async fn execute(arguments: SubmitArgs) -> Result<Exit> {
    let choices = Choices { parameters: arguments.parameters.by_name(), ..Choices::default() };
    match documents::read_all(&arguments.flows, &choices) {
        Some(documents) => carry_out(&arguments.queue, documents).await,
        None => Ok(Exit::CouldNotRun),
    }
}

/// Queues what was found elsewhere than in files.
pub(super) async fn queue(arguments: &QueueArgs, findings: Vec<Findings>) -> Result<Exit> {
    match documents::named(findings) {
        Some(documents) => carry_out(arguments, documents).await,
        None => Ok(Exit::CouldNotRun),
    }
}

async fn carry_out(arguments: &QueueArgs, documents: Vec<Document>) -> Result<Exit> {
    let retry = arguments.retry.policy()?;
    let documents = baselines::give(arguments, documents)?;
    let connection = Connection::signing(&arguments.api, &arguments.sign)?;
    let now = SystemClock::default().wall();
    let mut interrupts = Interrupts::listen()?;
    let output = if arguments.wait { Some(OutputDirectory::open(&arguments.output.output)?) } else { None };
    let options = JobOptions {
        pool: arguments.pool.clone(),
        environment: arguments.environment.clone(),
        wanted: arguments.labels.iter().cloned().collect(),
        timeout: arguments.timeout,
        retry,
        capture: arguments.capture.iter().map(|what| what.word().to_owned()).collect(),
        audience: arguments.sign.audience.iter().cloned().collect(),
        not_after: arguments.sign.good_for.map(|span| now + span.0),
        ..JobOptions::default()
    };
    let whom = (&connection, &arguments.api);
    let (options, run) = scheduled(&arguments.schedule, whom, options, documents.len(), now).await?;
    let run = run.unwrap_or_else(|| connection.client.new_run());
    let jobs: Vec<_> = documents
        .iter()
        .map(|document| {
            let secrets = document.flow.secrets();
            let title = JobOptions::title_of(&document.flow.flow().title);
            let title = title.or_else(|| JobOptions::title_of(&document.name));
            (document.flow.clone(), JobOptions { secrets, title, ..options.clone() })
        })
        .collect();
    let submitting = connection.client.submit_run(RunSpec { run, timeout: None }, &jobs);
    let handles = tokio::select! {
        handles = submitting => handles.map_err(|error| connection.explain(error))?,
        () = interrupts.next() => return Ok(Exit::CouldNotRun),
    };
    drop(jobs);
    let submitted: Vec<_> = documents.into_iter().zip(handles).collect();
    match output {
        Some(output) => see_through(arguments, &connection, interrupts, run, submitted, &output).await,
        None => Ok(tell(arguments, run, &submitted)),
    }
}

type Handled = (Document, Result<JobHandle<FlowResult>, Refused>);

/// Says what was queued, for those who do not wait.
fn tell(arguments: &QueueArgs, run: RunId, submitted: &[Handled]) -> Exit {
    if arguments.output.json {
        let jobs: Vec<_> = submitted
            .iter()
            .map(|(document, handle)| match handle {
                Ok(handle) => json!({ "name": document.name, "file": document.path, "job": handle.id() }),
                Err(refused) => {
                    json!({ "name": document.name, "file": document.path, "refused": refused.to_string() })
                }
            })
            .collect();
        terminal::print_json(&json!({ "version": 1, "run": run, "jobs": jobs }));
    }
    let mut exit = Exit::Passed;
    for (document, handle) in submitted {
        match handle {
            Ok(handle) if !arguments.output.json => {
                terminal::print(format!("{}  {}", handle.id(), document.path.display()));
            }
            Ok(_) => {}
            Err(refused) => {
                exit = Exit::CouldNotRun;
                let error = terminal::error_style().apply_to("error:");
                terminal::note(format!("{error} {}: {refused}", document.path.display()));
            }
        }
    }
    exit
}

async fn see_through(
    arguments: &QueueArgs,
    connection: &Connection,
    mut interrupts: Interrupts,
    run: RunId,
    submitted: Vec<Handled>,
    output: &OutputDirectory,
) -> Result<Exit> {
    let clock = SystemClock::default();
    let started_at = clock.wall();
    let progress =
        Progress::new(submitted.iter().map(|(document, _)| &*document.name), arguments.output.json);
    let queued: Vec<_> = submitted.iter().filter_map(|(_, handle)| handle.as_ref().ok()).collect();
    let queued: Vec<JobId> = queued.into_iter().map(JobHandle::id).collect();
    let lines = submitted.into_iter().map(|(document, handle)| {
        let line = progress.line(&document.name);
        line.say("queued");
        Submitted { document, handle, line }
    });
    let lines: Vec<_> = lines.collect();
    let following = stream::iter(lines).map(|submitted| follow(connection, submitted, output));
    let mut following = std::pin::pin!(following.buffered(FOLLOWED_MAX).collect::<Vec<FlowReport>>());
    let flows = tokio::select! {
        flows = &mut following => flows,
        () = interrupts.next() => {
            progress.note("cancelling what was submitted; once more leaves it running and ends");
            let cancelled = async {
                let cancelled = if arguments.schedule.after.is_empty() {
                    connection.client.cancel_run(run).await.map(drop)
                } else {
                    // Others have jobs in that run too.
                    let cancelled = queued.iter().map(|job| connection.client.cancel(*job));
                    join_all(cancelled).await.into_iter().try_for_each(|told| told.map(drop))
                };
                cancelled.map_err(|error| connection.explain(error))?;
                anyhow::Ok((&mut following).await)
            };
            tokio::select! {
                flows = cancelled => flows?,
                () = interrupts.next() => return Ok(Exit::CouldNotRun),
            }
        }
    };
    progress.finish();
    let report = Report::new(started_at, clock.wall(), flows);
    baselines::keep(arguments, &report, output)?;
    conclude(&report, output, &arguments.output)
}
