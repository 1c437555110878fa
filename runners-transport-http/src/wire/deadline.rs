//! Waiting with a bound, on the clock that was given.

use futures::future::{Either, select};
use runners_core::Clock;
use std::{pin::pin, time::Duration};

/// What `work` comes to, or nothing once `span` is over.
pub(crate) fn within<T>(
    clock: &dyn Clock,
    span: Duration,
    work: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    // Made here, so that nothing but the wait itself is held for as long as it lasts.
    let over = clock.sleep_until(clock.boot() + span);
    async move {
        match select(pin!(work), over).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }
}
