//! One job: how it is and why, what its attempts did, what they logged and left.

mod sections;
mod watch;

pub(crate) use watch::watch;

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section},
    live,
    pages::{result, timeline, traffic},
    parts::{action, confirmed, pill},
    visitor::Visitor,
    words,
};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderValue, header};
use maud::{Markup, html};
use runners_core::{
    Digest, Event, EventCursor, EventsOf, JobId, JobLine,
    protocol::{ArtifactView, CancelTarget, JobView, StateView},
};
use std::time::Duration;

/// The largest result that is read to be shown, if it is an artifact.
const RESULT_BYTES_MAX: u64 = 4 << 20;

/// What tells, among the artifacts of an attempt without a verdict, how far it got.
const CUT_SHORT: &str = "cut-short.json";

/// How many pages of its history are read at most.
const HISTORY_PAGES_MAX: usize = 8;

/// How many pages of a log are put into the page; the rest follows, or is a link away.
const LOG_PAGES_MAX: usize = 4;

/// A job, and everything that its page shows of it.
struct Shown {
    view: JobView,
    line: JobLine,
    events: Vec<Event>,
    /// Where its history goes on.
    next: EventCursor,
    result: Option<Vec<u8>>,
}

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(job): Path<JobId>,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let shown = Shown::read(&visitor, job).await?;
    let Shown { view, line, events, next, result } = &shown;
    let explanation = match view.state {
        StateView::Concluded { .. } | StateView::Offered { .. } | StateView::Running { .. } => None,
        _ => visitor.management.explain(job, None).await.ok(),
    };
    let why = match &explanation {
        Some(explanation) => sections::why(now, &visitor, explanation).await,
        None => html! {},
    };
    let log = sections::log(&visitor, view, form.parsed("grant", "number")?).await?;
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("queue")) { "Queue" } " / job" }
            div.title {
                h1 { (line.title.as_deref().unwrap_or(&view.kind)) " " span.id { (words::short(job)) } }
                (pill(words::state(&view.state)))
                span.actions { (actions(&visitor, view)) }
            }
            (sections::about(&visitor, now, view, line))
            (sections::trouble(view))
        }
        div #why data-part { (why) }
        div #watch data-part { (watch::section(&site, &visitor, view).await) }
        div #result data-part {
            (result::show(&visitor, view, result.as_deref()))
            (sections::pictures(&visitor, view, result.as_deref()))
        }
        (log)
        div.columns {
            section #attempts data-part aria-labelledby="attempts-title" {
                h2 #attempts-title { "Attempts" }
                (sections::attempts(&visitor, now, view))
            }
            section #history data-part aria-labelledby="history-title" {
                h2 #history-title { "Timeline" }
                (timeline::show(now, view.submitted_at, events))
            }
        }
        section #artifacts data-part aria-labelledby="artifacts-title" {
            h2 #artifacts-title { "Artifacts" }
            (traffic::links(&visitor, view))
            (sections::artifacts(&visitor, view))
        }
    };
    let what = line.title.as_deref().unwrap_or(&view.kind);
    let title = format!("{what} {}: {}", words::short(job), words::state(&view.state).1);
    let page = Page::new(Section::Queue, title, body);
    let page =
        if view.conclusion().is_some() { page } else { page.follows(format!("job={job}&after={next}")) };
    Ok(page.answer(&visitor))
}

pub(crate) async fn cancel(visitor: Visitor, Path(job): Path<JobId>) -> Result<Response, Failure> {
    visitor.cancel(CancelTarget::Job(job)).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("jobs/{job}"))))
}

pub(crate) async fn retry(
    State(site): State<Site>,
    visitor: Visitor,
    Path(job): Path<JobId>,
) -> Result<Response, Failure> {
    let again = visitor.management.retry_job(job, site.draw(JobId::new)).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("jobs/{}", again.job))))
}

/// The whole log of an attempt, as text.
pub(crate) async fn log(visitor: Visitor, Path(job): Path<JobId>, form: Form) -> Result<Response, Failure> {
    let grant = form.parsed("grant", "number")?;
    let first = visitor.log(job, grant, 0, Duration::ZERO).await?;
    let grant = Some(first.grant);
    let pages = stream::unfold(Some(first), move |page| {
        let visitor = visitor.clone();
        async move {
            let page = page?;
            let text = live::text_of(&page);
            let more = (!text.is_empty()).then_some(page.next);
            let next = match more {
                Some(from) => visitor.log(job, grant, from, Duration::ZERO).await.ok(),
                None => None,
            };
            Some((text, next.filter(|next| more.is_some_and(|from| next.next > from))))
        }
    });
    let mut response = Response::new(Body::from_stream(
        pages.map(|text| Ok::<_, std::convert::Infallible>(Bytes::from(text))),
    ));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

impl Shown {
    async fn read(visitor: &Visitor, job: JobId) -> Result<Self, Failure> {
        let management = &visitor.management;
        let line = management.job(job).await?;
        let view = visitor.inspect(job).await?;
        let (mut events, mut next) = (Vec::new(), EventCursor::START);
        for _ in 0..HISTORY_PAGES_MAX {
            let page = management.events(EventsOf::Job(job), next, Duration::ZERO).await?;
            next = page.next;
            if page.events.is_empty() {
                break;
            }
            events.extend(page.events.into_iter().map(|(_, event)| event));
        }
        let result = match result_bytes(visitor, &view).await {
            Some(result) => Some(result),
            None => cut_short_bytes(visitor, &view).await,
        };
        Ok(Self { view, line, events, next, result })
    }
}

/// The result, also if it is an artifact; without it if that cannot be read now.
pub(crate) async fn result_bytes(visitor: &Visitor, view: &JobView) -> Option<Vec<u8>> {
    if let Some(result) = &view.result {
        return Some(result.as_bytes().to_vec());
    }
    artifact_bytes(visitor, view.result_artifact?).await
}

/// How far the last attempt got, if it was cut short and told so.
async fn cut_short_bytes(visitor: &Visitor, view: &JobView) -> Option<Vec<u8>> {
    view.conclusion()?;
    let last = view.attempts.last()?.grant;
    let told = |artifact: &&ArtifactView| artifact.grant == last && artifact.name == CUT_SHORT;
    let bytes = artifact_bytes(visitor, view.artifacts.iter().find(told)?.digest).await?;
    result::has_steps(&bytes).then_some(bytes)
}

async fn artifact_bytes(visitor: &Visitor, digest: Digest) -> Option<Vec<u8>> {
    let length = visitor.management.artifact_length(digest).await.ok()??;
    if length > RESULT_BYTES_MAX {
        return None;
    }
    let mut pieces = visitor.management.read_artifact(digest, None).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.ok()?);
    }
    Some(bytes)
}

/// The log of the newest attempt, which follows it.
pub(crate) async fn log_section(visitor: &Visitor, view: &JobView) -> Result<Markup, Failure> {
    sections::log(visitor, view, None).await
}

fn actions(visitor: &Visitor, view: &JobView) -> Markup {
    let job = view.job;
    let stops = matches!(view.state, StateView::Running { cancelling: true, .. });
    html! {
        @if visitor.may.submit {
            @if view.conclusion().is_some() {
                (action(visitor, &format!("jobs/{job}/retry"), "Run again", ""))
            } @else if stops {
                span.faint { "told to stop" }
            } @else {
                (confirmed(visitor, &format!("jobs/{job}/cancel"), "Cancel", "What runs is told to stop, and the job ends as cancelled.", &html! {}))
            }
        }
    }
}
