//! What keeps pages current: server-sent events that say *look again*, and logs as they grow. The
//! place in the feed is the id of each event, so a connection that was cut goes on where it was.

use crate::{dashboard::Site, failure::Failure, form::Form, visitor::Visitor};
use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use runners_core::{EventCursor, EventsOf, JobId, RunId, protocol::LogPage};
use std::{convert::Infallible, time::Duration};

/// How long one look at the feed waits. What the feed does not tell, such as runners that come and
/// go, is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long one look at a log waits.
const LOG_PARK_FOR: Duration = Duration::from_secs(15);

/// The longest that one answer goes on: a browser comes again, and is authenticated again.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// Names the last event that a browser has, when it comes again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The shortest time between two events, so that a busy feed does not have pages made without end.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Says when to look again at what a page shows.
pub(crate) async fn follow(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = whose(&form)?;
    let given = last_event_id(&headers).or(form.filled("after"));
    let after = given.and_then(|text| text.parse::<EventCursor>().ok()).unwrap_or(EventCursor::START);
    // What is not there is a failure, and not an empty stream.
    visitor.management.events(of, after, Duration::ZERO).await?;
    let until = site.clock.boot() + STREAM_MAX;
    let ended = visitor.ended.clone();
    let events = stream::unfold(after, move |after| {
        let (site, management) = (site.clone(), visitor.management.clone());
        async move {
            if site.clock.boot() >= until || site.control.is_stopping() {
                return None;
            }
            let page = management.events(of, after, LOOK_EVERY).await.ok()?;
            if !page.events.is_empty() {
                runners_core::sleep(&*site.clock, LOOK_PAUSE).await;
            }
            let name = if page.events.is_empty() { "idle" } else { "changed" };
            Some((format!("id: {}\nevent: {name}\ndata: look\n\n", page.next), page.next))
        }
    });
    Ok(answer(events.take_until(ended)))
}

/// Tells a log as it grows: text from where the page ended, until the attempt has.
pub(crate) async fn follow_log(
    State(site): State<Site>,
    visitor: Visitor,
    Path(job): Path<JobId>,
    form: Form,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (grant, from) = match last_event_id(&headers).and_then(|id| id.split_once('-')) {
        Some((grant, from)) => (grant.parse().ok(), from.parse().unwrap_or(0)),
        None => (form.parsed("grant", "number")?, form.parsed("from", "number")?.unwrap_or(0)),
    };
    visitor.log(job, grant, from, Duration::ZERO).await?;
    let until = site.clock.boot() + STREAM_MAX;
    let ended = visitor.ended.clone();
    let events = stream::unfold(Some(from), move |from| {
        let (site, visitor) = (site.clone(), visitor.clone());
        async move {
            let over = site.clock.boot() >= until || site.control.is_stopping();
            let page = visitor.log(job, grant, from.filter(|_| !over)?, LOG_PARK_FOR).await.ok()?;
            Some((piece(&page), (!page.ended).then_some(page.next)))
        }
    });
    Ok(answer(events.take_until(ended)))
}

/// The text of a piece of a log; what was lost is told in brackets.
pub(crate) fn text_of(page: &LogPage) -> String {
    let chunks = page
        .chunks
        .iter()
        .map(|chunk| (chunk.offset, String::from_utf8_lossy(chunk.bytes.as_bytes()).into_owned()));
    let gaps = page.gaps.iter().map(|gap| (gap.offset, format!("[{} bytes are missing]\n", gap.bytes)));
    let mut pieces: Vec<(u64, String)> = chunks.chain(gaps).collect();
    pieces.sort_by_key(|(offset, _)| *offset);
    pieces.into_iter().map(|(_, text)| text).collect()
}

fn piece(page: &LogPage) -> String {
    let text = text_of(page);
    if text.is_empty() && !page.ended {
        return ": alive\n\n".to_owned();
    }
    let name = if page.ended { "end" } else { "log" };
    let data = serde_json::to_string(&text).expect("invariant: a text is plain data");
    format!("id: {}-{}\nevent: {name}\ndata: {data}\n\n", page.grant, page.next)
}

fn whose(form: &Form) -> Result<EventsOf, Failure> {
    if let Some(job) = form.parsed::<JobId>("job", "job")? {
        return Ok(EventsOf::Job(job));
    }
    Ok(form.parsed::<RunId>("run", "run")?.map_or(EventsOf::Tenant, EventsOf::Run))
}

fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

fn answer(events: impl Stream<Item = String> + Send + 'static) -> Response {
    // The browser waits this long before it comes again.
    let events = stream::once(std::future::ready("retry: 2000\n\n".to_owned())).chain(events);
    let bytes = events.map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // A proxy that collects answers would hold events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}
