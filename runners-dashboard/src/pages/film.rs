//! The film of a job: what its screen showed, with its steps, its console and its requests on one clock. The player
//! is `film.js`; what it leads to is made here, so that it can be read without it.

use super::traffic::{self, Asking, CONSOLE, Console, Har, REQUESTS, Said, cut};
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
    heard: Heard,
}

/// What was heard until the index was written: all there is until the attempt has left the whole of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Heard {
    console: Vec<Said>,
    requests: Vec<Asking>,
    left_out: u64,
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
    /// Why it went wrong, or how long it took.
    more: String,
}

/// What happened.
#[derive(Debug)]
struct Moments {
    all: Vec<Moment>,
    /// How many more there were, of which the film does not tell.
    left_out: u64,
    /// Whether the attempt has left all that was heard.
    is_whole: bool,
    is_over: bool,
}

pub(crate) async fn show(visitor: Visitor, Path(job): Path<JobId>, form: Form) -> Result<Response, Failure> {
    let (artifact, view) = traffic::left(&visitor, job, FILM, &form).await?;
    let index: Index = traffic::read(&visitor, &artifact).await?;
    let grant = artifact.grant;
    let is_over = index.ended
        || view.conclusion().is_some()
        || view.attempts.iter().any(|attempt| attempt.grant == grant);
    let moments = Moments { is_over, ..moments(&visitor, index.heard, &index.steps, &view, grant).await };
    let body = html! {
        (traffic::head(&visitor, &view, &artifact, "Film").await)
        div.film-sides {
            (player(&visitor.place.to(format_args!("jobs/{job}/artifacts/{grant}/film/")), index.duration_ms, is_over))
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
        }
    };
    let page = Page::new(Section::Queue, "Film", body);
    if is_over {
        return Ok(page.answer(&visitor));
    }
    let next = visitor.management.events(EventsOf::Job(job), EventCursor::START, Duration::ZERO).await?.next;
    Ok(page.follows(format!("job={job}&after={next}")).answer(&visitor))
}

fn player(parts: &str, duration_ms: u64, is_over: bool) -> Markup {
    html! {
        div.film data-film=(parts) data-over[is_over] {
            div.film-frame {
                canvas tabindex="0" role="img" width="16" height="9" aria-label="What the screen showed. Space plays, arrows lead on and back." {}
            }
            div.film-tools {
                button type="button" data-film-do="play" { "Play" }
                @if !is_over { button type="button" data-film-do="newest" { "Newest" } }
                input type="range" min="0" max=(duration_ms) step="any" value="0" aria-label="Moment of the film";
                output { (words::span(Duration::from_millis(duration_ms))) }
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

/// What happened, in order: as the attempt has left it, and until then as the film tells it.
async fn moments(visitor: &Visitor, heard: Heard, steps: &[Step], view: &JobView, grant: u64) -> Moments {
    let mut all: Vec<Moment> = steps.iter().map(Moment::of_step).collect();
    let left = |name: &str| view.artifacts.iter().find(|left| left.grant == grant && left.name == name);
    let console = match left(CONSOLE) {
        Some(artifact) => traffic::read::<Console>(visitor, artifact).await.ok(),
        None => None,
    };
    let har = match left(REQUESTS) {
        Some(artifact) => traffic::read::<Har>(visitor, artifact).await.ok(),
        None => None,
    };
    let is_whole = console.is_some() && har.is_some();
    let said = console.map_or(heard.console, |console| console.entries);
    all.extend(said.iter().map(Moment::of_said));
    match har {
        Some(har) => all.extend(har.log.entries.iter().map(Moment::of_entry)),
        None => all.extend(heard.requests.iter().map(Moment::of_asking)),
    }
    all.sort_by_key(|moment| moment.at_ms);
    let left_out = if is_whole { 0 } else { heard.left_out };
    Moments { all, left_out, is_whole, is_over: false }
}

impl Moment {
    fn of_step(step: &Step) -> Self {
        let pill = ("running", format!("step {}", step.index.saturating_add(1)));
        Self { at_ms: step.at_ms, kind: "step", pill, text: cut(&step.description), more: String::new() }
    }

    fn of_said(said: &Said) -> Self {
        let pill = (traffic::tone_of(&said.level), cut(&said.level));
        Self { at_ms: said.at_ms, kind: "console", pill, text: cut(&said.text), more: String::new() }
    }

    fn of_entry(entry: &traffic::Entry) -> Self {
        let text = cut(&format!("{} {}", entry.request.method, entry.request.url));
        Self { at_ms: entry.at_ms, kind: "request", pill: entry.answer(), text, more: entry.ending() }
    }

    fn of_asking(asking: &Asking) -> Self {
        let text = cut(&format!("{} {}", asking.method, asking.url));
        Self { at_ms: asking.at_ms, kind: "request", pill: asking.answer(), text, more: asking.ending() }
    }

    /// When it was, in minutes and seconds.
    fn at(&self) -> String {
        let tenths = self.at_ms / 100;
        format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
    }
}

impl Moments {
    /// Those that a page has: while it goes on the newest, and afterwards how it began.
    fn shown(&self) -> &[Moment] {
        let more = self.all.len().saturating_sub(MOMENTS_MAX);
        if self.is_over { &self.all[..self.all.len() - more] } else { &self.all[more..] }
    }

    /// What is said of the others.
    fn others(&self) -> Option<String> {
        let more = self.all.len().saturating_sub(MOMENTS_MAX) as u64 + self.left_out;
        let number = words::number(more);
        match (self.is_over, self.is_whole) {
            _ if more == 0 => None,
            (true, true) => Some(format!("{number} more are under Requests and Console.")),
            (true, false) => Some(format!("{number} more were not left by the attempt.")),
            (false, _) => Some(format!(
                "{number} earlier ones are under Requests and Console once the attempt has ended."
            )),
        }
    }
}

fn list(moments: &Moments) -> Markup {
    // What has the focus is found again by its id when the list has grown.
    let mut last = (u64::MAX, 0);
    let mut id = |at: u64| {
        last = if last.0 == at { (at, last.1 + 1) } else { (at, 0) };
        format!("moment-{at}-{}", last.1)
    };
    html! {
        @if moments.all.is_empty() { (empty("Nothing was noted yet.")) }
        @else {
            @if let Some(others) = moments.others().filter(|_| !moments.is_over) { p.faint { (others) } }
            ol.moments {
                @for moment in moments.shown() {
                    li class=(moment.kind) {
                        button.quiet id=(id(moment.at_ms)) type="button" data-film-at=(moment.at_ms) {
                            span.at { (moment.at()) }
                            (pill((moment.pill.0, &moment.pill.1)))
                            span.break { (moment.text) @if !moment.more.is_empty() { " " span.faint { (moment.more) } } }
                        }
                    }
                }
            }
            @if let Some(others) = moments.others().filter(|_| moments.is_over) { p.faint { (others) } }
        }
    }
}
