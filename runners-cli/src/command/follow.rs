//! Sees one submitted flow through: shows how far it is, and fetches what it left.

use super::waiting::Waiting;
use crate::{
    connection::Connection,
    documents::Document,
    output::OutputDirectory,
    progress::Line,
    report::{FlowReport, millis},
    terminal,
};
use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore as _, Conclusion, Followed, JobHandle, TenantId,
    protocol::{ArtifactView, AttemptView, JobView, Refused, StateView},
    report::AttemptReport,
};
use runners_exec_webdriver::{CutShort, FlowResult};

/// A flow that was submitted.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) document: Document,
    pub(super) handle: Result<JobHandle<FlowResult>, Refused>,
    pub(super) line: Line,
}

/// Waits for the end of a flow and reports it. Trouble becomes a part of the report.
pub(super) async fn follow(
    connection: &Connection,
    submitted: Submitted,
    output: &OutputDirectory,
) -> FlowReport {
    let Submitted { document, handle, line } = submitted;
    let mut report = FlowReport {
        name: document.name,
        file: document.path,
        title: document.flow.flow().title.clone(),
        conclusion: Conclusion::Errored,
        duration_ms: 0,
        job: handle.as_ref().ok().map(JobHandle::id),
        attempts: None,
        tries: Vec::new(),
        failure: None,
        steps: Vec::new(),
        page_errors: Vec::new(),
        artifacts: Vec::new(),
        missing: Vec::new(),
    };
    let followed = match handle {
        Ok(handle) => follow_job(connection, &handle, &line, output, &mut report).await,
        Err(refused) => Err(refused.into()),
    };
    if let Err(error) = followed {
        report.failure = Some(terminal::chain(&error));
    }
    line.end(report.conclusion, report.duration());
    report
}

async fn follow_job(
    connection: &Connection,
    handle: &JobHandle<FlowResult>,
    line: &Line,
    output: &OutputDirectory,
    report: &mut FlowReport,
) -> Result<()> {
    let handle: JobHandle<FlowResult> = connection.patient.job(handle.id());
    let mut events = std::pin::pin!(handle.follow());
    let mut waiting = Waiting::new(connection, handle.id());
    loop {
        let event = tokio::select! {
            event = events.try_next() => event.map_err(|error| connection.explain(error))?,
            advice = waiting.advised() => {
                line.say(format!("waiting for a runner: {advice}"));
                continue;
            }
        };
        let Some(event) = event else { break };
        match event {
            Followed::State(state) => {
                waiting.take(&state);
                if let Some(text) = words(&state) {
                    line.say(text);
                }
            }
            Followed::Progress(text) => line.say(text),
            _ => {}
        }
    }
    let view = handle.wait().await.map_err(|error| connection.explain(error))?;
    report.conclusion = view.conclusion().unwrap_or(Conclusion::Errored);
    report.attempts = Some(view.attempts.len());
    report.tries = view.attempts.iter().map(tried).collect();
    if let Some(last) = view.attempts.last() {
        report.duration_ms = millis(last.ended_at.since(last.started_at));
        report.missing =
            last.missing.iter().map(|name| format!("{name}: the runner could not keep it")).collect();
    }
    fetch(connection, &view, line, output, report).await;
    match report.conclusion {
        Conclusion::Passed | Conclusion::Flaky | Conclusion::Failed => {
            let result = handle.result().await.map_err(|error| connection.explain(error))?;
            report.take(result);
        }
        conclusion => {
            if let Some(bytes) = cut_short(&view, output, &report.name) {
                report.take_cut_short(&bytes);
            }
            let fault = view.fault().map(|fault| fault.message.clone());
            let advice = waiting.advice().filter(|_| conclusion == Conclusion::Expired);
            let stopped = || match (report.cut_short(), advice) {
                (Some(step), _) => format!("{}; {step}", why(conclusion)),
                (None, Some(advice)) => format!("{}: {advice}", why(conclusion)),
                (None, None) => why(conclusion).to_owned(),
            };
            report.failure = Some(fault.unwrap_or_else(stopped));
        }
    }
    Ok(())
}

/// How far the last attempt got, if it told and that was fetched.
fn cut_short(view: &JobView, output: &OutputDirectory, flow: &str) -> Option<Vec<u8>> {
    let last = view.attempts.last()?.grant;
    let told =
        view.artifacts.iter().any(|artifact| artifact.grant == last && artifact.name == CutShort::ARTIFACT);
    told.then(|| output.read(flow, CutShort::ARTIFACT).ok()).flatten()
}

fn tried(attempt: &AttemptView) -> AttemptReport {
    let duration = attempt.ended_at.since(attempt.started_at);
    AttemptReport::new(attempt.number, attempt.outcome.clone(), duration)
}

/// Fetches what the attempts left. The last one's is in the flow's directory, that of earlier ones
/// in a directory of their number below it.
async fn fetch(
    connection: &Connection,
    view: &JobView,
    line: &Line,
    output: &OutputDirectory,
    report: &mut FlowReport,
) {
    let last = view.attempts.last().map(|attempt| attempt.grant);
    for (index, artifact) in view.artifacts.iter().enumerate() {
        line.say(format!("fetching artifact {}/{}", index + 1, view.artifacts.len()));
        let earlier = view.attempts.iter().find(|one| one.grant == artifact.grant && Some(one.grant) != last);
        let part = earlier.map(|attempt| format!("attempt-{}", attempt.number));
        let fetched = fetch_one(connection, artifact, part.as_deref(), output, &report.name).await;
        match fetched {
            Ok(artifact) => report.artifacts.push(artifact),
            Err(error) => report.missing.push(format!("{}: {}", artifact.name, terminal::chain(&error))),
        }
    }
}

async fn fetch_one(
    connection: &Connection,
    artifact: &ArtifactView,
    part: Option<&str>,
    output: &OutputDirectory,
    flow: &str,
) -> Result<crate::report::ArtifactReport> {
    // The token says whose artifacts they are; the tenant in the key is not looked at.
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: artifact.digest };
    let fetched = connection.artifacts.get(key, None).await;
    let told = match &fetched {
        Err(ArtifactError::Missing(_)) => {
            "could not be fetched: it may be at another server on the same database, see --artifacts of `runners server`"
        }
        _ => "could not be fetched",
    };
    let bytes = fetched.context(told)?;
    output.write(flow, part, &artifact.name, &artifact.media_type, bytes).await
}

/// How a job is, until its runner tells more.
fn words(state: &StateView) -> Option<String> {
    match state {
        StateView::Scheduled { ready_at } => Some(format!("waiting until {ready_at}")),
        StateView::Blocked { on } => {
            Some(format!("waiting for {}", terminal::count(*on as usize, "other job")))
        }
        StateView::Ready { .. } => Some("waiting for a runner".to_owned()),
        StateView::Offered { .. } => Some("offered to a runner".to_owned()),
        StateView::Running { cancelling: true, .. } => Some("cancelling".to_owned()),
        StateView::Running { attempt: 1, .. } => Some("running".to_owned()),
        StateView::Running { attempt, .. } => Some(format!("running, attempt {attempt}")),
        _ => None,
    }
}

const fn why(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::TimedOut => "it took longer than --timeout allows",
        Conclusion::Cancelled => "it was cancelled",
        Conclusion::Expired => "no runner took it in time",
        _ => "it ended without a verdict",
    }
}
