//! The last thing a single-use runner says: that it is gone, and its credential with it.

use crate::{
    actors::error::with_causes,
    seams::{
        clock::{Clock, sleep},
        transport::{Transport, TransportError},
    },
    values::{
        reply::{RefusalCode, Reply},
        request::{DeregisterRequest, Request},
    },
};
use std::time::Duration;

/// How often it is tried.
const TRIES_MAX: u32 = 5;
/// How long one try may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The wait before the second try; it doubles with each one after.
const BACKOFF: Duration = Duration::from_secs(1);

/// Deregisters the runner that speaks by `transport`. Answers what was in the way, if it is still
/// registered. One that is gone already has only missed an answer.
pub(super) async fn deregister(transport: &dyn Transport, clock: &dyn Clock) -> Result<(), String> {
    let mut tries = 0;
    loop {
        let problem = match once(transport, clock).await {
            Ok(Reply::Deregistered) | Err(TransportError::Unauthorized(_)) => return Ok(()),
            Ok(Reply::Refused(refused)) if refused.code == RefusalCode::Removed => return Ok(()),
            Ok(Reply::Refused(refused)) => return Err(refused.to_string()),
            Ok(_) => return Err("a reply of another kind".to_owned()),
            Err(error) if !error.is_transient() => return Err(with_causes(&error)),
            Err(error) => with_causes(&error),
        };
        tries += 1;
        if tries == TRIES_MAX {
            return Err(problem);
        }
        sleep(clock, BACKOFF * 2_u32.pow(tries - 1)).await;
    }
}

async fn once(transport: &dyn Transport, clock: &dyn Clock) -> Result<Reply, TransportError> {
    tokio::select! {
        biased;
        reply = transport.call(Request::Deregister(DeregisterRequest::default())) => reply,
        () = sleep(clock, ANSWER_WITHIN) => Err(TransportError::Unreachable("no answer in time".into())),
    }
}
