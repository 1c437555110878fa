//! Every job of one kind: those that wait, run or have ended; by pool, kind and conclusion.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    pages::{follows_from, paging, queue},
    parts::{empty, job_table, pager},
    visitor::Visitor,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{Conclusion, JobFilter, JobState};

const STATES: [(&str, JobState, &str); 6] = [
    ("waiting", JobState::Ready, "Waiting"),
    ("blocked", JobState::Blocked, "Blocked"),
    ("scheduled", JobState::Scheduled, "Scheduled"),
    ("running", JobState::Running, "Running"),
    ("offered", JobState::Offered, "Offered"),
    ("ended", JobState::Concluded, "Ended"),
];

const CONCLUSIONS: [Conclusion; 7] = [
    Conclusion::Passed,
    Conclusion::Flaky,
    Conclusion::Failed,
    Conclusion::Errored,
    Conclusion::TimedOut,
    Conclusion::Cancelled,
    Conclusion::Expired,
];

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let shown = form.filled("show").unwrap_or("all");
    let state = STATES.iter().find(|(name, ..)| *name == shown).map(|(_, state, _)| *state);
    let wanted = form.text("conclusion");
    let conclusion = CONCLUSIONS.into_iter().find(|conclusion| conclusion.words() == wanted);
    let text = |name| form.filled(name).map(str::to_owned);
    let filter = JobFilter {
        state: state.filter(|_| conclusion.is_none()),
        conclusion,
        pool: text("pool"),
        kind: text("kind"),
        run: None,
    };
    let paging = paging(&form)?;
    let page = visitor.management.jobs(&filter, &paging).await?;
    let waits = state.is_some_and(|state| queue::WAITING.contains(&state));
    let jobs = if waits {
        queue::explained(&visitor.management, page.items).await
    } else {
        page.items.into_iter().map(|line| (line, None)).collect()
    };
    let here = address(&[
        ("show", shown),
        ("conclusion", wanted),
        ("pool", form.text("pool")),
        ("kind", form.text("kind")),
    ]);
    let body = html! {
        h1 { "Jobs" }
        (filters(&visitor, shown, &form))
        div #list data-part {
            @if jobs.is_empty() && page.next.is_none() { (empty("No job is like this.")) }
            @else if jobs.is_empty() { (empty("None here: the next page goes on looking.")) }
            @else {
                (job_table(&visitor.place, "Jobs", now, &jobs))
            }
            (pager(&visitor.place, &here, &paging, page.next.as_ref()))
        }
    };
    let answer = Page::new(Section::Queue, "Jobs", body);
    // Only the first page moves; whoever reads on has the list stand still.
    let answer = if paging.after.is_none() { answer.follows(follows_from(now)) } else { answer };
    Ok(answer.answer(&visitor))
}

fn filters(visitor: &Visitor, shown: &str, form: &Form) -> Markup {
    let chosen = form.text("conclusion");
    html! {
        form.filters method="get" action=(visitor.place.to("jobs")) {
            label { "State"
                select name="show" {
                    option value="all" { "any" }
                    @for (name, _, words) in STATES {
                        option value=(name) selected[name == shown] { (words.to_lowercase()) }
                    }
                }
            }
            label { "Conclusion"
                select name="conclusion" {
                    option value="" { "any" }
                    @for conclusion in CONCLUSIONS {
                        option value=(conclusion.words()) selected[conclusion.words() == chosen] { (conclusion.words()) }
                    }
                }
            }
            label { "Pool" input name="pool" value=(form.text("pool")) autocomplete="off"; }
            label { "Kind" input name="kind" value=(form.text("kind")) autocomplete="off"; }
            button type="submit" { "Show" }
        }
    }
}

/// The address of this list, without its place.
fn address(fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    format!("jobs?{}", query.finish())
}
