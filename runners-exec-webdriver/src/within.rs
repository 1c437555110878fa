//! Bounds a wait by the clock that was given, not by the runtime's, and lets something go on meanwhile.

use futures::future::{Either, select};
use runners_core::{Clock, sleep};
use std::{convert::Infallible, pin::pin, time::Duration};

/// Completes with the future, or with nothing once `span` has passed.
pub(crate) async fn within<F: Future>(clock: &dyn Clock, span: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), pin!(sleep(clock, span))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Waits for work, while something goes on beside it that never ends.
pub(crate) async fn beside<T>(work: impl Future<Output = T>, other: impl Future<Output = Infallible>) -> T {
    match select(pin!(work), pin!(other)).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}
