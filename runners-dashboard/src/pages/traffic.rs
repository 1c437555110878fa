//! What a page asked for and what its console said, as an attempt has left it: a HAR and a list of
//! console entries, read here and shown without script. What stands in them is somebody else's text.

use super::film::FILM;
use crate::{
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    parts::{empty, pill, table},
    visitor::Visitor,
    words,
};
use axum::{extract::Path, response::Response};
use futures::StreamExt as _;
use maud::{Markup, html};
use runners_core::{
    JobId,
    protocol::{ArtifactView, JobView},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// The names under which attempts leave them.
pub(super) const REQUESTS: &str = "network.har";
pub(super) const CONSOLE: &str = "console.json";

/// The largest one that is read.
const BYTES_MAX: u64 = 32 << 20;

/// How many rows a page has.
const ROWS: usize = 200;

/// The longest text of a row, in characters.
const TEXT_CHARACTERS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
pub(super) struct Har {
    pub(super) log: Log,
}

#[derive(Debug, Deserialize)]
pub(super) struct Log {
    #[serde(default)]
    pub(super) entries: Vec<Entry>,
    #[serde(default)]
    comment: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    /// How long it took, in milliseconds.
    #[serde(default)]
    time: f64,
    pub(super) request: Asked,
    response: Answer,
    /// How many milliseconds after the flow it began.
    #[serde(rename = "_at_ms", default)]
    pub(super) at_ms: u64,
    #[serde(rename = "_resourceType", default)]
    kind: String,
    #[serde(rename = "_step")]
    step: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// The code of the answer; none if nothing came.
    #[serde(rename = "status", default)]
    code: i64,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    body_size: i64,
    #[serde(rename = "_error", default)]
    error: String,
}

/// A request as a film tells it that goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    pub(super) at_ms: u64,
    pub(super) method: String,
    pub(super) url: String,
    /// Nothing, until it was answered.
    status: Option<i64>,
    #[serde(default)]
    error: String,
    /// Nothing, while it is under way.
    took_ms: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    mime_type: String,
    size: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Console {
    #[serde(default)]
    pub(super) entries: Vec<Said>,
    #[serde(default)]
    left_out: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    pub(super) at_ms: u64,
    #[serde(default)]
    pub(super) level: String,
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    line: Option<u64>,
    step: Option<u64>,
}

/// Leads to what there is of both, for the page of a job.
pub(crate) fn links(visitor: &Visitor, view: &JobView) -> Markup {
    let has = |name: &str| view.artifacts.iter().any(|artifact| artifact.name == name);
    let to = |what: &str| visitor.place.to(format_args!("jobs/{}/{what}", view.job));
    html! {
        @if has(REQUESTS) || has(CONSOLE) || has(FILM) {
            p.buttons {
                @if has(FILM) { a.button href=(to("film")) { "Film" } }
                @if has(REQUESTS) { a.button href=(to("requests")) { "Requests" } }
                @if has(CONSOLE) { a.button href=(to("console")) { "Console" } }
            }
        }
    }
}

/// What the page asked for.
pub(crate) async fn requests(
    visitor: Visitor,
    Path(job): Path<JobId>,
    form: Form,
) -> Result<Response, Failure> {
    let (artifact, view) = left(&visitor, job, REQUESTS, &form).await?;
    let Har { log } = read(&visitor, &artifact).await?;
    let all = log.entries.len();
    let begins = first_row(&form, all)?;
    let shown = &log.entries[begins..(begins + ROWS).min(all)];
    let whole = log.entries.iter().map(Entry::ends_at).fold(1.0, f64::max);
    let body = html! {
        (head(&visitor, &view, &artifact, "Requests").await)
        p.lead {
            (words::count(all as u64, "request")) " within " (words::span(span_of(whole))) "."
            @if !log.comment.is_empty() { " " (cut(&log.comment)) "." }
        }
        @if all == 0 { (empty("The page asked for nothing.")) }
        @else { (table("Requests", &["Method", "Address", "Answer", "Type", "Size", "Took", "When"], &request_rows(shown, whole))) }
        (rows_pager(&visitor, &view, &artifact, "requests", begins, all))
    };
    Ok(Page::new(Section::Queue, "Requests", body).answer(&visitor))
}

/// What its console said.
pub(crate) async fn console(
    visitor: Visitor,
    Path(job): Path<JobId>,
    form: Form,
) -> Result<Response, Failure> {
    let (artifact, view) = left(&visitor, job, CONSOLE, &form).await?;
    let Console { entries, left_out } = read(&visitor, &artifact).await?;
    let all = entries.len();
    let begins = first_row(&form, all)?;
    let shown = &entries[begins..(begins + ROWS).min(all)];
    let body = html! {
        (head(&visitor, &view, &artifact, "Console").await)
        p.lead {
            (words::count(all as u64, "entry").replace("entrys", "entries")) "."
            @if left_out > 0 { " " (words::number(left_out)) " more were left out." }
        }
        @if all == 0 { (empty("It said nothing.")) }
        @else { (table("Console", &["When", "Level", "Text", "Step"], &said_rows(shown))) }
        (rows_pager(&visitor, &view, &artifact, "console", begins, all))
    };
    Ok(Page::new(Section::Queue, "Console", body).answer(&visitor))
}

impl Entry {
    fn ends_at(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a flow are few")]
        let at = self.at_ms as f64;
        at + self.took()
    }

    fn took(&self) -> f64 {
        if self.time.is_finite() { self.time.max(0.0) } else { 0.0 }
    }

    pub(super) fn answer(&self) -> (words::Tone, String) {
        answer_of(self.response.code)
    }

    /// Why it went wrong, or how long it took.
    pub(super) fn ending(&self) -> String {
        ending(&self.response.error, self.took())
    }
}

impl Asking {
    pub(super) fn answer(&self) -> (words::Tone, String) {
        match self.took_ms {
            None => ("running", "under way".to_owned()),
            Some(_) => answer_of(self.status.unwrap_or_default()),
        }
    }

    /// Why it went wrong, or how long it took if it has ended.
    pub(super) fn ending(&self) -> String {
        self.took_ms.map(|took| ending(&self.error, took)).unwrap_or_default()
    }
}

fn answer_of(code: i64) -> (words::Tone, String) {
    match code {
        code @ 100..400 => ("passed", code.to_string()),
        code @ 400..500 => ("flaky", code.to_string()),
        code @ 500..600 => ("failed", code.to_string()),
        _ => ("failed", "none".to_owned()),
    }
}

fn ending(error: &str, took: f64) -> String {
    if error.is_empty() { words::span(span_of(took)) } else { cut(error) }
}

/// A span of milliseconds that somebody else has told.
fn span_of(millis: f64) -> Duration {
    Duration::from_secs_f64((millis / 1000.0).clamp(0.0, 1e6))
}

fn request_rows(entries: &[Entry], whole: f64) -> Markup {
    html! {
        @for entry in entries {
            @let (tone, answer) = entry.answer();
            @let media = entry.response.content.mime_type.split(';').next().unwrap_or_default();
            @let size = u64::try_from(entry.response.content.size.max(entry.response.body_size)).unwrap_or_default();
            tr {
                td data-label="Method" { (cut(&entry.request.method)) }
                td.wide data-label="" {
                    span.break title=(entry.request.url.chars().take(4 * TEXT_CHARACTERS_MAX).collect::<String>()) { (cut(&entry.request.url)) }
                    @if !entry.response.error.is_empty() { " " span.flaky-text { (cut(&entry.response.error)) } }
                }
                td data-label="Answer" { (pill((tone, &answer))) }
                td.faint data-label="Type" { @if media.is_empty() { (cut(&entry.kind)) } @else { (cut(media)) } }
                td.time.figure data-label="Size" { (words::size(size)) }
                td.time.figure data-label="Took" { (words::span(span_of(entry.took()))) }
                td.waterfall data-label="" {
                    (bar(entry, whole, tone))
                    @if let Some(step) = entry.step { span.unseen { "during step " (step) } }
                }
            }
        }
    }
}

/// When a request was under way, among all of them.
fn bar(entry: &Entry, whole: f64, tone: words::Tone) -> Markup {
    let share = |span: f64| (span / whole * 100.0).clamp(0.0, 100.0);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a flow are few")]
    let begins = share(entry.at_ms as f64);
    let width = share(entry.took()).max(0.6).min(100.0 - begins.min(99.4));
    html! {
        svg class={ "bar " (tone) } viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect x={ (format!("{begins:.2}")) } width={ (format!("{width:.2}")) } height="8" {}
        }
    }
}

fn said_rows(entries: &[Said]) -> Markup {
    html! {
        @for said in entries {
            tr {
                td.time data-label="When" { (words::span(Duration::from_millis(said.at_ms))) }
                td data-label="Level" { (pill((tone_of(&said.level), &cut(&said.level)))) }
                td.wide data-label="" {
                    span.break { (cut(&said.text)) }
                    @if !said.url.is_empty() {
                        " " span.faint.break { (cut(&said.url)) @if let Some(line) = said.line { ":" (line) } }
                    }
                }
                td.told data-label="Step" { @if let Some(step) = said.step { (step) } @else { "–" } }
            }
        }
    }
}

pub(super) fn tone_of(level: &str) -> words::Tone {
    match level {
        "error" => "failed",
        "warning" => "flaky",
        "info" => "running",
        _ => "faint",
    }
}

pub(super) async fn head(visitor: &Visitor, view: &JobView, artifact: &ArtifactView, words: &str) -> Markup {
    let job = visitor.place.to(format_args!("jobs/{}", view.job));
    let title = visitor.management.job(view.job).await.ok().and_then(|line| line.title);
    let called = title.unwrap_or_else(|| view.kind.clone());
    let number = view.attempts.iter().find(|attempt| attempt.grant == artifact.grant);
    html! {
        p.crumbs { a href=(visitor.place.to("queue")) { "Queue" } " / " a href=(job) { (called) } " / " (words.to_lowercase()) }
        div.title {
            h1 { (words) @if let Some(attempt) = number { " of attempt " (attempt.number) } }
            span.actions {
                a.button href=(crate::pages::artifact::address(&visitor.place, view.job, artifact)) { "Download" }
            }
        }
    }
}

fn rows_pager(
    visitor: &Visitor,
    view: &JobView,
    artifact: &ArtifactView,
    what: &str,
    begins: usize,
    all: usize,
) -> Markup {
    let to = |from: usize| {
        visitor.place.to(format_args!("jobs/{}/{what}?grant={}&from={from}", view.job, artifact.grant))
    };
    html! {
        @if all > ROWS {
            nav.pager aria-label="Pages" {
                @if begins > 0 { a.button href=(to(begins.saturating_sub(ROWS))) { "Earlier" } }
                @if begins + ROWS < all { a.button href=(to(begins + ROWS)) { "Later" } }
                span.faint { (begins + 1) " to " ((begins + ROWS).min(all)) " of " (words::number(all as u64)) }
            }
        }
    }
}

/// The artifact of an attempt, of the last one that has left it unless the form says which.
pub(super) async fn left(
    visitor: &Visitor,
    job: JobId,
    name: &str,
    form: &Form,
) -> Result<(ArtifactView, JobView), Failure> {
    let view = visitor.inspect(job).await?;
    let grant: Option<u64> = form.parsed("grant", "number")?;
    let is_it =
        |artifact: &&ArtifactView| artifact.name == name && grant.is_none_or(|grant| artifact.grant == grant);
    let found = view.artifacts.iter().filter(is_it).max_by_key(|artifact| artifact.grant).cloned();
    let missing = || Failure::not_found("No attempt has left this, or it is not kept any more.");
    Ok((found.ok_or_else(missing)?, view))
}

pub(super) async fn read<T: DeserializeOwned>(
    visitor: &Visitor,
    artifact: &ArtifactView,
) -> Result<T, Failure> {
    if artifact.length > BYTES_MAX {
        let limit = words::size(BYTES_MAX);
        return Err(Failure::invalid(format!("It is over {limit}: download it to look at it.")));
    }
    let mut pieces = visitor.management.read_artifact(artifact.digest, None).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| Failure::unavailable())?);
    }
    let malformed = |_| Failure::invalid("It is not what its name says: download it to look at it.");
    serde_json::from_slice(&bytes).map_err(malformed)
}

fn first_row(form: &Form, all: usize) -> Result<usize, Failure> {
    Ok(form.parsed::<usize>("from", "number")?.unwrap_or_default().min(all.saturating_sub(1)))
}

/// A text of somebody else, as much as a row has room for.
pub(super) fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(TEXT_CHARACTERS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
