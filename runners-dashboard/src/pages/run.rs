//! A run: the jobs that were submitted together, and how many came to what.

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
use maud::{Markup, html};
use runners_core::{
    EventCursor, EventsOf, JobFilter, JobLine, Paging, RunId,
    protocol::{CancelTarget, StateView},
};
use std::{collections::BTreeMap, time::Duration};

/// How many jobs of a run are counted at most.
const COUNTED_MAX: usize = 5_000;

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
    let counts = Counts::of(&visitor, &filter).await?;
    let jobs: Vec<_> = page.items.into_iter().map(|line| (line, None)).collect();
    let here = format!("runs/{run}");
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("runs")) { "Runs" } " / run" }
            div.title {
                h1 { "Run " span.id { (words::short(run)) } }
                span.actions {
                    @if visitor.may.submit && counts.open > 0 {
                        (confirmed(&visitor, &format!("runs/{run}/cancel"), "Cancel", "Every job of the run that has not ended is told to stop.", &html! {}))
                    }
                }
            }
            (counts.shown())
        }
        div #list data-part {
            (job_table(&visitor.place, "Jobs of the run", now, &jobs))
            (pager(&visitor.place, &here, &paging, page.next.as_ref()))
        }
    };
    let answer = Page::new(Section::Runs, format!("Run {}", words::short(run)), body);
    let answer = match counts.open > 0 {
        true => answer.follows(format!("run={run}&after={}", EventCursor::at(now))),
        false => answer,
    };
    Ok(answer.answer(&visitor))
}

pub(crate) async fn cancel(visitor: Visitor, Path(run): Path<RunId>) -> Result<Response, Failure> {
    visitor.cancel(CancelTarget::Run(run)).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("runs/{run}"))))
}

/// How many jobs of a run are how.
#[derive(Debug, Default)]
struct Counts {
    all: u64,
    open: u64,
    by_words: BTreeMap<(&'static str, &'static str), u64>,
    more: bool,
}

impl Counts {
    async fn of(visitor: &Visitor, filter: &JobFilter) -> Result<Self, Failure> {
        let (mut counts, mut paging) = (Self::default(), Paging { after: None, limit: Paging::LIMIT_MAX });
        loop {
            let page = visitor.management.jobs(filter, &paging).await?;
            page.items.iter().for_each(|line| counts.add(line));
            paging.after = page.next;
            counts.more = paging.after.is_some();
            if !counts.more || counts.all >= COUNTED_MAX as u64 {
                return Ok(counts);
            }
        }
    }

    fn add(&mut self, line: &JobLine) {
        self.all += 1;
        self.open += u64::from(!matches!(line.state, StateView::Concluded { .. }));
        *self.by_words.entry(words::state(&line.state)).or_default() += 1;
    }

    fn shown(&self) -> Markup {
        html! {
            p.counts {
                @if self.more { "at least " }
                b { (words::count(self.all, "job")) }
                @for ((tone, words), count) in &self.by_words { " " (pill((tone, &format!("{count} {words}")))) }
            }
        }
    }
}
