//! Bodies of requests, read within a number of bytes and a span of time.

use crate::{
    server::refusal::Refusal,
    wire::{STALL_MAX, deadline::within, problem::Code},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use runners_core::{ArtifactSource, ByteStream, Clock};
use std::{sync::Arc, time::Duration};

/// The body of a request, whatever server reads it.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// The body of a request did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut short")]
pub(super) struct BodyError(#[source] pub(super) ArtifactSource);

/// The longest that the body of a call may take to arrive.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// The length that was announced, if one was.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a whole body of at most `bytes_max` bytes.
pub(super) async fn whole(
    body: RequestBody,
    headers: &HeaderMap,
    bytes_max: usize,
    clock: &dyn Clock,
) -> Result<Bytes, Refusal> {
    let limit = bytes_max as u64;
    let too_large = || Refusal::too_large("the body", limit);
    if announced(headers).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let read = within(clock, READ_WITHIN, Limited::new(body, bytes_max).collect()).await;
    let too_slow = || {
        let detail = format!("the body did not arrive within {} s: send it faster", READ_WITHIN.as_secs());
        Refusal::new(Code::TooSlow, detail)
    };
    match read.ok_or_else(too_slow)? {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Refusal::new(Code::Invalid, "the body was cut short: send it again")),
    }
}

/// No byte came for too long.
#[derive(Debug, thiserror::Error)]
#[error("no byte came for {} s", STALL_MAX.as_secs())]
pub(super) struct Stalled;

/// The data of a body as it comes. A piece that does not come in time ends it with [`Stalled`].
pub(super) fn pieces(body: RequestBody, clock: Arc<dyn Clock>) -> ByteStream {
    stream::unfold(Some((body, clock)), |state| async move {
        let (mut body, clock) = state?;
        loop {
            match within(&*clock, STALL_MAX, body.frame()).await {
                None => return Some((Err(ArtifactSource::from(Stalled)), None)),
                Some(None) => return None,
                Some(Some(Err(error))) => return Some((Err(error.into()), None)),
                // What is not data is trailers, and they mean nothing here.
                Some(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        return Some((Ok(piece), Some((body, clock))));
                    }
                }
            }
        }
    })
    .boxed()
}
