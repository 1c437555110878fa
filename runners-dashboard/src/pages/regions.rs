//! Runs over regions: their list, and each as a matrix of its checks by region, with what they left.

mod left;

pub(crate) use left::artifact;

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section},
    pages::{follows_from, paging},
    parts::{ago, confirmed, empty, facts, pager, pill, table},
    visitor::Visitor,
    words::{self, Tone},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};
use runners_core::{
    Conclusion, Timestamp,
    orchestration::{
        OrchestratorClient, OrchestratorError, RegionJob, RegionResult, ResultState, RunFilter, RunLine,
        RunState, RunSummary,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// What stands for the region of a job that runs in this process.
const HERE: &str = "here";

/// The results of one check of one page, by region.
type Row<'s> = BTreeMap<&'s str, (&'s RegionJob, Option<&'s RegionResult>)>;

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = client(&site, &visitor)?.list(&RunFilter::default(), &paging).await?;
    let heads = ["Run", "State", "Jobs", "Submitted", "Tags"];
    let body = html! {
        h1 { "Runs over regions" }
        div #list data-part {
            @if page.items.is_empty() && page.next.is_none() { (empty("No run was asked for yet.")) }
            @else { (table("Runs over regions", &heads, &html! { @for line in &page.items { (row(&visitor, now, line)) } })) }
            (pager(&visitor.place, "regions", &paging, page.next.as_ref()))
        }
    };
    Ok(Page::new(Section::Regions, "Runs over regions", body).follows(follows_from(now)).answer(&visitor))
}

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    let now = site.now();
    let summary = client(&site, &visitor)?.partial_results(&run).await?;
    let counts = summary.summary;
    let is_ended = summary.state.is_ended();
    let path = format!("regions/{}/cancel", encoded(&run));
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("regions")) { "Runs over regions" } " / run" }
            div.title {
                h1.break { (run) }
                (pill(state(summary.state, summary.conclusion)))
                span.actions {
                    @if visitor.may.submit && !is_ended {
                        (confirmed(&visitor, &path, "Cancel", "Calls that are under way are told to stop.", &html! {}))
                    }
                }
            }
            (facts(&[
                ("Checks", html! { (counts.total) }),
                ("Passed", html! { (counts.passed) }),
                ("Failed", html! { (counts.failed) }),
                ("Without a verdict", html! { (counts.errored) }),
                ("Submitted", ago(now, summary.created_at)),
                ("Took", html! { @match summary.duration_ms { Some(millis) => { (took(millis)) } None => { "–" } } }),
            ]))
        }
        section #matrix data-part aria-labelledby="matrix-title" {
            h2 #matrix-title { "Checks by region" }
            (matrix(&summary))
        }
        div #trouble data-part { (trouble(&summary)) }
        div #left data-part { (left::show(&visitor.place, &run, &summary)) }
    };
    let page = Page::new(Section::Regions, run, body);
    let page = if is_ended { page } else { page.follows(follows_from(now)) };
    Ok(page.answer(&visitor))
}

pub(crate) async fn cancel(
    State(site): State<Site>,
    visitor: Visitor,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    if !visitor.may.submit {
        return Err(Failure::forbidden("This takes an API credential with the scope \"submit\"."));
    }
    client(&site, &visitor)?.cancel(&run).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("regions/{}", encoded(&run)))))
}

/// The orchestrator, for somebody who may read.
fn client(site: &Site, visitor: &Visitor) -> Result<OrchestratorClient, Failure> {
    // It asks for the scope, and whether the tenant is suspended.
    visitor.management.rollout()?;
    let none = || Failure::not_found("There is no orchestrator here.");
    Ok(site.orchestrator.as_ref().ok_or_else(none)?.client(visitor.management.tenant()))
}

fn row(visitor: &Visitor, now: Timestamp, line: &RunLine) -> Markup {
    let RunLine { progress, tags, .. } = line;
    html! {
        tr {
            td data-label="Run" { a.break href=(visitor.place.to(format_args!("regions/{}", encoded(&progress.run_id)))) { (progress.run_id) } }
            td data-label="State" { (pill(state(progress.state, progress.conclusion))) }
            td.time.told.figure data-label="Jobs" {
                (progress.completed_jobs + progress.failed_jobs) " of " (progress.total_jobs)
                @if progress.failed_jobs > 0 { span.faint { ", " (progress.failed_jobs) " failed" } }
            }
            td.time data-label="Submitted" { (ago(now, progress.created_at)) }
            td data-label="Tags" { ul.tags { @for tag in tags { li { (tag) } } } }
        }
    }
}

fn matrix(summary: &RunSummary) -> Markup {
    let mut regions: Vec<&str> = summary.jobs.iter().map(region).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut rows: BTreeMap<(&str, &str), Row<'_>> = BTreeMap::new();
    for job in &summary.jobs {
        for (at, check) in job.runners.iter().enumerate() {
            let row = rows.entry((job.url.as_str(), check.as_str())).or_default();
            row.insert(region(job), (job, job.results.get(at)));
        }
    }
    let heads: Vec<&str> = ["Check", "Page"].into_iter().chain(regions.iter().copied()).collect();
    table(
        "Checks by region",
        &heads,
        &html! {
            @for ((url, check), row) in &rows {
                tr {
                    td data-label="Check" { b { (check) } }
                    td.page data-label="Page" { (url) }
                    @for region in &regions {
                        td.told data-label=(region) { @match row.get(region) { Some((job, result)) => { (cell(job, *result)) } None => { "–" } } }
                    }
                }
            }
        },
    )
}

fn cell(job: &RegionJob, result: Option<&RegionResult>) -> Markup {
    let Some(result) = result else { return pill(state(job.state, None)) };
    let shown: (Tone, &str) = match result.state {
        ResultState::Pass => ("passed", "passed"),
        ResultState::Fail => ("failed", "failed"),
        ResultState::Error => ("errored", "errored"),
    };
    html! {
        span title=[by_whom(result)] { (pill(shown)) }
        @if let Some(millis) = result.duration_ms.as_ref().and_then(serde_json::Number::as_f64) {
            " " span.span { (took(millis as u64)) }
        }
        @if let Some(message) = &result.error_message { p.faint { (message) } }
    }
}

/// Which browser and runner carried a check out, as far as its region says.
fn by_whom(result: &RegionResult) -> Option<String> {
    let both = [result.engine.as_deref(), result.runner.as_deref()];
    let told: Vec<&str> = both.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// What regions did not answer as they should, and what was odd.
fn trouble(summary: &RunSummary) -> Markup {
    let jobs = summary.jobs.iter().filter(|job| job.error.is_some() || !job.notes.is_empty());
    let jobs: Vec<&RegionJob> = jobs.collect();
    html! {
        @if !jobs.is_empty() {
            section aria-labelledby="trouble-title" {
                h2 #trouble-title { "What regions did not answer as they should" }
                @for job in jobs {
                    p.reason.errored {
                        b { (region(job)) } " " (job.url) "\n"
                        @if let Some(error) = &job.error { (error) }
                        @for note in &job.notes { "\n" (note) }
                    }
                }
            }
        }
    }
}

fn region(job: &RegionJob) -> &str {
    job.region.as_deref().unwrap_or(HERE)
}

fn state(state: RunState, conclusion: Option<Conclusion>) -> (Tone, &'static str) {
    match (conclusion, state) {
        (Some(conclusion), _) => words::conclusion(conclusion),
        (None, RunState::Queued) => ("waiting", "queued"),
        (None, RunState::Running) => ("running", "running"),
        (None, RunState::Completed) => ("passed", "completed"),
        (None, RunState::Failed) => ("failed", "failed"),
        (None, RunState::TimedOut) => ("failed", "timed out"),
    }
}

fn took(millis: u64) -> String {
    words::span(Duration::from_millis(millis))
}

/// The name of a run as it stands in an address: whoever asks for one chooses it.
fn encoded(run: &str) -> String {
    super::artifact::encoded(run, false)
}

impl From<OrchestratorError> for Failure {
    fn from(error: OrchestratorError) -> Self {
        match error {
            OrchestratorError::Refused(refused) => refused.into(),
            OrchestratorError::NotFound { .. } => Self::not_found(format!("There is no such run: {error}.")),
            OrchestratorError::Unfinished { .. } | OrchestratorError::Taken { .. } => {
                Self::new(StatusCode::CONFLICT, "Not possible now", error.to_string())
            }
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "orchestrator did not answer");
                Self::unavailable()
            }
        }
    }
}
