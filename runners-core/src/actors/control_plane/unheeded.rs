//! Changes of what is managed that this control plane may have to go by without having been told of them:
//! their maker hung up, or the store did not tell what came of them.

use super::{Plane, feed::SETTLE, watch::READ_AGAIN_AFTER};
use crate::{
    actors::records::Batch,
    seams::{
        clock::sleep,
        store::{Committed, StoreError},
    },
    values::{
        id::{PoolId, RunnerId},
        key::{Key, Kind},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// A change of a tenant, pool, runner or of the roll-out that this control plane does not go by yet. If it is
/// dropped before it is [`heeded`](Self::heeded), it is heeded as another control plane's is: at once, and when
/// its commit must have arrived if it ever does. What is stored is then in force, whoever waits for it.
#[derive(Debug)]
pub(crate) struct Unheeded {
    plane: Arc<Plane>,
    key: Option<Key>,
}

impl Unheeded {
    /// A change of the record at `key` that is about to be made.
    pub(crate) fn new(plane: &Arc<Plane>, key: Key) -> Self {
        Self { plane: Arc::clone(plane), key: Some(key) }
    }

    /// Makes the change. If it is known not to be made, there is nothing to heed.
    pub(crate) async fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        let committed = self.plane.records.commit(batch).await;
        if !matches!(committed, Ok(_) | Err(StoreError::Unknown(_))) {
            self.key = None;
        }
        committed
    }

    /// The control plane goes by it.
    pub(crate) fn heeded(mut self) {
        self.key = None;
    }
}

impl Drop for Unheeded {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        if Handle::try_current().is_err() {
            return;
        }
        let plane = Arc::clone(&self.plane);
        self.plane.duties.spawn(async move {
            tokio::select! {
                biased;
                () = plane.stopping.cancelled() => {}
                () = plane.heed_twice(&key) => {}
            }
        });
    }
}

impl Plane {
    async fn heed_twice(self: &Arc<Self>, key: &Key) {
        for after in [Duration::ZERO, SETTLE] {
            sleep(&*self.clock, after).await;
            while let Err(error) = self.heed_setting(key).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a change that may have been made could not be read"
                );
                sleep(&*self.clock, READ_AGAIN_AFTER).await;
            }
            // It may say by when something is to be done.
            self.due.hint(self.now());
        }
    }

    /// Goes by a tenant, pool, runner or the roll-out as it is stored now.
    pub(super) async fn heed_setting(self: &Arc<Self>, key: &Key) -> Result<(), StoreError> {
        let id = key.id.first_chunk().copied();
        match (key.kind, id) {
            (Kind::Tenant, _) => self.read_suspended().await?,
            (Kind::Rollout, _) => self.read_rollout().await?,
            (Kind::Runner, Some(id)) => self.doubt_session(RunnerId::from_bytes(id)),
            (Kind::Pool, Some(id)) => self.heed_pool(key.tenant, PoolId::from_bytes(id)).await.map(drop)?,
            _ => {}
        }
        Ok(())
    }
}
