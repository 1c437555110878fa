//! Waiting with a bound, on the clock that was given.

use futures::future::{Either, select};
use runners_core::{Clock, sleep};
use std::{pin::pin, time::Duration};

/// What `work` comes to, or nothing once `span` is over.
pub(crate) async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(clock, span))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
