//! Parts that pages share: states, times, tables and what leads from one page to the next.

use crate::{
    visitor::{Place, Visitor},
    words::{self, Tone},
};
use maud::{Markup, html};
use runners_core::{Conclusion, Cursor, JobLine, Paging, RunnerState, Timestamp, protocol::StateView};

/// How many rows a page has.
pub(crate) const ROWS: u32 = 50;

/// The heads of columns of figures, which stand at the right edge, one below the other.
const FIGURES: [&str; 5] = ["Size", "Took", "Steps", "Jobs", "Version"];

/// A state, by colour and word.
pub(crate) fn pill((tone, words): (Tone, &str)) -> Markup {
    html! { span class={ "pill " (tone) } { (words) } }
}

/// A time, as how long ago it was. The exact time is its title.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (words::rough(now.since(at))) " ago" } }
}

/// A time to come.
pub(crate) fn until(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { "in " (words::rough(at.since(now))) } }
}

/// A time that may be unknown to us: earlier releases have not written it down.
pub(crate) fn made(now: Timestamp, at: Timestamp) -> Markup {
    if at == Timestamp::default() {
        html! { span.faint { "–" } }
    } else {
        ago(now, at)
    }
}

/// A table with its caption, which says what it shows even to those who do not see its heading. On a
/// narrow screen the rows become blocks, so each cell says with `data-label` what it is.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll { (bare_table("", caption, heads, rows)) }
    }
}

/// A table of jobs, whose columns stand at the same places on every page.
pub(crate) fn job_table(
    place: &Place,
    caption: &str,
    now: Timestamp,
    jobs: &[(JobLine, Option<String>)],
) -> Markup {
    let heads = ["Job", "State", "What", "Pool", "Since", "About it"];
    html! {
        div.scroll { (bare_table("jobs", caption, &heads, &job_rows(place, now, jobs))) }
    }
}

fn bare_table(class: &str, caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        table class=(class) {
            caption.unseen { (caption) }
            thead {
                tr {
                    @for head in heads {
                        th.figure[FIGURES.contains(head)] scope="col" { @if head.is_empty() { span.unseen { "What to do" } } @else { (head) } }
                    }
                }
            }
            tbody { (rows) }
        }
    }
}

/// What stands where there is nothing.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// Leads to the next page of a listing, and back to the first.
pub(crate) fn pager(place: &Place, path: &str, paging: &Paging, next: Option<&Cursor>) -> Markup {
    let joint = if path.contains('?') { '&' } else { '?' };
    html! {
        @if paging.after.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if paging.after.is_some() { a.button href=(place.to(path)) { "First page" } }
                @if let Some(next) = next {
                    a.button href=(place.to(format_args!("{path}{joint}after={next}"))) { "Next page" }
                }
            }
        }
    }
}

/// A button that does something at once.
pub(crate) fn action(visitor: &Visitor, path: &str, words: &str, class: &str) -> Markup {
    html! {
        form.inline method="post" action=(visitor.place.to(path)) {
            (crate::layout::form_token(visitor))
            button class=(class) type="submit" { (words) }
        }
    }
}

/// A button that asks once more before it does something. It works without script.
pub(crate) fn confirmed(visitor: &Visitor, path: &str, words: &str, says: &str, fields: &Markup) -> Markup {
    html! {
        details.confirm {
            summary.button.danger { (words) "…" }
            form.card method="post" action=(visitor.place.to(path)) {
                (crate::layout::form_token(visitor))
                p { (says) }
                (fields)
                button.danger type="submit" { (words) }
            }
        }
    }
}

/// A secret that is shown this once.
pub(crate) fn secret(title: &str, token: Option<&str>, after: &Markup) -> Markup {
    html! {
        section.notice.good aria-labelledby="secret-title" {
            h2 #secret-title { (title) }
            @if let Some(token) = token {
                p { "Copy it now: it is shown this once, and nobody can show it again." }
                p.copy {
                    code #secret { (token) }
                    button type="button" data-copy="secret" hidden { "Copy" }
                }
                (after)
            } @else {
                p { "It was made before, and its text was shown then. If it is lost, revoke it and make another." }
            }
        }
    }
}

/// A name and what it is, one below the other.
pub(crate) fn facts(pairs: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in pairs {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// The state of a runner, by colour and word.
pub(crate) fn runner_pill(state: RunnerState) -> Markup {
    pill(match state {
        RunnerState::Online => ("passed", "online"),
        RunnerState::Draining => ("flaky", "draining"),
        RunnerState::Offline => ("faint", "offline"),
    })
}

/// How much of something is taken, as a bar and in figures.
pub(crate) fn meter(taken: u32, of: u32) -> Markup {
    let share = if of == 0 { 0.0 } else { f64::from(taken.min(of)) / f64::from(of) * 100.0 };
    html! {
        @if of == 0 { span.faint { "–" } } @else { span.meter {
            svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                rect.ground width="100" height="8" {}
                rect.taken width={ (format!("{share:.1}")) } height="8" {}
            }
            span.figures { (taken) " / " (of) }
        } }
    }
}

/// A link to a job, by what tells it from others.
pub(crate) fn job_link(place: &Place, job: runners_core::JobId) -> Markup {
    html! { a.id href=(place.to(format_args!("jobs/{job}"))) title=(job) { (words::short(job)) } }
}

/// Rows of jobs; the text beside each says what it waits for.
fn job_rows(place: &Place, now: Timestamp, jobs: &[(JobLine, Option<String>)]) -> Markup {
    html! {
        @for (line, why) in jobs {
            tr {
                td data-label="Job" { (job_link(place, line.job)) }
                td data-label="State" { (pill(words::state(&line.state))) }
                td data-label="What" { span.kind title=(line.kind) { (line.title.as_deref().unwrap_or(&line.kind)) } }
                td data-label="Pool" { (line.pool) }
                td.time data-label="Since" { (job_time(now, line)) }
                td.wide data-label="" { (job_note(line, why.as_deref())) }
            }
        }
    }
}

fn job_time(now: Timestamp, line: &JobLine) -> Markup {
    match line.state {
        StateView::Scheduled { ready_at } => until(now, ready_at),
        StateView::Concluded { at, .. } => ago(now, at),
        _ => html! {
            @let since = words::since(line);
            time datetime=(since) title=(since) { "for " (words::rough(now.since(since))) }
        },
    }
}

fn job_note(line: &JobLine, why: Option<&str>) -> Markup {
    let took = match line.state {
        StateView::Concluded { at, .. } => Some(at.since(line.submitted_at)),
        _ => None,
    };
    html! {
        @if let Some(why) = why { span.why { (why) } }
        @if let Some(took) = took { span.faint { (words::span(took)) " from submit to end" } }
        @match line.state {
            StateView::Running { attempt, .. } if attempt > 1 => { span.faint { "attempt " (attempt) } }
            StateView::Concluded { conclusion, .. } if line.attempts > 1 && conclusion != Conclusion::Cancelled => {
                span.faint { ", " (words::count(u64::from(line.attempts), "attempt")) }
            }
            _ => {}
        }
        @if line.retry_of.is_some() { span.faint { " · again" } }
    }
}
