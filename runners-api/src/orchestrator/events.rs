//! What a run tells on its way, as server-sent events that can be resumed.

use super::{Face, access::Caller};
use crate::{
    contract::error::{Refusal, issue},
    wire::{body::within, sse},
};
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use futures::{FutureExt as _, StreamExt as _, future::select, stream};
use http::HeaderMap;
use runners_core::{
    EventCursor, Scope,
    orchestration::{IssueCode, RunEvent},
    sleep,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How long more is waited for. Then a line tells that the connection is alive.
const PARK_FOR: Duration = Duration::from_secs(15);
/// How many events are written at once.
const EVENTS_PER_CHUNK: usize = 256;
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
    let clock = Arc::clone(&face.0.clock);
    let told = caller.client.follow(&run, after).ready_chunks(EVENTS_PER_CHUNK);
    let events = stream::unfold(told, move |mut told| {
        let clock = Arc::clone(&clock);
        async move {
            match within(&*clock, PARK_FOR, told.next()).await {
                None => Some((sse::ALIVE.to_owned(), told)),
                // Whatever goes wrong ends the answer: a client comes again, and is told why.
                Some(chunk) => {
                    let text: String = chunk?.into_iter().map_while(Result::ok).map(text).collect();
                    (!text.is_empty()).then_some((text, told))
                }
            }
        }
    });
    let clock = Arc::clone(&face.0.clock);
    let over = async move { sleep(&*clock, STREAM_MAX).await }.boxed();
    Ok(sse::answer(events.take_until(select(caller.ended, over))))
}

/// One event, and the place after it.
fn text((place, event): (EventCursor, RunEvent)) -> String {
    sse::event(&place.to_string(), &name(&event), &event)
}

/// What an event is called.
fn name(event: &RunEvent) -> String {
    let told = serde_json::to_value(event).unwrap_or_default();
    told.get("event").and_then(Value::as_str).unwrap_or("message").to_owned()
}
