//! Removing runs that ended long enough ago.

use super::Shared;
use crate::{
    rules::record::OrchestrationRecord,
    seams::{clock::sleep, store::StoreError},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// How often it is looked for what may be removed.
const LOOK_EVERY: Duration = Duration::from_secs(600);

impl Shared {
    /// Removes what may be removed, until it is stopped.
    pub(super) async fn serve_retention(self: Arc<Self>) {
        let Some(kept_for) = self.retention else { return };
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                pruned = self.prune(kept_for) => {
                    if let Err(error) = pruned {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "old runs could not be removed, and are looked for again");
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = sleep(&*self.clock, LOOK_EVERY.min(kept_for)) => {}
            }
        }
    }

    async fn prune(&self, kept_for: Duration) -> Result<(), StoreError> {
        let until = (self.now() - kept_for).as_millis().to_be_bytes();
        let until = Bytes::from([&OrchestrationRecord::marked_prefix(true)[..], &until].concat());
        let mut after = None;
        loop {
            let (old, next) = self.marked(true, after.take(), Some(until.clone())).await?;
            for found in &old {
                self.remove(found).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}
