//! Who drives a run: one of this orchestrator, and nobody else. A run that was accepted and that nobody
//! drives is taken up, as all are at a start.

use super::Shared;
use crate::{
    actors::{control_plane::lock, records::Versioned},
    rules::{orchestration::course::Course, record::OrchestrationRecord},
    seams::{clock::sleep, random::unit, store::StoreError},
    values::{id::TenantId, key::Key},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The first wait before the store is read again, which doubles, and the longest.
const READ_BACKOFF: Duration = Duration::from_millis(100);
const READ_BACKOFF_MAX: Duration = Duration::from_secs(10);

/// A run that has not ended, and what its journal tells.
type Open = (Versioned<OrchestrationRecord>, Course);

/// That a run is seen to here. Once it is dropped, nobody does.
pub(super) struct Driving {
    shared: Arc<Shared>,
    journal: Key,
    pub(super) cancelled: CancellationToken,
}

impl Drop for Driving {
    fn drop(&mut self) {
        lock(&self.shared.live).remove(&self.journal);
    }
}

impl Shared {
    /// Sees to a run from now on. `None` if somebody does already.
    pub(super) fn claim(self: &Arc<Self>, journal: Key) -> Option<Driving> {
        let mut live = lock(&self.live);
        if live.contains_key(&journal) {
            return None;
        }
        let cancelled = CancellationToken::new();
        live.insert(journal.clone(), cancelled.clone());
        Some(Driving { shared: Arc::clone(self), journal, cancelled })
    }

    /// Sees to it that a run is driven that has not ended.
    pub(super) fn adopt(self: &Arc<Self>, record: &OrchestrationRecord) {
        if record.completed_at.is_none()
            && let Some(driving) = self.claim(record.journal())
        {
            self.seek(driving, record.tenant, record.run.clone());
        }
    }

    /// Looks for a run, however often that has to be tried, and drives it if it is there.
    pub(super) fn seek(self: &Arc<Self>, driving: Driving, tenant: TenantId, run: String) {
        let shared = Arc::clone(self);
        self.duties.spawn(async move {
            let mut tries = 0;
            let error = loop {
                if shared.stopping.is_cancelled() {
                    return;
                }
                match shared.read_up(&driving, tenant, &run).await {
                    Ok(None) => return,
                    Ok(Some((found, course))) => return shared.launch(driving, found, course),
                    Err(error @ StoreError::Broken(_)) => break error,
                    Err(_) => {}
                }
                let span = READ_BACKOFF.saturating_mul(1 << tries.min(16)).min(READ_BACKOFF_MAX);
                tries += 1;
                tokio::select! {
                    biased;
                    () = shared.stopping.cancelled() => return,
                    () = sleep(&*shared.clock, span.mul_f64(0.5 + unit(&*shared.random) / 2.0)) => {}
                }
            };
            tracing::error!(run, error = &error as &dyn std::error::Error, "a run cannot be taken up");
        });
    }

    /// A run as it stands, if it is the one that is seen to, has not ended, and is ours to drive.
    async fn read_up(
        &self,
        driving: &Driving,
        tenant: TenantId,
        run: &str,
    ) -> Result<Option<Open>, StoreError> {
        let is_open = |record: &OrchestrationRecord| {
            record.completed_at.is_none() && record.journal() == driving.journal
        };
        let found = self.find(tenant, run).await?.filter(|found| is_open(&found.record));
        let Some(found) = found else { return Ok(None) };
        // Another orchestrator that has begun since has taken it up itself.
        if !self.has_tenure().await? {
            self.end_tenure();
            return Ok(None);
        }
        let mut course = self.course(&found.record).await?;
        course.forget_what_is_under_way();
        Ok(Some((found, course)))
    }
}
