//! Events as they happen, of a job, a run or the tenant.

use super::{Face, caller::Caller, jobs::malformed};
use crate::wire::{
    path::{Path, Query},
    problem::Problem,
    sse, text,
};
use axum::{extract::State, response::Response};
use futures::stream;
use http::HeaderMap;
use runners_core::{EventCursor, EventsOf, JobId, RunId};
use serde::Deserialize;
use std::time::Duration;

/// How long one look waits for more. Then a line tells that the connection is alive.
const PARK_FOR: Duration = Duration::from_secs(15);

/// The longest that one answer goes on: a client comes again, and is authenticated again.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// Where events begin.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// The `id` of the last event that is known; the header `Last-Event-ID` goes first. From the
    /// beginning unless given.
    #[param(max_length = 32)]
    after: Option<String>,
}

/// Follows the events of the tenant.
///
/// Server-sent events: `event` says what happened to which job, `id` is where to go on with
/// `Last-Event-ID`. Each is told at least once; those of one job are in order.
#[utoipa::path(get, path = "/events", tag = "Events", params(EventsQuery),
    responses((status = 200, description = "Events as they happen.", body = String, content_type = "text/event-stream")))]
pub(super) async fn follow_events(
    State(face): State<Face>,
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    follow(face, caller, EventsOf::Tenant, &query, &headers).await
}

/// Follows the events of a job, until it has ended.
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "Events",
    params(("id" = inline(text::Job), Path, description = "The job."), EventsQuery),
    responses((status = 200, description = "Events as they happen.", body = String, content_type = "text/event-stream")))]
pub(super) async fn follow_job_events(
    State(face): State<Face>,
    caller: Caller,
    Path(job): Path<JobId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    follow(face, caller, EventsOf::Job(job), &query, &headers).await
}

/// Follows the events of the jobs of a run.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "Events",
    params(("id" = inline(text::Run), Path, description = "The run."), EventsQuery),
    responses((status = 200, description = "Events as they happen.", body = String, content_type = "text/event-stream")))]
pub(super) async fn follow_run_events(
    State(face): State<Face>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    follow(face, caller, EventsOf::Run(run), &query, &headers).await
}

/// Where a stream stands.
enum Next {
    /// Events are asked for after this place.
    After(EventCursor),
    /// All has been told.
    Over,
}

async fn follow(
    face: Face,
    caller: Caller,
    of: EventsOf,
    query: &EventsQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let given = sse::last_event_id(headers).or(query.after.as_deref());
    let after =
        given.map(str::parse::<EventCursor>).transpose().map_err(|error| malformed("after", error))?;
    let after = after.unwrap_or(EventCursor::START);
    // What is not there is a problem, and not an empty stream.
    caller.management.events(of, after, Duration::ZERO).await?;
    let until = face.clock().boot() + STREAM_MAX;
    let events = stream::unfold(Next::After(after), move |next| {
        let (face, management) = (face.clone(), caller.management.clone());
        async move {
            let Next::After(after) = next else { return None };
            if face.clock().boot() >= until || face.control().is_stopping() {
                return None;
            }
            let page = management.events(of, after, PARK_FOR).await.ok()?;
            if page.events.is_empty() {
                return Some((sse::ALIVE.to_owned(), Next::After(page.next)));
            }
            let ends = |name: &str| matches!(of, EventsOf::Job(_)) && name == "concluded";
            let over = page.events.iter().any(|(_, event)| ends(event.what.name()));
            let told = page.events.iter();
            let told = told.map(|(place, event)| sse::event(&place.to_string(), event.what.name(), event));
            Some((told.collect(), if over { Next::Over } else { Next::After(page.next) }))
        }
    });
    Ok(sse::answer(events))
}
