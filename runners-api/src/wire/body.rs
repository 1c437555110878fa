//! Bodies of requests, read within a number of bytes and a span of time.

use super::problem::{Code, Problem};
use axum::body::Body;
use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use runners_core::{Clock, sleep};
use std::{pin::pin, time::Duration};

/// The largest body of a call, unless the call says otherwise: 64 KiB.
#[cfg(feature = "management")]
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// The longest that a body may take to arrive.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// What `work` comes to, or nothing once `span` is over.
pub(crate) async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(clock, span))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

/// Reads a whole body of at most `bytes_max` bytes.
pub(crate) async fn whole(
    body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
    clock: &dyn Clock,
) -> Result<Bytes, Problem> {
    let limit = bytes_max as u64;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit) {
        return Err(Problem::too_large(limit));
    }
    let read = within(clock, READ_WITHIN, Limited::new(body, bytes_max).collect()).await;
    let too_slow = || {
        let detail = format!("the body did not arrive within {} s: send it faster", READ_WITHIN.as_secs());
        Problem::new(Code::TooSlow, detail)
    };
    match read.ok_or_else(too_slow)? {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(_) => Err(Problem::new(Code::Invalid, "the body was cut short: send it again")),
    }
}
