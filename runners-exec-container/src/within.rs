//! Bounds a wait by the clock that was given, not by the runtime's.

use futures::future::{Either, select};
use runners_core::{Clock, sleep};
use std::{pin::pin, time::Duration};

/// Completes with the future, or with nothing once `span` has passed.
pub(crate) async fn within<F: Future>(clock: &dyn Clock, span: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), pin!(sleep(clock, span))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
