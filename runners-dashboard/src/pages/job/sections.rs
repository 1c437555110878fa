//! The sections of a job's page.

use super::LOG_PAGES_MAX;
use crate::{
    failure::Failure,
    live,
    pages::{artifact, result},
    parts::{ago, empty, facts, job_link, pill, table, until},
    visitor::Visitor,
    words,
};
use maud::{Markup, html};
use runners_core::{
    JobLine, Outcome, RunnerId, Timestamp,
    protocol::{AttemptView, Explanation, JobView, PoolExplanation, StateView},
};
use std::time::Duration;

/// What a job is, in figures.
pub(crate) fn about(visitor: &Visitor, now: Timestamp, view: &JobView, line: &JobLine) -> Markup {
    let mut pairs = vec![
        ("Kind", html! { (view.kind) }),
        ("Pool", html! { (view.pool) }),
        ("Submitted", ago(now, view.submitted_at)),
    ];
    match view.state {
        StateView::Running { runner, attempt, since, .. } => {
            pairs.push(("Runner", runner_link(visitor, runner)));
            pairs.push(("Attempt", html! { (attempt) }));
            pairs.push(("Runs for", html! { (words::span(now.since(since))) }));
        }
        StateView::Offered { runner, .. } => pairs.push(("Offered to", runner_link(visitor, runner))),
        StateView::Scheduled { ready_at } => pairs.push(("Due", until(now, ready_at))),
        StateView::Concluded { at, .. } => {
            pairs.push(("Ended", ago(now, at)));
            pairs.push(("From submit to end", html! { (words::span(at.since(view.submitted_at))) }));
        }
        _ => {}
    }
    pairs.push(("Priority", html! { (line.priority) }));
    if let Some(run) = view.run {
        let address = visitor.place.to(format_args!("runs/{run}"));
        pairs.push(("Run", html! { a.id href=(address) title=(run) { (words::short(run)) } }));
    }
    if let Some(before) = line.retry_of {
        pairs.push(("Again, after", job_link(&visitor.place, before)));
    }
    pairs.push(("Id", html! { code.break { (view.job) } }));
    html! {
        (facts(&pairs))
        @if let (Some(progress), None) = (&view.progress, view.conclusion()) {
            p.progress { span.dot {} (progress) }
        }
    }
}

/// Why it ended without a verdict.
pub(crate) fn trouble(view: &JobView) -> Markup {
    html! {
        @if view.conclusion().is_some_and(|conclusion| !conclusion.is_passed()) {
            @if let Some(fault) = view.fault() {
                p.reason.errored { b { (fault.code) } " " (fault.message) }
            }
        }
    }
}

/// Why it is where it is, and what would start it.
pub(crate) async fn why(now: Timestamp, visitor: &Visitor, explanation: &Explanation) -> Markup {
    let mut pools = Vec::with_capacity(explanation.pools.len());
    for pool in &explanation.pools {
        let known = visitor.management.pool(pool.pool).await;
        pools.push((pool, known.map_or_else(|_| words::short(pool.pool), |known| known.spec.name)));
    }
    html! {
        section.card.why aria-labelledby="why-title" {
            h2 #why-title { "Why it waits" }
            p.advice { (explanation.advice()) }
            @if let Some(obstacle) = &explanation.obstacle { p { (words::job_obstacle(obstacle)) } }
            @for (pool, name) in &pools { (pool_why(now, visitor, pool, name)) }
        }
    }
}

fn pool_why(now: Timestamp, visitor: &Visitor, pool: &PoolExplanation, name: &str) -> Markup {
    html! {
        p {
            a href=(visitor.place.to(format_args!("pools/{}", pool.pool))) { "Pool " (name) }
            @if let Some(opens_at) = pool.opens_at { ", opens " (until(now, opens_at)) }
            @if let Some(obstacle) = &pool.obstacle { ": " (words::pool_obstacle(obstacle)) }
            @if let Some(position) = pool.position {
                ": " @if !position.exact { "at least " } (words::count(u64::from(position.ahead), "job")) " ahead"
            }
        }
        @if !pool.runners.is_empty() {
            (table("Runners, and what keeps the job from each", &["Runner", "What keeps the job from it"], &html! {
                @for runner in &pool.runners {
                    tr {
                        td data-label="Runner" { a href=(visitor.place.to(format_args!("fleet/{}", runner.runner))) { (runner.name) } }
                        td data-label="What keeps it" {
                            @match &runner.obstacle {
                                Some(obstacle) => { (words::obstacle(obstacle)) }
                                None => { "nothing: it is granted when it is its turn" }
                            }
                        }
                    }
                }
            }))
            @if pool.more { p.faint { "There are more runners after these." } }
        }
    }
}

/// The attempts that ended, and what each came to.
pub(crate) fn attempts(visitor: &Visitor, now: Timestamp, view: &JobView) -> Markup {
    html! {
        @if view.attempts.is_empty() { (empty("None has ended yet.")) }
        @else {
            (table("Attempts", &["No.", "Outcome", "Runner", "Took", "Ended", "Log"], &html! {
                @for attempt in view.attempts.iter().rev() { (attempt_row(visitor, now, view, attempt)) }
            }))
        }
    }
}

fn attempt_row(visitor: &Visitor, now: Timestamp, view: &JobView, attempt: &AttemptView) -> Markup {
    let log = visitor.place.to(format_args!("jobs/{}?grant={}#log", view.job, attempt.grant));
    html! {
        tr {
            td.told data-label="No." { (attempt.number) }
            td data-label="Outcome" {
                (pill(words::outcome(&attempt.outcome)))
                @if let Outcome::Errored(fault) = &attempt.outcome { p.faint { (fault.message) } }
                @for missing in &attempt.missing { p.flaky-text { "missing: " (missing) } }
            }
            td data-label="Runner" { (runner_link(visitor, attempt.runner)) }
            td.time.told.figure data-label="Took" { (words::span(attempt.ended_at.since(attempt.started_at))) }
            td.time.told data-label="Ended" { (ago(now, attempt.ended_at)) }
            td data-label="Log" { a href=(log) { "Log" span.unseen { " of attempt " (attempt.number) } } }
        }
    }
}

/// The log of an attempt: what there is, and where the rest comes from.
pub(crate) async fn log(visitor: &Visitor, view: &JobView, grant: Option<u64>) -> Result<Markup, Failure> {
    let job = view.job;
    let (mut text, mut from, mut ended, mut grant) = (String::new(), 0, false, grant);
    for _ in 0..LOG_PAGES_MAX {
        let page = visitor.log(job, grant, from, Duration::ZERO).await?;
        grant = Some(page.grant);
        text.push_str(&live::text_of(&page));
        ended = page.ended;
        if page.next == from || ended {
            from = page.next;
            break;
        }
        from = page.next;
    }
    let grant = grant.unwrap_or_default();
    let stream = visitor.place.to(format_args!("jobs/{job}/log/stream?grant={grant}&from={from}"));
    let goes_on = grant > 0 && !ended;
    Ok(html! {
        section #log aria-labelledby="log-title" data-grant=(grant) {
            div.heading {
                h2 #log-title { "Log" }
                @if grant > 0 { a href=(visitor.place.to(format_args!("jobs/{job}/log?grant={grant}"))) { "As text" span.unseen { ": the log" } } }
            }
            @if text.is_empty() && !goes_on {
                (empty("Nothing was logged yet."))
            } @else {
                pre.log #log-text tabindex="0" aria-labelledby="log-title" data-log=[goes_on.then_some(stream)] { (text) }
            }
        }
    })
}

/// Pictures that no step shows.
pub(crate) fn pictures(visitor: &Visitor, view: &JobView, result: Option<&[u8]>) -> Markup {
    let others: Vec<_> =
        view.artifacts.iter().filter(|artifact| !result::shows(result, &artifact.name)).collect();
    result::pictures(visitor, view.job, &others)
}

/// Everything that the attempts left.
pub(crate) fn artifacts(visitor: &Visitor, view: &JobView) -> Markup {
    let attempt =
        |grant| view.attempts.iter().find(|attempt| attempt.grant == grant).map(|found| found.number);
    html! {
        @if view.artifacts.is_empty() { (empty("Nothing was left yet.")) }
        @else {
            (table("Artifacts", &["Name", "Attempt", "Type", "Size"], &html! {
                @for left in &view.artifacts {
                    tr {
                        td data-label="Name" { a.break href=(artifact::address(&visitor.place, view.job, left)) { (left.name) } }
                        td.told data-label="Attempt" { @if let Some(number) = attempt(left.grant) { (number) } @else { "–" } }
                        td data-label="Type" { (left.media_type) }
                        td.time.figure data-label="Size" { (words::size(left.length)) }
                    }
                }
            }))
        }
    }
}

fn runner_link(visitor: &Visitor, runner: RunnerId) -> Markup {
    html! { a.id href=(visitor.place.to(format_args!("fleet/{runner}"))) title=(runner) { (words::short(runner)) } }
}
