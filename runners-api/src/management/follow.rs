//! Streams of events: what holds for every one that a client follows.

use super::{Face, caller::Caller};
use crate::wire::sse;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use std::time::Duration;

/// How long one look waits for more. Then a line tells that the connection is alive.
pub(super) const PARK_FOR: Duration = Duration::from_secs(15);

/// The longest that one answer goes on: a client comes again, and is authenticated again.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// Answers with what `look` tells from `first` on: the text of some events, and from where it looks
/// on, if that is not all. It ends when `look` tells nothing more, when the time is over, with the
/// control plane, and with the credential.
pub(super) fn answer<S, F>(
    face: &Face,
    caller: &Caller,
    first: S,
    look: impl Fn(S) -> F + Send + 'static,
) -> Response
where
    S: Send + 'static,
    F: Future<Output = Option<(String, Option<S>)>> + Send + 'static,
{
    let until = face.clock().boot() + STREAM_MAX;
    let face = face.clone();
    let events = stream::unfold(Some(first), move |place| {
        let over = face.clock().boot() >= until || face.control().is_stopping();
        let looked = place.filter(|_| !over).map(&look);
        async move {
            let (told, next) = looked?.await?;
            Some((if told.is_empty() { sse::ALIVE.to_owned() } else { told }, next))
        }
    });
    sse::answer(events.take_until(caller.ended()))
}
