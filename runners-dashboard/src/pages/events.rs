//! What happened to the tenant's jobs and runs, the latest first.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    pages::follows_from,
    parts::{empty, job_link, pill, table},
    visitor::Visitor,
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{Event, EventCursor, EventsOf, Happening};
use std::{collections::VecDeque, time::Duration};

/// How many events are shown: the latest of the span.
const SHOWN_MAX: usize = 200;

/// How many pages of the feed are read for them at most.
const PAGES_MAX: usize = 64;

const SPANS: [(&str, u64, &str); 4] =
    [("10m", 600, "ten minutes"), ("1h", 3_600, "hour"), ("6h", 21_600, "six hours"), ("1d", 86_400, "day")];

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let shown = form.filled("span").unwrap_or("1h");
    let (_, seconds, words) = SPANS.into_iter().find(|(name, ..)| *name == shown).unwrap_or(SPANS[1]);
    let mut after = EventCursor::at(now - Duration::from_secs(seconds));
    let (mut latest, mut seen, mut whole) = (VecDeque::new(), 0_u64, false);
    for _ in 0..PAGES_MAX {
        let page = visitor.management.events(EventsOf::Tenant, after, Duration::ZERO).await?;
        after = page.next;
        whole = page.events.is_empty();
        if whole {
            break;
        }
        seen += page.events.len() as u64;
        latest.extend(page.events.into_iter().map(|(_, event)| event));
        latest.drain(..latest.len().saturating_sub(SHOWN_MAX));
    }
    let body = html! {
        h1 { "Events" }
        form.filters method="get" action=(visitor.place.to("events")) {
            label { "Of the last"
                select name="span" {
                    @for (name, _, words) in SPANS { option value=(name) selected[name == shown] { (words) } }
                }
            }
            button type="submit" { "Show" }
        }
        div #list data-part {
            p.faint {
                @if latest.is_empty() { "Nothing happened within the last " (words) "." }
                @else { (words::count(seen, "event")) " within the last " (words) @if seen > SHOWN_MAX as u64 { "; the latest " (SHOWN_MAX) " are shown" } "." }
                @if !whole { " There are more than were read: choose a shorter span." }
            }
            @if latest.is_empty() { (empty("Events appear here as they happen.")) }
            @else { (table("Events, the latest first", &["When (UTC)", "Job or run", "Event"], &rows(&visitor, &latest))) }
        }
    };
    Ok(Page::new(Section::Events, "Events", body).follows(follows_from(now)).answer(&visitor))
}

fn rows(visitor: &Visitor, events: &VecDeque<Event>) -> Markup {
    html! {
        @for event in events.iter().rev() {
            @let (tone, what) = words::happening(&event.what);
            tr {
                td.time data-label="When" { time datetime=(event.at) title=(event.at) { (words::clock(event.at)) } }
                td data-label="Of" {
                    @if let Some(job) = event.job { (job_link(&visitor.place, job)) }
                    @else if let Some(run) = event.run {
                        a.id href=(visitor.place.to(format_args!("runs/{run}"))) title=(run) { "run " (words::short(run)) }
                    }
                }
                td.wide data-label="Event" {
                    @match &event.what {
                        Happening::Concluded { conclusion } => { (pill(words::conclusion(*conclusion))) }
                        Happening::Offered { runner, .. } | Happening::Running { runner, .. } => {
                            span class={ "tone " (tone) } { (what) } " "
                            a.id href=(visitor.place.to(format_args!("fleet/{runner}"))) title=(runner) { (words::short(runner)) }
                        }
                        _ => { span class={ "tone " (tone) } { (what) } }
                    }
                }
            }
        }
    }
}
