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

/// How long the upkeep sleeps at most.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// How long after an error it tries again.
const ERROR_WAIT: Duration = Duration::from_secs(5);
/// How many rows it works on before it pauses.
const ROWS_PER_BATCH: u32 = 64;
/// How long it leaves the store to others after each batch.
const PAUSE: Duration = Duration::from_millis(5);

impl Plane {
    /// Sees to what waits for the upkeep, until the control plane stops.
    pub(super) async fn serve_upkeep(self: Arc<Self>) {
        while !self.stopping.is_cancelled() {
            let round = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                round = self.upkeep_round() => round,
            };
            let wait = match round {
                Ok(()) => ROUND_EVERY,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the upkeep was not done");
                    ERROR_WAIT
                }
            };
            let deadline = self.clock.boot() + wait;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.upkeep.notified(), if wait == ROUND_EVERY => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    async fn upkeep_round(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.seals {
            self.seal_all().await?;
        }
        let now = self.now();
        // Two would remove the same; artifacts are each one's own.
        let prunes = self.holds(Duty::Retention).await?;
        let collects = self.seals && self.unnamed.is_time(self.clock.boot());
        if !prunes && !collects {
            return Ok(());
        }
        for tenant in self.tenants_listed().await? {
            if prunes {
                self.prune(tenant, now).await?;
            }
            if collects {
                self.collect(tenant).await?;
            }
        }
        Ok(())
    }

    async fn seal_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut pages = Pages::of(Index::Owner, keys::upkeep_of(JobRecord::KIND)).rows(ROWS_PER_BATCH);
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in &rows {
                match self.seal(read(row)?).await {
                    // Another control plane was faster, or the next round sees it as it is then.
                    Err(StoreError::Conflict(_)) => {}
                    done => done?,
                }
            }
            self.pause().await;
        }
        Ok(())
    }

    /// Leaves the store to others for a moment.
    pub(super) async fn pause(&self) {
        sleep(&*self.clock, PAUSE).await;
    }
}
