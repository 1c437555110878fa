//! Says why a job still waits for a runner: what `explain` advises once a while has passed, and again when it
//! changes.

use crate::connection::Connection;
use futures::future::pending;
use runners_core::{JobId, SystemClock, protocol::StateView, sleep};
use std::time::Duration;

/// How long a job waits until somebody is told why, and until that is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A job, as far as it waits for a runner.
#[derive(Debug)]
pub(super) struct Waiting<'c> {
    connection: &'c Connection,
    job: JobId,
    is_ready: bool,
    /// What was advised last.
    advice: Option<String>,
}

impl<'c> Waiting<'c> {
    pub(super) const fn new(connection: &'c Connection, job: JobId) -> Self {
        Self { connection, job, is_ready: false, advice: None }
    }

    /// Takes note of how it is now.
    pub(super) const fn take(&mut self, state: &StateView) {
        self.is_ready = matches!(state, StateView::Ready { .. });
    }

    /// Completes with what is advised, once that is something else than before.
    ///
    /// # Cancel safety
    /// Dropping the future begins the wait again.
    pub(super) async fn advised(&mut self) -> String {
        if !self.is_ready {
            return pending().await;
        }
        loop {
            sleep(&SystemClock::default(), LOOK_EVERY).await;
            // Whoever may only submit is told nothing.
            let Ok(explained) = self.connection.client.explain(self.job, None).await else { continue };
            let advice = explained.advice();
            let is_new = self.advice.as_deref().is_none_or(|before| gist(before) != gist(&advice));
            self.advice = Some(advice.clone());
            if is_new {
                return advice;
            }
        }
    }

    /// What was advised last, if it ever waited for long.
    pub(super) fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// An advice without its numbers: how many are ahead is nothing new.
fn gist(advice: &str) -> String {
    advice.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_is_no_other_advice() {
        assert_eq!(gist("it is its turn after 12 others"), gist("it is its turn after 9 others"));
        assert_ne!(gist("its pool has no runner: start one"), gist("its pool is not active: activate it"));
    }
}
