//! Tenure: one orchestrator drives the runs of a store, the one that began last. The one before writes
//! nothing about runs any more, and stops.

use super::Shared;
use crate::{
    actors::records::Batch,
    rules::record::OrchestratorRecord,
    seams::{clock::sleep, store::StoreError},
    values::key::Kind,
};
use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

/// How often it is looked whether another one has begun.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often it is tried to begin while others begin as well.
const TRIES_MAX: u32 = 16;

impl Shared {
    /// Begins a tenure, which ends every other.
    pub(super) async fn begin_tenure(&self) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            let found = self.records.load::<OrchestratorRecord>(OrchestratorRecord::the_key()).await?;
            let mut record = OrchestratorRecord::new(self.now());
            let version = found.map_or(0, |found| {
                record.unknown = found.record.unknown;
                found.version
            });
            let mut batch = Batch::new();
            batch.put(version, &record);
            match self.records.commit(batch).await {
                Ok(_) => {
                    self.tenure.store(version + 1, Ordering::SeqCst);
                    return Ok(());
                }
                Err(StoreError::Conflict(_) | StoreError::Unknown(_)) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Has a batch refused once the tenure is over.
    pub(super) fn expect_tenure(&self, batch: &mut Batch) {
        batch.expect(OrchestratorRecord::the_key(), self.tenure.load(Ordering::SeqCst));
    }

    /// Stops if that is why a batch was refused. Whether it is.
    pub(super) fn ends_tenure(&self, error: &StoreError) -> bool {
        let ends = matches!(error, StoreError::Conflict(key) if key.kind == Kind::Orchestrator);
        if ends {
            self.end_tenure();
        }
        ends
    }

    /// Looks whether another one has begun, until it is stopped.
    pub(super) async fn serve_tenure(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = sleep(&*self.clock, LOOK_EVERY) => {}
            }
            // A store that cannot be read is met by whoever writes.
            if matches!(self.has_tenure().await, Ok(false)) {
                self.end_tenure();
                return;
            }
        }
    }

    /// Whether no other one has begun.
    pub(super) async fn has_tenure(&self) -> Result<bool, StoreError> {
        let found = self.records.load::<OrchestratorRecord>(OrchestratorRecord::the_key()).await?;
        Ok(found.is_none_or(|found| found.version == self.tenure.load(Ordering::SeqCst)))
    }

    pub(super) fn end_tenure(&self) {
        if !self.displaced.swap(true, Ordering::SeqCst) {
            tracing::error!("another orchestrator has begun on this store, and this one stops");
        }
        self.stopping.cancel();
    }
}
