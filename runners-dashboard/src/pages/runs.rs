//! Every run, newest first: how many of its jobs are how.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    pages::{follows_from, paging},
    parts::{ago, empty, pager, pill, table},
    visitor::{Place, Visitor},
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{RunLine, Timestamp};

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = visitor.management.runs(&paging).await?;
    let body = html! {
        h1 { "Runs" }
        p.lead {
            "Jobs that were submitted together."
            @if visitor.has_regions { " Runs over regions, with a matrix of their checks, are " a href=(visitor.place.to("regions")) { "under Regions" } "." }
        }
        div #list data-part {
            @if page.items.is_empty() { (empty("There is no run.")) }
            @else { (table("Runs", &["Run", "Begins with", "Jobs", "Came to", "Submitted"], &rows(&visitor.place, now, &page.items))) }
            (pager(&visitor.place, "runs", &paging, page.next.as_ref()))
        }
    };
    let answer = Page::new(Section::Runs, "Runs", body);
    let answer = if paging.after.is_none() { answer.follows(follows_from(now)) } else { answer };
    Ok(answer.answer(&visitor))
}

fn rows(place: &Place, now: Timestamp, runs: &[RunLine]) -> Markup {
    html! {
        @for run in runs {
            tr {
                td data-label="Run" { a.id href=(place.to(format_args!("runs/{}", run.run))) title=(run.run) { (words::short(run.run)) } }
                td data-label="Begins with" { @if let Some(title) = &run.title { (title) } @else { "–" } }
                td.told.figure data-label="Jobs" { @if run.has_more { "over " } (words::number(u64::from(run.jobs))) }
                td.wide data-label="" { (came_to(run)) }
                td.time.told data-label="Submitted" { (ago(now, run.submitted_at)) }
            }
        }
    }
}

/// How many of its jobs are how.
pub(crate) fn came_to(run: &RunLine) -> Markup {
    html! {
        span.counts {
            @if run.open() > 0 { (pill(("running", &format!("{} open", run.open())))) }
            @for (conclusion, count) in &run.conclusions {
                @let (tone, words) = words::conclusion(*conclusion);
                (pill((tone, &format!("{count} {words}"))))
            }
        }
    }
}
