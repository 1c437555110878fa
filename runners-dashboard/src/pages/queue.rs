//! The first page: how busy everything is, what waits and why, what runs, and what ended last.

use crate::{
    charts,
    dashboard::Site,
    failure::Failure,
    layout::{Page, Section},
    pages::follows_from,
    parts::{empty, job_table},
    visitor::Visitor,
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{JobFilter, JobId, JobLine, JobState, Management, Paging, PoolSummary};

/// How many jobs of each kind the page shows; the rest are a page away.
const SHOWN_MAX: u32 = 15;

/// The states in which a job waits.
pub(crate) const WAITING: [JobState; 3] = [JobState::Ready, JobState::Blocked, JobState::Scheduled];

/// The states in which a runner has it.
pub(crate) const HELD: [JobState; 2] = [JobState::Running, JobState::Offered];

pub(crate) async fn show(State(site): State<Site>, visitor: Visitor) -> Result<Response, Failure> {
    let now = site.now();
    let management = &visitor.management;
    let summary = management.fleet_summary().await?;
    let total = |each: fn(&PoolSummary) -> u32| summary.pools.iter().map(each).sum::<u32>();
    let (queued, busy, free) =
        (total(|pool| pool.queued), total(|pool| pool.slots_busy), total(|pool| pool.slots_free));
    let (online, registered) = (total(|pool| pool.online), total(|pool| pool.registered));
    let figures = site.histories.look(management, (queued, busy), (now, site.clock.boot())).await?;
    let (waiting, more_wait) = newest(management, &WAITING, SHOWN_MAX).await?;
    let waiting = explained(management, waiting).await;
    let (held, more_run) = newest(management, &HELD, SHOWN_MAX).await?;
    let (ended, more_ended) = newest(management, &[JobState::Concluded], SHOWN_MAX).await?;
    let alone = |lines: Vec<JobLine>| lines.into_iter().map(|line| (line, None)).collect::<Vec<_>>();
    let place = &visitor.place;
    let body = html! {
        h1 { "Queue" }
        div #figures data-part {
            dl.tiles {
                (tile("waiting", u64::from(queued), "waiting"))
                (tile("running", u64::from(busy), "running"))
                (tile("free", u64::from(free), if free == 1 { "free slot" } else { "free slots" }))
                (tile("online", u64::from(online), &format!("online of {}", words::count(u64::from(registered), "runner"))))
            }
            div.charts {
                (charts::queue_depth(&figures))
                (charts::slot_use(&figures, busy + free))
                (charts::durations(&figures))
                (charts::pass_rate(&figures))
            }
        }
        (section("waiting", "Waiting", &place.to("jobs?show=waiting"), more_wait, &html! {
            @if waiting.is_empty() { (empty("Nothing waits.")) }
            @else { (job_table(place, "Jobs that wait", now, &waiting)) }
        }))
        (section("running", "Running", &place.to("jobs?show=running"), more_run, &html! {
            @if held.is_empty() { (empty("Nothing runs.")) }
            @else { (job_table(place, "Jobs that run", now, &alone(held))) }
        }))
        (section("ended", "Ended", &place.to("jobs?show=ended"), more_ended, &html! {
            @if ended.is_empty() { (empty("Nothing has ended yet.")) }
            @else { (job_table(place, "Jobs that ended", now, &alone(ended))) }
        }))
    };
    Ok(Page::new(Section::Queue, "Queue", body).follows(follows_from(now)).answer(&visitor))
}

/// The newest jobs in some states, and whether there are more.
pub(crate) async fn newest(
    management: &Management,
    states: &[JobState],
    limit: u32,
) -> Result<(Vec<JobLine>, bool), Failure> {
    let (mut found, mut more) = (Vec::new(), false);
    for state in states {
        let filter = JobFilter { state: Some(*state), ..JobFilter::default() };
        let page = management.jobs(&filter, &Paging { limit, after: None }).await?;
        more |= page.next.is_some();
        found.extend(page.items);
    }
    let kept = limit as usize;
    more |= found.len() > kept;
    found.truncate(kept);
    Ok((found, more))
}

/// Each job, and what would start it. One that cannot be explained stands without.
pub(crate) async fn explained(management: &Management, jobs: Vec<JobLine>) -> Vec<(JobLine, Option<String>)> {
    let mut told = Vec::with_capacity(jobs.len());
    for line in jobs {
        let why = why(management, line.job).await;
        told.push((line, why));
    }
    told
}

async fn why(management: &Management, job: JobId) -> Option<String> {
    let explanation = management.explain(job, None).await.ok()?;
    let ahead = explanation.pools.iter().find_map(|pool| pool.position).filter(|position| position.ahead > 0);
    let advice = capitalized(&explanation.advice());
    Some(match ahead {
        Some(position) => {
            let least = if position.exact { "" } else { "at least " };
            format!("{advice} · {least}{} ahead", position.ahead)
        }
        None => advice,
    })
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn tile(tone: &str, number: u64, words: &str) -> Markup {
    html! {
        div class={ "tile " (tone) @if number == 0 { " none" } } { dt { (words) } dd { (words::number(number)) } }
    }
}

fn section(id: &str, title: &str, all: &str, more: bool, body: &Markup) -> Markup {
    html! {
        section id=(id) data-part aria-labelledby={ (id) "-title" } {
            div.heading {
                h2 id={ (id) "-title" } { (title) }
                a href=(all) { @if more { "All of them" } @else { "List" } span.unseen { ": " (title) } }
            }
            (body)
        }
    }
}
