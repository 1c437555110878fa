//! Whether a control plane can serve now, for probes.

use super::{ControlPlane, Plane};
use crate::{
    actors::{error::Error, records::Batch},
    rules::{keys, record::PoolRecord},
    seams::store::StoreError,
    values::id::{PoolId, TenantId},
};

impl ControlPlane {
    /// Whether it was told to stop: calls that are held back are answered, and none is any more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.plane.stopping.is_cancelled()
    }

    /// Checks that the store answers and that this control plane is not stopping. If the store did not take what
    /// was last written, checks that it does by now: one whose disk is full may still be read.
    ///
    /// # Errors
    /// [`Error::Store`]: what it says is why it cannot serve now.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing that anybody sees.
    pub async fn check_ready(&self) -> Result<(), Error> {
        let plane = &self.plane;
        plane.check_serving().map_err(Error::Store)?;
        let anybody = PoolRecord::key_of(TenantId::DEFAULT, PoolId::DEFAULT);
        plane.records.load::<PoolRecord>(anybody).await.map_err(Error::Store)?;
        if plane.records.refuses_writes() {
            let mut batch = Batch::new();
            batch.add(keys::probes(), 1, None);
            plane.records.commit(batch).await.map_err(Error::Store)?;
        }
        Ok(())
    }
}

impl Plane {
    /// Refuses what would wait here, once nothing waits any more: whoever asked again would ask for ever.
    pub(super) fn check_serving(&self) -> Result<(), StoreError> {
        if self.stopping.is_cancelled() {
            return Err(StoreError::Unavailable("the control plane is stopping".into()));
        }
        Ok(())
    }
}
