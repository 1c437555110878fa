//! Events as they happen, of a job, a run or the tenant.

use super::{
    Face,
    caller::Caller,
    follow::{self, PARK_FOR},
    jobs::malformed,
};
use crate::wire::{
    path::{Path, Query},
    problem::Problem,
    sse, text,
};
use axum::{extract::State, response::Response};
use http::HeaderMap;
use runners_core::{EventCursor, EventPage, EventsOf, JobId, Management, RunId, protocol::StateView};
use serde::Deserialize;
use std::time::Duration;

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
    follow_all(face, caller, EventsOf::Tenant, &query, &headers).await
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
    follow_all(face, caller, EventsOf::Job(job), &query, &headers).await
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
    follow_all(face, caller, EventsOf::Run(run), &query, &headers).await
}

async fn follow_all(
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
    let management = caller.management.clone();
    Ok(follow::answer(&face, &caller, after, move |after| {
        let management = management.clone();
        async move {
            let page = match of {
                EventsOf::Job(job) => next_of(&management, job, after).await?,
                _ => management.events(of, after, PARK_FOR).await.ok()?,
            };
            let ends = |name: &str| matches!(of, EventsOf::Job(_)) && name == "concluded";
            let over = page.events.iter().any(|(_, event)| ends(event.what.name()));
            let told = page.events.iter();
            let told = told.map(|(place, event)| sse::event(&place.to_string(), event.what.name(), event));
            Some((told.collect(), (!over).then_some(page.next)))
        }
    }))
}

/// The next events of a job, once there are some; nothing if it has ended and all were told.
async fn next_of(management: &Management, job: JobId, after: EventCursor) -> Option<EventPage> {
    let next = |park_for| management.events(EventsOf::Job(job), after, park_for);
    let page = next(Duration::ZERO).await.ok()?;
    if !page.events.is_empty() {
        return Some(page);
    }
    if matches!(management.job(job).await.ok()?.state, StateView::Concluded { .. }) {
        // It may have ended since.
        return next(Duration::ZERO).await.ok().filter(|page| !page.events.is_empty());
    }
    next(PARK_FOR).await.ok()
}
