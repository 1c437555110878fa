//! What a run tells on its way, as server-sent events that can be resumed.

use super::{Face, access::Caller};
use crate::{
    contract::error::{Refusal, issue},
    wire::sse,
};
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use runners_core::{
    EventCursor, Scope,
    orchestration::{IssueCode, OrchestratorClient, RunEvent},
};
use serde_json::Value;
use std::time::Duration;

/// How long one look waits for more. Then a line tells that the connection is alive.
const PARK_FOR: Duration = Duration::from_secs(15);
/// A look that brings nothing sooner than this was ended by an orchestrator that is being stopped.
const PARK_MIN: Duration = Duration::from_secs(1);
/// The longest that one answer goes on: a client comes again, and is authenticated again.
const STREAM_MAX: Duration = Duration::from_secs(3600);

pub(super) async fn follow(
    State(face): State<Face>,
    caller: Caller,
    Path(run): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    caller.may(Scope::Read)?;
    let query = query.unwrap_or_default();
    let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = sse::last_event_id(&headers).or(asked.as_ref().map(|(_, value)| &**value));
    let after = match after.map(str::parse::<EventCursor>) {
        None => EventCursor::START,
        Some(Ok(after)) => after,
        Some(Err(error)) => {
            let issue = issue(IssueCode::InvalidFormat, ["after".into()], error.to_string());
            return Err(Refusal::issues(&[issue]));
        }
    };
    // What is not there is an error, and not an empty stream.
    caller.client.progress(&run).await?;
    let until = face.0.clock.boot() + STREAM_MAX;
    let client = caller.client.clone();
    let events = stream::unfold(Some(after), move |after| {
        let (face, client, run) = (face.clone(), client.clone(), run.clone());
        async move {
            let clock = &*face.0.clock;
            let began = clock.boot();
            let (told, next) = look(&client, &run, after.filter(|_| began < until)?).await?;
            let told = match told.is_empty() {
                false => told,
                // An orchestrator that stops holds nothing back.
                true if next.is_some() && clock.boot().since(began) < PARK_MIN => return None,
                true => sse::ALIVE.to_owned(),
            };
            Some((told, next))
        }
    });
    Ok(sse::answer(events.take_until(caller.ended)))
}

/// The text of some events, and from where to look on, if that was not all.
async fn look(
    client: &OrchestratorClient,
    run: &str,
    after: EventCursor,
) -> Option<(String, Option<EventCursor>)> {
    let page = client.events(run, after, PARK_FOR).await.ok()?;
    let told = page.events.iter().map(|(place, event)| sse::event(&place.to_string(), &name(event), event));
    Some((told.collect(), (!page.ended).then_some(page.next)))
}

/// What an event is called.
fn name(event: &RunEvent) -> String {
    let told = serde_json::to_value(event).unwrap_or_default();
    told.get("event").and_then(Value::as_str).unwrap_or("message").to_owned()
}
