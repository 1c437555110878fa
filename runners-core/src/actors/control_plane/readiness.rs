//! Whether a control plane can serve now, for probes.

use super::{ControlPlane, Plane};
use crate::{
    actors::error::Error,
    rules::record::PoolRecord,
    seams::store::StoreError,
    values::id::{PoolId, TenantId},
};

impl ControlPlane {
    /// Whether it was told to stop: calls that are held back are answered, and none is any more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.plane.stopping.is_cancelled()
    }

    /// Checks that the store answers and that this control plane is not stopping.
    ///
    /// # Errors
    /// [`Error::Store`]: what it says is why it cannot serve now.
    pub async fn check_ready(&self) -> Result<(), Error> {
        let plane = &self.plane;
        plane.check_serving().map_err(Error::Store)?;
        let anybody = PoolRecord::key_of(TenantId::DEFAULT, PoolId::DEFAULT);
        plane.records.load::<PoolRecord>(anybody).await.map(drop).map_err(Error::Store)
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
