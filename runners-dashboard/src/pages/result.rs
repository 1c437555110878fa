//! What a job came to. A result is whatever its command says; one that has steps, as those of flows
//! have, is shown step by step, one of a container as its program ended, and any other as it stands.

mod container;

use crate::{
    visitor::Visitor,
    words::{self, Tone},
};
use maud::{Markup, html};
use runners_core::{
    JobId,
    protocol::{ArtifactView, JobView},
};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The largest number of steps that are shown.
const STEPS_MAX: usize = 1_000;

/// The longest result that is shown as it stands, in characters.
const TEXT_CHARACTERS_MAX: usize = 20_000;

/// What the page wants of a result with steps. Everything else in it is left alone.
#[derive(Debug, Deserialize)]
struct Steps {
    #[serde(default)]
    title: String,
    steps: Vec<Step>,
    #[serde(default)]
    page_errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Step {
    description: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    duration_ms: u64,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    artifacts: Vec<String>,
}

/// The result of a job, if it has one that can be shown.
pub(crate) fn show(visitor: &Visitor, view: &JobView, bytes: Option<&[u8]>) -> Markup {
    let Some(bytes) = bytes else { return html! {} };
    match serde_json::from_slice::<Steps>(bytes) {
        Ok(result) if !result.steps.is_empty() => steps(visitor, view, &result),
        _ => container::show(bytes).unwrap_or_else(|| plain(bytes)),
    }
}

fn steps(visitor: &Visitor, view: &JobView, result: &Steps) -> Markup {
    let total: u64 = result.steps.iter().map(|step| step.duration_ms).sum();
    let mut begins = 0;
    let shown = result.steps.iter().take(STEPS_MAX).map(|step| {
        let from = begins;
        begins += step.duration_ms;
        (step, percent(from, total), percent(step.duration_ms, total).max(0.4))
    });
    let shown: Vec<_> = shown.collect();
    html! {
        section aria-labelledby="steps-title" {
            h2 #steps-title { "Steps" @if !result.title.is_empty() { " of " q { (result.title) } } }
            ol.steps {
                @for (at, (step, from, share)) in shown.iter().enumerate() {
                    @let tone = tone(&step.state);
                    li class=(tone) {
                        span.number { (at + 1) }
                        span.what { (step.description) }
                        span.span {
                            @if tone != "passed" { b.word { (step.state.replace('_', " ")) } " " }
                            @if step.state != "not_run" { (words::span(Duration::from_millis(step.duration_ms))) }
                            @if step.retries > 0 { ", " (words::count(u64::from(step.retries), "retry")) }
                        }
                        svg.bar viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" {
                            rect x={ (format!("{from:.2}")) } width={ (format!("{share:.2}")) } height="1" {}
                        }
                        @if let Some(reason) = &step.reason { p.reason { (reason) } }
                        (pictures(visitor, view.job, &left(view, &step.artifacts)))
                    }
                }
            }
            @if !result.page_errors.is_empty() {
                h3 { "What went wrong in the page" }
                ul.reasons { @for error in &result.page_errors { li { (error) } } }
            }
        }
    }
}

fn plain(bytes: &[u8]) -> Markup {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return html! {} };
    if value.is_null() {
        return html! {};
    }
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    let shown: String = text.chars().take(TEXT_CHARACTERS_MAX).collect();
    html! {
        section aria-labelledby="result-title" {
            h2 #result-title { "Result" }
            pre.code tabindex="0" { (shown) @if shown.len() < text.len() { "\n…" } }
        }
    }
}

/// What a step left, by the names that it tells, of the newest attempt that has them.
fn left<'v>(view: &'v JobView, names: &[String]) -> Vec<&'v ArtifactView> {
    let newest = |name: &String| view.artifacts.iter().rev().find(|artifact| artifact.name == *name);
    names.iter().filter_map(newest).collect()
}

/// Pictures among what was left, each a link to itself in full size.
pub(crate) fn pictures(visitor: &Visitor, job: JobId, artifacts: &[&ArtifactView]) -> Markup {
    let pictures: Vec<_> =
        artifacts.iter().filter(|artifact| artifact.media_type.starts_with("image/")).collect();
    html! {
        @if !pictures.is_empty() {
            div.pictures {
                @for artifact in pictures {
                    @let address = super::artifact::address(&visitor.place, job, artifact);
                    figure {
                        a href=(address) { img src=(address) alt=(artifact.name) loading="lazy"; }
                        figcaption { (artifact.name) }
                    }
                }
            }
        }
    }
}

/// Whether a result is shown step by step.
pub(crate) fn has_steps(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Steps>(bytes).is_ok_and(|result| !result.steps.is_empty())
}

/// Whether the result shows these pictures beside its steps.
pub(crate) fn shows(bytes: Option<&[u8]>, name: &str) -> bool {
    let result = bytes.and_then(|bytes| serde_json::from_slice::<Steps>(bytes).ok());
    result
        .is_some_and(|result| result.steps.iter().any(|step| step.artifacts.iter().any(|left| left == name)))
}

fn tone(state: &str) -> Tone {
    match state {
        "passed" => "passed",
        "failed" => "failed",
        "excused" => "flaky",
        "cut_short" => "errored",
        _ => "faint",
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}
