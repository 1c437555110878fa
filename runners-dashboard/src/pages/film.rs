//! The film of a job: what its screen showed, with its steps, its console and its requests on one clock. The player
//! is `film.js`; what it leads to is made here, so that it can be read without it.

use super::traffic::{self, CONSOLE, Console, Har, REQUESTS, cut};
use crate::{
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    parts::{empty, pill},
    visitor::Visitor,
    words,
};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};
use runners_core::{EventCursor, EventsOf, JobId, protocol::JobView};
use serde::Deserialize;
use std::time::Duration;

/// The name of the index of a film.
pub(super) const FILM: &str = "film/index.json";

/// How many moments a page has.
const MOMENTS_MAX: usize = 600;

/// How much faster or slower than it was a film is played.
const SPEEDS: [&str; 6] = ["0.25", "0.5", "1", "2", "4", "8"];

/// What the page wants of the index; the player reads the rest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Index {
    duration_ms: u64,
    ended: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    index: u64,
    at_ms: u64,
    #[serde(default)]
    description: String,
}

/// Something that happened while it was filmed.
#[derive(Debug)]
struct Moment {
    at_ms: u64,
    /// By which it is left out of the list.
    kind: &'static str,
    pill: (words::Tone, String),
    text: String,
}

pub(crate) async fn show(visitor: Visitor, Path(job): Path<JobId>, form: Form) -> Result<Response, Failure> {
    let (artifact, view) = traffic::left(&visitor, job, FILM, &form).await?;
    let index: Index = traffic::read(&visitor, &artifact).await?;
    let grant = artifact.grant;
    let is_over = index.ended
        || view.conclusion().is_some()
        || view.attempts.iter().any(|attempt| attempt.grant == grant);
    let moments = moments(&visitor, &index, &view, grant).await;
    let body = html! {
        (traffic::head(&visitor, &view, &artifact, "Film").await)
        (player(&visitor.place.to(format_args!("jobs/{job}/artifacts/{grant}/film/")), &index, is_over))
        section.film-moments aria-labelledby="moments-title" {
            div.heading {
                h2 #moments-title { "What happened" }
                span.film-kinds {
                    @for (kind, words) in [("step", "Steps"), ("console", "Console"), ("request", "Requests")] {
                        label { input type="checkbox" checked data-kind=(kind); " " (words) }
                    }
                }
            }
            div #moments data-part { (list(&moments)) }
        }
    };
    let page = Page::new(Section::Queue, "Film", body);
    if is_over {
        return Ok(page.answer(&visitor));
    }
    let next = visitor.management.events(EventsOf::Job(job), EventCursor::START, Duration::ZERO).await?.next;
    Ok(page.follows(format!("job={job}&after={next}")).answer(&visitor))
}

fn player(parts: &str, index: &Index, is_over: bool) -> Markup {
    html! {
        div.film data-film=(parts) data-over[is_over] {
            div.film-frame {
                canvas tabindex="0" role="img" width="16" height="9" aria-label="What the screen showed. Space plays, arrows lead on and back." {}
            }
            div.film-tools {
                button type="button" data-film-do="play" { "Play" }
                input type="range" min="0" max=(index.duration_ms) step="any" value="0" aria-label="Moment of the film";
                output { (words::span(Duration::from_millis(index.duration_ms))) }
                label {
                    span.unseen { "Speed" }
                    select { @for speed in SPEEDS { option value=(speed) selected[speed == "1"] { (speed) "×" } } }
                }
            }
            p.film-state role="status" {}
            noscript { p { "Films need a script to be played. What happened is told below." } }
        }
    }
}

/// What happened, in order. What was not left, or cannot be read, is left out.
async fn moments(visitor: &Visitor, index: &Index, view: &JobView, grant: u64) -> Vec<Moment> {
    let mut all: Vec<Moment> = index.steps.iter().map(Moment::of_step).collect();
    let left = |name: &str| view.artifacts.iter().find(|left| left.grant == grant && left.name == name);
    if let Some(artifact) = left(CONSOLE)
        && let Ok(console) = traffic::read::<Console>(visitor, artifact).await
    {
        all.extend(console.entries.iter().map(|said| Moment {
            at_ms: said.at_ms,
            kind: "console",
            pill: (traffic::tone_of(&said.level), cut(&said.level)),
            text: cut(&said.text),
        }));
    }
    if let Some(artifact) = left(REQUESTS)
        && let Ok(har) = traffic::read::<Har>(visitor, artifact).await
    {
        all.extend(har.log.entries.iter().map(|entry| Moment {
            at_ms: entry.at_ms,
            kind: "request",
            pill: entry.answer(),
            text: cut(&format!("{} {}", entry.request.method, entry.request.url)),
        }));
    }
    all.sort_by_key(|moment| moment.at_ms);
    all
}

impl Moment {
    fn of_step(step: &Step) -> Self {
        let pill = ("running", format!("step {}", step.index + 1));
        Self { at_ms: step.at_ms, kind: "step", pill, text: cut(&step.description) }
    }

    /// When it was, in minutes and seconds.
    fn at(&self) -> String {
        let tenths = self.at_ms / 100;
        format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
    }
}

fn list(moments: &[Moment]) -> Markup {
    html! {
        @if moments.is_empty() { (empty("Nothing was noted yet.")) }
        @else {
            ol.moments {
                @for moment in moments.iter().take(MOMENTS_MAX) {
                    li class=(moment.kind) {
                        button.quiet type="button" data-film-at=(moment.at_ms) {
                            span.at { (moment.at()) }
                            (pill((moment.pill.0, &moment.pill.1)))
                            span.break { (moment.text) }
                        }
                    }
                }
            }
            @if moments.len() > MOMENTS_MAX {
                p.faint { (words::number((moments.len() - MOMENTS_MAX) as u64)) " more are under Requests and Console." }
            }
        }
    }
}
