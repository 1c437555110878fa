//! The upkeep: what has to be seen to some time and must not be in the way of anything. Logs of
//! ended jobs are sealed, and what its tenant need not keep any longer is removed.

use super::Plane;
use crate::{
    actors::records::{Pages, read},
    rules::{
        job::JobRecord,
        keys,
        record::{Duty, Record as _},
    },
    seams::{clock::sleep, store::StoreError},
    values::key::Index,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// How long the upkeep sleeps at most.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// How long after an error it tries again; twice as long after each that follows, up to a whole round.
const ERROR_WAIT: Duration = Duration::from_secs(5);
/// How many rows it works on before it pauses.
const ROWS_PER_BATCH: u32 = 64;
/// How long it leaves the store to others after each batch.
const PAUSE: Duration = Duration::from_millis(5);

/// Wakes the upkeep.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// There is a log to be sealed.
    pub(crate) logs: Notify,
    /// Somebody has changed what is to be kept.
    pub(crate) retention: Notify,
}

impl Plane {
    /// Sees to what waits for the upkeep, until the control plane stops. Logs do not wait for what is removed, and
    /// nothing is looked for that might be removed because a log has come.
    pub(super) async fn serve_upkeep(self: Arc<Self>) {
        let seal = async {
            if self.seals {
                self.repeat(&self.upkeep.logs, || self.seal_all()).await;
            }
        };
        tokio::join!(seal, self.repeat(&self.upkeep.retention, || self.removal_round()));
    }

    /// Does something now and then, and at once when there is news.
    async fn repeat<F>(&self, news: &Notify, round: impl Fn() -> F)
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        let mut error_wait = ERROR_WAIT;
        while !self.stopping.is_cancelled() {
            let round = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                round = round() => round,
            };
            let wait = match round {
                Ok(()) => {
                    error_wait = ERROR_WAIT;
                    ROUND_EVERY
                }
                Err(ref error) => {
                    tracing::warn!(error = error as &dyn std::error::Error, "the upkeep was not done");
                    let wait = error_wait;
                    error_wait = ROUND_EVERY.min(wait * 2);
                    wait
                }
            };
            let deadline = self.clock.boot() + wait;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = news.notified(), if round.is_ok() => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Removes everything that need not be kept, whatever of it fails. The first error is answered.
    async fn removal_round(self: &Arc<Self>) -> Result<(), StoreError> {
        let (mut done, now) = (Ok(()), self.now());
        // Two would remove the same; artifacts are each one's own.
        let prunes = self.holds(Duty::Retention).await?;
        let collects = self.seals && self.unnamed.is_time(self.clock.boot());
        if !prunes && !collects {
            return done;
        }
        for tenant in self.tenants_listed().await? {
            if prunes {
                done = done.and(self.prune(tenant, now).await);
            }
            if collects {
                done = done.and(self.collect(tenant).await);
            }
        }
        done
    }

    async fn seal_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut sealed = Ok(());
        let mut pages = Pages::of(Index::Owner, keys::upkeep_of(JobRecord::KIND)).rows(ROWS_PER_BATCH);
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in &rows {
                let done = match read(row) {
                    Ok(job) => self.seal(job).await,
                    Err(error) => Err(error),
                };
                match done {
                    // Another control plane was faster, or the next round sees it as it is then.
                    Err(StoreError::Conflict(_)) => {}
                    done => sealed = sealed.and(done),
                }
            }
            self.pause().await;
        }
        sealed
    }

    /// Leaves the store to others for a moment.
    pub(super) async fn pause(&self) {
        sleep(&*self.clock, PAUSE).await;
    }
}
