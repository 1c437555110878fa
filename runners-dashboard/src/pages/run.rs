//! A run: the jobs that were submitted together, as a matrix of checks by pool, beside an earlier run, and
//! one by one.

mod comparison;
mod matrix;
mod sheet;

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section},
    pages::paging,
    parts::{confirmed, job_table, pager, pill},
    visitor::Visitor,
    words,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use comparison::Comparison;
use maud::html;
use runners_core::{EventCursor, EventsOf, JobFilter, RunId, protocol::CancelTarget};
use sheet::Sheet;
use std::time::Duration;

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(run): Path<RunId>,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    // A run that is not there is told here, and where its events go on.
    let management = &visitor.management;
    management.events(EventsOf::Run(run), EventCursor::at(now), Duration::ZERO).await?;
    let filter = JobFilter { run: Some(run), ..JobFilter::default() };
    let paging = paging(&form)?;
    let page = management.jobs(&filter, &paging).await?;
    let sheet = Sheet::of(&visitor, run).await?;
    // While it goes on, what is shown of an earlier run stays as it is.
    let is_settled = sheet.open == 0 || !visitor.place.is_part;
    let comparison = match is_settled {
        true => Some(Comparison::of(&visitor, &management.run(run).await?, &form).await?),
        false => None,
    };
    let jobs: Vec<_> = page.items.into_iter().map(|line| (line, None)).collect();
    let here = format!("runs/{run}");
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("runs")) { "Runs" } " / run" }
            div.title {
                h1 { "Run " span.id { (words::short(run)) } }
                span.actions {
                    @if visitor.may.submit && sheet.open > 0 {
                        (confirmed(&visitor, &format!("runs/{run}/cancel"), "Cancel", "Every job of the run that has not ended is told to stop.", &html! {}))
                    }
                }
            }
            p.counts {
                @for ((tone, words), count) in &sheet.by_words { (pill((tone, &format!("{count} {words}")))) " " }
            }
            (matrix::summary(&sheet))
        }
        section #matrix data-part aria-labelledby="matrix-title" {
            h2 #matrix-title { "Checks by pool" }
            (matrix::show(&visitor.place, &sheet))
        }
        @if let Some(comparison) = comparison.filter(|comparison| !comparison.is_empty()) {
            section #comparison data-part aria-labelledby="comparison-title" {
                h2 #comparison-title { "Compared with an earlier run" }
                (comparison.show(&visitor, now, run, &sheet))
            }
        }
        section #list data-part aria-labelledby="list-title" {
            h2 #list-title { "Jobs" }
            (job_table(&visitor.place, "Jobs of the run", now, &jobs))
            (pager(&visitor.place, &here, &paging, page.next.as_ref()))
        }
    };
    let answer = Page::new(Section::Runs, format!("Run {}", words::short(run)), body);
    let answer = match sheet.open > 0 {
        true => answer.follows(format!("run={run}&after={}", EventCursor::at(now))),
        false => answer,
    };
    Ok(answer.answer(&visitor))
}

pub(crate) async fn cancel(visitor: Visitor, Path(run): Path<RunId>) -> Result<Response, Failure> {
    visitor.cancel(CancelTarget::Run(run)).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("runs/{run}"))))
}
